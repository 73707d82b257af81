// Port ble: radio, handshake and encryption of docs/BLE.md, on the peripheral that the device is
// given. The session is Espressif's protocomm security 2 (ble/security2), on characteristic 1; the
// frames on the others are the core's. A packet is put together, opened and read here
// (ports/ble_packets.ts), so that a configuration document needs no memory in the core. What is
// sent, and ends, goes in turn and takes a moment, as on the chip; its limits are the chip's, too.

import { BLE_FRAME_BYTES_MAX, type BlePort as Contract, EventKind, Status } from "../abi.js";
import type { Characteristic, Peripheral, PeripheralListener } from "../ble/peripheral.js";
import { Security2Error } from "../ble/security2/errors.js";
import { Security2Server } from "../ble/security2/server.js";
import type { TimerHandle } from "../clock.js";
import { BlePackets } from "./ble_packets.js";
import { OperationQueue } from "./operation_queue.js";
import type { PortHost } from "./port_host.js";
import type { ReadFlash } from "./records_pem.js";

const SESSION: Characteristic = 1;
const SALT_BYTES = 16;
const VERIFIER_BYTES = 384;
const ATT_HEAD_BYTES = 3;
/** Notifications that wait at once. */
const NOTIFICATIONS_MAX = 4;
const NOTHING = new Uint8Array();

export interface BleOptions {
  readonly peripheral: Peripheral;
  readonly readFlash: ReadFlash;
}

const unsupported = (): number => Status.UNSUPPORTED;

/** Of a device that has no radio. */
export const NO_BLE: Contract & { close(): void } = {
  start: unsupported,
  lock: unsupported,
  stop: unsupported,
  disconnect: unsupported,
  append: unsupported,
  open: unsupported,
  read: () => 0,
  seal: unsupported,
  notify: unsupported,
  close: () => {},
};

interface Notification {
  readonly connection: number;
  readonly characteristic: Characteristic;
  readonly frame: Uint8Array;
}

const isNotified = (characteristic: number): characteristic is Characteristic =>
  characteristic >= 2 && characteristic <= 4;

export class BlePort implements Contract {
  private state: "off" | "on" | "stopping" = "off";
  private isLocked = false;
  private session: Security2Server | null = null;
  /** A handshake failed, and the core has not seen it yet: it may want to disconnect. */
  private isJudging = false;
  private isConnected = false;
  private isClosing = false;
  /** Counts connections. */
  private connection = 0;
  private mtu = 0;
  private ending: TimerHandle = null;
  private readonly packets = new BlePackets();
  private readonly notifications: OperationQueue<Notification>;

  constructor(
    private readonly host: PortHost,
    private readonly options: BleOptions,
  ) {
    this.notifications = new OperationQueue(host, {}, (notification) => this.tell(notification));
  }

  // ---- radio -----------------------------------------------------------------------------------

  start(name: Uint8Array, verifierOffset: number, verifierSize: number): number {
    if (name.length === 0 || name.includes(0)) return Status.INVALID_ARGUMENT;
    if (this.state !== "off") return Status.BUSY;
    if (verifierSize !== SALT_BYTES + VERIFIER_BYTES) return Status.INVALID_ARGUMENT;
    const bytes = new Uint8Array(verifierSize);
    const status = this.options.readFlash(verifierOffset, bytes);
    if (status < 0) return status;
    try {
      this.session = new Security2Server(bytes.subarray(0, SALT_BYTES), bytes.subarray(SALT_BYTES));
    } catch (error) {
      if (!(error instanceof Security2Error)) throw error;
      return Status.INVALID_ARGUMENT;
    }
    this.state = "on";
    this.isLocked = false;
    this.isJudging = false;
    this.options.peripheral.advertise(Buffer.from(name).toString(), this.listener);
    return Status.OK;
  }

  lock(isLocked: number): number {
    if (isLocked > 1) return Status.INVALID_ARGUMENT;
    if (this.state !== "on") return Status.NOT_READY;
    this.isLocked = isLocked === 1;
    return Status.OK;
  }

  stop(): number {
    if (this.state !== "on") return Status.NOT_READY;
    this.state = "stopping";
    this.ending = this.host.clock.setTimer(0, () => {
      this.isClosing = true;
      this.endConnection();
      this.shutDown();
      this.host.post(EventKind.BLE_STOPPED, Status.OK);
    });
    return Status.OK;
  }

  /** Behind the notifications that wait: whoever is sent away has heard why. */
  disconnect(): number {
    if (!this.isConnected || this.state !== "on") return Status.NOT_READY;
    if (this.isClosing) return Status.OK;
    this.isClosing = true;
    this.sendAway();
    return Status.OK;
  }

