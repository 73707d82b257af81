// Subscriptions: in force after each reconnect, asked for one at a time, refused, forbidden, never
// answered, and changed by the application in each of their states.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Event, Status } from "../../host-node/src/abi.js";
import { Moment, orders } from "./support/orders.js";
import { ScriptedDevice } from "./support/scripted_host.js";

const RECONNECT_MS = 600_000;
/** Room for filters, and what each takes besides its own bytes. */
const CAPACITY = 1536;
const HEADER = 8;
const FILTER_BYTES = 120;

function filtersOf(device: ScriptedDevice, connection: number): string[] {
  return device.broker.subscribes
    .filter((subscribe) => subscribe.connection === connection)
    .map(({ filter }) => filter);
}

function subscribed(...filters: string[]): ScriptedDevice {
  const device = new ScriptedDevice();
  device.once(Moment.SETUP, ...filters.map((filter) => orders.subscribe(filter, 1)));
  device.boot();
  if (filters.length > 0) device.untilEvent(Event.MQTT_SUBSCRIBED, 60_000, filters.length);
  else device.untilEvent(Event.MQTT_CONNECTED);
  return device;
}

function reconnect(device: ScriptedDevice): void {
  device.broker.drop();
  device.untilEvent(Event.MQTT_CONNECTED, RECONNECT_MS);
}

describe("subscriptions", () => {
  it("made in setup are asked for in their order when the session is up", () => {
    const device = subscribed("a", "b/+/c", "d/#");
    assert.deepEqual(filtersOf(device, 1), ["a", "b/+/c", "d/#"]);
    assert.deepEqual(device.textsOf(Event.MQTT_SUBSCRIBED), ["a", "b/+/c", "d/#"]);
    assert.deepEqual(device.valuesOf(Event.MQTT_SUBSCRIBED), [1, 1, 1]);
    assert.deepEqual(device.valuesOf(Event.MQTT_CONNECTED), [3]);
  });

  it("are restored in their order after each reconnect", () => {
    const device = subscribed("one", "two", "three");
    for (let connection = 2; connection <= 4; connection++) {
      reconnect(device);
      device.runFor(1000);
      assert.deepEqual(filtersOf(device, connection), ["one", "two", "three"]);
      assert.equal(device.valuesOf(Event.MQTT_CONNECTED).at(-1), 3);
    }
  });

  it("are asked for one at a time, each when the one before is answered", () => {
    const device = new ScriptedDevice();
    device.broker.answerMs = 1000;
    device.once(Moment.SETUP, ...["a", "b", "c"].map((filter) => orders.subscribe(filter)));
    device.boot().untilEvent(Event.MQTT_SUBSCRIBED, 60_000, 3);
    const times = device.broker.subscribes.map(({ atMs }) => atMs);
    assert.deepEqual(
      times.map((atMs) => atMs - times[0]!),
      [0, 1000, 2000],
    );
  });

  it("that are in force are not asked for again by the same call", () => {
    const device = subscribed("a");
    assert.equal(device.resultOf(orders.subscribe("a", 1)), Status.OK);
    device.runFor(60_000);
    assert.equal(device.broker.subscribes.length, 1);
  });

  it("take a new QoS by one more SUBSCRIBE", () => {
    const device = subscribed("a");
    device.order(orders.subscribe("a", 0));
    device.untilEvent(Event.MQTT_SUBSCRIBED);
    assert.deepEqual(
      device.broker.subscribes.map(({ qos }) => qos),
      [1, 0],
    );
  });

  it("take a new QoS while they are asked for, without a pause", () => {
    const device = subscribed();
    device.broker.answerMs = 100;
    device.order(orders.subscribe("a", 0), orders.subscribe("b", 0));
    device.order(orders.subscribe("a", 1));
    device.untilEvent(Event.MQTT_SUBSCRIBED, 1000, 3);
    assert.deepEqual(
      device.broker.subscribes.map(({ filter, qos }) => `${filter} ${qos}`),
      ["a 0", "a 1", "b 0"],
    );
  });

  it("wanted again while the UNSUBSCRIBE is under way are in force soon after", () => {
    const device = subscribed("a");
    device.order(orders.unsubscribe("a"));
    assert.equal(device.broker.unsubscribes.length, 1);
    device.order(orders.subscribe("a", 1));
    device.untilEvent(Event.MQTT_SUBSCRIBED, 1000);
    assert.deepEqual(filtersOf(device, 1), ["a", "a"]);
    reconnect(device);
    device.untilEvent(Event.MQTT_SUBSCRIBED);
  });

  it("hold 1.5 KB: what does not fit is refused, and fits when something is given up", () => {
    const device = subscribed();
    const count = Math.floor(CAPACITY / (FILTER_BYTES + HEADER));
    const filters = Array.from({ length: count + 1 }, (_, i) => `${i}/`.padEnd(FILTER_BYTES, "x"));
    const last = filters.at(-1)!;
    const results = filters.map((filter) => device.resultOf(orders.subscribe(filter)));
    assert.deepEqual(results, [...Array(count).fill(Status.OK), Status.NO_SPACE]);
    device.until(() => device.eventsOf(Event.MQTT_SUBSCRIBED).length === count, 1000);
    device.order(orders.unsubscribe(filters[3]!));
    device.runFor(100);
    assert.equal(device.resultOf(orders.subscribe(last)), Status.OK);
    device.runFor(100);
    reconnect(device);
    device.runFor(1000);
    assert.deepEqual(filtersOf(device, 2), filters.toSpliced(3, 1));
  });

  it("of an empty filter, one over 256 bytes, or QoS 2 are refused at once", () => {
    const device = subscribed();
    assert.equal(device.resultOf(orders.subscribe("")), Status.INVALID_ARGUMENT);
    assert.equal(device.resultOf(orders.subscribe("x".repeat(257))), Status.INVALID_ARGUMENT);
    assert.equal(device.resultOf(orders.subscribe("x".repeat(600))), Status.INVALID_ARGUMENT);
    assert.equal(device.resultOf(orders.subscribe("a", 2)), Status.INVALID_ARGUMENT);
    assert.equal(device.resultOf(orders.subscribe("x".repeat(256))), Status.OK);
  });
});

