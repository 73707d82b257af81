// Bodies of answers, and what characteristic 3 says, as values: docs/BLE.md, "Commands". What cannot
// be read is a CentralError, "protocol". Runs in browsers.

import type { BleCode, SetupStep, Status } from "../abi.js";
import { protocolError } from "./central_error.js";

const CHANGE_BYTES = 4;
const NETWORK_HEAD_BYTES = 3;

/** What characteristic 3 says. */
export interface Change {
  /** Counts up, from 255 to 0, when asking is worth while. */
  readonly changes: number;
  /** SUCCESS, or ACCESS_DENIED while the device is locked. */
  readonly code: number;
  /** How long it stays locked. */
  readonly seconds: number;
}

export interface FoundNetwork {
  readonly ssid: string;
  readonly rssi_dbm: number;
  readonly isOpen: boolean;
}

/** How a document fares. */
export interface SetupStatus {
  readonly code: BleCode;
  readonly step: SetupStep;
  readonly status: Status;
  readonly text: string;
}

export interface ApplicationPacket {
  readonly name: string;
  readonly data: Uint8Array;
}

export const toText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Null for bytes that are none; nothing was notified yet, say. */
export function decodeChange(value: Uint8Array): Change | null {
  if (value.length !== CHANGE_BYTES) return null;
  const [changes, code, low, high] = value as unknown as [number, number, number, number];
  return { changes, code, seconds: low | (high << 8) };
}

export function decodeNetworks(body: Uint8Array): FoundNetwork[] {
  const networks: FoundNetwork[] = [];
  for (let at = 0; at < body.length; ) {
    const nameAt = at + NETWORK_HEAD_BYTES;
    const end = nameAt + (body[at + 2] ?? 0);
    if (nameAt > body.length || end > body.length) throw protocolError("a list that ends too soon");
    const rssi_dbm = (body[at]! << 24) >> 24;
    networks.push({
      ssid: toText(body.subarray(nameAt, end)),
      rssi_dbm,
      isOpen: body[at + 1] === 1,
    });
    at = end;
  }
  return networks;
}

export function decodeStatus(code: BleCode, body: Uint8Array): SetupStatus {
  if (body.length < 2) throw protocolError("a status without a step");
  const step = body[0] as SetupStep;
  const status = ((body[1]! << 24) >> 24) as Status;
  return { code, step, status, text: toText(body.subarray(2)) };
}

export function decodeDocument(body: Uint8Array): unknown {
  try {
    return JSON.parse(toText(body));
  } catch {
    throw protocolError("a configuration that is not JSON");
  }
}

export function decodePacket(body: Uint8Array): ApplicationPacket | null {
  const end = 1 + (body[0] ?? 0);
  if (end > body.length) throw protocolError("a packet without its name");
  if (end === 1) return null;
  return { name: toText(body.subarray(1, end)), data: body.slice(end) };
}
