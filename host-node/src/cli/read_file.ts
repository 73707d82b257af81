// A file that a command was given.

import { readFileSync } from "node:fs";

/** Its bytes; throws a sentence for what cannot be read. */
export function readGiven(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
}
