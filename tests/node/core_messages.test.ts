// Messages for the application: put together from fragments however they are cut, kept in order in
// a ring, and never lost in silence.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Event, INBOX_BYTES } from "../../host-node/src/abi.js";
import { orders } from "./support/orders.js";
import { ScriptedDevice } from "./support/scripted_host.js";

/** Ring, its header of a record, and the topic's size in it. */
const RING_BYTES = 5120;
const RECORD_BYTES = 4;

function online(): ScriptedDevice {
  return new ScriptedDevice().online();
}

function bytes(size: number, first = 0): Buffer {
  return Buffer.from(Uint8Array.from({ length: size }, (_, i) => first + i * 7));
}

/** Takes all messages that wait. */
function readAll(device: ScriptedDevice): { topic: string; payload: Buffer }[] {
  const messages = [];
  for (let message = device.read(); message !== null; message = device.read()) {
    messages.push(message);
  }
  return messages;
}

describe("a message", () => {
  it("arrives as an event with size and topic, and waits until it is read", () => {
    const device = online();
    device.broker.message("a/b", "hello");
    const arrived = device.untilEvent(Event.MESSAGE_ARRIVED);
    assert.deepEqual([arrived.value, arrived.text], [5, "a/b"]);
    device.runFor(100_000);
    assert.equal(device.state().available, 1);
    assert.deepEqual(readAll(device), [{ topic: "a/b", payload: Buffer.from("hello") }]);
    assert.equal(device.state().available, 0);
    assert.equal(device.read(), null);
  });

  it("cut into two fragments anywhere is whole again", () => {
    const device = online();
    const payload = bytes(24, 250);
    for (let cut = 0; cut <= payload.length; cut++) {
      device.broker.message("topic", payload, [cut, payload.length]);
      device.runFor(0);
      assert.deepEqual(readAll(device), [{ topic: "topic", payload }], `cut at ${cut}`);
    }
  });

  it("cut into three fragments anywhere is whole again", () => {
    const device = online();
    const payload = bytes(10);
    for (let first = 0; first <= 10; first++) {
      for (let second = 1; second <= 10 - first; second++) {
        device.broker.message("t", payload, [first, second, 10]);
        device.runFor(0);
        assert.deepEqual(readAll(device), [{ topic: "t", payload }], `${first} and ${second}`);
      }
    }
  });

  it("in fragments of one byte is whole again and one event", () => {
    const device = online();
    const payload = bytes(600);
    device.broker.message("t", payload, Array(600).fill(1));
    device.runFor(0);
    assert.deepEqual(device.valuesOf(Event.MESSAGE_ARRIVED), [600]);
    assert.deepEqual(readAll(device), [{ topic: "t", payload }]);
  });

  it("of several inboxes is whole again", () => {
    const device = online();
    const payload = bytes(2 * INBOX_BYTES + 100);
    device.broker.message("t", payload);
    device.runFor(0);
    assert.deepEqual(readAll(device), [{ topic: "t", payload }]);
  });

  it("that is empty is a message", () => {
    const device = online();
    device.broker.message("empty", "");
    assert.equal(device.untilEvent(Event.MESSAGE_ARRIVED).value, 0);
    assert.deepEqual(readAll(device), [{ topic: "empty", payload: Buffer.alloc(0) }]);
  });

  it("of every byte value comes back as it was", () => {
    const device = online();
    const payload = Buffer.from(Uint8Array.from({ length: 512 }, (_, i) => i));
    device.broker.message("ä/🌍", payload);
    device.runFor(0);
    assert.deepEqual(readAll(device), [{ topic: "ä/🌍", payload }]);
  });

  it("with the longest topic is told and kept whole", () => {
    const device = online();
    const topic = "t".repeat(256);
    device.broker.message(topic, "p");
    assert.equal(device.untilEvent(Event.MESSAGE_ARRIVED).text, topic);
    assert.deepEqual(readAll(device), [{ topic, payload: Buffer.from("p") }]);
  });

  it("with a topic longer than AWS has is dropped, and harms nothing", () => {
    const device = online();
    device.broker.message("t".repeat(1500), "p");
    const dropped = device.untilEvent(Event.MESSAGE_DROPPED);
    assert.deepEqual([dropped.value, dropped.text], [1, "t".repeat(256)]);
    device.broker.message("t", "next");
    device.runFor(0);
    assert.deepEqual(readAll(device), [{ topic: "t", payload: Buffer.from("next") }]);
  });
});

