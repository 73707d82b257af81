// A device in a process of its own is killed with SIGKILL at moments that a seed decides, and
// started again on the same flash file, until it connects before the next kill. It must then be
// provisioned, with exactly one active certificate, and its flash must have mounted every time.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Mode } from "../../host-node/src/abi.js";
import type { LocalCloud } from "../../host-node/src/cloud/index.js";
import { FlashImage } from "../../host-node/src/flash_image.js";
import { cleanUp, onCleanUp, temporaryDirectory } from "./cloud_support.js";
import {
  activeCertificates,
  claimConfiguration,
  inParallel,
  PATIENCE_MS,
  seededRandom,
  startRoomyCloud,
  telemetryModule,
} from "./support/e2e_world.js";

const PROGRAM = fileURLToPath(new URL("./support/e2e_device_process.js", import.meta.url));
const CLOCK_FACTOR = 5;
const DEVICES_MIN = 3;
const DEVICES_MAX = 16;
const KILLS_MIN = 15;
/** A provisioning from blank flash reports about 30 events; later lives need fewer. */
const EVENTS_MAX = 22;
const EXTRA_MS_MAX = 60;

let cloud: LocalCloud;
let directory: string;

before(async () => {
  cloud = await startRoomyCloud();
  directory = temporaryDirectory();
  writeFileSync(join(directory, "module.wasm"), await telemetryModule("debug"));
  writeFileSync(join(directory, "keys.json"), claimConfiguration(cloud));
  writeFileSync(join(directory, "csr.json"), claimConfiguration(cloud, { method: "csr" }));
});
after(cleanUp);

interface Life {
  readonly events: readonly string[];
  readonly isConnected: boolean;
}

/** One life: it ends at the `killAfter`th event and some milliseconds, or when it has connected. */
async function live(
  flash: string,
  variant: string,
  killAfter: number,
  extraMs: number,
): Promise<Life> {
  const paths = [join(directory, "module.wasm"), flash, join(directory, `${variant}.json`)];
  const child = spawn(process.execPath, [PROGRAM, ...paths, String(CLOCK_FACTOR)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  onCleanUp(() => child.kill("SIGKILL"));
  const limit = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const events: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    events.push(line);
    assert.doesNotMatch(line, /^(STORE_FAILED|TRAP)/, `${flash}: ${line}`);
    if (events.length >= killAfter || line.startsWith("MQTT_CONNECTED")) break;
  }
  await wait(extraMs);
  child.kill("SIGKILL");
  await gone;
  clearTimeout(limit);
  return { events, isConnected: events.some((line) => line.startsWith("MQTT_CONNECTED")) };
}

/** Kills a device until it connects in spite of it; answers how many kills that took. */
async function torture(seed: number): Promise<number> {
  const variant = seed % 2 === 0 ? "keys" : "csr";
  const random = seededRandom(seed);
  const flash = join(directory, `device-${seed}.bin`);
  let kills = -1;
  let life: Life;
  do {
    kills++;
    const killAfter = 1 + Math.floor(random() * EVENTS_MAX);
    life = await live(flash, variant, killAfter, random() * EXTRA_MS_MAX);
  } while (!life.isConnected);
  const last = await live(flash, variant, Number.POSITIVE_INFINITY, 0);
  const report = `seed ${seed}: ${last.events.join(", ")}`;
  assert.ok(last.isConnected, report);
  assert.ok(last.events.includes(`MODE_CHANGED ${Mode.NORMAL}`), report);
  assert.ok(!last.events.some((event) => event.startsWith("PROVISIONING")), report);
  const image = FlashImage.open(flash);
  const thing = `iot32-${Buffer.from(image.mac).toString("hex")}`;
  image.close();
  assert.equal(activeCertificates(cloud, thing).length, 1, report);
  return kills;
}

test("devices killed at random moments of provisioning end with one active certificate", async () => {
  let kills = 0;
  let devices = 0;
  const isEnough = (): boolean => devices >= DEVICES_MIN && kills >= KILLS_MIN;
  const seeds = Array.from({ length: DEVICES_MAX }, (_, index) => index + 1);
  await inParallel(seeds, 2, async (seed) => {
    if (isEnough()) return;
    const more = await torture(seed); // before the sum is read: two run at a time
    kills += more;
    devices++;
  });
  assert.ok(isEnough(), `only ${kills} kills hit ${devices} devices before they were done`);
  const active = cloud.certificates().filter(({ status }) => status === "ACTIVE");
  assert.equal(active.length, devices + 1, "the claim certificate is the one more");
});