describe("a subscription that the broker", () => {
  it("refuses is told once, given up, and the others go on", () => {
    const device = new ScriptedDevice();
    device.broker.onSubscribe = ({ filter }) => (filter === "no" ? Status.REFUSED : 0);
    device.once(Moment.SETUP, ...["a", "no", "b"].map((filter) => orders.subscribe(filter)));
    device.boot().untilEvent(Event.MQTT_SUBSCRIBED, 60_000, 2);
    const [failed] = device.eventsOf(Event.MQTT_SUBSCRIBE_FAILED);
    assert.deepEqual([failed?.value, failed?.text], [Status.REFUSED, "no"]);
    reconnect(device);
    device.runFor(60_000);
    assert.deepEqual(filtersOf(device, 2), ["a", "b"]);
    assert.equal(device.eventsOf(Event.MQTT_SUBSCRIBE_FAILED).length, 1);
  });

  it("grants with a lower QoS is in force with that", () => {
    const device = new ScriptedDevice();
    device.broker.onSubscribe = () => 0;
    device.once(Moment.SETUP, orders.subscribe("a", 1));
    device.boot();
    assert.equal(device.untilEvent(Event.MQTT_SUBSCRIBED).value, 0);
  });

  it("answers three times by closing is given up, and the others are restored", () => {
    const device = new ScriptedDevice();
    device.broker.onSubscribe = ({ filter }) => (filter === "forbidden" ? "close" : 0);
    device.once(Moment.SETUP, ...["a", "forbidden", "b"].map((filter) => orders.subscribe(filter)));
    device.boot();
    const failed = device.untilEvent(Event.MQTT_SUBSCRIBE_FAILED, RECONNECT_MS);
    assert.deepEqual([failed.value, failed.text], [Status.REFUSED, "forbidden"]);
    device.untilEvent(Event.MQTT_SUBSCRIBED, RECONNECT_MS, 2);
    assert.deepEqual(filtersOf(device, 3), ["a", "forbidden"]);
    assert.deepEqual(filtersOf(device, 4), ["a", "b"]);
    assert.equal(device.broker.connects.length, 4);
  });

  it("answered in between is not given up for endings that happened to meet it", () => {
    const device = subscribed("a");
    for (let i = 0; i < 6; i++) {
      device.broker.onSubscribe = () => "close";
      device.untilEvent(Event.MQTT_DISCONNECTED, RECONNECT_MS, i === 0 ? 0 : 1);
      if (i === 0) {
        device.broker.drop();
        device.untilEvent(Event.MQTT_DISCONNECTED, RECONNECT_MS, 2);
      }
      device.broker.onSubscribe = () => 0;
      device.untilEvent(Event.MQTT_SUBSCRIBED, RECONNECT_MS);
      device.broker.onSubscribe = () => "close";
      device.broker.drop();
      device.untilEvent(Event.MQTT_DISCONNECTED, RECONNECT_MS);
    }
    assert.deepEqual(device.eventsOf(Event.MQTT_SUBSCRIBE_FAILED), []);
  });

  for (const [title, lose] of [
    ["the network is lost", (device: ScriptedDevice) => device.loseWifi()],
    [
      "a ping is not answered",
      (device: ScriptedDevice) => device.broker.drop(Status.KEEP_ALIVE_TIMEOUT),
    ],
  ] as const) {
    it(`is asked for while ${title}, again and again, is not blamed`, () => {
      const device = new ScriptedDevice();
      device.once(Moment.SETUP, orders.subscribe("a"));
      device.broker.onSubscribe = () => "silent";
      device.boot();
      for (let i = 1; i <= 6; i++) {
        device.until(() => filtersOf(device, i).length > 0, RECONNECT_MS);
        lose(device);
        device.untilEvent(Event.MQTT_DISCONNECTED);
      }
      device.broker.onSubscribe = () => 0;
      device.untilEvent(Event.MQTT_SUBSCRIBED, RECONNECT_MS);
      assert.deepEqual(device.eventsOf(Event.MQTT_SUBSCRIBE_FAILED), []);
    });
  }

  it("does not answer is asked for again after 15 s", () => {
    const device = new ScriptedDevice();
    device.broker.onSubscribe = () => (device.broker.subscribes.length < 3 ? "silent" : 1);
    device.once(Moment.SETUP, orders.subscribe("a", 1), orders.subscribe("b", 1));
    device.boot().untilEvent(Event.MQTT_SUBSCRIBED, 60_000, 2);
    const times = device.broker.subscribes.map(({ atMs }) => atMs);
    assert.deepEqual(
      times.map((atMs) => atMs - times[0]!),
      [0, 15_000, 30_000, 30_010],
    );
    assert.deepEqual(filtersOf(device, 1), ["a", "a", "a", "b"]);
  });

  it("answers after it was asked again counts once", () => {
    const device = new ScriptedDevice();
    device.broker.onSubscribe = () => "silent";
    device.once(Moment.SETUP, orders.subscribe("a", 1));
    device.boot().until(() => device.broker.subscribes.length === 2);
    const [first, second] = device.broker.subscribes;
    device.broker.suback(first!, 1);
    device.broker.suback(second!, 1);
    device.runFor(60_000);
    assert.equal(device.eventsOf(Event.MQTT_SUBSCRIBED).length, 1);
    assert.equal(device.broker.subscribes.length, 2);
  });
});

