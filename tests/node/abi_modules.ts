// Modules for the tests of the ABI. One is assembled byte by byte, so that it can be wrong in ways
// a compiler would not allow; the other, the exerciser, is compiled from the generated declarations
// and makes any import with any wire values: dispatch(n) calls import n with the i32 values that
// lie in the inbox. The list of hostile slices is shared by the Node and the wasm3 tests.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { IMPORTS, type ImportEntry, wireArity } from "../../host-node/src/abi.js";

/** Tests run from the top of the repository. */
export const ROOT = process.cwd();

export interface AssembledImport {
  readonly module: string;
  readonly name: string;
  readonly params: number;
  /** 0 is a function, 3 a global. */
  readonly kind?: number;
}

export interface AssembledFunction {
  readonly name: string;
  readonly params: number;
  /** Value type of the result; i32 when not given. */
  readonly result?: number;
}

const I32 = 0x7f;

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...leb(items.length), ...items.flat()];
}

function text(value: string): number[] {
  const bytes = [...Buffer.from(value)];
  return [...leb(bytes.length), ...bytes];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

function typeOf(params: number, result: number): number[] {
  return [0x60, ...vector(Array.from({ length: params }, () => [I32])), ...vector([[result]])];
}

/** A module with these imports, functions that return 0, and a memory, all of them exported. */
export function assemble(
  imports: readonly AssembledImport[],
  functions: readonly AssembledFunction[],
  memoryName = "memory",
): Uint8Array {
  const types = [
    ...imports.map((item) => typeOf(item.params, I32)),
    ...functions.map((item) => typeOf(item.params, item.result ?? I32)),
  ];
  const importEntries = imports.map((item, index) => {
    const description = (item.kind ?? 0) === 0 ? [0, ...leb(index)] : [3, I32, 0];
    return [...text(item.module), ...text(item.name), ...description];
  });
  const imported = imports.filter((item) => (item.kind ?? 0) === 0).length;
  const exports = functions.map((item, index) => [...text(item.name), 0, ...leb(imported + index)]);
  const bodies = functions.map((item) => {
    const code = [0, item.result === 0x7e ? 0x42 : 0x41, 0, 0x0b];
    return [...leb(code.length), ...code];
  });
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector(importEntries)),
    ...section(3, vector(functions.map((_, index) => leb(imports.length + index)))),
    ...section(5, vector([[0, 1]])),
    ...section(7, vector([...exports, [...text(memoryName), 2, 0]])),
    ...section(10, vector(bodies)),
  ]);
}

export const GOOD_IMPORTS: readonly AssembledImport[] = [
  { module: "host", name: "flash_write", params: 3 },
  { module: "host", name: "sys_restart", params: 1 },
];
export const GOOD_FUNCTIONS: readonly AssembledFunction[] = [
  { name: "abi_version", params: 0 },
  { name: "inbox", params: 0 },
  { name: "dispatch", params: 5 },
];

const without = (name: string) => GOOD_FUNCTIONS.filter((item) => item.name !== name);

/** Modules and what a check must say about each; null when it is good. */
export const CHECK_CASES: readonly (readonly [string, Uint8Array, RegExp | null])[] = [
  ["good", assemble(GOOD_IMPORTS, GOOD_FUNCTIONS), null],
  ["without imports", assemble([], GOOD_FUNCTIONS), null],
  [
    "with an unlisted import",
    assemble(
      [...GOOD_IMPORTS, { module: "host", name: "flash_format", params: 1 }],
      GOOD_FUNCTIONS,
    ),
    /flash_format is not in the table/,
  ],
  [
    "with an import of another module",
    assemble([{ module: "env", name: "flash_size", params: 0 }], GOOD_FUNCTIONS),
    /flash_size is not in the table/,
  ],
  [
    "with an imported global",
    assemble([{ module: "host", name: "flash_size", params: 0, kind: 3 }], GOOD_FUNCTIONS),
    /flash_size is (a global|not a function)/,
  ],
  [
    "with a wrong import signature",
    assemble(
      [GOOD_IMPORTS[1]!, { module: "host", name: "flash_erase", params: 2 }],
      GOOD_FUNCTIONS,
    ),
    /flash_erase (is \(i32, i32\) -> \(i32\), the table says \(i32\)|has another signature)/,
  ],
  ["without dispatch", assemble(GOOD_IMPORTS, without("dispatch")), /dispatch is missing/],
  [
    "without memory",
    assemble(GOOD_IMPORTS, GOOD_FUNCTIONS, "dispatch2"),
    /export dispatch2 is not in the table/,
  ],
  [
    "with a memory named like a function",
    assemble(GOOD_IMPORTS, without("inbox"), "inbox"),
    /inbox is (a memory, not a function|not a function)/,
  ],
  [
    "with a function named memory",
    assemble([], [...without("inbox"), { name: "memory", params: 0 }], "inbox"),
    /memory is (a function, )?not a memory/,
  ],
  [
    "with an extra export",
    assemble([], [...GOOD_FUNCTIONS, { name: "__collect", params: 0 }]),
    /__collect is not in the table/,
  ],
  [
    "with a wrong export signature",
    assemble(GOOD_IMPORTS, [...without("inbox"), { name: "inbox", params: 1 }]),
    /inbox (is \(i32\) -> \(i32\), the table says \(\)|has another signature)/,
  ],
  [
    "with a wrong result type",
    assemble([], [...without("abi_version"), { name: "abi_version", params: 0, result: 0x7e }]),
    /abi_version (is \(\) -> \(i64\), the table says|has another signature)/,
  ],
];

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function exerciserSource(hostPath: string): string {
  const cases = IMPORTS.map((entry, index) => {
    const args = Array.from({ length: wireArity(entry) }, (_, i) => `load<u32>(INBOX + ${4 * i})`);
    return `    case ${index}: return host.${camelCase(entry.name)}(${args.join(", ")});`;
  });
  return `import * as host from "${hostPath}";
const INBOX: usize = memory.data(host.INBOX_BYTES, 8);
export function abi_version(): i32 { return host.ABI_VERSION; }
export function inbox(): usize { return INBOX; }
export function dispatch(kind: i32, nowMs: u32, a: i32, b: i32, size: u32): i32 {
  switch (kind) {
${cases.join("\n")}
  }
  return unreachable();
}
`;
}

