// What an application is promised besides messages: restart, timers, 256 bytes of data, and events
// that are counted when there are too many.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Dataset, Event, Mode, ResetReason, Status } from "../../host-node/src/abi.js";
import { NorFlash } from "../../host-node/src/ports/nor.js";
import { Moment, orders, type Report } from "./support/orders.js";
import { ScriptedDevice } from "./support/scripted_host.js";

const SECTORS = 16;
const BYTES = 256;
/** More events than the ring holds, and no more publishes than the queue does. */
const DROPS = 150;
/** A start 4,096 ms before the host's 32-bit counter wraps. */
const BEFORE_WRAP_MS = 0xfffff000;

function timersOf(reports: Report[]): number[] {
  return reports.flatMap((report) => (report.kind === "timer" ? [report.number] : []));
}

/** Times at which each timer fired. */
function watchTimers(device: ScriptedDevice): { number: number; atMs: number }[] {
  const fired: { number: number; atMs: number }[] = [];
  for (let number = 0; number < 9; number++) {
    device.at(Moment.timer(number), () => {
      fired.push({ number, atMs: device.nowMs });
      return null;
    });
  }
  return fired;
}

function flashBytes(device: ScriptedDevice, at = 0, size = BYTES): Buffer | null {
  const [report] = device.order(orders.flashRead(at, size));
  assert.ok(report?.kind === "bytes");
  return report.bytes && Buffer.from(report.bytes);
}

describe("a restart", () => {
  it("comes after its delay, with the session closed before", () => {
    const device = new ScriptedDevice().online();
    const askedMs = device.nowMs;
    device.order(orders.restart(5000));
    const [pending] = device.eventsOf(Event.RESTART_PENDING);
    assert.deepEqual([pending?.value, pending?.text], [5000, "asked for by the application"]);
    assert.equal(device.state().isWaitingForRestart, true);
    device.runUntil(askedMs + 4999);
    assert.equal(device.broker.state, "up");
    device.until(() => !device.isOn);
    assert.ok(device.isRestarting);
    assert.deepEqual(device.valuesOf(Event.MQTT_DISCONNECTED), [Status.CLOSED]);
    assert.ok(device.nowMs - askedMs >= 5000 && device.nowMs - askedMs < 5100);
  });

  it("without a delay closes the session all the same", () => {
    const device = new ScriptedDevice().online();
    device.order(orders.restart());
    device.until(() => !device.isOn, 1000);
    assert.deepEqual(device.valuesOf(Event.MQTT_DISCONNECTED), [Status.CLOSED]);
  });

  it("waits two seconds for a broker that does not close, and no longer", () => {
    const device = new ScriptedDevice().online();
    device.broker.closes = false;
    const askedMs = device.nowMs;
    device.order(orders.restart());
    device.until(() => !device.isOn);
    assert.equal(device.nowMs - askedMs, 2000);
  });

  it("waits for flash as long as it takes: what was accepted is there in the next life", () => {
    const flash = NorFlash.blank(SECTORS);
    const device = new ScriptedDevice({ flash }).online();
    device.flash.operationMs = 3000;
    device.order(orders.flashWrite(0, "kept"), orders.restart());
    device.until(() => !device.isOn);
    assert.equal(device.valuesOf(Event.FLASH_WRITTEN).at(-1), Dataset.APPLICATION);
    assert.equal(String(flashBytes(new ScriptedDevice({ flash }).online(), 0, 4)), "kept");
  });

  it("keeps each of many writes that were accepted just before it", () => {
    const flash = NorFlash.blank(SECTORS);
    const device = new ScriptedDevice({ flash }).online();
    for (let i = 0; i < 50; i++) device.order(orders.flashWrite(i, Uint8Array.of(i + 1)));
    device.order(orders.restart());
    device.until(() => !device.isOn);
    const bytes = flashBytes(new ScriptedDevice({ flash }).online(), 0, 50);
    assert.deepEqual(bytes, Buffer.from(Uint8Array.from({ length: 50 }, (_, i) => i + 1)));
  });

  it("asked for twice takes the later delay", () => {
    const device = new ScriptedDevice().online();
    const askedMs = device.nowMs;
    device.order(orders.restart(60_000));
    device.order(orders.restart(1000));
    device.until(() => !device.isOn);
    assert.ok(device.nowMs - askedMs < 1100);
  });

  for (const [title, isThere] of [
    ["while it joins the network", (device: ScriptedDevice) => device.joins.length === 1],
    ["while it connects", (device: ScriptedDevice) => device.broker.state === "opening"],
  ] as const) {
    it(`asked for ${title} comes soon`, () => {
      const device = new ScriptedDevice();
      device.wifiMs = 1;
      device.broker.onConnect = () => "silent";
      device.boot().until(() => isThere(device));
      if (device.isWifiUp) device.order(orders.restart());
      else device.once(Event.WIFI_CONNECTED, orders.restart());
      device.until(() => !device.isOn, 3000);
    });
  }

  it("works in Idle mode and in Configuration mode", () => {
    for (const document of ["{", null]) {
      const device = new ScriptedDevice({ document }).boot().runFor(1000);
      device.order(orders.restart());
      device.until(() => !device.isOn, 1000);
    }
  });

  it("begins a life that knows its reason and is as the first", () => {
    const device = new ScriptedDevice().online();
    device.order(orders.restart());
    device.until(() => !device.isOn);
    device.boot(ResetReason.SOFTWARE).until(() => device.broker.state === "up");
    assert.equal(device.state().mode, Mode.NORMAL);
    assert.equal(device.eventsOf(Event.CONFIGURATION_APPLIED).length, 1);
  });
});

