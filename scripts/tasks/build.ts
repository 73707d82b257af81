// `npm run build`: every application of assembly/apps for every target of asconfig.json, into
// build/<target>/<application>.wasm, each compared with the ABI's table before it is written.
// Prints a table of sizes; exits 1 when a build fails or a module differs from the table.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { Command } from "commander";
import pc from "picocolors";
import { type BuildResult, buildModule, type Target } from "../../host-node/src/build.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { checkModule } from "../abi/module_check.js";

interface Built {
  readonly application: string;
  readonly target: Target;
  /** From the package root. */
  readonly file: string;
  readonly stats: BuildResult["stats"];
}

const APPS = join(packageRoot, "assembly", "apps");
const OUTPUT = join(packageRoot, "build");

function targets(): Target[] {
  const config = JSON.parse(readFileSync(join(packageRoot, "asconfig.json"), "utf8")) as {
    readonly targets: Readonly<Record<Target, object>>;
  };
  return Object.keys(config.targets) as Target[];
}

function applications(): string[] {
  return readdirSync(APPS).filter((name) => name.endsWith(".ts"));
}

async function build(source: string, target: Target): Promise<Built> {
  const application = basename(source, ".ts");
  const outputName = `${application}.wasm`;
  const { wasm, stats, warnings, sourceMap } = await buildModule({
    entry: join(APPS, source),
    target,
    outputName,
  });
  const faults = checkModule(wasm);
  if (faults.length > 0) throw new Error(`${application} for ${target}: ${faults.join("; ")}`);
  for (const warning of warnings) console.error(pc.yellow(warning));
  const file = join(OUTPUT, target, outputName);
  mkdirSync(join(OUTPUT, target), { recursive: true });
  writeFileSync(file, wasm);
  if (sourceMap !== undefined) writeFileSync(`${file}.map`, sourceMap);
  return { application, target, file: relative(packageRoot, file), stats };
}

const HEADINGS = ["application", "target", "bytes", "functions", "data", "memory", "file"] as const;
const KIB_PER_PAGE = 64;

function rowOf({ application, target, file, stats }: Built): string[] {
  const { bytes, functions, dataBytes, memoryPages } = stats;
  const memory = `${memoryPages * KIB_PER_PAGE} KiB`;
  return [application, target, String(bytes), String(functions), String(dataBytes), memory, file];
}

/** Columns as wide as their widest cell; figures stand to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const all = [HEADINGS, ...rows];
  const widths = HEADINGS.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? "").length)),
  );
  const isFigure = (column: number): boolean => /^\d/.test(rows[0]?.[column] ?? "");
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return isFigure(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [pc.bold(line(HEADINGS)), ...rows.map(line)].join("\n");
}

async function main(options: { readonly json: boolean }): Promise<void> {
  const built: Built[] = [];
  for (const source of applications()) {
    for (const target of targets()) built.push(await build(source, target));
  }
  if (built.length === 0) throw new Error(`no application in ${APPS}`);
  if (options.json) {
    const rows = built.map(({ stats, ...rest }) => ({ ...rest, ...stats }));
    console.log(JSON.stringify(rows));
  } else {
    console.log(table(built.map(rowOf)));
  }
}

const program = new Command("npm run build --")
  .description("build every application in assembly/apps for every target of asconfig.json")
  .option("--json", "sizes as one line of JSON", false);

try {
  await main(program.parse().opts());
} catch (error) {
  console.error(pc.red((error as Error).message));
  process.exitCode = 1;
}