  private sendAway(): void {
    const { connection } = this;
    this.ending = this.host.clock.setTimer(0, () => {
      if (!this.isConnected || this.connection !== connection) return;
      if (this.notifications.pending.length > 0) this.sendAway();
      else this.options.peripheral.disconnect();
    });
  }

  private readonly listener: PeripheralListener = {
    onConnect: (mtu) => {
      this.isConnected = true;
      this.isClosing = false;
      this.connection++;
      this.mtu = mtu;
      this.host.post(EventKind.BLE_CONNECTED, mtu);
    },
    onMtu: (mtu) => {
      if (mtu === this.mtu) return;
      this.mtu = mtu;
      this.host.post(EventKind.BLE_MTU, mtu);
    },
    onWrite: (characteristic, value) => {
      if (this.state !== "on" || value.length > BLE_FRAME_BYTES_MAX) return false;
      if (characteristic === SESSION) return !this.isLocked && this.shake(value);
      this.host.post(EventKind.BLE_WRITE, characteristic, 0, value);
      return true;
    },
    onDisconnect: () => this.endConnection(),
  };

  /** Tells the core, once. It may be reading a packet meanwhile: that stays until it has heard. */
  private endConnection(): void {
    if (!this.isConnected) return;
    this.isConnected = false;
    this.session?.close();
    const status = this.isClosing ? Status.CLOSED : Status.CONNECTION_LOST;
    this.host.post(EventKind.BLE_DISCONNECTED, status, 0, NOTHING, () => this.packets.forget());
  }

  private shutDown(): void {
    this.state = "off";
    this.options.peripheral.stop();
    this.session = null;
    this.packets.forget();
  }

  // ---- session ---------------------------------------------------------------------------------

  /** One request of the handshake; its answer is what a read gives next. False: it is refused. */
  private shake(request: Uint8Array): boolean {
    if (this.session === null || this.isJudging) return false;
    const { answer, outcome, refusal } = this.session.handle(request);
    this.options.peripheral.setValue(SESSION, answer);
    if (outcome === "authenticated") this.host.post(EventKind.BLE_SESSION, Status.OK);
    if (outcome === "refused") this.judge(refusal);
    return outcome !== "refused";
  }

  /**
   * A central that has failed begins anew, which is slow work: a second proof for the same key is
   * never looked at. Until the core has seen the failure, nothing is heard.
   */
  private judge(refusal: Security2Error | undefined): void {
    this.session?.close();
    this.isJudging = true;
    const status = refusal?.reason === "proof" ? Status.REFUSED : Status.MALFORMED;
    this.host.post(EventKind.BLE_SESSION, status, 0, NOTHING, () => {
      this.isJudging = false;
    });
  }

  // ---- packets ---------------------------------------------------------------------------------

  append(part: Uint8Array, isFirst: number): number {
    if (isFirst > 1) return Status.INVALID_ARGUMENT;
    return this.packets.append(this.openSession, part, isFirst === 1);
  }

  open(): number {
    return this.packets.open(this.openSession);
  }

  read(offset: number, bytes: Uint8Array): number {
    return this.packets.read(offset, bytes);
  }

  seal(plain: Uint8Array, sealed: Uint8Array): number {
    return this.packets.seal(this.openSession, plain, sealed);
  }

  private get openSession(): Security2Server | null {
    return this.session?.isAuthenticated === true ? this.session : null;
  }

  // ---- notifications ---------------------------------------------------------------------------

  notify(characteristic: number, frame: Uint8Array): number {
    if (!isNotified(characteristic) || frame.length > BLE_FRAME_BYTES_MAX) {
      return Status.INVALID_ARGUMENT;
    }
    if (!this.isConnected || this.state !== "on") return Status.NOT_READY;
    if (frame.length > this.mtu - ATT_HEAD_BYTES) return Status.INVALID_ARGUMENT;
    if (this.notifications.pending.length >= NOTIFICATIONS_MAX) return Status.BUSY;
    const { connection } = this;
    this.notifications.add({ connection, characteristic, frame: Uint8Array.from(frame) });
    return Status.OK;
  }

  private tell({ connection, characteristic, frame }: Notification): () => void {
    const isThere = this.isConnected && connection === this.connection;
    if (isThere) this.options.peripheral.notify(characteristic, frame);
    const status = isThere ? Status.OK : Status.CONNECTION_LOST;
    return () => this.host.post(EventKind.BLE_SENT, status);
  }

  /** Power off: nothing is reported. */
  close(): void {
    this.host.clock.clearTimer(this.ending);
    this.notifications.close();
    this.isConnected = false;
    this.session?.close();
    if (this.state !== "off") this.shutDown();
  }
}
