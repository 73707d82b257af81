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

/** A callback at the one moment that counts at present, which whoever waits sets anew. */
export class WakeUp {
  readonly #clock: Clock;
  readonly #callback: () => void;
  #cancel = () => {};

  constructor(clock: Clock, callback: () => void) {
    this.#clock = clock;
    this.#callback = callback;
  }

  /** Milliseconds since 1970, in place of the moment before; an infinite one is never. */
  set(at: number): void {
    this.#cancel();
    if (at === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(0, at - this.#clock.now());
    this.#cancel = this.#clock.after(delayMs, this.#callback);
  }

  cancel(): void {
    this.#cancel();
  }
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

  /** As full as this one, and from now on by itself. */
  copy(): TokenBucket {
    const copy = new TokenBucket(this.#ratePerSecond, this.#filledAt);
    copy.#tokens = this.#tokens;
    return copy;
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

export function copiedRates<Name>(rates: ReadonlyMap<Name, TokenBucket>): Map<Name, TokenBucket> {
  return new Map([...rates].map(([name, rate]) => [name, rate.copy()]));
}
