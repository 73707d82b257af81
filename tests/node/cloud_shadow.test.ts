// The shadow service over plain MQTT: every error of AWS's page with its message, limits at their edges,
// what goes to which topic, requests in flight, and the state on disk. The SDK judges the rest.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ShadowError } from "../../host-node/src/cloud/index.js";
import { type Body, Thing } from "./cloud_services_support.js";
import {
  cleanUp,
  connectMqtt,
  issue,
  onCleanUp,
  startCloud,
  type TestCloud,
} from "./cloud_support.js";

let running: TestCloud;
let made = 0;

before(async () => {
  running = await startCloud();
});
after(cleanUp);

const thing = () => Thing.connect(running, `shadow-${++made}`);
const BLANKS = "x".repeat(10_000);

test("bad updates are refused with AWS's codes and messages, and change nothing", async () => {
  const device = await thing();
  const deep = (levels: number): object => (levels === 1 ? {} : { a: deep(levels - 1) });
  const cases: [string | Buffer | object, number, string][] = [
    ["{", 400, "Invalid JSON"],
    ["", 400, "Invalid JSON"],
    ["[]", 400, "Invalid JSON"],
    [{}, 400, "Missing required node: state"],
    [{ state: 1 }, 400, "State node must be an object"],
    [{ state: [] }, 400, "State node must be an object"],
    [{ state: { desired: 1 } }, 400, "Desired node must be an object"],
    [{ state: { reported: [] } }, 400, "Reported node must be an object"],
    [{ state: { wanted: {} } }, 400, "State contains an invalid node: 'wanted'"],
    [{ state: {}, version: "1" }, 400, "Invalid version"],
    [{ state: {}, version: -1 }, 400, "Invalid version"],
    [{ state: {}, version: 1.5 }, 400, "Invalid version"],
    [{ state: {}, clientToken: 5 }, 400, "Invalid clientToken"],
    [{ state: {}, clientToken: "x".repeat(65) }, 400, "Invalid clientToken"],
    [
      { state: { desired: { list: [1, null] } } },
      400,
      "State contains an invalid node: an array holds null",
    ],
    [
      { state: { desired: deep(7) } },
      400,
      "JSON contains too many levels of nesting; maximum is 6",
    ],
    [{ state: {}, version: 1 }, 409, "Version conflict"],
    [{ state: { desired: { text: BLANKS } } }, 413, "The payload exceeds the maximum size allowed"],
    [
      Buffer.from('{"state":{"desired":{"a":"\xff"}}}', "latin1"),
      415,
      "Unsupported documented encoding; supported encoding is UTF-8",
    ],
  ];
  for (const [payload, code, message] of cases) {
    const refusal = await device.refused("shadow/update", payload);
    const timestamp = running.clock.now() / 1000;
    assert.deepEqual(refusal, { code, message, timestamp }, message);
  }
  await assert.rejects(running.cloud.shadow(device.name).get(), { code: 404 });
});

test("refusal echoes the client token, and the cloud tells which request it refused", async () => {
  const device = await thing();
  const heard: string[] = [];
  const listener = (event: { topic: string; code: string }) =>
    heard.push(`${event.code} ${event.topic}`);
  running.cloud.on("refused", listener);
  onCleanUp(() => running.cloud.off("refused", listener));
  const clientToken = "é".repeat(32);
  const refusal = await device.refused("shadow/update", { clientToken });
  assert.equal(refusal.clientToken, clientToken);
  const absent = await device.refused("shadow/get", { clientToken: "absent" });
  assert.equal(absent.clientToken, "absent");
  assert.deepEqual(heard, [
    `400 ${device.topic("shadow/update")}`,
    `404 ${device.topic("shadow/get")}`,
  ]);
});

test("update at the edges of size and nesting is accepted, and one byte or level more is not", async () => {
  const device = await thing();
  const nested = { desired: { a: { b: { c: { d: { e: 1 } } } } } };
  await device.ask("shadow/update", { state: nested });
  const { state } = await running.cloud.shadow(device.name).get();
  assert.deepEqual(state.desired, nested.desired);
  await device.ask("shadow/update", { state: null });
  const empty = JSON.stringify({ desired: { t: "" } }).length;
  const fill = (bytes: number) => ({ state: { desired: { t: "x".repeat(bytes - empty) } } });
  await device.ask("shadow/update", fill(8192));
  assert.equal((await device.refused("shadow/update", fill(8193))).code, 413);
  // What counts is the document that would come of it, not the request alone.
  const more = { state: { reported: { a: 1 } } };
  assert.equal((await device.refused("shadow/update", more)).code, 413);
  await device.ask("shadow/update", { state: { desired: { t: null }, reported: { a: 1 } } });
});

