// The session machine: back-off and when it is forgotten, the pace of CONNECTs, the watchdog, a
// second client with the same id, and the network that goes in each of its states.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Event, Status } from "../../host-node/src/abi.js";
import { compileCore } from "../../host-node/src/core.js";
import { THING } from "./support/identities.js";
import { sampleBytesOf } from "./support/module_cache.js";
import { orders } from "./support/orders.js";
import { expectProvisioned, scene } from "./support/provisioning_scene.js";
import { ScriptedDevice } from "./support/scripted_host.js";

const BASE_MS = 2500;
const FLOOR_MS = 1250;
const CAP_MS = 256_000;
const STABLE_MS = 60_000;

/** Time from the last MQTT_DISCONNECTED to the next CONNECT. */
function nextDelay(device: ScriptedDevice): number {
  const connects = device.broker.connects.length;
  const down = device.eventsOf(Event.MQTT_DISCONNECTED).at(-1)!;
  device.until(() => device.broker.connects.length > connects, 2 * CAP_MS);
  return device.nowMs - down.atMs;
}

/** The ceiling of the delay before attempt `attempt`, the floor included. */
function ceiling(attempt: number): number {
  return FLOOR_MS + Math.min(CAP_MS, BASE_MS * 2 ** attempt);
}

function failing(seed: number): ScriptedDevice {
  const device = new ScriptedDevice({ seed });
  device.broker.onConnect = () => Status.UNREACHABLE;
  return device;
}

describe("a broker that cannot be reached", () => {
  it("is tried again after delays that grow twelve times and never leave floor and cap", () => {
    const early: number[] = [];
    const late: number[] = [];
    for (let seed = 1; seed <= 10; seed++) {
      const device = failing(seed).boot();
      for (let attempt = 0; attempt < 12; attempt++) {
        assert.equal(device.untilEvent(Event.MQTT_DISCONNECTED).value, Status.UNREACHABLE);
        const delayMs = nextDelay(device);
        assert.ok(delayMs >= FLOOR_MS && delayMs <= ceiling(attempt), `${attempt}: ${delayMs}`);
        (attempt < 6 ? early : late).push(delayMs);
      }
    }
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    assert.ok(sum(late) > 8 * sum(early), `${sum(early)} ms, then ${sum(late)} ms`);
    assert.ok(Math.max(...late) > CAP_MS / 2, "the cap is never approached");
  });

  it("is not tried sooner because Wi-Fi came back at once, or another identity connects", () => {
    // Found by the explorer of the simulator: "the broker is lost" while a thing name is stored.
    const device = new ScriptedDevice().online();
    device.runFor(10_000);
    device.loseWifi();
    device.untilEvent(Event.MQTT_DISCONNECTED);
    assert.ok(nextDelay(device) >= FLOOR_MS);

    const { device: claimed, aws } = scene();
    aws.onProvision = () => {
      claimed.agenda.after(30, () => claimed.broker.drop());
      return { accepted: { deviceConfiguration: {}, thingName: THING } };
    };
    claimed.flash.operationMs = 25;
    claimed.boot().until(() => claimed.broker.state === "up");
    claimed.untilEvent(Event.MQTT_DISCONNECTED);
    assert.ok(nextDelay(claimed) >= FLOOR_MS);
    expectProvisioned(claimed, THING);
  });

  it("and then answers is connected to, and waiting publishes go out", () => {
    const device = failing(1).boot();
    device.untilEvent(Event.MQTT_DISCONNECTED, CAP_MS, 3);
    const id = device.publish("t", "p");
    device.broker.onConnect = () => "up";
    device.untilEvent(Event.MQTT_CONNECTED, CAP_MS);
    device.runFor(1000);
    assert.deepEqual(device.valuesOf(Event.PUBLISH_SUCCEEDED), [id]);
    device.expectAllAccountedFor();
  });
});

