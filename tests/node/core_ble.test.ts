// Sessions over BLE: who gets one, who is sent away and locked out, and packets that a radio
// spoils.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BleCode, BleState, Event, Status } from "../../host-node/src/abi.js";
import {
  APPLICATION,
  ask,
  CHANGES,
  CONFIGURATION,
  Command,
  command,
  exchange,
  inSession,
  openSession,
  statesOf,
  unboxed,
  VERIFIER_BYTES,
} from "./support/ble_setup.js";
import { thingDocument } from "./support/identities.js";
import { orders } from "./support/orders.js";
import { DEVICE_NAME, ScriptedDevice } from "./support/scripted_host.js";

/** A central that does not know the proof of possession. */
function guess(device: ScriptedDevice): void {
  device.ble.connect();
  device.ble.session(Status.REFUSED);
  device.settle();
}

/** What characteristic 3 says: code and seconds. */
function told(device: ScriptedDevice): [number, number] {
  const value = device.ble.values.get(CHANGES)!;
  assert.equal(value.length, 4);
  return [value[1]!, value.readUInt16LE(2)];
}

describe("a device that is not configured", () => {
  it("advertises by its name, with the verifier in its flash", () => {
    const device = unboxed();
    assert.equal(device.ble.advertised?.name, DEVICE_NAME);
    const bytes = new Uint8Array(device.ble.advertised!.size);
    device.flash.read(device.ble.advertised!.offset, bytes);
    assert.deepEqual(Buffer.from(bytes), VERIFIER_BYTES);
    assert.deepEqual(statesOf(device), ["ADVERTISING"]);
  });

  it("without a verifier is silent", () => {
    const device = new ScriptedDevice({ document: null }).boot().settle();
    assert.equal(device.ble.advertised, null);
  });

  it("asks for the radio again when the host refuses it", () => {
    const device = new ScriptedDevice({ document: null });
    device.ble.startAnswer = Status.BUSY;
    device.document = Buffer.from(
      JSON.stringify({ ble: { verifier: VERIFIER_BYTES.toString("base64") } }),
    );
    device.boot().runFor(1000);
    assert.equal(device.ble.advertised, null);
    device.ble.startAnswer = Status.OK;
    device.runFor(5000);
    assert.notEqual(device.ble.advertised, null);
  });

  it("gives the radio back before it restarts", () => {
    const device = inSession();
    device.order(orders.restart(0));
    device.until(() => device.isRestarting);
    assert.deepEqual(statesOf(device).slice(-2), ["STOPPING", "OFF"]);
  });
});

describe("a central without a session", () => {
  it("is sent away after thirty seconds", () => {
    const device = unboxed();
    device.ble.connect();
    device.runFor(29_000);
    assert.equal(device.ble.isConnected, true);
    device.runFor(2000);
    assert.equal(device.ble.isConnected, false);
    assert.equal(statesOf(device).at(-1), "ADVERTISING");
  });

  it("is not heard, and sent away when it writes, on every characteristic with frames", () => {
    for (const characteristic of [CONFIGURATION, CHANGES, APPLICATION]) {
      const device = unboxed();
      device.ble.connect();
      device.ble.send(characteristic, command(Command.RESET));
      device.runFor(1000);
      assert.equal(device.ble.isConnected, false);
      assert.deepEqual(device.ble.packets, []);
      assert.deepEqual(device.eventsOf(Event.RESTART_PENDING), []);
    }
  });

  it("that breaks the protocol of the handshake is sent away, and not counted", () => {
    const device = unboxed();
    for (let attempt = 0; attempt < 9; attempt++) {
      device.ble.connect();
      device.ble.session(Status.MALFORMED);
      device.settle();
      assert.equal(device.ble.isConnected, false);
    }
    assert.equal(statesOf(device).at(-1), "ADVERTISING");
  });
});