test("accepted answer repeats the request with the time of each leaf, null and elements included", async () => {
  const device = await thing();
  const state = { desired: { on: true, list: [1, { x: 2 }], gone: null }, reported: null };
  const accepted = await device.ask("shadow/update", { state, clientToken: "t", version: 0 });
  const timestamp = running.clock.now() / 1000;
  const at = { timestamp };
  assert.deepEqual(accepted, {
    state,
    metadata: { desired: { on: at, list: [at, { x: at }], gone: at }, reported: at },
    version: 1,
    timestamp,
    clientToken: "t",
  });
  const document = await device.ask("shadow/get", { clientToken: "g" });
  assert.deepEqual(document, {
    state: { desired: { on: true, list: [1, { x: 2 }] }, delta: { on: true, list: [1, { x: 2 }] } },
    metadata: { desired: { on: at, list: [at, { x: at }] } },
    version: 1,
    timestamp,
    clientToken: "g",
  });
  assert.deepEqual((await device.ask("shadow/update", { state: null })).state, null);
  assert.deepEqual((await device.ask("shadow/get")).state, {});
});

test("delta compares arrays whole, recurses into objects and carries the times of what is desired", async () => {
  const device = await thing();
  const first = running.clock.now() / 1000;
  await device.ask("shadow/update", {
    state: { desired: { led: { on: true, rgb: [1, 2, 3] }, same: { a: 1, b: 2 } } },
  });
  running.clock.advance(5000);
  await device.ask("shadow/update", {
    state: {
      reported: { led: { on: true, rgb: [1, 2] }, same: { b: 2, a: 1 }, extra: 1 },
      desired: { name: "x" },
    },
    clientToken: "d",
  });
  await device.next("shadow/update/delta");
  const at = { timestamp: first };
  const now = { timestamp: first + 5 };
  assert.deepEqual(await device.next("shadow/update/delta"), {
    version: 2,
    timestamp: first + 5,
    clientToken: "d",
    state: { led: { rgb: [1, 2, 3] }, name: "x" },
    metadata: { led: { rgb: [at, at, at] }, name: now },
  });
  await device.settle();
  const reported = { led: { rgb: [1, 2, 3] }, name: "x" };
  await device.ask("shadow/update", { state: { reported } });
  const topics = await device.settle();
  assert.deepEqual(topics, ["shadow/update/documents"]);
});

test("documents message shows the document before and after an update", async () => {
  const device = await thing();
  await device.ask("shadow/update", { state: { reported: { a: 1 } } });
  await device.ask("shadow/update", { state: { reported: { a: 2 } }, clientToken: "c" });
  await device.next("shadow/update/documents");
  const timestamp = running.clock.now() / 1000;
  const metadata = { reported: { a: { timestamp } } };
  assert.deepEqual(await device.next("shadow/update/documents"), {
    previous: { state: { reported: { a: 1 } }, metadata, version: 1 },
    current: { state: { reported: { a: 2 } }, metadata, version: 2 },
    timestamp,
    clientToken: "c",
  });
});

test("keys that every object has are keys like any other", async () => {
  const device = await thing();
  const text = '{"state":{"desired":{"__proto__":{"a":1},"constructor":2,"toString":3}}}';
  await device.ask("shadow/update", text);
  await device.send("shadow/get");
  const document = await device.nextText("shadow/get/accepted");
  assert.match(document, /"desired":\{"__proto__":\{"a":1\},"constructor":2,"toString":3\}/);
  assert.match(document, /"delta":\{"__proto__":\{"a":1\},"constructor":2,"toString":3\}/);
  await device.ask("shadow/update", '{"state":{"reported":{"__proto__":{"a":1}}}}');
  await device.send("shadow/get");
  assert.match(
    await device.nextText("shadow/get/accepted"),
    /"delta":\{"constructor":2,"toString":3\}/,
  );
});

test("shadow name is taken up to 64 bytes of the permitted characters", async () => {
  const device = await thing();
  const name = `${"n".repeat(60)}:_-9`;
  await device.ask(`shadow/name/${name}/update`, { state: { desired: { a: 1 } } });
  for (const wrong of [`${name}x`, "a.b", "a b", "é"]) {
    const refusal = await device.refused(`shadow/name/${wrong}/update`, { state: {} });
    assert.equal(refusal.code, 400);
    assert.equal(refusal.message, "Invalid shadow name");
  }
});

test("request about a thing that is not registered gets 404", async () => {
  const keys = await issue(running.cloud);
  const client = await connectMqtt(running.cloud, keys, { clientId: "no-thing" });
  await client.subscribeAsync("$aws/things/unknown/shadow/#");
  const heard = new Promise<[string, Buffer]>((resolve) => {
    client.once("message", (topic, payload) => resolve([topic, payload]));
  });
  await client.publishAsync("$aws/things/unknown/shadow/get", "");
  const [topic, payload] = await heard;
  assert.equal(topic, "$aws/things/unknown/shadow/get/rejected");
  assert.equal(JSON.parse(payload.toString()).message, "Thing not found");
});

