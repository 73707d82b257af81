// The scenarios that come with the simulator: the ways of a device on which a power cut hurts most.
// They are made for an application with a shadow "settings" and a job "calibrate", such as the
// sample meter.

import { Mode } from "../abi.js";
import { isTerminal } from "../cloud/jobs_model.js";
import { firmwareImage, UPDATE_PRIVATE_KEY } from "./images.js";
import type { Scenario, ScenarioStep } from "./scenario.js";
import type { World } from "./world.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NEXT_VERSION = "1.1.0";

const thingOf = (world: World): string => world.thingNameOf(0);

/** The device is at work as its thing. */
const isAtWork = (world: World): boolean =>
  world.devices[0]!.isConnected && world.devices[0]!.mode === Mode.NORMAL;

const isEnded = ({ cloud }: World, jobId: string): boolean => {
  const isThere = cloud.jobs.list().some((job) => job.jobId === jobId);
  return isThere && cloud.jobs.executions(jobId).every(({ status }) => isTerminal(status));
};

const change: ScenarioStep = {
  name: "shadow",
  when: isAtWork,
  act: (world) =>
    void world.cloud.shadowUpdate(thingOf(world), "settings", {
      state: { desired: { period: 90 } },
    }),
};

const calibrate: ScenarioStep = {
  name: "job",
  when: (world) => {
    const { registry } = world.cloud;
    if (!registry.things.has(thingOf(world))) return false;
    const { state } = world.cloud.shadowGet(thingOf(world), "settings");
    return (state.reported as { period?: number } | undefined)?.period === 90;
  },
  act: (world) =>
    void world.cloud.jobs.create({
      jobId: "calibrate-1",
      document: { action: "calibrate" },
      things: [thingOf(world)],
    }),
};

const update = (module: Uint8Array): ScenarioStep => ({
  name: "update",
  when: (world) => isEnded(world, "calibrate-1"),
  act: (world) => {
    const image = firmwareImage(module, NEXT_VERSION);
    const things = [thingOf(world)];
    const privateKeyPem = UPDATE_PRIVATE_KEY;
    world.cloud.createUpdate({ jobId: "update-1", things, image, privateKeyPem });
  },
});

/** Claim, shadow, job and update of firmware, one after the other. */
export function wholeLife(module: Uint8Array, born: Scenario["born"] = "claim"): Scenario {
  return {
    name: "life",
    summary: "provisioning by claim, a shadow, a job, and an update of the firmware",
    born,
    steps: [change, calibrate, update(module)],
    done: (world) => isEnded(world, "update-1") && isAtWork(world),
    withinMs: 12 * HOUR_MS,
  };
}

/** Provisioning alone. */
export function claim(_module: Uint8Array, born: Scenario["born"] = "claim"): Scenario {
  return {
    name: "claim",
    summary: "provisioning by claim, up to the first connection as the thing",
    born,
    steps: [],
    done: isAtWork,
    withinMs: 12 * HOUR_MS,
  };
}

/** By their names. */
export const SCENARIOS = { life: wholeLife, claim } as const;
export type ScenarioName = keyof typeof SCENARIOS;