const compiled = new Map<string, Uint8Array>();

/** The exerciser, compiled once per process from assembly/abi/host.ts as it stands. */
export function exerciser(mode: "-Oz" | "--debug" = "-Oz"): Uint8Array {
  const wasm = compiled.get(mode) ?? compileExerciser(mode);
  compiled.set(mode, wasm);
  return wasm;
}

function compileExerciser(mode: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "abi-exerciser-"));
  try {
    const source = join(folder, "exerciser.ts");
    writeFileSync(source, exerciserSource(relative(folder, resolve(ROOT, "assembly/abi/host"))));
    const compiler = resolve(ROOT, "node_modules/assemblyscript/bin/asc.js");
    const output = join(folder, "exerciser.wasm");
    const options = ["--baseDir", "/", "--runtime", "stub", "--outFile", output, mode];
    execFileSync(process.execPath, [compiler, source, ...options], { stdio: "pipe" });
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One page: what the exerciser has. */
export const MEMORY_BYTES = 65536;

const PAGE = MEMORY_BYTES;
const TOP = 0xffffffff;

/** Pointer, size, and whether the slice lies in memory. */
export const SLICES: readonly (readonly [number, number, boolean])[] = [
  [0, 0, true],
  [0, 1, true],
  [PAGE - 1, 1, true],
  [PAGE, 0, true],
  [0, PAGE, true],
  [1, PAGE - 1, true],
  [PAGE, 1, false],
  [PAGE + 1, 0, false],
  [PAGE - 1, 2, false],
  [1, PAGE, false],
  [0, PAGE + 1, false],
  [TOP, 0, false],
  [TOP, 1, false],
  [TOP, 2, false],
  [1, TOP, false],
  [0, TOP, false],
  [PAGE, TOP, false],
  [0x80000000, 0, false],
  [0x80000000, 0x80000000, false],
  [0x7fffffff, 0x80000001, false],
];

/** Numbers that show whether a sign or a bit is lost on the way. */
const NUMBERS: readonly number[] = [0, 1, 0x7fffffff, 0x80000000, TOP];

export interface WireCase {
  readonly call: number;
  readonly wire: readonly number[];
}

/** Wire values of one import, with the slice number `varied` replaced by each hostile one. */
function variations(entry: ImportEntry, call: number, varied: number): WireCase[] {
  const kinds = Object.values(entry.params);
  const choices = kinds[varied] === "in" || kinds[varied] === "out" ? SLICES : NUMBERS;
  return choices.map((choice) => {
    const wire = kinds.flatMap((kind, index) => {
      if (index === varied) return typeof choice === "number" ? [choice] : choice.slice(0, 2);
      return kind === "in" || kind === "out" ? [1024 * (index + 1), 16] : [1000 + index];
    });
    return { call, wire: wire as number[] };
  });
}

/** Every import with every hostile value in each of its parameters, one at a time. */
export function wireCases(): WireCase[] {
  return IMPORTS.flatMap((entry, call) => {
    const count = Object.keys(entry.params).length;
    if (count === 0) return [{ call, wire: [] }];
    return Array.from({ length: count }, (_, index) => variations(entry, call, index)).flat();
  });
}

/** FNV-1a, 32 bits: enough to see that both hosts were given the same bytes. */
export function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** The ports of both hosts fill an out slice with this. */
export function pattern(index: number): number {
  return (index * 7 + 1) & 0xff;
}
