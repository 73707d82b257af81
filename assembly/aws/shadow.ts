// Device shadows, classic and named: one machine a shadow, one request of it in flight. On each
// connection the document is got and reconciled, so that a delta that came while offline is not
// lost; from then on changes of the application go out in one update for all elements, and deltas
// come in, each version once. An update that desires something carries the version it was made
// on, and is made again on the fresh document when AWS answers 409. What is sent is always made
// from the present values, so that a thousand deltas cost as many updates as there are answers.
// Source: AWS IoT Core developer guide, «Device Shadow MQTT topics».

import { Event, Status, sysRandom } from "../abi/host";
import { JsonWriter } from "../codec/json_writer";
import { nowMs } from "../kernel/clock";
import { emit } from "../kernel/events";
import { Timer, setTimer } from "../kernel/timers";
import { Backoff } from "../util/backoff";
import { equalsText, putDecimal, putText, startsWithText } from "../util/bytes";
import { END, actionOf, findRow, nextOf } from "../util/machine";
import { Client, STRIKES_MAX, add } from "./client";
import * as queue from "./publish_queue";
import * as elements from "./shadow_elements";
import { Mark } from "./shadow_elements";
import * as message from "./shadow_message";
import { Kind } from "./shadow_message";
import * as subscriptions from "./subscriptions";
import * as topics from "./topics";

export const SHADOWS_MAX: i32 = 4;
export const NAME_BYTES_MAX: i32 = 64;
const ANSWER_MS: u32 = 15000;
const RETRY_MS_MIN: u32 = 2000;
const RETRY_MS_MAX: u32 = 300000;
/** A delta that got lost, however that may be, is made good within this time. */
const DOUBT_MS: u32 = 6 * 3600 * 1000;
/** No shadow is changed so often behind our back: a delta that says so is asked about. */
const VERSIONS_AHEAD_MAX: i64 = 10000;
/** What closes a document behind its last element, and opens a second section. */
const CLOSE_BYTES: i32 = 32;

namespace State {
  export const OFF: u8 = 0;
  export const SUBSCRIBING: u8 = 1;
  export const GETTING: u8 = 2;
  export const SYNCED: u8 = 3;
  export const UPDATING: u8 = 4;
  export const WAITING: u8 = 5;
}

namespace Input {
  export const UP: u8 = 0;
  export const DOWN: u8 = 1;
  export const SUBSCRIBED: u8 = 2;
  export const ACCEPTED: u8 = 3;
  export const MISSING: u8 = 4;
  export const CONFLICT: u8 = 5;
  export const REJECTED: u8 = 6;
  export const CHANGED: u8 = 7;
  export const TIMER: u8 = 8;
}

namespace Action {
  export const NONE: u8 = 0;
  export const SUBSCRIBE: u8 = 1;
  export const GET: u8 = 2;
  export const RECONCILE: u8 = 3;
  export const UPDATE: u8 = 4;
  export const ACKNOWLEDGE: u8 = 5;
  export const RETRY_LATER: u8 = 6;
  export const RECALL: u8 = 7;
  export const GET_AGAIN: u8 = 8;
}

