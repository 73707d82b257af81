// A radio in the memory of a test: the peripheral that a device has, and connections to it.
// Whatever passes takes a turn of the event loop in each direction, so that both sides may speak at
// once. A test hears and spoils what passes.

import assert from "node:assert/strict";
import type { Gatt } from "../../../host-node/src/ble/gatt.js";
import type {
  Characteristic,
  Peripheral,
  PeripheralListener,
} from "../../../host-node/src/ble/peripheral.js";
import { turns } from "../ports_support.js";

const VALUE_BYTES_MAX = 512;
const ATT_HEAD_BYTES = 3;

export class MemoryRadio implements Peripheral {
  /** Name that it advertises; null: nobody finds it. */
  advertised: string | null = null;
  connection: MemoryGatt | null = null;
  /** What the central gets of a value that is notified; null: it is lost. */
  onNotify: (characteristic: Characteristic, value: Uint8Array) => Uint8Array | null = (_, value) =>
    value;
  /** Values of 2 and 4 that were written: frames. */
  readonly written: { readonly characteristic: Characteristic; readonly value: Uint8Array }[] = [];
  readonly values = new Map<Characteristic, Uint8Array>();
  listener: PeripheralListener | null = null;

  advertise(name: string, listener: PeripheralListener): void {
    assert.equal(this.advertised, null, "it advertises already");
    this.advertised = name;
    this.listener = listener;
  }

  stop(): void {
    this.advertised = null;
    this.listener = null;
    this.connection?.drop();
  }

  /** Behind what is under way. */
  disconnect(): void {
    const { connection, listener } = this;
    void turns(2).then(() => {
      if (connection === null || connection !== this.connection) return;
      connection.drop();
      listener?.onDisconnect();
    });
  }

  setValue(characteristic: Characteristic, value: Uint8Array): void {
    this.values.set(characteristic, value);
  }

  notify(characteristic: Characteristic, value: Uint8Array): void {
    this.setValue(characteristic, value);
    const { connection } = this;
    if (connection === null) return;
    assert.ok(value.length <= connection.mtu - ATT_HEAD_BYTES, "a frame larger than the MTU");
    const heard = this.onNotify(characteristic, value);
    if (heard !== null) connection.hear(characteristic, heard);
  }

  /** A central connects; rejects when nobody is there to connect to. */
  async connect(mtu = 247): Promise<MemoryGatt> {
    await turns(1);
    if (this.listener === null) throw new Error("no such device");
    if (this.connection !== null) throw new Error("another central is there");
    this.values.clear();
    this.connection = new MemoryGatt(this, mtu);
    this.listener.onConnect(mtu);
    return this.connection;
  }
}

export class MemoryGatt implements Gatt {
  private readonly subscriptions = new Map<Characteristic, (value: Uint8Array) => void>();
  private readonly ends: (() => void)[] = [];
  private isOpen = true;

  constructor(
    private readonly radio: MemoryRadio,
    readonly mtu: number,
  ) {}

  async read(characteristic: Characteristic): Promise<Uint8Array> {
    await this.pass();
    return Uint8Array.from(this.radio.values.get(characteristic) ?? []);
  }

  async write(characteristic: Characteristic, value: Uint8Array): Promise<void> {
    const bytesMax = characteristic === 1 ? VALUE_BYTES_MAX : this.mtu - ATT_HEAD_BYTES;
    assert.ok(value.length <= bytesMax, `a value of ${value.length} bytes`);
    const copy = Uint8Array.from(value);
    await this.pass();
    if (characteristic !== 1) this.radio.written.push({ characteristic, value: copy });
    const isTaken = this.radio.listener!.onWrite(characteristic, copy);
    if (!isTaken) throw new Error("GATT operation failed");
    await turns(1);
  }

  async subscribe(
    characteristic: Characteristic,
    heard: (value: Uint8Array) => void,
  ): Promise<void> {
    await this.pass();
    this.subscriptions.set(characteristic, heard);
  }

  onDisconnect(heard: () => void): void {
    this.ends.push(heard);
  }

  async disconnect(): Promise<void> {
    const { isOpen, radio } = this;
    this.drop();
    if (isOpen) radio.listener?.onDisconnect();
  }

  hear(characteristic: Characteristic, value: Uint8Array): void {
    const copy = Uint8Array.from(value);
    void turns(1).then(() => {
      if (this.isOpen) this.subscriptions.get(characteristic)?.(copy);
    });
  }

  /** The connection is gone. */
  drop(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.radio.connection = null;
    for (const heard of this.ends) heard();
  }

  private async pass(): Promise<void> {
    if (this.isOpen) await turns(1);
    if (!this.isOpen) throw new Error("GATT server is disconnected");
  }
}
