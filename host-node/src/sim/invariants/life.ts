// Invariants of a device's lives: no trap, memory as it was, and when all is calm, at work.

import { Mode, nameOf } from "../../abi.js";
import type { SimDevice } from "../device.js";
import type { World } from "../world.js";
import type { Invariant, Report } from "./invariant.js";

/** The core never traps. */
export class NoTrap implements Invariant {
  readonly name = "no trap";

  ended(device: SimDevice, why: "restart" | "trap" | "power", what: string, report: Report): void {
    if (why === "trap") report(device, what);
  }

  copy(): NoTrap {
    return this;
  }
}

/** Every mode has a way out: when all is calm, each device is at work and connected. */
export class AtWork implements Invariant {
  readonly name = "a way out of every mode";

  atRest(world: World, report: Report): void {
    for (const device of world.devices) {
      if (device.mode === Mode.NORMAL && device.isConnected) continue;
      if (device.mode === Mode.IDLE) continue;
      const mode = device.mode === null ? "off" : nameOf(Mode, device.mode);
      report(device, `is ${mode}, its connection is ${device.mqtt.state}`);
    }
  }

  copy(): AtWork {
    return this;
  }
}
