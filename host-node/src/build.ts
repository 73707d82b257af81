// From an application to a module: compiles the application together with the core, with the
// options of asconfig.json's target and no others, then links (wasm_link.ts) and checks what came
// out: the imports and exports of the ABI, and memory that fits a chip. Nothing is written but by
// the caller. Applications may lie anywhere; "iot32" names the library wherever they are.

import { readFile } from "node:fs/promises";
import { basename, dirname, relative, resolve, sep } from "node:path";
import { ABI_VERSION, EXPORTS, IMPORT_MODULE, IMPORTS } from "./abi.js";
import { type Diagnostic, DiagnosticCategory, loadCompiler } from "./compiler.js";
import { packageRoot } from "./package_root.js";
import { link, type ModuleStats, markAbiVersion, moduleStats } from "./wasm_link.js";

export type Target = "debug" | "release" | "esp32";
export const TARGETS: readonly Target[] = ["debug", "release", "esp32"];

export interface BuildOptions {
  /** Path of the application's .ts file, absolute or from the working directory. */
  readonly entry: string;
  readonly target?: Target;
  /** Keeps the names of functions, for a size report; the code is the same. */
  readonly names?: boolean;
  /** Also gives the WebAssembly text, as it was before linking. */
  readonly text?: boolean;
  /** Name under which the module refers to its source map. */
  readonly outputName?: string;
  /** Directory of the library, from the package root: index.ts and entry.ts. For tests. */
  readonly library?: string;
  /** Files that are read in place of others, both from the package root. For tests. */
  readonly replace?: Readonly<Record<string, string>>;
}

export interface BuildResult {
  readonly wasm: Uint8Array;
  readonly text?: string;
  readonly sourceMap?: string;
  readonly stats: ModuleStats & { readonly unlinkedBytes: number };
  readonly warnings: readonly string[];
}

/** A build that failed because of its sources; the message names file, line and reason. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}

const PACKAGE = "iot32";
/** Name of the generated source that ties application and core together; never on disk. */
const WRAPPER = "__iot32_application__.ts";
/** asconfig.json replaces the compiler's abort by this file's, so that it must be in each build. */
const ABORT = "./assembly/abi/abort";
const TEXT_OUTPUT = "module.wat";
/** How asc asks for a file of the package "iot32", whichever directory it tries. */
const PACKAGE_FILE = new RegExp(`(?:^|/)node_modules/${PACKAGE}/(.+)\\.ts$`);

/** Imports that the compiler adds by itself, and what an application did to get them. */
const COMPILER_IMPORTS: Readonly<Record<string, string>> = {
  "env.seed": "Math.random() is not available: use the library's random bytes",
  "env.trace": "trace() is not available: use the library's log",
  "env.mark": "performance.mark() is not available",
  "env.abort": "an exception cannot be reported: asconfig.json must replace abort",
  "env.Date.now": "Date.now() is not available: time comes with the events",
  "env.console.log": "console.log() is not available: use the library's log",
};

const posix = (path: string): string => path.split(sep).join("/");

/** One compilation: the files it reads, the diagnostics it gets, and the outputs it writes. */
class Compilation {
  readonly outputs = new Map<string, Uint8Array | string>();
  readonly diagnostics: Diagnostic[] = [];
  private readonly sources = new Map<string, string>();
  private readonly application: string;
  private readonly library: string;
  readonly outputName: string;

  constructor(private readonly options: BuildOptions) {
    this.application = posix(relative(packageRoot, resolve(options.entry)));
    this.library = options.library ?? "assembly";
    this.outputName = options.outputName ?? "module.wasm";
  }

  /** `export *` keeps one copy of the library, whether it is imported by name or by path. */
  private libraryForwarder(file: string): string {
    return `export * from "../../${this.library}/${file}";`;
  }

  private wrapper(): string {
    const application = this.application.replace(/\.ts$/, "");
    const entry = `./${this.library}/entry`;
    return [
      `import "${ABORT}";`,
      `import { setup } from "./${application}";`,
      `import { start } from "${entry}";`,
      "start(setup);",
      `export { abi_version, inbox, dispatch } from "${entry}";`,
    ].join("\n");
  }

  private async load(path: string): Promise<string | null> {
    if (path === WRAPPER) return this.wrapper();
    const replacement = this.options.replace?.[path];
    if (replacement !== undefined) return readFile(resolve(packageRoot, replacement), "utf8");
    const packaged = PACKAGE_FILE.exec(path)?.[1];
    if (packaged !== undefined) {
      const isThere = await this.load(`${this.library}/${packaged}.ts`);
      return isThere === null ? null : this.libraryForwarder(packaged);
    }
    return readFile(resolve(packageRoot, path), "utf8").catch(() => null);
  }

  private async read(name: string, base: string): Promise<string | null> {
    const path = posix(relative(packageRoot, resolve(base, name)));
    const text = await this.load(path);
    if (text !== null) this.sources.set(path, text);
    return text;
  }

