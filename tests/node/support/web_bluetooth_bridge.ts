// A radio for devices of host-node whose central is a web page in Chromium: the emulated adapter of
// its DevTools protocol (domain BluetoothEmulation), as a Peripheral. The page is the one that
// ships; chooser, permissions and GATT are Chromium's own.
//
// Three things that domain cannot do, up to Chromium 156, so a hook in the page does exactly these:
// - It delivers no notifications: subscribing is reported, but there is no command to send a value
//   unasked (an answer to a read that nobody has asked for reaches nobody). So the hook remembers
//   characteristics at startNotifications(), and fires characteristicvaluechanged on them.
// - It does not report that the page disconnects, so disconnect() says so. - It thinks itself
// connected then still, and would answer the next connect() on its own. So that
//   waits until the bridge has ended the emulated connection, too.
// And it loses a disconnection that comes while the page reads or writes, so the device's end of
// the connection waits here until the page asks for nothing.

/// <reference types="web-bluetooth" />

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Browser, CDPSession, Page, Protocol } from "puppeteer-core";
import type {
  Characteristic,
  Peripheral,
  PeripheralListener,
} from "../../../host-node/src/ble/peripheral.js";
import { CHARACTERISTIC_UUIDS, SERVICE_UUID } from "../../../host-node/src/ble/uuids.js";

const ADDRESS = "0A:1B:2C:3D:4E:5F";
/** What Android and most computers agree on with an ESP32 by default. */
const MTU = 247;
/** Without this descriptor Chromium refuses to subscribe. */
const CLIENT_CONFIGURATION_UUID = "00002902-0000-1000-8000-00805f9b34fb";
const PROPERTIES = { read: true, write: true, notify: true };
const SUCCESS = 0;
/** HCI: the connection could not be established. ATT: unlikely error. */
const NOT_ESTABLISHED = 0x3e;
const UNLIKELY_ERROR = 0x0e;
const QUIET_MS = 40;

type Operation = Protocol.BluetoothEmulation.CharacteristicOperationReceivedEvent;

interface HookedPage {
  /** Classes that the types of Web Bluetooth have no values for. */
  readonly BluetoothRemoteGATTCharacteristic: { prototype: BluetoothRemoteGATTCharacteristic };
  readonly BluetoothRemoteGATTServer: { prototype: BluetoothRemoteGATTServer };
  readonly iot32Left: () => Promise<void>;
  iot32Notify: (uuid: string, base64: string) => void;
}

/** In the page, before its own scripts. */
function hookPage(): void {
  const page = globalThis as unknown as HookedPage;
  const subscribed = new Map<string, BluetoothRemoteGATTCharacteristic>();
  const characteristic = page.BluetoothRemoteGATTCharacteristic.prototype;
  const { startNotifications } = characteristic;
  characteristic.startNotifications = async function () {
    const same = await startNotifications.call(this);
    subscribed.set(this.uuid, this);
    return same;
  };
  page.iot32Notify = (uuid, base64) => {
    const target = subscribed.get(uuid);
    if (target?.service?.device.gatt?.connected !== true) return;
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const value = new DataView(bytes.buffer);
    Object.defineProperty(target, "value", { value, configurable: true });
    target.dispatchEvent(new Event("characteristicvaluechanged", { bubbles: true }));
    Reflect.deleteProperty(target, "value");
  };
  const server = page.BluetoothRemoteGATTServer.prototype;
  const { connect, disconnect } = server;
  let left: Promise<void> = Promise.resolve();
  server.disconnect = function () {
    if (this.connected) left = page.iot32Left();
    disconnect.call(this);
  };
  server.connect = async function () {
    await left;
    return connect.call(this);
  };
}

