// Compares a built module with the table: a build that calls something the hosts do not have, or
// hides something they need, fails on the desk and not on the chip. Signatures are compared too,
// because wasm3 and V8 differ in when they notice. Called by the build and by the tests.

import {
  EXPORTS,
  type ExportEntry,
  IMPORT_MODULE,
  IMPORTS,
  type ImportEntry,
  wireArity,
} from "../../host-node/src/abi.js";
import { type FunctionType, functionType, readWasm, type WasmModule } from "../wasm/sections.js";

const MEMORY_EXPORT = "memory";

function signatureOf(type: FunctionType | undefined): string {
  return type === undefined
    ? "no type"
    : `(${type.params.join(", ")}) -> (${type.results.join(", ")})`;
}

function expectedSignature(entry: ImportEntry | ExportEntry): string {
  return signatureOf({ params: Array(wireArity(entry)).fill("i32"), results: ["i32"] });
}

function checkImports(module: WasmModule): string[] {
  return module.imports.flatMap((item) => {
    const name = `import ${item.module}.${item.name}`;
    const entry = IMPORTS.find((candidate) => candidate.name === item.name);
    if (item.kind !== "function") return [`${name} is a ${item.kind}; only functions are imported`];
    if (item.module !== IMPORT_MODULE || entry === undefined)
      return [`${name} is not in the table`];
    const found = signatureOf(module.types[item.typeIndex]);
    const expected = expectedSignature(entry);
    return found === expected ? [] : [`${name} is ${found}, the table says ${expected}`];
  });
}

function checkExports(module: WasmModule): string[] {
  return module.exports.flatMap((item) => {
    const name = `export ${item.name}`;
    const entry = EXPORTS.find((candidate) => candidate.name === item.name);
    const expectedKind = item.name === MEMORY_EXPORT ? "memory" : "function";
    if (entry === undefined && item.name !== MEMORY_EXPORT) return [`${name} is not in the table`];
    if (item.kind !== expectedKind) return [`${name} is a ${item.kind}, not a ${expectedKind}`];
    if (entry === undefined) return [];
    const found = signatureOf(functionType(module, item.index));
    const expected = expectedSignature(entry);
    return found === expected ? [] : [`${name} is ${found}, the table says ${expected}`];
  });
}

/** What differs between a module and the table, one sentence each; empty when nothing does. */
export function checkModule(wasm: Uint8Array): string[] {
  let module: WasmModule;
  try {
    module = readWasm(wasm);
  } catch (error) {
    return [(error as Error).message];
  }
  const required = [...EXPORTS.map((entry) => entry.name), MEMORY_EXPORT];
  const missing = required.filter((name) => !module.exports.some((item) => item.name === name));
  return [
    ...checkImports(module),
    ...checkExports(module),
    ...missing.map((name) => `export ${name} is missing`),
  ];
}
