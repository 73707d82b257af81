// Subscriptions: topic filters that are wanted, kept over reconnects. The session is always clean,
// so each new connection subscribes to all of them again, one SUBSCRIBE at a time: when AWS closes
// the connection because the policy forbids a filter, it is known which one. After STRIKES_MAX such
// endings the filter is given up with an event, and the device goes on without it.
//
//   entry   0      2      4     5     6        7         8
//           | size | token| qos | state| owner | strikes | filter bytes

import { Event, LogLevel, LogModule, MQTT_TOPIC_BYTES_MAX, Status } from "../abi/host";
import { mqttSubscribe, mqttUnsubscribe } from "../abi/host";
import { emit } from "../kernel/events";
import { logSlice } from "../kernel/log";
import { Timer, clearTimer, setTimer } from "../kernel/timers";

export const CAPACITY_BYTES: i32 = 1536;
const ANSWER_MS_MAX: u32 = 15000;
const BUSY_MS: u32 = 250;
const STRIKES_MAX: u8 = 3;

/** Who wants the filter: provisioning on the claim connection, all others on the thing's. */
export namespace Owner {
  export const APPLICATION: u8 = 0;
  export const PROVISIONING: u8 = 1;
  export const SHADOW: u8 = 2;
  export const JOBS: u8 = 3;
}

namespace State {
  export const WANTED: u8 = 0;
  export const ASKED: u8 = 1;
  export const ACTIVE: u8 = 2;
  export const UNWANTED: u8 = 3;
  export const LEAVING: u8 = 4;
}

const SIZE: usize = 0;
const TOKEN: usize = 2;
const QOS: usize = 4;
const STATE: usize = 5;
const OWNER: usize = 6;
const STRIKES: usize = 7;
const HEADER_BYTES: i32 = 8;

const arena: usize = memory.data(CAPACITY_BYTES, 2);
let used: i32 = 0;
let online: bool = false;
let asThing: bool = false;
/** One SUBSCRIBE or UNSUBSCRIBE is on its way. */
let asking: bool = false;

function bytesOf(entry: usize): i32 {
  return <i32>load<u16>(entry, SIZE);
}

function stateOf(entry: usize): u8 {
  return load<u8>(entry, STATE);
}

/** Entries are padded to two bytes; the last byte of an odd filter's entry is 0. */
function filterSize(entry: usize): i32 {
  const size = bytesOf(entry) - HEADER_BYTES;
  return size - <i32>(load<u8>(entry + HEADER_BYTES + size - 1) == 0);
}

function isOfConnection(entry: usize): bool {
  return (load<u8>(entry, OWNER) == Owner.PROVISIONING) != asThing;
}

function find(filter: usize, size: i32): usize {
  for (let entry = arena; entry < arena + used; entry += bytesOf(entry)) {
    if (filterSize(entry) == size && memory.compare(entry + HEADER_BYTES, filter, size) == 0) {
      return entry;
    }
  }
  return 0;
}

/** Whether a filter is wanted. */
export function has(filter: usize, size: i32): bool {
  return find(filter, size) != 0;
}

/** Wants a filter; OK, INVALID_ARGUMENT or NO_SPACE. A filter that is there takes the new QoS. */
export function add(filter: usize, size: i32, qos: u8, by: u8): i32 {
  if (size <= 0 || size > MQTT_TOPIC_BYTES_MAX || qos > 1) return Status.INVALID_ARGUMENT;
  let entry = find(filter, size);
  if (entry == 0) {
    const bytes = HEADER_BYTES + ((size + 1) & ~1);
    if (used + bytes > CAPACITY_BYTES) return Status.NO_SPACE;
    entry = arena + used;
    used += bytes;
    store<u16>(entry + bytes - 2, 0);
    store<u16>(entry, 0, TOKEN); // but an answer that is under way for an old entry still counts
    memory.copy(entry + HEADER_BYTES, filter, size);
    store<u16>(entry, <u16>bytes, SIZE);
  } else if (stateOf(entry) == State.ACTIVE && load<u8>(entry, QOS) == qos) {
    return Status.OK;
  }
  store<u8>(entry, qos, QOS);
  store<u8>(entry, State.WANTED, STATE);
  store<u8>(entry, by, OWNER);
  store<u8>(entry, 0, STRIKES);
  return Status.OK;
}

/** Wants a filter no longer; OK or NOT_FOUND. */
export function remove(filter: usize, size: i32): i32 {
  const entry = find(filter, size);
  if (entry == 0) return Status.NOT_FOUND;
  const was = stateOf(entry);
  if (was == State.WANTED) drop(entry);
  else store<u8>(entry, State.UNWANTED, STATE);
  return Status.OK;
}

