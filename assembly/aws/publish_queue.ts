// Publish queue: what the application hands over waits here until the broker has it. Packed
// entries in one arena, oldest first; QoS 1 entries stay until PUBACK and are sent again on the
// next connection (or after ACK_MS: AWS discards what exceeds its rate, without an answer). Every
// entry ends in exactly one event, PUBLISH_SUCCEEDED or PUBLISH_DROPPED.
//
//   entry   0     2     4       6     8      9       10        12       16      18
//           | size| id  | token | topic size | flags | attempts | payload size | sent at |  bytes: topic, payload

import { Event, MQTT_TOPIC_BYTES_MAX, Status, mqttPublish } from "../abi/host";
import { nowMs } from "../kernel/clock";
import { emit } from "../kernel/events";
import { Timer, setTimer, timerIsSet } from "../kernel/timers";
import { Panic, check } from "../util/assert";

export const CAPACITY_BYTES: i32 = 3072;
/** AWS: 100 publishes a second on a connection, the excess is discarded. We keep below it. */
const PACE_MS: u32 = 12;
/** Without PUBACK for this long, a QoS 1 entry is sent again. */
const ACK_MS: u32 = 20000;
/** How long to leave a host alone that said BUSY. */
const BUSY_MS: u32 = 250;
/** Unacknowledged QoS 1 entries at a time; AWS allows 100. */
const IN_FLIGHT_MAX: i32 = 8;
/** After this many connections lost (or answers missing) with the entry in flight it is given up:
 * a publish that the policy forbids makes AWS close the connection, and would do so for ever. */
const ATTEMPTS_MAX: u8 = 5;

/** What happens to a publish that finds no room. */
export namespace Overflow {
  /** The new one is refused: publish() returns NO_SPACE. */
  export const REFUSE_NEWEST: u8 = 0;
  /** The oldest ones that are not in flight make room, each with its PUBLISH_DROPPED. */
  export const DROP_OLDEST: u8 = 1;
  /**
   * A waiting one of the same topic is replaced (at any time, not only when full); else refused.
   */
  export const REPLACE_BY_TOPIC: u8 = 2;
}

namespace Flag {
  export const QOS1: u8 = 1;
  export const RETAIN: u8 = 2;
  /** Handed to the host on this connection. */
  export const SENT: u8 = 4;
  /** Of the library, not of the application: no events; whoever sent it waits for its answer. */
  export const INTERNAL: u8 = 8;
}
/** Flags of the requests of shadows and jobs. */
export const INTERNAL_QOS1: u8 = 9;
/** All entries; what is above CAPACITY_BYTES is kept free for those requests. */
const ARENA_BYTES: i32 = CAPACITY_BYTES + 1024;
const WIRE_FLAGS: u8 = 3;
const KEPT_FLAGS: u8 = 11;

const SIZE: usize = 0;
const ID: usize = 2;
const TOKEN: usize = 4;
const TOPIC_SIZE: usize = 6;
const FLAGS: usize = 8;
const ATTEMPTS: usize = 9;
const PAYLOAD_SIZE: usize = 10;
const SENT_AT: usize = 12;
const HEADER_BYTES: i32 = 16;

const arena: usize = memory.data(ARENA_BYTES, 4);
let used: i32 = 0;
let nextId: u16 = 1;
let inFlight: i32 = 0;
let online: bool = false;
let nextSendMs: u64 = 0;

/** Entries of the application that wait or are in flight. */
export let count: i32 = 0;
export let overflow: u8 = Overflow.REFUSE_NEWEST;

export function setOverflow(policy: u8): void {
  overflow = policy;
}

function bytesOf(entry: usize): i32 {
  return <i32>load<u16>(entry, SIZE);
}

/** Queues a publish; returns its id (1 to 65535) or INVALID_ARGUMENT, TOO_LARGE or NO_SPACE. */
export function push(
  topic: usize,
  topicSize: i32,
  payload: usize,
  payloadSize: i32,
  flags: u8,
): i32 {
  if (topicSize <= 0 || topicSize > MQTT_TOPIC_BYTES_MAX) return Status.INVALID_ARGUMENT;
  const size = (HEADER_BYTES + topicSize + payloadSize + 3) & ~3;
  if (payloadSize > CAPACITY_BYTES || size > CAPACITY_BYTES) return Status.TOO_LARGE;
  const hasRoom =
    (flags & Flag.INTERNAL) != 0 ? used + size <= ARENA_BYTES : makeRoom(size, topic, topicSize);
  if (!hasRoom) return Status.NO_SPACE;
  return append(size, topic, topicSize, payload, payloadSize, flags & KEPT_FLAGS);
}