export class WebBluetoothBridge implements Peripheral {
  private listener: PeripheralListener | null = null;
  private name = "";
  private isKnown = false;
  /** Who has the connection; a device that has restarted since is another one. */
  private connected: PeripheralListener | null = null;
  private readonly characteristics = new Map<string, Characteristic>();
  private readonly values = new Map<Characteristic, Uint8Array>();
  /** Commands to the browser, one after the other, as the device gave them. */
  private turn: Promise<unknown> = Promise.resolve();
  private problem: unknown = null;
  private isClosed = false;
  /** When the page last asked for something. */
  private askedAt_ms = 0;
  private ending: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly page: Page,
    private readonly browser: CDPSession,
  ) {}

  /** For one page, which must not have been loaded yet. */
  static async open(browser: Browser, page: Page): Promise<WebBluetoothBridge> {
    const session = await browser.target().createCDPSession();
    const bridge = new WebBluetoothBridge(page, session);
    await session.send("BluetoothEmulation.enable", { state: "powered-on", leSupported: true });
    session.on("BluetoothEmulation.gattOperationReceived", ({ type }) => bridge.operate(type));
    session.on("BluetoothEmulation.characteristicOperationReceived", (operation) => {
      bridge.askedAt_ms = Date.now();
      bridge.inTurn(() => bridge.access(operation));
    });
    await page.exposeFunction("iot32Left", () => bridge.left());
    await page.evaluateOnNewDocument(hookPage);
    return bridge;
  }

  /** All that the device has done is known to the browser. */
  async settled(): Promise<void> {
    await this.ending;
    await this.turn;
  }

  /** The computer's own Bluetooth. */
  async setAdapter(state: Protocol.BluetoothEmulation.CentralState): Promise<void> {
    await this.browser.send("BluetoothEmulation.setSimulatedCentralState", { state });
  }

  /** What the page still asks for then is of no interest. */
  async close(): Promise<void> {
    this.listener = null;
    this.isClosed = true;
    this.browser.removeAllListeners();
    await this.settled();
    await this.browser.send("BluetoothEmulation.disable");
    await this.browser.detach();
    if (this.problem !== null) throw this.problem;
  }

  // ---- what a device calls ---------------------------------------------------------------------

  advertise(name: string, listener: PeripheralListener): void {
    assert.equal(this.listener, null, "it advertises already");
    this.name = name;
    this.listener = listener;
    this.inTurn(() => this.introduce());
  }

  stop(): void {
    this.listener = null;
    this.ending = this.endInQuiet();
  }

  disconnect(): void {
    this.ending = this.endInQuiet();
  }

  setValue(characteristic: Characteristic, value: Uint8Array): void {
    this.values.set(characteristic, Uint8Array.from(value));
  }

  notify(characteristic: Characteristic, value: Uint8Array): void {
    this.setValue(characteristic, value);
    const [, uuid] = CHARACTERISTIC_UUIDS.find(([number]) => number === characteristic)!;
    const base64 = Buffer.from(value).toString("base64");
    this.inTurn(async () => {
      if (this.connected === null) return;
      await this.page.evaluate(`iot32Notify(${JSON.stringify(uuid)}, ${JSON.stringify(base64)})`);
    });
  }

  // ---- what the browser reports ----------------------------------------------------------------

  private operate(type: Protocol.BluetoothEmulation.GATTOperationType): void {
    this.inTurn(async () => {
      const isThere = this.listener !== null;
      if (type === "connection" && isThere) await this.accept();
      const code = isThere ? SUCCESS : NOT_ESTABLISHED;
      const answer = { address: ADDRESS, type, code };
      await this.browser.send("BluetoothEmulation.simulateGATTOperationResponse", answer);
    });
  }

  /** Services go with each connection, and so does what was in them. */
  private async accept(): Promise<void> {
    await this.addService();
    this.values.clear();
    this.connected = this.listener;
    this.connected?.onConnect(MTU);
  }

  private async access({ characteristicId, type, data }: Operation): Promise<void> {
    const characteristic = this.characteristics.get(characteristicId);
    assert.ok(characteristic !== undefined, `an operation on ${characteristicId}`);
    const answer = { characteristicId, type, code: SUCCESS };
    const { connected } = this;
    if (connected === null || connected !== this.listener) {
      answer.code = UNLIKELY_ERROR;
    } else if (type === "read") {
      const value = Buffer.from(this.values.get(characteristic) ?? []).toString("base64");
      Object.assign(answer, { data: value });
    } else if (type === "write") {
      const isTaken = connected.onWrite(characteristic, Buffer.from(data ?? "", "base64"));
      if (!isTaken) answer.code = UNLIKELY_ERROR;
    }
    await this.browser.send("BluetoothEmulation.simulateCharacteristicOperationResponse", answer);
  }

  /** The page disconnects; resolves when the next connection can be made. */
  private async left(): Promise<void> {
    await this.inTurn(() => this.end());
  }

  // ---- commands --------------------------------------------------------------------------------

  private async introduce(): Promise<void> {
    if (this.isKnown) return;
    this.isKnown = true;
    await this.browser.send("BluetoothEmulation.simulatePreconnectedPeripheral", {
      address: ADDRESS,
      name: this.name,
      manufacturerData: [],
      knownServiceUuids: [SERVICE_UUID],
    });
  }

  private async addService(): Promise<void> {
    const service = { address: ADDRESS, serviceUuid: SERVICE_UUID };
    this.characteristics.clear();
    const { serviceId } = await this.browser.send("BluetoothEmulation.addService", service);
    for (const [number, characteristicUuid] of CHARACTERISTIC_UUIDS) {
      const { characteristicId } = await this.browser.send("BluetoothEmulation.addCharacteristic", {
        serviceId,
        characteristicUuid,
        properties: PROPERTIES,
      });
      this.characteristics.set(characteristicId, number);
      const descriptor = { characteristicId, descriptorUuid: CLIENT_CONFIGURATION_UUID };
      await this.browser.send("BluetoothEmulation.addDescriptor", descriptor);
    }
  }

  private async end(): Promise<void> {
    const { connected } = this;
    if (connected === null) return;
    this.connected = null;
    await this.browser.send("BluetoothEmulation.simulateGATTDisconnection", { address: ADDRESS });
    if (connected === this.listener) connected.onDisconnect();
  }

  private async endInQuiet(): Promise<void> {
    while (this.connected !== null && Date.now() - this.askedAt_ms < QUIET_MS) {
      await pause(QUIET_MS);
    }
    await this.inTurn(() => this.end());
  }

  private inTurn(act: () => Promise<unknown>): Promise<unknown> {
    const done = this.turn.then(act).catch((error: unknown) => {
      if (!this.isClosed) this.problem ??= error;
    });
    this.turn = done;
    return done;
  }
}
