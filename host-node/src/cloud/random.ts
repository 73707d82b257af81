// Randomness as the cloud sees it: one function, with the machine's generator here and a seeded one
// in simulations, so that a simulated cloud gives the same bytes again. Whatever leaves the cloud
// and is made up (tokens, ids, secrets) comes through here.

import { randomFillSync } from "node:crypto";

/** Fills all of the bytes. */
export type Random = (bytes: Uint8Array) => void;

/** Fit for secrets. */
export const systemRandom: Random = (bytes) => {
  randomFillSync(bytes);
};

export function bytesOf(random: Random, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  random(bytes);
  return bytes;
}

const UUID_BYTES = 16;

/** RFC 9562, version 4. */
export function uuidOf(random: Random): string {
  const bytes = bytesOf(random, UUID_BYTES);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const digits = bytes.toString("hex");
  const ends = [8, 12, 16, 20, 32];
  return ends.map((end, i) => digits.slice(ends[i - 1] ?? 0, end)).join("-");
}
