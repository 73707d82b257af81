// Runs the events of a trace through a module again, in V8. The trace answers each call in place of
// a host; what the module does is compared with what the trace says: every call with its arguments,
// what dispatch returned, every trap. Stops at the first difference. Used by `iot32 replay` and by
// tests; knows no files.

import { type CallArgument, IMPORTS, type ImportEntry, type Ports } from "../abi.js";
import { Core, CoreTrap, compileCore, PowerOff } from "../core.js";
import {
  type CallLine,
  formatCall,
  formatLine,
  importNamed,
  isFilled,
  isOutside,
  type Place,
  type TraceArgument,
  TraceError,
  type TraceLine,
  traceArguments,
} from "./lines.js";
import { livesOf, type Step } from "./lives.js";
import { TraceRedactor } from "./redact.js";
import type { Redactor } from "./redactor.js";
import { isSameWrite, ReplayFlash } from "./replay_flash.js";
import { type MachineState, machineStates, ToldStates } from "./states.js";

/** The module of lives with this digest, which is null where the trace has none. May throw. */
export type ModuleSource = (digest: string | null) => Uint8Array;

export interface ReplayOptions {
  /** Stops after this line of the trace, in the middle of a step if it is in one. */
  readonly until?: number;
  /** Lines of the trace before a difference that the result has; 8 by default. */
  readonly before?: number;
}

export interface ReplayDifference {
  /** Number of the line, from 1. */
  readonly line: number;
  /** That line. */
  readonly trace: string;
  /** What the module did instead, written like a line; a call without its result. */
  readonly module: string;
  /** The lines of the trace before it. */
  readonly before: readonly Place[];
}

export interface ReplayResult {
  /** Lives, steps and calls that were replayed; the step with the difference counts. */
  readonly lives: number;
  readonly steps: number;
  readonly calls: number;
  /** The last line that was looked at. */
  readonly line: number;
  readonly difference: ReplayDifference | null;
  /** In which states the device of the trace was then, and the module, as far as they told. */
  readonly states: {
    readonly trace: readonly MachineState[];
    readonly module: readonly MachineState[];
    /** Of the module's machines; none unless it can be asked (states.ts, watchStates). */
    readonly machines: readonly MachineState[];
  };
}

const BEFORE_LINES = 8;

/** Thrown through the module where it does something else. */
class Difference extends Error {
  constructor(
    readonly place: Place,
    readonly module: string,
  ) {
    super(`line ${place.line}`);
  }
}

/** Ports that hand every call to one function; an import is called by its name in the table. */
export function portsOf(
  answer: (entry: ImportEntry, args: (number | Uint8Array)[]) => number,
): Ports {
  const ports: Record<string, Record<string, (...args: (number | Uint8Array)[]) => number>> = {};
  for (const entry of IMPORTS) {
    const [capability, ...words] = entry.name.split("_") as [string, ...string[]];
    const method = words.join("_").replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    ports[capability] ??= {};
    ports[capability][method] = (...args) => answer(entry, args);
  }
  return ports as unknown as Ports;
}

const areEqual = (some: Uint8Array, others: Uint8Array): boolean =>
  Buffer.compare(some, others) === 0;

/** Whether the core's argument is the one of the trace. */
function isSame(shown: TraceArgument, made: TraceArgument): boolean {
  if (typeof shown === "number" || typeof made === "number") return shown === made;
  if (shown instanceof Uint8Array) return made instanceof Uint8Array && areEqual(shown, made);
  if (isFilled(shown)) return isFilled(made) && shown.capacity === made.capacity;
  return isOutside(made) && shown.pointer === made.pointer && shown.size === made.size;
}

function isSameCall(shown: CallLine, entry: ImportEntry, made: readonly TraceArgument[]): boolean {
  if (shown.entry !== entry) return false;
  return shown.args.every((arg, index) => {
    const [other, offset] = [made[index]!, made[0]];
    const isWrite = entry.name === "flash_write" && typeof offset === "number";
    if (isWrite && arg instanceof Uint8Array && other instanceof Uint8Array) {
      return isSameWrite(arg, other, offset);
    }
    return isSame(arg, other);
  });
}

