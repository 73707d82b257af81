// The ABI version that a module was built with, asked from the module itself. Called before a
// module is packed; a device reads the version from the module descriptor instead.

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
