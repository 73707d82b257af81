// The states of a replayed module, read from its machines: the module that was built with names has
// the code of the shipped one, and is asked for the variable of each machine.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { buildModule } from "../../host-node/src/build.js";
import { readMachines } from "../../host-node/src/machines.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { parseTrace } from "../../host-node/src/trace/parser.js";
import { replayTrace } from "../../host-node/src/trace/replay.js";
import { watchStates } from "../../host-node/src/trace/states.js";
import { stripNames } from "../../host-node/src/wasm_link.js";
import { bytesOf, record } from "../conformance/adapters.js";
import { scenarios } from "../conformance/scenarios/index.js";

const entry = join(packageRoot, "assembly", "apps", "all.ts");
const named = (await buildModule({ entry, target: "esp32", names: true })).wasm;
const shipped = await bytesOf("all");
const { play } = scenarios.find(({ name }) => name === "ota_good")!;
const trace = record(shipped, play);

/** States at the first line from `from` on that begins so, and the number of that line. */
function statesAfter(start: string, from = 0): Record<string, string> {
  const lines = trace.split("\n");
  const until = lines.findIndex((line, at) => at >= from && line.startsWith(start)) + 1;
  assert.ok(until > 0, `no line begins with ${start}`);
  const { states } = replayTrace(parseTrace(trace), () => watchStates(named), { until });
  return Object.fromEntries(states.machines.map(({ machine, state }) => [machine, state]));
}

test("module_with_names_is_the_shipped_one_when_they_are_stripped", () => {
  assert.deepEqual(Buffer.from(stripNames(named)), Buffer.from(shipped));
});

test("module_that_can_be_asked_replays_without_a_difference", () => {
  const { difference, states } = replayTrace(parseTrace(trace), () => watchStates(named));
  assert.equal(difference, null);
  const machines = readMachines(packageRoot).map(({ name }) => name);
  const told = states.machines.map(({ machine }) => machine);
  // There are up to four shadows, and each has a state of its own, in an object.
  const missing = machines.filter((name) => !told.includes(name));
  assert.deepEqual(missing, ["shadow"]);
});

test("states_are_those_of_the_line_up_to_which_it_was_replayed", () => {
  const booted = statesAfter("> 1000 BOOT");
  assert.deepEqual([booted["modes"], booted["wifi"], booted["session"]], ["INIT", "OFF", "OFF"]);
  const joining = statesAfter("< wifi_join");
  assert.deepEqual([joining["modes"], joining["provisioning"]], ["NORMAL", "OFF"]);
  const online = statesAfter("< mqtt_subscribe");
  assert.deepEqual([online["wifi"], online["session"]], ["UP", "ONLINE"]);
  const reading = statesAfter("< ota_write");
  assert.deepEqual([reading["modes"], reading["ota"]], ["OTA", "DOWNLOADING"]);
});
