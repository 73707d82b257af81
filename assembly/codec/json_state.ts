// The states of the JSON reader, and the moves of a number between its phases (RFC 8259, section
// 6), packed into one word for each kind of byte. Nobody but json_reader.ts knows them.

/**
 * What the next byte may be. White space may stand before all up to COLON. VALUE and KEY are 0 and
 * 1, and FIRST_VALUE and FIRST_KEY are 2 more: the lowest bit says that a key is wanted.
 */
export namespace State {
  export const VALUE: u32 = 0;
  export const KEY: u32 = 1;
  /** Behind `[`: a value or `]`. */
  export const FIRST_VALUE: u32 = 2;
  /** Behind `{`: a key or `}`. */
  export const FIRST_KEY: u32 = 3;
  /** Behind a value: a comma, a bracket, or at depth 0 nothing. */
  export const AFTER: u32 = 4;
  export const COLON: u32 = 5;
  export const NUMBER: u32 = 6;
  export const LITERAL: u32 = 7;
  /** Inside a string, like all that follow. */
  export const TEXT: u32 = 8;
  export const ESCAPE: u32 = 9;
  /** Inside the four digits of a \u escape. */
  export const HEX: u32 = 10;
  /** Inside a character of n bytes: UTF8 + n. */
  export const UTF8: u32 = 11;
}

/**
 * Where a number stands. A number may end from ZERO to EXPONENT; START is never come back to, so
 * that 0 in the moves below means that the byte is refused.
 */
export namespace Phase {
  export const START: u32 = 0;
  export const ZERO: u32 = 1;
  export const INTEGER: u32 = 2;
  export const FRACTION: u32 = 3;
  export const EXPONENT: u32 = 4;
  export const POINT: u32 = 5;
  export const E: u32 = 6;
  export const SIGN: u32 = 7;
}

/** Phase to go to, a nibble for each phase to come from (START lowest), by the kind of byte. */
export namespace Moves {
  export const ZERO: u32 = 0x44343201;
  export const DIGIT: u32 = 0x44343202;
  export const POINT: u32 = 0x00000550;
  export const E: u32 = 0x00006660;
  export const SIGN: u32 = 0x07000000;
}
