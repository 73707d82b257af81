// The browser's BLE as the central wants it: one device that a person chose, and connections to it,
// one after the other. The permission belongs to the BluetoothDevice object, so the same one is
// kept for every connection: reconnecting needs no click, choosing anew does. All the browser's
// errors leave here as BluetoothTrouble or as they came; the words for them are in troubles.ts.

import type { Gatt } from "../../src/ble/gatt.js";
import type { Characteristic } from "../../src/ble/peripheral.js";
import { CHARACTERISTIC_UUIDS, SERVICE_UUID } from "../../src/ble/uuids.js";

/**
 * A page cannot ask for the MTU. 185 is the smallest that today's phones and computers agree on
 * (iOS and older macOS; Android, Windows and Linux ask for 517). Where one has less, its Bluetooth
 * stack splits a write with response by itself, slower but complete, as it had to for the
 * handshake, whose first message is more than 400 bytes in one value.
 */
const MTU = 185;
/** What a browser needs on its own to give a device up is between 5 s and for ever. */
const CONNECT_MS = 20_000;

export type BluetoothReason =
  /** No Web Bluetooth in this browser, or not on a page that came like this. */
  | "unsupported"
  | "insecure"
  /** No adapter, or it is switched off. */
  | "off"
  /** The dialog was closed without a choice. */
  | "cancelled"
  /** The system or the browser's policy forbids it. */
  | "forbidden"
  /** It does not answer to a connection. */
  | "unreachable"
  /** It answers, but is no device of this kind. */
  | "stranger";

export class BluetoothTrouble extends Error {
  constructor(
    readonly reason: BluetoothReason,
    cause?: unknown,
  ) {
    super(cause instanceof Error ? cause.message : reason, { cause });
    this.name = "BluetoothTrouble";
  }
}

const isNamed = (error: unknown, ...names: readonly string[]): boolean =>
  error instanceof DOMException && names.includes(error.name);

/** Null when this browser can do it. */
export function whatIsMissing(): BluetoothReason | null {
  if (!globalThis.isSecureContext) return "insecure";
  return "bluetooth" in navigator ? null : "unsupported";
}

/** NotFoundError is what both a closed dialog and a missing adapter give. */
async function troubleOfChoice(error: unknown): Promise<unknown> {
  if (isNamed(error, "SecurityError", "NotAllowedError")) {
    return new BluetoothTrouble("forbidden", error);
  }
  if (!isNamed(error, "NotFoundError", "AbortError")) return error;
  const isThere = await navigator.bluetooth.getAvailability().catch(() => true);
  return new BluetoothTrouble(isThere ? "cancelled" : "off", error);
}

/** Wants a click: browsers show the dialog only then. */
export async function chooseDevice(): Promise<WebDevice> {
  try {
    const device = await navigator.bluetooth.requestDevice({
      filters: [{ services: [SERVICE_UUID] }],
    });
    return new WebDevice(device);
  } catch (error) {
    throw await troubleOfChoice(error);
  }
}

export class WebDevice {
  constructor(private readonly device: BluetoothDevice) {}

  get name(): string {
    return this.device.name ?? "";
  }

  /** One attempt; throws BluetoothTrouble. */
  async connect(): Promise<Gatt> {
    const server = await this.server();
    try {
      const service = await server.getPrimaryService(SERVICE_UUID);
      const gatt = new WebGatt(this.device, server);
      for (const [number, uuid] of CHARACTERISTIC_UUIDS) {
        gatt.characteristics.set(number, await service.getCharacteristic(uuid));
      }
      return gatt;
    } catch (error) {
      server.disconnect();
      throw new BluetoothTrouble(
        isNamed(error, "NotFoundError") ? "stranger" : "unreachable",
        error,
      );
    }
  }

  private async server(): Promise<BluetoothRemoteGATTServer> {
    const { gatt } = this.device;
    if (gatt === undefined) throw new BluetoothTrouble("forbidden");
    // Disconnecting is how an attempt is called off.
    const timer = setTimeout(() => gatt.disconnect(), CONNECT_MS);
    try {
      return await gatt.connect();
    } catch (error) {
      throw new BluetoothTrouble("unreachable", error);
    } finally {
      clearTimeout(timer);
    }
  }
}

class WebGatt implements Gatt {
  readonly mtu = MTU;
  readonly characteristics = new Map<Characteristic, BluetoothRemoteGATTCharacteristic>();
  private readonly listeners = new Set<() => void>();
  private isGone = false;
  /** Android refuses an operation while another is under way. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    device: BluetoothDevice,
    private readonly server: BluetoothRemoteGATTServer,
  ) {
    device.addEventListener("gattserverdisconnected", () => this.gone(), { once: true });
  }

  read(characteristic: Characteristic): Promise<Uint8Array> {
    return this.inTurn(async () => bytesOf(await this.of(characteristic).readValue()));
  }

  write(characteristic: Characteristic, value: Uint8Array): Promise<void> {
    // A copy, because the type of the interface is wider than what browsers take.
    const copy = Uint8Array.from(value);
    return this.inTurn(() => this.of(characteristic).writeValueWithResponse(copy));
  }

  /** A read is heard like a notification: browsers tell of both by the same event. */
  subscribe(number: Characteristic, heard: (value: Uint8Array) => void): Promise<void> {
    return this.inTurn(async () => {
      const characteristic = this.of(number);
      characteristic.addEventListener("characteristicvaluechanged", () => {
        if (!this.isGone && characteristic.value) heard(bytesOf(characteristic.value));
      });
      await characteristic.startNotifications();
    });
  }

  onDisconnect(heard: () => void): void {
    this.listeners.add(heard);
  }

  async disconnect(): Promise<void> {
    this.server.disconnect();
    this.gone();
  }

  private of(number: Characteristic): BluetoothRemoteGATTCharacteristic {
    const characteristic = this.characteristics.get(number);
    if (characteristic === undefined) throw new BluetoothTrouble("stranger");
    return characteristic;
  }

  private inTurn<T>(operation: () => Promise<T>): Promise<T> {
    const done = this.turn.then(operation).catch((error: unknown) => {
      // Of a connection that is gone the event may come after the rejection.
      if (!this.server.connected) this.gone();
      throw error;
    });
    this.turn = done.catch(() => {});
    return done;
  }

  private gone(): void {
    if (this.isGone) return;
    this.isGone = true;
    for (const heard of [...this.listeners]) heard();
  }
}

/** A copy: the view is the browser's, and lives as long as it likes. */
function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}
