// Time as the host sees it: one small table of functions, with the real one here and a virtual one
// in simulations. Everything of a device that waits, waits here.

export type TimerHandle = unknown;

export interface Clock {
  /** Milliseconds since some arbitrary start; never goes back. */
  now(): number;
  /** Calls `fire` once, after `ms` (0: on the next turn, in the order of the calls). */
  setTimer(ms: number, fire: () => void): TimerHandle;
  clearTimer(handle: TimerHandle): void;
  /**
   * Calls `fire` when the callback that runs now has returned, before any timer. A clock without it
   * is one for which everything that happens is a timer.
   */
  soon?(fire: () => void): void;
}

/** Node keeps immediates and timeouts apart, and clearing one as the other corrupts its count. */
class RealTimer {
  private readonly immediate: NodeJS.Immediate | undefined;
  private readonly timeout: NodeJS.Timeout | undefined;

  constructor(ms: number, fire: () => void) {
    if (ms <= 0) this.immediate = setImmediate(fire);
    else this.timeout = setTimeout(fire, ms);
  }

  clear(): void {
    if (this.immediate !== undefined) clearImmediate(this.immediate);
    if (this.timeout !== undefined) clearTimeout(this.timeout);
  }
}

/** The machine's monotonic clock. */
export const realClock: Clock = {
  now: () => performance.now(),
  setTimer: (ms, fire) => new RealTimer(ms, fire),
  clearTimer: (handle) => {
    if (handle instanceof RealTimer) handle.clear();
  },
  soon: queueMicrotask,
};
