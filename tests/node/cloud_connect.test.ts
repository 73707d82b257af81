// Who gets in, and how connections end: certificates in every state, client ids, rates, policies,
// wills, take-over of a client id, persistent sessions, and the presence events that tell others
// about it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { IConnackPacket, IPublishPacket } from "mqtt-packet";
import { CertificateAuthority } from "../../host-node/src/cloud/ca.js";
import { certificateIdOf } from "../../host-node/src/cloud/certificate.js";
import type { PresenceConnected, PresenceDisconnected } from "../../host-node/src/cloud/index.js";
import {
  cleanUp,
  connectMqtt,
  issue,
  type Keys,
  RawClient,
  startCloud,
  type TestCloud,
} from "./cloud_support.js";

let running: TestCloud;
let keys: Keys & { readonly certificateId: string };
let watcher: RawClient;

before(async () => {
  running = await startCloud();
  keys = await issue(running.cloud);
  watcher = await RawClient.open(running.cloud, keys, "watcher");
  watcher.subscribe(["$aws/events/presence/#"]);
  await watcher.next("suback");
});
after(cleanUp);

/** The next presence event about a client, as a subscriber reads it. */
async function presence(
  type: "connected" | "disconnected",
  clientId: string,
): Promise<PresenceConnected | PresenceDisconnected> {
  for (;;) {
    const { topic, payload } = (await watcher.next("publish")) as IPublishPacket;
    if (topic === `$aws/events/presence/${type}/${clientId}`) return JSON.parse(String(payload));
  }
}

async function refusedWith(clientId: string, connect: object, returnCode: number): Promise<void> {
  const client = new RawClient(running.cloud, keys);
  client.connect(clientId, connect);
  assert.equal(((await client.next("connack")) as IConnackPacket).returnCode, returnCode);
  await client.closed;
}

test("certificate pending, inactive or revoked ends the connection without an answer", async () => {
  for (const status of ["PENDING_ACTIVATION", "INACTIVE", "REVOKED"] as const) {
    const { cloud, broken } = await startCloud();
    const client = new RawClient(cloud, await issue(cloud, { status }));
    client.connect("late");
    await client.closed;
    assert.deepEqual(client.received, []);
    assert.match((await broken("certificate-not-active")).detail, new RegExp(status));
  }
});

test("certificate of our CA but not registered is refused, and one of another CA fails the handshake", async () => {
  const { cloud, dir, broken } = await startCloud();
  const registry = JSON.parse(readFileSync(`${dir}/registry.json`, "utf8"));
  const stranger = await (await CertificateAuthority.open(registry.ca)).issueWithKeys();
  const unknown = new RawClient(cloud, stranger);
  await unknown.closed;
  assert.match((await broken("certificate-unknown")).detail, new RegExp(stranger.certificateId));
  const other = await CertificateAuthority.open(await CertificateAuthority.create());
  const foreign = new RawClient(cloud, await other.issueWithKeys());
  await foreign.closed;
  assert.equal((await broken("tls-handshake")).action, "refused");
});

test("certificate revoked while connected ends its connections with AUTH_ERROR", async () => {
  const own = await issue(running.cloud);
  const client = await RawClient.open(running.cloud, own, "revoked");
  running.cloud.revoke(own.certificateId);
  await client.closed;
  const event = (await presence("disconnected", "revoked")) as PresenceDisconnected;
  assert.equal(event.disconnectReason, "AUTH_ERROR");
  const again = new RawClient(running.cloud, own);
  await again.closed;
});

test("connect with MQTT 5, a long client id or an empty one in a persistent session is refused", async () => {
  const client = new RawClient(running.cloud, keys);
  client.connect("five", { protocolVersion: 5 });
  assert.equal(((await client.next("connack")) as IConnackPacket).returnCode, 1);
  await refusedWith("c".repeat(129), {}, 2);
  // The packet library does not write an empty client id with a persistent session: by hand.
  const nameless = new RawClient(running.cloud, keys);
  nameless.sendBytes(Buffer.from("100c00044d515454040000000000", "hex").fill(60, 11, 12));
  assert.equal(((await nameless.next("connack")) as IConnackPacket).returnCode, 2);
  await RawClient.open(running.cloud, keys, "c".repeat(128));
  await RawClient.open(running.cloud, keys, "");
});

test("connect twice within a second is refused as unavailable, and taken a second later", async () => {
  await RawClient.open(running.cloud, keys, "eager");
  await refusedWith("eager", {}, 3);
  assert.equal((await running.broken("connect-rate", "eager")).action, "refused");
  running.clock.advance(1000);
  await RawClient.open(running.cloud, keys, "eager");
});

