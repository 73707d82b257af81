// The device that was chosen, and a session with it whenever one is needed. Filling in a form takes
// minutes, and a connection may be gone by then: the next request opens another one, without a
// word, because device and proof of possession are known.

import { Central } from "../../src/ble/central.js";
import type { Gatt } from "../../src/ble/gatt.js";
import { chooseDevice, type WebDevice } from "./web_bluetooth.js";

export class Session {
  private central: Central | null = null;

  constructor(
    private device: WebDevice,
    readonly proof: string,
  ) {}

  get name(): string {
    return this.device.name;
  }

  /** Needs no click, unlike choosing. */
  readonly connect = (): Promise<Gatt> => this.device.connect();

  /** Throws CentralError and BluetoothTrouble. */
  async use<T>(work: (central: Central) => Promise<T>): Promise<T> {
    if (this.central === null || this.central.ended !== null) {
      this.central = await Central.open(await this.connect(), { proof: this.proof });
    }
    return work(this.central);
  }

  /** Somebody else wants the connection, or nobody does. */
  async close(): Promise<void> {
    await this.central?.close();
    this.central = null;
  }

  /** Some systems forget a device that was away; choosing it again reminds them. Wants a click. */
  async findAgain(): Promise<void> {
    this.device = await chooseDevice();
  }
}
