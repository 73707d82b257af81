// Chance in a simulation: a generator with 128 bits of state that is a copy away from being the
// same again. The numbers are those of sfc32 (C. Doty-Humphrey, PractRand 0.94), integers only, so
// that every machine draws the same.

const WARM_UP = 12;

/** 32 bits of a text or a number: FNV-1a, stirred. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /** Streams of one seed with different names know nothing of each other. */
  constructor(seed: number, name = "") {
    this.a = seed >>> 0;
    this.b = Math.floor(seed / 0x1_0000_0000) >>> 0;
    this.c = hashOf(name);
    for (let i = 0; i < WARM_UP; i++) this.uint32();
  }

  /** 0 to 2^32 - 1. */
  uint32(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** 0 to below 1, 32 bits of it. */
  readonly fraction = (): number => this.uint32() / 0x1_0000_0000;

  /** 0 to below `end`, a whole number up to 2^32. */
  below(end: number): number {
    return Math.floor(this.fraction() * end);
  }

  /** first to last, both included. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  readonly fill = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; at++) bytes[at] = this.uint32() >>> 24;
  };

  copy(): Random {
    const copy = new Random(0);
    copy.a = this.a;
    copy.b = this.b;
    copy.c = this.c;
    copy.counter = this.counter;
    return copy;
  }
}
