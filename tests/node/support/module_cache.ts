// Test applications as compiled modules. Compiling takes seconds and each test file runs in a
// process of its own, so that the bytes are kept in node_modules/.cache under a digest of all that
// they are made of; a change of any source makes another digest.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildModule, type Target } from "../../../host-node/src/build.js";
import { compileCore } from "../../../host-node/src/core.js";
import { packageRoot } from "../../../host-node/src/package_root.js";

const CACHE = join(packageRoot, "node_modules", ".cache", "iot32-tests");
const APPS = join("tests", "wasm", "apps");
const SAMPLES = join("assembly", "apps");
const OTHER_SOURCES = [
  "asconfig.json",
  "scripts/transform.mjs",
  "node_modules/assemblyscript/package.json",
];

type Replace = Readonly<Record<string, string>>;
/** Tells the host each row of a state machine that is taken. */
const COVERAGE: Replace = { "assembly/util/machine.ts": "tests/wasm/coverage/machine.ts" };

async function sources(application: string, replace: Replace): Promise<string[]> {
  const core = await readdir(join(packageRoot, "assembly"), { recursive: true });
  return [
    ...core.filter((name) => name.endsWith(".ts")).map((name) => join("assembly", name)),
    ...OTHER_SOURCES,
    application,
    ...Object.values(replace),
  ].toSorted();
}

async function digest(application: string, replace: Replace): Promise<string> {
  const hash = createHash("sha256").update(buildModule.toString());
  for (const path of await sources(application, replace)) {
    hash.update(path).update(await readFile(join(packageRoot, path)));
  }
  for (const name of ["build.js", "wasm_link.js"]) {
    hash.update(await readFile(new URL(`../../../host-node/src/${name}`, import.meta.url)));
  }
  return hash.digest("hex").slice(0, 32);
}

/** Puts the bytes in place whole, and removes those of older sources. */
async function keep(name: string, file: string, wasm: Uint8Array): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const part = join(CACHE, `${file}.${process.pid}`);
  await writeFile(part, wasm);
  await rename(part, join(CACHE, file));
  const old = (await readdir(CACHE)).filter(
    (entry) => entry.startsWith(`${name}-`) && isModuleOf(name, entry) && entry !== file,
  );
  await Promise.all(old.map((entry) => rm(join(CACHE, entry), { force: true })));
}

/** A digest follows the name, and not the rest of a longer one. */
const isModuleOf = (name: string, entry: string): boolean =>
  /^[0-9a-f]{32}\.wasm$/.test(entry.slice(name.length + 1));

/** A sample with other files in place of some, under a name of its own in the cache. */
export async function replacedSampleBytes(
  name: string,
  application: string,
  replace: Replace,
): Promise<Uint8Array> {
  const entry = join(SAMPLES, `${application}.ts`);
  const file = `${name}-${await digest(entry, replace)}.wasm`;
  const kept = await readFile(join(CACHE, file)).catch(() => null);
  if (kept !== null) return kept;
  const { wasm } = await buildModule({ entry: join(packageRoot, entry), replace });
  await keep(name, file, wasm);
  return wasm;
}

async function bytesOf(
  target: Target,
  application: string,
  folder = APPS,
  replace: Replace = {},
  names = false,
): Promise<Uint8Array> {
  const entry = join(folder, `${application}.ts`);
  const kind = `${replace === COVERAGE ? "-coverage" : ""}${names ? "-named" : ""}`;
  const name = `${application}-${target}${kind}`;
  const file = `${name}-${await digest(entry, replace)}.wasm`;
  const kept = await readFile(join(CACHE, file)).catch(() => null);
  if (kept !== null) return kept;
  const { wasm } = await buildModule({ entry: join(packageRoot, entry), target, replace, names });
  await keep(name, file, wasm);
  return wasm;
}

/** The same, uncompiled. */
export function moduleBytesOf(target: Target, application: string): Promise<Uint8Array> {
  return bytesOf(target, application);
}

/** A sample application of assembly/apps, uncompiled. */
export function sampleBytesOf(target: Target, application: string): Promise<Uint8Array> {
  return bytesOf(target, application, SAMPLES);
}

/** A sample application with the names of its functions and variables. */
export function namedSampleOf(target: Target, application: string): Promise<Uint8Array> {
  return bytesOf(target, application, SAMPLES, {}, true);
}

/** A sample or test application that reports which transitions are taken. */
export function coverageBytesOf(target: Target, application: string): Promise<Uint8Array> {
  const isSample = existsSync(join(packageRoot, SAMPLES, `${application}.ts`));
  return bytesOf(target, application, isSample ? SAMPLES : APPS, COVERAGE);
}

const modules = new Map<string, Promise<WebAssembly.Module>>();

/** The application compiled with the core. */
export function moduleOf(target: Target, application = "puppet"): Promise<WebAssembly.Module> {
  const key = `${application} ${target}`;
  let module = modules.get(key);
  if (module === undefined) {
    module = bytesOf(target, application).then((wasm) => compileCore(wasm));
    modules.set(key, module);
  }
  return module;
}
