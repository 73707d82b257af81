// A provisioned device through the troubles of a long life: the broker goes away and comes back,
// another client takes the session, messages are as large as the ring buffer and larger. Real parts
// on loopback; the clock runs fast, so that back-offs of minutes pass in seconds.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Event } from "../../host-node/src/abi.js";
import { buildModule } from "../../host-node/src/build.js";
import type { Clock } from "../../host-node/src/clock.js";
import type { LocalCloud } from "../../host-node/src/cloud/index.js";
import { cleanUp, connectMqtt, temporaryDirectory } from "./cloud_support.js";
import {
  Collection,
  claimConfiguration,
  eventsOf,
  fastClock,
  newSpecimen,
  type Specimen,
  seededRandom,
  startRoomyCloud,
  telemetryModule,
} from "./support/e2e_world.js";

let telemetry: Uint8Array;

before(async () => {
  telemetry = await telemetryModule("debug");
});
after(cleanUp);

function seededBytes(seed: number): (bytes: Uint8Array) => void {
  const random = seededRandom(seed);
  return (bytes) => {
    for (let index = 0; index < bytes.length; index++) bytes[index] = random() * 256;
  };
}

async function workingDevice(
  cloud: LocalCloud,
  clock: Clock,
  module = telemetry,
): Promise<Specimen> {
  const configuration = claimConfiguration(cloud, { method: "csr" });
  const specimen = newSpecimen({ module, configuration, clock, random: seededBytes(1) });
  specimen.device.powerOn();
  await specimen.untilAtWork();
  const topic = `devices/${specimen.name}/command`;
  await specimen.until(`a subscription to ${topic}`, (seen) =>
    eventsOf(seen, Event.MQTT_SUBSCRIBED).some(({ text }) => text === topic),
  );
  return specimen;
}

/** Resolves when so much of the device's time has passed. */
function passed(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(ms, resolve));
}

interface Telemetry {
  readonly sequence: number;
  readonly uptimeMs: number;
}

/** Collects a device's telemetry as it arrives in the cloud. */
function collect(cloud: LocalCloud, name: string): Collection<Telemetry> {
  const messages = new Collection<Telemetry>("messages");
  cloud.on("publish", ({ topic, payload }) => {
    if (topic !== `devices/${name}/telemetry`) return;
    messages.add(JSON.parse(payload.toString()) as Telemetry);
  });
  return messages;
}

test("a device whose broker went away reconnects, subscribes again and sends what had queued", async () => {
  const dir = temporaryDirectory();
  const clock = fastClock(10);
  const first = await startRoomyCloud({ dir });
  const specimen = await workingDevice(first, clock);
  const early = collect(first, specimen.name);
  await early.enough(1);
  await first.close();
  const { mark } = specimen;
  await specimen.untilEvent(Event.MQTT_DISCONNECTED, "to notice that the broker is gone", 0);
  await passed(clock, 22_000);
  const restartedAt = clock.now();
  const second = await startRoomyCloud({ dir, port: first.port });
  const late = collect(second, specimen.name);
  await specimen.untilEvent(Event.MQTT_CONNECTED, "to reconnect", mark);
  const topic = `devices/${specimen.name}/command`;
  await specimen.until(
    "its subscription restored",
    (seen) => eventsOf(seen, Event.MQTT_SUBSCRIBED).some(({ text }) => text === topic),
    mark,
  );
  second.publish(topic, "still there?", 1);
  await specimen.until(
    "to read the command",
    (seen) => seen.some((item) => item.type === "log" && item.line.text.endsWith("still there?")),
    mark,
  );
  await late.enough(5);
  const queued = late.items.filter(({ uptimeMs }) => uptimeMs < restartedAt);
  assert.ok(queued.length >= 3, `${queued.length} messages were made while there was no broker`);
  const sequences = new Set(late.items.map(({ sequence }) => sequence));
  const oldest = Math.min(...sequences);
  const newest = Math.max(...sequences);
  assert.equal(sequences.size, newest - oldest + 1, `gaps in ${[...sequences]}`);
  const lastEarly = Math.max(...early.items.map(({ sequence }) => sequence));
  assert.ok(oldest <= lastEarly + 1, `lost between ${lastEarly} and ${oldest}`);
  assert.equal(specimen.count(Event.PUBLISH_DROPPED), 0);
});

