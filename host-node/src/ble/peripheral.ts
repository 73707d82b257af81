// What a radio is to the port ble: a GATT peripheral with the four characteristics of docs/BLE.md, and
// at most one central. gatt_socket.ts is one over a local socket; a test may be another.

/** Number of a characteristic: 1 session, 2 configuration, 3 status, 4 application. */
export type Characteristic = 1 | 2 | 3 | 4;

export interface PeripheralListener {
  onConnect(mtu: number): void;
  onMtu(mtu: number): void;
  /** A central wrote a value. */
  onWrite(characteristic: Characteristic, value: Uint8Array): void;
  onDisconnect(): void;
}

export interface Peripheral {
  /** Lets a central find the device by this name, until stop(). */
  advertise(name: string, listener: PeripheralListener): void;
  /** Ends advertising, and a connection without a word to the listener. */
  stop(): void;
  /** Ends the connection; the listener hears of it. */
  disconnect(): void;
  /** What a read of this characteristic gives from now on. */
  setValue(characteristic: Characteristic, value: Uint8Array): void;
  /** Sets the value, and tells the central. */
  notify(characteristic: Characteristic, value: Uint8Array): void;
}
