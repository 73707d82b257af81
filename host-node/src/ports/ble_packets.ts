// Packets of the port ble: one that comes in, part by part, and its plain text. Both are the last
// ones only, and overwritten when they are forgotten.

import { BLE_PACKET_BYTES_MAX, BLE_SEAL_BYTES, Status } from "../abi.js";
import { Security2Error } from "../ble/security2/errors.js";
import type { Security2Server } from "../ble/security2/server.js";

const NOTHING = new Uint8Array();

function refusing(act: () => number): number {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Security2Error)) throw error;
    return Status.REFUSED;
  }
}

export class BlePackets {
  /** Encrypted; null: none was begun, or it was opened. */
  private parts: Uint8Array[] | null = null;
  private partBytes = 0;
  private isTooLarge = false;
  private plain: Uint8Array = NOTHING;

  append(session: Security2Server | null, part: Uint8Array, isFirst: boolean): number {
    this.forgetPlain();
    if (isFirst) this.begin();
    if (session === null || this.parts === null) return Status.NOT_READY;
    this.isTooLarge ||= this.partBytes + part.length > BLE_PACKET_BYTES_MAX;
    if (this.isTooLarge) return Status.TOO_LARGE;
    this.parts.push(Uint8Array.from(part));
    this.partBytes += part.length;
    return Status.OK;
  }

  /** A packet without plain text is refused like a forged one: ESP-IDF cannot open it either. */
  open(session: Security2Server | null): number {
    const { parts, isTooLarge } = this;
    this.parts = null;
    if (session === null || parts === null || isTooLarge) return Status.NOT_READY;
    return refusing(() => {
      this.plain = session.open(Buffer.concat(parts));
      return this.plain.length;
    });
  }

  read(offset: number, bytes: Uint8Array): number {
    const part = this.plain.subarray(offset, offset + bytes.length);
    bytes.set(part);
    return part.length;
  }

  seal(session: Security2Server | null, plain: Uint8Array, sealed: Uint8Array): number {
    const bytes = plain.length + BLE_SEAL_BYTES;
    if (bytes > BLE_PACKET_BYTES_MAX || sealed.length < bytes) return Status.INVALID_ARGUMENT;
    if (session === null) return Status.NOT_READY;
    return refusing(() => {
      sealed.set(session.seal(Uint8Array.from(plain)));
      return bytes;
    });
  }

  forget(): void {
    this.parts = null;
    this.forgetPlain();
  }

  private begin(): void {
    this.parts = [];
    this.partBytes = 0;
    this.isTooLarge = false;
  }

  private forgetPlain(): void {
    this.plain.fill(0);
    this.plain = NOTHING;
  }
}
