// The publish queue: what is accepted ends exactly once (the scripted device watches that in every
// test), in order, at the broker's pace, over lost connections and missing answers.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Event, Status } from "../../host-node/src/abi.js";
import { Moment, Overflow, orders } from "./support/orders.js";
import {
  CAPACITY,
  comeUp,
  drain,
  HEADER,
  offline,
  RECONNECT_MS,
  silent,
  topicsOf,
} from "./support/publish_scene.js";
import { ScriptedDevice } from "./support/scripted_host.js";

const PACE_MS = 12;
const ACK_MS = 20_000;
/** Orders carried out in one step: what they leave is collected behind it. */
const BATCH = 40;

describe("a publish", () => {
  it("of QoS 0 succeeds when it is handed over", () => {
    const device = silent();
    const id = device.publish("t", "p");
    device.runFor(0);
    assert.deepEqual(device.valuesOf(Event.PUBLISH_SUCCEEDED), [id]);
    const [sent] = device.broker.publishes;
    assert.deepEqual(
      [sent?.topic, String(sent?.payload), sent?.qos, sent?.retain],
      ["t", "p", 0, false],
    );
    device.expectAllAccountedFor();
  });

  it("of QoS 1 succeeds with its PUBACK and not before", () => {
    const device = silent();
    const id = device.publish("t", "p", { qos: 1 });
    device.runFor(1000);
    assert.deepEqual(device.valuesOf(Event.PUBLISH_SUCCEEDED), []);
    assert.equal(device.state().queueLength, 1);
    device.broker.puback(device.broker.publishes[0]!);
    device.runFor(0);
    assert.deepEqual(device.valuesOf(Event.PUBLISH_SUCCEEDED), [id]);
    device.runFor(100_000);
    assert.equal(device.broker.publishes.length, 1);
    device.expectAllAccountedFor();
  });

  it("carries the retain flag in both qualities", () => {
    const device = new ScriptedDevice().online();
    device.publish("a", "p", { retain: true });
    device.publish("b", "p", { retain: true, qos: 1 });
    drain(device);
    assert.deepEqual(
      device.broker.publishes.map(({ qos, retain }) => [qos, retain]),
      [
        [0, true],
        [1, true],
      ],
    );
  });

  it("of an empty payload arrives empty", () => {
    const device = new ScriptedDevice().online();
    device.publish("t", "", { qos: 1 });
    drain(device);
    assert.equal(device.broker.publishes[0]?.payload.length, 0);
  });

  it("keeps topic and payload byte for byte, zeros and UTF-8 included", () => {
    const device = new ScriptedDevice().online();
    const payload = Uint8Array.from({ length: 1024 }, (_, i) => i);
    device.publish("tö/→/🌍", payload, { qos: 1 });
    drain(device);
    assert.equal(device.broker.publishes[0]?.topic, "tö/→/🌍");
    assert.deepEqual(device.broker.publishes[0]?.payload, Buffer.from(payload));
  });

  it("of the largest payload that fits an empty queue is sent whole", () => {
    const device = new ScriptedDevice().online();
    const payload = "x".repeat(CAPACITY - HEADER - "topic".length);
    assert.ok(device.publish("topic", payload, { qos: 1 }) > 0);
    drain(device);
    assert.equal(String(device.broker.publishes[0]?.payload), payload);
  });

  it("of one byte more is TOO_LARGE, also when the queue is empty", () => {
    const device = new ScriptedDevice().online();
    const payload = "x".repeat(CAPACITY - HEADER - "topic".length + 1);
    assert.equal(device.publish("topic", payload), Status.TOO_LARGE);
    assert.equal(device.publish("topic", "x".repeat(7000)), Status.TOO_LARGE);
    assert.deepEqual(device.broker.publishes, []);
    device.expectAllAccountedFor();
  });

  it("without a topic, with one over 256 bytes, or of QoS 2 is refused at once", () => {
    const device = new ScriptedDevice().online();
    assert.equal(device.publish("", "p"), Status.INVALID_ARGUMENT);
    assert.equal(device.publish("t".repeat(257), "p"), Status.INVALID_ARGUMENT);
    assert.equal(device.publish("t".repeat(600), "p"), Status.INVALID_ARGUMENT);
    assert.equal(device.publish("t", "p", { qos: 2 }), Status.INVALID_ARGUMENT);
    assert.ok(device.publish("t".repeat(256), "p") > 0);
    drain(device);
  });

  it("made in setup or while offline is sent when the session is up, in order", () => {
    const device = new ScriptedDevice();
    device.once(Moment.SETUP, orders.publish("0", "p", { qos: 1 }));
    device.broker.onConnect = () => Status.UNREACHABLE;
    device.boot().untilEvent(Event.MQTT_DISCONNECTED);
    for (let i = 1; i < 20; i++) device.publish(String(i), "p", { qos: i % 2 });
    drain(comeUp(device));
    assert.deepEqual(
      topicsOf(device.broker.publishes),
      Array.from({ length: 20 }, (_, i) => String(i)),
    );
  });

  it("gets ids from 1 to 65535, then 1 again", () => {
    const device = new ScriptedDevice().online();
    device.isRecording = false;
    device.order(orders.overflow(Overflow.REPLACE_BY_TOPIC));
    let count = 0;
    device.broker.acceptsPublish = () => Status.BUSY;
    const batch = Buffer.concat(Array.from({ length: BATCH }, () => orders.publish("t", "")));
    while (count + BATCH < 65_535) {
      device.order(batch);
      device.runFor(0);
      count += BATCH;
    }
    device.isRecording = true;
    const rest = 65_535 - count;
    for (let i = 1; i <= rest; i++) assert.equal(device.publish("t", ""), count + i);
    assert.equal(device.publish("t", ""), 1);
  });
});

