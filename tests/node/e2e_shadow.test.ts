// Shadows of real devices in the real local cloud: the sample application's LED follows what is
// desired, a long time offline ends in the right state, and a storm of deltas ends in the last one.

import assert from "node:assert/strict";
import { after, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Event } from "../../host-node/src/abi.js";
import { cleanUp } from "./cloud_support.js";
import { Desk, THING } from "./support/shadow_jobs_desk.js";

const LED = 2;
const CHANGES = 100;
const STORM = 1000;
const SENDERS = 10;

after(cleanUp);

type State = { desired?: object; reported?: object };

async function stateOf(desk: Desk): Promise<State> {
  return (await desk.cloud.shadow(THING, "lamp").get()).state as State;
}

async function untilReported(desk: Desk, expected: object): Promise<void> {
  await desk.until(`${JSON.stringify(expected)} is reported`, async () => {
    const { reported } = await stateOf(desk).catch(() => ({}) as State);
    return isDeepStrictEqual(reported, expected);
  });
}

it("led-shadow reports its state at start, and its LED follows what is desired", async () => {
  const desk = await Desk.set("led-shadow", "esp32");
  await untilReported(desk, { on: false, colour: "white" });
  const lamp = desk.cloud.shadow(THING, "lamp");
  await lamp.update({ state: { desired: { on: true, colour: "red" } } });
  await untilReported(desk, { on: true, colour: "red" });
  await lamp.update({ state: { desired: { on: false } } });
  await untilReported(desk, { on: false, colour: "red" });
  assert.deepEqual(
    desk.edges.filter(({ pin }) => pin === LED).map(({ level }) => level),
    [1, 0],
  );
  assert.ok(desk.logs.includes("LED on, red"), desk.logs.join("\n"));
  desk.expectNothingLost();
});

it("a device offline for 100 shadow changes and 5 jobs ends right, each job executed once", async () => {
  const desk = await Desk.set("all");
  await untilReported(desk, { on: false, colour: "white" });
  desk.setNetwork(false);
  await desk.until("it is offline", () => desk.textsOf(Event.WIFI_DISCONNECTED).length > 0);
  const lamp = desk.cloud.shadow(THING, "lamp");
  for (let at = 1; at <= CHANGES; at++)
    await lamp.update({ state: { desired: { on: false, colour: `c${at}` } } });
  const jobs = [1, 2, 3, 4, 5];
  for (const count of jobs) {
    const document = { action: "blink", count, onTime: 5, offTime: 5 };
    desk.cloud.createJob({ jobId: `job-${count}`, things: [THING], document });
  }
  desk.setNetwork(true);
  for (const count of jobs)
    assert.equal((await desk.untilJobEnds(`job-${count}`)).status, "SUCCEEDED");
  await untilReported(desk, { on: false, colour: `c${CHANGES}` });
  await desk.until("the last is told", () => desk.textsOf(Event.JOB_FINISHED).length === 5);
  const names = jobs.map((count) => `job-${count}`);
  assert.deepEqual(desk.textsOf(Event.JOB_STARTED), names);
  assert.deepEqual(desk.textsOf(Event.JOB_FINISHED), names);
  assert.equal(desk.rises(LED), 1 + 2 + 3 + 4 + 5, "each blinked as often as it says, once");
  assert.ok(desk.logs.includes(`LED off, c${CHANGES}`));
  desk.expectNothingLost();
});

it("a storm of 1,000 deltas ends in the last state on both sides, and nothing is lost", async () => {
  const desk = await Desk.set("led-shadow");
  await untilReported(desk, { on: false, colour: "white" });
  const lamp = desk.cloud.shadow(THING, "lamp");
  let sent = 0;
  const worker = async (): Promise<void> => {
    while (sent < STORM) {
      const at = ++sent;
      const document = { state: { desired: { on: at % 2 === 0, colour: `s${at}` } } };
      // The cloud refuses what exceeds its quota; whoever sends has to send it again.
      while (
        !(await lamp.update(document).then(
          () => true,
          () => false,
        ))
      );
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, worker));
  await lamp.update({ state: { desired: { on: true, colour: "last" } } });
  await untilReported(desk, { on: true, colour: "last" });
  assert.equal(desk.edges.at(-1)?.level, 1);
  assert.equal(desk.logs.at(-1), "LED on, last");
  const { desired, reported } = await stateOf(desk);
  assert.deepEqual(desired, reported);
  desk.expectNothingLost();
});
