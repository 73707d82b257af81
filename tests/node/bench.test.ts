// The frame of benches: turns, medians and ratios; and that each registered bench runs.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { packageRoot } from "../../host-node/src/package_root.js";
import { type Bout, measure, median, type Result, tableOf } from "../../scripts/bench/bench.js";
import { BENCHES } from "../../scripts/bench/registry.js";

const task = join(packageRoot, "dist/scripts/tasks/bench.js");
const bench = (...args: string[]) => promisify(execFile)(process.execPath, [task, ...args]);

function boutOf(names: readonly string[], order: string[], reference = names[0]!): Bout {
  const contestants = names.map((name) => ({ name, run: async () => void order.push(name) }));
  return { contestants, reference, notes: [], close: async () => {} };
}

test("median_of_odd_and_even_numbers_of_values", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.throws(() => median([]), /no values/);
});

test("contestants_run_in_turns_and_warm_up_runs_are_not_counted", async () => {
  const order: string[] = [];
  const results = await measure(boutOf(["a", "b"], order), 2);
  assert.match(order.join(""), /^(ab){3,}$/);
  assert.deepEqual(
    results.map(({ name, samplesMs }) => [name, samplesMs.length]),
    [
      ["a", 2],
      ["b", 2],
    ],
  );
  assert.equal(results[0]?.ratio, 1);
});

test("reference_that_does_not_take_part_is_an_error", async () => {
  await assert.rejects(measure(boutOf(["a"], [], "c"), 1), /no contestant is called c/);
});

test("contestant_that_fails_fails_the_bench", async () => {
  const run = () => Promise.reject(new Error("other bytes"));
  const bout = { ...boutOf([], [], "a"), contestants: [{ name: "a", run }] };
  await assert.rejects(measure(bout, 1), /other bytes/);
});

test("table_has_a_row_for_each_contestant_with_its_ratio", () => {
  const result: Result = {
    name: "a",
    medianMs: 1,
    minMs: 1,
    maxMs: 1,
    ratio: 2.5,
    samplesMs: [],
    partsMs: {},
  };
  const lines = tableOf([result, { ...result, name: "longer" }]);
  assert.equal(lines.length, 3);
  assert.match(lines[1]!, /^a {6}.*1\.0 ms +2\.50$/);
  assert.equal(new Set(lines.map(({ length }) => length)).size, 1);
});

test("list_of_benches_names_them_and_an_unknown_one_is_refused", async () => {
  const { stdout } = await bench();
  for (const { name } of BENCHES) assert.match(stdout, new RegExp(`^  ${name} `, "m"));
  await assert.rejects(bench("no-such"), /no bench is called no-such/);
  await assert.rejects(bench("http", "--runs", "0"), /--runs/);
});

test("contestant_that_measures_itself_counts_as_it_says_with_medians_of_its_parts", async () => {
  const samples = [9, 9, 9, 5, 1, 3].map((ms) => ({ ms, parts: { half: ms / 2 } }));
  const run = async () => samples.shift();
  const bout = { ...boutOf([], [], "a"), contestants: [{ name: "a", run }] };
  const [result] = await measure(bout, 3);
  assert.deepEqual([result?.medianMs, result?.partsMs], [3, { half: 1.5 }]);
  assert.match(tableOf([result!])[2]!, /^ {2}half +1\.5 ms *$/);
});

test("ota_bench_updates_devices_that_write_and_verify_and_says_so_in_json", async () => {
  const { stdout } = await bench("ota", "--runs", "1", "--json");
  const { results } = JSON.parse(stdout) as { results: Result[] };
  assert.ok(results.every(({ medianMs }) => medianMs > 0));
  const devices = results.filter(({ name }) => name.startsWith("device"));
  assert.equal(devices.length, 2);
  for (const { medianMs, partsMs } of devices) {
    const [download, verify, answer] = Object.values(partsMs);
    assert.equal(Object.keys(partsMs).length, 3);
    assert.ok(download! > 0 && verify! > 0 && answer! > 0);
    assert.equal(download! + verify!, medianMs);
  }
});

test("http_bench_measures_the_port_and_says_so_in_json", async () => {
  const { stdout } = await bench("http", "--runs", "1", "--json");
  const { results } = JSON.parse(stdout) as { results: Result[] };
  assert.match(results[0]!.name, /^http port/);
  assert.ok(results.every(({ medianMs }) => medianMs > 0));
});