describe("timers of the application", () => {
  it("are eight; the ninth is refused, and taken when one is free again", () => {
    const device = new ScriptedDevice().online();
    const started = Array.from({ length: 9 }, (_, i) => device.resultOf(orders.every(i, 1000)));
    assert.deepEqual(started, [0, 1, 2, 3, 4, 5, 6, 7, -1]);
    device.order(orders.cancel(3));
    assert.equal(device.resultOf(orders.after(8, 500)), 3);
    const fired = watchTimers(device);
    device.runFor(1000);
    assert.deepEqual(
      fired.map(({ number }) => number).toSorted((a, b) => a - b),
      [0, 1, 2, 4, 5, 6, 7, 8],
    );
    assert.equal(device.resultOf(orders.after(0, 1)), 3);
  });

  it("fire to the millisecond, once or again and again", () => {
    const device = new ScriptedDevice().online();
    const startMs = device.nowMs;
    const fired = watchTimers(device);
    device.order(orders.every(0, 400), orders.after(1, 1000));
    device.runFor(2000);
    const of = (wanted: number) =>
      fired.filter(({ number }) => number === wanted).map(({ atMs }) => atMs - startMs);
    assert.deepEqual(of(0), [400, 800, 1200, 1600, 2000]);
    assert.deepEqual(of(1), [1000]);
  });

  it("that are cancelled inside their own callback stop, and their slot is free", () => {
    const device = new ScriptedDevice().online();
    device.order(orders.every(0, 100));
    let count = 0;
    device.at(Moment.timer(0), () => (++count === 3 ? orders.cancel(0) : null));
    device.runFor(10_000);
    assert.equal(count, 3);
    assert.equal(device.resultOf(orders.every(1, 100)), 0);
  });

  it("that are cancelled inside another's callback of the same moment do not fire", () => {
    const device = new ScriptedDevice().online();
    device.order(orders.after(0, 100), orders.after(1, 100));
    const fired = watchTimers(device);
    device.at(Moment.timer(0), () => orders.cancel(1));
    device.runFor(1000);
    assert.deepEqual(fired, []);
    assert.deepEqual(timersOf(device.reports), [0]);
  });

  it("started inside their own callback chain on", () => {
    const device = new ScriptedDevice().online();
    let count = 0;
    device.at(Moment.timer(0), () => (++count < 20 ? orders.after(0, 0) : null));
    device.order(orders.after(0, 0));
    device.runFor(0);
    assert.equal(count, 20);
  });

  it("of 0 ms that repeat are taken as 1 ms, and do not stop the device", () => {
    const device = new ScriptedDevice().online();
    const fired = watchTimers(device);
    device.order(orders.every(0, 0));
    device.runFor(50);
    assert.ok(fired.length >= 50 && fired.length <= 51, `${fired.length}`);
  });

  it("of the longest period wait for it", () => {
    const device = new ScriptedDevice().online();
    const fired = watchTimers(device);
    const startMs = device.nowMs;
    device.order(orders.after(0, 0xffffffff));
    device.runFor(0xfffffffe);
    assert.deepEqual(fired, []);
    device.runFor(1);
    assert.deepEqual(fired, [{ number: 0, atMs: startMs + 0xffffffff }]);
  });

  it("that were cancelled twice, or never were, are harmless", () => {
    const device = new ScriptedDevice().online();
    device.order(orders.cancel(5), orders.cancel(-1), orders.cancel(8), orders.cancel(1 << 30));
    device.order(orders.every(0, 10), orders.cancel(0), orders.cancel(0));
    const fired = watchTimers(device);
    device.runFor(1000);
    assert.deepEqual(fired, []);
  });

  it("started in setup fire in Normal mode, and never before", () => {
    const device = new ScriptedDevice();
    device.once(Moment.SETUP, orders.every(0, 1));
    device.flash.operationMs = 10;
    const fired = watchTimers(device);
    device.boot().runFor(500);
    const [normal] = device
      .eventsOf(Event.MODE_CHANGED)
      .filter(({ value }) => value === Mode.NORMAL);
    assert.ok(fired.length > 100);
    assert.ok(fired[0]!.atMs >= normal!.atMs && normal!.atMs > 1050);
  });

  it("in Configuration mode do not fire and ask for no TICK", () => {
    const device = new ScriptedDevice({ document: null });
    device.once(Moment.SETUP, orders.every(0, 10));
    const fired = watchTimers(device);
    device.boot().runFor(1000);
    const before = device.dispatches;
    device.runFor(100_000);
    assert.deepEqual(fired, []);
    assert.equal(device.dispatches, before);
  });
});

