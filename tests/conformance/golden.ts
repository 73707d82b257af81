// The expected traces, under version control: what a reviewer reads when behaviour changes. Left
// out of a file are the name of the module, which changes with each build, and the lines that only
// read (a mount reads the whole partition); a digest in the last line vouches for those.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../host-node/src/package_root.js";
import type { Scenario } from "./scenario.js";

const FOLDER = join(packageRoot, "tests", "conformance", "traces");
const READS = /^< (flash_read|sys_config_read|ota_read) /;

const pathOf = (name: string): string => join(FOLDER, `${name}.trace`);

/** What is kept of a trace. */
export function condense({ what, application }: Scenario, trace: string): string {
  const lines = trace.trimEnd().split("\n");
  const behaviour = lines.filter((line) => !line.startsWith("~ module "));
  const kept = behaviour.filter((line) => !READS.test(line));
  const digest = createHash("sha256").update(behaviour.join("\n")).digest("hex");
  const reads = behaviour.length - kept.length;
  const [header, ...rest] = kept;
  return [
    header,
    `# ${what}`,
    `# application ${application}`,
    ...rest,
    `# with ${reads} lines that read: ${digest}`,
    "",
  ].join("\n");
}

/** The expected trace of a scenario, or null when there is none yet. */
export function expected(name: string): string | null {
  return existsSync(pathOf(name)) ? readFileSync(pathOf(name), "utf8") : null;
}

/** Rewrites the file of a scenario; whether it has changed. */
export function rewrite(name: string, text: string): boolean {
  if (expected(name) === text) return false;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(pathOf(name), text);
  return true;
}

/** Names of files that belong to no scenario. */
export function strays(scenarios: readonly Scenario[]): string[] {
  const names = new Set(["statuses.txt", ...scenarios.map(({ name }) => `${name}.trace`)]);
  return existsSync(FOLDER) ? readdirSync(FOLDER).filter((file) => !names.has(file)) : [];
}

export function removeStrays(scenarios: readonly Scenario[]): void {
  for (const file of strays(scenarios)) rmSync(join(FOLDER, file));
}

/** The first line in which two traces differ, with some before it, for a report. */
export function firstDifference(wanted: string, found: string): string {
  const [a, b] = [wanted.split("\n"), found.split("\n")];
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const before = a.slice(Math.max(0, at - 4), at).map((line) => `    ${line}`);
  return [...before, `  - ${a[at] ?? "the end"}`, `  + ${b[at] ?? "the end"}`].join("\n");
}
