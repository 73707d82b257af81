// What a simulated port knows of the world around it: virtual time, what goes wrong, and the way to
// the core. Given by SimDevice to each of its ports.

import type { EventKind } from "../../abi.js";
import type { Faults } from "../faults.js";
import type { PortHappening } from "../happenings.js";
import type { Random } from "../random.js";

export interface SimHost {
  readonly nowMs: number;
  readonly faults: Faults;
  /** The device's own numbers: latencies, and what sys_random gives. */
  readonly random: Random;
  /** Has the port of the happening answer it after this time, unless the life ends before. */
  later(ms: number, it: PortHappening): void;
  /** An event for the core, behind all that happens at this instant. */
  post(
    kind: EventKind,
    a?: number,
    b?: number,
    payload?: Uint8Array,
    /** Id of a QoS 1 message to be acknowledged when the core has seen this; 0: none. */
    acknowledges?: number,
  ): void;
  /** As the port flash reads: records as they will be when what waits is done. */
  readFlash(offset: number, bytes: Uint8Array): number;
}