test("connects of the whole account above their rate are refused", async () => {
  const { cloud, broken } = await startCloud({ limits: { connectsPerSecondMax: 2 } });
  const own = await issue(cloud);
  await RawClient.open(cloud, own, "a");
  await RawClient.open(cloud, own, "b");
  const third = new RawClient(cloud, own);
  third.connect("c");
  assert.equal(((await third.next("connack")) as IConnackPacket).returnCode, 3);
  assert.match((await broken("connect-rate", "c")).detail, /account/);
});

test("same client id newest connection wins, presence says DUPLICATE_CLIENTID", async () => {
  const first = await connectMqtt(running.cloud, keys, { clientId: "twin" });
  const closed = new Promise<void>((resolve) => {
    first.once("close", () => resolve());
  });
  const before = (await presence("connected", "twin")) as PresenceConnected;
  running.clock.advance(1000);
  const second = await connectMqtt(running.cloud, keys, { clientId: "twin" });
  await closed;
  const ended = (await presence("disconnected", "twin")) as PresenceDisconnected;
  assert.equal(ended.disconnectReason, "DUPLICATE_CLIENTID");
  assert.equal(ended.clientInitiatedDisconnect, false);
  assert.equal(ended.sessionIdentifier, before.sessionIdentifier);
  assert.equal(ended.versionNumber, before.versionNumber);
  const anew = (await presence("connected", "twin")) as PresenceConnected;
  assert.equal(anew.versionNumber, before.versionNumber + 1);
  // The survivor is whole: it can still subscribe and hear.
  await second.subscribeAsync("twin/topic");
  const heard = new Promise<string>((resolve) => {
    second.once("message", (_topic, payload) => resolve(String(payload)));
  });
  running.cloud.publish("twin/topic", "for the newest");
  assert.equal(await heard, "for the newest");
});

test("presence events have AWS's fields, and say who ended the connection", async () => {
  const client = await connectMqtt(running.cloud, keys, { clientId: "polite" });
  const connected = (await presence("connected", "polite")) as PresenceConnected;
  assert.deepEqual(connected, {
    clientId: "polite",
    timestamp: running.clock.now(),
    eventType: "connected",
    sessionIdentifier: connected.sessionIdentifier,
    principalIdentifier: keys.certificateId,
    ipAddress: "127.0.0.1",
    versionNumber: 0,
  });
  await client.endAsync();
  assert.deepEqual(await presence("disconnected", "polite"), {
    clientId: "polite",
    timestamp: running.clock.now(),
    eventType: "disconnected",
    clientInitiatedDisconnect: true,
    sessionIdentifier: connected.sessionIdentifier,
    principalIdentifier: keys.certificateId,
    disconnectReason: "CLIENT_INITIATED_DISCONNECT",
    versionNumber: 0,
  });
  const lost = await RawClient.open(running.cloud, keys, "lost");
  lost.destroy();
  const event = (await presence("disconnected", "lost")) as PresenceDisconnected;
  assert.equal(event.disconnectReason, "CONNECTION_LOST");
});

test("will is published when the connection is lost, not after DISCONNECT", async () => {
  watcher.subscribe(["wills/#"], 0, 2);
  await watcher.next("suback");
  const will = (payload: string) => ({ topic: "wills/x", payload: Buffer.from(payload), qos: 0 });
  const polite = await RawClient.open(running.cloud, keys, "will-1", { will: will("polite") });
  polite.send({ cmd: "disconnect" });
  await polite.closed;
  const lost = await RawClient.open(running.cloud, keys, "will-2", { will: will("lost") });
  lost.destroy();
  for (;;) {
    const packet = (await watcher.next("publish")) as IPublishPacket;
    if (packet.topic !== "wills/x") continue;
    assert.equal(String(packet.payload), "lost");
    break;
  }
});

test("will that breaks a rule ends the connection at CONNECT", async () => {
  const wills = [
    ["reserved-topic", { topic: "$aws/rules/store/x", payload: Buffer.from("x"), qos: 0 }],
    ["publish-qos2", { topic: "will", payload: Buffer.from("x"), qos: 2 }],
  ] as const;
  for (const [rule, will] of wills) {
    const client = new RawClient(running.cloud, keys);
    client.connect(`bad-${rule}`, { will });
    await client.closed;
    assert.deepEqual(client.received, []);
    await running.broken(rule, `bad-${rule}`);
  }
});

