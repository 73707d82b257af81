// The station machine: joined, refused, absent, lost; its back-off, and what it tells.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Event, EventKind, Status } from "../../host-node/src/abi.js";
import { SSID } from "./support/identities.js";
import { ScriptedDevice } from "./support/scripted_host.js";

const FLOOR_MS = 500;
const BASE_MS = 1000;
const CAP_MS = 60_000;

/** Times from each failure to the next join. */
function delays(device: ScriptedDevice): number[] {
  const failures = device.eventsOf(Event.WIFI_DISCONNECTED);
  return failures.slice(0, device.joins.length - 1).map(({ atMs }, index) => {
    const next = device.joins.find((join) => join.atMs > atMs);
    return (next ?? device.joins[index + 1])!.atMs - atMs;
  });
}

function average(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

describe("a network", () => {
  for (const [title, status] of [
    ["whose password is wrong", Status.WRONG_PASSWORD],
    ["that is not there", Status.NO_SUCH_NETWORK],
  ] as const) {
    it(`${title} is tried for ever, with delays that grow to the cap and never pass it`, () => {
      const first: number[] = [];
      const later: number[] = [];
      for (let seed = 1; seed <= 10; seed++) {
        const device = new ScriptedDevice({ seed });
        device.wifiAnswer = () => status;
        device.boot().until(() => device.joins.length === 21, 30 * CAP_MS);
        const values = delays(device);
        assert.equal(values.length, 20);
        for (const [attempt, delayMs] of values.entries()) {
          const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** attempt);
          assert.ok(delayMs >= FLOOR_MS && delayMs <= FLOOR_MS + ceiling, `${attempt}: ${delayMs}`);
        }
        first.push(...values.slice(0, 3));
        later.push(...values.slice(8));
        assert.ok(device.valuesOf(Event.WIFI_DISCONNECTED).every((value) => value === status));
        assert.equal(device.broker.connects.length, 0);
      }
      assert.ok(average(later) > 8 * average(first), `${average(first)} then ${average(later)}`);
      assert.ok(new Set(later).size > later.length / 2, "no jitter");
    });
  }

  it("that comes back is joined, and the next failure starts from the floor again", () => {
    const device = new ScriptedDevice();
    device.wifiAnswer = () => Status.NO_SUCH_NETWORK;
    device.boot().until(() => device.joins.length === 12, 20 * CAP_MS);
    device.wifiAnswer = () => Status.OK;
    device.untilEvent(Event.WIFI_CONNECTED, 2 * CAP_MS);
    device.wifiAnswer = () => Status.NO_SUCH_NETWORK;
    device.loseWifi();
    const lost = device.untilEvent(Event.WIFI_DISCONNECTED);
    const joins = device.joins.length;
    device.until(() => device.joins.length > joins);
    const delayMs = device.nowMs - lost.atMs;
    assert.ok(delayMs >= FLOOR_MS && delayMs <= FLOOR_MS + BASE_MS, `${delayMs}`);
  });

  it("that is lost is an event with its status, and is joined again", () => {
    const device = new ScriptedDevice().online();
    device.loseWifi();
    assert.equal(device.untilEvent(Event.WIFI_DISCONNECTED).value, Status.CONNECTION_LOST);
    assert.equal(device.untilEvent(Event.WIFI_CONNECTED).text, "10.0.0.7");
    device.untilEvent(Event.MQTT_CONNECTED);
    assert.deepEqual(device.textsOf(Event.WIFI_JOINING), [SSID, SSID]);
  });

  it("whose join the host refuses at once is tried again after the back-off", () => {
    const device = new ScriptedDevice();
    device.wifiAnswer = () => Status.IO_ERROR;
    device.boot().until(() => device.joins.length === 3);
    assert.deepEqual(device.valuesOf(Event.WIFI_DISCONNECTED), [Status.IO_ERROR, Status.IO_ERROR]);
  });

  it("that reports its address twice is joined once", () => {
    const device = new ScriptedDevice().online();
    device.agenda.post(EventKind.WIFI_UP, 0, 0, Uint8Array.of(255, 0, 10, 9));
    device.runFor(100_000);
    assert.equal(device.textsOf(Event.WIFI_CONNECTED).at(-1), "255.0.10.9");
    assert.equal(device.broker.connects.length, 1);
    assert.equal(device.joins.length, 1);
  });
});
