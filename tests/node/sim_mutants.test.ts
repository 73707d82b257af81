// Deliberate bugs are found by the simulator: each patch of tests/sim/mutants by the command in its
// head, which the core without a bug passes; the one in the application by the documented example.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../host-node/src/package_root.js";
import { EnginePool } from "../../host-node/src/sim/engine.js";
import { sampleBytesOf } from "./support/module_cache.js";
import { hunt, type Mutant, mutantBytes, mutants, patched, readMutant } from "./support/mutants.js";

const APPLICATION = "11-application";
const EXAMPLE = "dist/tests/sim/example/meter.test.js";
const MUTANTS_MIN = 10;

const clean = await sampleBytesOf("release", "meter");
const cleanEngines = new EnginePool();
const ofCore = mutants().filter(({ name }) => name !== APPLICATION);

test("mutants of the core are ten at least, each with a number of its own", () => {
  assert.ok(ofCore.length >= MUTANTS_MIN);
  const numbers = ofCore.map(({ name }) => name.slice(0, 2));
  assert.equal(new Set(numbers).size, numbers.length);
});

for (const mutant of ofCore) {
  test(`mutant ${mutant.name} is found by: ${mutant.foundBy}`, async (t) => {
    const finding = hunt(await mutantBytes(mutant), mutant.foundBy, new EnginePool());
    assert.ok(finding !== null, `nobody found that ${mutant.about}`);
    t.diagnostic(finding.sentence);
    const cleanFinding = hunt(clean, finding.command, cleanEngines);
    assert.equal(cleanFinding?.sentence, undefined, `${finding.command} without the bug`);
  });
}

/** Runs the example for an application, as a user would: its exit code and what it printed. */
function runExample(application: string) {
  const { NODE_TEST_CONTEXT: _inner, ...env } = process.env;
  return spawnSync(process.execPath, ["--test", EXAMPLE], {
    ...{ cwd: packageRoot, encoding: "utf8", env: { ...env, APPLICATION: application } },
  });
}

/** Puts the application with its bug into a folder of its own; there it imports "iot32" by name. */
function applicationOf(mutant: Mutant): string {
  const [copy = ""] = Object.values(patched(mutant));
  const source = readFileSync(join(packageRoot, copy), "utf8");
  const folder = join(packageRoot, "build", "mutants", APPLICATION);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "meter.ts");
  writeFileSync(path, source.replace('from "../index"', 'from "iot32"'));
  return path;
}

test("mutant of the application is found by the documented example, which its original passes", () => {
  const broken = runExample(applicationOf(readMutant(APPLICATION)));
  assert.equal(broken.status, 1, broken.stdout);
  assert.match(broken.stdout, /readings \d+ are missing/);
  const good = runExample(join(packageRoot, "assembly", "apps", "meter.ts"));
  assert.equal(good.status, 0, good.stdout);
});

test("patch that does not apply is an error", () => {
  const mutant = readMutant("07-backoff-without-floor");
  const other = { ...mutant, patch: mutant.patch.replaceAll("baseMs", "otherMs") };
  assert.throws(() => patched(other), /does not apply/);
});