test("a device whose client id is taken slows down, and comes back when the other leaves", async () => {
  const clock = fastClock(30);
  const windowMs = 300_000;
  const cloud = await startRoomyCloud();
  const specimen = await workingDevice(cloud, clock);
  const keys = await cloud.issueCertificate({ thingName: specimen.name });
  const { mark } = specimen;
  // As stubborn as a client can be: back within 20 ms whenever the device takes the session.
  const other = await connectMqtt(cloud, keys, { clientId: specimen.name, reconnectPeriod: 20 });
  await passed(clock, windowMs);
  const attempts = specimen.count(Event.MQTT_CONNECTING, mark);
  assert.ok(attempts >= 2, `${attempts} attempts in 300 s: the device gave up`);
  assert.ok(attempts <= 14, `${attempts} attempts in 300 s: the device fights`);
  await other.endAsync(true);
  const left = specimen.mark;
  await specimen.untilEvent(Event.MQTT_CONNECTED, "to come back when the other has left", left);
  await collect(cloud, specimen.name).enough(3);
  assert.equal(specimen.count(Event.MQTT_DISCONNECTED, left), 0);
});

/** Answers each message with its size and a digest over all of its bytes (FNV-1a, 32 bits). */
const DIGEST_APPLICATION = `
import { Event, Mode, mqtt, system } from "iot32";
export function setup(): void {
  system.init("1.0.0");
  system.onEvent(onEvent);
}
function onEvent(event: u8, value: i32): void {
  const base = "devices/" + system.thingName();
  if (event == Event.MODE_CHANGED && value == Mode.NORMAL) mqtt.subscribe(base + "/command", 1);
  if (event == Event.MESSAGE_ARRIVED) answer(base + "/digest");
}
function answer(topic: string): void {
  for (let message = mqtt.read(); message !== null; message = mqtt.read()) {
    let hash: u32 = 0x811c9dc5;
    const bytes = message.payload;
    for (let i = 0; i < bytes.length; i++) hash = (hash ^ bytes[i]) * 0x01000193;
    mqtt.publish(topic, bytes.length.toString() + " " + hash.toString(), 1);
  }
}
`;

function digestOf(bytes: Buffer): string {
  const hash = bytes.reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193) >>> 0, 0x811c9dc5);
  return `${bytes.length} ${hash}`;
}

async function digestModule(): Promise<Uint8Array> {
  const entry = join(temporaryDirectory(), "digest.ts");
  writeFileSync(entry, DIGEST_APPLICATION);
  return (await buildModule({ entry, target: "debug" })).wasm;
}

test("messages of several fragments arrive whole, and a larger one than the ring buffer is reported", async () => {
  const cloud = await startRoomyCloud();
  const specimen = await workingDevice(cloud, fastClock(10), await digestModule());
  const topic = `devices/${specimen.name}/command`;
  const answers = new Collection<string>("answers");
  cloud.subscribe(`devices/${specimen.name}/digest`, (_, payload) =>
    answers.add(payload.toString()),
  );
  const payloads = [0, 1, 2000, 2048, 4100, 4800].map((size) => {
    const bytes = Buffer.alloc(size);
    seededBytes(size)(bytes);
    return bytes;
  });
  for (const [index, payload] of payloads.entries()) {
    cloud.publish(topic, payload, 1);
    await answers.enough(index + 1);
    assert.equal(answers.items[index], digestOf(payload));
  }

  const { mark } = specimen;
  cloud.publish(topic, Buffer.alloc(9000), 1);
  const dropped = await specimen.untilEvent(Event.MESSAGE_DROPPED, "to report 9000 bytes", mark);
  assert.deepEqual([dropped.value, dropped.text], [9000, topic]);
  cloud.publish(topic, "after it", 1);
  await specimen.untilEvent(Event.MESSAGE_ARRIVED, "to receive the next message", mark);
  assert.equal(specimen.count(Event.MQTT_DISCONNECTED, mark), 0);
});
