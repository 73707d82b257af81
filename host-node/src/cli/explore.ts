// `iot32 explore`: every state that one device can be brought to, within bounds, and whether what
// must hold holds there; and the graph of its modes, compared with the table.

import { Command, Option } from "commander";
import pc from "picocolors";
import { type CounterExample, type ExploreReport, explore } from "../sim/explore.js";
import { compareModes, drawModes, type ModeEdge } from "../sim/mode_graph.js";
import { BIRTHS, type Birth, describeViolation } from "../sim/simulation.js";
import { loadApplication, SAMPLE } from "./application.js";
import { wholeNumber } from "./number_option.js";

interface Options {
  readonly born?: Birth;
  readonly states: number;
  readonly faults: number;
  readonly seed: number;
  readonly json: boolean;
}

const EXPLANATION = `
Breadth first: from each state everything is tried that may come next, one fault here, one wish of
the cloud there, on a copy of the world; states that look the same are merged (docs/SIMULATION.md).
Without --born every way in which devices begin is explored.

Exit code: 0 when everything held, 1 when something did not; then the shortest way to it is told.

Examples:
  iot32 explore
  iot32 explore app.ts --born unboxed --faults 2 --states 5000
`;

const SEED_MAX = Number.MAX_SAFE_INTEGER;

/** Equal turns one behind the other are told once. */
function told(way: readonly string[]): string {
  const parts: { what: string; times: number }[] = [];
  for (const what of way) {
    const last = parts.at(-1);
    if (last?.what === what) last.times++;
    else parts.push({ what, times: 1 });
  }
  return parts
    .map(({ what, times }) => (times === 1 ? what : `${what} (${times} times)`))
    .join("; ");
}

function tellFailure({ way, violation, look }: CounterExample, seed: number): void {
  const what =
    violation === null
      ? "the device does not come to work again"
      : describeViolation(violation, seed);
  console.log(pc.red(what));
  console.log(`  way   ${told(way)}`);
  console.log(`  state ${look}`);
}

function tell(report: ExploreReport, { faults, seed }: Options): void {
  const { born, states, tried, depth, isComplete, failures } = report;
  const count = (value: number): string => value.toLocaleString("en");
  const bounds = `${isComplete ? "all of them" : "not all"} with at most ${count(faults)} faults on a way`;
  console.log(
    `${born}: ${count(states)} states, ${bounds}; ${count(tried)} steps tried, ` +
      `${depth} interventions on a way at most`,
  );
  for (const failure of failures) tellFailure(failure, seed);
}

function tellModes(edges: readonly ModeEdge[]): void {
  const { beyond, unseen } = compareModes(edges);
  console.log(`\n${drawModes(edges)}\n`);
  if (beyond.length > 0) console.log(pc.red(`modes not in the table: ${beyond.join(", ")}`));
  console.log(
    unseen.length === 0 ? "every row of the table was seen" : `not seen: ${unseen.join(", ")}`,
  );
}

async function run(application: string, options: Options): Promise<void> {
  const { named } = await loadApplication(application);
  if (named === undefined) throw new Error("the explorer needs names: give the application as .ts");
  const { states: statesMax, faults: faultsMax, seed, json } = options;
  const births = options.born === undefined ? BIRTHS : [options.born];
  const reports = births.map((born) => explore({ named, born, statesMax, faultsMax, seed }));
  const modes = reports.flatMap((report) => report.modes);
  if (json) console.log(JSON.stringify({ reports, comparison: compareModes(modes) }));
  else {
    for (const report of reports) tell(report, options);
    tellModes(uniqueEdges(modes));
  }
  const isGood = reports.every(({ failures }) => failures.length === 0);
  if (!isGood || compareModes(modes).beyond.length > 0) process.exitCode = 1;
}

function uniqueEdges(edges: readonly ModeEdge[]): ModeEdge[] {
  const byKey = new Map(edges.map((edge) => [JSON.stringify(edge), edge]));
  return [...byKey.values()];
}

/** The command, ready to be added to the program. */
export function exploreCommand(): Command {
  return new Command("explore")
    .description("try everything that may happen to a device, state by state")
    .argument("[app]", "application (.ts)", SAMPLE)
    .addOption(new Option("-b, --born <how>", "how it begins").choices(BIRTHS))
    .option("--states <n>", "most states to go on from", wholeNumber(1, 1e6), 5000)
    .option("--faults <n>", "most faults on one way", wholeNumber(0, 100), 1)
    .option("-s, --seed <n>", "seed", wholeNumber(0, SEED_MAX), 1)
    .option("--json", "print one line of JSON", false)
    .addHelpText("after", EXPLANATION)
    .action(run);
}
