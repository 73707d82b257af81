// Time and chance for the end-to-end tests: a clock that runs faster than the wall's, and numbers
// that repeat for a seed. Apart from the rest, because a device in a process of its own needs no
// more.

import { type Clock, realClock } from "../../../host-node/src/clock.js";

/** The machine's clock, `factor` times as fast: also in what it calls back. */
export function fastClock(factor: number): Clock {
  const start = realClock.now();
  return {
    now: () => start + (realClock.now() - start) * factor,
    setTimer: (ms, fire) => realClock.setTimer(ms / factor, fire),
    clearTimer: realClock.clearTimer,
    soon: queueMicrotask,
  };
}

/** Numbers in [0, 1) that repeat for a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}
