// Writes every file that is generated from assembly/abi/abi.json, or with --check writes nothing,
// names the stale ones and exits 1. Run from the top of the repository, or name it with --root.

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { staleFiles, writeStale } from "./generate.js";
import { SOURCE_PATH } from "./text.js";

function main(): number {
  const { values } = parseArgs({
    options: { check: { type: "boolean", default: false }, root: { type: "string", default: "." } },
  });
  const root = resolve(values.root);
  if (!values.check) {
    for (const path of writeStale(root)) process.stdout.write(`written: ${path}\n`);
    return 0;
  }
  const stale = staleFiles(root);
  for (const path of stale)
    process.stderr.write(`stale: ${path} differs from what ${SOURCE_PATH} says\n`);
  return stale.length === 0 ? 0 : 1;
}

process.exitCode = main();
