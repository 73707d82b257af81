// Port ble of the scripted device: a central that a test plays. Encryption is a mark of 16 bytes
// behind the plain text, so that a test can forge and spoil it; frames are made and read by a
// second implementation of docs/BLE.md.

import assert from "node:assert/strict";
import {
  BLE_PACKET_BYTES_MAX,
  type BlePort,
  EventKind,
  Status,
} from "../../../host-node/src/abi.js";
import { crc32 } from "../../../host-node/src/crc32.js";
import type { Agenda } from "./agenda.js";

const SEAL = Buffer.from("0123456789abcdef");
const FIRST = 0x80;

/** Encrypts and decrypts: no plain text stands in what passes, or in a trace of it. */
const veiled = (bytes: Uint8Array): Buffer =>
  Buffer.from(Uint8Array.from(bytes, (byte, at) => byte ^ (7 + 31 * at)));
const ATT_BYTES = 3;
const FRAME_BYTES_MAX = 512;
const CHANGES = 3;

export class ScriptedBle implements BlePort {
  /** Name and verifier that it advertises with; null: the radio is off. */
  advertised: { readonly name: string; readonly offset: number; readonly size: number } | null =
    null;
  isConnected = false;
  hasSession = false;
  /** Handshakes are refused unseen. */
  isLocked = false;
  mtu = 23;
  /** Whole packets that the device has sent, opened: characteristic and plain text. */
  readonly packets: { readonly characteristic: number; readonly plain: Buffer }[] = [];
  disconnects = 0;
  /** What a read of each characteristic gives. */
  readonly values = new Map<number, Buffer>();
  startAnswer: number = Status.OK;
  private packet = Buffer.alloc(0);
  private plain: Buffer = Buffer.alloc(0);
  private incoming: Buffer | null = null;
  private expected = 0;

  constructor(private readonly agenda: Agenda) {}

  // ---- what the core calls ---------------------------------------------------------------------

  start(name: Uint8Array, offset: number, size: number): number {
    if (this.advertised !== null) return Status.BUSY;
    if (this.startAnswer < 0) return this.startAnswer;
    this.advertised = { name: Buffer.from(name).toString(), offset, size };
    this.isLocked = false;
    return Status.OK;
  }

  lock(isLocked: number): number {
    if (this.advertised === null) return Status.NOT_READY;
    this.isLocked = isLocked === 1;
    return Status.OK;
  }

  stop(): number {
    if (this.advertised === null) return Status.NOT_READY;
    this.advertised = null;
    this.gone();
    this.agenda.post(EventKind.BLE_STOPPED, Status.OK);
    return Status.OK;
  }

  disconnect(): number {
    if (!this.isConnected) return Status.NOT_READY;
    this.disconnects++;
    this.gone();
    this.agenda.post(EventKind.BLE_DISCONNECTED, Status.CLOSED);
    return Status.OK;
  }

  append(part: Uint8Array, isFirst: number): number {
    const before = isFirst === 1 ? Buffer.alloc(0) : this.packet;
    this.packet = Buffer.concat([before, part]);
    return this.packet.length > BLE_PACKET_BYTES_MAX ? Status.TOO_LARGE : Status.OK;
  }

  open(): number {
    const end = this.packet.length - SEAL.length;
    if (!this.hasSession) return Status.NOT_READY;
    if (end < 0 || !this.packet.subarray(end).equals(SEAL)) return Status.REFUSED;
    this.plain = veiled(this.packet.subarray(0, end));
    return this.plain.length;
  }

  read(offset: number, bytes: Uint8Array): number {
    const part = this.plain.subarray(offset, offset + bytes.length);
    bytes.set(part);
    return part.length;
  }

  seal(plain: Uint8Array, sealed: Uint8Array): number {
    if (!this.hasSession) return Status.NOT_READY;
    assert.ok(sealed.length >= plain.length + SEAL.length);
    sealed.set(Buffer.concat([veiled(plain), SEAL]));
    return plain.length + SEAL.length;
  }

  notify(characteristic: number, frame: Uint8Array): number {
    if (!this.isConnected) return Status.NOT_READY;
    const longest = Math.min(this.mtu - ATT_BYTES, FRAME_BYTES_MAX);
    assert.ok(frame.length <= longest, "a frame that is larger than the MTU allows");
    this.values.set(characteristic, Buffer.from(frame));
    if (characteristic !== CHANGES) this.receive(characteristic, Buffer.from(frame));
    this.agenda.after(1, () => this.agenda.post(EventKind.BLE_SENT, Status.OK));
    return Status.OK;
  }

  // ---- the central -----------------------------------------------------------------------------

  connect(mtu = 247): void {
    assert.ok(this.advertised !== null, "nothing advertises");
    this.isConnected = true;
    this.mtu = mtu;
    this.agenda.post(EventKind.BLE_CONNECTED, mtu);
  }

  /** A handshake ends so. */
  session(status: number = Status.OK): void {
    this.hasSession = status === Status.OK;
    this.agenda.post(EventKind.BLE_SESSION, status);
  }

  leave(): void {
    this.gone();
    this.agenda.post(EventKind.BLE_DISCONNECTED, Status.CONNECTION_LOST);
  }

  write(characteristic: number, frame: Uint8Array): void {
    this.agenda.post(EventKind.BLE_WRITE, characteristic, 0, frame);
  }

  /** Frames of a packet, sealed. */
  framesOf(plain: Uint8Array, seal: Uint8Array = SEAL): Buffer[] {
    const packet = Buffer.concat([veiled(plain), seal]);
    const room = Math.min(this.mtu - ATT_BYTES, FRAME_BYTES_MAX);
    const head = Buffer.alloc(7);
    head[0] = FIRST;
    head.writeUInt16LE(packet.length, 1);
    head.writeUInt32LE(crc32(packet), 3);
    const frames = [Buffer.concat([head, packet.subarray(0, room - 7)])];
    for (let at = room - 7, number = 1; at < packet.length; at += room - 1, number++) {
      const header = Buffer.of(number & 0x7f);
      frames.push(Buffer.concat([header, packet.subarray(at, at + room - 1)]));
    }
    return frames;
  }

  send(characteristic: number, plain: Uint8Array): void {
    for (const frame of this.framesOf(plain)) this.write(characteristic, frame);
  }

  /** The power goes, or the device restarts. */
  powerOff(): void {
    this.advertised = null;
    this.gone();
  }

  private gone(): void {
    this.isConnected = false;
    this.hasSession = false;
    this.incoming = null;
    this.packet = Buffer.alloc(0);
    this.plain = Buffer.alloc(0);
  }

  private receive(characteristic: number, frame: Buffer): void {
    if (frame[0] === FIRST) {
      this.expected = frame.readUInt32LE(3);
      this.incoming = Buffer.from(frame.subarray(7));
      this.size = frame.readUInt16LE(1);
      this.next = 1;
    } else {
      assert.ok(this.incoming !== null && frame[0] === this.next, "a frame out of turn");
      this.next = (this.next + 1) & 0x7f;
      this.incoming = Buffer.concat([this.incoming, frame.subarray(1)]);
    }
    if (this.incoming!.length < this.size) return;
    assert.equal(this.incoming!.length, this.size);
    assert.equal(crc32(this.incoming!), this.expected);
    const plain = veiled(this.incoming!.subarray(0, this.size - SEAL.length));
    this.packets.push({ characteristic, plain });
    this.incoming = null;
  }

  private size = 0;
  private next = 0;
}
