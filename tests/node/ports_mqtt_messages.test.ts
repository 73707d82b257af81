// What goes over an open connection: subscriptions, publishes, messages in fragments, and what is
// acknowledged when.

import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, before, beforeEach, test } from "node:test";
import type { Packet } from "mqtt-packet";
import { EventKind, INBOX_BYTES, Status } from "../../host-node/src/abi.js";
import {
  Desk,
  Pki,
  packetsOf,
  type ScriptedClient,
  startAedes,
  startScripted,
} from "./ports_mqtt_support.js";
import { closeServers, type Posted, turns } from "./ports_support.js";

const QOS_1 = 1;
const RETAIN = 2;
let pki: Pki;
let desk: Desk;

before(async () => {
  pki = await Pki.create();
});
beforeEach(() => {
  desk = new Desk(pki.pems);
});
afterEach(async () => {
  desk.port.close();
  await closeServers();
});

async function connectScripted(
  onPacket?: (packet: Packet, client: ScriptedClient) => void,
): Promise<{ port: number; clients: ScriptedClient[] }> {
  const broker = await startScripted(pki, onPacket);
  desk.connect(broker.port);
  await desk.host.expect(EventKind.MQTT_UP);
  return broker;
}

test("subscribe_publish_and_unsubscribe_pass_through_a_real_broker", async () => {
  const { port } = await startAedes(pki);
  desk.connect(port);
  await desk.host.expect(EventKind.MQTT_UP);
  const token = desk.subscribe("a/+/c", 1);
  assert.deepEqual(await desk.host.expect(EventKind.MQTT_SUBSCRIBED), [token, 1]);

  const published = desk.publish("a/b/c", "hello", QOS_1);
  const events = [await desk.host.next(), await desk.host.next()];
  const message = events.find(({ kind }) => kind === EventKind.MQTT_MESSAGE);
  const acknowledged = events.find(({ kind }) => kind === EventKind.MQTT_PUBLISHED);
  assert.deepEqual([acknowledged?.a, acknowledged?.b], [published, Status.OK]);
  assert.deepEqual([message?.a, message?.b], [5, 0]);
  assert.equal(message?.payload.toString("latin1"), "\x05\x00a/b/chello");
  message?.dispatched();

  const gone = desk.port.unsubscribe(Buffer.from("a/+/c"));
  assert.deepEqual(await desk.host.expect(EventKind.MQTT_UNSUBSCRIBED), [gone, Status.OK]);
});

test("subscription_that_the_broker_refuses_is_refused", async () => {
  const { aedes, port } = await startAedes(pki);
  aedes.authorizeSubscribe = (_client, subscription, done) => {
    done(null, subscription.topic === "no" ? null : subscription);
  };
  desk.connect(port);
  await desk.host.expect(EventKind.MQTT_UP);
  const token = desk.subscribe("no", 1);
  assert.deepEqual(await desk.host.expect(EventKind.MQTT_SUBSCRIBED), [token, Status.REFUSED]);
  const other = desk.subscribe("yes", 0);
  assert.deepEqual(await desk.host.expect(EventKind.MQTT_SUBSCRIBED), [other, 0]);
});

test("same_filter_is_subscribed_again_when_the_core_says_so", async () => {
  const { clients } = await connectScripted((packet, client) => {
    if (packet.cmd !== "subscribe") return;
    client.send({ cmd: "suback", messageId: packet.messageId!, granted: [1] });
  });
  for (let i = 0; i < 2; i++) {
    const token = desk.subscribe("a", 1);
    assert.deepEqual(await desk.host.expect(EventKind.MQTT_SUBSCRIBED), [token, 1]);
  }
  assert.equal(packetsOf(clients[0], "subscribe").length, 2);
});

test("flags_of_publish_reach_the_wire", async () => {
  const seen: Packet[] = [];
  let wake = () => {};
  await connectScripted((packet) => {
    seen.push(packet);
    if (seen.length === 3) wake();
  });
  const all = new Promise<void>((resolve) => {
    wake = resolve;
  });
  assert.equal(desk.publish("t", "0"), 0);
  assert.ok(desk.publish("t", "1", QOS_1) > 0);
  assert.ok(desk.publish("t", "2", QOS_1 | RETAIN) > 0);
  await all;
  const flags = seen.map((packet) => {
    assert.ok(packet.cmd === "publish");
    return [packet.qos, packet.retain, packet.dup];
  });
  assert.deepEqual(flags, [
    [0, false, false],
    [1, false, false],
    [1, true, false],
  ]);
});

