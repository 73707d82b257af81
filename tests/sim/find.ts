// Looks for a way to find each mutant: sweeps of `claim` and `life`, then seeds, until one breaks
// an invariant or five minutes are over. `node dist/tests/sim/find.js [NN ...]` prints what was
// found and how long it took; with --note it writes the command into the head of the patch.

import { EnginePool } from "../../host-node/src/sim/engine.js";
import { sampleBytesOf } from "../node/support/module_cache.js";
import { hunt, type Mutant, mutantBytes, mutants, noteHunt } from "../node/support/mutants.js";

const LIMIT_MS = 5 * 60_000;
const SEEDS = 60;
const BIRTHS = ["claim", "csr", "unboxed", "thing"] as const;
/** Profiles of one trouble each, for days; others are tried for the first minutes only. */
const FAULTS = ["offline", "downloads"] as const;

/** From cheap to dear. */
function* commands(): Generator<string> {
  yield "sim --seed 1 --days 1";
  yield "sweep claim --pairs 0";
  yield "sim --seed 1 --days 2 --faults rough";
  yield "sweep claim --born csr --pairs 0";
  for (let seed = 2; seed <= 12; seed++) yield `sim --seed ${seed} --days 2 --faults rough`;
  yield "sweep life --pairs 0";
  yield "sweep claim --pairs 200";
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const faults of FAULTS) {
      yield `sim --seed ${seed} --days 3 --faults tests/sim/faults/${faults}.json --born thing`;
    }
    yield `sim --seed ${seed} --days 0.1 --faults tests/sim/faults/provisioning.json`;
    yield `sim --seed ${seed} --days 0.5 --faults tests/sim/faults/flash.json`;
    yield `sim --seed ${seed} --days 0.1 --faults tests/sim/faults/strangers.json --born unboxed`;
    for (const born of BIRTHS) {
      yield `sim --seed ${seed} --days 1 --faults rough --born ${born}`;
      yield `sim --seed ${seed} --days 3 --born ${born}`;
    }
  }
  yield "sweep life --born csr --pairs 300";
}

const seconds = (fromMs: number): string => ((performance.now() - fromMs) / 1000).toFixed(1);

const clean = await sampleBytesOf("release", "meter");
const cleanEngines = new EnginePool();

/** Whether the core without a bug passes. */
const isClean = (command: string): boolean => hunt(clean, command, cleanEngines) === null;

async function find(mutant: Mutant, notes: boolean): Promise<boolean> {
  const builtFrom = performance.now();
  const module = await mutantBytes(mutant);
  const built = seconds(builtFrom);
  const from = performance.now();
  const engines = new EnginePool();
  for (const command of commands()) {
    const began = performance.now();
    const finding = hunt(module, command, engines);
    if (finding !== null && !isClean(command)) {
      console.log(`  ${command} fails without the bug, too: ${finding.sentence}`);
    } else if (finding !== null) {
      console.log(`${mutant.name}: built in ${built} s, found after ${seconds(from)} s`);
      console.log(
        `  ${command} (${seconds(began)} s)\n  ${finding.invariant}\n  ${finding.sentence}`,
      );
      if (notes) noteHunt(mutant, command);
      return true;
    }
    if (performance.now() - from > LIMIT_MS) break;
  }
  console.log(`${mutant.name}: NOT FOUND in ${seconds(from)} s`);
  return false;
}

const args = process.argv.slice(2);
const wanted = args.filter((arg) => !arg.startsWith("--"));
for (const mutant of mutants()) {
  if (wanted.length > 0 && !wanted.some((name) => mutant.name.startsWith(name))) continue;
  try {
    if (!(await find(mutant, args.includes("--note")))) process.exitCode = 1;
  } catch (error) {
    console.log(`${mutant.name}: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
