// Snapshots of a core: all that tells one moment of a module's life from another, as plain data.
// That is its linear memory and its mutable globals, which a release module keeps to itself; so it
// is rewritten to export them (snapshotable), and its code stays what it is. The compiler makes no
// other state: no table is written, no data segment dropped. Core.snapshot and Core.restore use it.

import { exportGlobals, Reader, readImports, readSections, WasmFormatError } from "./wasm_link.js";

/** A module between two steps. Nobody changes it: it may be restored any number of times. */
export interface CoreSnapshot {
  /** All of linear memory. */
  readonly memory: Uint8Array;
  /**
   * The mutable globals by their numbers: bigint where a module has an i64, else a number, which is
   * exact for i32, f32 and f64 but for the payload of a NaN.
   */
  readonly globals: readonly (number | bigint)[];
}

const GLOBAL_SECTION = 6;
const IMPORTED_GLOBAL = 3;
const MUTABLE = 1;
const RESERVED = "snapshot of global ";

const NUMBER_TYPES: readonly number[] = [0x7f, 0x7e, 0x7d, 0x7c];
const Opcode = {
  END: 0x0b,
  GLOBAL_GET: 0x23,
  I32_CONST: 0x41,
  I64_CONST: 0x42,
  F32_CONST: 0x43,
  F64_CONST: 0x44,
} as const;
const FLOAT_BYTES: Readonly<Record<number, number>> = {
  [Opcode.F32_CONST]: 4,
  [Opcode.F64_CONST]: 8,
};
const LEB_OPCODES: readonly number[] = [Opcode.GLOBAL_GET, Opcode.I32_CONST, Opcode.I64_CONST];

/** Over the expression that gives a global its first value. */
function skipInitializer(reader: Reader): void {
  for (let opcode = reader.byte(); opcode !== Opcode.END; opcode = reader.byte()) {
    const floatBytes = FLOAT_BYTES[opcode];
    if (floatBytes !== undefined) reader.take(floatBytes);
    else if (LEB_OPCODES.includes(opcode)) while (reader.byte() >= 0x80) {}
    else throw new WasmFormatError(`a global begins with the instruction ${opcode}`);
  }
}

/**
 * Numbers of the mutable globals of a module, in the order of CoreSnapshot.globals; those that it
 * imports are counted and left out.
 */
export function mutableGlobals(wasm: Uint8Array): number[] {
  const sections = readSections(wasm);
  const body = sections.find(({ id }) => id === GLOBAL_SECTION)?.body;
  if (body === undefined) return [];
  const reader = new Reader(body);
  const first = readImports(sections).filter(({ kind }) => kind === IMPORTED_GLOBAL).length;
  const indices = Array.from({ length: reader.u32() }, (_, index) => first + index);
  return indices.filter((index) => {
    const type = reader.byte();
    const isMutable = reader.byte() === MUTABLE;
    skipInitializer(reader);
    if (isMutable && !NUMBER_TYPES.includes(type)) {
      throw new WasmFormatError(`global ${index} of type ${type} cannot be copied`);
    }
    return isMutable;
  });
}

/**
 * The same module, whose cores can be asked for snapshots; names are not needed, and watchStates
 * (trace/states.ts) may come before or after. To be done once: what was done is refused by
 * compileCore the second time. Throws WasmFormatError for a module that has other state than
 * numbers, or none: every module of this project has its memory manager's.
 */
export function snapshotable(wasm: Uint8Array): Uint8Array<ArrayBuffer> {
  const indices = mutableGlobals(wasm);
  if (indices.length === 0) throw new WasmFormatError("the module has no mutable global");
  return exportGlobals(wasm, new Map(indices.map((index) => [`${RESERVED}${index}`, index])));
}

/** The globals of an instance in their order; none without snapshotable. */
export function exportedGlobals(exports: WebAssembly.Exports): WebAssembly.Global[] {
  return Object.entries(exports).flatMap(([name, value]) =>
    name.startsWith(RESERVED) && value instanceof WebAssembly.Global ? [value] : [],
  );
}
