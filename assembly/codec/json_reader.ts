// An incremental pull parser for JSON in UTF-8: RFC 8259 complete, depth-limited, resumable at any
// byte, no allocation. The document arrives in windows of any size; next() answers one token at a
// time and MORE when the window is used up. Strings are unescaped in place, inside the window;
// keys and numbers are collected in the reader's scratch, so that they come whole. Nothing is
// accepted that JSON.parse refuses, and what is refused beyond that is listed at JsonError.
// Used by every machine that reads AWS's answers, by job documents and by the configuration.

import { check, Panic } from "../util/assert";
import { equalsText } from "../util/bytes";
import { Moves, Phase, State } from "./json_state";
import { ESCAPES, ESCAPES_SIZE, JsonError, Token } from "./json_token";

export { JsonError, Token };

/**
 * Deepest nesting of containers, at most 32 (the stack is a word of bits). AWS allows 6 levels
 * below state.desired; a shadow's documents message adds one above, and its metadata one below.
 */
export const JSON_DEPTH_MAX: i32 = 16;

/** Longest key that is handed out whole, and longest number, in bytes. */
export const KEY_BYTES_MAX: i32 = 64;

/** Memory a reader needs from its owner, at any alignment. */
export const SCRATCH_BYTES: i32 = KEY_BYTES_MAX;

// What a literal goes on with behind its first letter; its token ends it.
const TRUE_REST: usize = memory.data<u8>([0x72, 0x75, 0x65, Token.TRUE]);
const FALSE_REST: usize = memory.data<u8>([0x61, 0x6c, 0x73, 0x65, Token.FALSE]);
const NULL_REST: usize = memory.data<u8>([0x75, 0x6c, 0x6c, Token.NULL]);

/** Added to a JsonError where a token is returned, inside the reader only. */
const FAILED: u32 = 16;

export class JsonReader {
  /** Containers that are open. */
  depth: i32 = 0;
  /** One of JsonError; once set, next() answers ERROR until reset(). */
  error: u8 = 0;
  /** Bytes of a KEY, STRING, STRING_PART (unescaped) or NUMBER (as written), till the next call. */
  text: usize = 0;
  size: i32 = 0;
  /** A KEY was longer than KEY_BYTES_MAX (`text` holds its head), or a STRING had parts before. */
  keyTruncated: bool = false;
  /** Whether the NUMBER is an integer, written without fraction and exponent, that fits an i64. */
  integerOk: bool = false;

  private state: u32 = State.VALUE;
  /** Phase of a number; or digits, or bytes, that the character being read still wants. */
  private phase: u32 = 0;
  /** The character being read; between characters a high surrogate, or 0; rest of a literal. */
  private code: u32 = 0;
  /** Whether bytes go to the scratch (keys, numbers) or stay in the window (string values). */
  private collects: bool = false;
  private last: bool = false;
  /** The next unread byte, the window's end, and where byte 0 of the document would lie. */
  private at: usize = 0;
  private limit: usize = 0;
  private origin: usize = 0;
  /** One bit for each open container, the innermost lowest: 1 is an object. */
  private stack: u32 = 0;
  /** Depth at which skip() is done, or -1. */
  private skipDepth: i32 = -1;
  private value: i64 = 0;

  /** `scratch` is SCRATCH_BYTES of static memory that is this reader's alone. */
  constructor(private scratch: usize) {}

  /** Byte offset in the whole document: of the error, or of the next unread byte. */
  get position(): u32 {
    return <u32>(this.at - this.origin);
  }

  /** Forgets the document: the next feed begins a new one. */
  reset(): void {
    const scratch = this.scratch;
    memory.fill(changetype<usize>(this), 0, offsetof<JsonReader>());
    this.scratch = scratch;
    this.skipDepth = -1;
  }