describe("who guesses", () => {
  it("is locked out at the third wrong proof, unseen, and told for how long", () => {
    const device = unboxed();
    for (let attempt = 0; attempt < 3; attempt++) guess(device);
    assert.equal(statesOf(device).at(-1), "REFUSING");
    assert.equal(device.ble.isLocked, true);
    assert.deepEqual(told(device), [BleCode.ACCESS_DENIED, 30]);
    device.runFor(6000);
    assert.equal(device.ble.isConnected, false);
    assert.equal(statesOf(device).at(-1), "LOCKED");
    device.ble.connect();
    device.settle();
    assert.deepEqual(told(device), [BleCode.ACCESS_DENIED, 24]);
    device.runFor(6000);
    assert.equal(device.ble.isConnected, false, "it is sent away");
  });

  it("is sent away at once when it goes on while it is locked out", () => {
    const device = unboxed();
    for (let attempt = 0; attempt < 3; attempt++) guess(device);
    device.ble.send(CONFIGURATION, command(Command.RESET));
    device.settle();
    assert.equal(device.ble.isConnected, false);
  });

  it("may try again when the time is over, and a right proof makes all good", () => {
    const device = unboxed();
    for (let attempt = 0; attempt < 3; attempt++) guess(device);
    device.runFor(31_000);
    assert.equal(device.ble.isLocked, false);
    openSession(device);
    assert.equal(statesOf(device).at(-1), "AUTHENTICATED");
    device.ble.leave();
    device.settle();
    for (let attempt = 0; attempt < 2; attempt++) guess(device);
    assert.equal(statesOf(device).at(-1), "ADVERTISING");
  });

  it("waits twice as long after each further wrong proof, up to fifteen minutes", () => {
    const device = unboxed();
    for (let attempt = 0; attempt < 2; attempt++) guess(device);
    for (const seconds of [30, 60, 120, 240, 480, 900, 900, 900]) {
      guess(device);
      assert.deepEqual(told(device), [BleCode.ACCESS_DENIED, seconds]);
      device.runFor((seconds - 1) * 1000);
      assert.equal(device.ble.isLocked, true);
      device.runFor(2000);
      assert.equal(device.ble.isLocked, false);
    }
  });

  it("is locked out in the next life, too", () => {
    const device = unboxed();
    for (let attempt = 0; attempt < 3; attempt++) guess(device);
    device.settle().powerOff();
    device.boot().settle();
    assert.equal(statesOf(device).at(-1), "LOCKED");
    assert.equal(device.ble.isLocked, true);
    device.runFor(31_000);
    openSession(device).powerOff();
    device.boot().settle();
    assert.equal(statesOf(device).at(-1), "ADVERTISING");
  });
});

describe("a packet that the radio spoiled", () => {
  const document = command(Command.APPLY, thingDocument());

  /** The session is over, for this reason, and the device is as it was. */
  function expectEnded(device: ScriptedDevice, reason: RegExp): void {
    device.settle();
    assert.equal(device.ble.isConnected, false);
    assert.match(device.textsOf(Event.BLE_STATE).at(-2)!, reason);
    assert.equal(statesOf(device).at(-1), "ADVERTISING");
    assert.deepEqual(device.ble.packets, []);
    assert.deepEqual(device.eventsOf(Event.SETUP), []);
  }

  function sendAll(device: ScriptedDevice, frames: readonly Uint8Array[]): void {
    for (const frame of frames) device.ble.write(CONFIGURATION, frame);
  }

  it("with a frame that is missing ends the session, and the next one is good", () => {
    const device = inSession();
    sendAll(device, device.ble.framesOf(document).toSpliced(2, 1));
    expectEnded(device, /a frame is missing/);
    openSession(device);
    assert.equal(ask(device, Command.APPLY, thingDocument())[0], "IN_PROGRESS");
  });

  it("with another byte in it ends the session", () => {
    const device = inSession();
    const frames = device.ble.framesOf(document);
    frames[1]![9]! ^= 1;
    sendAll(device, frames);
    expectEnded(device, /not what was sent/);
  });

  it("that ends in the middle ends the session after five seconds", () => {
    const device = inSession();
    sendAll(device, device.ble.framesOf(document).slice(0, 1));
    device.runFor(4000);
    assert.equal(device.ble.isConnected, true);
    device.runFor(2000);
    expectEnded(device, /did not come/);
  });

  it("that is not of this session ends it", () => {
    const device = inSession();
    sendAll(device, device.ble.framesOf(document, Buffer.alloc(16)));
    expectEnded(device, /not of this session/);
  });

  it("that is longer than may be ends the session at its first frame", () => {
    const device = inSession();
    const frame = device.ble.framesOf(document)[0]!;
    frame.writeUInt16LE(8193, 1);
    sendAll(device, [frame]);
    expectEnded(device, /too long/);
  });

  it("that comes before the answer to the one before ends the session", () => {
    const device = inSession();
    device.ble.send(CONFIGURATION, document);
    device.ble.send(CONFIGURATION, command(Command.STATUS));
    device.settle();
    assert.equal(device.ble.isConnected, false);
    assert.match(device.textsOf(Event.BLE_STATE).at(-2)!, /before the answer/);
  });
});

