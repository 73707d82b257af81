// Port ble: radio, handshake and encryption of docs/BLE.md, on whatever peripheral the device is given;
// without one the device has no radio. The session is Espressif's protocomm security 2
// (ble/security2), on characteristic 1; the frames on the others are the core's. A packet is put
// together, opened and read here, so that a configuration document needs no memory in the core.

import { BLE_PACKET_BYTES_MAX, type BlePort as Contract, EventKind, Status } from "../abi.js";
import type { Characteristic, Peripheral, PeripheralListener } from "../ble/peripheral.js";
import { Security2Error } from "../ble/security2/errors.js";
import { Security2Server } from "../ble/security2/server.js";
import type { PortHost } from "./port_host.js";

const SESSION: Characteristic = 1;
const SALT_BYTES = 16;
const NOTHING = new Uint8Array();

export interface BleOptions {
  readonly peripheral: Peripheral | null;
  readonly readFlash: (offset: number, bytes: Uint8Array) => number;
}

const isFramed = (characteristic: number): characteristic is Characteristic =>
  characteristic >= 2 && characteristic <= 4;

export class BlePort implements Contract {
  private session: Security2Server | null = null;
  private isAdvertising = false;
  private isConnected = false;
  /** Parts of the packet that is put together, and what it came to. */
  private parts: Uint8Array[] = [];
  private partBytes = 0;
  private plain: Uint8Array = NOTHING;

  constructor(
    private readonly host: PortHost,
    private readonly options: BleOptions,
  ) {}

  start(name: Uint8Array, verifierOffset: number, verifierSize: number): number {
    const { peripheral, readFlash } = this.options;
    if (peripheral === null) return Status.UNSUPPORTED;
    if (this.isAdvertising) return Status.BUSY;
    const bytes = new Uint8Array(verifierSize);
    const status = readFlash(verifierOffset, bytes);
    if (status < 0) return status;
    try {
      this.session = new Security2Server(bytes.subarray(0, SALT_BYTES), bytes.subarray(SALT_BYTES));
    } catch (error) {
      if (!(error instanceof Security2Error)) throw error;
      return Status.INVALID_ARGUMENT;
    }
    this.isAdvertising = true;
    peripheral.advertise(Buffer.from(name).toString(), this.listener);
    return Status.OK;
  }

  stop(): number {
    if (!this.isAdvertising) return Status.NOT_READY;
    this.close();
    this.host.post(EventKind.BLE_STOPPED, Status.OK);
    return Status.OK;
  }

  disconnect(): number {
    if (!this.isConnected) return Status.NOT_READY;
    this.forget();
    this.options.peripheral?.disconnect();
    this.host.post(EventKind.BLE_DISCONNECTED, Status.CLOSED);
    return Status.OK;
  }

  append(part: Uint8Array, isFirst: number): number {
    if (isFirst === 1) this.forgetPacket();
    if (this.partBytes + part.length > BLE_PACKET_BYTES_MAX) return Status.TOO_LARGE;
    this.parts.push(part.slice());
    this.partBytes += part.length;
    return Status.OK;
  }

  open(): number {
    if (this.session?.isAuthenticated !== true) return Status.NOT_READY;
    const sealed = Buffer.concat(this.parts);
    this.forgetPacket();
    return this.refusing(() => {
      this.plain = this.session!.open(sealed);
      return this.plain.length;
    });
  }

  read(offset: number, bytes: Uint8Array): number {
    const part = this.plain.subarray(offset, offset + bytes.length);
    bytes.set(part);
    return part.length;
  }

  seal(plain: Uint8Array, sealed: Uint8Array): number {
    if (this.session?.isAuthenticated !== true) return Status.NOT_READY;
    return this.refusing(() => {
      const packet = this.session!.seal(plain.slice());
      if (packet.length > sealed.length) return Status.INVALID_ARGUMENT;
      sealed.set(packet);
      return packet.length;
    });
  }

  notify(characteristic: number, frame: Uint8Array): number {
    if (!isFramed(characteristic)) return Status.INVALID_ARGUMENT;
    if (!this.isConnected) return Status.NOT_READY;
    this.options.peripheral?.notify(characteristic, frame.slice());
    this.host.post(EventKind.BLE_SENT, Status.OK);
    return Status.OK;
  }

  private refusing(act: () => number): number {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof Security2Error)) throw error;
      return Status.REFUSED;
    }
  }

  private readonly listener: PeripheralListener = {
    onConnect: (mtu) => {
      this.isConnected = true;
      this.host.post(EventKind.BLE_CONNECTED, mtu);
    },
    onMtu: (mtu) => this.host.post(EventKind.BLE_MTU, mtu),
    onWrite: (characteristic, value) => {
      if (characteristic === SESSION) this.shake(value);
      else this.host.post(EventKind.BLE_WRITE, characteristic, 0, value);
    },
    onDisconnect: () => {
      this.forget();
      this.host.post(EventKind.BLE_DISCONNECTED, Status.CONNECTION_LOST);
    },
  };

  /** One request of the handshake; its answer is what a read gives next. */
  private shake(request: Uint8Array): void {
    const { answer, outcome, refusal } = this.session!.handle(request);
    this.options.peripheral?.setValue(SESSION, answer);
    if (outcome === "authenticated") this.host.post(EventKind.BLE_SESSION, Status.OK);
    if (outcome !== "refused") return;
    const status = refusal?.reason === "proof" ? Status.REFUSED : Status.MALFORMED;
    this.host.post(EventKind.BLE_SESSION, status);
  }

  private forgetPacket(): void {
    this.parts = [];
    this.partBytes = 0;
    this.plain = NOTHING;
  }

  /** The central is gone, and its session with it. */
  private forget(): void {
    this.isConnected = false;
    this.session?.close();
    this.forgetPacket();
  }

  /** Power off: nothing is reported. */
  close(): void {
    this.forget();
    if (this.isAdvertising) this.options.peripheral?.stop();
    this.isAdvertising = false;
    this.session = null;
  }
}
