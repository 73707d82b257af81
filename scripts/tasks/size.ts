// `npm run size [-- app ...] [--wasm3]`: where the bytes of a module are. Each application of
// assembly/apps is built for the chip and taken apart: code by room, data, everything else; then
// static memory, and the heap after BOOT, which the module itself has taken on a device without
// configuration. With --wasm3: what the sample `all` costs in the interpreter, beside its limits
// (tests/conformance/budgets.json); it needs gcc and the source of wasm3.

import { readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildModule } from "../../host-node/src/build.js";
import { bytesOf } from "../../tests/conformance/adapters.js";
import { budgets, compareWithBudgets, isOver } from "../../tests/conformance/budgets.js";
import { type Cost, measureCost } from "../../tests/conformance/cost.js";
import { skipWithoutNative } from "../../tests/node/support/native.js";
import { bootHeap } from "../wasm/heap.js";
import { readWasm } from "../wasm/sections.js";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** Room of a function, from the name the compiler gave it. */
function roomOf(name: string): string {
  if (name.startsWith("~lib/rt") || name.startsWith("~lib/memory")) return "runtime";
  if (name.startsWith("~lib")) return "standard library";
  const parts = name.replace(/^start:/, "").split("/");
  return parts[0] === "assembly" && parts.length > 2 ? `${parts[1]}/` : "entry and start";
}

interface Report {
  readonly app: string;
  readonly total: number;
  readonly rooms: ReadonlyMap<string, number>;
  readonly data: number;
  readonly other: number;
  readonly functions: number;
  readonly staticBytes: number;
  readonly heapBytes: number;
}

async function measure(file: string): Promise<Report> {
  const { wasm, stats } = await buildModule({ entry: file, target: "esp32" });
  const named = await buildModule({ entry: file, target: "esp32", names: true });
  const { bodies, functionNames } = readWasm(named.wasm);
  const rooms = new Map<string, number>();
  let code = 0;
  for (const { index, size } of bodies) {
    const room = roomOf(functionNames.get(index) ?? "");
    rooms.set(room, (rooms.get(room) ?? 0) + size);
    code += size;
  }
  const data = stats.dataBytes;
  const { staticBytes, heapBytes } = bootHeap(wasm, stats.dataEnd);
  return {
    app: basename(file, ".ts"),
    total: wasm.length,
    rooms,
    data,
    other: wasm.length - code - data,
    functions: bodies.length,
    staticBytes,
    heapBytes,
  };
}

function row(label: string, bytes: number, note = ""): string {
  return `  ${label.padEnd(20)} ${String(bytes).padStart(7)}${note === "" ? "" : `  ${note}`}`;
}

function print(report: Report): void {
  const limit = budgets.moduleBytes[report.app];
  const verdict = limit !== undefined && report.total > limit ? "ABOVE ITS LIMIT" : "limit";
  const lines = [
    `${report.app}: ${report.functions} functions`,
    ...[...report.rooms].sort((a, b) => b[1] - a[1]).map(([room, bytes]) => row(room, bytes)),
    row("data", report.data),
    row("sections, imports", report.other),
    row("module", report.total, limit === undefined ? "" : `${verdict} ${limit}`),
    row("static memory", report.staticBytes),
    row("heap after boot", report.heapBytes),
    "",
  ];
  console.log(lines.join("\n"));
}

function printCost(cost: Cost): void {
  const items = compareWithBudgets(cost);
  const width = Math.max(...items.map(({ name }) => name.length));
  const lines = items.map((item) => {
    const verdict = isOver(item) ? "ABOVE ITS LIMIT" : "limit";
    const numbers = `${String(item.found).padStart(8)}  ${verdict} ${item.limit}`;
    return `  ${item.name.padEnd(width)} ${numbers}`;
  });
  console.log(["all in wasm3 on a machine of 64 bits:", ...lines, ""].join("\n"));
  const each = [...cost.operations].map(
    ([kind, { count, mean }]) => `  ${kind.padEnd(width)} ${String(mean).padStart(8)}  ${count}`,
  );
  console.log(["operations of a step, on average, and steps:", ...each].join("\n"));
  if (items.some(isOver)) process.exitCode = 1;
}

const words = process.argv.slice(2);
const wanted = words.filter((word) => word !== "--wasm3");
if (words.includes("--wasm3")) {
  if (skipWithoutNative !== false) throw new Error(skipWithoutNative);
  printCost(measureCost(await bytesOf("all")));
} else {
  await printSizes();
}

async function printSizes(): Promise<void> {
  const apps = readdirSync(join(root, "assembly/apps"))
    .filter((name) => name.endsWith(".ts"))
    .filter((name) => wanted.length === 0 || wanted.includes(basename(name, ".ts")));
  if (apps.length === 0) throw new Error(`no application is called ${wanted.join(" ")}`);
  for (const app of apps) print(await measure(join(root, "assembly/apps", app)));
}
