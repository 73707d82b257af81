// Elements of shadows: a table that is made when the first shadow is defined. Each has a key, a
// type, its present value, and the value that a message brings; a message is taken as a whole or
// not at all, so that what came is kept apart until its version and token are known.
//
//   element  0       1     2        3          4      6          8     12     16      24
//            | shadow| type| options| key bytes| marks| text room| key | text | value | incoming value
//   text     {u16 size, bytes} of the present text, then {u16 size, bytes} of the incoming one

import { Event, Status } from "../abi/host";
import { JsonWriter } from "../codec/json_writer";
import { emit } from "../kernel/events";

export const ELEMENTS_MAX: i32 = 24;
const ELEMENT_BYTES: i32 = 32;
/** Elements by which the table grows; divides ELEMENTS_MAX. */
const GROWTH: i32 = 8;

export namespace Type {
  export const INTEGER: u8 = 0;
  export const BOOLEAN: u8 = 1;
  export const STRING: u8 = 2;
  /** Value holds the bits of an f64; linked only where an application uses it. */
  export const FLOAT: u8 = 3;
}

export namespace Option {
  /** Changes by the application are reported. */
  export const REPORTED: u8 = 1;
  /** Changes by the application are desired, too (of this device itself). */
  export const DESIRED: u8 = 2;
  /** Reported at the first synchronisation even if the application never set it. */
  export const AT_START: u8 = 4;
}

export namespace Mark {
  /** To be reported, or desired, by the next update. */
  export const REPORT: u16 = 1;
  export const DESIRE: u16 = 2;
  /** In the update that is not answered yet. */
  export const SENT_REPORT: u16 = 4;
  export const SENT_DESIRE: u16 = 8;
  /** The message being read has a value for it. */
  export const INCOMING: u16 = 16;
  /** The message being read says that the cloud knows the present value. */
  export const KNOWN: u16 = 32;
  /** The application has not heard of the present value. */
  export const CHANGED: u16 = 64;
  /** The message being read has a value of a wrong type or size for it. */
  export const MISMATCH: u16 = 128;
  /** Has a value worth reporting. */
  export const SET: u16 = 256;
}

export let count: i32 = 0;
let table: usize = 0;

/** Makes an element; its number, or -1 when the table is full. Memory is taken once, at start. */
export function define(
  shadow: u8,
  key: usize,
  keyBytes: i32,
  type: u8,
  options: u8,
  initial: i64,
  textRoom: i32,
): i32 {
  if (count == ELEMENTS_MAX) return -1;
  if (count % GROWTH == 0) grow();
  const element = at(count);
  const texts = type == Type.STRING ? (textRoom + 2) << 1 : 0;
  const block = heap.alloc(keyBytes + texts);
  memory.fill(element, 0, ELEMENT_BYTES);
  memory.copy(block, key, keyBytes);
  memory.fill(block + keyBytes, 0, texts);
  store<u8>(element, shadow, 0);
  store<u8>(element, type, 1);
  store<u8>(element, options, 2);
  store<u8>(element, <u8>keyBytes, 3);
  store<u16>(element, (options & Option.AT_START) != 0 ? Mark.SET : 0, 4);
  store<u16>(element, <u16>textRoom, 6);
  store<u32>(element, <u32>block, 8);
  store<u32>(element, <u32>(block + keyBytes), 12);
  store<i64>(element, initial, 16);
  return count++;
}

function grow(): void {
  const bytes = (count + GROWTH) * ELEMENT_BYTES;
  table = count == 0 ? heap.alloc(bytes) : heap.realloc(table, bytes);
}

/** The initial text of an element; nothing is told to the cloud. */
export function initialiseText(element: i32, from: usize, size: i32): void {
  if (size <= <i32>load<u16>(at(element), 6)) putText(textOf(element), from, max(size, 0));
}

function at(element: i32): usize {
  return table + element * ELEMENT_BYTES;
}

export function shadowOf(element: i32): u8 {
  return load<u8>(at(element));
}

export function typeOf(element: i32): u8 {
  return load<u8>(at(element), 1);
}

export function keyOf(element: i32): usize {
  return load<u32>(at(element), 8);
}

export function keySize(element: i32): i32 {
  return load<u8>(at(element), 3);
}

export function has(element: i32, marks: u16): bool {
  return (load<u16>(at(element), 4) & marks) != 0;
}

export function mark(element: i32, marks: u16): void {
  store<u16>(at(element), load<u16>(at(element), 4) | marks, 4);
}

export function unmark(element: i32, marks: u16): void {
  store<u16>(at(element), load<u16>(at(element), 4) & ~marks, 4);
}

/** Whether its value is reported to the cloud at all. */
export function isReported(element: i32): bool {
  return (load<u8>(at(element), 2) & Option.REPORTED) != 0;
}