describe("a subscription that the host", () => {
  it("cannot take now is asked for again soon", () => {
    const device = new ScriptedDevice();
    let refusals = 0;
    device.broker.acceptsSubscribe = () => (refusals++ < 3 ? Status.BUSY : Status.OK);
    device.once(Moment.SETUP, orders.subscribe("a"));
    device.boot().untilEvent(Event.MQTT_SUBSCRIBED, 5000);
    assert.equal(refusals, 4);
  });

  it("cannot take now is not blamed for the end of the connection", () => {
    const device = new ScriptedDevice();
    device.broker.acceptsSubscribe = () => Status.BUSY;
    device.once(Moment.SETUP, orders.subscribe("a"));
    device.boot();
    for (let i = 0; i < 4; i++) {
      device.untilEvent(Event.MQTT_CONNECTED, RECONNECT_MS);
      device.broker.drop();
      device.untilEvent(Event.MQTT_DISCONNECTED);
    }
    device.broker.acceptsSubscribe = () => Status.OK;
    device.untilEvent(Event.MQTT_SUBSCRIBED, RECONNECT_MS);
    assert.deepEqual(device.eventsOf(Event.MQTT_SUBSCRIBE_FAILED), []);
  });

  it("calls invalid is given up with that status, and the others go on", () => {
    const device = new ScriptedDevice();
    device.broker.acceptsSubscribe = (filter) =>
      filter === "a/#/b" ? Status.INVALID_ARGUMENT : Status.OK;
    device.once(Moment.SETUP, orders.subscribe("a/#/b"), orders.subscribe("b"));
    device.boot().untilEvent(Event.MQTT_SUBSCRIBED, 5000);
    const [failed] = device.eventsOf(Event.MQTT_SUBSCRIBE_FAILED);
    assert.deepEqual([failed?.value, failed?.text], [Status.INVALID_ARGUMENT, "a/#/b"]);
    assert.deepEqual(filtersOf(device, 1), ["b"]);
  });
});

