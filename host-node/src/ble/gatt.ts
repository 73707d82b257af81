// What a central needs of its BLE stack: one connection to one device, as Web Bluetooth and
// gatt_socket.ts give it.

import type { Characteristic } from "./peripheral.js";

export interface Gatt {
  /** ATT MTU that frames may count on, 23 to 517; where a stack does not tell, one that is safe. */
  readonly mtu: number;
  read(characteristic: Characteristic): Promise<Uint8Array>;
  /**
   * With response. Rejects when the device refuses the value, and when the connection is gone: then
   * whoever waits for onDisconnect hears of it first.
   */
  write(characteristic: Characteristic, value: Uint8Array): Promise<void>;
  /** From now on `heard` gets what the device notifies. */
  subscribe(characteristic: Characteristic, heard: (value: Uint8Array) => void): Promise<void>;
  /** Heard once, whoever ended the connection. */
  onDisconnect(heard: () => void): void;
  disconnect(): Promise<void>;
}