class Replay {
  lives = 0;
  steps = 0;
  calls = 0;
  /** The line that was looked at last. */
  line = 0;
  readonly traceStates = new ToldStates();
  readonly moduleStates = new ToldStates();
  private readonly flash: ReplayFlash;
  /** The document of this life, as far as the trace shows it. */
  private document: Uint8Array = new Uint8Array();
  private readonly redactor: Redactor = new TraceRedactor({
    flash: (offset, bytes) => this.flash.read(offset, bytes),
    config: (offset, bytes) => {
      const part = this.document.subarray(offset, offset + bytes.length);
      bytes.set(part);
      return part.length;
    },
    // What the host fills is not compared.
    packet: () => 0,
  });
  private core: Core | null = null;
  private step: Step | null = null;
  /** Calls of this step that have been made. */
  private made = 0;

  /** `lines`: the whole trace, whatever of it is replayed. */
  constructor(lines: readonly TraceLine[]) {
    this.flash = new ReplayFlash(lines);
  }

  begin(module: Uint8Array, steps: readonly Step[]): void {
    this.lives++;
    this.document = documentOf(steps);
    this.redactor.begin();
    this.traceStates.begin();
    this.moduleStates.begin();
    const ports = portsOf((entry, args) => this.answer(entry, args));
    this.core = new Core(compileCore(module), ports, {
      onCall: (name, args, result) => this.sawCall(name, args, result),
    });
  }

  /** One step. Throws Difference. */
  run(step: Step): void {
    this.step = step;
    this.made = 0;
    this.steps++;
    this.line = step.event.line;
    this.redactor.event(step.event.event);
    const outcome = this.dispatch(step);
    if (outcome === null) return;
    const next = step.calls[this.made] ?? step.end;
    if (next === null) return;
    this.line = next.line;
    if (next.what === "call" || formatLine(next) !== outcome.replace(/^! .*/s, "!")) {
      throw new Difference(next, outcome);
    }
  }

  /** How the module ended the step, written like a line; null when the trace ended before it. */
  private dispatch({ event: { event, nowMs } }: Step): string | null {
    try {
      return formatLine({ what: "wait", waitMs: this.core!.dispatch(event, nowMs) });
    } catch (error) {
      if (error instanceof PowerOff) return null;
      if (!(error instanceof CoreTrap)) throw error;
      return `! ${error.message}`;
    }
  }

  /** The call of the trace that this one has to be. */
  private expected(entry: ImportEntry, made: readonly TraceArgument[]): CallLine {
    const { calls, end } = this.step!;
    const shown = calls[this.made];
    if (shown === undefined && end === null) throw new PowerOff("the trace ends here");
    this.line = (shown ?? end)!.line;
    this.tell(this.moduleStates, entry, made);
    if (shown !== undefined) this.tell(this.traceStates, shown.entry, shown.args);
    if (shown === undefined || !this.isSame(shown, entry, made)) {
      throw new Difference((shown ?? end)!, callText(entry, made));
    }
    this.made++;
    this.calls++;
    return shown;
  }

  /**
   * Whether the core makes the call of the trace: as it is, or as a trace shows it. What stands for
   * a secret may have another form behind the core's parser: of a password with an escaped quote
   * the document shows p\"p, and wifi_join ppp.
   */
  private isSame(shown: CallLine, entry: ImportEntry, made: readonly TraceArgument[]): boolean {
    const args = made.filter((arg) => typeof arg === "number" || arg instanceof Uint8Array);
    if (args.length < made.length) return isSameCall(shown, entry, made);
    // Also where the call is the same: the redactor follows texts from call to call.
    const redacted = this.redactor.call(entry.name, args, shown.result);
    return isSameCall(shown, entry, made) || isSameCall(shown, entry, redacted);
  }

  private tell(states: ToldStates, { name }: ImportEntry, args: readonly TraceArgument[]): void {
    const [event, value, text] = args;
    if (name !== "log_event" || !(text instanceof Uint8Array)) return;
    states.tell(event as number, value as number, text);
  }

  private answer(entry: ImportEntry, args: readonly (number | Uint8Array)[]): number {
    const made = traceArguments(entry, args, 0);
    const shown = this.expected(entry, made);
    for (const [index, arg] of shown.args.entries()) {
      const place = args[index];
      if (isFilled(arg) && place instanceof Uint8Array) place.set(this.filling(shown, arg.bytes));
    }
    this.followFlash(shown, args);
    return shown.result;
  }

