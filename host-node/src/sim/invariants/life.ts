// Invariants of a device's lives: no trap, memory as it was, and when all is calm, at work.

import { Mode, nameOf } from "../../abi.js";
import { type HeapLayout, heapInUse } from "../../heap_in_use.js";
import type { SimDevice } from "../device.js";
import type { World } from "../world.js";
import type { Invariant, Report } from "./invariant.js";
import { PerLife } from "./per_life.js";

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

/** Steps between two looks at the heap. */
const HEAP_EACH = 64;
/** What an application may have in hand beside what it had when it first was connected. */
const HEAP_ROOM_BYTES = 2048;

interface Heap {
  steps: number;
  /** Bytes in use when the device first was connected in this life; null: it was not yet. */
  first: number | null;
}

/** The heap of a life does not grow. */
export class HeapSteady implements Invariant {
  readonly name = "heap unchanged";
  private heaps = new PerLife<Heap>(() => ({ steps: 0, first: null }));

  constructor(private readonly layout: HeapLayout) {}

  private inUse(device: SimDevice): number {
    const { core } = device;
    return core === null ? 0 : heapInUse(core, this.layout);
  }

  stepEnded(device: SimDevice, report: Report): void {
    const heap = this.heaps.of(device);
    if (!device.isConnected || ++heap.steps % HEAP_EACH !== 0) return;
    const bytes = this.inUse(device);
    heap.first ??= bytes;
    if (bytes <= heap.first + HEAP_ROOM_BYTES) return;
    report(device, `has ${bytes} bytes of heap in use, and had ${heap.first} when it connected`);
  }

  copy(): HeapSteady {
    const copy = new HeapSteady(this.layout);
    copy.heaps = this.heaps.copy();
    return copy;
  }
}
