// `iot32 sim`: lets days pass for an application, seed after seed, and watches what must hold. The
// first violation is made short, traced, and told with the command that repeats it.

import { mkdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Command, Option } from "commander";
import pc from "picocolors";
import { EnginePool } from "../sim/engine.js";
import { FAULT_PROFILES, type FaultChoice, type FaultProfileName } from "../sim/faults.js";
import { BIRTHS, type Birth, describeViolation } from "../sim/simulation.js";
import { runTrial, type Shortened, shorten, type Trial, writeTrace } from "../sim/trial.js";
import { loadApplication, SAMPLE } from "./application.js";
import { anyNumber, wholeNumber } from "./number_option.js";

interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly days: number;
  readonly devices: number;
  readonly born: Birth;
  readonly faults: string;
  readonly only?: string;
  readonly traces: string;
  readonly json: boolean;
}

const EXPLANATION = `
The application is the module that ships, run from power-on through provisioning, Wi-Fi, MQTT,
shadows, jobs and updates, in virtual time, against the local cloud's services without sockets. What
must hold is watched at every step (docs/SIMULATION.md); a violation ends the run with exit code 1.

One seed decides everything: the same seed, application and options give the same digest, on any
machine.

  --faults  ${Object.keys(FAULT_PROFILES).join(", ")}, or a JSON file: {"powerCuts": 5, "flashFailed": 0.01}
  --born    how devices begin: claim or csr (fleet provisioning), thing (with a certificate),
            unboxed (configured by a phone, over BLE), broken (a document that is none)
  --only    the only occurrences of faults that are to happen: powerCuts/2,flashFailed/1

Examples:
  iot32 sim app.ts --days 30
  iot32 sim app.ts --seeds 100 --days 7 --born unboxed
  iot32 sim app.ts --faults rough --devices 50 --days 1
  iot32 sim app.ts --seed 17 --only powerCuts/3        the same run, with that fault alone
`;

const DAYS_MAX = 36_500;

function faultsOf(text: string): FaultChoice {
  if (text in FAULT_PROFILES) return text as FaultProfileName;
  if (!text.endsWith(".json")) return text as FaultProfileName;
  try {
    return JSON.parse(readFileSync(text, "utf8")) as FaultChoice;
  } catch (error) {
    throw new Error(`cannot read the faults of ${text}: ${(error as Error).message}`);
  }
}

const counted = (count: number, what: string): string =>
  `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;

function tell({ report }: Trial): void {
  const { seed, deviceDays, steps, faults, digest } = report;
  const numbers = [
    `${deviceDays.toFixed(1)} device-days`,
    counted(steps, "step"),
    counted(faults.length, "fault"),
  ];
  console.log(`seed ${seed}: ${numbers.join(", ")}; digest ${digest}`);
}

interface Failure {
  readonly shortened: Shortened;
  readonly trace: string;
}

function examine(trial: Trial, { traces }: Options): Failure {
  const shortened = shorten(trial);
  mkdirSync(traces, { recursive: true });
  const trace = join(traces, `seed-${trial.report.seed}.trace`);
  writeTrace(trace, shortened.trial);
  return { shortened, trace };
}

/** The command that repeats a failure. */
function commandOf(application: string, options: Options, { shortened }: Failure): string {
  const { days, devices, born, faults } = options;
  const { seed } = shortened.trial.report;
  const app = application === SAMPLE ? "" : ` ${application}`;
  const fleet = devices === 1 ? "" : ` --devices ${devices}`;
  const only =
    shortened.faults.length === 0 ? " --only none" : ` --only ${shortened.faults.join()}`;
  return (
    `iot32 sim${app} --seed ${seed} --days ${days}${fleet} --born ${born}` +
    ` --faults ${faults}${only}`
  );
}

function tellFailure(trial: Trial, failure: Failure, command: string): void {
  const { shortened, trace } = failure;
  const { violation } = shortened.trial;
  const before = trial.report.faults.length;
  console.log(pc.red(describeViolation(violation!, trial.report.seed)));
  const faults = shortened.faults.length === 0 ? "none" : shortened.faults.join(", ");
  console.log(`faults   ${faults} (of ${before}, found in ${shortened.runs} runs)`);
  console.log(`again    ${command}`);
  console.log(`trace    iot32 replay ${relative(process.cwd(), trace)}`);
}

async function sim(application: string, options: Options): Promise<void> {
  const { module, heap } = await loadApplication(application);
  const { seed: first, seeds, days, devices, born, only, json } = options;
  const engines = new EnginePool();
  const faults = faultsOf(options.faults);
  for (let seed = first; seed < first + seeds; seed++) {
    const trial = runTrial({
      ...{ module, seed, days, devices, born, faults, engines },
      ...(heap === undefined ? {} : { heap }),
      ...(only === undefined ? {} : { only: new Set(only.split(",")) }),
    });
    const { violation, report } = trial;
    if (json) console.log(JSON.stringify({ ...report, faults: report.faults.length }));
    else tell(trial);
    if (violation === null) continue;
    const failure = examine(trial, options);
    const command = commandOf(application, options, failure);
    if (json) {
      const { trace, shortened } = failure;
      console.log(JSON.stringify({ violation, faults: shortened.faults, command, trace }));
    } else tellFailure(trial, failure, command);
    process.exitCode = 1;
    return;
  }
}

/** The command, ready to be added to the program. */
export function simCommand(): Command {
  return new Command("sim")
    .description("let days pass for an application in a simulated world, with faults")
    .argument("[app]", "application (.ts) or module (.wasm)", SAMPLE)
    .option("-s, --seed <n>", "the first seed", wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .option("-n, --seeds <n>", "so many seeds, one after the other", wholeNumber(1, 1e9), 1)
    .option("-d, --days <n>", "virtual days for each seed", anyNumber(0, DAYS_MAX), 7)
    .option("--devices <n>", "devices in one world", wholeNumber(1, 1000), 1)
    .addOption(new Option("-b, --born <how>", "how devices begin").choices(BIRTHS).default("claim"))
    .option("-f, --faults <profile>", "what goes wrong", "default")
    .option("--only <names>", "the only faults that are to happen")
    .option("--traces <folder>", "where traces of failures go", join("build", "sim"))
    .option("--json", "print lines of JSON", false)
    .addHelpText("after", EXPLANATION)
    .action(sim);
}