test("payload_is_copied_before_publish_returns", async () => {
  const arrived = deferred<Packet>();
  await connectScripted((packet) => arrived.resolve(packet));
  const memory = Buffer.from("before");
  desk.port.publish(Buffer.from("t"), memory, 0);
  memory.fill("x");
  const packet = await arrived.promise;
  assert.ok(packet.cmd === "publish");
  assert.equal(packet.payload.toString(), "before");
});

test("publishes_without_an_answer_are_bounded_and_accepted_again_after_one", async () => {
  const pending: number[] = [];
  const { clients } = await connectScripted((packet) => {
    if (packet.cmd === "publish") pending.push(packet.messageId!);
  });
  const tokens: number[] = [];
  for (let token = 1; token > 0; ) {
    token = desk.publish("t", "x", QOS_1);
    if (token > 0) tokens.push(token);
    else assert.equal(token, Status.BUSY);
  }
  assert.ok(tokens.length >= 4 && tokens.length <= 100, `${tokens.length} in flight`);
  assert.equal(new Set(tokens).size, tokens.length);
  while (pending.length < tokens.length) await turns();
  clients[0]!.send({ cmd: "puback", messageId: pending[0]! });
  assert.deepEqual(await desk.host.expect(EventKind.MQTT_PUBLISHED), [tokens[0], Status.OK]);
  assert.ok(desk.publish("t", "x", QOS_1) > 0);
});

test("publish_without_an_answer_is_not_repeated_on_the_next_connection", async () => {
  const { port, clients } = await connectScripted();
  assert.ok(desk.publish("t", "once", QOS_1) > 0);
  while (packetsOf(clients[0], "publish").length === 0) await turns();
  clients[0]!.socket.destroy();
  assert.equal((await desk.host.expectDown())[0], "CONNECTION_LOST");
  desk.connect(port);
  await desk.host.expect(EventKind.MQTT_UP);
  const closed = once(clients[1]!.socket, "end");
  desk.port.disconnect();
  await closed;
  assert.deepEqual(
    clients[1]!.received.map(({ cmd }) => cmd),
    ["connect", "disconnect"],
  );
  const kinds = desk.host.events.map(({ name }) => name);
  assert.ok(!kinds.includes("MQTT_PUBLISHED"), kinds.join());
});

/** Events of one message, put together; checks offsets, sizes and that no other is between. */
function assemble(events: readonly Posted[], topic: string): Buffer {
  const parts: Buffer[] = [];
  let offset = 0;
  for (const event of events) {
    assert.equal(event.kind, EventKind.MQTT_MESSAGE);
    assert.equal(event.b, offset);
    assert.ok(event.payload.length <= INBOX_BYTES);
    const topicBytes = event.payload.readUInt16LE(0);
    const name = event.payload.toString("utf8", 2, 2 + topicBytes);
    assert.equal(name, offset === 0 ? topic : "");
    parts.push(event.payload.subarray(2 + topicBytes));
    offset += parts.at(-1)!.length;
  }
  return Buffer.concat(parts);
}

test("large_message_comes_in_fragments_and_is_acknowledged_after_the_last", async () => {
  const { clients } = await connectScripted();
  const length = 2 * INBOX_BYTES + 900;
  const payload = Buffer.from(Array.from({ length }, (_, i) => i & 0xff));
  const [client] = clients;
  client!.send({
    cmd: "publish",
    topic: "big",
    payload,
    qos: 1,
    messageId: 7,
    dup: false,
    retain: false,
  });
  client!.send({ cmd: "publish", topic: "small", payload: "x", qos: 0, dup: false, retain: false });

  const fragments = [await desk.host.next(), await desk.host.next(), await desk.host.next()];
  assert.deepEqual(
    fragments.map(({ a }) => a),
    [length, length, length],
  );
  assert.ok(assemble(fragments, "big").equals(payload));
  const full = fragments.slice(0, 2).map((fragment) => fragment.payload.length);
  assert.deepEqual(full, [INBOX_BYTES, INBOX_BYTES]);

  fragments[0]!.dispatched();
  fragments[1]!.dispatched();
  await turns();
  assert.equal(packetsOf(client, "puback").length, 0);
  assert.deepEqual(desk.host.events, []);
  fragments[2]!.dispatched();
  const small = await desk.host.next();
  assert.equal(assemble([small], "small").toString(), "x");
  while (packetsOf(client, "puback").length === 0) await turns();
  const [acknowledged] = packetsOf(client, "puback");
  assert.equal(acknowledged?.cmd === "puback" && acknowledged.messageId, 7);
});

