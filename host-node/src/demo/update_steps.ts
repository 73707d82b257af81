// Two updates over the air, judged by what the device told, by what runs afterwards, and by what
// the cloud says of the job: one that stays, and one that fails its self-test and is rolled back.
// Steps of `npm start -- --once`; steps.ts has the list.

import { isDeepStrictEqual } from "node:util";
import { Event, JobStatus, nameOf, OtaState } from "../abi.js";
import type { ExecutionDescription } from "../cloud/index.js";
import type { Observation } from "./observation.js";
import { eventsOf, isNormal, require, type Step, type StepContext } from "./step.js";

const GOOD_VERSION = "2.0.0";
const BAD_VERSION = "3.0.0";
/** The sample application fails its self-test while this button is pressed. */
const BOOT_BUTTON_PIN = 9;
const PRESSED = 0;
const REASON = "RolledBack:SelfTestFailed";

const UNTIL_RESTART = ["CHECKING", "DOWNLOADING", "VERIFYING", "ACTIVATING", "RESTARTING"];
const STATES_WHEN_KEPT = [...UNTIL_RESTART, "SELF_TEST", "CONFIRMED"];
const STATES_WHEN_GIVEN_UP = [...UNTIL_RESTART, "SELF_TEST", "RESTARTING", "ROLLED_BACK"];

function statesOf(seen: readonly Observation[]): string[] {
  return eventsOf(seen, Event.OTA_STATE).map(({ value }) => nameOf(OtaState, value));
}

/** What happened in the life that runs now. */
function lifeOf(seen: readonly Observation[]): readonly Observation[] {
  return seen.slice(seen.findLastIndex((item) => item.type === "boot"));
}

function isAtWork(seen: readonly Observation[]): boolean {
  const life = lifeOf(seen);
  return isNormal(life) && eventsOf(life, Event.MQTT_CONNECTED).length > 0;
}

/** What the cloud says of the job, once the device has heard that it knows the result. */
async function outcomeOf(
  { stage, until }: StepContext,
  jobId: string,
): Promise<ExecutionDescription> {
  const finished = await until(`the device to finish job ${jobId}`, (seen) =>
    eventsOf(seen, Event.JOB_FINISHED).find((event) => event.text === jobId),
  );
  const [execution] = stage.cloud.listExecutions(jobId);
  const told = nameOf(JobStatus, finished.value);
  require(execution !== undefined, `the cloud has no execution of ${jobId}`);
  require(execution!.status === told, `the device says ${told}, the cloud ${execution!.status}`);
  return execution!;
}

/** The device has told these states, and now this firmware runs, off trial and connected. */
async function judge(context: StepContext, version: string, states: string[]): Promise<void> {
  const { stage, until, mark, thing } = context;
  await until(`the device to connect with firmware ${version}`, isAtWork);
  const { firmware } = stage.device;
  require(firmware?.version === version, `firmware ${firmware?.version} runs, not ${version}`);
  require(!firmware!.trial, `firmware ${version} is still on trial`);
  const seen = stage.journal.since(mark);
  const told = statesOf(seen);
  require(isDeepStrictEqual(told, states), `states of the update: ${told.join(", ")}`);
  const presence = seen.findLast(
    (item) =>
      (item.type === "connected" || item.type === "disconnected") &&
      item.presence.clientId === thing,
  );
  require(presence?.type === "connected", `the cloud misses ${thing}`);
}

export const update: Step = {
  name: "update",
  async run(context) {
    const { stage, thing } = context;
    const from = stage.device.firmware?.version;
    const { job, sizeBytes } = stage.rollOut(GOOD_VERSION, thing);
    const { status } = await outcomeOf(context, job.jobId);
    require(status === "SUCCEEDED", `the cloud says ${status}`);
    await judge(context, GOOD_VERSION, STATES_WHEN_KEPT);
    return `firmware ${from} became ${GOOD_VERSION}, ${sizeBytes} bytes, signed; ${job.jobId} ${status}`;
  },
};

export const rollback: Step = {
  name: "rollback",
  async run(context) {
    const { stage, until, thing } = context;
    const { device } = stage;
    device.setPin(BOOT_BUTTON_PIN, PRESSED);
    try {
      const { job } = stage.rollOut(BAD_VERSION, thing);
      await until(`firmware ${BAD_VERSION} to start on trial`, (seen) =>
        seen.some(
          (item) =>
            item.type === "boot" &&
            item.report.firmware.version === BAD_VERSION &&
            item.report.firmware.trial,
        ),
      );
      const { status, statusDetails } = await outcomeOf(context, job.jobId);
      const reason = statusDetails?.reason;
      require(status === "FAILED", `the cloud says ${status}`);
      require(reason === REASON, `the cloud was told as the reason: ${reason}`);
      await judge(context, GOOD_VERSION, STATES_WHEN_GIVEN_UP);
      return `firmware ${BAD_VERSION} failed its self-test, ${GOOD_VERSION} is back; ${job.jobId} ${status}, ${reason}`;
    } finally {
      device.setPin(BOOT_BUTTON_PIN, null);
    }
  },
};
