// Native programs for tests: our C with every warning and sanitizer, linked with wasm3. Which
// wasm3: the directory that WASM3_SOURCE names, else the source distribution in .cache that
// .ci/run gets (docs/decisions/0007-wasm3-for-tests.md). Where gcc or wasm3 is missing the tests
// are skipped with a line that says so; where CI is set they fail instead.

import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { packageRoot } from "../../../host-node/src/package_root.js";

const ARCHIVE = join(packageRoot, ".cache", "pywasm3-0.5.0.tar.gz");
const CACHE = join(packageRoot, "node_modules", ".cache", "iot32-tests");
export const HOST_ABI = join(packageRoot, "host-esp32", "components", "host_abi");
export const HOST_LINUX = join(packageRoot, "host-esp32", "linux");
const STRICT = ["-std=gnu11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror"];
const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
/**
 * -O2, because each operation of wasm3 ends in a call of the next: only as a tail call it takes no
 * stack. Without the sanitizer of undefined behaviour: wasm3 0.5 shifts and aligns as it likes.
 */
const WASM3_OPTIONS = ["-std=gnu11", "-g", "-O2", "-w", "-fsanitize=address"];

const RENAMED = ["-DProfileHit=wasm3_hit", "-Dm3_PrintProfilerInfo=wasm3_print"];

const hasCompiler = spawnSync("gcc", ["--version"]).status === 0;
const given = process.env["WASM3_SOURCE"];
const isMissing = !hasCompiler || (given === undefined && !existsSync(ARCHIVE));
const missing = `needs gcc, and wasm3 in WASM3_SOURCE or ${ARCHIVE}`;

/** For a test's `skip`: false, or what is missing. */
export const skipWithoutNative = isMissing && process.env["CI"] === undefined ? missing : false;

export interface Wasm3 {
  /** Directory of wasm3.h. */
  readonly source: string;
  readonly objects: readonly string[];
}

function compileWasm3(source: string, objects: string): void {
  const files = readdirSync(source).filter((name) => /^m3_(?!api_).*\.c$/.test(name));
  const paths = files.map((name) => join(source, name));
  mkdirSync(objects, { recursive: true });
  execFileSync("gcc", [...WASM3_OPTIONS, "-I", source, "-c", ...paths], {
    cwd: objects,
    stdio: "pipe",
  });
}

function unpack(folder: string): string {
  if (given !== undefined) return resolve(given);
  execFileSync("tar", ["xzf", ARCHIVE, "-C", folder]);
  return join(folder, "pywasm3-0.5.0", "wasm3");
}

/** wasm3, compiled once for all test files and kept until it or its options are others. */
export function wasm3(): Wasm3 {
  if (isMissing) throw new Error(missing);
  const mark = given ?? readFileSync(ARCHIVE);
  const key = createHash("sha256").update(mark).update(WASM3_OPTIONS.join(" ")).digest("hex");
  const kept = join(CACHE, `wasm3-${key.slice(0, 16)}`);
  if (!existsSync(kept)) {
    mkdirSync(CACHE, { recursive: true });
    const draft = mkdtempSync(join(CACHE, "wasm3-draft-"));
    compileWasm3(unpack(draft), join(draft, "objects"));
    try {
      renameSync(draft, kept);
    } catch {
      // Another test file was faster.
      rmSync(draft, { recursive: true });
    }
  }
  const source = given === undefined ? join(kept, "pywasm3-0.5.0", "wasm3") : resolve(given);
  const objects = readdirSync(join(kept, "objects")).map((name) => join(kept, "objects", name));
  return { source, objects };
}

/** Compiles our sources with every warning and links them with wasm3; throws what gcc says. */
export function buildNative(
  program: string,
  sources: readonly string[],
  defines: readonly string[] = [],
): void {
  const { source, objects } = wasm3();
  const options = [...SANITIZERS, ...defines, "-isystem", source];
  compileStrict(program, [...sources, ...objects], options);
}

/**
 * The same without sanitizers, for figures. `counts`: a wasm3 that counts its operations
 * (host-esp32/linux/replay/operations.c), which takes time.
 */
export function buildForFigures(
  program: string,
  sources: readonly string[],
  options: readonly string[],
  counts: boolean,
): void {
  const { source } = wasm3();
  const files = readdirSync(source).filter((name) => /^m3_(?!api_).*\.c$/.test(name));
  const folder = mkdtempSync(join(tmpdir(), "iot32-figures-"));
  const optimized = ["-O2", ...(counts ? ["-Dd_m3EnableOpProfiling=1"] : [])];
  for (const name of files) {
    // Its own counter goes under other names: it prints, and cannot be asked.
    const own = counts && name === "m3_exec.c" ? RENAMED : [];
    const all = ["-std=gnu11", "-w", ...optimized, ...own, "-I", source, "-c", join(source, name)];
    execFileSync("gcc", all, { cwd: folder, stdio: "pipe" });
  }
  const objects = readdirSync(folder).map((name) => join(folder, name));
  compileStrict(program, [...sources, ...objects], [...optimized, ...options, "-isystem", source]);
  rmSync(folder, { recursive: true });
}

/** Compiles our sources, which need no wasm3, with every warning and these options. */
export function compileStrict(
  program: string,
  sources: readonly string[],
  options: readonly string[],
): void {
  const includes = ["-I", join(HOST_ABI, "include"), "-I", HOST_LINUX];
  const all = [...STRICT, ...options, ...includes, ...sources];
  execFileSync("gcc", [...all, "-lm", "-pthread", "-o", program], { stdio: "pipe" });
}

/**
 * Compiles our sources as buildNative does, but links nothing: for programs that have most of their
 * files in common. Gives the objects.
 */
export function compileObjects(folder: string, sources: readonly string[]): string[] {
  const includes = ["-I", join(HOST_ABI, "include"), "-I", HOST_LINUX, "-isystem", wasm3().source];
  mkdirSync(folder, { recursive: true });
  execFileSync("gcc", [...STRICT, ...SANITIZERS, ...includes, "-c", ...sources], {
    cwd: folder,
    stdio: "pipe",
  });
  return readdirSync(folder).map((name) => join(folder, name));
}

export const cFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(folder, name));

/** A folder for the programs and files of one suite; remove it afterwards. */
export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), "iot32-native-"));