// machine: shadow
// biome-ignore format: one row a line
const TABLE: usize = memory.data<u8>([
  // state,           input,            action,             next
  State.OFF,          Input.UP,         Action.SUBSCRIBE,   State.SUBSCRIBING,
  State.SUBSCRIBING,  Input.SUBSCRIBED, Action.GET,         State.GETTING,
  State.SUBSCRIBING,  Input.DOWN,       Action.RECALL,      State.OFF,
  State.GETTING,      Input.ACCEPTED,   Action.RECONCILE,   State.SYNCED,
  State.GETTING,      Input.MISSING,    Action.RECONCILE,   State.SYNCED,
  State.GETTING,      Input.CONFLICT,   Action.GET_AGAIN,   State.GETTING,
  State.GETTING,      Input.REJECTED,   Action.RETRY_LATER, State.WAITING,
  State.GETTING,      Input.TIMER,      Action.RETRY_LATER, State.WAITING,
  State.GETTING,      Input.DOWN,       Action.RECALL,      State.OFF,
  State.SYNCED,       Input.CHANGED,    Action.UPDATE,      State.UPDATING,
  State.SYNCED,       Input.CONFLICT,   Action.GET_AGAIN,   State.GETTING,
  State.SYNCED,       Input.TIMER,      Action.GET,         State.GETTING,
  State.SYNCED,       Input.DOWN,       Action.RECALL,      State.OFF,
  State.UPDATING,     Input.ACCEPTED,   Action.ACKNOWLEDGE, State.SYNCED,
  State.UPDATING,     Input.CONFLICT,   Action.GET_AGAIN,   State.GETTING,
  State.UPDATING,     Input.REJECTED,   Action.RETRY_LATER, State.WAITING,
  State.UPDATING,     Input.TIMER,      Action.RETRY_LATER, State.WAITING,
  State.UPDATING,     Input.DOWN,       Action.RECALL,      State.OFF,
  State.WAITING,      Input.TIMER,      Action.GET,         State.GETTING,
  State.WAITING,      Input.DOWN,       Action.RECALL,      State.OFF,
  END,
]);

// Made with the first shadow, so that an application without shadows pays nothing.
let writer: JsonWriter = changetype<JsonWriter>(0);
let backoff: Backoff = changetype<Backoff>(0);
let shadows: StaticArray<Shadow> = changetype<StaticArray<Shadow>>(0);

let count: i32 = 0;
/** The shadow whose message is being read. */
let reading: i32 = -1;
let leafRead: u8 = 0;

/** One shadow; the class is the row of a table that application code may hold. */
class Shadow {
  state: u8 = State.OFF;
  /** Newest version known; an update that desires something is made on it. */
  version: i64 = 0;
  /** Version of the newest state taken. Not that of an answer to an update: the delta that this
   * very update caused has the same version, and may come behind it. */
  taken: i64 = 0;
  /** Version of a delta that overtook the document being got; 0 when none did. */
  ahead: i64 = 0;
  /** Token of the request in flight. */
  token: u32 = 0;
  dueMs: u64 = 0;
  /** Connections that the broker ended with a request in flight. */
  strikes: u8 = 0;

  constructor(
    readonly name: usize,
    readonly nameSize: i32,
    readonly index: u8,
  ) {}
}

/** Defines a shadow; size 0 is the classic one. Its number, or -1 when there are SHADOWS_MAX. */
export function define(name: usize, size: i32): i32 {
  if (count == SHADOWS_MAX || size > NAME_BYTES_MAX) return -1;
  if (count == 0) prepare();
  const copy = heap.alloc(max(size, 1));
  memory.copy(copy, name, size);
  unchecked((shadows[count] = new Shadow(copy, size, <u8>count)));
  return count++;
}

function prepare(): void {
  writer = new JsonWriter();
  backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX);
  shadows = changetype<StaticArray<Shadow>>(new StaticArray<Shadow | null>(SHADOWS_MAX));
  topics.prepare();
  message.prepare();
  add(new Shadows());
}

function step(shadow: Shadow, input: u8): void {
  const row = findRow(TABLE, shadow.state, input);
  if (row == 0) return;
  shadow.state = nextOf(row);
  shadow.dueMs = 0;
  act(shadow, actionOf(row));
}

function act(shadow: Shadow, action: u8): void {
  switch (action) {
    case Action.SUBSCRIBE:
      backoff.reset();
      subscribe(shadow);
      break;
    case Action.GET_AGAIN:
      recall(shadow);
      get(shadow);
      break;
    case Action.GET:
      get(shadow);
      break;
    case Action.RECONCILE:
      shadow.strikes = 0;
      shadow.dueMs = nowMs + DOUBT_MS;
      reconcile(shadow);
      break;
    case Action.UPDATE:
      update(shadow);
      break;
    case Action.ACKNOWLEDGE:
      shadow.strikes = 0;
      shadow.dueMs = nowMs + DOUBT_MS;
      backoff.reset();
      acknowledge(shadow);
      break;
    case Action.RETRY_LATER:
      recall(shadow);
      sysRandom(topics.token, 4);
      shadow.dueMs = nowMs + backoff.next(load<u32>(topics.token));
      break;
    case Action.RECALL:
      recall(shadow);
      break;
  }
}

