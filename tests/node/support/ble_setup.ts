// What the tests of configuration over BLE share: devices as they come out of their box, and a
// central that asks one thing after the other.

import assert from "node:assert/strict";
import {
  BleCode,
  BleState,
  Dataset,
  Event,
  EventKind,
  nameOf,
  SetupStep,
} from "../../../host-node/src/abi.js";
import type { NorFlash } from "../../../host-node/src/ports/nor.js";
import type { DocumentContent } from "./identities.js";
import { ScriptedDevice } from "./scripted_host.js";

export const CONFIGURATION = 2;
export const CHANGES = 3;
export const APPLICATION = 4;
export const VERIFIER_BYTES = Buffer.alloc(400, 7);
export const verifier = { ble: { verifier: VERIFIER_BYTES.toString("base64") } };

export const Command = { APPLY: 1, READ: 2, SCAN: 3, RESET: 4, STATUS: 5, LEAVE: 6 } as const;

/** A device that knows how sessions are checked, and this. */
export function unboxed(more: DocumentContent = {}, flash?: NorFlash): ScriptedDevice {
  const options = flash === undefined ? {} : { flash };
  return new ScriptedDevice({ document: { ...verifier, ...more }, ...options }).boot().runFor(1000);
}

export function openSession(device: ScriptedDevice, mtu = 247): ScriptedDevice {
  device.ble.connect(mtu);
  device.ble.session();
  return device.settle();
}

export const inSession = (mtu = 247): ScriptedDevice => openSession(unboxed(), mtu);

export const statesOf = (device: ScriptedDevice): string[] =>
  device.valuesOf(Event.BLE_STATE).map((state) => nameOf(BleState, state));

export const stepsOf = (device: ScriptedDevice): string[] =>
  device.valuesOf(Event.SETUP).map((step) => nameOf(SetupStep, step));

export function command(code: number, body: string | object | Uint8Array = ""): Buffer {
  const isBytes = body instanceof Uint8Array || typeof body === "string";
  return Buffer.concat([
    Buffer.of(code),
    Buffer.from(isBytes ? (body as string) : JSON.stringify(body)),
  ]);
}

export interface Answer {
  readonly code: string;
  readonly body: Buffer;
}

/** Sends a packet and waits for its answer. */
export function exchange(
  device: ScriptedDevice,
  characteristic: number,
  plain: Uint8Array,
): Answer {
  const before = device.ble.packets.length;
  device.ble.send(characteristic, plain);
  device.until(() => device.ble.packets.length > before);
  const answer = device.ble.packets.at(-1)!;
  assert.equal(answer.characteristic, characteristic);
  assert.equal(answer.plain[0], plain[0]! | 0x80);
  return { code: nameOf(BleCode, answer.plain[1]!), body: answer.plain.subarray(2) };
}

/** Sends a command; the code and the text of the answer. */
export function ask(device: ScriptedDevice, ...args: Parameters<typeof command>): [string, string] {
  const { code, body } = exchange(device, CONFIGURATION, command(...args));
  return [code, body.toString()];
}

export interface Told {
  readonly code: string;
  readonly step: string;
  readonly status: number;
  readonly text: string;
}

export function statusOf(device: ScriptedDevice): Told {
  const { code, body } = exchange(device, CONFIGURATION, command(Command.STATUS));
  const [step, status] = [nameOf(SetupStep, body[0]!), body.readInt8(1)];
  return { code, step, status, text: body.subarray(2).toString() };
}

/** Lives on through restarts, until it holds. */
export function liveUntil(device: ScriptedDevice, holds: () => boolean, withinMs = 900_000): void {
  const limitMs = device.nowMs + withinMs;
  while (!holds()) {
    if (!device.isOn) device.boot();
    assert.ok(device.step(limitMs), `it does not happen within ${withinMs} ms:\n${device.story()}`);
  }
}

/** Until the device waits for a central in another life. */
export function untilItAdvertisesAgain(device: ScriptedDevice): void {
  device.until(() => device.ble.advertised === null, 900_000);
  liveUntil(device, () => device.ble.advertised !== null);
  device.settle();
}

/** Gives it a document, which is good, and comes back when it is known how it went. */
export function applyAndReturn(device: ScriptedDevice, document: object): Told {
  assert.deepEqual(ask(device, Command.APPLY, document), ["IN_PROGRESS", ""]);
  untilItAdvertisesAgain(device);
  openSession(device);
  return statusOf(device);
}

export const isWritten = (device: ScriptedDevice, dataset: Dataset): boolean =>
  device.valuesOf(Event.FLASH_WRITTEN).includes(dataset);

export { BleCode, Dataset, Event, EventKind };
