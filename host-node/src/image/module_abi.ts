// The ABI version that a module was built with, asked from the module itself. Called before a
// module is packed; a device reads the version from the module descriptor instead, and of a module
// alone from the mark in its first bytes.

import { IMPORT_MODULE, IMPORTS } from "../abi.js";
import { compileCore } from "../core.js";
import { ImageError } from "./image_error.js";

/** Imports that answer "refused" to whatever top-level code of an application may ask. */
const REFUSED = -1;

/** Throws ImageError when the bytes are no module of iot32. */
export function moduleAbiVersion(wasm: Uint8Array): number {
  const fail = (why: string): never => {
    throw new ImageError("not-a-module", 0, why);
  };
  try {
    const imports = Object.fromEntries(IMPORTS.map(({ name }) => [name, () => REFUSED]));
    const instance = new WebAssembly.Instance(compileCore(wasm), { [IMPORT_MODULE]: imports });
    const version = (instance.exports.abi_version as () => unknown)();
    if (Number.isInteger(version)) return Number(version);
    return fail("abi_version() gives no number");
  } catch (error) {
    if (error instanceof ImageError) throw error;
    return fail(`this is no module of iot32: ${(error as Error).message}`);
  }
}

/** A custom section "iot32" in front of all others, up to its last two bytes: the version. */
const MARK = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 8, 5, ...Buffer.from("iot32")]);

/** What a device reads in the first bytes of a module alone; null when it would not take it. */
export function markedAbiVersion(wasm: Uint8Array): number | null {
  const head = Buffer.from(wasm.subarray(0, MARK.length + 2));
  if (head.length < MARK.length + 2 || !head.subarray(0, MARK.length).equals(MARK)) return null;
  return head.readUInt16LE(MARK.length);
}