test("message_of_exactly_one_inbox_is_one_fragment_and_one_byte_more_is_two", async () => {
  const { clients } = await connectScripted();
  const room = INBOX_BYTES - 2 - 1;
  const message = { cmd: "publish", topic: "t", qos: 0, dup: false, retain: false } as const;
  clients[0]!.send({ ...message, payload: Buffer.alloc(room) });
  const whole = await desk.host.next();
  assert.deepEqual([whole.a, whole.payload.length], [room, INBOX_BYTES]);
  whole.dispatched();
  clients[0]!.send({ ...message, payload: Buffer.alloc(room + 1) });
  const parts = [await desk.host.next(), await desk.host.next()];
  assert.deepEqual(
    parts.map((part) => [part.b, part.payload.length]),
    [
      [0, INBOX_BYTES],
      [room, 3],
    ],
  );
});

test("empty_message_is_one_fragment", async () => {
  const { clients } = await connectScripted();
  clients[0]!.send({ cmd: "publish", topic: "e", payload: "", qos: 0, dup: false, retain: false });
  const event = await desk.host.next();
  assert.deepEqual([event.a, event.b, event.payload.toString("latin1")], [0, 0, "\x01\x00e"]);
});

test("topic_that_the_core_cannot_take_ends_the_connection_instead_of_vanishing", async () => {
  const { clients } = await connectScripted();
  const topic = "x".repeat(257);
  clients[0]!.send({ cmd: "publish", topic, payload: "", qos: 0, dup: false, retain: false });
  assert.deepEqual(await desk.host.expectDown(), ["TOO_LARGE", 0]);
});

test("message_under_way_when_the_connection_ends_is_not_acknowledged", async () => {
  const { clients } = await connectScripted();
  const [client] = clients;
  client!.send({
    cmd: "publish",
    topic: "t",
    payload: "x",
    qos: 1,
    messageId: 3,
    dup: false,
    retain: false,
  });
  const message = await desk.host.next();
  client!.socket.destroy();
  await desk.host.expectDown();
  message.dispatched();
  await turns();
  assert.equal(packetsOf(client, "puback").length, 0);
});

test("calls_without_a_connection_are_not_ready", () => {
  assert.equal(desk.subscribe("a"), Status.NOT_READY);
  assert.equal(desk.port.unsubscribe(Buffer.from("a")), Status.NOT_READY);
  assert.equal(desk.publish("a", "x"), Status.NOT_READY);
  assert.equal(desk.port.disconnect(), Status.NOT_READY);
});

test("calls_after_disconnect_are_not_ready", async () => {
  await connectScripted();
  desk.port.disconnect();
  assert.equal(desk.publish("a", "x"), Status.NOT_READY);
  assert.equal(desk.port.disconnect(), Status.NOT_READY);
});

for (const filter of ["", "a/#/b", "a+", "#a", "x".repeat(257)]) {
  test(`filter_against_the_standard_is_invalid: "${filter.slice(0, 10)}"`, () => {
    assert.equal(desk.subscribe(filter), Status.INVALID_ARGUMENT);
    assert.equal(desk.port.unsubscribe(Buffer.from(filter)), Status.INVALID_ARGUMENT);
  });
}

for (const topic of ["", "a/+", "#", "a\0b", "x".repeat(257)]) {
  test(`topic_against_the_standard_is_invalid: ${JSON.stringify(topic.slice(0, 10))}`, () => {
    assert.equal(desk.publish(topic, "x"), Status.INVALID_ARGUMENT);
  });
}

test("qos_2_is_invalid_as_aws_does_not_have_it", () => {
  assert.equal(desk.subscribe("a", 2), Status.INVALID_ARGUMENT);
  assert.equal(desk.publish("a", "x", 4), Status.INVALID_ARGUMENT);
});

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