  /**
   * The next window, `last` when none follows (it may be empty). Only after reset() or MORE. The
   * bytes are rewritten in place, and must stay until next() or skip() answers MORE or END.
   */
  feed(from: usize, size: i32, last: bool): void {
    check(this.at == this.limit, Panic.JSON_READER);
    this.origin = from - this.position;
    this.at = from;
    this.limit = from + size;
    this.last = last;
  }

  /** The next token, one of Token. */
  next(): u8 {
    if (this.error) return Token.ERROR;
    if (this.state >= State.TEXT && !this.collects) this.startText(this.at);
    let token: u32 = Token.MORE;
    while (!token && this.at < this.limit) token = this.step(load<u8>(this.at++));
    if (!token) token = this.windowEnd();
    else if (token > FAILED) this.at--;
    if (token > FAILED) {
      this.error = <u8>(token - FAILED);
      token = Token.ERROR;
    }
    return <u8>token;
  }

  /**
   * Skips a value: behind KEY the one that follows, behind OBJECT, ARRAY or STRING_PART the rest
   * of it. Answers the token that ended it, ERROR, or MORE: then feed, and call skip() again.
   */
  skip(): u8 {
    if (this.skipDepth < 0) {
      const inside = this.state - State.FIRST_VALUE < 2;
      this.skipDepth = this.depth - <i32>inside;
    }
    let token: u32;
    do token = this.next();
    while (
      token > Token.END &&
      token < Token.ERROR &&
      (this.depth > this.skipDepth || token == Token.KEY || token == Token.STRING_PART)
    );
    if (token != Token.MORE) this.skipDepth = -1;
    return <u8>token;
  }

  /** Whether the KEY or the STRING, which came whole, is `name` (NUL-terminated). */
  is(name: usize): bool {
    return !this.keyTruncated && equalsText(this.text, this.size, name);
  }

  /** Value of the NUMBER, when `integerOk`. */
  integer(): i64 {
    return this.value;
  }

  /** The window is used up: a token that needs no more bytes, a part of a string, or neither. */
  private windowEnd(): u32 {
    const state = this.state;
    if (!this.last) {
      if (state < State.TEXT || this.collects || !this.size) return Token.MORE;
      this.keyTruncated = true;
      return Token.STRING_PART;
    }
    if (state == State.AFTER && !this.depth) return Token.END;
    if (state == State.NUMBER && this.endNumber()) return Token.NUMBER;
    return FAILED + JsonError.ENDED_EARLY;
  }

  /** Takes one byte; MORE when it completes no token. */
  private step(byte: u32): u32 {
    switch (this.state) {
      case State.NUMBER:
        return this.inNumber(byte);
      case State.LITERAL:
        return this.inLiteral(byte);
      case State.TEXT:
        return this.inText(byte);
      case State.ESCAPE:
        return this.inEscape(byte);
      case State.HEX:
        return this.inHex(byte);
      default:
        return this.state > State.UTF8 ? this.inUtf8(byte) : this.inStructure(byte);
    }
  }

  private inStructure(byte: u32): u32 {
    if (byte == 0x20 || byte - 0x09 < 2 || byte == 0x0d) return Token.MORE;
    const state = this.state;
    const isObject = this.stack & 1;
    if (state == State.COLON) {
      if (byte != 0x3a) return FAILED + JsonError.UNEXPECTED_BYTE;
      this.state = State.VALUE;
      return Token.MORE;
    }
    if (state == State.AFTER && !this.depth) return FAILED + JsonError.TRAILING_BYTES;
    if (state >= State.FIRST_VALUE && byte == (0x5d | (isObject << 5))) {
      this.depth--;
      this.stack >>= 1;
      this.state = State.AFTER;
      return Token.ARRAY_END - isObject * 2;
    }
    if (state == State.AFTER) {
      if (byte != 0x2c) return FAILED + JsonError.UNEXPECTED_BYTE;
      this.state = isObject;
      return Token.MORE;
    }
    if (byte == 0x22) return this.startString(<bool>(state & 1));
    if (state & 1) return FAILED + JsonError.UNEXPECTED_BYTE;
    return this.startValue(byte);
  }

