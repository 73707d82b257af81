// Each invariant of the simulator reports the breach that it is for, and keeps quiet where there is
// none: it is told of happenings that no good core makes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Dataset, Event, EventKind, Mode, Status } from "../../host-node/src/abi.js";
import { encodeEntry, newEntry, OtadataState } from "../../host-node/src/boot/otadata.js";
import { RECORDS } from "../../host-node/src/flash_image.js";
import { SECTOR_BYTES } from "../../host-node/src/ports/nor.js";
import type { SimDevice } from "../../host-node/src/sim/device.js";
import { JobsTell, OneCertificate } from "../../host-node/src/sim/invariants/cloud.js";
import {
  NormalHasCertificate,
  OneUntested,
  RestartWaits,
  StoredStays,
} from "../../host-node/src/sim/invariants/flash.js";
import { AtWork, HeapSteady, NoTrap } from "../../host-node/src/sim/invariants/life.js";
import {
  AwsRules,
  BackoffFloor,
  PublishesEnd,
} from "../../host-node/src/sim/invariants/network.js";
import { HOUR_MS, heap, simulated } from "./support/sim_scene.js";

/** Collects what is reported. */
function collector() {
  const told: string[] = [];
  return { told, report: (_device: SimDevice | null, what: string) => void told.push(what) };
}

function happening(device: SimDevice, kind: EventKind, a = 0, b = 0) {
  const { index, life } = device;
  const payload = new Uint8Array();
  return { what: "event", device: index, life, kind, a, b, payload, acknowledges: 0 } as const;
}

const working = () => simulated({ workload: false }).run(HOUR_MS);

test("trap_is_reported_and_an_ordered_restart_is_not", () => {
  const { told, report } = collector();
  const device = working().device();
  new NoTrap().ended(device, "restart", "", report);
  new NoTrap().ended(device, "trap", "TICK: assertion 7", report);
  assert.deepEqual(told, ["TICK: assertion 7"]);
});

test("device_that_is_not_at_work_when_all_is_calm_is_reported", () => {
  const { told, report } = collector();
  const { world } = working();
  new AtWork().atRest(world, report);
  assert.deepEqual(told, []);
  world.devices[0]!.powerCut("nothing", Number.POSITIVE_INFINITY, () => 0);
  new AtWork().atRest(world, report);
  assert.deepEqual(told, ["is off, its connection is closed"]);
});

test("heap_that_grows_within_a_life_is_reported", () => {
  const { told, report } = collector();
  const { world } = working();
  const [device] = world.devices;
  const steady = new HeapSteady(heap);
  const steps = (count: number) => {
    for (let step = 0; step < count; step++) steady.stepEnded(device!, report);
  };
  steps(128);
  assert.deepEqual(told, []);
  device!.park();
  // A block of 4 KB more than there was: `top` and the size of the block in front of it.
  const { core } = device!;
  const globals = [...core!.globals];
  const top = Number(globals[heap.top]);
  const memory = core!.memory.slice();
  new DataView(memory.buffer).setUint32(top, 4096 | 1, true);
  globals[heap.top] = top + 4096;
  Object.defineProperty(device, "core", { value: { memory, globals } });
  steps(64);
  assert.equal(told.length, 1);
  assert.match(told[0]!, /has \d+ bytes of heap in use, and had \d+/);
});

test("attempt_sooner_than_the_floor_of_its_back_off_is_reported", () => {
  const device = { index: 0, life: 1, nowMs: 0 } as unknown as SimDevice;
  const at = (nowMs: number) => Object.assign(device, { nowMs });
  const { told, report } = collector();
  const floor = new BackoffFloor();
  const call = (name: string, result: number = Status.OK) =>
    floor.called(device, name, [], result, report);
  at(1000);
  floor.stepBegins(device, happening(device, EventKind.WIFI_DOWN, Status.TIMEOUT));
  at(1499);
  call("wifi_join", Status.BUSY);
  call("wifi_join");
  at(5000);
  floor.stepBegins(device, happening(device, EventKind.MQTT_DOWN, Status.CONNECTION_LOST));
  at(6249);
  call("mqtt_connect");
  at(7000);
  call("mqtt_connect");
  assert.deepEqual(told, [
    "joins again 499 ms after it lost Wi-Fi",
    "connects again 1249 ms after its connection ended",
    "connects twice within 751 ms",
  ]);
});

test("publish_that_ends_twice_or_arrives_without_an_acknowledgement_is_reported", () => {
  const device = { index: 0, life: 1, nowMs: 0 } as unknown as SimDevice;
  const { told, report } = collector();
  const publishes = new PublishesEnd();
  const end = (event: number, id: number) => publishes.event(device, event, id, "", report);
  publishes.stepBegins(device, happening(device, EventKind.MQTT_PUBLISHED, 5, Status.OK));
  end(Event.PUBLISH_SUCCEEDED, 1);
  end(Event.PUBLISH_SUCCEEDED, 2);
  publishes.stepBegins(device, happening(device, EventKind.TICK));
  publishes.called(device, "mqtt_publish", [new Uint8Array(), new Uint8Array(), 0], 0);
  end(Event.PUBLISH_SUCCEEDED, 3);
  end(Event.PUBLISH_DROPPED, 4);
  const copy = publishes.copy();
  copy.event(device, Event.PUBLISH_DROPPED, 4, "", report);
  assert.deepEqual(told, [
    "publish 2 is told as arrived, and nothing was acknowledged",
    "publish 4 has ended twice",
  ]);
});

