// Writes what passes between a core and its host as a trace (docs/TRACES.md). Its hooks go to a
// device or to a Core; what they see is written line by line, at once, because the process may be
// killed next. Secrets are replaced by a redactor before anything is written.

import { createHash } from "node:crypto";
import { type CallArgument, EventKind, type OutsideSlice } from "../abi.js";
import type { CoreEvent, CoreHooks } from "../core.js";
import {
  formatLine,
  type Happening,
  headerLine,
  importNamed,
  isOutside,
  traceArguments,
} from "./lines.js";
import type { Redactor } from "./redactor.js";

const NOTHING = new Uint8Array();

/** SHA-256 of a module's bytes, as traces name it. */
export function moduleDigest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export class TraceWriter {
  readonly hooks: Required<CoreHooks> & { readonly onModule: (bytes: Uint8Array) => void };
  /** The module of the next BOOT, and the one that was written last. */
  private digest = "";
  private writtenDigest = "";
  /** A life is under way; what its core still does after the power went is not written. */
  private isOn = false;

  /** `write` gets each line, without LF, and is called from inside the core's calls. */
  constructor(
    private readonly write: (line: string) => void,
    private readonly redactor: Redactor,
  ) {
    this.hooks = {
      onModule: (bytes) => {
        this.digest = moduleDigest(bytes);
      },
      onStep: (event, nowMs) => this.onStep(event, nowMs),
      onCall: (name, args, result) => this.onCall(name, args, result),
      onReturn: (waitMs) => this.happened({ what: "wait", waitMs }),
      onTrap: () => this.onTrap(),
    };
    this.write(headerLine());
  }

  /** The power went, in the middle of a step or between two. */
  off(): void {
    this.happened({ what: "off" });
    this.isOn = false;
  }

  private happened(happening: Happening): void {
    if (this.isOn) this.write(formatLine(happening));
  }

  private onStep(event: CoreEvent, nowMs: number): void {
    if (event.kind === EventKind.BOOT) this.begin();
    if (!this.isOn) return;
    const payload = this.redactor.event(event);
    this.happened({ what: "event", nowMs, event: { ...event, payload } });
  }

  private begin(): void {
    this.isOn = true;
    this.redactor.begin();
    if (this.digest === this.writtenDigest) return;
    this.writtenDigest = this.digest;
    this.happened({ what: "module", digest: this.digest });
  }

  private onTrap(): void {
    this.happened({ what: "trap" });
    this.isOn = false;
  }

  private onCall(name: string, args: readonly CallArgument[], result: number): void {
    if (!this.isOn) return;
    const entry = importNamed(name)!;
    const shown = this.redacted(name, args, result);
    this.happened({ what: "call", entry, args: traceArguments(entry, shown, result), result });
  }

  /** The redactor sees a slice outside memory as one without bytes. */
  private redacted(
    name: string,
    args: readonly CallArgument[],
    result: number,
  ): readonly CallArgument[] {
    const seen = args.map((arg) => (isOutside(arg) ? NOTHING : arg));
    const shown = this.redactor.call(name, seen, result);
    return shown.map((arg, index) => outsideOr(args[index]!, arg));
  }
}

function outsideOr(
  arg: CallArgument,
  shown: number | Uint8Array,
): number | Uint8Array | OutsideSlice {
  return isOutside(arg) ? arg : shown;
}
