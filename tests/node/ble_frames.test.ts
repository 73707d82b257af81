// Frames, byte for byte as docs/BLE.md has them, and what a radio may not do to them.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FrameError,
  type FrameProblem,
  FrameReader,
  framesOf,
} from "../../host-node/src/ble/frames.js";
import { crc32 } from "../../host-node/src/crc32.js";
import { seededRandom } from "./support/seeded_random.js";

const hexOf = (frames: readonly Uint8Array[]) =>
  frames.map((frame) => Buffer.from(frame).toString("hex"));

/** What the reader makes of the frames; all but the last must leave it waiting. */
function readAll(frames: readonly Uint8Array[]): Uint8Array | null {
  const reader = new FrameReader();
  for (const frame of frames.slice(0, -1)) assert.equal(reader.take(frame), null);
  return reader.take(frames.at(-1)!);
}

const because = (problem: FrameProblem) => (error: unknown) =>
  error instanceof FrameError && error.problem === problem;

test("packet_at_the_smallest_mtu_is_cut_as_the_document_says", () => {
  const packet = Uint8Array.from({ length: 40 }, (_, at) => at);
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(packet));
  assert.deepEqual(hexOf(framesOf(packet, 23)), [
    `802800${crc.toString("hex")}${Buffer.from(packet.subarray(0, 13)).toString("hex")}`,
    `01${Buffer.from(packet.subarray(13, 32)).toString("hex")}`,
    `02${Buffer.from(packet.subarray(32)).toString("hex")}`,
  ]);
});

test("crc_of_a_known_packet_is_that_of_zlib", () => {
  const [frame] = framesOf(Buffer.from("123456789"), 517);
  assert.equal(Buffer.from(frame!).toString("hex"), `8009002639f4cb${"313233343536373839"}`);
});

test("packets_of_every_size_come_out_as_they_went_in_at_every_mtu", () => {
  const random = seededRandom(7);
  for (const mtu of [23, 24, 100, 247, 514, 515, 517]) {
    const room = Math.min(mtu - 3, 512);
    const edges = [1, room - 8, room - 7, room - 6, 2 * room - 8, 2 * room - 7, 8191, 8192];
    for (const bytes of edges) {
      const packet = Uint8Array.from({ length: bytes }, () => random() * 256);
      const frames = framesOf(packet, mtu);
      assert.ok(frames.every((frame) => frame.length <= room && frame.length > 1));
      assert.deepEqual(readAll(frames), packet, `${bytes} bytes at ${mtu}`);
    }
  }
});

test("sequence_goes_on_with_zero_behind_127", () => {
  const frames = framesOf(new Uint8Array(13 + 19 * 130), 23);
  assert.deepEqual(
    frames.slice(126, 131).map(([sequence]) => sequence),
    [126, 127, 0, 1, 2],
  );
  assert.ok(readAll(frames) !== null);
});

test("packet_that_is_empty_or_too_large_is_not_cut", () => {
  assert.throws(() => framesOf(new Uint8Array(), 247), because("size"));
  assert.throws(() => framesOf(new Uint8Array(8193), 247), because("size"));
});

test("frame_that_is_lost_comes_twice_or_is_another_one_is_noticed", () => {
  const frames = framesOf(Buffer.alloc(60, "abc"), 23);
  assert.throws(() => readAll(frames.slice(1)), because("sequence"));
  assert.throws(() => readAll(frames.toSpliced(1, 1)), because("sequence"));
  assert.throws(() => readAll(frames.toSpliced(1, 0, frames[1]!)), because("sequence"));
  assert.throws(() => readAll(frames.toSpliced(1, 0, frames[0]!)), because("sequence"));
  assert.throws(() => readAll(frames.toSpliced(1, 0, new Uint8Array())), because("sequence"));
  const spoiled = frames.map((frame) => Uint8Array.from(frame));
  spoiled[1]![5]! ^= 1;
  assert.throws(() => readAll(spoiled), because("crc"));
});

test("frame_whose_length_cannot_be_is_refused", () => {
  const frame = (bytes: string) => Buffer.from(bytes, "hex");
  assert.throws(() => readAll([frame("80")]), because("size"));
  assert.throws(() => readAll([frame("800000aabbccdd00")]), because("size"));
  assert.throws(() => readAll([frame("800120aabbccdd00")]), because("size"));
  assert.throws(() => readAll([frame("800100aabbccdd0000")]), because("size"));
  assert.throws(() => readAll([frame("800300aabbccdd00"), frame("01")]), because("size"));
  assert.throws(() => readAll([frame("800300aabbccdd00"), frame("01000000")]), because("size"));
});
