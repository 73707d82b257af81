// Writes one JSON document into a caller's buffer. Commas are automatic. It never writes behind
// the buffer: when a byte does not fit, `overflow` is set, stays set, and nothing more is written,
// so that the caller checks once, at the end. Strings pass through as the UTF-8 they are; only
// what RFC 8259, section 7 demands is escaped. Used by the shadow, job and provisioning machines.

import { check, Panic } from "../util/assert";
import { putHex, putSigned, textSize } from "../util/bytes";
import { ESCAPES, ESCAPES_SIZE } from "./json_token";

const CELL: usize = memory.data(20);

export class JsonWriter {
  /** Bytes written so far; the document's size when `overflow` is false. */
  size: i32 = 0;
  /** Something did not fit: what is in the buffer is not a document. */
  overflow: bool = false;
  private to: usize = 0;
  private capacity: i32 = 0;
  private depth: i32 = 0;
  /** Whether the next key or value has one before it in its container. */
  private comma: bool = false;

  /** Starts a document in `capacity` bytes at `to`. */
  begin(to: usize, capacity: i32): void {
    this.to = to;
    this.capacity = capacity;
    this.size = 0;
    this.depth = 0;
    this.overflow = false;
    this.comma = false;
  }

  object(): void {
    this.open(0x7b);
  }

  end(): void {
    this.close(0x7d);
  }

  array(): void {
    this.open(0x5b);
  }

  endArray(): void {
    this.close(0x5d);
  }

  /** A NUL-terminated member name. */
  key(name: usize): void {
    this.member(name, textSize(name));
  }

  /** A member name: UTF-8 bytes. */
  member(from: usize, size: i32): void {
    this.string(from, size);
    this.put(0x3a);
    this.comma = false;
  }

  /** A string value: UTF-8 bytes, which may hold NUL. */
  string(from: usize, size: i32): void {
    this.beginString();
    this.stringPart(from, size);
    this.endString();
  }

  /** A string value that comes in parts: begin, any number of parts, end. */
  beginString(): void {
    this.separate();
    this.put(0x22);
  }

  stringPart(from: usize, size: i32): void {
    for (const end = from + size; from < end; from++) this.character(load<u8>(from));
  }

  endString(): void {
    this.put(0x22);
  }

  /** A string value: NUL-terminated UTF-8. */
  text(value: usize): void {
    this.string(value, textSize(value));
  }

  /** Takes back what was written behind `size`, in the container that is open now. */
  rewind(size: i32): void {
    this.size = size;
    this.overflow = false;
    this.comma = (load<u8>(this.to + size - 1) | 0x20) != 0x7b;
  }

  integer(value: i64): void {
    this.raw(CELL, <i32>(putSigned(CELL, value) - CELL));
  }

  boolean(value: bool): void {
    const text = value ? utf8("true") : utf8("false");
    this.raw(text, textSize(text));
  }

  nil(): void {
    this.raw(utf8("null"), 4);
  }

  /** A value that is JSON already: copied as it is, unchecked. */
  raw(from: usize, size: i32): void {
    this.separate();
    for (const end = from + size; from < end; from++) this.put(load<u8>(from));
  }

  private open(bracket: u8): void {
    this.separate();
    this.put(bracket);
    this.depth++;
    this.comma = false;
  }

  private close(bracket: u8): void {
    check(--this.depth >= 0, Panic.JSON_WRITER);
    this.put(bracket);
    this.comma = true;
  }

  private separate(): void {
    if (this.comma) this.put(0x2c);
    this.comma = true;
  }

  private character(byte: u8): void {
    if (byte >= 0x20 && byte != 0x22 && byte != 0x5c) return this.put(byte);
    this.put(0x5c);
    // The first pair is the solidus, which needs no escape.
    for (let pair = ESCAPES + 2; pair < ESCAPES + ESCAPES_SIZE; pair += 2) {
      if (load<u8>(pair, 1) == byte) return this.put(load<u8>(pair));
    }
    this.put(0x75);
    putHex(CELL, byte, 4);
    for (let at = CELL; at < CELL + 4; at++) this.put(load<u8>(at));
  }

  private put(byte: u8): void {
    if (this.size >= this.capacity) this.overflow = true;
    if (this.overflow) return;
    store<u8>(this.to + this.size++, byte);
  }
}