describe("the ring of messages", () => {
  const largest = RING_BYTES - RECORD_BYTES - 1;

  it("holds a message that fills it exactly", () => {
    const device = online();
    for (let round = 0; round < 3; round++) {
      const payload = bytes(largest, round);
      device.broker.message("t", payload);
      device.runFor(0);
      device.once(Event.MESSAGE_DROPPED, orders.read());
      device.broker.message("x", "");
      const dropped = device.untilEvent(Event.MESSAGE_DROPPED);
      assert.deepEqual([dropped.value, dropped.text], [0, "x"]);
      assert.deepEqual(device.eventsOf(Event.MESSAGE_ARRIVED).length, round + 1);
    }
  });

  it("drops a message of one byte more, with its topic and size, and takes the next", () => {
    const device = online();
    device.broker.message("t", bytes(largest + 1));
    const dropped = device.untilEvent(Event.MESSAGE_DROPPED);
    assert.deepEqual([dropped.value, dropped.text], [largest + 1, "t"]);
    assert.equal(device.state().available, 0);
    device.broker.message("u", "next");
    device.runFor(0);
    assert.deepEqual(readAll(device), [{ topic: "u", payload: Buffer.from("next") }]);
  });

  it("drops a message of 128 KB in one event, whatever its fragments", () => {
    const device = online();
    device.broker.message("big", Buffer.alloc(128 * 1024, 1));
    device.runFor(0);
    assert.deepEqual(device.valuesOf(Event.MESSAGE_DROPPED), [128 * 1024]);
    assert.equal(device.state().available, 0);
  });

  it("that is full drops the newest, keeps the older ones, and goes on when it is read", () => {
    const device = online();
    const payload = bytes(1000);
    for (let i = 0; i < 8; i++) device.broker.message(`t${i}`, payload);
    device.runFor(0);
    assert.deepEqual(device.textsOf(Event.MESSAGE_DROPPED), ["t5", "t6", "t7"]);
    assert.deepEqual(device.valuesOf(Event.MESSAGE_DROPPED), [1000, 1000, 1000]);
    device.read();
    device.broker.message("t8", payload);
    device.runFor(0);
    assert.deepEqual(
      readAll(device).map(({ topic }) => topic),
      ["t1", "t2", "t3", "t4", "t8"],
    );
  });

  it("keeps the order and every byte over many rounds of messages of all sizes", () => {
    const device = online();
    let sent = 0;
    let read = 0;
    for (let round = 0; round < 60; round++) {
      const sizes = [0, 1, 17, 300, (round * 37) % 1500, (round * 101) % 2000];
      for (const size of sizes) device.broker.message(`t/${sent++}`, bytes(size, size));
      device.runFor(0);
      for (const { topic, payload } of readAll(device)) {
        assert.equal(topic, `t/${read++}`);
        assert.deepEqual(payload, bytes(payload.length, payload.length));
      }
    }
    assert.equal(read, sent);
    assert.deepEqual(device.eventsOf(Event.MESSAGE_DROPPED), []);
  });

  it("is read inside the callback while the next message is arriving", () => {
    const device = online();
    device.at(Event.MESSAGE_ARRIVED, () => orders.read());
    const payloads = Array.from({ length: 30 }, (_, i) => bytes(1000 + i, i));
    for (const payload of payloads) device.broker.message("t", payload, [400, 400, 400]);
    device.runFor(0);
    const messages = device.reports.flatMap((report) =>
      report.kind === "message" ? [report.message!.payload] : [],
    );
    assert.deepEqual(messages, payloads);
  });
});

describe("a connection lost in the middle of a message", () => {
  it("leaves no trace of it, and the same message on the next connection is whole", () => {
    const device = online();
    const payload = bytes(3000);
    device.broker.fragment("t", payload.length, 0, payload.subarray(0, 1000));
    device.broker.fragment("", payload.length, 1000, payload.subarray(1000, 2000));
    device.runFor(0);
    device.broker.drop();
    device.untilEvent(Event.MQTT_CONNECTED);
    assert.equal(device.state().available, 0);
    assert.deepEqual(device.eventsOf(Event.MESSAGE_ARRIVED), []);
    device.broker.message("t", payload);
    device.runFor(0);
    assert.deepEqual(readAll(device), [{ topic: "t", payload }]);
  });

  it("keeps the messages that were whole", () => {
    const device = online();
    device.broker.message("a", "1");
    device.broker.fragment("b", 10, 0, bytes(5));
    device.runFor(0);
    device.loseWifi();
    device.untilEvent(Event.MQTT_CONNECTED);
    device.broker.message("c", "3");
    device.runFor(0);
    assert.deepEqual(
      readAll(device).map(({ topic }) => topic),
      ["a", "c"],
    );
  });
});
