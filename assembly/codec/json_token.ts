// The words that the JSON reader answers in, and what it shares with the writer. Machines import
// Token and JsonError from json_reader.ts.

export namespace Token {
  /** All bytes fed are consumed, and they were not the last. */
  export const MORE: u8 = 0;
  /** The document is whole, with only white space behind it. */
  export const END: u8 = 1;
  export const OBJECT: u8 = 2;
  export const OBJECT_END: u8 = 3;
  export const ARRAY: u8 = 4;
  export const ARRAY_END: u8 = 5;
  export const KEY: u8 = 6;
  /** A string value, or the last part of one; that part may be empty. */
  export const STRING: u8 = 7;
  /** A part, never empty, of a string value that goes on; parts hold whole characters only. */
  export const STRING_PART: u8 = 8;
  export const NUMBER: u8 = 9;
  export const TRUE: u8 = 10;
  export const FALSE: u8 = 11;
  export const NULL: u8 = 12;
  export const ERROR: u8 = 13;
}

/** Why a document is refused. DEPTH and NUMBER_TOO_LONG are limits of this reader, not of JSON. */
export namespace JsonError {
  export const NONE: u8 = 0;
  /** A byte that the grammar does not allow here; a byte order mark is one. */
  export const UNEXPECTED_BYTE: u8 = 1;
  /** Something other than white space behind the document. */
  export const TRAILING_BYTES: u8 = 2;
  /** The last byte was fed and the document is not whole. */
  export const ENDED_EARLY: u8 = 3;
  /** More than JSON_DEPTH_MAX containers inside each other. */
  export const DEPTH: u8 = 4;
  /** A backslash with something behind it that is no escape. */
  export const BAD_ESCAPE: u8 = 5;
  /** Half of a surrogate pair: JSON.parse lets it pass, UTF-8 has no bytes for it. */
  export const BAD_SURROGATE: u8 = 6;
  /** Overlong, above U+10FFFF, an encoded surrogate, cut short, or no UTF-8 at all. */
  export const BAD_UTF8: u8 = 7;
  /** An unescaped control character in a string. */
  export const CONTROL_CHARACTER: u8 = 8;
  /** The position is that of the first byte with which no number goes on. */
  export const BAD_NUMBER: u8 = 9;
  /** More than KEY_BYTES_MAX bytes. */
  export const NUMBER_TOO_LONG: u8 = 10;
}

/** Pairs of the letter behind a backslash and the byte it stands for; the solidus is first. */
export const ESCAPES: usize = memory.data<u8>([
  0x2f, 0x2f, 0x22, 0x22, 0x5c, 0x5c, 0x62, 0x08, 0x66, 0x0c, 0x6e, 0x0a, 0x72, 0x0d, 0x74, 0x09,
]);
export const ESCAPES_SIZE: usize = 16;
