// The judge of the shadow service: the official AWS IoT Device SDK's shadow client against the local
// cloud. Classic and named shadows, both streams, and AWS's error shape for each refusal.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { iotshadow } from "aws-iot-device-sdk-v2";
import { connectSdk, openStreams, SDK_OPTIONS, sdkRefusal } from "./cloud_services_support.js";
import { cleanUp, onCleanUp, startCloud, type TestCloud } from "./cloud_support.js";

type Refusal = iotshadow.model.V2ErrorResponse;

let running: TestCloud;

before(async () => {
  running = await startCloud();
});
after(cleanUp);

async function shadowClient(thingName: string): Promise<iotshadow.IotShadowClientv2> {
  const connection = await connectSdk(running, thingName);
  const client = iotshadow.IotShadowClientv2.newFromMqtt311(connection, SDK_OPTIONS);
  onCleanUp(() => client.close());
  return client;
}

test("sdk shadow client updates, gets and deletes the classic shadow, and gets 404 afterwards", async () => {
  const thingName = "sdk-classic";
  const client = await shadowClient(thingName);
  const absent = await sdkRefusal<Refusal>(client.getShadow({ thingName }));
  assert.equal(absent.code, 404);
  assert.equal(absent.message, "No shadow exists with name: 'sdk-classic'");
  const updated = await client.updateShadow({
    thingName,
    state: { desired: { on: true }, reported: { on: false } },
  });
  assert.equal(updated.version, 1);
  assert.deepEqual(updated.state, { desired: { on: true }, reported: { on: false } });
  const document = await client.getShadow({ thingName });
  assert.equal(document.version, 1);
  assert.deepEqual(document.state!.delta, { on: true });
  const timestamp = running.clock.now() / 1000;
  assert.deepEqual(document.metadata!.desired, { on: { timestamp } });
  assert.equal((await client.deleteShadow({ thingName })).version, 1);
  assert.equal((await sdkRefusal<Refusal>(client.getShadow({ thingName }))).code, 404);
  assert.equal((await sdkRefusal<Refusal>(client.deleteShadow({ thingName }))).code, 404);
  const again = await client.updateShadow({ thingName, state: { desired: { on: true } } });
  assert.equal(again.version, 2);
});

test("sdk shadow client works on named shadows, which are independent of each other", async () => {
  const thingName = "sdk-named";
  const client = await shadowClient(thingName);
  const [a, b] = [
    { thingName, shadowName: "a" },
    { thingName, shadowName: "b:2_x-y" },
  ];
  await client.updateNamedShadow({ ...a, state: { reported: { level: 1 } } });
  await client.updateNamedShadow({ ...a, state: { reported: { level: 2 } } });
  await client.updateNamedShadow({ ...b, state: { reported: { level: 9 } } });
  const document = await client.getNamedShadow(a);
  assert.equal(document.version, 2);
  assert.deepEqual(document.state, { reported: { level: 2 } });
  await client.deleteNamedShadow(a);
  const absent = await sdkRefusal<Refusal>(client.getNamedShadow(a));
  assert.equal(absent.message, "No shadow exists with name: 'sdk-named~a'");
  assert.deepEqual((await client.getNamedShadow(b)).state, { reported: { level: 9 } });
  assert.equal((await sdkRefusal<Refusal>(client.getShadow({ thingName }))).code, 404);
});

test("sdk shadow client gets 409 for a version that is not current, and the document stays", async () => {
  const thingName = "sdk-conflict";
  const client = await shadowClient(thingName);
  await client.updateShadow({ thingName, state: { desired: { mode: "a" } } });
  await client.updateShadow({ thingName, state: { desired: { mode: "b" } }, version: 1 });
  const request = { thingName, state: { desired: { mode: "c" } }, version: 1 };
  const conflict = await sdkRefusal<Refusal>(client.updateShadow(request));
  assert.equal(conflict.code, 409);
  assert.equal(conflict.message, "Version conflict");
  const document = await client.getShadow({ thingName });
  assert.equal(document.version, 2);
  assert.deepEqual(document.state!.desired, { mode: "b" });
});

test("sdk shadow client's streams bring deltas and documents of the classic shadow", async () => {
  const thingName = "sdk-streams";
  const { delta, documents } = await openStreams(running, {
    thingName,
    streams: ["delta", "documents"],
  });
  const shadow = running.cloud.shadow(thingName);
  await shadow.update({ state: { desired: { led: { on: true, colour: "red" } } } });
  const first = await delta();
  assert.deepEqual(first.state, { led: { on: true, colour: "red" } });
  assert.equal(first.version, 1);
  const created = await documents();
  assert.equal(created.previous.version, 0);
  assert.deepEqual(created.current.state, { desired: { led: { on: true, colour: "red" } } });
  await shadow.update({ state: { reported: { led: { on: true } } } });
  assert.deepEqual((await delta()).state, { led: { colour: "red" } });
  await documents();
  await shadow.update({ state: { reported: { led: { colour: "red" } } } });
  const settled = await documents();
  assert.equal(settled.previous.version, 2);
  assert.equal(settled.current.version, 3);
  await shadow.update({ state: { desired: { led: { on: false } } } });
  // The update before left no difference: the next delta is this one.
  const last = await delta();
  assert.equal(last.version, 4);
  assert.deepEqual(last.state, { led: { on: false } });
});

test("sdk shadow client's streams bring deltas and documents of a named shadow only", async () => {
  const target = { thingName: "sdk-named-streams", shadowName: "settings" };
  const { namedDelta, namedDocuments } = await openStreams(running, {
    ...target,
    streams: ["namedDelta", "namedDocuments"],
  });
  const { cloud } = running;
  await cloud.shadow(target.thingName).update({ state: { desired: { classic: 1 } } });
  const named = cloud.shadow(target.thingName, target.shadowName);
  await named.update({ state: { desired: { named: 1 } } });
  assert.deepEqual((await namedDelta()).state, { named: 1 });
  assert.deepEqual((await namedDocuments()).current.state, { desired: { named: 1 } });
});
