// Base64 (RFC 4648, section 4) as it arrives: in parts of any size, decoded in place, so that a
// module of 24 KB inside a job document needs no buffer. Padding is required and must be right;
// line ends, blanks and the URL alphabet are refused. What came before a refused character has been
// decoded; whoever uses it asks `complete` at the end.

/** A decoder. Between two parts it keeps less than eight bits, so that it never writes more bytes
 * than it has read characters: decoding in place is safe. */
export class Base64Decoder {
  private bits: u32 = 0;
  private bitCount: i32 = 0;
  /** Characters of the present group of four, padding included. */
  private characters: i32 = 0;
  private padding: i32 = 0;
  /** A character that does not belong there was read; nothing is decoded from there on. */
  failed: bool = false;

  /** Begins a text. */
  reset(): void {
    this.bits = 0;
    this.bitCount = 0;
    this.characters = 0;
    this.padding = 0;
    this.failed = false;
  }

  /** The text may end here. */
  get complete(): bool {
    return !this.failed && this.characters == 0;
  }

  /** Decodes `size` characters from `from` to `to`, which may be the same; returns the bytes. */
  decode(to: usize, from: usize, size: i32): i32 {
    const start = to;
    for (let i = 0; i < size; i++) {
      const value = sextet(load<u8>(from + i));
      if (value == PAD) this.pad();
      else if (value < 0 || this.padding > 0) this.failed = true;
      if (this.failed) break;
      this.characters = (this.characters + 1) & 3;
      if (value == PAD) continue;
      this.bits = (this.bits << 6) | value;
      this.bitCount += 6;
      if (this.bitCount < 8) continue;
      this.bitCount -= 8;
      store<u8>(to++, <u8>(this.bits >> this.bitCount));
    }
    return <i32>(to - start);
  }

  /** One or two at the end of the last group, and the bits that are left over must be 0. */
  private pad(): void {
    const isOdd = (this.bits & ((1 << this.bitCount) - 1)) != 0;
    this.padding++;
    if (isOdd || this.characters < 2 || this.padding > 2) this.failed = true;
  }
}

const PAD: i32 = 64;

/** 0 to 63, PAD, or -1. */
function sextet(byte: u32): i32 {
  if (byte - 0x41 < 26) return byte - 0x41; // A-Z
  if (byte - 0x61 < 26) return byte - 0x61 + 26; // a-z
  if (byte - 0x30 < 10) return byte - 0x30 + 52; // 0-9
  if (byte == 0x2b) return 62; // +
  if (byte == 0x2f) return 63; // /
  return byte == 0x3d ? PAD : -1; // =
}