test("eleventh request in flight gets 429, and the ten before it are served in order", async () => {
  // A slow cloud, so that nothing is answered before the last has come.
  const slow = await startCloud({ shadowLatencyMs: 50 });
  const hasty = await Thing.connect(slow, "hasty");
  for (let i = 0; i <= 10; i++) {
    await hasty.send("shadow/update", { state: { reported: { i } }, clientToken: `${i}` });
  }
  const refusal = await hasty.next("shadow/update/rejected");
  assert.equal(refusal.code, 429);
  assert.equal(refusal.clientToken, "10");
  const other = slow.cloud.shadow("hasty").get();
  await assert.rejects(other, { code: 429 });
  slow.clock.advance(50);
  for (let i = 0; i < 10; i++) {
    assert.equal((await hasty.next("shadow/update/accepted")).version, i + 1);
  }
  const later = slow.cloud.shadow("hasty").get();
  slow.clock.advance(50);
  assert.deepEqual((await later).state, { reported: { i: 9 } });
});

test("request whose certificate lost its rights before it is handled gets 403", async () => {
  const slow = await startCloud({ shadowLatencyMs: 50 });
  const asking = await Thing.connect(slow, "asking");
  const keys = await issue(slow.cloud);
  const watcher = await connectMqtt(slow.cloud, keys, { clientId: "watcher" });
  await watcher.subscribeAsync("$aws/things/asking/shadow/#");
  const heard = new Promise<Body>((resolve) => {
    watcher.once("message", (_topic, payload) => resolve(JSON.parse(payload.toString())));
  });
  await asking.send("shadow/get");
  slow.cloud.setCertificateStatus(asking.certificateId, "INACTIVE");
  slow.clock.advance(50);
  const { code, message } = await heard;
  assert.deepEqual({ code, message }, { code: 403, message: "Forbidden" });
});

test("failure inside the service gets 500, and the shadow stays as it was", async () => {
  const device = await thing();
  await device.ask("shadow/update", { state: { reported: { a: 1 } } });
  const directory = join(running.dir, "shadows");
  const file = readdirSync(directory).find((name) => name.startsWith(`${device.name}.`))!;
  // A directory where the new text is to be written: the disk refuses.
  mkdirSync(join(directory, `${file}.tmp`));
  const refusal = await device.refused("shadow/update", { state: { reported: { a: 2 } } });
  assert.equal(refusal.code, 500);
  assert.equal(refusal.message, "Internal service failure");
  assert.deepEqual((await device.ask("shadow/get")).state, { reported: { a: 1 } });
});

test("device with the default policy is cut off when it asks about another thing's shadow or jobs", async () => {
  for (const suffix of ["shadow/get", "jobs/get"]) {
    const device = await Thing.connect(running, `policed-${++made}`, {
      policies: ["iot32-device"],
    });
    const closed = new Promise<void>((resolve) => {
      device.client.once("close", () => resolve());
    });
    await device.ask("jobs/get");
    device.client.publish(`$aws/things/shadow-1/${suffix}`, "");
    await closed;
    const event = await running.broken("publish-forbidden", device.name);
    assert.match(event.detail, new RegExp(`shadow-1/${suffix}`));
  }
});

test("cloud's own update follows the same rules, publishes its changes, and tells refusals to its caller", async () => {
  const device = await thing();
  const shadow = running.cloud.shadow(device.name, "own");
  const accepted = await shadow.update({ state: { desired: { a: 1 } }, clientToken: "mine" });
  assert.equal(accepted.version, 1);
  assert.equal((await device.next("shadow/name/own/update/accepted")).clientToken, "mine");
  assert.deepEqual((await device.next("shadow/name/own/update/delta")).state, { a: 1 });
  await device.settle();
  await assert.rejects(shadow.update({ state: { desired: { b: BLANKS } } }), (error) => {
    return error instanceof ShadowError && error.code === 413;
  });
  await assert.rejects(shadow.update({ state: {}, version: 7 }), { code: 409 });
  await shadow.get();
  assert.deepEqual(await device.settle(), []);
  await shadow.delete();
  assert.equal((await device.next("shadow/name/own/delete/accepted")).version, 1);
  await assert.rejects(shadow.get(), /No shadow exists with name/);
});

test("shadows and the version of a deleted one survive a restart; after 48 hours it counts from 1", async () => {
  const first = await startCloud();
  await issue(first.cloud, { thingName: "kept" });
  for (let i = 0; i < 3; i++)
    await first.cloud.shadow("kept").update({ state: { desired: { i } } });
  await first.cloud.shadow("kept", "gone").update({ state: { desired: { a: 1 } } });
  await first.cloud.shadow("kept", "gone").delete();
  const before = await first.cloud.shadow("kept").get();
  await first.cloud.close();
  const second = await startCloud({ dir: first.dir });
  assert.deepEqual(await second.cloud.shadow("kept").get(), before);
  const gone = second.cloud.shadow("kept", "gone");
  await assert.rejects(gone.get(), { code: 404 });
  assert.equal((await gone.update({ state: { desired: { a: 2 } } })).version, 2);
  await gone.delete();
  second.clock.advance(48 * 3_600_000);
  assert.equal((await gone.update({ state: { desired: { a: 3 } } })).version, 1);
});
