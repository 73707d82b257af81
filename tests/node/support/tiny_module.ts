// Modules of some bytes, assembled by hand, that keep to the table of the ABI or break it in one
// way: what a compiler would not make, and what a host must survive.

import { ABI_VERSION } from "../../../host-node/src/abi.js";

const I32 = 0x7f;
const FUNCTION_FORM = 0x60;

/** WebAssembly instructions, as far as the tests need them. */
export const Op = {
  UNREACHABLE: 0x00,
  LOOP: 0x03,
  BLOCK: 0x02,
  IF: 0x04,
  END: 0x0b,
  BR: 0x0c,
  BR_IF: 0x0d,
  CALL: 0x10,
  DROP: 0x1a,
  LOCAL_GET: 0x20,
  I32_LOAD: 0x28,
  MEMORY_SIZE: 0x3f,
  MEMORY_GROW: 0x40,
  I32_CONST: 0x41,
  I32_EQ: 0x46,
  I32_ADD: 0x6a,
} as const;

const VOID = 0x40;

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  const low = value & 0x7f;
  const rest = value >> 7;
  const isLast = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
  return isLast ? [low] : [low | 0x80, ...signed(rest)];
}

const vector = (items: readonly (readonly number[])[]): number[] => [
  ...unsigned(items.length),
  ...items.flat(),
];
const text = (value: string): number[] => [...unsigned(value.length), ...Buffer.from(value)];
const section = (id: number, body: readonly number[]): number[] => [
  id,
  ...unsigned(body.length),
  ...body,
];
const i32s = (count: number): number[] => vector(Array.from({ length: count }, () => [I32]));

/** i32.const */
export const constant = (value: number): number[] => [Op.I32_CONST, ...signed(value | 0)];
/** Calls import number `index` with constants, and drops what it gives. */
export const callWith = (index: number, ...args: readonly number[]): number[] => [
  ...args.flatMap(constant),
  ...[Op.CALL, index, Op.DROP],
];
/** Runs the code when dispatch is called for this kind of event. */
export const onKind = (kind: number, code: readonly number[]): number[] => [
  ...[Op.LOCAL_GET, 0, ...constant(kind), Op.I32_EQ, Op.IF, VOID],
  ...[...code, Op.END],
];
/** An endless loop; `code` may leave it by br 1. */
export const forEver = (code: readonly number[]): number[] => [
  ...[Op.BLOCK, VOID, Op.LOOP, VOID, ...code, Op.BR, 0],
  ...[Op.END, Op.END],
];

export interface TinyModule {
  /** Imports of the module host: name and number of parameters. */
  readonly imports?: readonly (readonly [string, number])[];
  /** Body of dispatch, without the result: -1 is put behind it, unless it gives one itself. */
  readonly dispatch?: readonly number[];
  /** The body of dispatch puts its result on the stack. */
  readonly givesWait?: boolean;
  /** Body of a function that dispatch may call, by helperIndex: for what is compiled later. */
  readonly helper?: readonly number[];
  /** Body of the start function. */
  readonly start?: readonly number[];
  readonly abiVersion?: number;
  readonly inbox?: number;
  readonly pages?: number;
  /** Address of a data segment of one byte. */
  readonly dataAt?: number;
  /** Exports to leave out. */
  readonly without?: readonly string[];
  readonly tag?: string;
}

/** Number of dispatch in a module with so many imports: for calls of itself. */
export const dispatchIndex = (imports: number): number => imports + 2;

/** Number of the helper in a module with so many imports, and without a start function. */
export const helperIndex = (imports: number): number => imports + 3;

export function tinyModule(options: TinyModule = {}): Uint8Array {
  const {
    imports = [],
    dispatch = [],
    abiVersion = ABI_VERSION,
    inbox = 64,
    without = [],
  } = options;
  const types = [
    [FUNCTION_FORM, ...i32s(0), ...i32s(1)],
    [FUNCTION_FORM, ...i32s(5), ...i32s(1)],
    [FUNCTION_FORM, ...i32s(0), ...i32s(0)],
    ...imports.map(([, params]) => [FUNCTION_FORM, ...i32s(params), ...i32s(1)]),
  ];
  const body = (code: readonly number[]): number[] => {
    const bytes = [0, ...code, Op.END];
    return [...unsigned(bytes.length), ...bytes];
  };
  const wait = options.givesWait === true ? [] : constant(-1);
  const bodies = [body(constant(abiVersion)), body(constant(inbox)), body([...dispatch, ...wait])];
  const more = [options.start, options.helper].filter((code) => code !== undefined);
  bodies.push(...more.map(body));
  const exported = ["abi_version", "inbox", "dispatch"].map((name, index) => ({
    name,
    entry: [...text(name), 0, ...unsigned(imports.length + index)],
  }));
  exported.push({ name: "memory", entry: [...text("memory"), 2, 0] });
  const exports = exported.filter(({ name }) => !without.includes(name));
  const startIndex = unsigned(imports.length + 3);
  const data = [0, ...constant(options.dataAt ?? 0), Op.END, 1, 0xaa];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector(imports.map(([name], i) => [...text("host"), ...text(name), 0, 3 + i]))),
    ...section(3, vector([[0], [0], [1], ...more.map(() => [2])])),
    ...section(5, vector([[0, ...unsigned(options.pages ?? 1)]])),
    ...section(7, vector(exports.map(({ entry }) => entry))),
    ...(options.start === undefined ? [] : section(8, startIndex)),
    ...section(10, vector(bodies)),
    ...(options.dataAt === undefined ? [] : section(11, vector([data]))),
    ...section(0, [...text("tag"), ...text(options.tag ?? "")]),
  ]);
}