describe("the wrap of the host's counter", () => {
  /** Everything that happens in ten seconds, times told from the start. */
  function life(startMs: number): unknown {
    const device = new ScriptedDevice({ startMs, seed: 4 });
    device.once(Moment.SETUP, orders.every(0, 333), orders.subscribe("a", 1));
    device.broker.onConnect = () => (device.broker.connects.length < 3 ? Status.UNREACHABLE : "up");
    device.broker.onPublish = ({ topic }) => (topic === "3" ? "silent" : "ack");
    let count = 0;
    device.at(Moment.timer(0), () => orders.publish(String(count++), "p", { qos: 1 }));
    device.boot().runFor(30_000);
    assert.ok(device.state().isConnected);
    device.expectAllAccountedFor();
    return {
      events: device.events.map(({ atMs, ...rest }) => ({ ...rest, atMs: atMs - startMs })),
      publishes: device.broker.publishes.map(({ atMs, topic }) => [topic, atMs - startMs]),
    };
  }

  it("changes nothing, to the millisecond, wherever it happens", () => {
    const plain = life(1000);
    for (const beforeMs of [1, 16, 1500, 4096, 20_000]) {
      assert.deepEqual(life(2 ** 32 - beforeMs), plain, `${beforeMs} ms before the wrap`);
    }
  });

  it("does not turn the application's clock back", () => {
    const device = new ScriptedDevice({ startMs: BEFORE_WRAP_MS }).online();
    const before = device.state().uptimeMs;
    device.runFor(10_000);
    assert.equal(device.state().uptimeMs - before, 10_000);
    assert.ok(device.state().uptimeMs > 2 ** 32 - BEFORE_WRAP_MS, "the counter has wrapped");
  });

  it("a second and a third time changes nothing either", () => {
    const device = new ScriptedDevice({ startMs: BEFORE_WRAP_MS }).online();
    const dayMs = 86_400_000;
    const fired = watchTimers(device);
    device.order(orders.every(0, dayMs));
    device.runFor(150 * dayMs);
    assert.equal(fired.length, 150);
    assert.ok(device.state().uptimeMs > 3 * 2 ** 32);
    assert.equal(device.state().isConnected, true);
  });
});

