// A million times what a stranger, a broken phone or the air may do to a device that waits for a
// phone: frames damaged, lost, repeated, out of turn, and noise, with a session and without; and
// documents damaged by chance, in good packets. The core never traps, nobody without a session is
// answered, and what is in flash stays what it was.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Event, Mode, Status } from "../../host-node/src/abi.js";
import {
  APPLICATION,
  ask,
  CONFIGURATION,
  Command,
  command,
  openSession,
  verifier,
} from "./support/ble_setup.js";
import { claimDocument, ENDPOINT, SSID, thingDocument } from "./support/identities.js";
import { orders } from "./support/orders.js";
import { identityOf } from "./support/scripted_broker.js";
import { ScriptedDevice } from "./support/scripted_host.js";
import { seededRandom } from "./support/seeded_random.js";

const FRAMES = 900_000;
const DOCUMENTS = 100_000;
const MTUS = [23, 64, 185, 247, 517];

type Random = () => number;
const below = (random: Random, limit: number): number => Math.floor(random() * limit);
const pick = <T>(random: Random, from: readonly T[]): T => from[below(random, from.length)]!;
const noise = (random: Random, size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, () => below(random, 256)));

/** A device that works and waits for a phone, with its configuration in flash. */
function waiting(): ScriptedDevice {
  const device = new ScriptedDevice({ document: { ...verifier, ...thingDocument() } }).online();
  assert.equal(device.resultOf(orders.bleConfigure()), Status.OK);
  device.until(() => device.isRestarting);
  return device.boot().runFor(100);
}

const contentsOf = (device: ScriptedDevice): Buffer =>
  Buffer.from(device.flash.nor.read(0, device.flash.nor.size));

// ---- documents ---------------------------------------------------------------------------------

const PIECES = [
  ...[
    '"',
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\n",
    "-",
    "1e999",
    "null",
    "true",
  ],
  ...['{"wifi":{}}', '"thing":', '"privateKey":"@file"', "-----BEGIN CERTIFICATE-----", "\u00fc"],
  ...["0", "65536", "a".repeat(300), " ".repeat(40), "[[[[[[[[[[[[[[[[", "\u0000"],
];

/** A text with up to three things wrong with it. */
function damaged(text: string, random: Random): Buffer {
  let bytes = Buffer.from(text);
  for (let count = 1 + below(random, 3); count > 0 && bytes.length > 0; count--) {
    const at = below(random, bytes.length);
    const to = Math.min(bytes.length, at + below(random, 30));
    switch (below(random, 5)) {
      case 0:
        bytes[at]! ^= 1 << below(random, 8);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
        break;
      case 3:
        bytes = bytes.subarray(0, random() < 0.3 ? at : bytes.length);
        break;
      default:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(pick(random, PIECES)),
          bytes.subarray(random() < 0.5 ? at : to),
        ]);
    }
  }
  return bytes;
}

// ---- frames ------------------------------------------------------------------------------------

type Frames = Buffer[];

/** Each spoils frames so that the packet does not arrive, or arrives as it was. */
const SPOIL: readonly ((frames: Frames, random: Random) => Frames)[] = [
  function flipped(frames, random) {
    const frame = pick(random, frames);
    for (let count = 1 + below(random, 3); count > 0; count--) {
      frame[below(random, frame.length)]! ^= 1 << below(random, 8);
    }
    return frames;
  },
  function header(frames, random) {
    const frame = frames[0]!;
    if (frame.length >= 3)
      frame.writeUInt16LE(pick(random, [0, 1, 15, 16, 17, 0x7fff, 0x8000, 0xffff]), 1);
    return frames;
  },
  function cut(frames, random) {
    const index = below(random, frames.length);
    const frame = frames[index]!;
    frames[index] = frame.subarray(0, below(random, frame.length));
    return frames;
  },
  function longer(frames, random) {
    const index = below(random, frames.length);
    frames[index] = Buffer.concat([frames[index]!, noise(random, 1 + below(random, 20))]);
    return frames;
  },
  function lost(frames, random) {
    frames.splice(below(random, frames.length), 1);
    return frames;
  },
  function twice(frames, random) {
    const index = below(random, frames.length);
    frames.splice(index, 0, Buffer.from(frames[index]!));
    return frames;
  },
  function exchanged(frames, random) {
    const [a, b] = [below(random, frames.length), below(random, frames.length)];
    [frames[a], frames[b]] = [frames[b]!, frames[a]!];
    return frames;
  },
  function strange(frames, random) {
    frames.splice(below(random, frames.length + 1), 0, noise(random, below(random, 60)));
    return frames;
  },
];

/** Frames of a packet, some of them spoiled. */
function spoiled(device: ScriptedDevice, plain: Buffer, random: Random): Frames {
  let frames = device.ble.framesOf(plain);
  for (let count = 1 + below(random, 2); count > 0 && frames.length > 0; count--) {
    frames = pick(random, SPOIL)(frames, random);
  }
  return frames;
}

/** Sends frames as long as the device listens; how many. */
function send(device: ScriptedDevice, characteristic: number, frames: Frames): number {
  let sent = 0;
  for (const frame of frames) {
    if (!device.ble.isConnected) break;
    device.ble.write(characteristic, frame);
    device.runFor(0);
    sent++;
  }
  return sent;
}