/** Number of the shadow's element with this key, or -1. */
export function find(shadow: u8, key: usize, size: i32): i32 {
  for (let i = 0; i < count; i++) {
    const same = shadowOf(i) == shadow && keySize(i) == size;
    if (same && memory.compare(keyOf(i), key, size) == 0) return i;
  }
  return -1;
}

export function valueOf(element: i32): i64 {
  return load<i64>(at(element), 16);
}

/** {u16 size, bytes} of the present text. */
export function textOf(element: i32): usize {
  return load<u32>(at(element), 12);
}

function incomingText(element: i32): usize {
  return textOf(element) + 2 + load<u16>(at(element), 6);
}

/** What the application set: to be told to the cloud as the options say, if it is a change. */
export function set(element: i32, value: i64): void {
  if (valueOf(element) == value && has(element, Mark.SET)) return;
  store<i64>(at(element), value, 16);
  markChanged(element);
}

/** The same for a text; one that does not fit is refused, and the old one stays. */
export function setText(element: i32, from: usize, size: i32): void {
  if (<u32>size > <u32>load<u16>(at(element), 6)) return tooLarge(element);
  const text = textOf(element);
  const same = <i32>load<u16>(text) == size && memory.compare(text + 2, from, size) == 0;
  if (same && has(element, Mark.SET)) return;
  putText(text, from, size);
  markChanged(element);
}

function tooLarge(element: i32): void {
  emit(Event.SHADOW_REJECTED, Status.TOO_LARGE, keyOf(element), keySize(element));
}

/** Its value does not fit an update: it is not told to the cloud until it is set anew. */
export function refuse(element: i32): void {
  unmark(element, Mark.SET | Mark.REPORT | Mark.DESIRE);
  tooLarge(element);
}

function putText(text: usize, from: usize, size: i32): void {
  store<u16>(text, <u16>size);
  memory.copy(text + 2, from, size);
}

function markChanged(element: i32): void {
  // The options REPORTED and DESIRED are the marks REPORT and DESIRE.
  mark(element, Mark.SET | (<u16>load<u8>(at(element), 2) & (Mark.REPORT | Mark.DESIRE)));
}

/** A message brings a number (or the bits of one). */
export function bring(element: i32, value: i64): void {
  store<i64>(at(element), value, 24);
  mark(element, Mark.INCOMING);
}

/** A message brings the next part of a text; `begin` with the first one. */
export function bringText(element: i32, from: usize, size: i32, begin: bool): void {
  const text = incomingText(element);
  const before = begin ? 0 : <i32>load<u16>(text);
  mark(element, Mark.INCOMING);
  if (before + size > <i32>load<u16>(at(element), 6)) {
    mark(element, Mark.MISMATCH);
    return;
  }
  memory.copy(text + 2 + before, from, size);
  store<u16>(text, <u16>(before + size));
}

/** Whether what came equals the present value. */
export function incomingIsPresent(element: i32): bool {
  if (typeOf(element) != Type.STRING) return valueOf(element) == load<i64>(at(element), 24);
  const size = load<u16>(textOf(element));
  const same = load<u16>(incomingText(element)) == size;
  return same && memory.compare(textOf(element), incomingText(element), size + 2) == 0;
}

/** Takes what came as the present value. */
export function take(element: i32): void {
  store<i64>(at(element), load<i64>(at(element), 24), 16);
  if (typeOf(element) == Type.STRING) {
    const from = incomingText(element);
    memory.copy(textOf(element), from, 2 + load<u16>(from));
  }
  mark(element, Mark.SET | Mark.CHANGED);
}

/**
 * Writes the bits of an f64 as JSON: set by the float element of the library, else never called.
 */
export let writeFloat: (writer: JsonWriter, bits: i64) => void = (
  _writer: JsonWriter,
  _bits: i64,
) => {};
/** Reads a JSON number as the bits of an f64. */
export let readFloat: (from: usize, size: i32) => i64 = (_from: usize, _size: i32) => 0;

export function useFloats(
  write: (writer: JsonWriter, bits: i64) => void,
  read: (from: usize, size: i32) => i64,
): void {
  writeFloat = write;
  readFloat = read;
}

/** Writes the element as a member: key and present value. */
export function write(element: i32, writer: JsonWriter): void {
  const value = valueOf(element);
  writer.member(keyOf(element), keySize(element));
  switch (typeOf(element)) {
    case Type.INTEGER:
      writer.integer(value);
      break;
    case Type.BOOLEAN:
      writer.boolean(value != 0);
      break;
    case Type.STRING:
      writer.string(textOf(element) + 2, load<u16>(textOf(element)));
      break;
    default:
      writeFloat(writer, value);
  }
}

/** Whether the present text has these bytes at `offset`; with `whole`, and ends behind them. */
export function textIs(element: i32, offset: i32, from: usize, size: i32, whole: bool): bool {
  const text = textOf(element);
  const end = offset + size;
  const length = <i32>load<u16>(text);
  if (whole ? end != length : end > length) return false;
  return memory.compare(text + 2 + offset, from, size) == 0;
}