describe("unsubscribe", () => {
  it("of an unknown filter is NOT_FOUND", () => {
    const device = subscribed("a");
    assert.equal(device.resultOf(orders.unsubscribe("b")), Status.NOT_FOUND);
    assert.equal(device.resultOf(orders.unsubscribe("")), Status.NOT_FOUND);
  });

  it("of a filter in force sends UNSUBSCRIBE, and it is not restored", () => {
    const device = subscribed("a", "b");
    assert.equal(device.resultOf(orders.unsubscribe("a")), Status.OK);
    device.runFor(1000);
    assert.deepEqual(
      device.broker.unsubscribes.map(({ filter }) => filter),
      ["a"],
    );
    assert.equal(device.resultOf(orders.unsubscribe("a")), Status.NOT_FOUND);
    reconnect(device);
    device.runFor(1000);
    assert.deepEqual(filtersOf(device, 2), ["b"]);
  });

  it("of a filter that waits sends nothing at all", () => {
    const device = new ScriptedDevice();
    device.once(
      Moment.SETUP,
      orders.subscribe("a"),
      orders.subscribe("b"),
      orders.unsubscribe("a"),
    );
    device.boot().untilEvent(Event.MQTT_SUBSCRIBED);
    assert.deepEqual(filtersOf(device, 1), ["b"]);
    assert.deepEqual(device.broker.unsubscribes, []);
  });

  it("of a filter that is being asked for waits for the answer, then sends UNSUBSCRIBE", () => {
    const device = subscribed();
    device.broker.answerMs = 100;
    device.order(orders.subscribe("a"));
    device.order(orders.unsubscribe("a"));
    assert.deepEqual(device.broker.unsubscribes, []);
    device.runFor(1000);
    assert.equal(device.broker.unsubscribes.length, 1);
    assert.equal(device.resultOf(orders.unsubscribe("a")), Status.NOT_FOUND);
  });

  it("of a filter that is being asked for, when the connection ends, forgets it", () => {
    const device = subscribed("b");
    device.broker.onSubscribe = () => "silent";
    device.order(orders.subscribe("a"));
    device.order(orders.unsubscribe("a"));
    device.broker.onSubscribe = () => 0;
    reconnect(device);
    device.runFor(30_000);
    assert.deepEqual(filtersOf(device, 2), ["b"]);
  });

  it("that is not answered is sent again after 15 s", () => {
    const device = subscribed("a");
    device.broker.onUnsubscribe = () => "silent";
    device.order(orders.unsubscribe("a"));
    device.runFor(14_000);
    assert.equal(device.broker.unsubscribes.length, 1);
    device.broker.onUnsubscribe = () => Status.OK;
    device.runFor(2000);
    assert.equal(device.broker.unsubscribes.length, 2);
    device.runFor(60_000);
    assert.equal(device.broker.unsubscribes.length, 2);
  });

  it("while the connection is down forgets the filter without a word to the broker", () => {
    const device = subscribed("a", "b");
    device.broker.drop();
    device.untilEvent(Event.MQTT_DISCONNECTED);
    assert.equal(device.resultOf(orders.unsubscribe("a")), Status.OK);
    device.untilEvent(Event.MQTT_SUBSCRIBED, RECONNECT_MS);
    device.runFor(1000);
    assert.deepEqual(filtersOf(device, 2), ["b"]);
    assert.deepEqual(device.broker.unsubscribes, []);
  });
});