test("rule_that_a_device_breaks_is_reported_and_one_that_a_fault_breaks_is_not", () => {
  const { told, report } = collector();
  const { world } = working();
  const rule = (name: string) =>
    new AwsRules().rule(
      world,
      { rule: name as never, action: "closed", clientId: "a", detail: "why" },
      report,
    );
  rule("duplicate-client-id");
  rule("publish-rate");
  assert.deepEqual(told, ["a breaks publish-rate: why"]);
});

test("second_active_certificate_of_a_thing_is_reported", () => {
  const { told, report } = collector();
  const { world } = working();
  const certificates = new OneCertificate();
  certificates.worldStepped(world, report);
  assert.deepEqual(told, []);
  world.cloud.issueThing(world.thingNameOf(0));
  certificates.worldStepped(world, report);
  assert.deepEqual(told, [`${world.thingNameOf(0)} has 2 active certificates`]);
});

test("job_that_is_told_otherwise_than_it_went_is_reported", () => {
  const { told, report } = collector();
  const simulation = working();
  const { world } = simulation;
  const thing = world.thingNameOf(0);
  const jobs = new JobsTell();
  const things = [thing];
  world.cloud.jobs.create({ jobId: "plain", document: { action: "calibrate" }, things });
  world.cloud.jobs.create({ jobId: "up", document: { action: "OTA", version: "9.0.0" }, things });
  const tell = (jobId: string, status: string) =>
    jobs.published(
      world,
      {
        clientId: thing,
        topic: `$aws/things/${thing}/jobs/${jobId}/update`,
        payload: Buffer.from(JSON.stringify({ status })),
        qos: 1,
        retain: false,
      },
      report,
    );
  tell("plain", "IN_PROGRESS");
  tell("plain", "SUCCEEDED");
  jobs.event(simulation.device(), Event.JOB_STARTED, 1, "plain");
  tell("plain", "SUCCEEDED");
  tell("up", "SUCCEEDED");
  tell("up", "FAILED");
  jobs.atRest(world, report);
  assert.deepEqual(told, [
    "reports plain as SUCCEEDED, and has not begun it",
    "reports up to 9.0.0 as SUCCEEDED, and runs 1.0.0",
    "leaves plain QUEUED long after its time",
    "leaves up QUEUED long after its time",
  ]);
});

test("dataset_that_is_older_than_it_was_told_is_reported_at_the_next_boot", () => {
  const { told, report } = collector();
  const device = working().device();
  const stays = new StoredStays();
  stays.event(device, Event.FLASH_WRITTEN, Dataset.APPLICATION, "", report);
  stays.event(device, Event.FLASH_WRITTEN, Dataset.CANDIDATE, "", report);
  stays.copy().booted(device, report);
  assert.deepEqual(told, [`dataset ${Dataset.CANDIDATE} is told written and is not there`]);
  const { nor } = device.flash.region(RECORDS);
  for (let sector = 0; sector < nor.size; sector += 4096) nor.erase(sector);
  stays.booted(device, report);
  assert.match(told[1]!, /dataset 7 was told written as \d+, and is 0 now/);
});

test("restart_before_flash_is_done_is_reported", () => {
  const { told, report } = collector();
  const device = working().device();
  new RestartWaits().called(device, "sys_restart", [0], Status.OK, report);
  device.records.erase(15 * 4096);
  new RestartWaits().called(device, "sys_restart", [0], Status.BUSY, report);
  new RestartWaits().called(device, "sys_restart", [0], Status.OK, report);
  assert.deepEqual(told, ["restarts while 1 operations wait for flash"]);
});

test("mode_normal_without_a_certificate_in_flash_is_reported", () => {
  const { told, report } = collector();
  const invariant = new NormalHasCertificate();
  const good = working().device();
  invariant.event(good, Event.MODE_CHANGED, Mode.NORMAL, "", report);
  const idle = simulated({ born: "broken", workload: false }).run(HOUR_MS).device();
  invariant.event(idle, Event.MODE_CHANGED, Mode.IDLE, "", report);
  assert.deepEqual(told, []);
  invariant.event(idle, Event.MODE_CHANGED, Mode.NORMAL, "", report);
  assert.deepEqual(told, ["is in mode Normal, and has no certificate of a thing"]);
});

test("two_images_that_nobody_has_tested_are_reported", () => {
  const { told, report } = collector();
  const device = working().device();
  const untested = new OneUntested();
  untested.stepEnded(device, report);
  const otadata = new Uint8Array(2 * SECTOR_BYTES).fill(0xff);
  otadata.set(encodeEntry(newEntry(1, OtadataState.NEW)));
  otadata.set(encodeEntry(newEntry(2, OtadataState.PENDING_VERIFY)), SECTOR_BYTES);
  device.flash.flash("otadata", otadata);
  untested.stepEnded(device, report);
  assert.deepEqual(told, []);
  device.ota.version++;
  untested.stepEnded(device, report);
  assert.deepEqual(told, ["two images are set to start, and neither was tested"]);
});
