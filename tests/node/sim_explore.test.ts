// The explorer: everything that may happen to a device within its bounds, with nothing violated;
// the modes that were seen are those of the table; and an invariant that cannot hold is found by a
// shortest way.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Event, OtaState } from "../../host-node/src/abi.js";
import type { SimDevice } from "../../host-node/src/sim/device.js";
import { explore } from "../../host-node/src/sim/explore.js";
import type { Invariant, Report } from "../../host-node/src/sim/invariants/invariant.js";
import { compareModes, drawModes } from "../../host-node/src/sim/mode_graph.js";
import { BIRTHS } from "../../host-node/src/sim/simulation.js";
import { named } from "./support/sim_scene.js";

test("every_state_without_faults_is_good_and_the_modes_are_those_of_the_table", () => {
  const reports = BIRTHS.map((born) => explore({ named, born, faultsMax: 0 }));
  for (const { born, failures, isComplete, states } of reports) {
    assert.deepEqual(failures, [], born);
    assert.ok(isComplete, `${born}: ${states}`);
  }
  const modes = reports.flatMap((report) => report.modes);
  assert.deepEqual(compareModes(modes), { beyond: [], unseen: [] });
  const drawing = drawModes(modes);
  assert.match(drawing, /NORMAL --> OTA$/m);
  assert.match(drawing, /OTA --> INIT: restart$/m);
  const machines = new Set(reports.flatMap((report) => report.machines));
  for (const state of [
    "modes OTA",
    "ble AUTHENTICATED",
    "trial CONFIRMED",
    "setup COMMITTING_CLAIM",
  ]) {
    assert.ok(machines.has(state), `${state} of ${[...machines].join(", ")}`);
  }
});

test("states_with_one_fault_are_good_as_far_as_the_bound_lets_it_see", () => {
  const { failures, states, isComplete } = explore({ named, faultsMax: 1, statesMax: 500 });
  assert.deepEqual(failures, []);
  assert.equal(isComplete, false);
  assert.ok(states > 500, `${states}`);
});

/** Breaks when an update waits to go on: that takes a fault in the middle of a download. */
class NoWaiting implements Invariant {
  readonly name = "no waiting";
  event(device: SimDevice, event: number, value: number, _text: string, report: Report): void {
    if (event === Event.OTA_STATE && value === OtaState.WAITING) report(device, "waits");
  }
  copy(): NoWaiting {
    return this;
  }
}

test("violation_is_found_by_a_shortest_way", () => {
  const invariants = () => [new NoWaiting()];
  const { failures } = explore({ named, born: "thing", faultsMax: 1, statesMax: 3000, invariants });
  const [first] = failures;
  assert.equal(first?.violation?.invariant, "no waiting");
  const chosen = first!.way.filter((what) => what !== "it goes on");
  assert.equal(chosen.length, 2, chosen.join("; "));
  assert.equal(chosen[0], "an update is created");
});

test("module_without_names_cannot_be_explored", () => {
  assert.throws(() => explore({ named: new Uint8Array(8) }), /./);
});
