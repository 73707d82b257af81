// All scenarios of tests/conformance, with their expected traces, in V8 and in wasm3; every status
// of every import; coverage of the state tables. `npm run conformance` is the same by hand, and
// tells more.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Adapter, Wasm3Adapters } from "../conformance/adapters.js";
import { measureCoverage } from "../conformance/coverage.js";
import { strays } from "../conformance/golden.js";
import { expectations, runScenario } from "../conformance/run.js";
import { scenarios } from "../conformance/scenarios/index.js";
import { runStatuses } from "../conformance/statuses_run.js";
import { skipWithoutNative } from "./support/native.js";

const COVERAGE_MIN = 0.95;

describe("conformance", () => {
  let native: Wasm3Adapters | null = null;
  let adapters: readonly Adapter[] = [];

  before(() => {
    if (skipWithoutNative !== false) return;
    native = new Wasm3Adapters();
    adapters = native.all;
  });
  after(() => native?.close());

  test("wasm3_is_among_the_adapters", { skip: skipWithoutNative }, () => {
    assert.equal(adapters.length, 3);
  });

  for (const scenario of scenarios) {
    test(`scenario_${scenario.name}_is_as_expected_on_every_adapter`, async () => {
      assert.deepEqual(await runScenario(scenario, adapters), []);
    });
  }

  test("every_expected_trace_belongs_to_a_scenario", () => {
    assert.deepEqual(strays(scenarios), []);
  });

  test("every_expected_difference_names_a_scenario_and_has_a_reason", () => {
    const names = scenarios.map(({ name }) => name);
    for (const { scenario, reason } of expectations) {
      assert.ok(names.includes(scenario) && reason.length > 10, scenario);
    }
  });

  test("every_status_of_every_import_leaves_a_device_that_recovers", async () => {
    // One way of wasm3, as a chip runs it; `npm run conformance` takes all three.
    const { played, findings } = await runStatuses(adapters.slice(1, 2));
    assert.ok(played >= 700, `${played} statuses`);
    assert.deepEqual(findings, []);
  });

  test("scenarios_take_nearly_all_transitions_of_the_state_tables", async () => {
    const { taken, all, missing } = await measureCoverage(scenarios);
    assert.ok(taken / all >= COVERAGE_MIN, `${taken} of ${all}: ${missing.join("; ")}`);
  });
});
