// Time as the host sees it: one small table of functions, with the real one here and a virtual one
// in simulations. Everything of a device that waits, waits here.

export type TimerHandle = unknown;

export interface Clock {
  /** Milliseconds since some arbitrary start; never goes back. */
  now(): number;
  /** Calls `fire` once, after `ms` (0: on the next turn, in the order of the calls). */
  setTimer(ms: number, fire: () => void): TimerHandle;
  clearTimer(handle: TimerHandle): void;
}

/** The machine's monotonic clock. A handle is the way to cancel: Node loses other immediates when
 * clearImmediate() is given a timeout. */
export const realClock: Clock = {
  now: () => performance.now(),
  setTimer: (ms, fire) => {
    if (ms > 0) {
      const timeout = setTimeout(fire, ms);
      return () => clearTimeout(timeout);
    }
    const immediate = setImmediate(fire);
    return () => clearImmediate(immediate);
  },
  clearTimer: (handle) => (handle as (() => void) | null | undefined)?.(),
};