  private startValue(byte: u32): u32 {
    if ((byte | 0x20) == 0x7b) {
      if (this.depth == JSON_DEPTH_MAX) return FAILED + JsonError.DEPTH;
      const isObject = (byte >> 5) & 1;
      this.depth++;
      this.stack = (this.stack << 1) | isObject;
      this.state = State.FIRST_VALUE + isObject;
      return Token.ARRAY - isObject * 2;
    }
    if (byte == 0x2d || byte - 0x30 < 10) return this.startNumber(byte);
    this.state = State.LITERAL;
    const rest = byte == 0x74 ? TRUE_REST : byte == 0x66 ? FALSE_REST : NULL_REST;
    this.code = <u32>rest;
    return rest != NULL_REST || byte == 0x6e ? Token.MORE : FAILED + JsonError.UNEXPECTED_BYTE;
  }

  private inLiteral(byte: u32): u32 {
    if (byte != load<u8>(this.code)) return FAILED + JsonError.UNEXPECTED_BYTE;
    const token: u32 = load<u8>(++this.code);
    if (token > Token.ERROR) return Token.MORE;
    this.state = State.AFTER;
    return token;
  }

  private startText(at: usize): void {
    this.text = at;
    this.size = 0;
  }

  /** Adds a byte to the text; what does not fit the scratch is dropped, and that is remembered. */
  private put(byte: u32): void {
    if (this.collects && this.size == KEY_BYTES_MAX) this.keyTruncated = true;
    else store<u8>(this.text + this.size++, byte);
  }

  private startString(isKey: bool): u32 {
    this.state = State.TEXT;
    this.code = 0;
    this.collects = isKey;
    this.keyTruncated = false;
    this.startText(isKey ? this.scratch : this.at);
    return Token.MORE;
  }

  private inText(byte: u32): u32 {
    if (this.code && byte != 0x5c) return FAILED + JsonError.BAD_SURROGATE;
    if (byte == 0x22) {
      const isKey = this.collects;
      this.state = isKey ? State.COLON : State.AFTER;
      return isKey ? Token.KEY : Token.STRING;
    }
    if (byte == 0x5c) this.state = State.ESCAPE;
    else if (byte < 0x20) return FAILED + JsonError.CONTROL_CHARACTER;
    else if (byte < 0x80) this.put(byte);
    else {
      // The lead byte has as many leading ones as the character has bytes.
      const length = clz(~(byte << 24));
      if (length - 2 > 2) return FAILED + JsonError.BAD_UTF8;
      this.state = State.UTF8 + length;
      this.phase = length - 1;
      this.code = byte & (0x7f >> length);
    }
    return Token.MORE;
  }

  private inUtf8(byte: u32): u32 {
    const code = (this.code << 6) | (byte & 0x3f);
    if (byte >> 6 != 2) return FAILED + JsonError.BAD_UTF8;
    this.code = code;
    if (--this.phase) return Token.MORE;
    const overlong = utf8Length(code) != this.state - State.UTF8;
    if (overlong || code > 0x10ffff || code >> 11 == 0x1b) return FAILED + JsonError.BAD_UTF8;
    return this.putCharacter(code);
  }

  private inEscape(byte: u32): u32 {
    if (byte == 0x75) {
      this.state = State.HEX;
      this.phase = 4;
      return Token.MORE;
    }
    if (this.code) return FAILED + JsonError.BAD_SURROGATE;
    this.state = State.TEXT;
    for (let pair = ESCAPES; pair < ESCAPES + ESCAPES_SIZE; pair += 2) {
      if (load<u8>(pair) == byte) {
        this.put(load<u8>(pair, 1));
        return Token.MORE;
      }
    }
    return FAILED + JsonError.BAD_ESCAPE;
  }

