// What the tests of images share: small modules, a packed image, random numbers that are the same
// each time, and an image sealed again after a change.

import { createHash } from "node:crypto";
import {
  checksumOf,
  type ImageProblem,
  type PackOptions,
  packImage,
  readImage,
} from "../../host-node/src/image/index.js";

export { seededRandom } from "./support/seeded_random.js";

export const BUILT_AT = new Date("2026-11-02T04:05:06Z");
/** Where the first segment's data start in every image packed here. */
export const DATA_AT = 32;
export const MODULE_AT = DATA_AT + 320;

const leb = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];

const section = (id: number, body: readonly number[]): number[] => [
  id,
  ...leb(body.length),
  ...body,
];

/** A module that is marked as ours, exports abi_version(), and carries `extraBytes` of ballast in a
 * custom section. */
export function sampleModule(abiVersion = 1, extraBytes = 500): Uint8Array {
  const name = [..."abi_version"].map((letter) => letter.charCodeAt(0));
  const ballast = Array.from({ length: extraBytes }, (_, index) => (index * 37) & 0xff);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(0, [5, ...Buffer.from("iot32"), abiVersion & 0xff, abiVersion >> 8]),
    ...section(1, [1, 0x60, 0, 1, 0x7f]),
    ...section(3, [1, 0]),
    ...section(7, [1, name.length, ...name, 0, 0]),
    // i32.const takes a signed number: below 64 one byte is enough.
    ...section(10, [1, 4, 0, 0x41, abiVersion & 0x3f, 0x0b]),
    ...section(0, [7, ...[..."ballast"].map((letter) => letter.charCodeAt(0)), ...ballast]),
  ]);
}

export function sampleImage(changes: Partial<PackOptions> = {}): Buffer {
  const module = sampleModule();
  const options = { module, abiVersion: 1, version: "1.2.3", builtAt: BUILT_AT, ...changes };
  return Buffer.from(packImage(options));
}

/** The image after a change, with the checksum and the SHA-256 that now belong to it. */
export function sealed(image: Buffer): Buffer {
  const copy = Buffer.from(image);
  const { segments, checksum, hash } = readImage(copy, { trailing: "allow" });
  if (checksum !== undefined) copy[checksum.position] = checksumOf(segments.map((s) => s.data));
  if (hash !== undefined) {
    createHash("sha256").update(copy.subarray(0, hash.position)).digest().copy(copy, hash.position);
  }
  return copy;
}

/** The image with some bytes written over it. */
export function patched(image: Buffer, position: number, ...bytes: number[]): Buffer {
  const copy = Buffer.from(image);
  copy.set(bytes, position);
  return copy;
}

export const codesOf = (problems: readonly ImageProblem[]): string[] =>
  problems.map(({ code }) => code);
