// Publish and subscribe. Nothing blocks: publish() queues (3 KB, kept while offline), messages wait
// in a ring buffer (5 KB) until read() takes them, subscriptions are restored after reconnects.
// All of it may be called from any callback.

import { Status } from "../abi/host";
import * as messages from "../aws/messages";
import * as provisioning from "../aws/provisioning";
import * as queue from "../aws/publish_queue";
import * as session from "../aws/session";
import * as subscriptions from "../aws/subscriptions";
import { Owner } from "../aws/subscriptions";
import { fromUtf8, textAt, toUtf8 } from "./text";

/** A message that arrived. */
export class Message {
  constructor(
    readonly topic: string,
    readonly payload: Uint8Array,
  ) {}

  /** The payload as text. */
  text(): string {
    return fromUtf8(this.payload.dataStart, this.payload.length);
  }
}

/** What a full publish queue does: see publish_queue.ts, REFUSE_NEWEST unless set otherwise. */
export namespace Overflow {
  export const REFUSE_NEWEST: u8 = queue.Overflow.REFUSE_NEWEST;
  export const DROP_OLDEST: u8 = queue.Overflow.DROP_OLDEST;
  export const REPLACE_BY_TOPIC: u8 = queue.Overflow.REPLACE_BY_TOPIC;
}

/**
 * Queues a publish. Returns its id (1 to 65535), which PUBLISH_SUCCEEDED or PUBLISH_DROPPED will
 * carry, or a Status: INVALID_ARGUMENT (empty topic, or over 256 bytes; qos over 1), TOO_LARGE
 * (does not fit an empty queue), NO_SPACE (does not fit now, and the overflow policy says no).
 */
export function publish(topic: string, payload: string, qos: u8 = 0, retain: bool = false): i32 {
  return publishBytes(topic, Uint8Array.wrap(String.UTF8.encode(payload)), qos, retain);
}

/** The same for a payload of bytes. */
export function publishBytes(
  topic: string,
  payload: Uint8Array,
  qos: u8 = 0,
  retain: bool = false,
): i32 {
  const topicSize = toUtf8(topic);
  if (topicSize < 0 || qos > 1) return Status.INVALID_ARGUMENT;
  const flags = qos | ((<u8>retain) << 1);
  return queue.push(textAt, topicSize, payload.dataStart, payload.length, flags);
}

/**
 * Wants a filter now and after each reconnect. OK, INVALID_ARGUMENT or NO_SPACE (1 KB of filters).
 */
export function subscribe(filter: string, qos: u8 = 0): i32 {
  return subscriptions.add(textAt, toUtf8(filter), qos, Owner.APPLICATION);
}

/** Wants it no longer. OK or NOT_FOUND. */
export function unsubscribe(filter: string): i32 {
  return subscriptions.remove(textAt, toUtf8(filter));
}

/** Messages that wait in the ring buffer. */
export function available(): i32 {
  return messages.count();
}

/** Takes the oldest message, or null. */
export function read(): Message | null {
  if (messages.count() == 0) return null;
  const topicSize = messages.oldestTopicSize();
  const bytes = new Uint8Array(topicSize + messages.oldestPayloadSize());
  messages.copyOldest(bytes.dataStart);
  messages.dropOldest();
  return new Message(fromUtf8(bytes.dataStart, topicSize), bytes.subarray(topicSize));
}

/** Publishes that wait or are not yet acknowledged. */
export function queueLength(): i32 {
  return queue.count;
}

/** Drops every publish that is not on its way, each with PUBLISH_DROPPED. */
export function clearQueue(): void {
  queue.clear();
}

/** Sets the overflow policy of the publish queue (Overflow). */
export function setOverflow(policy: u8): void {
  queue.setOverflow(policy);
}

/** The session of the thing is up. */
export function connected(): bool {
  return session.isOnline() && !provisioning.isActive();
}
