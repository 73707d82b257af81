// The power is cut at every moment of a provisioning that the core can tell from the next one:
// after each call to the host, before each event, and in the middle of each flash operation.
// Whatever the moment, the device must end in mode Normal, connected, with exactly one active
// certificate.
//
// Each cut is a device of its own with blank flash and a clock that runs ten times as fast, against
// real TLS and a real broker. No moment is left out; only the RSA keys are made beforehand.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { Event } from "../../host-node/src/abi.js";
import type { LocalCloud } from "../../host-node/src/cloud/index.js";
import type { CoreHooks } from "../../host-node/src/core.js";
import { FlashImage } from "../../host-node/src/flash_image.js";
import { CUT_MODES, type CutMode } from "../../host-node/src/ports/nor.js";
import { cleanUp } from "./cloud_support.js";
import { poolRsaKeys, type RsaPool } from "./support/e2e_rsa_pool.js";
import {
  activeCertificates,
  claimConfiguration,
  eventsOf,
  fastClock,
  inParallel,
  Specimen,
  seededRandom,
  startRoomyCloud,
  telemetryModule,
} from "./support/e2e_world.js";

type Variant = "keys" | "csr";

/** The 30 s that the core waits for an answer are 3 s then, enough on a loaded machine. */
const CLOCK_FACTOR = 10;
const DEVICES_AT_ONCE = 10;

let cloud: LocalCloud;
let module: Uint8Array;
let keys: RsaPool;

before(async () => {
  keys = poolRsaKeys(8);
  module = await telemetryModule("release");
});
/** A cloud for each test: the registry is one file, and is written whole at each change. */
beforeEach(async () => {
  cloud = await startRoomyCloud();
});
afterEach(() => {
  const active = cloud.certificates().filter(({ status }) => status === "ACTIVE");
  const devices = cloud.things().length;
  assert.ok(devices > 0, "no device was provisioned");
  assert.equal(active.length, devices + 1, "active certificates, with that of the claim");
});
after(async () => {
  keys.close();
  await cleanUp();
});

function newDevice(variant: Variant, hooks: CoreHooks = {}, flash = FlashImage.inMemory()) {
  const configuration = claimConfiguration(cloud, variant === "csr" ? { method: "csr" } : {});
  const clock = fastClock(CLOCK_FACTOR);
  return new Specimen({ module, configuration, clock, hooks, flash });
}

/** What one undisturbed provisioning consists of. */
interface Run {
  readonly calls: readonly string[];
  readonly steps: number;
  readonly flashOperations: number;
}

async function undisturbedRun(variant: Variant): Promise<Run> {
  const calls: string[] = [];
  let steps = 0;
  const specimen = newDevice(variant, {
    onCall: (name) => void calls.push(name),
    onStep: () => void steps++,
  });
  specimen.device.powerOn();
  await specimen.untilAtWork();
  specimen.device.close();
  const isFlash = (name: string): boolean => name === "flash_write" || name === "flash_erase";
  return { calls, steps, flashOperations: calls.filter(isFlash).length };
}

/** Lets a device whose power was cut (or was not, when it was done before) finish its job. */
async function finish(specimen: Specimen, moment: string): Promise<void> {
  try {
    const { device } = specimen;
    if (!device.isRunning) device.powerOn();
    const mark = specimen.journal.observations.findLastIndex((item) => item.type === "boot");
    await specimen.untilAtWork(mark);
    const certificates = activeCertificates(cloud, specimen.name);
    assert.equal(certificates.length, 1, `${certificates.length} active certificates`);
    assert.equal(specimen.count(Event.STORE_FAILED), 0, "the store could not be mounted");
  } catch (error) {
    throw new Error(`power cut at ${moment}: ${(error as Error).message}`, { cause: error });
  } finally {
    specimen.device.close();
  }
}

/** Resolves when the power went, or the device was done before that moment came. */
function untilCutOrDone(specimen: Specimen): Promise<unknown> {
  return specimen.until(
    "its power cut, or its work done",
    (seen) =>
      seen.some((item) => item.type === "off") || eventsOf(seen, Event.MQTT_CONNECTED).length > 0,
  );
}

/** Cuts the power at the nth call or step; answers whether that moment came. */
async function cutAt(variant: Variant, kind: "call" | "step", moment: number): Promise<boolean> {
  let left = moment;
  const count = (): void => {
    if (--left === 0) specimen.device.powerOff();
  };
  const hooks: CoreHooks = kind === "call" ? { onCall: count } : { onStep: count };
  const specimen: Specimen = newDevice(variant, hooks);
  specimen.device.powerOn();
  await untilCutOrDone(specimen);
  // Out of the call in which the power went.
  await new Promise((resolve) => setImmediate(resolve));
  const wasCut = left <= 0;
  await finish(specimen, `${kind} ${moment} (${variant})`);
  return wasCut;
}

/** Cuts at each of the moments; nearly all must have come, as runs differ by a few flash reads. */
async function cutAtEach(
  variant: Variant,
  kind: "call" | "step",
  moments: readonly number[],
): Promise<void> {
  let cuts = 0;
  await inParallel(moments, DEVICES_AT_ONCE, async (moment) => {
    if (await cutAt(variant, kind, moment)) cuts++;
  });
  const needed = Math.floor(moments.length * 0.9);
  assert.ok(needed > 20, `only ${moments.length} moments: nothing was tested`);
  assert.ok(cuts >= needed, `${cuts} of ${moments.length} power cuts happened`);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test("provisioning by csr survives a power cut after every call to the host", async () => {
  const { calls } = await undisturbedRun("csr");
  await cutAtEach("csr", "call", upTo(calls.length));
});

test("provisioning with keys from AWS survives a power cut after every call to the host", async () => {
  const { calls } = await undisturbedRun("keys");
  await cutAtEach("keys", "call", upTo(calls.length));
  assert.ok(keys.used() >= calls.length, "the cloud made its keys elsewhere");
});

test("provisioning by csr survives a power cut before every event", async () => {
  const { steps } = await undisturbedRun("csr");
  await cutAtEach("csr", "step", upTo(steps));
});

test("provisioning by csr survives every flash operation being torn, in three ways", async () => {
  const { flashOperations } = await undisturbedRun("csr");
  assert.ok(flashOperations > 20, `only ${flashOperations} flash operations`);
  const cuts = CUT_MODES.flatMap((mode: CutMode) =>
    upTo(flashOperations).map((operation) => ({ mode, operation })),
  );
  let torn = 0;
  await inParallel(cuts, DEVICES_AT_ONCE, async ({ mode, operation }) => {
    const flash = FlashImage.inMemory();
    flash.records.armPowerCut(operation - 1, mode, seededRandom(operation));
    const specimen = newDevice("csr", {}, flash);
    specimen.device.powerOn();
    await untilCutOrDone(specimen);
    if (!specimen.device.isRunning) torn++;
    flash.records.disarmPowerCut();
    await finish(specimen, `flash operation ${operation}, ${mode} of it done`);
  });
  assert.ok(torn >= cuts.length * 0.9, `${torn} of ${cuts.length} operations were torn`);
});
