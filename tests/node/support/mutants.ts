// Deliberate bugs (tests/sim/mutants/*.patch): read, applied to copies, built, and looked for with
// the simulator. A patch's head says what the bug does to a user and, in its last line, by which
// command of iot32 it is found, which is what a hunt runs.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { applyPatch, parsePatch } from "diff";
import { packageRoot } from "../../../host-node/src/package_root.js";
import type { EnginePool } from "../../../host-node/src/sim/engine.js";
import type { FaultChoice } from "../../../host-node/src/sim/faults.js";
import { SCENARIOS, type ScenarioName } from "../../../host-node/src/sim/scenarios.js";
import { type Birth, describeViolation } from "../../../host-node/src/sim/simulation.js";
import { sweep } from "../../../host-node/src/sim/sweep.js";
import { runTrial } from "../../../host-node/src/sim/trial.js";
import { meterInvariants } from "../../sim/example/readings.js";
import { replacedSampleBytes } from "./module_cache.js";

export const MUTANTS = join("tests", "sim", "mutants");
const COPIES = join("build", "mutants");
const APPLICATION = "meter";
const FOUND_BY = "found by: ";

export interface Mutant {
  /** Name of the patch, without its ending. */
  readonly name: string;
  /** What the bug is, and what it does to a user. */
  readonly about: string;
  /** A command as `iot32` takes it: "sim --seed 3 --days 2". */
  readonly foundBy: string;
  readonly patch: string;
}

export function mutants(): Mutant[] {
  const names = readdirSync(join(packageRoot, MUTANTS)).filter((name) => name.endsWith(".patch"));
  return names.toSorted().map((file) => readMutant(file.slice(0, -".patch".length)));
}

/** Throws for a patch that lacks its head. */
export function readMutant(name: string): Mutant {
  const text = readFileSync(join(packageRoot, MUTANTS, `${name}.patch`), "utf8");
  const at = text.indexOf("--- a/");
  const head = text.slice(0, Math.max(at, 0)).trimEnd().split("\n");
  const foundBy = head.pop() ?? "";
  if (!foundBy.startsWith(FOUND_BY) || head.length === 0 || at < 0) {
    throw new Error(`${name}.patch: a head of 1 to 3 lines and "${FOUND_BY}..." are missing`);
  }
  const about = head.join("\n");
  return { name, about, foundBy: foundBy.slice(FOUND_BY.length), patch: text.slice(at) };
}

/** Notes in the patch's head by which command it was found. */
export function noteHunt({ name, foundBy }: Mutant, command: string): void {
  const path = join(packageRoot, MUTANTS, `${name}.patch`);
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replace(`${FOUND_BY}${foundBy}`, `${FOUND_BY}${command}`));
}

/** Copies of the files, changed, by the files' paths from the package root. Throws for a patch that
 * does not apply, or changes nothing. */
export function patched({ name, patch }: Mutant): Record<string, string> {
  const replace: Record<string, string> = {};
  for (const one of parsePatch(patch)) {
    const path = (one.oldFileName ?? "").replace(/^a\//, "");
    const source = readFileSync(join(packageRoot, path), "utf8");
    const changed = applyPatch(source, one, { fuzzFactor: 0 });
    if (changed === false || changed === source) {
      throw new Error(`${name}.patch does not apply to ${path}: it has changed; make it anew`);
    }
    const copy = join(COPIES, name, path);
    mkdirSync(dirname(join(packageRoot, copy)), { recursive: true });
    writeFileSync(join(packageRoot, copy), changed);
    replace[path] = copy;
  }
  if (Object.keys(replace).length === 0) throw new Error(`${name}.patch changes no file`);
  return replace;
}

/** The sample meter with the bug in it. */
export function mutantBytes(mutant: Mutant): Promise<Uint8Array> {
  return replacedSampleBytes(`mutant-${mutant.name}`, APPLICATION, patched(mutant));
}

// ---- the hunt ----------------------------------------------------------------------------------

export interface Finding {
  readonly invariant: string;
  readonly sentence: string;
  /** The run in which it was found: one seed. */
  readonly command: string;
}

const OPTIONS = {
  seed: { type: "string", default: "1" },
  seeds: { type: "string", default: "1" },
  days: { type: "string", default: "7" },
  born: { type: "string", default: "claim" },
  faults: { type: "string", default: "default" },
  pairs: { type: "string", default: "1000" },
} as const;

interface Run {
  readonly seed: number;
  readonly born: Birth;
  readonly days: number;
  readonly pairsMax: number;
  readonly faults: FaultChoice;
}

const faultsOf = (text: string): FaultChoice =>
  text.endsWith(".json")
    ? (JSON.parse(readFileSync(join(packageRoot, text), "utf8")) as FaultChoice)
    : (text as FaultChoice);

/**
 * Runs `sim` or `sweep` as the command says, seed after seed, to the first violation; null: nothing
 * was found.
 */
export function hunt(module: Uint8Array, command: string, engines: EnginePool): Finding | null {
  const { values, positionals } = parseArgs({
    ...{ args: command.split(" "), options: OPTIONS, allowPositionals: true },
  });
  const [verb, name = ""] = positionals;
  const first = Number(values.seed);
  for (let seed = first; seed < first + Number(values.seeds); seed++) {
    const run: Run = {
      ...{ seed, born: values.born as Birth, days: Number(values.days) },
      ...{ pairsMax: Number(values.pairs), faults: faultsOf(values.faults) },
    };
    const found = verb === "sim" ? simulate(module, run, engines) : cut(module, name, run, engines);
    if (found === null) continue;
    const others = command.replace(/ --seeds? \d+/g, "");
    return { ...found, command: `${others} --seed ${seed}` };
  }
  return null;
}

type Found = Omit<Finding, "command"> | null;

function simulate(module: Uint8Array, run: Run, engines: EnginePool): Found {
  const { seed, days, born, faults } = run;
  const invariants = meterInvariants;
  const { violation } = runTrial({ module, seed, days, born, faults, engines, invariants });
  if (violation === null) return null;
  return { invariant: violation.invariant, sentence: describeViolation(violation, seed) };
}

function cut(module: Uint8Array, name: string, run: Run, engines: EnginePool): Found {
  const { seed, born, pairsMax } = run;
  const scenario = SCENARIOS[name as ScenarioName](module, born);
  const [failure] = sweep({ module, scenario, seed, pairsMax, engines, failuresMax: 1 }).failures;
  if (failure === undefined) return null;
  const { violation, cuts } = failure;
  const places = cuts.map(({ call, mode }) => `call ${call} (${mode})`).join(", ");
  const invariant = violation?.invariant ?? "the scenario comes to its end";
  const what = violation === null ? "it does not end" : describeViolation(violation, seed);
  return { invariant, sentence: `power cut at ${places}: ${what}` };
}
