// Delays between attempts: exponential back-off with full jitter above a floor, so that a fleet
// that lost its broker at one moment does not come back at one moment.
// Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015,
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
// That article's "full jitter" draws from [0, ceiling]; the floor is ours, because a delay of
// nearly 0 ms spends radio and battery on an attempt that has had no time to become better.

/** The delay before attempt n (0, 1, ...) after a failure; see next() for the distribution. */
export class Backoff {
  /** Delays handed out since the last reset. */
  attempts: i32 = 0;

  /** baseMs >= 1 and capMs >= baseMs; their sum fits in 32 bits. */
  constructor(
    private baseMs: u32,
    private capMs: u32,
  ) {}

  /**
   * The next delay in milliseconds: base/2 + uniform in [0, ceiling], both ends included, where
   * ceiling = min(cap, base * 2^attempts). `random` is 32 uniform bits; its high bits decide, and
   * no value of the range is more than 2^-32 likelier than another. Integers only.
   */
  next(random: u32): u32 {
    const shift = min(this.attempts, 32);
    const ceiling = min<u64>(this.capMs, (<u64>this.baseMs) << shift);
    if (this.attempts < i32.MAX_VALUE) this.attempts++;
    return (this.baseMs >> 1) + <u32>((<u64>random * (ceiling + 1)) >> 32);
  }

  /** Starts over at base: an attempt has succeeded. */
  reset(): void {
    this.attempts = 0;
  }
}
