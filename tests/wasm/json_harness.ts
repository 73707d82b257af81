// Puts one JsonReader at the fingertips of a test on the other side: the window's bytes are written
// into memory from outside, between guard bytes that the reader has no business to touch.

import {
  JSON_DEPTH_MAX,
  JsonReader,
  KEY_BYTES_MAX,
  SCRATCH_BYTES,
} from "../../assembly/codec/json_reader";

const WINDOW_BYTES: i32 = 16384;
const WINDOW: usize = memory.data(WINDOW_BYTES, 16);
const SCRATCH: usize = memory.data(SCRATCH_BYTES);

const reader = new JsonReader(SCRATCH);

export const depthMax: i32 = JSON_DEPTH_MAX;
export const textBytesMax: i32 = KEY_BYTES_MAX;
export const windowBytes: i32 = WINDOW_BYTES;

export function window(): usize {
  return WINDOW;
}

export function reset(): void {
  reader.reset();
}

export function feed(offset: i32, size: i32, last: bool): void {
  reader.feed(WINDOW + offset, size, last);
}

export function next(): u32 {
  return reader.next();
}

export function skip(): u32 {
  return reader.skip();
}

export function error(): u32 {
  return reader.error;
}

export function position(): u32 {
  return reader.position;
}

export function depth(): i32 {
  return reader.depth;
}

export function text(): usize {
  return reader.text;
}

export function size(): i32 {
  return reader.size;
}

export function keyTruncated(): bool {
  return reader.keyTruncated;
}

export function integerOk(): bool {
  return reader.integerOk;
}

export function integer(): i64 {
  return reader.integer();
}
