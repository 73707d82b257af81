// Rules that a formatter does not know: who may import whom (docs/ARCHITECTURE.md), and how long a
// line, a function and a file may be. Prints each breach and exits 1.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const COLUMNS_MAX = 100;
const FILE_LINES_MAX = 500;
/** A suite is a list; it may be longer than a program. */
const SUITE_LINES_MAX = 900;
const FUNCTION_LINES_MAX = 70;

/** Rooms of assembly/ from the ground up; a room imports itself and what stands before it. */
const ROOMS: Record<string, readonly string[]> = {
  util: [],
  codec: ["util"],
  abi: [],
  kernel: ["abi", "util", "codec"],
  flash: ["abi", "util", "codec", "kernel"],
  wifi: ["abi", "util", "codec", "kernel"],
  ble: ["abi", "util", "codec", "kernel", "flash"],
  aws: ["abi", "util", "codec", "kernel", "flash"],
  ota: ["abi", "util", "codec", "kernel", "flash", "aws"],
  system: ["abi", "util", "codec", "kernel", "flash", "wifi", "ble", "aws", "ota"],
  library: ["abi", "util", "codec", "kernel", "flash", "wifi", "ble", "aws", "ota", "system"],
  apps: ["."],
};

const breaches: string[] = [];

function files(directory: string, endings: readonly string[]): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function lines(file: string): string[] {
  return readFileSync(join(root, file), "utf8").split("\n");
}

const isGenerated = (text: readonly string[]): boolean =>
  text.slice(0, 3).some((line) => line.includes("do not edit"));

function checkLengths(file: string): void {
  const text = lines(file);
  if (isGenerated(text)) return;
  const linesMax = file.startsWith("tests/") ? SUITE_LINES_MAX : FILE_LINES_MAX;
  if (text.length > linesMax) breaches.push(`${file}: ${text.length} lines`);
  text.forEach((line, index) => {
    // A text for people, a link or a table row may be longer than the code around it.
    if (line.length > COLUMNS_MAX && !/["'`|]|https?:/.test(line)) {
      breaches.push(`${file}:${index + 1}: ${line.length} columns`);
    }
  });
}

/** Length of top-level functions and methods, by the indentation that the formatter guarantees. */
function checkFunctions(file: string): void {
  let start = 0;
  let indent = "";
  lines(file).forEach((line, index) => {
    const opening = /^( {0,2})(?:export )?(?:async )?(?:function |[a-z]\w*\().*\{$/.exec(line);
    if (opening && !/^\s*(if|for|while|switch|return)\b/.test(line)) {
      start = index;
      indent = opening[1] ?? "";
    } else if (start > 0 && line === `${indent}}`) {
      const length = index - start + 1;
      if (length > FUNCTION_LINES_MAX)
        breaches.push(`${file}:${start + 1}: function of ${length} lines`);
      start = 0;
    }
  });
}

function checkLayers(file: string): void {
  const room = file.split("/")[1] ?? "";
  const allowed = ROOMS[room];
  if (allowed === undefined || allowed.includes(".")) return;
  for (const line of lines(file)) {
    const path = /from "(\.[^"]+)"/.exec(line)?.[1];
    if (path === undefined) continue;
    const target = relative(root, resolve(root, dirname(file), path)).split("/")[1] ?? "";
    if (target !== room && !allowed.includes(target)) {
      breaches.push(`${file}: ${room}/ must not import ${target}/`);
    }
  }
}

const core = files("assembly", [".ts"]);
const all = [
  ...core,
  ...files("host-node/src", [".ts"]),
  ...files("host-node/web", [".ts", ".css", ".html"]),
  ...files("scripts", [".ts", ".mjs"]),
  ...files("tests", [".ts"]),
  ...files("host-esp32", [".c", ".h"]),
];
for (const file of all) {
  checkLengths(file);
  if (file.endsWith(".ts")) checkFunctions(file);
}
for (const file of core) checkLayers(file);

if (all.length === 0) breaches.push("no file was looked at");
for (const breach of breaches) console.error(breach);
console.error(`tidy: ${all.length} files, ${breaches.length} breaches`);
process.exitCode = breaches.length > 0 ? 1 : 0;
