// Messages for the application: whole ones, in a ring buffer, until the application reads them.
// Fragments are appended to a reserved record that nobody sees before the last one is there. What
// does not fit (larger than the ring, or the ring is full) is an event with topic and size. The
// ring is the workspace: messages come on the thing's connection only, when nobody else needs it.
//
//   record   0            2
//            | topic size | topic | payload

import { Event, MQTT_TOPIC_BYTES_MAX } from "../abi/host";
import { emit } from "../kernel/events";
import { WORKSPACE, WORKSPACE_BYTES } from "../kernel/workspace";
import { Ring } from "../util/ring";

const HEADER_BYTES: i32 = 2;

const ring = new Ring(WORKSPACE, WORKSPACE_BYTES);
const header: usize = memory.data(2, 2);
const topicBuffer: usize = memory.data(MQTT_TOPIC_BYTES_MAX);

/** Bytes of the present message that are still to come; -1 when it is not being kept. */
let missing: i32 = -1;
let total: i32 = 0;
let topicSize: i32 = 0;

/** A message of `size` payload bytes begins. */
export function begin(topic: usize, topicBytes: i32, size: i32): void {
  cancel();
  total = size;
  topicSize = topicBytes;
  if (topicBytes > MQTT_TOPIC_BYTES_MAX || !ring.reserve(HEADER_BYTES + topicBytes + size)) {
    emit(Event.MESSAGE_DROPPED, size, topic, topicBytes);
    return;
  }
  memory.copy(topicBuffer, topic, topicBytes);
  store<u16>(header, <u16>topicBytes);
  ring.append(header, HEADER_BYTES);
  ring.append(topic, topicBytes);
  missing = size;
}

/** The next bytes of it. */
export function append(from: usize, size: i32): void {
  if (missing < 0) return;
  ring.append(from, size);
  missing -= size;
  if (missing > 0) return;
  missing = -1;
  ring.commit();
  emit(Event.MESSAGE_ARRIVED, total, topicBuffer, topicSize);
}

/** The connection ended in the middle of a message; with QoS 1 it comes again. */
export function cancel(): void {
  if (missing >= 0) ring.cancel();
  missing = -1;
}

/** Messages that wait. */
export function count(): i32 {
  return ring.count;
}

/** Topic bytes of the oldest message; call only when count() > 0, like all below. */
export function oldestTopicSize(): i32 {
  ring.read(0, header, HEADER_BYTES);
  return <i32>load<u16>(header);
}

export function oldestPayloadSize(): i32 {
  return ring.peekSize() - HEADER_BYTES - oldestTopicSize();
}

/** Copies topic and payload of the oldest message, one behind the other. */
export function copyOldest(to: usize): void {
  ring.read(HEADER_BYTES, to, ring.peekSize() - HEADER_BYTES);
}

export function dropOldest(): void {
  ring.drop();
}
