// What a port knows of the device around it: the clock, and the queue that takes outcomes to the
// core. A port performs effects and reports; it decides nothing.

import type { EventKind } from "../abi.js";
import type { Clock } from "../clock.js";

export interface PortHost {
  readonly clock: Clock;
  /**
   * Queues an event for the core; events are dispatched in the order of these calls, one at a
   * time. `onDispatched` is called after the core has seen it, and never when its life ends first.
   */
  post(
    kind: EventKind,
    a?: number,
    b?: number,
    payload?: Uint8Array,
    onDispatched?: () => void,
  ): void;
}
