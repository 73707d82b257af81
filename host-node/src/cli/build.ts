// `iot32 build`: an application becomes a module.

import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { Command, Option } from "commander";
import pc from "picocolors";
import { type BuildResult, buildModule, defaultOutput, TARGETS, type Target } from "../build.js";

interface Options {
  readonly output?: string;
  readonly target: Target;
  readonly text?: string;
  readonly json: boolean;
}

const EXPLANATION = `
An application is one AssemblyScript file that exports setup() and imports the library as "iot32":

  import { system, mqtt } from "iot32";
  export function setup(): void { system.init("1.0.0"); }

Targets:
  debug     names and a source map, no optimisation
  release   optimised for size
  esp32     optimised for size, memory and features of the chip

Examples:
  iot32 build app.ts                               writes app.wasm
  iot32 build app.ts -o out/app.wasm --target esp32
  iot32 build app.ts --json                        sizes, imports and exports as JSON
`;

/** The source map goes where the module says it is: next to it, under the compiler's name. */
function writeOutputs(output: string, result: BuildResult, textPath: string | undefined): void {
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, result.wasm);
  if (result.sourceMap !== undefined) writeFileSync(`${output}.map`, result.sourceMap);
  if (textPath !== undefined) writeFileSync(textPath, result.text ?? "");
}

function summary(output: string, { stats }: BuildResult): string {
  const { bytes, functions, dataSegments, dataBytes, memoryPages } = stats;
  const memory = `${memoryPages} page${memoryPages === 1 ? "" : "s"} of memory`;
  return (
    `${pc.green(basename(output))}  ${bytes} bytes, ${functions} functions, ` +
    `${dataBytes} bytes of data in ${dataSegments} segments, ${memory}`
  );
}

async function run(entry: string, options: Options): Promise<void> {
  const output = options.output ?? defaultOutput(entry);
  const result = await buildModule({
    entry,
    target: options.target,
    text: options.text !== undefined,
    outputName: basename(output),
  });
  writeOutputs(output, result, options.text);
  for (const warning of result.warnings) console.error(pc.yellow(warning));
  if (options.json) {
    console.log(JSON.stringify({ output, target: options.target, ...result.stats }));
  } else {
    console.log(summary(output, result));
  }
}

/** The command, ready to be added to the program. */
export function buildCommand(): Command {
  return new Command("build")
    .description("compile an application and the core into one module")
    .argument("<application.ts>", "the application")
    .option("-o, --output <file>", "module to write (default: next to the application)")
    .addOption(
      new Option("-t, --target <target>", "what to optimise for")
        .choices(TARGETS)
        .default("release"),
    )
    .option("--text <file>", "also write the WebAssembly text")
    .option("--json", "print sizes, imports and exports as one JSON object", false)
    .addHelpText("after", EXPLANATION)
    .action(run);
}
