// Images damaged by chance, the same each time: bits, fields, lengths, whole blocks. Used by the
// tests of the image codec and of updates.

import { seededRandom } from "./image_support.js";

/** Positions that a mutation of fields aims at: header, segment headers, descriptions. */
const FIELDS = [0, 1, 2, 3, 4, 8, 9, 12, 14, 15, 17, 19, 23, 24, 28, 32, 36, 212, 288, 292, 294];
const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff];

type Random = () => number;
type Mutation = (image: Buffer, random: Random) => Buffer;

export const below = (random: Random, limit: number): number => Math.floor(random() * limit);

const MUTATE: readonly Mutation[] = [
  function bitFlips(image, random) {
    for (let count = 1 + below(random, 3); count > 0; count--) {
      image[below(random, image.length)]! ^= 1 << below(random, 8);
    }
    return image;
  },
  function field(image, random) {
    const at = FIELDS[below(random, FIELDS.length)]!;
    const value = EXTREMES[below(random, EXTREMES.length)]!;
    image.writeUIntLE(value & 0xff, at, 1);
    if (random() < 0.5) image.writeUInt32LE(value, at);
    return image;
  },
  function segmentLength(image, random) {
    image.writeUInt32LE(below(random, 2 * image.length) & ~(random() < 0.5 ? 3 : 0), 28);
    return image;
  },
  function truncation(image, random) {
    return image.subarray(0, below(random, image.length));
  },
  function extension(image, random) {
    return Buffer.concat([image, Buffer.alloc(1 + below(random, 64), below(random, 256))]);
  },
  function gap(image, random) {
    const at = below(random, image.length - 16);
    return Buffer.concat([image.subarray(0, at), image.subarray(at + 1 + below(random, 16))]);
  },
  function exchange(image, random) {
    const [from, to] = [below(random, image.length - 64), below(random, image.length - 64)];
    const block = Buffer.from(image.subarray(from, from + 64));
    image.copy(image, from, to, to + 64);
    image.set(block, to);
    return image;
  },
];

/** So many damaged images, the same each time for a seed. */
export function* mutations(
  original: Uint8Array,
  count: number,
  seed: number,
): Iterable<{ name: string; image: Buffer }> {
  const random = seededRandom(seed);
  for (let index = 0; index < count; ) {
    const mutate = MUTATE[index % MUTATE.length]!;
    const image = mutate(Buffer.from(original), random);
    if (image.equals(original)) continue;
    index++;
    yield { name: `${mutate.name} ${index} of seed ${seed}`, image };
  }
}