describe("packets of the application", () => {
  const data = (name: string, bytes: string): Buffer =>
    Buffer.concat([Buffer.of(1, name.length), Buffer.from(name + bytes)]);
  const FETCH = Buffer.of(2);

  it("go to the callback of their name, whose code and data are the answer", () => {
    const device = inSession(23);
    const long = `\x03${"x".repeat(900)}`;
    const answer = exchange(device, APPLICATION, data("echo", long));
    assert.deepEqual([answer.code, answer.body.toString()], ["ACCESS_DENIED", long]);
    assert.deepEqual(exchange(device, APPLICATION, data("echo", "")), {
      code: "SUCCESS",
      body: Buffer.alloc(0),
    });
  });

  it("of another name, or that make no sense, are refused", () => {
    const device = inSession();
    for (const packet of [data("ech", ""), data("echos", ""), Buffer.of(1), Buffer.of(9, 9)]) {
      const { code } = exchange(device, APPLICATION, packet);
      assert.equal(code, "INVALID_REQUEST");
    }
    assert.equal(device.ble.isConnected, true);
  });

  it("that it sends wait until they are fetched; one at a time", () => {
    const device = inSession();
    const nothing = exchange(device, APPLICATION, FETCH);
    assert.deepEqual(nothing, { code: "SUCCESS", body: Buffer.of(0) });
    const changes = device.ble.values.get(CHANGES)![0]!;
    assert.equal(device.resultOf(orders.bleSend("sensor", "21.5")), Status.OK);
    assert.equal(device.resultOf(orders.bleSend("sensor", "22")), Status.NO_SPACE);
    device.runFor(10);
    assert.equal(device.ble.values.get(CHANGES)![0], changes + 1);
    const { body } = exchange(device, APPLICATION, FETCH);
    assert.equal(body.toString(), "\x06sensor21.5");
    assert.deepEqual(device.textsOf(Event.BLE_PACKET_TAKEN), ["sensor"]);
    assert.deepEqual(exchange(device, APPLICATION, FETCH), nothing);
    assert.equal(device.resultOf(orders.bleSend("sensor", "22")), Status.OK);
  });

  it("that are too long are refused to the application", () => {
    const device = inSession();
    assert.equal(device.resultOf(orders.bleSend("n", "x".repeat(1020))), Status.OK);
    assert.equal(exchange(device, APPLICATION, FETCH).body.length, 1 + 1 + 1020);
    assert.equal(device.resultOf(orders.bleSend("n", "x".repeat(1021))), Status.TOO_LARGE);
    assert.equal(device.resultOf(orders.bleSend("", "x")), Status.INVALID_ARGUMENT);
  });

  it("are still there for the next central", () => {
    const device = inSession();
    device.order(orders.bleSend("sensor", "21.5"));
    device.ble.leave();
    device.settle();
    openSession(device);
    assert.equal(exchange(device, APPLICATION, FETCH).body.toString(), "\x06sensor21.5");
  });
});

describe("the radio", () => {
  it("is not touched by a device that is configured", () => {
    const device = new ScriptedDevice().online();
    assert.equal(device.ble.advertised, null);
    assert.deepEqual(device.valuesOf(Event.BLE_STATE), []);
    assert.equal(BleState.OFF, 0);
  });
});
