// The application that a command of the simulator is given: a .ts that is built, or a module.

import { join } from "node:path";
import { buildModule } from "../build.js";
import { type HeapLayout, heapLayout } from "../heap_in_use.js";
import { packageRoot } from "../package_root.js";
import { stripNames } from "../wasm_link.js";
import { readGiven } from "./read_file.js";

/** The sample that has something of everything that a simulation tries. */
export const SAMPLE = join(packageRoot, "assembly", "apps", "meter.ts");

export interface Application {
  /** As it ships. */
  readonly module: Uint8Array;
  /** Unknown for a module that was built elsewhere. */
  readonly heap?: HeapLayout;
  /** The same module with its names. */
  readonly named?: Uint8Array;
}

/** Throws a sentence for what cannot be read, BuildError for what cannot be built. */
export async function loadApplication(path: string): Promise<Application> {
  if (path.endsWith(".ts")) {
    const { wasm: named } = await buildModule({ entry: path, names: true });
    return { module: stripNames(named), heap: heapLayout(named), named };
  }
  return { module: readGiven(path) };
}
