// The files that are generated from assembly/abi/abi.json, and whether those on disk are what the
// table says. They are compared byte by byte: an edited or outdated one is stale, whatever the
// edit. Called by main.ts and by the tests.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { generateAssemblyScript } from "./assemblyscript.js";
import { generateHeader, generateLinkTable } from "./c.js";
import { generateMarkdown } from "./markdown.js";
import { type Abi, parseAbi } from "./model.js";
import { generateReplayPorts } from "./replay.js";
import { SOURCE_PATH } from "./text.js";
import { generateTypeScript } from "./typescript.js";

const GENERATORS: Readonly<Record<string, (abi: Abi) => string>> = {
  "assembly/abi/host.ts": generateAssemblyScript,
  "host-esp32/components/host_abi/include/host_abi.h": generateHeader,
  "host-esp32/components/host_abi/host_abi_link.c": generateLinkTable,
  "host-esp32/linux/replay/replay_ports.c": generateReplayPorts,
  "host-node/src/abi.ts": generateTypeScript,
  "docs/ABI.md": generateMarkdown,
};

/** Path below `root` and text of each generated file. */
export function generateAll(root: string): Map<string, string> {
  const abi = parseAbi(readFileSync(join(root, SOURCE_PATH), "utf8"));
  return new Map(Object.entries(GENERATORS).map(([path, generate]) => [path, generate(abi)]));
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Paths below `root` of the files that are missing or differ from what the table says. */
export function staleFiles(root: string): string[] {
  const files = [...generateAll(root)];
  return files
    .filter(([path, text]) => readOrNull(join(root, path)) !== text)
    .map(([path]) => path);
}

/** Writes the files that are stale; returns their paths. */
export function writeStale(root: string): string[] {
  const stale = staleFiles(root);
  const files = generateAll(root);
  for (const path of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), files.get(path)!);
  }
  return stale;
}
