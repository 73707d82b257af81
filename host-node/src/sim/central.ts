// A person with a phone, who configures devices that come out of their box: looks for them again
// and again, applies the document to one that has none, and asks how it went until the device says
// that it works (docs/BLE.md). Each turn does one thing, so that anything may happen in between.

import { BleCode } from "../abi.js";
import type { SimDevice } from "./device.js";
import type { World } from "./world.js";

const TURN_MS = 7_000;
const MTU = 247;
const CONFIGURATION = 2;
const Command = { APPLY: 1, STATUS: 5, LEAVE: 6 } as const;
const ANSWER = 0x80;

export class SimCentral {
  constructor(private readonly document: string) {}

  /** Looks for a device from now on. */
  begin(world: World, device: number): void {
    world.later(TURN_MS, { what: "central", device });
  }

  turn(world: World, { index: device, ble }: SimDevice): void {
    world.later(TURN_MS, { what: "central", device });
    if (!ble.isConnected) {
      if (!ble.connect(MTU)) return;
      ble.handshake(true);
      ble.send(CONFIGURATION, Uint8Array.of(Command.STATUS));
    } else if (!ble.isOwner) {
      // Somebody else is there.
    } else if (ble.answer?.[0] === (Command.STATUS | ANSWER)) {
      this.goOn(ble, ble.answer[1]!);
    } else ble.leave();
  }

  /** The device has said how far it is. */
  private goOn(ble: SimDevice["ble"], code: number): void {
    ble.answer = null;
    if (code === BleCode.CONFIGURED) ble.send(CONFIGURATION, Uint8Array.of(Command.LEAVE));
    else if (code !== BleCode.IN_PROGRESS) {
      ble.send(
        CONFIGURATION,
        Buffer.concat([Uint8Array.of(Command.APPLY), Buffer.from(this.document)]),
      );
    } else ble.leave();
  }

  copy(): SimCentral {
    return new SimCentral(this.document);
  }
}
