// `iot32 sweep`: a scenario with the power cut at every call of the core to its host, and then at
// pairs of them.

import { Command, Option } from "commander";
import pc from "picocolors";
import type { Scenario } from "../sim/scenario.js";
import { SCENARIOS, type ScenarioName } from "../sim/scenarios.js";
import { BIRTHS, type Birth, describeViolation } from "../sim/simulation.js";
import { type Cut, type SweepFailure, type SweepReport, sweep } from "../sim/sweep.js";
import { loadApplication, SAMPLE } from "./application.js";
import { wholeNumber } from "./number_option.js";

interface Options {
  readonly app: string;
  readonly seed: number;
  readonly pairs: number;
  readonly everyCall: boolean;
  readonly born: Birth;
  readonly json: boolean;
}

const NAMES = Object.keys(SCENARIOS) as ScenarioName[];

const EXPLANATION = `
The scenario is run once; at each call the world is copied (memory and flash, cloud and wire), and
the power of the copy is cut there: with what was being written to flash untouched, half done, and
garbage. Each copy must come to the scenario's end with everything that must hold (docs/SIMULATION.md).
Calls between which nothing that outlives the power has changed are tried once; --every-call tries
all.

Exit code: 0 when every copy comes to its end, 1 when one does not.
`;

const places = (cuts: readonly Cut[]): string =>
  cuts.map(({ call, mode }) => `call ${call} (${mode})`).join(", then ");

function sentence({ cuts, violation }: SweepFailure, seed: number): string {
  const where = cuts.length === 0 ? "without a cut" : `power cut at ${places(cuts)}`;
  const what =
    violation === null
      ? "the scenario does not come to its end"
      : describeViolation(violation, seed);
  return `${where}: ${what}`;
}

const SHOWN_MAX = 20;

function tell(report: SweepReport): void {
  const { calls, cuts, pairs, coverage, failures, digest, seed } = report;
  const count = (value: number): string => value.toLocaleString("en");
  console.log(
    `${report.scenario}: ${count(calls)} calls, ${count(report.places)} places; ` +
      `${count(cuts - pairs)} cuts, ${count(pairs)} pairs; ${count(coverage)} ways of going on`,
  );
  for (const failure of failures.slice(0, SHOWN_MAX)) console.log(pc.red(sentence(failure, seed)));
  if (failures.length > SHOWN_MAX) console.log(`and ${failures.length - SHOWN_MAX} more`);
  const outcome =
    failures.length === 0 ? "every copy came to its end" : `${failures.length} failed`;
  console.log(`${outcome}; digest ${digest}`);
}

async function run(name: ScenarioName, options: Options): Promise<void> {
  const { module } = await loadApplication(options.app);
  const { seed, pairs: pairsMax, everyCall, born, json } = options;
  const scenario: Scenario = SCENARIOS[name](module, born);
  const report = sweep({ module, scenario, seed, pairsMax, everyCall });
  if (json) console.log(JSON.stringify(report));
  else tell(report);
  if (report.failures.length > 0) process.exitCode = 1;
}

/** The command, ready to be added to the program. */
export function sweepCommand(): Command {
  const list = NAMES.map((name) => `  ${name.padEnd(8)} ${SCENARIOS[name](NOTHING).summary}`);
  return new Command("sweep")
    .description("run a scenario with a power cut at every call of the core to its host")
    .argument("[scenario]", NAMES.join(", "), "life")
    .option("-a, --app <file>", "application (.ts) or module (.wasm)", SAMPLE)
    .option("-s, --seed <n>", "seed", wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .option("-p, --pairs <n>", "most pairs of cuts", wholeNumber(0, 1e6), 1000)
    .option("--every-call", "try every call, also where the world is the same", false)
    .addOption(new Option("-b, --born <how>", "how it begins").choices(BIRTHS).default("claim"))
    .option("--json", "print one line of JSON", false)
    .addHelpText("after", `\nScenarios:\n${list.join("\n")}\n${EXPLANATION}`)
    .action((name: string, options: Options) => {
      if (name in SCENARIOS) return run(name as ScenarioName, options);
      throw new Error(`no scenario is called "${name}"; there is ${NAMES.join(", ")}`);
    });
}

const NOTHING = new Uint8Array();