test("persistent session keeps subscriptions and QoS 1 messages while the client is away", async () => {
  const options = { clientId: "sleeper", clean: false };
  const client = await connectMqtt(running.cloud, keys, options);
  await client.subscribeAsync("sleeper/in", { qos: 1 });
  await client.endAsync();
  running.cloud.publish("sleeper/in", "while away", 1);
  running.clock.advance(1000);
  const again = await RawClient.open(running.cloud, keys, "sleeper", { clean: false });
  const packet = (await again.next("publish")) as IPublishPacket;
  assert.equal(String(packet.payload), "while away");
});

test("policy that forbids connect, publish, subscribe ends the connection; receive is withheld", async () => {
  const { cloud, rules, broken } = running;
  const arn = "arn:aws:iot:local-1:000000000000";
  cloud.putPolicy("narrow", {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:Connect", Resource: `${arn}:client/narrow-*` },
      { Effect: "Allow", Action: "iot:Publish", Resource: `${arn}:topic/out` },
      { Effect: "Allow", Action: "iot:Subscribe", Resource: `${arn}:topicfilter/in/*` },
      { Effect: "Allow", Action: "iot:Receive", Resource: `${arn}:topic/in/open` },
    ],
  });
  const own = await issue(cloud, { policies: ["narrow"] });
  const stranger = new RawClient(cloud, own);
  stranger.connect("wide");
  await stranger.closed;
  assert.deepEqual(stranger.received, []);
  await broken("connect-forbidden", "wide");

  const publisher = await RawClient.open(cloud, own, "narrow-1");
  publisher.publish("out", "x", { qos: 1, messageId: 1 });
  await publisher.next("puback");
  publisher.publish("elsewhere", "x");
  await publisher.closed;
  await broken("publish-forbidden", "narrow-1");
  const event = (await presence("disconnected", "narrow-1")) as PresenceDisconnected;
  assert.equal(event.disconnectReason, "AUTH_ERROR");

  const retainer = await RawClient.open(cloud, own, "narrow-2");
  retainer.publish("out", "x", { retain: true });
  await retainer.closed;
  await broken("retain-forbidden", "narrow-2");

  const subscriber = await RawClient.open(cloud, own, "narrow-3");
  subscriber.subscribe(["in/#"]);
  await subscriber.next("suback");
  cloud.publish("in/secret", "hidden");
  cloud.publish("in/open", "shown");
  assert.equal(String(((await subscriber.next("publish")) as IPublishPacket).payload), "shown");
  assert.equal((await broken("receive-forbidden", "narrow-3")).action, "withheld");
  subscriber.subscribe(["other"]);
  await subscriber.closed;
  await broken("subscribe-forbidden", "narrow-3");
  assert.ok(rules.length > 0);
});

test("device policy lets a thing use its own topics and only its own client id", async () => {
  const { cloud, broken } = running;
  const own = await cloud.issueCertificate({ thingName: "lamp" });
  const lamp = await RawClient.open(cloud, own, "lamp");
  lamp.subscribe(["$aws/things/lamp/shadow/update/accepted", "lamp/in"]);
  await lamp.next("suback");
  lamp.subscribe(["$aws/things/fridge/shadow/update/accepted"]);
  await lamp.closed;
  await broken("subscribe-forbidden", "lamp");
  const impostor = new RawClient(cloud, own);
  impostor.connect("fridge");
  await impostor.closed;
  await broken("connect-forbidden", "fridge");
});

test("close of the cloud disconnects clients as SERVER_INITIATED_DISCONNECT and keeps the state", async () => {
  const first = await startCloud();
  const own = await issue(first.cloud, { thingName: "kept" });
  const client = await RawClient.open(first.cloud, own, "kept");
  const reasons: string[] = [];
  first.cloud.on("disconnected", (event) => reasons.push(event.disconnectReason));
  const certificates = first.cloud.certificates();
  const ca = readFileSync(first.cloud.paths.ca, "utf8");
  await first.cloud.close();
  await client.closed;
  assert.deepEqual(reasons, ["SERVER_INITIATED_DISCONNECT"]);
  const second = await startCloud({ dir: first.dir });
  assert.deepEqual(second.cloud.certificates(), certificates);
  assert.equal(readFileSync(second.cloud.paths.ca, "utf8"), ca);
  assert.deepEqual(second.cloud.things(), first.cloud.things());
  await RawClient.open(second.cloud, own, "kept");
  assert.equal(certificateIdOf(Buffer.alloc(0)).length, 64);
});