/**
 * Writes "$aws/things/<thing>/shadow" or ".../shadow/name/<name>", then `leaf` (or 0); its size.
 */
function putTopic(shadow: Shadow, leaf: usize): i32 {
  let end = putText(topics.begin(), utf8("shadow"));
  if (shadow.nameSize > 0) {
    end = putText(end, utf8("/name/"));
    memory.copy(end, shadow.name, shadow.nameSize);
    end += shadow.nameSize;
  }
  if (leaf != 0) end = putText(end, leaf);
  return <i32>(end - topics.topic);
}

function subscribe(shadow: Shadow): void {
  want(shadow, utf8("/get/+"));
  want(shadow, utf8("/update/accepted"));
  want(shadow, utf8("/update/rejected"));
  want(shadow, utf8("/update/delta"));
}

function want(shadow: Shadow, leaf: usize): void {
  const size = putTopic(shadow, leaf);
  const status = subscriptions.add(topics.topic, size, 1, subscriptions.Owner.SHADOW);
  if (status < 0) emit(Event.MQTT_SUBSCRIBE_FAILED, status, topics.topic, size);
}

/** Begins a request with a token of its own; random, since answers to others are heard, too. */
function beginRequest(shadow: Shadow): void {
  sysRandom(topics.token, 4);
  shadow.token = load<u32>(topics.token) | 1;
  shadow.dueMs = nowMs + ANSWER_MS;
  writer.begin(topics.body, topics.BODY_BYTES);
  writer.object();
  writer.key(utf8("clientToken"));
  const digits = <i32>(putDecimal(topics.token, shadow.token) - topics.token);
  writer.string(topics.token, digits);
}

function send(shadow: Shadow, leaf: usize): void {
  const topicSize = putTopic(shadow, leaf);
  const status = queue.push(topics.topic, topicSize, topics.body, writer.size, queue.INTERNAL_QOS1);
  if (status < 0) shadow.dueMs = nowMs + RETRY_MS_MIN; // no room: as if the answer had not come
}

function get(shadow: Shadow): void {
  shadow.ahead = 0;
  beginRequest(shadow);
  writer.end();
  send(shadow, utf8("/get"));
}

/** Elements of this shadow that have one of the marks. */
function any(shadow: Shadow, marks: u16): bool {
  for (let i = 0; i < elements.count; i++) {
    if (elements.shadowOf(i) == shadow.index && elements.has(i, marks)) return true;
  }
  return false;
}

/** One document with everything that changed, or as much as fits. */
function update(shadow: Shadow): void {
  beginRequest(shadow);
  if (any(shadow, Mark.DESIRE)) {
    writer.key(utf8("version"));
    writer.integer(shadow.version);
  }
  writer.key(utf8("state"));
  writer.object();
  const reports = section(shadow, utf8("reported"), Mark.REPORT, false);
  const desires = section(shadow, utf8("desired"), Mark.DESIRE, reports);
  writer.end();
  writer.end();
  if (reports || desires) send(shadow, utf8("/update"));
  else shadow.dueMs = nowMs; // all of it was refused
}

/** Writes the elements with this mark as a member, as many as fit, and moves them to SENT. What
 * does not fit waits for the next document, unless there is nothing else in this: `filled`. */
function section(shadow: Shadow, name: usize, which: u16, filled: bool): bool {
  if (!any(shadow, which)) return false;
  let some = false;
  writer.key(name);
  writer.object();
  for (let i = 0; i < elements.count; i++) {
    if (elements.shadowOf(i) != shadow.index || !elements.has(i, which)) continue;
    const before = writer.size;
    elements.write(i, writer);
    if (writer.size > topics.BODY_BYTES - CLOSE_BYTES || writer.overflow) {
      writer.rewind(before);
      if (some || filled) break;
      elements.refuse(i);
      continue;
    }
    elements.unmark(i, which);
    elements.mark(i, which == Mark.REPORT ? Mark.SENT_REPORT : Mark.SENT_DESIRE);
    some = true;
  }
  writer.end();
  return some;
}