/** Forgets every filter of an owner, without a word to the broker: for connections that end. */
export function removeAll(by: u8): void {
  let entry = arena;
  while (entry < arena + used) {
    if (load<u8>(entry, OWNER) == by) drop(entry);
    else entry += bytesOf(entry);
  }
}

function drop(entry: usize): void {
  const size = bytesOf(entry);
  memory.copy(entry, entry + size, arena + used - entry - size);
  used -= size;
}

/** Filters that are not yet in force, and may be asked for on this connection. */
export function waiting(): i32 {
  let count = 0;
  for (let entry = arena; entry < arena + used; entry += bytesOf(entry)) {
    if (isOfConnection(entry) && stateOf(entry) != State.ACTIVE) count++;
  }
  return count;
}

/** A new connection, of the thing or of the claim. Nothing is in force yet. */
export function onUp(ofThing: bool): void {
  online = true;
  asking = false;
  asThing = ofThing;
}

/** The connection ended; `blamed` when the broker ended it, not the network or we. */
export function onDown(blamed: bool): void {
  online = false;
  asking = false;
  clearTimer(Timer.SUBSCRIBE);
  let entry = arena;
  while (entry < arena + used) {
    if (!restore(entry, blamed)) entry += bytesOf(entry);
  }
}

/** Makes an entry wanted again; true when it was removed instead. */
function restore(entry: usize, blamed: bool): bool {
  const was = stateOf(entry);
  store<u8>(entry, State.WANTED, STATE);
  if (was == State.UNWANTED || was == State.LEAVING) {
    drop(entry);
    return true;
  }
  if (was != State.ASKED || !blamed) return false;
  const strikes = load<u8>(entry, STRIKES) + 1;
  store<u8>(entry, strikes, STRIKES);
  if (strikes < STRIKES_MAX) return false;
  giveUp(entry, Status.REFUSED);
  return true;
}

function giveUp(entry: usize, status: i32): void {
  emit(Event.MQTT_SUBSCRIBE_FAILED, status, entry + HEADER_BYTES, filterSize(entry));
  drop(entry);
}

function byToken(token: i32): usize {
  for (let entry = arena; entry < arena + used; entry += bytesOf(entry)) {
    if (asking && <i32>load<u16>(entry, TOKEN) == token) return entry;
  }
  return 0;
}

/** Event MQTT_SUBSCRIBED: `granted` is a QoS or a Status. */
export function onSubscribed(token: i32, granted: i32): void {
  const entry = byToken(token);
  if (entry == 0) return;
  answered(entry);
  if (granted < 0) {
    giveUp(entry, granted);
    return;
  }
  emit(Event.MQTT_SUBSCRIBED, granted, entry + HEADER_BYTES, filterSize(entry));
  store<u8>(entry, 0, STRIKES);
  if (stateOf(entry) == State.ASKED) store<u8>(entry, State.ACTIVE, STATE);
}

/** Event MQTT_UNSUBSCRIBED. */
export function onUnsubscribed(token: i32): void {
  const entry = byToken(token);
  if (entry == 0) return;
  answered(entry);
  if (stateOf(entry) == State.LEAVING) drop(entry);
}

function answered(entry: usize): void {
  asking = false;
  clearTimer(Timer.SUBSCRIBE);
  store<u16>(entry, 0, TOKEN);
}

/** No answer in time: ask again. */
export function onTimer(): void {
  asking = false;
  for (let entry = arena; entry < arena + used; entry += bytesOf(entry)) {
    const was = stateOf(entry);
    if (was == State.ASKED) store<u8>(entry, State.WANTED, STATE);
    if (was == State.LEAVING) store<u8>(entry, State.UNWANTED, STATE);
  }
}

/** Asks for the next filter. Called once at the end of each step. */
export function pump(): void {
  if (!online || asking) return;
  for (let entry = arena; entry < arena + used; entry += bytesOf(entry)) {
    const was = stateOf(entry);
    const wanted = was == State.WANTED;
    if ((wanted || was == State.UNWANTED) && isOfConnection(entry)) {
      ask(entry, wanted);
      return;
    }
  }
}

function ask(entry: usize, wanted: bool): void {
  const filter = entry + HEADER_BYTES;
  const size = filterSize(entry);
  logSlice(LogLevel.DEBUG, LogModule.SESSION, utf8("asks for"), filter, size);
  const token = wanted
    ? mqttSubscribe(filter, size, load<u8>(entry, QOS))
    : mqttUnsubscribe(filter, size);
  if (token == Status.INVALID_ARGUMENT) {
    giveUp(entry, token);
    return;
  }
  asking = true; // also when the host is busy: the timer asks again
  setTimer(Timer.SUBSCRIBE, token > 0 ? ANSWER_MS_MAX : BUSY_MS);
  if (token <= 0) return;
  store<u8>(entry, wanted ? State.ASKED : State.LEAVING, STATE);
  store<u16>(entry, <u16>token, TOKEN);
}
