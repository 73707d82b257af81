// Reserved topics of the thing: "$aws/things/<thing name>/" and what follows, and the buffers in
// which shadows and jobs put their requests together, one at a time. A topic that arrives is
// read by comparing what follows the prefix.

import { INBOX } from "../kernel/inbox";
import { putText, startsWithText } from "../util/bytes";
import * as client from "./client";

const TOPIC_BYTES: i32 = 256;
const PREFIX: usize = utf8("$aws/things/");
const PREFIX_BYTES: i32 = 12;

/** A request is put together here at the end of a step, its event being read, and queued at once */
export const BODY_BYTES: i32 = 1024;
export const body: usize = INBOX;
const TOKEN_BYTES: i32 = 12;
/** A clientToken as text, or a random word. */
export let token: usize = 0;

/** Start of the topic that begin() began; memory is taken at the first use, before events. */
export let topic: usize = 0;

export function prepare(): void {
  if (topic != 0) return;
  topic = heap.alloc(TOPIC_BYTES);
  token = heap.alloc(TOKEN_BYTES);
}

/** Writes the prefix; returns the place where the rest goes (at least 100 bytes of room). */
export function begin(): usize {
  const end = putText(topic, PREFIX);
  memory.copy(end, client.thingName, client.thingNameSize);
  store<u8>(end + client.thingNameSize, 0x2f);
  return end + client.thingNameSize + 1;
}

/** Bytes of the prefix in front of a topic of this thing, or -1 for any other topic. */
export function prefixSize(from: usize, size: i32): i32 {
  const end = PREFIX_BYTES + client.thingNameSize;
  if (size <= end || !startsWithText(from, size, PREFIX)) return -1;
  if (memory.compare(from + PREFIX_BYTES, client.thingName, client.thingNameSize) != 0) return -1;
  return load<u8>(from + end) == 0x2f ? end + 1 : -1;
}