/** A packet of a good session is answered: the device is not stuck. */
function expectAlive(device: ScriptedDevice): void {
  device.runFor(6000);
  if (device.ble.isConnected) device.ble.leave();
  device.runFor(100);
  openSession(device);
  device.ble.packets.length = 0;
  device.ble.send(CONFIGURATION, command(Command.STATUS));
  device.until(() => device.ble.packets.length === 1);
  assert.equal(device.ble.packets[0]!.plain[0], 0x80 | Command.STATUS);
  device.ble.leave();
  device.runFor(100);
  assert.equal(
    device.valuesOf(Event.MODE_CHANGED).at(-1) ?? Mode.CONFIGURATION,
    Mode.CONFIGURATION,
  );
  device.events.length = 0;
}

describe("a million damaged frames and documents", () => {
  it("frames of someone without a session have no effect and get no answer", () => {
    const random = seededRandom(71);
    const device = waiting();
    const before = contentsOf(device);
    const { performed } = device.flash;
    device.events.length = 0;
    const wishes = [
      command(Command.APPLY, { wifi: { ssid: "stranger", password: "stranger's" } }),
      command(Command.RESET),
      command(Command.LEAVE),
      command(Command.READ),
      Buffer.from("\x01\x04echohello", "latin1"),
    ];
    for (let sent = 0, round = 1; sent < FRAMES / 9; round++) {
      device.ble.connect(pick(random, MTUS));
      device.runFor(0);
      const plain = pick(random, wishes);
      const isGood = random() < 0.2;
      const frames = isGood ? device.ble.framesOf(plain) : spoiled(device, plain, random);
      sent += send(device, pick(random, [CONFIGURATION, APPLICATION]), frames);
      if (device.ble.isConnected) device.ble.leave();
      device.runFor(1);
      if (round % 1000 === 0) {
        assert.equal(device.ble.packets.length, 0, "an answer");
        assert.equal(device.flash.performed, performed, "the flash was written");
        assert.deepEqual(device.valuesOf(Event.SETUP), []);
        expectAlive(device);
        device.ble.packets.length = 0;
      }
    }
    assert.ok(contentsOf(device).equals(before), "the flash has changed");
  });

  it("damaged frames of a session change nothing in flash", () => {
    const random = seededRandom(72);
    const device = waiting();
    const before = contentsOf(device);
    const { performed } = device.flash;
    device.events.length = 0;
    const { thing, ...rest } = thingDocument();
    const wishes = [
      command(Command.APPLY, { ...rest, thing: { ...thing, more: 1 } }),
      command(Command.APPLY, { wifi: { ssid: "s".repeat(33) } }),
      command(Command.READ),
      command(Command.STATUS),
      command(9),
      Buffer.from("\x01\x04echohello", "latin1"),
      Buffer.from("\x02"),
    ];
    for (let sent = 0, round = 1; sent < (FRAMES * 8) / 9; round++) {
      if (!device.ble.isConnected) {
        device.ble.connect(pick(random, MTUS));
        device.ble.session();
        device.runFor(0);
      }
      sent += send(
        device,
        pick(random, [CONFIGURATION, APPLICATION, 3, 1]),
        spoiled(device, pick(random, wishes), random),
      );
      if (round % 1000 === 0) {
        assert.equal(device.flash.performed, performed, "the flash was written");
        expectAlive(device);
      }
    }
    assert.ok(contentsOf(device).equals(before), "the flash has changed");
  });

  it("damaged documents leave what is in force as it was", () => {
    const random = seededRandom(73);
    const device = waiting();
    device.wifiAnswer = () => Status.WRONG_PASSWORD;
    const originals = [
      { wifi: { ssid: SSID, password: "other words" } },
      { ...verifier, aws: { endpoint: "other.test", port: 443 } },
      { ota: { allowUnsigned: true }, thing: { name: "other" }, claim: {} },
      thingDocument(),
      claimDocument({ method: "csr", parameters: { a: "b", c: "d" } }),
    ].map((document) => JSON.stringify(document));
    const read = (): string => {
      openSession(device);
      const [code, text] = ask(device, Command.READ);
      assert.equal(code, "SUCCESS");
      return text;
    };
    const before = read();
    const codes = new Set<string>();
    for (let round = 1; round <= DOCUMENTS; round++) {
      if (!device.ble.hasSession) openSession(device, pick(random, MTUS));
      // Short ones more often: what is around a certificate is in them, too.
      const original = originals[below(random, below(random, 3) === 0 ? 5 : 3)]!;
      const [code] = ask(device, Command.APPLY, damaged(original, random));
      codes.add(code);
      if (code === "IN_PROGRESS")
        device.until(() => device.eventsOf(Event.SETUP_FAILED).length > 0);
      device.events.length = 0;
      if (round % 1000 > 0) continue;
      device.ble.leave();
      device.runFor(100);
      assert.equal(read(), before);
    }
    for (const code of ["IN_PROGRESS", "INVALID_JSON", "FAILED"]) {
      assert.ok(codes.has(code), `${code} was met`);
    }
    device.wifiAnswer = () => Status.OK;
    assert.equal(ask(device, Command.LEAVE)[0], "SUCCESS");
    device.until(() => !device.isOn);
    device.boot().until(() => device.broker.state === "up");
    assert.deepEqual(
      [device.joins.at(-1)!.ssid, device.broker.connects.at(-1)!.endpoint],
      [SSID, ENDPOINT],
    );
    assert.equal(identityOf(device.broker.connects.at(-1)!), "thing");
  });
});
