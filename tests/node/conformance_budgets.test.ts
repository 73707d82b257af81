// The budgets of tests/conformance/budgets.json: sizes of the samples, and what `all` costs in wasm3,
// counted. `npm run size -- --wasm3` prints the same figures.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf } from "../conformance/adapters.js";
import { budgets, compareWithBudgets, isOver } from "../conformance/budgets.js";
import { measureCost } from "../conformance/cost.js";
import { sampleBytesOf } from "./support/module_cache.js";
import { skipWithoutNative } from "./support/native.js";

test("samples_are_within_their_limits", async () => {
  for (const [application, limit] of Object.entries(budgets.moduleBytes)) {
    const { length } = await sampleBytesOf("esp32", application);
    assert.ok(length <= limit, `${application} has ${length} bytes, its limit is ${limit}`);
  }
});

test("steps_and_memory_in_wasm3_are_within_their_limits", {
  skip: skipWithoutNative,
}, async () => {
  const items = compareWithBudgets(measureCost(await bytesOf("all")));
  assert.deepEqual(items.filter(isOver), []);
  const kinds = items.filter(({ name }) => name.startsWith("operations"));
  assert.deepEqual(kinds.length, Object.keys(budgets.operations).length);
  assert.ok(
    kinds.every(({ found, limit }) => found > limit / 3),
    "a limit that limits nothing",
  );
});
