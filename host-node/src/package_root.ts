// Where this package lies: the directory that holds asconfig.json and assembly/. Compiled files
// may be anywhere below it.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function findRoot(start: string): string {
  const isRoot = (path: string) =>
    existsSync(join(path, "asconfig.json")) && existsSync(join(path, "assembly"));
  for (let path = start; ; path = dirname(path)) {
    if (isRoot(path)) return path;
    if (path === dirname(path)) throw new Error(`no iot32 package around ${start}`);
  }
}

/** Absolute path of the package. */
export const packageRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)));
