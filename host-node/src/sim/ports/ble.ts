// Port ble of a simulated device, and the one central that is in reach of it. What it seals is only
// veiled, not encrypted, and the handshake is its outcome alone: protocomm security 2 is not what a
// simulation tries. Frames are those of docs/BLE.md.

import {
  BLE_PACKET_BYTES_MAX,
  BLE_SEAL_BYTES,
  type BlePort,
  EventKind,
  Status,
} from "../../abi.js";
import { FrameReader, frameBytes, framesOf } from "../../ble/frames.js";
import type { SimHost } from "./sim_host.js";

const SEAL = Buffer.from("0123456789abcdef");
/** Characteristic whose notifications say that something has changed, without a packet. */
const CHANGES = 3;

const veiled = (bytes: Uint8Array): Buffer =>
  Buffer.from(Uint8Array.from(bytes, (byte, at) => byte ^ (7 + 31 * at)));
const sealed = (plain: Uint8Array): Buffer => Buffer.concat([veiled(plain), SEAL]);

export class SimBle implements BlePort {
  isAdvertising = false;
  isConnected = false;
  /** Who is connected is the central that has the right proof of possession. */
  isOwner = false;
  /** The last packet that the device has sent, opened. */
  answer: Uint8Array | null = null;
  private isLocked = false;
  private hasSession = false;
  private mtu = 23;
  private packet: Uint8Array = new Uint8Array();
  private plain: Uint8Array = new Uint8Array();
  /** Frames of the packet that the device is sending. */
  private frames: readonly Uint8Array[] = [];

  constructor(private readonly host: SimHost) {}

  start(): number {
    if (this.isAdvertising) return Status.BUSY;
    this.isAdvertising = true;
    this.isLocked = false;
    return Status.OK;
  }

  lock(isLocked: number): number {
    if (!this.isAdvertising) return Status.NOT_READY;
    this.isLocked = isLocked === 1;
    return Status.OK;
  }

  stop(): number {
    if (!this.isAdvertising) return Status.NOT_READY;
    this.powerOff();
    this.host.post(EventKind.BLE_STOPPED, Status.OK);
    return Status.OK;
  }

  disconnect(): number {
    if (!this.isConnected) return Status.NOT_READY;
    this.gone(Status.CLOSED);
    return Status.OK;
  }

  append(part: Uint8Array, isFirst: number): number {
    this.packet = Buffer.concat([isFirst === 1 ? new Uint8Array() : this.packet, part]);
    return this.packet.length > BLE_PACKET_BYTES_MAX ? Status.TOO_LARGE : Status.OK;
  }

  open(): number {
    if (!this.hasSession) return Status.NOT_READY;
    const end = this.packet.length - BLE_SEAL_BYTES;
    if (end < 0 || !SEAL.equals(this.packet.subarray(end))) return Status.REFUSED;
    this.plain = veiled(this.packet.subarray(0, end));
    return this.plain.length;
  }

  read(offset: number, bytes: Uint8Array): number {
    const part = this.plain.subarray(offset, offset + bytes.length);
    bytes.set(part);
    return part.length;
  }

  seal(plain: Uint8Array, into: Uint8Array): number {
    if (!this.hasSession) return Status.NOT_READY;
    into.set(sealed(plain));
    return plain.length + BLE_SEAL_BYTES;
  }

  notify(characteristic: number, frame: Uint8Array): number {
    if (!this.isConnected) return Status.NOT_READY;
    if (frame.length > frameBytes(this.mtu)) return Status.INVALID_ARGUMENT;
    if (characteristic !== CHANGES) this.collect(frame.slice());
    this.host.post(EventKind.BLE_SENT, Status.OK);
    return Status.OK;
  }

  /** A frame out of turn begins nothing: the central waits for the next first one. */
  private collect(frame: Uint8Array): void {
    this.frames = [...(frame[0] === 0x80 ? [] : this.frames), frame];
    try {
      const reader = new FrameReader();
      let packet: Uint8Array | null = null;
      for (const each of this.frames) packet = reader.take(each);
      if (packet === null) return;
      this.answer = veiled(packet.subarray(0, packet.length - BLE_SEAL_BYTES));
    } catch {
      this.answer = null;
    }
    this.frames = [];
  }

  // ---- the central -----------------------------------------------------------------------------

  /** False when nothing advertises, or somebody is there. */
  connect(mtu: number): boolean {
    if (!this.isAdvertising || this.isConnected) return false;
    this.isConnected = true;
    this.mtu = mtu;
    this.answer = null;
    this.host.post(EventKind.BLE_CONNECTED, mtu);
    return true;
  }

  /** A handshake with the right proof of possession, or with a wrong one. */
  handshake(isRight: boolean): void {
    if (!this.isConnected || this.isLocked) return;
    this.hasSession = isRight;
    this.isOwner = isRight;
    this.host.post(EventKind.BLE_SESSION, isRight ? Status.OK : Status.REFUSED);
  }

  write(characteristic: number, frame: Uint8Array): void {
    if (this.isConnected) this.host.post(EventKind.BLE_WRITE, characteristic, 0, frame);
  }

  /** A whole packet, sealed, frame by frame. */
  send(characteristic: number, plain: Uint8Array): void {
    for (const frame of framesOf(sealed(plain), this.mtu)) this.write(characteristic, frame);
  }

  leave(): void {
    if (this.isConnected) this.gone(Status.CONNECTION_LOST);
  }

  private gone(status: Status): void {
    this.forget();
    this.host.post(EventKind.BLE_DISCONNECTED, status);
  }

  powerOff(): void {
    this.isAdvertising = false;
    this.isLocked = false;
    this.forget();
  }

  private forget(): void {
    this.isConnected = false;
    this.isOwner = false;
    this.hasSession = false;
    this.packet = new Uint8Array();
    this.plain = new Uint8Array();
    this.frames = [];
  }

  copy(host: SimHost): SimBle {
    const copy = new SimBle(host);
    copy.isAdvertising = this.isAdvertising;
    copy.isConnected = this.isConnected;
    copy.isOwner = this.isOwner;
    copy.answer = this.answer;
    copy.isLocked = this.isLocked;
    copy.hasSession = this.hasSession;
    copy.mtu = this.mtu;
    copy.packet = this.packet;
    copy.plain = this.plain;
    copy.frames = this.frames;
    return copy;
  }
}