describe("application data", () => {
  it("that were never written are 256 zeros", () => {
    assert.deepEqual(flashBytes(new ScriptedDevice().online()), Buffer.alloc(BYTES));
  });

  it("are read back at once, are busy until FLASH_WRITTEN, and survive a power cut then", () => {
    const flash = NorFlash.blank(SECTORS);
    const device = new ScriptedDevice({ flash }).online();
    const [, read, state] = device.order(
      orders.flashWrite(10, "hello"),
      orders.flashRead(8, 9),
      orders.state(),
    );
    assert.ok(read?.kind === "bytes" && state?.kind === "state");
    assert.equal(String(read.bytes), "\0\0hello\0\0");
    assert.equal(state.state.isFlashBusy, true);
    assert.equal(device.untilEvent(Event.FLASH_WRITTEN).value, Dataset.APPLICATION);
    assert.equal(device.state().isFlashBusy, false);
    device.powerOff();
    assert.equal(String(flashBytes(new ScriptedDevice({ flash }).online(), 10, 5)), "hello");
  });

  it("of all 256 bytes come back in the next life", () => {
    const flash = NorFlash.blank(SECTORS);
    const all = Uint8Array.from({ length: BYTES }, (_, i) => 255 - i);
    const device = new ScriptedDevice({ flash }).online();
    assert.equal(device.resultOf(orders.flashWrite(0, all)), Status.OK);
    device.untilEvent(Event.FLASH_WRITTEN);
    device.powerOff();
    assert.deepEqual(flashBytes(new ScriptedDevice({ flash }).online()), Buffer.from(all));
  });

  for (const [at, size] of [
    [-1, 1],
    [256, 1],
    [255, 2],
    [0, 257],
    [0x7fffffff, 1],
    [-0x80000000, 1],
  ] as const) {
    it(`refuse ${size} bytes at ${at}, and write nothing`, () => {
      const device = new ScriptedDevice().online();
      const before = device.flash.performed;
      const write = orders.flashWrite(at, new Uint8Array(size));
      assert.equal(device.resultOf(write), Status.INVALID_ARGUMENT);
      assert.equal(flashBytes(device, at, size), null);
      device.runFor(10_000);
      assert.equal(device.flash.performed, before);
    });
  }

  it("refuse to read a negative size, and take no bytes at either end", () => {
    const device = new ScriptedDevice().online();
    assert.equal(flashBytes(device, 0, -1), null);
    assert.equal(flashBytes(device, 0, 0x7fffffff), null);
    assert.deepEqual(flashBytes(device, 256, 0), Buffer.alloc(0));
    assert.equal(device.resultOf(orders.flashWrite(256, "")), Status.OK);
  });

  it("that are erased are zeros, now and in the next life", () => {
    const flash = NorFlash.blank(SECTORS);
    const device = new ScriptedDevice({ flash }).online();
    device.order(orders.flashWrite(0, "secret"));
    device.untilEvent(Event.FLASH_WRITTEN);
    device.order(orders.flashErase());
    assert.deepEqual(flashBytes(device), Buffer.alloc(BYTES));
    assert.equal(device.untilEvent(Event.FLASH_WRITTEN).value, Dataset.APPLICATION);
    device.powerOff();
    assert.deepEqual(flashBytes(new ScriptedDevice({ flash }).online()), Buffer.alloc(BYTES));
  });

  it("that change while they are being written end as they were last", () => {
    const flash = NorFlash.blank(SECTORS);
    const device = new ScriptedDevice({ flash }).online();
    for (let i = 0; i < 20; i++) {
      device.order(orders.flashWrite(0, `value ${String(i).padStart(2, "0")}`));
      device.runFor(1);
    }
    device.settle().runFor(1000);
    device.powerOff();
    assert.equal(String(flashBytes(new ScriptedDevice({ flash }).online(), 0, 8)), "value 19");
  });

  it("that flash refuses are told as FLASH_FAILED", () => {
    const device = new ScriptedDevice().online();
    device.flash.works = () => false;
    device.order(orders.flashWrite(0, "x"));
    assert.equal(device.untilEvent(Event.FLASH_FAILED, 600_000).value, Dataset.APPLICATION);
    device.flash.works = () => true;
    device.order(orders.flashWrite(0, "y"));
    assert.equal(device.untilEvent(Event.FLASH_WRITTEN).value, Dataset.APPLICATION);
  });
});

describe("events", () => {
  it("reach the application in the order, with the values and texts, that the host saw", () => {
    const device = new ScriptedDevice();
    device.once(
      Moment.SETUP,
      orders.subscribe("filter/+", 1),
      orders.publish("t", "p", { qos: 1 }),
    );
    device.boot().untilEvent(Event.PUBLISH_SUCCEEDED);
    device.runFor(1000);
    assert.ok(device.events.length > 10);
    assert.deepEqual(
      device.heard,
      device.events.map(({ event, value, text }) => ({ event, value, text })),
    );
  });

  it("of one step that the ring cannot hold are counted: EVENTS_LOST tells how many", () => {
    const device = new ScriptedDevice();
    device.broker.onConnect = () => Status.UNREACHABLE;
    device.boot().untilEvent(Event.MQTT_DISCONNECTED);
    const ids = Array.from({ length: DROPS }, () => device.publish("t", "")).filter((id) => id > 0);
    assert.equal(ids.length, DROPS);
    device.reports.length = 0;
    device.order(orders.clearQueue());
    device.runFor(0);
    const [lost] = device.eventsOf(Event.EVENTS_LOST);
    const heard = device.heard.filter(({ event }) => event === Event.PUBLISH_DROPPED);
    assert.ok(lost!.value > 0);
    assert.equal(heard.length + lost!.value, DROPS);
    assert.equal(device.eventsOf(Event.PUBLISH_DROPPED).length, DROPS);
    assert.deepEqual(device.heard.at(-1), {
      event: Event.EVENTS_LOST,
      value: lost!.value,
      text: "",
    });
    assert.deepEqual(
      heard.map(({ value }) => value),
      ids.slice(0, heard.length),
    );
    device.expectAllAccountedFor();
    device.publish("t", "");
    device.order(orders.clearQueue());
    device.runFor(0);
    assert.equal(device.eventsOf(Event.EVENTS_LOST).length, 1);
  });
});
