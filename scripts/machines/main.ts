// Draws the state machines of the core into docs/MACHINES.md. With --check it writes nothing and
// exits 1 when the page is stale.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Machine, type Row, readMachines } from "../../host-node/src/machines.js";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const page = join(root, "docs", "MACHINES.md");

const words = (name: string): string => name.toLowerCase().replaceAll("_", " ");
const isNothing = (action: string): boolean => action === "NONE" || action === "0";

function arrow({ state, input, action, next }: Row): string {
  const label = isNothing(action) ? words(input) : `${words(input)} / ${words(action)}`;
  return `    ${state} --> ${next}: ${label}`;
}

function draw({ name, file, rows }: Machine): string {
  const table = rows.map(
    ({ state, input, action, next }) =>
      `| ${words(state)} | ${words(input)} | ${isNothing(action) ? "" : words(action)} | ${words(next)} |`,
  );
  return [
    `## ${name}`,
    "",
    `Source: [\`${file}\`](../${file}), ${rows.length} transitions.`,
    "",
    "```mermaid",
    "stateDiagram-v2",
    `    [*] --> ${rows[0]!.state}`,
    ...rows.map(arrow),
    "```",
    "",
    "| state | input | action | next state |",
    "| --- | --- | --- | --- |",
    ...table,
    "",
  ].join("\n");
}

const machines = readMachines(root);
const text = [
  "<!-- Generated from the tables in assembly/ by scripts/machines; do not edit. -->",
  "",
  "# State machines",
  "",
  "Each machine is a table in its source, and each diagram is drawn from that table. An input",
  "without an arrow in a state is ignored there: late answers are normal in a distributed system.",
  "",
  ...machines.map(draw),
].join("\n");

if (!process.argv.includes("--check")) {
  writeFileSync(page, text);
  console.error(`written: docs/MACHINES.md (${machines.length} machines)`);
} else if (!existsSync(page) || readFileSync(page, "utf8") !== text) {
  console.error("stale: docs/MACHINES.md; run node dist/scripts/machines/main.js");
  process.exitCode = 1;
}