describe("the pace of publishes", () => {
  it("is one in 12 ms, however many wait, QoS 0 and 1 alike", () => {
    const device = offline();
    for (let i = 0; i < 60; i++) device.publish(String(i), "p", { qos: i % 2 });
    drain(comeUp(device));
    const times = device.broker.publishes.map(({ atMs }) => atMs);
    assert.equal(times.length, 60);
    for (const [index, atMs] of times.slice(1).entries())
      assert.ok(atMs - times[index]! >= PACE_MS);
  });

  it("lets at most eight QoS 1 publishes fly, and the ninth at the first PUBACK", () => {
    const device = silent();
    for (let i = 0; i < 12; i++) device.publish(String(i), "p", { qos: 1 });
    device.runFor(5000);
    assert.equal(device.broker.publishes.length, 8);
    device.broker.puback(device.broker.publishes[3]!);
    device.runFor(0);
    assert.deepEqual(topicsOf(device.broker.publishes), [
      "0",
      "1",
      "2",
      "3",
      "4",
      "5",
      "6",
      "7",
      "8",
    ]);
    device.broker.onPublish = () => "ack";
    for (const publish of device.broker.publishes.filter(({ topic }) => topic !== "3")) {
      device.broker.puback(publish);
    }
    drain(device);
    assert.equal(device.broker.publishes.length, 12);
  });
});

describe("PUBACKs", () => {
  it("out of order end the publishes that they name", () => {
    const device = silent();
    const ids = Array.from({ length: 5 }, (_, i) => device.publish(String(i), "p", { qos: 1 }));
    device.runFor(1000);
    const sent = [...device.broker.publishes];
    const order = [3, 0, 4, 2, 1];
    for (const index of order) device.broker.puback(sent[index]!);
    device.runFor(0);
    assert.deepEqual(
      device.valuesOf(Event.PUBLISH_SUCCEEDED),
      order.map((index) => ids[index]),
    );
    device.expectAllAccountedFor();
  });

  it("that come twice or name nothing change nothing", () => {
    const device = silent();
    device.publish("t", "p", { qos: 1 });
    device.runFor(0);
    const [sent] = device.broker.publishes;
    device.broker.puback({ ...sent!, token: 999 });
    device.broker.puback(sent!);
    device.broker.puback(sent!);
    device.runFor(0);
    assert.equal(device.eventsOf(Event.PUBLISH_SUCCEEDED).length, 1);
    device.expectAllAccountedFor();
  });

  it("that carry a failure end the publish as dropped", () => {
    const device = silent();
    const id = device.publish("t", "p", { qos: 1 });
    device.runFor(0);
    device.broker.puback(device.broker.publishes[0]!, Status.REFUSED);
    device.runFor(0);
    assert.deepEqual(device.valuesOf(Event.PUBLISH_DROPPED), [id]);
    assert.deepEqual(device.valuesOf(Event.PUBLISH_SUCCEEDED), []);
    device.expectAllAccountedFor();
  });

  it("that are missing have the publish sent again after 20 s, and only that one", () => {
    const device = new ScriptedDevice().online();
    device.broker.onPublish = ({ topic }) => (topic === "lost" ? "silent" : "ack");
    for (const topic of ["a", "lost", "b"]) device.publish(topic, "p", { qos: 1 });
    device.until(() => device.broker.publishes.length === 4);
    const times = device.broker.publishes.filter(({ topic }) => topic === "lost");
    const apart = times[1]!.atMs - times[0]!.atMs;
    assert.ok(apart >= ACK_MS && apart <= ACK_MS + 5000, `${apart} ms`);
    device.broker.puback(times[1]!);
    drain(device);
  });

  it("that come for the first sending after the second are not taken for the second", () => {
    const device = silent();
    device.publish("t", "p", { qos: 1 });
    device.until(() => device.broker.publishes.length === 2);
    device.broker.puback(device.broker.publishes[0]!);
    device.runFor(100);
    assert.equal(device.state().queueLength, 1);
    device.broker.puback(device.broker.publishes[1]!);
    drain(device);
  });

  it("that never come end the publish as dropped after the fifth sending", () => {
    const device = silent();
    const id = device.publish("t", "p", { qos: 1 });
    const dropped = device.untilEvent(Event.PUBLISH_DROPPED, 6 * (ACK_MS + 5000));
    assert.deepEqual([dropped.value, dropped.text], [id, "t"]);
    assert.equal(device.broker.publishes.length, 5);
    device.runFor(100_000);
    assert.equal(device.broker.publishes.length, 5);
    device.expectAllAccountedFor();
  });
});