describe("the back-off", () => {
  /** A session that was refused nine times, then up for `ms`, then lost. */
  function lostAfter(ms: number, seed: number): ScriptedDevice {
    const device = failing(seed).boot();
    device.untilEvent(Event.MQTT_DISCONNECTED, 20 * CAP_MS, 9);
    device.broker.onConnect = () => "up";
    const up = device.untilEvent(Event.MQTT_CONNECTED, 2 * CAP_MS);
    device.runUntil(up.atMs + ms);
    device.broker.drop();
    device.untilEvent(Event.MQTT_DISCONNECTED);
    return device;
  }

  it("is not forgotten by a connection that held for less than 60 seconds", () => {
    const delays = [1, 2, 3, 4, 5].map((seed) => nextDelay(lostAfter(STABLE_MS - 1000, seed)));
    assert.ok(Math.max(...delays) > ceiling(0), `${delays}`);
  });

  it("is forgotten by a connection that held for 60 seconds", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const delayMs = nextDelay(lostAfter(STABLE_MS + 1, seed));
      assert.ok(delayMs >= FLOOR_MS && delayMs <= ceiling(0), `${delayMs}`);
    }
  });

  it("slows a device down whose session another client takes over and over", () => {
    const device = new ScriptedDevice({ seed: 3 }).boot();
    for (let i = 0; i < 12; i++) {
      device.untilEvent(Event.MQTT_CONNECTED, 2 * CAP_MS);
      device.broker.drop(Status.CONNECTION_LOST);
      device.untilEvent(Event.MQTT_DISCONNECTED);
    }
    const times = device.broker.connects.map(({ atMs }) => atMs);
    const span = (from: number, to: number) => times[to]! - times[from]!;
    assert.ok(span(7, 11) > 5 * span(0, 4), `${times}`);
  });
});

describe("CONNECTs", () => {
  it("of one life are at least 1.1 s apart, however short each connection is", () => {
    const device = new ScriptedDevice({ seed: 5 });
    device.broker.connectMs = 0;
    device.boot();
    for (let i = 0; i < 30; i++) {
      device.until(() => device.broker.state === "up", 2 * CAP_MS);
      if (i % 3 === 0) device.loseWifi();
      else device.broker.drop();
      device.runFor(0);
    }
    const times = device.broker.connects.map(({ atMs }) => atMs);
    assert.equal(times.length, 30);
    for (const [index, atMs] of times.slice(1).entries()) assert.ok(atMs - times[index]! >= 1100);
  });

  it("count from the broker's answer when that comes late", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const device = new ScriptedDevice({ seed });
      device.broker.connectMs = 5000;
      device.wifiMs = 0;
      const up = device.boot().untilEvent(Event.MQTT_CONNECTED);
      device.broker.drop();
      device.runFor(0).loseWifi(); // else the back-off of the session alone would be enough
      device.until(() => device.broker.connects.length === 2, CAP_MS);
      assert.ok(device.nowMs - up.atMs >= 1100, `${device.nowMs - up.atMs} ms`);
    }
  });

  it("that are never answered are given up after 60 s and tried again", () => {
    const device = new ScriptedDevice();
    device.broker.onConnect = () => "silent";
    device.boot();
    const down = device.untilEvent(Event.MQTT_DISCONNECTED, 61_000);
    assert.equal(down.value, Status.CLOSED);
    const waited = down.atMs - device.broker.connects[0]!.atMs;
    assert.ok(waited >= 60_000 && waited < 61_000, `${waited}`);
    device.broker.onConnect = () => "up";
    device.untilEvent(Event.MQTT_CONNECTED, CAP_MS);
  });

  it("that the host refuses at once are tried again after the back-off", () => {
    const device = new ScriptedDevice();
    let refusals = 0;
    device.broker.acceptsConnect = () => (refusals++ < 3 ? Status.NO_SPACE : Status.OK);
    device.boot().untilEvent(Event.MQTT_CONNECTED, CAP_MS);
    const values = device.valuesOf(Event.MQTT_DISCONNECTED);
    assert.deepEqual(values, [Status.NO_SPACE, Status.NO_SPACE, Status.NO_SPACE]);
  });

  for (const [title, status] of [
    ["TLS_SERVER_REFUSED", Status.TLS_SERVER_REFUSED],
    ["TLS_CLIENT_REFUSED", Status.TLS_CLIENT_REFUSED],
    ["MQTT_REFUSED", Status.MQTT_REFUSED],
    ["NAME_NOT_RESOLVED", Status.NAME_NOT_RESOLVED],
  ] as const) {
    it(`refused with ${title} are told with that status and tried again`, () => {
      const device = new ScriptedDevice();
      device.broker.onConnect = () => (device.broker.connects.length < 3 ? status : "up");
      device.boot().untilEvent(Event.MQTT_CONNECTED, CAP_MS);
      assert.deepEqual(device.valuesOf(Event.MQTT_DISCONNECTED), [status, status]);
    });
  }
});

