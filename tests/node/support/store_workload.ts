// What the tests of the record store write into it: seeded random numbers, payloads that are hard
// on flash, and bursts of requests. Nothing here knows the store's code, only docs/FLASH.md.

export { seededRandom } from "./seeded_random.js";

import { Dataset } from "../../../host-node/src/abi.js";
import type { Random } from "../../../host-node/src/ports/nor.js";

export const DATASETS = Object.keys(Dataset).length;
export const RECORD_BYTES_MAX = 4064;

/** CRC-32 as zlib has it, continued from `seed`. */
export function crc32(seed: number, bytes: Uint8Array): number {
  let crc = ~seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

export type Value = Uint8Array | null;

export function isSame(a: Value, b: Value): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
}

const NOISE = Uint8Array.from(
  { length: 1 << 16 },
  (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 11) & 0xff,
);

/** A payload: mostly noise, sometimes what is hard to tell from erased or programmed flash. */
export function payload(size: number, random: Random): Uint8Array {
  const kind = random();
  if (kind < 0.05) return new Uint8Array(size).fill(0xff);
  if (kind < 0.1) return new Uint8Array(size);
  const at = Math.floor(random() * (NOISE.length - size));
  const bytes = NOISE.slice(at, at + size);
  if (kind < 0.2) return bytes.fill(0xff, size >> 1);
  return kind < 0.4 ? bytes.fill(0xff, 0, size - (size >> 2)) : bytes;
}

export const SIZES = [0, 1, 15, 16, 17, 64, 256, 700, 1200, 1704, 2047, 4000, RECORD_BYTES_MAX];

export interface Request {
  readonly dataset: number;
  readonly value: Value;
}

/** Bursts of requests for datasets that differ within a burst; one in ten is an erase. */
export function workload(requests: number, random: Random, sizes = SIZES): Request[][] {
  const bursts: Request[][] = [];
  for (let left = requests; left > 0; ) {
    const burst: Request[] = [];
    const length = Math.min(left, 1 + Math.floor(random() * 3));
    const first = Math.floor(random() * DATASETS);
    for (let i = 0; i < length; i++) {
      const size = sizes[Math.floor(random() * sizes.length)]!;
      const value = random() < 0.1 ? null : payload(size, random);
      burst.push({ dataset: (first + i * 3) % DATASETS, value });
    }
    bursts.push(burst);
    left -= length;
  }
  return bursts;
}
