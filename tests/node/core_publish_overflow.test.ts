// The publish queue when it is full, by the policy that the application chose, and publishes from
// within callbacks, which may fill it while it is being emptied.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Event, Status } from "../../host-node/src/abi.js";
import { Overflow, orders } from "./support/orders.js";
import {
  CAPACITY,
  comeUp,
  drain,
  HEADER,
  offline,
  silent,
  topicsOf,
} from "./support/publish_scene.js";
import { ScriptedDevice } from "./support/scripted_host.js";

describe("a full queue", () => {
  const payload = "x".repeat(500 - HEADER - 2);

  const ENTRIES = Math.floor(CAPACITY / 500);

  /** Entries of 500 bytes; less than 100 bytes are free. */
  function full(policy: number): { device: ScriptedDevice; ids: number[] } {
    const device = offline();
    device.order(orders.overflow(policy));
    const ids = Array.from({ length: ENTRIES }, (_, i) =>
      device.publish(`t${i}`, payload, { qos: 1 }),
    );
    assert.ok(ids.every((id) => id > 0));
    return { device, ids };
  }

  it("that refuses the newest returns NO_SPACE, drops nothing, and takes what still fits", () => {
    const { device, ids } = full(Overflow.REFUSE_NEWEST);
    assert.equal(device.publish("more", payload), Status.NO_SPACE);
    assert.ok(device.publish("tiny", "small") > 0);
    assert.deepEqual(device.eventsOf(Event.PUBLISH_DROPPED), []);
    drain(comeUp(device));
    assert.equal(device.valuesOf(Event.PUBLISH_SUCCEEDED).length, ids.length + 1);
  });

  it("that drops the oldest drops as many as it needs and no more", () => {
    const { device, ids } = full(Overflow.DROP_OLDEST);
    assert.ok(device.publish("new", "x".repeat(1000)) > 0);
    const dropped = device.eventsOf(Event.PUBLISH_DROPPED);
    assert.deepEqual(
      dropped.map(({ value, text }) => [value, text]),
      [
        [ids[0], "t0"],
        [ids[1], "t1"],
      ],
    );
    drain(comeUp(device));
    const kept = Array.from({ length: ENTRIES - 2 }, (_, i) => `t${i + 2}`);
    assert.deepEqual(topicsOf(device.broker.publishes), [...kept, "new"]);
  });

  it("that drops the oldest spares what is in flight", () => {
    const device = silent();
    device.order(orders.overflow(Overflow.DROP_OLDEST));
    const ids = Array.from({ length: ENTRIES }, (_, i) =>
      device.publish(`t${i}`, payload, { qos: 1 }),
    );
    device.until(() => device.broker.publishes.length === 3);
    device.publish("new", payload);
    assert.deepEqual(device.valuesOf(Event.PUBLISH_DROPPED), [ids[3]]);
    device.broker.onPublish = () => "ack";
    for (const publish of [...device.broker.publishes]) device.broker.puback(publish);
    drain(device);
  });

  it("that drops the oldest refuses, and drops nothing, when all of it is in flight", () => {
    const device = silent();
    device.order(orders.overflow(Overflow.DROP_OLDEST));
    for (let i = 0; i < ENTRIES; i++) device.publish(`t${i}`, payload, { qos: 1 });
    device.runFor(1000);
    assert.equal(device.publish("new", payload), Status.NO_SPACE);
    assert.deepEqual(device.eventsOf(Event.PUBLISH_DROPPED), []);
    for (const publish of [...device.broker.publishes]) device.broker.puback(publish);
    drain(device);
  });

  it("that replaces by topic replaces a waiting one at any time, and the new one goes last", () => {
    const device = offline();
    device.order(orders.overflow(Overflow.REPLACE_BY_TOPIC));
    const old = device.publish("a", "old");
    device.publish("b", "p");
    device.publish("a", "new");
    assert.deepEqual(device.valuesOf(Event.PUBLISH_DROPPED), [old]);
    drain(comeUp(device));
    assert.deepEqual(
      device.broker.publishes.map(({ topic, payload: sent }) => `${topic} ${sent}`),
      ["b p", "a new"],
    );
  });

  it("that replaces by topic leaves one in flight alone", () => {
    const device = silent();
    device.order(orders.overflow(Overflow.REPLACE_BY_TOPIC));
    device.publish("a", "1", { qos: 1 });
    device.runFor(100);
    device.publish("a", "2", { qos: 1 });
    assert.deepEqual(device.eventsOf(Event.PUBLISH_DROPPED), []);
    device.broker.onPublish = () => "ack";
    device.broker.puback(device.broker.publishes[0]!);
    drain(device);
    assert.equal(device.eventsOf(Event.PUBLISH_SUCCEEDED).length, 2);
  });

  it("that replaces by topic refuses another topic, and drops nothing for it", () => {
    const { device } = full(Overflow.REPLACE_BY_TOPIC);
    assert.equal(device.publish("other", payload), Status.NO_SPACE);
    assert.ok(device.publish("t4", payload) > 0);
    assert.deepEqual(device.textsOf(Event.PUBLISH_DROPPED), ["t4"]);
    assert.equal(device.publish("t5", "x".repeat(700)), Status.NO_SPACE);
    assert.deepEqual(device.textsOf(Event.PUBLISH_DROPPED), ["t4"]);
    drain(comeUp(device));
  });

  it("that is cleared reports each publish that waited, and keeps what is in flight", () => {
    const device = silent();
    const ids = Array.from({ length: 6 }, (_, i) => device.publish(`t${i}`, "p", { qos: 1 }));
    device.until(() => device.broker.publishes.length === 2);
    device.order(orders.clearQueue());
    assert.deepEqual(device.valuesOf(Event.PUBLISH_DROPPED), ids.slice(2));
    for (const publish of [...device.broker.publishes]) device.broker.puback(publish);
    drain(device);
    assert.deepEqual(device.valuesOf(Event.PUBLISH_SUCCEEDED), ids.slice(0, 2));
  });
});

