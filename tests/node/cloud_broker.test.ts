// The rules of the message broker, one by one, with a client that may send anything. Each test
// looks at both sides: what the client sees, and which rule the cloud names. Time stands still
// unless advanced.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { IPublishPacket, ISubackPacket } from "mqtt-packet";
import {
  LIMITS,
  type PresenceDisconnected,
  type RuleName,
} from "../../host-node/src/cloud/index.js";
import {
  cleanUp,
  issue,
  type Keys,
  RawClient,
  startCloud,
  type TestCloud,
} from "./cloud_support.js";

let running: TestCloud;
let keys: Keys & { readonly certificateId: string };
let nextClient = 0;

before(async () => {
  running = await startCloud();
  keys = await issue(running.cloud);
});
after(cleanUp);

const newId = () => `client-${nextClient++}`;

async function open(connect: object = {}) {
  const id = newId();
  return { id, client: await RawClient.open(running.cloud, keys, id, connect) };
}

/** Sends something on a new connection, which must end with this rule and this presence reason. */
async function assertCloses(
  rule: RuleName,
  misbehave: (client: RawClient) => void,
  reason = "CLIENT_ERROR",
): Promise<void> {
  const { id, client } = await open();
  const gone = new Promise<string>((resolve) => {
    const hear = (event: PresenceDisconnected) => {
      if (event.clientId !== id) return;
      running.cloud.off("disconnected", hear);
      resolve(event.disconnectReason);
    };
    running.cloud.on("disconnected", hear);
  });
  misbehave(client);
  await client.closed;
  assert.equal((await running.broken(rule, id)).action, "closed");
  assert.equal(await gone, reason);
}

test("publish of the largest payload arrives, and one byte more closes the connection", async () => {
  const { client } = await open();
  client.subscribe(["big"]);
  await client.next("suback");
  client.publish("big", Buffer.alloc(LIMITS.payloadBytesMax, 1));
  const packet = (await client.next("publish")) as IPublishPacket;
  assert.equal(packet.payload.length, LIMITS.payloadBytesMax);
  await assertCloses("payload-size", (other) =>
    other.publish("big", Buffer.alloc(LIMITS.payloadBytesMax + 1)),
  );
});

test("packet that never ends closes the connection before it fills memory", async () => {
  await assertCloses("payload-size", (client) => {
    // PUBLISH with a remaining length of 268,435,455, of which only a little is sent.
    client.sendBytes(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x01, 0x61]));
    client.sendBytes(Buffer.alloc(2 * LIMITS.payloadBytesMax));
  });
});

test("topic of 256 bytes and seven slashes is taken, more closes the connection", async () => {
  const { client } = await open();
  client.publish("t".repeat(LIMITS.topicBytesMax), "x");
  client.publish("1/2/3/4/5/6/7/8", "x");
  await client.settled();
  await assertCloses("topic-size", (other) => other.publish("t".repeat(257), "x"));
  await assertCloses("topic-slashes", (other) => other.publish("1/2/3/4/5/6/7/8/9", "x"));
  await assertCloses("topic-slashes", (other) => other.subscribe(["1/2/3/4/5/6/7/8/#"]));
});

test("basic ingest prefix is exempt from the topic rules, and reaches no subscriber", async () => {
  const { id, client } = await open();
  client.subscribe(["$aws/rules/#", "#"]);
  await client.next("suback");
  const seen = new Promise<string>((resolve) => {
    running.cloud.on("publish", (event) => {
      if (event.clientId === id) resolve(event.topic);
    });
  });
  client.publish("$aws/rules/store/1/2/3/4/5/6/7/8", "x", { qos: 1, messageId: 9 });
  await client.next("puback");
  assert.equal(await seen, "$aws/rules/store/1/2/3/4/5/6/7/8");
  await client.settled();
  assert.equal(client.received.filter((packet) => packet.cmd === "publish").length, 0);
  await assertCloses("topic-slashes", (other) =>
    other.publish("$aws/rules/store/1/2/3/4/5/6/7/8/9", "x"),
  );
});

test("publish with a wildcard or to an unknown reserved topic closes the connection", async () => {
  await assertCloses("topic-wildcard", (client) => client.publish("a/+/b", "x"));
  await assertCloses("reserved-topic", (client) => client.publish("$aws/nothing", "x"));
  await assertCloses("reserved-topic", (client) => client.publish("$SYS/x", "x"));
  await assertCloses("reserved-topic", (client) => client.subscribe(["$SYS/#"]));
  await assertCloses("topic-wildcard", (client) => client.subscribe(["a/b#"]));
});

test("publish with QoS 2 closes the connection, subscribe with QoS 2 is granted 1", async () => {
  await assertCloses("publish-qos2", (client) =>
    client.publish("a", "x", { qos: 2, messageId: 1 }),
  );
  const { id, client } = await open();
  client.subscribe(["a"], 2);
  assert.deepEqual(((await client.next("suback")) as ISubackPacket).granted, [1]);
  assert.equal((await running.broken("subscribe-qos2", id)).action, "adjusted");
});

test("subscribe with nine filters or the 51st subscription closes the connection", async () => {
  const filters = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => `filter/${from + i}`);
  await assertCloses("filters-per-subscribe", (client) => client.subscribe(filters(0, 9)));
  await assertCloses("subscriptions-per-connection", (client) => {
    for (let from = 0; from < 48; from += 8) client.subscribe(filters(from, 8));
    client.subscribe(filters(48, 2));
    // Known filters cost nothing; the 51st is one too many.
    client.subscribe(filters(40, 8));
    client.subscribe(filters(50, 1));
  });
  const { client } = await open();
  for (let from = 0; from < 48; from += 8) client.subscribe(filters(from, 8));
  client.subscribe(filters(48, 2));
  client.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["filter/0"] });
  client.subscribe(filters(50, 1));
  await client.settled();
});