  private filling(
    { entry, args: [offset], line, result }: CallLine,
    bytes: Uint8Array,
  ): Uint8Array {
    if (entry.name !== "flash_read" || result < 0) return bytes;
    return this.flash.answer(line, offset as number, bytes);
  }

  private followFlash(shown: CallLine, args: readonly (number | Uint8Array)[]): void {
    const { entry, result } = shown;
    if (result < 0) return;
    const [offset, made] = args as [number, Uint8Array];
    if (entry.name === "flash_write") {
      this.flash.written(offset, shown.args[1] as Uint8Array, made);
    }
    if (entry.name === "flash_erase") this.flash.erased(offset);
  }

  /** A call with a slice outside memory never comes to a port: the binder refuses it. */
  private sawCall(name: string, args: readonly CallArgument[], result: number): void {
    if (!args.some(isOutside)) return;
    const entry = importNamed(name)!;
    const shown = this.expected(entry, traceArguments(entry, args, result));
    if (shown.result !== result) {
      throw new Difference(shown, formatLine({ what: "call", entry, args: shown.args, result }));
    }
  }

  /** To be asked when no step is under way, or one was broken off. */
  states(): ReplayResult["states"] {
    const machines = machineStates(this.core!);
    return { trace: this.traceStates.list(), module: this.moduleStates.list(), machines };
  }
}

/** The document that these steps read, from its begin up to where it was read without a gap. */
function documentOf(steps: readonly Step[]): Uint8Array {
  const parts = new Map<number, Uint8Array>();
  for (const { entry, args } of steps.flatMap(({ calls }) => calls)) {
    const [offset, part] = args;
    if (entry.name !== "sys_config_read" || typeof offset !== "number") continue;
    if (part !== undefined && isFilled(part) && part.bytes.length > 0)
      parts.set(offset, part.bytes);
  }
  const document: Uint8Array[] = [];
  for (let at = 0, part = parts.get(0); part !== undefined; part = parts.get(at)) {
    document.push(part);
    at += part.length;
  }
  return Buffer.concat(document);
}

/** A call of the module: what it wants filled has not been filled yet. */
function callText({ name }: ImportEntry, made: readonly TraceArgument[]): string {
  const args = made.map((arg) => (isFilled(arg) ? { ...arg, bytes: new Uint8Array() } : arg));
  return formatCall(name, args);
}

/** Runs the lives of these lines; the first difference, or null. */
function firstDifference(
  replay: Replay,
  lines: readonly TraceLine[],
  modules: ModuleSource,
): Difference | null {
  try {
    for (const life of livesOf(lines)) {
      replay.begin(modules(life.digest), life.steps);
      for (const step of life.steps) replay.run(step);
    }
    return null;
  } catch (error) {
    if (error instanceof Difference) return error;
    throw error;
  }
}

function placesBefore(lines: readonly TraceLine[], end: number, count: number): Place[] {
  const before = lines.filter(({ line }) => line < end);
  return before.slice(Math.max(0, before.length - count)).map(({ line, text }) => ({ line, text }));
}

/**
 * Replays a trace. Throws TraceError when its lines do not follow one another, and when there is
 * no step in it: a replay that ran nothing has shown nothing. Throws CoreError for a module that
 * does not fit this host.
 */
export function replayTrace(
  lines: readonly TraceLine[],
  modules: ModuleSource,
  { until = Number.POSITIVE_INFINITY, before = BEFORE_LINES }: ReplayOptions = {},
): ReplayResult {
  const replay = new Replay(lines);
  const wanted = lines.filter(({ line }) => line <= until);
  const found = firstDifference(replay, wanted, modules);
  if (replay.steps === 0) throw new TraceError(0, "there is no step in this trace");
  const difference = found && {
    line: found.place.line,
    trace: found.place.text,
    module: found.module,
    before: placesBefore(lines, found.place.line, before),
  };
  const { lives, steps, calls, line } = replay;
  return { lives, steps, calls, line, difference, states: replay.states() };
}
