// What may come next in a world with one device, beside that it goes on by itself: each fault that
// can strike now, and each thing that the cloud may want. Used by the explorer.

import { JobError } from "../cloud/jobs_rules.js";
import { ShadowError } from "../cloud/shadow_document.js";
import { firmwareImage, UPDATE_PRIVATE_KEY } from "./images.js";
import type { World } from "./world.js";

export interface Choice {
  readonly name: string;
  /** A fault; else something that the cloud, or a person, wants. */
  readonly isFault: boolean;
  readonly isPossible: (world: World) => boolean;
  readonly apply: (world: World) => void;
}

const OUTAGE_MS = 40_000;
const OFF_MS = 1000;

/** Numbers for a torn operation: always the same, so that a way can be gone again. */
const half = (): number => 0.5;

const deviceOf = (world: World) => world.devices[0]!;
const isUp = (world: World): boolean => deviceOf(world).mqtt.state === "up";
const thingOf = (world: World): string => world.thingNameOf(0);
const isRegistered = (world: World): boolean => world.cloud.registry.things.has(thingOf(world));
const hasJob = (world: World, kind: string): boolean =>
  world.cloud.jobs.list().some(({ jobId }) => jobId.startsWith(kind));

const PERIOD_S = 90;

/** The setting that the explorer wants is wanted already. */
function hasSetting(world: World): boolean {
  try {
    const { state } = world.cloud.shadowGet(thingOf(world), "settings");
    return (state.desired as { period?: number } | undefined)?.period === PERIOD_S;
  } catch (error) {
    if (error instanceof ShadowError) return false;
    throw error;
  }
}

/** A packet that is on its way. */
const isOnItsWay = (world: World, what: "uplink" | "downlink", commands: readonly string[]) =>
  world.agenda
    .list()
    .some((entry) => entry.what.what === what && commands.includes(entry.what.packet.cmd));

function lose(world: World, what: "uplink" | "downlink", commands: readonly string[]): void {
  let isLost = false;
  const first = world.agenda
    .list()
    .find((entry) => entry.what.what === what && commands.includes(entry.what.packet.cmd));
  world.agenda.drop((each) => {
    const isIt = !isLost && each === first?.what;
    isLost ||= isIt;
    return isIt;
  });
}

const ACKNOWLEDGEMENTS = ["puback", "suback"];

const FAULTS: readonly Choice[] = [
  {
    name: "the power goes",
    isFault: true,
    isPossible: (world) => deviceOf(world).isOn,
    apply: (world) => deviceOf(world).powerCut("nothing", OFF_MS, half),
  },
  {
    name: "the power goes in the middle of a write",
    isFault: true,
    isPossible: (world) => deviceOf(world).isOn && deviceOf(world).isWriting,
    apply: (world) => deviceOf(world).powerCut("half", OFF_MS, half),
  },
  {
    name: "a write to flash fails",
    isFault: true,
    isPossible: (world) => deviceOf(world).records.pending.length > 0,
    apply: (world) => {
      deviceOf(world).records.failsNext = true;
    },
  },
  {
    name: "Wi-Fi is lost",
    isFault: true,
    isPossible: (world) => deviceOf(world).wifi.state !== "idle" && deviceOf(world).wifi.isInReach,
    apply: (world) => world.faultRunner.wifiOutage(deviceOf(world), OUTAGE_MS),
  },
  {
    name: "the broker is lost",
    isFault: true,
    isPossible: (world) => deviceOf(world).mqtt.state !== "closed" && !world.isBrokerDown,
    apply: (world) => world.faultRunner.brokerOutage(OUTAGE_MS),
  },
  {
    name: "nothing passes any more",
    isFault: true,
    isPossible: (world) => isUp(world) && !world.isSilent(0),
    apply: (world) => world.silence(0),
  },
  {
    name: "somebody else connects with its name",
    isFault: true,
    isPossible: isUp,
    apply: (world) => world.faultRunner.takeOver(deviceOf(world)),
  },
  {
    name: "a message to the cloud is lost",
    isFault: true,
    isPossible: (world) => isOnItsWay(world, "uplink", ["publish"]),
    apply: (world) => lose(world, "uplink", ["publish"]),
  },
  {
    name: "a message to the device is lost",
    isFault: true,
    isPossible: (world) => isOnItsWay(world, "downlink", ["publish"]),
    apply: (world) => lose(world, "downlink", ["publish"]),
  },
  {
    name: "an acknowledgement is lost",
    isFault: true,
    isPossible: (world) => isOnItsWay(world, "downlink", ACKNOWLEDGEMENTS),
    apply: (world) => lose(world, "downlink", ACKNOWLEDGEMENTS),
  },
  {
    name: "a download is cut off",
    isFault: true,
    isPossible: (world) => deviceOf(world).http.state !== "idle",
    apply: (world) => deviceOf(world).http.networkLost(),
  },
  {
    name: "the phone goes away",
    isFault: true,
    isPossible: (world) => deviceOf(world).ble.isConnected,
    apply: (world) => deviceOf(world).ble.leave(),
  },
];

/** What the cloud wants; each at most once on a way. */
const wishesOf = (module: Uint8Array): Choice[] => [
  {
    name: "a setting is changed",
    isFault: false,
    isPossible: (world) => isRegistered(world) && !hasSetting(world),
    apply: (world) =>
      void world.cloud.shadowUpdate(thingOf(world), "settings", {
        state: { desired: { period: PERIOD_S } },
      }),
  },
  {
    name: "a job is created",
    isFault: false,
    isPossible: (world) => isRegistered(world) && !hasJob(world, "job-"),
    apply: (world) =>
      void world.cloud.jobs.create({
        jobId: "job-1",
        document: { action: "calibrate" },
        things: [thingOf(world)],
      }),
  },
  {
    name: "an update is created",
    isFault: false,
    isPossible: (world) => isRegistered(world) && !hasJob(world, "update-"),
    apply: (world) => {
      const image = firmwareImage(module, "1.1.0");
      const things = [thingOf(world)];
      const privateKeyPem = UPDATE_PRIVATE_KEY;
      world.cloud.createUpdate({ jobId: "update-1", things, image, privateKeyPem });
    },
  },
  {
    name: "what is pending is cancelled",
    isFault: false,
    isPossible: (world) =>
      isRegistered(world) && world.cloud.jobs.pending(thingOf(world)).length > 0,
    apply: (world) => {
      for (const { job } of world.cloud.jobs.pending(thingOf(world))) cancel(world, job.jobId);
    },
  },
];

function cancel(world: World, jobId: string): void {
  try {
    world.cloud.jobs.cancel(jobId, { force: true });
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
  }
}

export const choicesFor = (module: Uint8Array): Choice[] => [...FAULTS, ...wishesOf(module)];
