// Damage by chance, the same each time: 1,000 images that checksum and SHA-256 must find, 1,000
// that were sealed again afterwards so that only the rules stand between them and the reader, and
// 1,000 files of noise. Nothing damaged is taken, nothing crashes, no byte outside is read.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeImage,
  explain,
  ImageError,
  inspect,
  readImage,
} from "../../host-node/src/image/index.js";
import { sampleImage, sampleModule, sealed, seededRandom } from "./image_support.js";

const MUTATIONS = 1000;
const TIMEOUT_MS = 60_000;
/** Positions that a mutation of fields aims at: header, segment headers, descriptions. */
const FIELDS = [0, 1, 2, 3, 4, 8, 9, 12, 14, 15, 17, 19, 23, 24, 28, 32, 36, 212, 288, 292, 294];
const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff];

type Random = () => number;
type Mutation = (image: Buffer, random: Random) => Buffer;

const below = (random: Random, limit: number): number => Math.floor(random() * limit);

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

function* mutations(seed: number): Iterable<{ name: string; image: Buffer }> {
  const random = seededRandom(seed);
  const original = sampleImage({ module: sampleModule(1, 900) });
  for (let index = 0; index < MUTATIONS; ) {
    const mutate = MUTATE[index % MUTATE.length]!;
    const image = mutate(Buffer.from(original), random);
    if (image.equals(original)) continue;
    index++;
    yield { name: `${mutate.name} ${index} of seed ${seed}`, image };
  }
}

/** The same bytes in a page of 0xA5: whoever reads outside them reads something else. */
function amidst(image: Buffer): Buffer {
  const page = Buffer.alloc(image.length + 512, 0xa5);
  page.set(image, 256);
  return page.subarray(256, 256 + image.length);
}

test("of 1,000 damaged images each is refused with a reason, as a file and in a slot", {
  timeout: TIMEOUT_MS,
}, () => {
  let count = 0;
  const codes = new Set<string>();
  for (const { name, image } of mutations(1)) {
    count++;
    assert.throws(() => decodeImage(image), ImageError, name);
    const { problems } = readImage(image);
    for (const { code, position, message } of problems) {
      codes.add(code);
      assert.ok(position >= 0 && position <= image.length, name);
      assert.ok(message.length > 10, name);
    }
    if (name.startsWith("extension")) continue;
    const slot = Buffer.concat([image, Buffer.alloc(4096, 0xff)]);
    assert.throws(() => decodeImage(slot, { trailing: "allow" }), ImageError, `slot, ${name}`);
  }
  assert.equal(count, MUTATIONS);
  for (const code of ["bad-magic", "truncated", "bad-checksum", "bad-hash", "trailing-bytes"]) {
    assert.ok(codes.has(code), `${code} was met`);
  }
});

test("of 1,000 damaged images that were sealed again none is read outside its bytes, and none crashes", {
  timeout: TIMEOUT_MS,
}, () => {
  const seen = { taken: 0, refused: 0 };
  for (const { name, image } of mutations(2)) {
    const bytes = sealed(image);
    const reading = readImage(bytes);
    assert.deepEqual(readImage(amidst(bytes)), reading, name);
    for (const { position, data } of reading.segments) {
      assert.ok(position + data.length <= bytes.length, name);
    }
    seen[reading.problems.length === 0 ? "taken" : "refused"]++;
    explain(inspect(bytes), name);
  }
  assert.equal(seen.taken + seen.refused, MUTATIONS);
  assert.ok(seen.taken > 0 && seen.refused > MUTATIONS / 2, JSON.stringify(seen));
});

test("1,000 files of noise, with and without the magic, are refused", {
  timeout: TIMEOUT_MS,
}, () => {
  const random = seededRandom(3);
  for (let index = 0; index < MUTATIONS; index++) {
    const noise = Buffer.from(Array.from({ length: below(random, 700) }, () => below(random, 256)));
    if (index % 2 === 0 && noise.length > 1) noise.set([0xe9, 1 + below(random, 16)], 0);
    if (index % 4 === 0 && noise.length > 32) noise.writeUInt32LE(4 * below(random, 150), 28);
    assert.throws(() => decodeImage(noise), ImageError, `noise ${index}`);
    explain(inspect(noise), `noise ${index}`);
  }
});
