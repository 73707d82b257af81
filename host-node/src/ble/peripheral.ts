// What a radio is to the port ble: a GATT peripheral with the four characteristics of docs/BLE.md,
// and at most one central. gatt_socket.ts is one over a local socket; a test may be another.

/** Number of a characteristic: 1 session, 2 configuration, 3 changes, 4 application. */
export type Characteristic = 1 | 2 | 3 | 4;

/** What the device hears; never called from inside a method of the peripheral but disconnect(). */
export interface PeripheralListener {
  onConnect(mtu: number): void;
  onMtu(mtu: number): void;
  /** A central wrote a value; false: it is refused, which the central hears as the answer. */
  onWrite(characteristic: Characteristic, value: Uint8Array): boolean;
  onDisconnect(): void;
}

/** Values are empty at first, and again with each new connection. */
export interface Peripheral {
  /** Lets a central find the device by this name, until stop(). */
  advertise(name: string, listener: PeripheralListener): void;
  /** Ends advertising, and a connection without a word to the listener. */
  stop(): void;
  /** Ends the connection after what was notified before; the listener hears of it. */
  disconnect(): void;
  /** What a read of this characteristic gives from now on. */
  setValue(characteristic: Characteristic, value: Uint8Array): void;
  /** Sets the value, and tells the central if it has subscribed. */
  notify(characteristic: Characteristic, value: Uint8Array): void;
}