  /** The second escape of a pair shifts the first, a high surrogate, into the upper half. */
  private inHex(byte: u32): u32 {
    let digit = byte - 0x30;
    if (digit > 9) {
      digit = (byte | 0x20) - 0x61;
      if (digit > 5) return FAILED + JsonError.BAD_ESCAPE;
      digit += 10;
    }
    let code = (this.code << 4) | digit;
    this.code = code;
    if (--this.phase) return Token.MORE;
    this.state = State.TEXT;
    const high = code >> 16;
    code &= 0xffff;
    const isLow = code >> 10 == 0x37;
    if (isLow != high > 0) return FAILED + JsonError.BAD_SURROGATE;
    if (code >> 10 == 0x36) return Token.MORE;
    if (isLow) code += (high << 10) - ((0xd800 << 10) + 0xdc00 - 0x10000);
    return this.putCharacter(code);
  }

  /**
   * Adds a character to the text. One that began in an earlier window may need more bytes than
   * this window has behind it: then it is a part of its own, in the scratch.
   */
  private putCharacter(code: u32): u32 {
    this.state = State.TEXT;
    this.code = 0;
    const length = utf8Length(code);
    const isPart = !this.collects && this.text + this.size + length > this.at;
    if (isPart) {
      this.text = this.scratch;
      this.keyTruncated = true;
    }
    let shift = length * 6 - 6;
    // The lead byte: as many ones as there are bytes, none for a single one.
    this.put((code >> shift) | (shift ? (0xf00 >> length) & 0xff : 0));
    while (shift) {
      shift -= 6;
      this.put(((code >> shift) & 0x3f) | 0x80);
    }
    return isPart ? Token.STRING_PART : Token.MORE;
  }

  private startNumber(byte: u32): u32 {
    this.state = State.NUMBER;
    this.collects = true;
    this.phase = Phase.START;
    this.value = 0;
    this.startText(this.scratch);
    if (byte != 0x2d) return this.inNumber(byte);
    this.put(byte);
    return Token.MORE;
  }

  private inNumber(byte: u32): u32 {
    const digit = byte - 0x30;
    let moves = Moves.POINT;
    if (digit < 10) {
      moves = digit ? Moves.DIGIT : Moves.ZERO;
      this.value = this.value * 10 + digit;
    } else if ((byte | 0x20) == 0x65) moves = Moves.E;
    else if (byte == 0x2b || byte == 0x2d) moves = Moves.SIGN;
    else if (byte != 0x2e) {
      if (!this.endNumber()) return FAILED + JsonError.BAD_NUMBER;
      this.at--;
      return Token.NUMBER;
    }
    const phase = (moves >> (this.phase * 4)) & 7;
    if (!phase) return FAILED + JsonError.BAD_NUMBER;
    if (this.size == KEY_BYTES_MAX) return FAILED + JsonError.NUMBER_TOO_LONG;
    this.phase = phase;
    this.put(byte);
    return Token.MORE;
  }

  /** Finishes the number; false when it cannot end here. Nineteen digits cannot overflow a u64. */
  private endNumber(): bool {
    const isNegative = <i32>(load<u8>(this.text) == 0x2d);
    const phase = this.phase;
    const value = this.value;
    this.state = State.AFTER;
    this.integerOk =
      phase <= Phase.INTEGER &&
      this.size - isNegative < 20 &&
      <u64>value <= <u64>i64.MAX_VALUE + isNegative;
    if (isNegative) this.value = -value;
    return phase - 1 < 4;
  }
}

/** Bytes that UTF-8 needs for a character. */
function utf8Length(code: u32): u32 {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/**
 * The reader of whatever arrives: the configuration document at the start, and later the message
 * that is coming in. There is only one at a time, and who begins one resets the reader.
 */
export const incoming = new JsonReader(memory.data(SCRATCH_BYTES, 4));