function append(
  size: i32,
  topic: usize,
  topicSize: i32,
  payload: usize,
  payloadSize: i32,
  flags: u8,
): i32 {
  const entry = arena + used;
  const id = nextId;
  nextId = id == 0xffff ? 1 : id + 1;
  store<u16>(entry, <u16>size, SIZE);
  store<u16>(entry, id, ID);
  store<u16>(entry, 0, TOKEN);
  store<u16>(entry, <u16>topicSize, TOPIC_SIZE);
  store<u16>(entry, <u16>flags, FLAGS); // and no attempts
  store<u16>(entry, <u16>payloadSize, PAYLOAD_SIZE);
  memory.copy(entry + HEADER_BYTES, topic, topicSize);
  memory.copy(entry + HEADER_BYTES + topicSize, payload, payloadSize);
  used += size;
  if ((flags & Flag.INTERNAL) == 0) count++;
  return <i32>id;
}

/** Applies the overflow policy; gives nothing up unless that makes room for `size` bytes. */
function makeRoom(size: i32, topic: usize, topicSize: i32): bool {
  const free = CAPACITY_BYTES - used;
  if (overflow == Overflow.REPLACE_BY_TOPIC) {
    const entry = findWaiting(topic, topicSize);
    if (entry != 0 && free + bytesOf(entry) >= size) {
      end(entry, Event.PUBLISH_DROPPED);
      return true;
    }
  } else if (overflow == Overflow.DROP_OLDEST && free + waitingBytes() >= size) {
    while (CAPACITY_BYTES - used < size) end(findWaiting(0, 0), Event.PUBLISH_DROPPED);
    return true;
  }
  return free >= size;
}

/** The application's oldest entry that waits (and has this topic, if one is named), or 0. */
function findWaiting(topic: usize, topicSize: i32): usize {
  for (let entry = arena; entry < arena + used; entry += bytesOf(entry)) {
    const isIts = (load<u8>(entry, FLAGS) & (Flag.SENT | Flag.INTERNAL)) == 0;
    if (isIts && (topicSize == 0 || hasTopic(entry, topic, topicSize))) return entry;
  }
  return 0;
}

/** The oldest entry that waits, or 0. */
function nextWaiting(): usize {
  for (let entry = arena; entry < arena + used; entry += bytesOf(entry)) {
    if (!isInFlight(entry)) return entry;
  }
  return 0;
}

function waitingBytes(): i32 {
  let sum = 0;
  for (let entry = arena; entry < arena + used; entry += bytesOf(entry)) {
    if ((load<u8>(entry, FLAGS) & (Flag.SENT | Flag.INTERNAL)) == 0) sum += bytesOf(entry);
  }
  return sum;
}

function hasTopic(entry: usize, topic: usize, topicSize: i32): bool {
  return (
    <i32>load<u16>(entry, TOPIC_SIZE) == topicSize &&
    memory.compare(entry + HEADER_BYTES, topic, topicSize) == 0
  );
}

/** Reports the entry's end and takes it out of the arena. */
function end(entry: usize, event: u8): void {
  if (!isInternal(entry)) {
    const topicSize = event == Event.PUBLISH_DROPPED ? <i32>load<u16>(entry, TOPIC_SIZE) : 0;
    emit(event, load<u16>(entry, ID), entry + HEADER_BYTES, topicSize);
    count--;
  }
  if (isInFlight(entry)) inFlight--;
  const size = bytesOf(entry);
  const next = entry + size;
  memory.copy(entry, next, arena + used - next);
  used -= size;
  check(used >= 0 && count >= 0 && inFlight >= 0, Panic.PUBLISH_QUEUE);
}

function isInternal(entry: usize): bool {
  return (load<u8>(entry, FLAGS) & Flag.INTERNAL) != 0;
}

function isInFlight(entry: usize): bool {
  return (load<u8>(entry, FLAGS) & Flag.SENT) != 0;
}