test("publishes above 100 a second are discarded without PUBACK, and flow again later", async () => {
  const { id, client } = await open();
  for (let i = 1; i <= 102; i++) client.publish("rate", "x", { qos: 1, messageId: i });
  await client.settled();
  const acknowledged = client.received.filter((packet) => packet.cmd === "puback");
  assert.deepEqual(
    acknowledged.map(({ messageId }) => messageId).sort((a, b) => a! - b!),
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
  assert.equal((await running.broken("publish-rate", id)).action, "discarded");
  running.clock.advance(10);
  client.publish("rate", "x", { qos: 1, messageId: 200 });
  for (;;) if ((await client.next("puback")).messageId === 200) break;
});

test("messages to a client beyond 100 unacknowledged wait for its PUBACK", async () => {
  const { id, client } = await open();
  client.subscribe(["flood"], 1);
  await client.next("suback");
  for (let i = 0; i < 103; i++) running.cloud.publish("flood", String(i), 1);
  assert.equal((await running.broken("outbound-unacknowledged", id)).action, "delayed");
  const first: IPublishPacket[] = [];
  while (first.length < 100) first.push((await client.next("publish")) as IPublishPacket);
  await client.settled();
  assert.equal(client.received.filter((packet) => packet.cmd === "publish").length, 0);
  client.send({ cmd: "puback", messageId: first[0]!.messageId! });
  assert.equal(String(((await client.next("publish")) as IPublishPacket).payload), "100");
  await client.settled();
  assert.equal(client.received.filter((packet) => packet.cmd === "publish").length, 0);
});

test("messages from a client beyond the unacknowledged window are discarded", async () => {
  const { cloud, broken } = await startCloud({ limits: { inboundUnacknowledgedMax: 2 } });
  const client = await RawClient.open(cloud, await issue(cloud), "window");
  const packets = [1, 2, 3].map((messageId) => ({
    cmd: "publish" as const,
    topic: "window",
    payload: "x",
    qos: 1 as const,
    retain: false,
    dup: false,
    messageId,
  }));
  // In one write, so that the third is judged before the first is acknowledged.
  client.send(...packets);
  assert.equal((await broken("inbound-unacknowledged", "window")).action, "discarded");
  await client.next("puback");
  await client.next("puback");
});

test("throughput above the limit is delayed, and nothing is lost", async () => {
  const { cloud, clock, broken } = await startCloud({
    limits: { throughputBytesPerSecondMax: 2000 },
  });
  const client = await RawClient.open(cloud, await issue(cloud), "bulk");
  client.publish("bulk", Buffer.alloc(3000));
  assert.equal((await broken("throughput", "bulk")).action, "delayed");
  client.send({ cmd: "pingreq" });
  clock.advance(5000);
  await client.next("pingresp");
});

test("retain on a reserved topic closes the connection, elsewhere it is kept for later subscribers", async () => {
  await assertCloses("retain-reserved-topic", (client) =>
    client.publish("$aws/rules/store/x", "x", { retain: true }),
  );
  const { client } = await open();
  client.publish("kept", "still here", { retain: true, qos: 1, messageId: 1 });
  await client.next("puback");
  const { client: late } = await open();
  late.subscribe(["kept"]);
  const packet = (await late.next("publish")) as IPublishPacket;
  assert.equal(String(packet.payload), "still here");
  assert.equal(packet.retain, true);
});

test("second CONNECT, packet before CONNECT and QoS 2 handshake packet close the connection", async () => {
  await assertCloses("connect-twice", (client) => client.connect("again"));
  await assertCloses("protocol-error", (client) => client.send({ cmd: "pubrel", messageId: 1 }));
  const early = new RawClient(running.cloud, keys);
  early.send({ cmd: "pingreq" });
  await early.closed;
});

test("keep-alive clamped to 30 s drops a silent client after 45 s, and not before", async () => {
  const { id, client } = await open({ keepalive: 5 });
  assert.match((await running.broken("keep-alive-range", id)).detail, /5 s asked, taken as 30 s/);
  running.clock.advance(40_000);
  await client.settled();
  running.clock.advance(44_000);
  assert.equal(running.rules.filter((event) => event.clientId === id).length, 1);
  running.clock.advance(1000);
  await client.closed;
  assert.equal((await running.broken("keep-alive-timeout", id)).action, "closed");
});

test("keep-alive of zero or above the maximum is taken as 1200 s", async () => {
  for (const keepalive of [0, 5000]) {
    const { id, client } = await open({ keepalive });
    assert.match((await running.broken("keep-alive-range", id)).detail, /taken as 1200 s/);
    running.clock.advance(1_799_000);
    assert.equal(
      running.rules.some((event) => event.clientId === id && event.action === "closed"),
      false,
    );
    running.clock.advance(1000);
    await client.closed;
  }
});

test("random bytes and broken packets end their connection and never the cloud", async () => {
  let seed = 0x12345678;
  const random = () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % 256;
  };
  const { id, client: survivor } = await open();
  for (let round = 0; round < 40; round++) {
    const client = round % 2 === 0 ? (await open()).client : new RawClient(running.cloud, keys);
    const bytes = Buffer.from(Array.from({ length: 64 }, random));
    // A whole packet of every type, so that more than the header is looked at.
    bytes[0] = ((round % 16) << 4) | (bytes[0]! & 0x0f);
    bytes[1] = bytes.length - 2;
    client.sendBytes(bytes);
    client.sendBytes(Buffer.from([0xf0, 0x00]));
    await client.closed;
  }
  await survivor.settled();
  assert.equal(
    running.rules.some((event) => event.clientId === id),
    false,
  );
});
