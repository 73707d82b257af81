// JSON for applications: a builder over one buffer, and a document that answers questions by path.
// Both stand on the core's reader and writer; what an application does not use is not linked.

import * as codec from "../codec/json_writer";
import { JsonReader, SCRATCH_BYTES, Token } from "../codec/json_reader";
import { fromUtf8, textAt, toUtf8 } from "./text";

/** Builds one document at a time; make it once and use it again: begin() starts anew. */
export class Builder {
  private buffer: Uint8Array;
  private writer: codec.JsonWriter = new codec.JsonWriter();

  /** `capacity` is the size of the largest document in bytes. */
  constructor(capacity: i32) {
    this.buffer = new Uint8Array(capacity);
    this.begin();
  }

  begin(): Builder {
    this.writer.begin(this.buffer.dataStart, this.buffer.length);
    return this;
  }

  object(): Builder {
    this.writer.object();
    return this;
  }

  end(): Builder {
    this.writer.end();
    return this;
  }

  array(): Builder {
    this.writer.array();
    return this;
  }

  endArray(): Builder {
    this.writer.endArray();
    return this;
  }

  /** Name of a member, up to 512 bytes. */
  key(name: string): Builder {
    this.writer.member(textAt, max(toUtf8(name), 0));
    return this;
  }

  string(value: string): Builder {
    const bytes = String.UTF8.encode(value);
    this.writer.string(changetype<usize>(bytes), bytes.byteLength);
    return this;
  }

  integer(value: i64): Builder {
    this.writer.integer(value);
    return this;
  }

  /** Not a number and infinity, which JSON does not know, become null. */
  number(value: f64): Builder {
    if (!isFinite(value)) this.writer.nil();
    else this.writer.raw(textAt, toUtf8(value.toString()));
    return this;
  }

  boolean(value: bool): Builder {
    this.writer.boolean(value);
    return this;
  }

  nil(): Builder {
    this.writer.nil();
    return this;
  }

  /** The document did not fit: bytes() is empty. */
  overflow(): bool {
    return this.writer.overflow;
  }

  /** The document; a view that begin() makes stale. */
  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.writer.overflow ? 0 : this.writer.size);
  }

  text(): string {
    return fromUtf8(this.buffer.dataStart, this.bytes().length);
  }
}

/** A document to ask, in an array (or, for the library itself, in static memory); paths are member
 * names joined by dots ("state.led"), 512 bytes at the most. Each question reads the document once;
 * arrays are passed over. */
export class Document {
  private from: usize;
  private size: i32;
  /** Keeps the bytes alive where they are an application's. */
  private bytes: Uint8Array | null;
  /** The reader's scratch; in front of it a copy, where the document has escapes. */
  private copy: Uint8Array;
  private reader: JsonReader;

  constructor(bytes: Uint8Array | null, from: usize = 0, size: i32 = 0) {
    if (bytes !== null) {
      from = bytes.dataStart;
      size = bytes.length;
    }
    // The reader unescapes in place: without a backslash it writes what is there already.
    let copied = 0;
    for (let i = 0; i < size; i++) if (load<u8>(from + i) == 0x5c) copied = size;
    const copy = new Uint8Array(copied + SCRATCH_BYTES);
    this.bytes = bytes;
    this.from = from;
    this.size = size;
    this.copy = copy;
    this.reader = new JsonReader(copy.dataStart + copied);
  }

  /** The document is JSON from its first byte to its last. */
  isValid(): bool {
    this.restart();
    let token: u8;
    do {
      token = this.reader.next();
    } while (token != Token.END && token != Token.ERROR && token != Token.MORE);
    return token == Token.END;
  }

  has(path: string): bool {
    return this.find(path) != Token.ERROR;
  }

  /** An integer, or `otherwise` when there is none at this path. */
  integer(path: string, otherwise: i64 = 0): i64 {
    if (this.find(path) != Token.NUMBER) return otherwise;
    const value = this.reader.integer();
    return this.reader.integerOk ? value : otherwise;
  }

  /** A number, or `otherwise`. */
  number(path: string, otherwise: f64 = 0): f64 {
    if (this.find(path) != Token.NUMBER) return otherwise;
    return parseFloat(fromUtf8(this.reader.text, this.reader.size));
  }

  /** A string, or null. */
  string(path: string): string | null {
    if (this.find(path) != Token.STRING) return null;
    return fromUtf8(this.reader.text, this.reader.size);
  }

  boolean(path: string, otherwise: bool = false): bool {
    const token = this.find(path);
    return token == Token.TRUE || (token != Token.FALSE && otherwise);
  }

  private restart(): void {
    const isCopied = this.copy.length > SCRATCH_BYTES;
    const from = isCopied ? this.copy.dataStart : this.from;
    if (isCopied) memory.copy(from, this.from, this.size);
    this.reader.reset();
    this.reader.feed(from, this.size, true);
  }

  /** Reads up to the value at `path`; its first token, or ERROR. */
  private find(path: string): u8 {
    this.restart();
    const size = toUtf8(path);
    if (size < 0) return Token.ERROR;
    const end = textAt + size;
    let token = this.reader.next();
    for (let name = textAt; name <= end; name++) {
      if (token != Token.OBJECT) return Token.ERROR;
      const start = name;
      while (name < end && load<u8>(name) != 0x2e) name++;
      token = this.member(start, <i32>(name - start));
    }
    return token;
  }

  /** Inside an object: the first token of the member's value, or ERROR. */
  private member(name: usize, size: i32): u8 {
    while (this.reader.next() == Token.KEY) {
      const same = this.reader.size == size && memory.compare(this.reader.text, name, size) == 0;
      if (same && !this.reader.keyTruncated) return this.reader.next();
      if (this.reader.skip() == Token.ERROR) return Token.ERROR;
    }
    return Token.ERROR;
  }
}
