// Half a minute of simulation, of the meter and all that can go wrong with it: seeds that are the
// same at each run, and some that are new (told, so that a failure can be repeated).

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FaultChoice } from "../../host-node/src/sim/faults.js";
import { BIRTHS, type Birth, describeViolation } from "../../host-node/src/sim/simulation.js";
import { runTrial } from "../../host-node/src/sim/trial.js";
import { engines, heap, meter } from "./support/sim_scene.js";

function expectGood(seed: number, faults: FaultChoice, days: number, more: object = {}): void {
  const { violation } = runTrial({ module: meter, heap, engines, seed, faults, days, ...more });
  assert.equal(violation, null, violation === null ? "" : describeViolation(violation, seed));
}

for (const born of BIRTHS) {
  test(`days_with_the_default_faults_hold_for_a_device_born_${born}`, () => {
    for (let seed = 1; seed <= 20; seed++) expectGood(seed, "default", 7, { born });
  });

  test(`rough_days_hold_for_a_device_born_${born}`, () => {
    for (let seed = 100; seed < 106; seed++) expectGood(seed, "rough", 3, { born });
  });
}

test("fleet_holds", () => {
  expectGood(7, "default", 0.5, { devices: 30 });
});

/** Seeds with which the simulator found a bug of the core; docs/SIMULATION.md tells which. */
const FOUND: readonly [seed: number, days: number, born: Birth, faults: FaultChoice][] = [
  [111, 3, "thing", "default"],
  [856, 0.5, "claim", { flashFailed: 0.3 }],
  [3, 0.5, "unboxed", { flashFailed: 0.3 }],
  [36, 2, "csr", "rough"],
  [5, 1, "unboxed", "rough"],
  [1, 0.5, "thing", { flashFailed: 0.3 }],
];

test("seeds_that_found_something_hold_now", () => {
  for (const [seed, days, born, faults] of FOUND) expectGood(seed, faults, days, { born });
});

test("new_seeds_hold_too", () => {
  const first = Math.floor(Math.random() * 1e9);
  console.log(`# new seeds from ${first}`);
  for (let seed = first; seed < first + 20; seed++) expectGood(seed, "default", 4);
});
