// `npm run bench -- <name> [--runs N] [--json]`: measures contestants side by side and prints their
// medians; without a name, the list of benches. Benches are in scripts/bench.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type Bench, measure, type Result, tableOf } from "../bench/bench.js";
import { BENCHES } from "../bench/registry.js";

const RUNS = 15;

interface Order {
  readonly bench: Bench;
  readonly runs: number;
  readonly isJson: boolean;
}

const usage = (): string => {
  const list = BENCHES.map(({ name, summary }) => `  ${name.padEnd(8)} ${summary}`);
  return ["usage: npm run bench -- <name> [--runs N] [--json]", ...list].join("\n");
};

/** The order, or null when the list of benches is wanted; throws when it cannot be understood. */
function orderOf(args: readonly string[]): Order | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { runs: { type: "string" }, json: { type: "boolean" } },
  });
  const [name, ...more] = positionals;
  if (name === undefined) return null;
  const bench = BENCHES.find((one) => one.name === name);
  if (bench === undefined || more.length > 0) {
    throw new Error(`no bench is called ${positionals.join(" ")}`);
  }
  const runs = Number(values.runs ?? bench.runs ?? RUNS);
  if (!Number.isInteger(runs) || runs < 1) throw new Error("--runs must be a number from 1 up");
  return { bench, runs, isJson: values.json ?? false };
}

function print(order: Order, results: readonly Result[], notes: readonly string[]): void {
  const { bench, runs } = order;
  const machine = `Node ${process.version}, ${availableParallelism()} cores`;
  if (order.isJson) {
    console.log(JSON.stringify({ bench: bench.name, runs, machine, notes, results }, null, 2));
    return;
  }
  const title = `${bench.name}: ${bench.summary} (${runs} runs each, in turns; ${machine})`;
  console.log([title, "", ...tableOf(results), "", ...notes].join("\n"));
}

async function run(order: Order): Promise<void> {
  const bout = await order.bench.open();
  try {
    const results = await measure(bout, order.runs, order.bench.warmUpRuns);
    print(order, results, [...bout.notes, ...(bout.conclude?.(results) ?? [])]);
  } finally {
    await bout.close();
  }
}

function orderOrExit(): Order | null {
  try {
    return orderOf(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage()}`);
    process.exit(1);
  }
}

const order = orderOrExit();
if (order === null) console.log(usage());
else await run(order);
