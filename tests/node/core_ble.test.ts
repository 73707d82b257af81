// Configuration over BLE: sessions and who gets none, frames that a radio spoils, documents good and
// bad, and a factory reset.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BleCode, BleState, Event, nameOf, Status } from "../../host-node/src/abi.js";
import { type DocumentContent, ENDPOINT, thingDocument } from "./support/identities.js";
import { DEVICE_NAME, ScriptedDevice } from "./support/scripted_host.js";

const CONFIGURATION = 2;
const VERIFIER = Buffer.alloc(400, 7).toString("base64");
const APPLY = 1;
const RESET = 4;

/** A device that knows how sessions are checked, and nothing else. */
function unboxed(): ScriptedDevice {
  const document = { ble: { verifier: VERIFIER } } as DocumentContent;
  return new ScriptedDevice({ document }).boot().runFor(1000);
}

function inSession(mtu = 247): ScriptedDevice {
  const device = unboxed();
  device.ble.connect(mtu);
  device.ble.session();
  return device.settle();
}

const statesOf = (device: ScriptedDevice) =>
  device.valuesOf(Event.BLE_STATE).map((state) => nameOf(BleState, state));

const command = (code: number, body: string | object = ""): Buffer => {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return Buffer.concat([Buffer.of(code), Buffer.from(text)]);
};

/** Sends a command; the code and the text of the answer. */
function ask(device: ScriptedDevice, ...args: Parameters<typeof command>): [string, string] {
  const before = device.ble.packets.length;
  device.ble.send(CONFIGURATION, command(...args));
  device.until(() => device.ble.packets.length > before);
  const { characteristic, plain } = device.ble.packets.at(-1)!;
  assert.equal(characteristic, CONFIGURATION);
  return [nameOf(BleCode, plain[1]!), plain.subarray(2).toString()];
}

describe("a device that is not configured", () => {
  it("advertises by its name, with its verifier", () => {
    const device = unboxed();
    assert.equal(device.ble.advertised?.name, DEVICE_NAME);
    assert.equal(device.ble.advertised?.size, 400);
    assert.deepEqual(statesOf(device), ["ADVERTISING"]);
  });

  it("without a verifier is silent", () => {
    const device = new ScriptedDevice({ document: null }).boot().settle();
    assert.equal(device.ble.advertised, null);
  });

  it("takes a document, says so, and is online after its restart and ever after", () => {
    for (const mtu of [23, 100, 517]) {
      const device = inSession(mtu);
      assert.deepEqual(ask(device, APPLY, thingDocument()), ["CONFIGURED", ""]);
      device.until(() => device.isRestarting);
      device.online();
      assert.equal(device.broker.connects.at(-1)?.endpoint, ENDPOINT);
      device.powerOff();
      device.online();
      assert.equal(device.ble.advertised, null);
    }
  });

  it("refuses a wrong document, names what is wrong, and stores nothing", () => {
    const device = inSession();
    const document = thingDocument();
    document.wifi["pasword"] = "secret";
    const [code, text] = ask(device, APPLY, document);
    assert.equal(code, "INVALID_JSON");
    assert.match(text, /wifi\.pasword: unknown field/);
    assert.deepEqual(ask(device, APPLY, '{"wifi":'), ["INVALID_JSON", "wifi: not valid JSON"]);
    assert.deepEqual(device.valuesOf(Event.FLASH_WRITTEN).length, 2);
    assert.deepEqual(ask(device, APPLY, thingDocument())[0], "CONFIGURED");
  });

  it("forgets everything on a wish", () => {
    const device = inSession();
    assert.deepEqual(ask(device, RESET), ["SUCCESS", ""]);
    device.until(() => device.isRestarting);
  });

  it("says what it does not understand", () => {
    const device = inSession();
    assert.equal(ask(device, 99)[0], "INVALID_REQUEST");
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

  it("is not heard, and sent away when it writes", () => {
    const device = unboxed();
    device.ble.connect();
    device.ble.send(CONFIGURATION, command(APPLY, thingDocument()));
    device.runFor(1000);
    assert.equal(device.ble.isConnected, false);
    assert.deepEqual(device.ble.packets, []);
    assert.equal(device.valuesOf(Event.CONFIGURATION_APPLIED).length, 1);
  });

  it("that guesses is locked out, longer and longer, and may try again then", () => {
    const device = unboxed();
    for (let guess = 0; guess < 3; guess++) {
      device.ble.connect();
      device.ble.session(Status.REFUSED);
      device.settle();
    }
    assert.equal(statesOf(device).at(-1), "LOCKED");
    device.runFor(20_000);
    device.ble.connect();
    device.settle();
    assert.equal(device.ble.isConnected, false, "it is not let in");
    device.runFor(31_000);
    assert.equal(statesOf(device).at(-1), "ADVERTISING");
    device.ble.connect();
    device.ble.session();
    device.settle();
    assert.equal(statesOf(device).at(-1), "AUTHENTICATED");
  });
});

describe("a packet that the radio spoiled", () => {
  const document = command(APPLY, thingDocument());

  /** The session is over, for this reason, and the device is as it was. */
  function expectEnded(device: ScriptedDevice, reason: RegExp): void {
    device.settle();
    assert.equal(device.ble.isConnected, false);
    assert.match(device.textsOf(Event.BLE_STATE).at(-2)!, reason);
    assert.equal(statesOf(device).at(-1), "ADVERTISING");
    assert.deepEqual(device.ble.packets, []);
    assert.equal(device.valuesOf(Event.CONFIGURATION_APPLIED).length, 1);
  }

  function sendAll(device: ScriptedDevice, frames: readonly Uint8Array[]): void {
    for (const frame of frames) device.ble.write(CONFIGURATION, frame);
  }

  it("with a frame that is missing ends the session, and the next one is good", () => {
    const device = inSession();
    sendAll(device, device.ble.framesOf(document).toSpliced(2, 1));
    expectEnded(device, /a frame is missing/);
    device.ble.connect();
    device.ble.session();
    device.settle();
    assert.equal(ask(device, APPLY, thingDocument())[0], "CONFIGURED");
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
});