describe("a connection that ends", () => {
  it("has what was in flight sent again on the next one, in order, before what is newer", () => {
    const device = silent();
    for (let i = 0; i < 3; i++) device.publish(String(i), "p", { qos: 1 });
    device.runFor(1000);
    device.broker.drop();
    device.untilEvent(Event.MQTT_DISCONNECTED);
    device.publish("new", "p", { qos: 1 });
    device.broker.onPublish = () => "ack";
    drain(device);
    const second = device.broker.publishes.filter(({ connection }) => connection === 2);
    assert.deepEqual(topicsOf(second), ["0", "1", "2", "new"]);
  });

  it("at the same publish five times in a row drops it, and the others survive", () => {
    const device = new ScriptedDevice().online();
    device.broker.onPublish = ({ topic }) => (topic === "forbidden" ? "close" : "ack");
    const id = device.publish("forbidden", "p", { qos: 1 });
    const other = device.publish("fine", "p", { qos: 1 });
    const dropped = device.untilEvent(Event.PUBLISH_DROPPED, RECONNECT_MS);
    assert.deepEqual([dropped.value, dropped.text], [id, "forbidden"]);
    const sent = device.broker.publishes.filter(({ topic }) => topic === "forbidden");
    assert.deepEqual(
      sent.map(({ connection }) => connection),
      [1, 2, 3, 4, 5],
    );
    drain(device);
    assert.deepEqual(device.valuesOf(Event.PUBLISH_SUCCEEDED), [other]);
  });

  for (const [title, lose] of [
    ["network", (device: ScriptedDevice) => device.loseWifi()],
    ["ping", (device: ScriptedDevice) => device.broker.drop(Status.KEEP_ALIVE_TIMEOUT)],
  ] as const) {
    it(`for want of the ${title} is not blamed on what was in flight`, () => {
      const device = silent();
      const id = device.publish("t", "p", { qos: 1 });
      for (let connection = 1; connection <= 8; connection++) {
        device.until(() => device.broker.publishes.length === connection, RECONNECT_MS);
        lose(device);
        device.untilEvent(Event.MQTT_DISCONNECTED);
      }
      assert.deepEqual(device.eventsOf(Event.PUBLISH_DROPPED), []);
      device.broker.onPublish = () => "ack";
      drain(device);
      assert.deepEqual(device.valuesOf(Event.PUBLISH_SUCCEEDED), [id]);
    });
  }

  it("is not blamed on what only waited", () => {
    const device = new ScriptedDevice().online();
    device.broker.acceptsPublish = () => Status.BUSY;
    device.publish("t", "p", { qos: 1 });
    for (let i = 0; i < 8; i++) {
      device.broker.drop();
      device.untilEvent(Event.MQTT_CONNECTED, RECONNECT_MS);
    }
    device.broker.acceptsPublish = () => Status.OK;
    drain(device);
    assert.equal(device.eventsOf(Event.PUBLISH_SUCCEEDED).length, 1);
  });
});

describe("a host", () => {
  for (const [title, status] of [
    ["BUSY", Status.BUSY],
    ["NOT_READY", Status.NOT_READY],
  ] as const) {
    it(`that is ${title} is asked again every 250 ms, and nothing is lost`, () => {
      const device = new ScriptedDevice().online();
      const asked: number[] = [];
      device.broker.acceptsPublish = () => {
        asked.push(device.nowMs);
        return asked.length <= 4 ? status : Status.OK;
      };
      device.publish("t", "p");
      device.runFor(5000);
      drain(device);
      const first = asked[0]!;
      assert.deepEqual(
        asked.slice(0, 5).map((atMs) => atMs - first),
        [0, 250, 500, 750, 1000],
      );
    });
  }

  it("that calls a publish invalid has it dropped, and the next one goes out", () => {
    const device = new ScriptedDevice().online();
    device.broker.acceptsPublish = (topic) =>
      topic === "a/#" ? Status.INVALID_ARGUMENT : Status.OK;
    const bad = device.publish("a/#", "p", { qos: 1 });
    const good = device.publish("b", "p", { qos: 1 });
    drain(device);
    assert.deepEqual(device.valuesOf(Event.PUBLISH_DROPPED), [bad]);
    assert.deepEqual(device.valuesOf(Event.PUBLISH_SUCCEEDED), [good]);
  });
});