describe("Wi-Fi that is lost", () => {
  it("while connecting leads to a new connection once it is back", () => {
    const device = new ScriptedDevice();
    device.broker.connectMs = 1000;
    device.boot().until(() => device.broker.state === "opening");
    device.loseWifi();
    device.untilEvent(Event.MQTT_CONNECTED, CAP_MS);
    assert.equal(device.broker.connects.length, 2);
  });

  it("while online leads to a new connection once it is back", () => {
    const device = new ScriptedDevice().online();
    device.loseWifi();
    device.runFor(0);
    assert.equal(device.state().isConnected, false);
    device.untilEvent(Event.MQTT_CONNECTED, CAP_MS);
    assert.equal(device.state().isConnected, true);
    assert.equal(device.broker.connects.length, 2);
  });

  it("while waiting ends the wait: the session follows the network and not its old delay", () => {
    const device = failing(2).boot();
    device.untilEvent(Event.MQTT_DISCONNECTED, 20 * CAP_MS, 8);
    device.broker.onConnect = () => "up";
    const connects = device.broker.connects.length;
    device.loseWifi();
    const up = device.untilEvent(Event.WIFI_CONNECTED);
    device.until(() => device.broker.connects.length > connects);
    assert.ok(device.nowMs - up.atMs <= 1100, `${device.nowMs - up.atMs}`);
  });

  it("for an hour brings no CONNECT until it is back, and no event in a circle", () => {
    const device = new ScriptedDevice().online();
    device.wifiAnswer = () => Status.NO_SUCH_NETWORK;
    device.loseWifi();
    device.runFor(3_600_000);
    assert.equal(device.broker.connects.length, 1);
    assert.equal(device.eventsOf(Event.MQTT_DISCONNECTED).length, 1);
    device.wifiAnswer = () => Status.OK;
    device.untilEvent(Event.MQTT_CONNECTED, CAP_MS);
  });

  it("and back before the end of the connection is told leads to one new connection", () => {
    const device = new ScriptedDevice().online();
    device.wifiMs = 0;
    device.loseWifi(Status.CONNECTION_LOST);
    device.untilEvent(Event.MQTT_CONNECTED, CAP_MS);
    device.runFor(100_000);
    assert.equal(device.broker.connects.length, 2);
    assert.equal(device.state().isConnected, true);
  });
});

describe("a connection that ends while the device is closing it", () => {
  it("for a restart delays the restart by nothing", () => {
    const device = new ScriptedDevice().online();
    device.order(orders.restart(100));
    device.agenda.after(100, () => device.broker.drop());
    device.until(() => !device.isOn, 1000);
  });
});

describe("report of a trap", () => {
  it("is an event in the life after it", () => {
    const device = new ScriptedDevice();
    device.trapText = "MQTT_MESSAGE: assertion 17";
    device.online();
    assert.deepEqual(device.textsOf(Event.TRAPPED), ["MQTT_MESSAGE: assertion 17"]);
    assert.ok(device.heard.some(({ event, text }) => event === Event.TRAPPED && text !== ""));
  });

  it("is published by a sample once it is connected", async () => {
    const module = compileCore(await sampleBytesOf("release", "telemetry"));
    const device = new ScriptedDevice({ module, obeys: false });
    device.trapText = "MQTT_MESSAGE: assertion 17";
    device.online().runFor(1000);
    const traps = device.broker.publishes.filter(({ topic }) => topic.endsWith("/trap"));
    assert.deepEqual(
      traps.map(({ topic, payload, qos }) => [topic, `${Buffer.from(payload)}`, qos]),
      [[`devices/${THING}/trap`, "MQTT_MESSAGE: assertion 17", 1]],
    );
  });
});
