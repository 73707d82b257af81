// Programs of the system that some tests need. Where one is missing its tests are skipped and say
// so; in CI nothing may be skipped, so there they run, and fail.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** What to give to a test's `skip`: false, or the reason. `probe` makes the program succeed. */
export function skipWithout(program: string, probe = "version"): string | false {
  const isThere = spawnSync(program, [probe]).status === 0;
  return isThere || process.env.CI ? false : `the program ${program} is missing`;
}

/** Where a program is; throws when it is nowhere. */
export function programPath(program: string): string {
  const found = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((directory) => join(directory, program))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`the program ${program} is missing`);
  return found;
}
