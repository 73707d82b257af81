// Simulated worlds: one seed decides everything, on every machine; a copy of a world goes on as the
// world does; what the cloud wants comes to pass; and a fleet does not come back at one moment.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Event, Mode } from "../../host-node/src/abi.js";
import { BIRTHS, type Birth, DAY_MS } from "../../host-node/src/sim/simulation.js";
import { HOUR_MS, meter, simulated } from "./support/sim_scene.js";

/**
 * What a run came to when it was written down: every machine and every Node must say the same. It
 * holds for one module: another core or meter has another digest, which is then written down.
 */
const GOLDEN = { seed: 2026, module: "9ce24a252c2e789e", digest: "81b7b2b3d39486ff" };

test("seed_gives_the_digest_that_it_gave_on_another_machine", () => {
  const run = () => simulated({ seed: GOLDEN.seed, faults: "default" }).run(72 * HOUR_MS).report;
  const { digest } = run();
  assert.equal(run().digest, digest);
  const module = createHash("sha256").update(meter).digest("hex").slice(0, 16);
  assert.deepEqual({ seed: GOLDEN.seed, module, digest }, GOLDEN);
});

test("other_seed_or_other_faults_give_another_digest", () => {
  const digestOf = (options: object): string => simulated(options).run(2 * HOUR_MS).report.digest;
  const digests = [
    digestOf({ seed: 1 }),
    digestOf({ seed: 2 }),
    digestOf({ seed: 2 ** 40 + 1 }),
    digestOf({ seed: 1, faults: "rough" }),
    digestOf({ seed: 1, born: "csr" }),
  ];
  assert.equal(new Set(digests).size, digests.length);
});

test("device_of_each_birth_is_at_work_but_the_broken_one_which_is_idle", () => {
  const wanted: Record<Birth, Mode> = {
    claim: Mode.NORMAL,
    csr: Mode.NORMAL,
    thing: Mode.NORMAL,
    unboxed: Mode.NORMAL,
    broken: Mode.IDLE,
  };
  for (const born of BIRTHS) {
    const simulation = simulated({ born }).run(HOUR_MS);
    const device = simulation.device();
    assert.equal(device.mode, wanted[born], born);
    assert.equal(device.isConnected, wanted[born] === Mode.NORMAL, born);
    const things = [...simulation.world.cloud.registry.things.values()];
    assert.equal(things.length, wanted[born] === Mode.NORMAL ? 1 : 0, born);
    simulation.world.release();
  }
});

test("copy_in_the_middle_of_everything_goes_on_as_its_original_does", () => {
  for (const hours of [0.02, 5, 29]) {
    const simulation = simulated({ seed: 5, faults: "rough", workload: { updates: 6 } });
    const { world, monitor } = simulation.run(hours * HOUR_MS);
    const twin = monitor.copy();
    const copy = world.copy(twin);
    twin.watch(copy);
    // What the cloud wants is not the world's: neither of the two gets any more of it.
    const idle = monitor.copy();
    const original = world.copy(idle);
    idle.watch(original);
    const endMs = world.nowMs + 12 * HOUR_MS;
    copy.runUntil(endMs);
    original.runUntil(endMs);
    assert.equal(twin.digest.text, idle.digest.text);
    assert.ok(copy.steps > world.steps + 500, `${copy.steps}`);
    assert.notEqual(twin.digest.text, monitor.digest.text);
    for (const each of [copy, original, world]) each.release();
  }
});

test("jobs_settings_and_updates_of_firmware_and_module_come_to_their_end", () => {
  const workload = { jobs: 6, settings: 6, updates: 3, moduleUpdates: 3, cancellations: 0 };
  const simulation = simulated({ seed: 4, workload })
    .run(2 * DAY_MS)
    .rest();
  const { jobs } = simulation.world.cloud;
  const ended = jobs
    .list()
    .flatMap(({ jobId }) =>
      jobs.executions(jobId).map(({ status }) => `${jobId.split("-")[0]} ${status}`),
    );
  assert.deepEqual([...new Set(ended)].sort(), [
    "job SUCCEEDED",
    "module SUCCEEDED",
    "update SUCCEEDED",
  ]);
  assert.ok(ended.length > 15, `${ended.length}`);
  const updates = jobs.list().filter(({ jobId }) => jobId.startsWith("update"));
  assert.equal(simulation.device().version, `1.${updates.length}.0`);
});

test("clock_of_32_bits_wraps_and_nobody_notices", () => {
  let wraps = 0;
  for (let seed = 1; wraps < 2; seed++) {
    const simulation = simulated({ seed, workload: { jobs: 8 } });
    const { uptimeMs } = simulation.device().options;
    if (uptimeMs + DAY_MS < 2 ** 32) continue;
    wraps++;
    simulation.run(2 * DAY_MS).rest();
    assert.ok(simulation.device().life === 1);
    simulation.world.release();
  }
});

test("fleet_that_lost_its_broker_does_not_come_back_at_one_moment", () => {
  const connects: number[] = [];
  const listener = {
    called: (_device: unknown, name: string, _args: unknown, result: number): void => {
      if (name === "mqtt_connect" && result === 0) connects.push(simulation.world.nowMs);
    },
  };
  const simulation = simulated({ devices: 100, born: "thing", workload: false, listener });
  simulation.run(HOUR_MS);
  connects.length = 0;
  const { world } = simulation;
  const lostMs = world.nowMs;
  world.faultRunner.brokerOutage(10 * 60_000);
  simulation.run(HOUR_MS);
  assert.ok(world.devices.every(({ isConnected }) => isConnected));
  assert.ok(connects.every((atMs) => atMs - lostMs >= 1250));
  // Behind the first tries the fleet is spread: not one in five within any second.
  const later = connects.filter((atMs) => atMs - lostMs > 120_000);
  const busiest = Math.max(
    ...later.map((from) => later.filter((atMs) => atMs >= from && atMs < from + 1000).length),
  );
  assert.ok(busiest <= 20, `${busiest} of 100 devices within one second`);
});

test("device_can_be_watched_and_switched_by_hand", () => {
  const started: number[] = [];
  const listener = {
    event: (_device: unknown, event: number, value: number): void => {
      if (event === Event.MODE_CHANGED && value === Mode.NORMAL) started.push(value);
    },
  };
  const simulation = simulated({ listener, workload: false }).run(HOUR_MS);
  const device = simulation.device();
  device.powerCut("nothing", 60_000, () => 0);
  assert.equal(device.isOn, false);
  simulation.runUntil(() => device.isConnected, HOUR_MS);
  assert.equal(started.length, 2);
  assert.throws(() => simulation.device(1), /there is no device 1/);
  assert.throws(() => simulated({ devices: 0 }), /0 devices: there may be 1 to 1000/);
  assert.throws(() => simulated({ seed: 1.5 }), /seed 1.5 is no whole number/);
});
