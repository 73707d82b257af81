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
import { below, mutations } from "./image_mutations.js";
import { sampleImage, sampleModule, sealed, seededRandom } from "./image_support.js";

const MUTATIONS = 1000;
const TIMEOUT_MS = 60_000;
const original = sampleImage({ module: sampleModule(1, 900) });

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
  for (const { name, image } of mutations(original, MUTATIONS, 1)) {
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
  for (const { name, image } of mutations(original, MUTATIONS, 2)) {
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