/** What was sent and not acknowledged is to be sent again. */
function recall(shadow: Shadow): void {
  for (let i = 0; i < elements.count; i++) {
    if (elements.shadowOf(i) != shadow.index) continue;
    if (elements.has(i, Mark.SENT_REPORT)) elements.mark(i, Mark.REPORT);
    if (elements.has(i, Mark.SENT_DESIRE)) elements.mark(i, Mark.DESIRE);
    elements.unmark(i, Mark.SENT_REPORT | Mark.SENT_DESIRE);
  }
}

function acknowledge(shadow: Shadow): void {
  shadow.version = max(shadow.version, message.version);
  for (let i = 0; i < elements.count; i++) {
    if (elements.shadowOf(i) == shadow.index) {
      elements.unmark(i, Mark.SENT_REPORT | Mark.SENT_DESIRE);
    }
  }
}

/** The document of the cloud is there (or there is none): both sides become one. */
function reconcile(shadow: Shadow): void {
  takeIncoming(shadow);
  for (let i = 0; i < elements.count; i++) {
    if (
      elements.shadowOf(i) == shadow.index &&
      elements.isReported(i) &&
      elements.has(i, Mark.SET)
    ) {
      if (elements.has(i, Mark.KNOWN)) elements.unmark(i, Mark.REPORT);
      else elements.mark(i, Mark.REPORT);
    }
  }
  emit(Event.SHADOW_SYNCED, <i32>shadow.version, shadow.name, shadow.nameSize);
}

/** Takes the values that the message brought. What the application wants itself stands above. */
function takeIncoming(shadow: Shadow): void {
  shadow.taken = message.version;
  shadow.version = message.version;
  for (let i = 0; i < elements.count; i++) {
    if (elements.shadowOf(i) != shadow.index) continue;
    if (elements.has(i, Mark.MISMATCH)) {
      emit(Event.SHADOW_MISMATCH, i, elements.keyOf(i), elements.keySize(i));
    } else if (elements.has(i, Mark.INCOMING) && !elements.has(i, Mark.DESIRE | Mark.SENT_DESIRE)) {
      takeElement(i);
    }
  }
}

function takeElement(element: i32): void {
  const same = elements.incomingIsPresent(element);
  if (!same) elements.unmark(element, Mark.KNOWN);
  if (!same || !elements.has(element, Mark.SET)) {
    elements.take(element);
    emit(Event.SHADOW_CHANGED, element, elements.keyOf(element), elements.keySize(element));
  }
  if (elements.isReported(element)) elements.mark(element, Mark.REPORT);
}

/** What follows ".../shadow" or ".../shadow/name/<name>" in a topic that is for us. */
namespace Leaf {
  export const GET_ACCEPTED: u8 = 0;
  export const UPDATE_ACCEPTED: u8 = 1;
  export const DELTA: u8 = 2;
  export const REJECTED: u8 = 3;
  export const OTHER: u8 = 4;
}

function leafOf(from: usize, size: i32): u8 {
  if (equalsText(from, size, utf8("/get/accepted"))) return Leaf.GET_ACCEPTED;
  if (equalsText(from, size, utf8("/update/accepted"))) return Leaf.UPDATE_ACCEPTED;
  if (equalsText(from, size, utf8("/update/delta"))) return Leaf.DELTA;
  const rejected =
    equalsText(from, size, utf8("/get/rejected")) ||
    equalsText(from, size, utf8("/update/rejected"));
  return rejected ? Leaf.REJECTED : Leaf.OTHER;
}

/** A message has come whole. */
function onMessage(shadow: Shadow): void {
  if (leafRead == Leaf.DELTA) {
    // Not before the document is known, and each version once: deltas come twice and out of order.
    if (shadow.state == State.GETTING) shadow.ahead = message.version;
    const known = shadow.state == State.SYNCED || shadow.state == State.UPDATING;
    if (!known || message.version <= shadow.taken) return;
    if (message.version - shadow.version > VERSIONS_AHEAD_MAX) step(shadow, Input.CONFLICT);
    else takeIncoming(shadow);
    return;
  }
  if (message.token != <i64>shadow.token) return; // the answer to somebody else
  if (leafRead == Leaf.REJECTED) onRejected(shadow);
  else if (message.version < shadow.ahead) step(shadow, Input.CONFLICT);
  else step(shadow, Input.ACCEPTED);
}

