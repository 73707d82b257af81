// A trace in lives, and lives in steps: what replay.ts runs. Checks that the lines follow one
// another as docs/TRACES.md says.

import { EventKind } from "../abi.js";
import {
  type CallLine,
  type EventLine,
  TraceError,
  type TraceLine,
  type TrapLine,
  type WaitLine,
} from "./lines.js";

export interface Step {
  readonly event: EventLine;
  readonly calls: readonly CallLine[];
  /** null: the power went, or the trace ends, in the middle of it. */
  readonly end: WaitLine | TrapLine | null;
}

export interface Life {
  /** SHA-256 of its module in hexadecimal, or null where the trace does not say. */
  readonly digest: string | null;
  readonly steps: readonly Step[];
}

type OpenStep = { event: EventLine; calls: CallLine[]; end: Step["end"] };

class LifeReader {
  readonly lives: { digest: string | null; steps: OpenStep[] }[] = [];
  private digest: string | null = null;
  /** The step that has not ended. */
  private step: OpenStep | null = null;
  /** Whether events may follow without a BOOT. */
  private isAlive = false;

  take(line: TraceLine): void {
    switch (line.what) {
      case "comment":
        break;
      case "module":
        this.digest = line.digest;
        break;
      case "event":
        this.begin(line);
        break;
      case "call":
        this.openStep(line).calls.push(line);
        break;
      case "wait":
      case "trap":
        this.openStep(line).end = line;
        this.step = null;
        this.isAlive = line.what === "wait";
        break;
      case "off":
        this.step = null;
        this.isAlive = false;
    }
  }

  private begin(event: EventLine): void {
    this.step = this.step === null ? null : this.cut(event, this.step);
    if (event.event.kind === EventKind.BOOT) {
      this.lives.push({ digest: this.digest, steps: [] });
      this.isAlive = true;
    }
    if (!this.isAlive) throw new TraceError(event.line, "a life begins with BOOT");
    this.step = { event, calls: [], end: null };
    this.lives.at(-1)!.steps.push(this.step);
  }

  /** Only a BOOT may come in the middle of a step: the power was gone in between. */
  private cut({ line, event }: EventLine, step: OpenStep): null {
    if (event.kind === EventKind.BOOT) return null;
    throw new TraceError(line, `the step of line ${step.event.line} has not ended`);
  }

  private openStep(line: TraceLine): OpenStep {
    return this.step ?? fail(line, "this belongs to a step, and none has begun");
  }
}

function fail({ line }: TraceLine, problem: string): never {
  throw new TraceError(line, problem);
}

/** Throws TraceError for lines that do not follow one another. */
export function livesOf(lines: Iterable<TraceLine>): Life[] {
  const reader = new LifeReader();
  for (const line of lines) reader.take(line);
  return reader.lives;
}
