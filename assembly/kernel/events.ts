// System events: told to the host at once (log_event), to the application after the step. They
// wait in a ring until then, because an application callback may publish, subscribe or restart,
// and must not find a machine in the middle of a transition. A full ring is counted and reported,
// never silent.

import { Event, logEvent } from "../abi/host";
import { Ring } from "../util/ring";

const RING_BYTES: i32 = 1024;
/** {i32 value, u8 event} before the text. */
const HEADER_BYTES: i32 = 5;
export const TEXT_BYTES_MAX: i32 = 256;

const ring = new Ring(memory.data(RING_BYTES, 4), RING_BYTES);
const header: usize = memory.data(8, 4);
const textBuffer: usize = memory.data(TEXT_BYTES_MAX);

let lost: i32 = 0;

/** Event that takeEvent() has read. */
export let event: u8 = 0;
export let value: i32 = 0;
export const text: usize = textBuffer;
export let textSize: i32 = 0;

/** Reports an event; `from` may be 0 when there is no text. Longer text is cut at 256 bytes. */
export function emit(kind: u8, number: i32, from: usize = 0, size: i32 = 0): void {
  size = min(size, TEXT_BYTES_MAX);
  logEvent(kind, number, from, size);
  if (!ring.reserve(HEADER_BYTES + size)) {
    lost++;
    return;
  }
  store<i32>(header, number);
  store<u8>(header, kind, 4);
  ring.append(header, HEADER_BYTES);
  ring.append(from, size);
  ring.commit();
}

/** Reads the oldest event into the variables above; false when there is none. */
export function takeEvent(): bool {
  const size = ring.peekSize();
  if (size < 0) return takeLost();
  ring.read(0, header, HEADER_BYTES);
  value = load<i32>(header);
  event = load<u8>(header, 4);
  textSize = size - HEADER_BYTES;
  ring.read(HEADER_BYTES, textBuffer, textSize);
  ring.drop();
  return true;
}

function takeLost(): bool {
  if (lost == 0) return false;
  event = Event.EVENTS_LOST;
  value = lost;
  textSize = 0;
  lost = 0;
  logEvent(event, value, 0, 0);
  return true;
}

/** Whether takeEvent() has something to give. */
export function eventsWait(): bool {
  return ring.count > 0 || lost > 0;
}
