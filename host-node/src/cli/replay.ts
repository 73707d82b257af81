// `iot32 replay`: runs a trace through its module again and says where the two differ. Exit code 0
// only when all of it was run and nothing differed.

import { Command, InvalidArgumentError, Option } from "commander";
import pc from "picocolors";
import { buildModule, TARGETS, type Target } from "../build.js";
import { parseTrace } from "../trace/parser.js";
import { type ReplayDifference, type ReplayResult, replayTrace } from "../trace/replay.js";
import { watchStates } from "../trace/states.js";
import { type GivenModule, modulesFor } from "../trace/trace_file.js";
import { moduleDigest } from "../trace/writer.js";
import { stripNames } from "../wasm_link.js";
import { readGiven } from "./read_file.js";

interface Options {
  readonly module: readonly string[];
  readonly target: Target;
  readonly anyModule: boolean;
  readonly until?: number;
  readonly state: boolean;
  readonly json: boolean;
}

const EXPLANATION = `
A trace (docs/TRACES.md) is what passed between a core and its host; iot32 run --trace writes one,
and so does a chip, on its console. FILE may be the log of such a console.

The module is looked for beside the trace: FILE.<first 8 digits of its SHA-256>.wasm. With --module
others are taken, and refused unless they are those of the trace, or --any-module is given: would a
new build have done the same? An application (.ts) is built first, for the target that the trace is
of; then --state tells the states of all its machines, and not only what the device has told.

Exit code: 0 when nothing differs, 1 when something does, or the trace cannot be replayed.

Examples:
  iot32 run app.ts --config device.json --trace life.trace
  iot32 replay life.trace
  iot32 replay life.trace --until 1200 --state        how far it had come at line 1200
  iot32 replay life.trace --module app.ts --state
  iot32 replay life.trace --module new.wasm --any-module
  iot32 replay console.log --module app.wasm
`;

/** A line of a trace may hold a payload of a kilobyte and more. */
const COLUMNS_MAX = 400;

const short = (text: string): string => {
  return text.length <= COLUMNS_MAX ? text : `${text.slice(0, COLUMNS_MAX)} ...`;
};

const counted = (count: number, what: string): string => {
  return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
};

function done({ steps, calls }: ReplayResult): string {
  return `replayed ${counted(steps, "step")}, ${counted(calls, "call")}`;
}

/** Both lines from a little before the place where they part. */
function sides({ trace, module }: ReplayDifference): [trace: string, module: string] {
  let same = 0;
  while (same < trace.length && trace[same] === module[same]) same++;
  const from = same < COLUMNS_MAX / 2 ? 0 : same - COLUMNS_MAX / 4;
  const cut = (text: string) => (from === 0 ? short(text) : `... ${short(text.slice(from))}`);
  return [cut(trace), cut(module)];
}

function tellDifference(difference: ReplayDifference): void {
  const width = String(difference.line).length;
  const [trace, module] = sides(difference);
  for (const { line, text } of difference.before) {
    console.log(pc.gray(`${String(line).padStart(width)}  ${short(text)}`));
  }
  console.log(`${pc.bold(difference.line)}  ${pc.green(`trace:  ${trace}`)}`);
  console.log(`${" ".repeat(width)}  ${pc.red(`module: ${module}`)}`);
}

function tellStates({ states }: ReplayResult): void {
  const inModule = new Map(states.module.map(({ machine, state }) => [machine, state]));
  const inTrace = new Map(states.trace.map(({ machine, state }) => [machine, state]));
  const machines = new Set([...inTrace.keys(), ...inModule.keys()]);
  for (const machine of machines) {
    const trace = inTrace.get(machine) ?? "-";
    const module = inModule.get(machine) ?? "-";
    const text = trace === module ? trace : `${trace} in the trace, ${module} in the module`;
    console.log(`${machine.padEnd(12)} ${text}`);
  }
  if (states.machines.length === 0) return;
  const words = states.machines.map(({ machine, state }) => `${machine} ${state}`);
  console.log(`machines of the module: ${words.join(", ")}`);
}

function tell(result: ReplayResult, { until, state }: Options): void {
  const { difference, line } = result;
  const place = until === undefined ? "" : ` up to line ${line}`;
  if (difference !== null) tellDifference(difference);
  if (state) tellStates(result);
  if (difference === null) console.log(`${done(result)}${place}: no difference`);
  else console.log(`${done(result)}: a difference at line ${difference.line}`);
}

async function moduleOf(path: string, target: Target): Promise<GivenModule> {
  if (!path.endsWith(".ts")) {
    const bytes = readGiven(path);
    return { digest: moduleDigest(bytes), bytes };
  }
  const { wasm } = await buildModule({ entry: path, target, names: true });
  return { digest: moduleDigest(stripNames(wasm)), bytes: watchStates(wasm) };
}

async function replay(file: string, options: Options): Promise<void> {
  const lines = parseTrace(Buffer.from(readGiven(file)).toString());
  const modules = await Promise.all(options.module.map((path) => moduleOf(path, options.target)));
  const choice = { modules, anyModule: options.anyModule };
  const { until } = options;
  const result = replayTrace(lines, modulesFor(file, choice), until === undefined ? {} : { until });
  if (options.json) console.log(JSON.stringify(result));
  else tell(result, options);
  if (result.difference !== null) process.exitCode = 1;
}

function lineNumber(text: string): number {
  const number = /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (number === 0) throw new InvalidArgumentError("a line number counts from 1");
  return number;
}

const collect = (path: string, earlier: readonly string[]): string[] => [...earlier, path];

/** The command, ready to be added to the program. */
export function replayCommand(): Command {
  return new Command("replay")
    .description("run a trace through its module again, and find where they differ")
    .argument("<file>", "the trace, or the log of a console on which it stands")
    .option("-m, --module <file>", "a module (.wasm) or an application (.ts)", collect, [])
    .addOption(
      new Option("-t, --target <target>", "how to build a .ts").choices(TARGETS).default("release"),
    )
    .option("--any-module", "take a module that is not the one of the trace", false)
    .option("-u, --until <line>", "stop after this line of the trace", lineNumber)
    .option("-s, --state", "tell the states of the device at the end", false)
    .option("--json", "print the result as one line of JSON", false)
    .addHelpText("after", EXPLANATION)
    .action(replay);
}