  async run(): Promise<void> {
    const { target = "release", text = false, names = false } = this.options;
    const outputs = ["--outFile", this.outputName, ...(text ? ["--textFile", TEXT_OUTPUT] : [])];
    if (names) outputs.push("--debug");
    const asc = await loadCompiler();
    const { error } = await asc.main(
      [WRAPPER, "--baseDir", packageRoot, "--target", target, "--noColors", ...outputs],
      {
        stdout: asc.createMemoryStream(),
        stderr: asc.createMemoryStream(),
        readFile: (name, base) => this.read(name, base),
        writeFile: (name, contents) => void this.outputs.set(name, contents),
        listFiles: () => null,
        reportDiagnostic: (diagnostic) => this.diagnostics.push(diagnostic),
      },
    );
    const errors = this.diagnostics.filter(
      (diagnostic) => diagnostic.category === DiagnosticCategory.ERROR,
    );
    if (errors.length > 0) throw new BuildError(this.explain(errors));
    if (error !== null) throw new BuildError(`the compiler failed: ${error.message}`);
  }

  warnings(): string[] {
    const warnings = this.diagnostics.filter(
      (diagnostic) => diagnostic.category === DiagnosticCategory.WARNING,
    );
    return warnings.map((diagnostic) => this.format(diagnostic));
  }

  /** An error in the generated wrapper is an error of `setup`, and is said in those words. */
  private explain(errors: readonly Diagnostic[]): string {
    const ofSources = errors.filter((error) => error.range?.source?.normalizedPath !== WRAPPER);
    if (ofSources.length > 0) return ofSources.map((error) => this.format(error)).join("\n");
    const signature = "export function setup(): void { ... }";
    const isMissing = errors.some((error) => error.message.includes("no exported member"));
    const fault = isMissing ? "exports no function setup" : "has a setup of another form";
    return `${this.shownPath(this.application)} ${fault}; an application has: ${signature}`;
  }

  private shownPath(path: string): string {
    return posix(relative(process.cwd(), resolve(packageRoot, path)));
  }

  private format(diagnostic: Diagnostic): string {
    const kind = diagnostic.category === DiagnosticCategory.ERROR ? "error" : "warning";
    const message = diagnostic.message.replaceAll("~lib/iot32", PACKAGE);
    const text = `${kind} AS${diagnostic.code}: ${message}`;
    const path = diagnostic.range?.source?.normalizedPath;
    const source = path === undefined ? undefined : this.sources.get(path);
    if (path === undefined || source === undefined) return path ? `${path}: ${text}` : text;
    const before = source.slice(0, diagnostic.range?.start ?? 0).split("\n");
    const line = source.split("\n")[before.length - 1] ?? "";
    const column = (before.at(-1)?.length ?? 0) + 1;
    return `${this.shownPath(path)}:${before.length}:${column}: ${text}\n    ${line.trim()}`;
  }
}

/** Refuses a module that a host would refuse, in words about the application. */
function checkInterface(stats: ModuleStats, target: Target): void {
  const known = new Set(IMPORTS.map((entry) => `${IMPORT_MODULE}.${entry.name}`));
  for (const name of stats.imports.filter((entry) => !known.has(entry))) {
    throw new BuildError(COMPILER_IMPORTS[name] ?? `the module imports ${name}, which no host has`);
  }
  const expected = [...EXPORTS.map((entry) => entry.name), "memory"].toSorted();
  const actual = stats.exports.toSorted();
  if (expected.join() !== actual.join()) {
    throw new BuildError(
      `the module exports ${actual.join(", ")} instead of ${expected.join(", ")}`,
    );
  }
  if (target === "esp32" && stats.memoryPages !== 1) {
    throw new BuildError(`the module wants ${stats.memoryPages} pages of memory; a chip has one`);
  }
}

async function checkEntry(entry: string): Promise<void> {
  if (!entry.endsWith(".ts")) throw new BuildError(`${entry} is not a .ts file`);
  await readFile(entry).catch((error: NodeJS.ErrnoException) => {
    throw new BuildError(`cannot read ${entry}: ${error.code ?? error.message}`);
  });
}

/** Compiles an application into a module; throws BuildError when its sources are at fault. */
export async function buildModule(options: BuildOptions): Promise<BuildResult> {
  await checkEntry(options.entry);
  const target = options.target ?? "release";
  const compilation = new Compilation(options);
  await compilation.run();
  const unlinked = compilation.outputs.get(compilation.outputName) as Uint8Array;
  const keepDebug = target === "debug" || options.names === true;
  const wasm = markAbiVersion(link(unlinked, { keepDebug }), ABI_VERSION);
  const stats = { ...moduleStats(wasm), unlinkedBytes: unlinked.length };
  checkInterface(stats, target);
  const text = compilation.outputs.get(TEXT_OUTPUT) as string | undefined;
  const sourceMap = compilation.outputs.get(`${compilation.outputName}.map`) as string | undefined;
  return {
    wasm,
    stats,
    warnings: compilation.warnings(),
    ...(text === undefined ? {} : { text }),
    ...(sourceMap === undefined ? {} : { sourceMap }),
  };
}

/** "telemetry.wasm" for "apps/telemetry.ts". */
export function defaultOutput(entry: string): string {
  return resolve(dirname(entry), `${basename(entry, ".ts")}.wasm`);
}
