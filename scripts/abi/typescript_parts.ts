// The parts of host-node/src/abi.ts that do not depend on the table: lookups of names, the types of
// the table as data, and the bounds check and call hook that every binding goes through. Kept as
// lines, so that the generator in typescript.ts joins them with what it makes from the table.

export const NAME_FUNCTIONS: readonly string[] = `
/** The sentence that explains a status to a person. */
export function statusText(status: number): string {
  return STATUS_TEXTS[status] ?? \`unknown status \${status}\`;
}

/** Name of a value, as in nameOf(Status, -2) is "BUSY"; the number itself when it has none. */
export function nameOf(values: Readonly<Record<string, number>>, value: number): string {
  for (const name in values) if (values[name] === value) return name;
  return String(value);
}`.split("\n");

export const TABLE_TYPES: readonly string[] = `
/** "in" and "out" are slices of linear memory: two wire values, pointer and size. */
export type ParamType = "i32" | "u32" | "in" | "out";

export interface ImportEntry {
  readonly name: string;
  readonly params: Readonly<Record<string, ParamType>>;
  readonly result: "status" | "count" | "token";
}

export interface ExportEntry {
  readonly name: string;
  readonly params: Readonly<Record<string, ParamType>>;
  readonly result: "i32" | "ptr";
}

/** Number of wire values of an entry; each is an i32, and so is the result. */
export function wireArity(entry: ImportEntry | ExportEntry): number {
  const types = Object.values(entry.params);
  return types.length + types.filter((type) => type === "in" || type === "out").length;
}`.split("\n");

export const BINDER_HELPERS: readonly string[] = `
/** What the binder needs of a WebAssembly.Memory. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
}

/** A slice that does not lie wholly in memory; both are unsigned. */
export interface OutsideSlice {
  readonly pointer: number;
  readonly size: number;
}

/** What a call was made with, as its hook sees it. */
export type CallArgument = number | Uint8Array | OutsideSlice;

/**
 * Sees every call after it was answered, for traces. Slices are views that die with the call: copy
 * what is kept. With an OutsideSlice among the arguments the call was refused.
 */
export type CallHook = (name: string, args: readonly CallArgument[], result: number) => void;

export type HostImports = Record<string, (...args: number[]) => number>;

/** The slice as a view, or null when a byte of it lies outside memory; doubles do not wrap. */
function sliceOf(memory: WasmMemory, pointer: number, size: number): Uint8Array | null {
  const start = pointer >>> 0;
  const length = size >>> 0;
  const { buffer } = memory;
  if (start + length > buffer.byteLength) return null;
  return new Uint8Array(buffer, start, length);
}

/**
 * The import object of a module. Every slice is checked before a port sees it: one that does not
 * lie wholly in memory is answered with INVALID_ARGUMENT, and the port is not called. Views are
 * of live memory and end with the call. An exception of a port passes through the module.
 */
export function bindImports(
  ports: Ports,
  memory: () => WasmMemory,
  onCall?: CallHook,
): { host: HostImports } {
  const slice = (pointer: number, size: number) => sliceOf(memory(), pointer, size);
  const finished: (...call: Parameters<CallHook>) => number = (name, args, result) => {
    if ((result | 0) !== result) throw new TypeError(\`\${name} returned \${result}, not an i32\`);
    onCall?.(name, args, result);
    return result;
  };
  const outside = (pointer: number, size: number): OutsideSlice => {
    return { pointer: pointer >>> 0, size: size >>> 0 };
  };
  const refused = (name: string, args: readonly CallArgument[]) => {
    return finished(name, args, Status.INVALID_ARGUMENT);
  };`.split("\n");
