// The bounds of the delay at both ends of the random range, its growth, its cap, its saturation.

import { Backoff } from "../../../assembly/util/backoff";

const LEAST: u32 = 0;
const MOST: u32 = 0xffffffff;

describe("backoff", () => {
  it("first delay lies between the floor and the floor plus base", () => {
    expect<u32>(new Backoff(1000, 60000).next(LEAST)).toBe(500);
    expect<u32>(new Backoff(1000, 60000).next(MOST)).toBe(1500);
  });

  it("ceiling doubles with each attempt until the cap", () => {
    const backoff = new Backoff(1000, 10000);
    const ceilings: u32[] = [1000, 2000, 4000, 8000, 10000, 10000, 10000];
    for (let attempt = 0; attempt < ceilings.length; attempt++) {
      expect<i32>(backoff.attempts).toBe(attempt);
      expect<u32>(backoff.next(MOST)).toBe(500 + ceilings[attempt]);
    }
  });

  it("floor stays the same however many attempts there were", () => {
    const backoff = new Backoff(1000, 10000);
    for (let attempt = 0; attempt < 50; attempt++) expect<u32>(backoff.next(LEAST)).toBe(500);
  });

  it("delay does not overflow after very many attempts or with the largest cap", () => {
    const backoff = new Backoff(1, 0xffffffff);
    for (let attempt = 0; attempt < 1000; attempt++) backoff.next(MOST);
    expect<u32>(backoff.next(MOST)).toBe(0xffffffff);
    expect<u32>(backoff.next(LEAST)).toBe(0);
    backoff.attempts = i32.MAX_VALUE;
    expect<u32>(backoff.next(MOST)).toBe(0xffffffff);
    expect<i32>(backoff.attempts).toBe(i32.MAX_VALUE, "the count saturates");
  });

  it("delay is uniform over its range", () => {
    const counts = new StaticArray<i32>(10);
    for (let draw: u32 = 0; draw < 10000; draw++) {
      const backoff = new Backoff(9, 9);
      counts[backoff.next(draw * 429496) - 4]++;
    }
    for (let delay = 0; delay < 10; delay++) {
      expect<i32>(counts[delay]).toBeGreaterThan(998);
      expect<i32>(counts[delay]).toBeLessThan(1003);
    }
  });

  it("reset starts over", () => {
    const backoff = new Backoff(100, 10000);
    for (let attempt = 0; attempt < 5; attempt++) backoff.next(MOST);
    backoff.reset();
    expect<i32>(backoff.attempts).toBe(0);
    expect<u32>(backoff.next(MOST)).toBe(150);
  });
});
