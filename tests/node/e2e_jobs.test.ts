// Jobs of real devices in the real local cloud: the sample application blinks as the job says, a
// cancelled one stops, a power cut inside one fails it, and a chip's memory holds a long document.

import assert from "node:assert/strict";
import { after, it } from "node:test";
import { Event } from "../../host-node/src/abi.js";
import { cleanUp } from "./cloud_support.js";
import { Desk, THING } from "./support/shadow_jobs_desk.js";

const LED = 2;
const LATE_MS_MAX = 20;

after(cleanUp);

function create(desk: Desk, jobId: string, document: string | object): void {
  desk.cloud.createJob({ jobId, things: [THING], document });
}

it("blink-job blinks as often and as long as its document says, without waiting", async () => {
  const desk = await Desk.set("blink-job", "esp32");
  create(desk, "blink", { action: "blink", count: 3, onTime: 60, offTime: 30 });
  assert.equal((await desk.untilJobEnds("blink")).status, "SUCCEEDED");
  const edges = desk.edges.filter(({ pin }) => pin === LED);
  assert.deepEqual(
    edges.map(({ level }) => level),
    [1, 0, 1, 0, 1, 0],
  );
  for (const [at, { atMs, level }] of edges.slice(0, -1).entries()) {
    const lengthMs = edges[at + 1]!.atMs - atMs;
    // Times count from the event, whose handling begins late on a busy machine.
    const wantedMs = (level === 1 ? 60 : 30) - LATE_MS_MAX;
    assert.ok(lengthMs >= wantedMs, `${lengthMs} ms at ${level}`);
  }
  for (const count of [0, 101]) {
    create(desk, `many-${count}`, { action: "blink", count });
    const { status, statusDetails } = await desk.untilJobEnds(`many-${count}`);
    assert.equal(status, "REJECTED");
    assert.equal(statusDetails?.["reason"], "count is not from 1 to 100");
  }
  create(desk, "unknown", { action: "dance" });
  const { status, statusDetails } = await desk.untilJobEnds("unknown");
  assert.equal(status, "REJECTED");
  assert.match(String(statusDetails?.["reason"]), /no handler/);
  assert.equal(desk.rises(LED), 3);
  desk.expectNothingLost();
});

it("a job cancelled while it runs stops at once, and the next one runs", async () => {
  const desk = await Desk.set("blink-job");
  create(desk, "long", { action: "blink", count: 100, onTime: 40, offTime: 40 });
  await desk.until("it blinks", () => desk.rises(LED) >= 2);
  desk.cloud.cancelJob("long", { force: true });
  await desk.until("the device hears of it", () => desk.textsOf(Event.JOB_CANCELED).length > 0);
  create(desk, "next", { action: "blink", count: 1, onTime: 5, offTime: 5 });
  const before = desk.rises(LED);
  assert.equal((await desk.untilJobEnds("next")).status, "SUCCEEDED");
  assert.equal(desk.rises(LED), before + 1);
  assert.equal(desk.execution("long").status, "CANCELED");
  desk.expectNothingLost();
});

it("a power cut inside a job makes it FAILED, with the reason, and it does not run again", async () => {
  const desk = await Desk.set("blink-job");
  create(desk, "cut", { action: "blink", count: 50, onTime: 30, offTime: 30 });
  await desk.until("it blinks", () => desk.rises(LED) >= 2);
  desk.device.powerOff();
  const before = desk.rises(LED);
  desk.device.powerOn();
  const { status, statusDetails } = await desk.untilJobEnds("cut");
  assert.equal(status, "FAILED");
  assert.match(String(statusDetails?.["reason"]), /restarted/);
  assert.equal(desk.rises(LED), before);
});

it("the module of a chip survives a delta and a job with 1,400 bytes of document", async () => {
  const desk = await Desk.set("all", "esp32");
  await desk.cloud
    .shadow(THING, "lamp")
    .update({ state: { desired: { colour: "sixteen-bytes-16" } } });
  await desk.until("the delta is applied", () => desk.logs.includes("LED off, sixteen-bytes-16"));
  for (let turn = 0; turn < 5; turn++) {
    const head = { action: "blink", count: 1, onTime: 5, offTime: 5, pad: "" };
    const pad = "x".repeat(1400 - JSON.stringify(head).length);
    create(desk, `large-${turn}`, { ...head, pad });
    assert.equal((await desk.untilJobEnds(`large-${turn}`)).status, "SUCCEEDED");
  }
  assert.equal(desk.rises(LED), 5);
  create(desk, "largest", `{"action":"blink","pad":"${"y".repeat(32_768 - 27)}"}`);
  const { status, statusDetails } = await desk.untilJobEnds("largest");
  assert.equal(status, "REJECTED");
  assert.match(String(statusDetails?.["reason"]), /larger than/);
  const tooLarge = `{"action":"blink","pad":"${"y".repeat(32_769 - 27)}"}`;
  assert.throws(() => create(desk, "refused", tooLarge), "the cloud itself refuses 32,769 bytes");
  desk.expectNothingLost();
});
