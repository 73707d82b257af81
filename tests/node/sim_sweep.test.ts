// The sweep: a power cut at every call of a whole life, and at pairs of them, comes to its end; and
// a core that is broken does not (sim_mutants.test.ts has more of those).

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Scenario } from "../../host-node/src/sim/scenario.js";
import { claim, wholeLife } from "../../host-node/src/sim/scenarios.js";
import { sweep } from "../../host-node/src/sim/sweep.js";
import { engines, meter } from "./support/sim_scene.js";

test("life_with_the_power_cut_at_every_place_comes_to_its_end", () => {
  const report = sweep({ module: meter, engines, scenario: wholeLife(meter), pairsMax: 120 });
  assert.deepEqual(report.failures, []);
  assert.ok(report.calls > 900, `${report.calls}`);
  assert.ok(report.places > 200 && report.places < report.calls, `${report.places}`);
  assert.ok(report.cuts - report.pairs > report.places, "torn writes are cut, too");
  assert.ok(report.pairs > 50, `${report.pairs}`);
});

test("provisioning_in_both_variants_survives_a_cut_at_every_single_call", () => {
  for (const born of ["claim", "csr"] as const) {
    const options = { module: meter, engines, scenario: claim(meter, born), pairsMax: 0 };
    const every = sweep({ ...options, everyCall: true });
    assert.deepEqual(every.failures, [], born);
    assert.ok(every.places > every.calls, `${every.places} places, ${every.calls} calls`);
    assert.ok(sweep(options).places < every.places / 3);
  }
});

test("configuration_by_a_phone_survives_a_cut_at_every_place", () => {
  const scenario = claim(meter, "unboxed");
  const { failures, places } = sweep({ module: meter, engines, scenario, pairsMax: 60 });
  assert.deepEqual(failures, []);
  assert.ok(places > 90, `${places}`);
});

test("same_seed_sweeps_the_same_places", () => {
  const options = { module: meter, engines, scenario: claim(meter), pairsMax: 20 };
  assert.deepEqual(sweep(options), sweep(options));
  const { digest } = sweep({ ...options, seed: 2 });
  assert.notEqual(digest, sweep(options).digest);
});

test("scenario_that_never_ends_is_a_failure_of_the_run_without_a_cut", () => {
  const endless: Scenario = { ...claim(meter), done: () => false, withinMs: 600_000 };
  const { failures, cuts } = sweep({ module: meter, engines, scenario: endless, pairsMax: 0 });
  assert.ok(cuts > 0);
  assert.deepEqual(failures.at(-1), { cuts: [], violation: null });
});

test("copies_that_do_not_come_to_the_end_are_told_with_their_cuts", () => {
  // After a cut this scenario is never done: each copy fails, the run itself does not.
  const once: Scenario = {
    ...claim(meter),
    done: (world) => claim(meter).done(world) && world.devices[0]!.life === 1,
    withinMs: 3600_000,
  };
  const { failures, cuts } = sweep({ module: meter, engines, scenario: once, pairsMax: 0 });
  assert.equal(failures.length, cuts);
  const [first] = failures;
  assert.equal(first!.cuts.length, 1);
  assert.ok(first!.cuts[0]!.call >= 0);
});
