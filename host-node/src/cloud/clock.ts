// Time as the cloud sees it: one table of two functions, with a real twin here and simulated ones
// in tests, so that tokens, rates and keep-alive are tested without waiting. The token bucket is
// the one way in which rates are measured. Called by the broker, its connections and the services.

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back once after `delayMs`; the answer cancels. Must not keep the process alive. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Node's timers, with a `now` that a test may replace. */
export function systemClock(now: () => number = Date.now): Clock {
  return {
    now,
    after(delayMs, callback) {
      const timer = setTimeout(callback, delayMs);
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}

/** Permits `ratePerSecond` on average, with a burst of one second's worth. */
export class TokenBucket {
  readonly #ratePerSecond: number;
  #tokens: number;
  #filledAt: number;

  constructor(ratePerSecond: number, now: number) {
    this.#ratePerSecond = ratePerSecond;
    this.#tokens = ratePerSecond;
    this.#filledAt = now;
  }

  /** True, and one token less, when the rate permits one more. */
  take(now: number): boolean {
    this.#fill(now);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes `count` in any case; answers for how many milliseconds the taker must now wait. */
  overdraw(count: number, now: number): number {
    this.#fill(now);
    this.#tokens -= count;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#ratePerSecond) * 1000);
  }

  /** True when nothing was taken lately, so that the bucket need not be remembered. */
  idle(now: number): boolean {
    this.#fill(now);
    return this.#tokens >= this.#ratePerSecond;
  }

  #fill(now: number): void {
    // A clock that was set back gives nothing, and takes nothing away.
    const elapsedMs = Math.max(0, now - this.#filledAt);
    const gained = (elapsedMs / 1000) * this.#ratePerSecond;
    this.#tokens = Math.min(this.#ratePerSecond, this.#tokens + gained);
    this.#filledAt = now;
  }
}
