// The lines of a trace as values, and how they are written (docs/TRACES.md). What a call's arguments
// mean is said by the table of imports, so that a trace is typed by the same table as the boundary
// it was taken at. parser.ts reads them, writer.ts writes them, replay.ts compares them.

import {
  ABI_VERSION,
  type CallArgument,
  EventKind,
  IMPORTS,
  type ImportEntry,
  nameOf,
  type OutsideSlice,
} from "../abi.js";
import type { CoreEvent } from "../core.js";
import { encodeBytes } from "./bytes.js";

export const FORMAT_VERSION = 1;

/** A slice that the core wants filled, and what the host put in. */
export interface FilledSlice {
  readonly capacity: number;
  /** All of it, the first bytes of it, or none: see filledBytes(). */
  readonly bytes: Uint8Array;
}

/** A number, the bytes of a slice that is handed in, a slice that was filled, or one outside. */
export type TraceArgument = number | Uint8Array | FilledSlice | OutsideSlice;

export interface EventHappening {
  readonly what: "event";
  readonly nowMs: number;
  readonly event: CoreEvent;
}

export interface CallHappening {
  readonly what: "call";
  readonly entry: ImportEntry;
  readonly args: readonly TraceArgument[];
  readonly result: number;
}

export type Happening =
  | { readonly what: "comment"; readonly comment: string }
  | { readonly what: "module"; readonly digest: string }
  | EventHappening
  | CallHappening
  | { readonly what: "wait"; readonly waitMs: number }
  | { readonly what: "trap" }
  | { readonly what: "off" };

/** Where a line stands: its number from 1, and its text as it was read. */
export interface Place {
  readonly line: number;
  readonly text: string;
}

export type TraceLine = Happening & Place;
export type EventLine = EventHappening & Place;
export type CallLine = CallHappening & Place;
export type WaitLine = Extract<Happening, { what: "wait" }> & Place;
export type TrapLine = Extract<Happening, { what: "trap" }> & Place;

/** A trace that cannot be read or used; says where. */
export class TraceError extends Error {
  override readonly name = "TraceError";
  constructor(
    /** Number of the line, from 1; 0 when the whole is at fault. */
    readonly line: number,
    readonly problem: string,
  ) {
    super(line === 0 ? problem : `line ${line}: ${problem}`);
  }
}

const ENTRIES = new Map(IMPORTS.map((entry) => [entry.name, entry]));

/** Entry of an import in the table, or undefined. */
export function importNamed(name: string): ImportEntry | undefined {
  return ENTRIES.get(name);
}

export function isOutside(arg: CallArgument | TraceArgument): arg is OutsideSlice {
  return typeof arg === "object" && "pointer" in arg;
}

export function isFilled(arg: CallArgument | TraceArgument): arg is FilledSlice {
  return typeof arg === "object" && "capacity" in arg;
}

/** How many bytes of a slice of this capacity a host has filled that answered so. */
export function filledBytes(entry: ImportEntry, result: number, capacity: number): number {
  if (result < 0) return 0;
  return entry.result === "count" ? Math.min(result, capacity) : capacity;
}

/** The arguments that a hook saw, as the trace has them; views stay views. */
export function traceArguments(
  entry: ImportEntry,
  args: readonly CallArgument[],
  result: number,
): TraceArgument[] {
  const types = Object.values(entry.params);
  return args.map((arg, index) => {
    if (types[index] !== "out" || !(arg instanceof Uint8Array)) return arg;
    const bytes = arg.subarray(0, filledBytes(entry, result, arg.length));
    return { capacity: arg.length, bytes };
  });
}

// ---- values to text ----------------------------------------------------------------------------

function formatArgument(arg: TraceArgument): string {
  if (typeof arg === "number") return String(arg);
  if (arg instanceof Uint8Array) return encodeBytes(arg);
  if (isFilled(arg)) return `[${arg.capacity}]${encodeBytes(arg.bytes)}`;
  return `@${arg.pointer}+${arg.size}`;
}

/** A call up to its result, as in "< flash_erase 4096". */
export function formatCall(name: string, args: readonly TraceArgument[]): string {
  return ["<", name, ...args.map(formatArgument)].join(" ");
}

function formatEvent({ nowMs, event }: EventHappening): string {
  const { kind, a, b, payload } = event;
  const numbers = [nowMs >>> 0, nameOf(EventKind, kind), a | 0, b | 0];
  return `> ${numbers.join(" ")} ${encodeBytes(payload)}`;
}

/** The first line of every trace. */
export function headerLine(): string {
  return `# iot32 trace ${FORMAT_VERSION} abi ${ABI_VERSION}`;
}

/** A line without its LF. */
export function formatLine(happening: Happening): string {
  switch (happening.what) {
    case "comment":
      return `# ${happening.comment}`;
    case "module":
      return `~ module ${happening.digest}`;
    case "event":
      return formatEvent(happening);
    case "call":
      return `${formatCall(happening.entry.name, happening.args)} = ${happening.result}`;
    case "wait":
      return `= ${happening.waitMs}`;
    case "trap":
      return "!";
    case "off":
      return "~ off";
  }
}
