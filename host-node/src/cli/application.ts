// The application that a command of the simulator is given: a .ts that is built, or a module.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildModule } from "../build.js";
import { packageRoot } from "../package_root.js";

/** The sample that has something of everything that a simulation tries. */
export const SAMPLE = join(packageRoot, "assembly", "apps", "meter.ts");

/** Throws a sentence for what cannot be read, BuildError for what cannot be built. */
export async function moduleOf(application: string): Promise<Uint8Array> {
  if (application.endsWith(".ts")) return (await buildModule({ entry: application })).wasm;
  try {
    return readFileSync(application);
  } catch (error) {
    throw new Error(`cannot read ${application}: ${(error as NodeJS.ErrnoException).code}`);
  }
}