/** Drops everything that is not in flight, each with its event. */
export function clear(): void {
  let entry: usize;
  while ((entry = findWaiting(0, 0)) != 0) end(entry, Event.PUBLISH_DROPPED);
}

/** The thing's connection is up. */
export function onUp(): void {
  online = true;
}

/** It is gone. Everything in flight waits again; `blamed` when the broker ended the connection.
 * Requests of the library end here: they are made anew, from what is true then. */
export function onDown(blamed: bool): void {
  online = false;
  let entry = arena;
  while (entry < arena + used) {
    if (isInternal(entry)) end(entry, Event.PUBLISH_DROPPED);
    else if (!isInFlight(entry) || !recall(entry, blamed)) entry += bytesOf(entry);
  }
}

/** Puts an entry in flight back to waiting; true when it was given up, and removed, instead. */
function recall(entry: usize, blamed: bool): bool {
  const attempts = load<u8>(entry, ATTEMPTS) + <u8>blamed;
  if (attempts >= ATTEMPTS_MAX) {
    end(entry, Event.PUBLISH_DROPPED);
    return true;
  }
  store<u8>(entry, attempts, ATTEMPTS);
  store<u8>(entry, load<u8>(entry, FLAGS) & KEPT_FLAGS, FLAGS);
  inFlight--;
  return false;
}

/** Event MQTT_PUBLISHED: PUBACK. An unknown token belongs to an entry that was sent again since. */
export function onPublished(token: i32, status: i32): void {
  for (let entry = arena; entry < arena + used; entry += bytesOf(entry)) {
    if (isInFlight(entry) && <i32>load<u16>(entry, TOKEN) == token) {
      end(entry, status < 0 ? Event.PUBLISH_DROPPED : Event.PUBLISH_SUCCEEDED);
      return;
    }
  }
}

/** Sends what may be sent now, recalls what was not acknowledged, and sets the timer for the rest.
 * Called once at the end of each step. */
export function pump(): void {
  if (!online) return;
  recallUnacknowledged();
  let entry: usize;
  while ((entry = nextWaiting()) != 0 && mayFly(entry)) {
    if (nowMs < nextSendMs) {
      setTimer(Timer.PUBLISH, <u32>(nextSendMs - nowMs));
      return;
    }
    if (!send(entry)) {
      setTimer(Timer.PUBLISH, BUSY_MS);
      return;
    }
  }
  if (inFlight > 0 && !timerIsSet(Timer.PUBLISH)) setTimer(Timer.PUBLISH, ACK_MS >> 2);
}

function mayFly(entry: usize): bool {
  return (load<u8>(entry, FLAGS) & Flag.QOS1) == 0 || inFlight < IN_FLIGHT_MAX;
}

function recallUnacknowledged(): void {
  let entry = arena;
  while (entry < arena + used) {
    const late = isInFlight(entry) && <u32>nowMs - load<u32>(entry, SENT_AT) >= ACK_MS;
    // A request of the library that is sent again would tell what was true once.
    if (late && isInternal(entry)) end(entry, Event.PUBLISH_DROPPED);
    else if (!late || !recall(entry, true)) entry += bytesOf(entry);
  }
}

/** Hands one entry to the host; false when the host cannot take it now. */
function send(entry: usize): bool {
  const topicSize = load<u16>(entry, TOPIC_SIZE);
  const wire = load<u8>(entry, FLAGS) & WIRE_FLAGS;
  const token = mqttPublish(
    entry + HEADER_BYTES,
    topicSize,
    entry + HEADER_BYTES + topicSize,
    load<u16>(entry, PAYLOAD_SIZE),
    wire,
  );
  if (token == Status.BUSY || token == Status.NOT_READY) return false;
  nextSendMs = nowMs + PACE_MS;
  if (token < 0) {
    end(entry, Event.PUBLISH_DROPPED);
  } else if ((wire & Flag.QOS1) == 0) {
    end(entry, Event.PUBLISH_SUCCEEDED);
  } else {
    store<u16>(entry, <u16>token, TOKEN);
    store<u32>(entry, <u32>nowMs, SENT_AT);
    store<u8>(entry, load<u8>(entry, FLAGS) | Flag.SENT, FLAGS);
    inFlight++;
  }
  return true;
}