describe("a publish from within a callback", () => {
  it("for a message is sent, once for each message", () => {
    const device = new ScriptedDevice().online();
    device.at(Event.MESSAGE_ARRIVED, () =>
      Buffer.concat([orders.read(), orders.publish("answer", "p", { qos: 1 })]),
    );
    for (let i = 0; i < 5; i++) device.broker.message("question", String(i));
    device.runFor(100);
    drain(device);
    assert.deepEqual(topicsOf(device.broker.publishes), Array(5).fill("answer"));
  });

  it("for a dropped publish does not recurse: each drop is told in its turn", () => {
    const device = offline();
    device.order(orders.overflow(Overflow.DROP_OLDEST));
    const payload = "x".repeat(300);
    let again = 0;
    device.at(Event.PUBLISH_DROPPED, () =>
      again++ < 50 ? orders.publish("again", payload) : null,
    );
    const fitting = Math.floor(CAPACITY / (HEADER + 304));
    for (let i = 0; i <= fitting; i++) device.publish(`t${i}`, payload);
    device.runFor(1000);
    assert.equal(again, 51);
    assert.equal(device.eventsOf(Event.PUBLISH_DROPPED).length, 51);
    const heard = device.heard.filter(({ event }) => event === Event.PUBLISH_DROPPED);
    assert.deepEqual(
      heard.map(({ value }) => value),
      device.valuesOf(Event.PUBLISH_DROPPED),
    );
    drain(comeUp(device));
  });

  it("for a finished publish keeps a chain going, one link for each PUBACK", () => {
    const device = new ScriptedDevice().online();
    let links = 0;
    device.at(Event.PUBLISH_SUCCEEDED, () =>
      links++ < 100 ? orders.publish("chain", "p", { qos: 1 }) : null,
    );
    device.publish("chain", "p", { qos: 1 });
    drain(device);
    assert.equal(device.broker.publishes.length, 101);
  });
});