function onRejected(shadow: Shadow): void {
  if (shadow.state == State.GETTING && message.code == 404) {
    message.version = 0;
    step(shadow, Input.MISSING);
  } else if (message.code == 409) {
    step(shadow, Input.CONFLICT);
  } else {
    emit(Event.SHADOW_REJECTED, message.code, message.messageText, message.messageSize);
    step(shadow, Input.REJECTED);
  }
}

function strike(shadow: Shadow): void {
  if (++shadow.strikes < STRIKES_MAX) return;
  emit(Event.SHADOW_REJECTED, Status.REFUSED, shadow.name, shadow.nameSize);
}

/** All shadows, as a client of the session. */
class Shadows extends Client {
  onUp(): void {
    for (let i = 0; i < count; i++) {
      const shadow = unchecked(shadows[i]);
      if (shadow.strikes < STRIKES_MAX) step(shadow, Input.UP);
    }
  }

  onDown(blamed: bool): void {
    reading = -1;
    for (let i = 0; i < count; i++) {
      const shadow = unchecked(shadows[i]);
      if (blamed && (shadow.state == State.GETTING || shadow.state == State.UPDATING))
        strike(shadow);
      step(shadow, Input.DOWN);
    }
  }

  begin(topic: usize, topicSize: i32, _total: i32): bool {
    const prefix = topics.prefixSize(topic, topicSize);
    reading = -1;
    if (prefix < 0 || !startsWithText(topic + prefix, topicSize - prefix, utf8("shadow/")))
      return false;
    for (let i = 0; i < count; i++) {
      const size = putTopic(unchecked(shadows[i]), 0);
      if (size >= topicSize || memory.compare(topics.topic, topic, size) != 0) continue;
      leafRead = leafOf(topic + size, topicSize - size);
      if (leafRead == Leaf.OTHER) continue;
      const isState = leafRead == Leaf.DELTA ? Kind.DELTA : Kind.ANSWER;
      message.begin(<u8>i, leafRead == Leaf.GET_ACCEPTED ? Kind.DOCUMENT : isState);
      reading = i;
      return true;
    }
    return false;
  }

  append(from: usize, size: i32, last: bool): void {
    if (reading < 0) return;
    const shadow = unchecked(shadows[reading]);
    if (!message.append(from, size, last)) {
      reading = -1;
      emit(Event.SHADOW_REJECTED, Status.MALFORMED, shadow.name, shadow.nameSize);
    } else if (last) {
      reading = -1;
      onMessage(shadow);
    }
  }

  pump(): void {
    let earliest: u64 = u64.MAX_VALUE;
    for (let i = 0; i < count; i++) {
      const shadow = unchecked(shadows[i]);
      if (shadow.dueMs != 0 && shadow.dueMs <= nowMs) step(shadow, Input.TIMER);
      if (shadow.state == State.SUBSCRIBING && subscriptions.waiting() == 0) {
        step(shadow, Input.SUBSCRIBED);
      }
      if (any(shadow, Mark.REPORT | Mark.DESIRE)) step(shadow, Input.CHANGED);
      if (shadow.dueMs != 0) earliest = min(earliest, shadow.dueMs);
    }
    if (earliest != u64.MAX_VALUE) setTimer(Timer.SHADOW, <u32>(earliest - nowMs));
  }

  onRecord(_dataset: u8, _status: i32): void {}

  deliver(): void {
    for (let i = 0; i < elements.count; i++) {
      if (!elements.has(i, Mark.CHANGED)) continue;
      elements.unmark(i, Mark.CHANGED);
      changed(i);
      __collect();
    }
  }
}

let changed: (element: i32) => void = (_element: i32) => {};

/** Who is told, outside of all machines, that a message changed an element. */
export function onElementChanged(heard: (element: i32) => void): void {
  changed = heard;
}
