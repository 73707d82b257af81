// Frames of docs/BLE.md: a packet of any length in values of a characteristic, which hold MTU - 3
// bytes. Says what each frame is and where it belongs; keeps no byte of a packet. Both directions.
//
//     first    | 0x80 | u16 bytes of the packet | u32 CRC-32 of the packet | its first bytes
//     others   | sequence 1 .. 127, 0, 1 ..     | the next bytes

import { crc32 } from "./crc32";

export const FIRST_HEADER_BYTES: i32 = 7;
const HEADER_BYTES: i32 = 1;
const FIRST: u8 = 0x80;
const SEQUENCE: u8 = 0x7f;

/** What a frame is to the packet that is arriving. */
export namespace Fate {
  /** A part of it; more is to come. */
  export const PART: u8 = 0;
  /** Its last part, and it is whole. */
  export const WHOLE: u8 = 1;
  /** Its last part, but the checksum is not that of what came. */
  export const BROKEN: u8 = 2;
  /** No frame, or not the next one: what came before is worth nothing. */
  export const ASTRAY: u8 = 3;
  /** Its packet is longer than may be. */
  export const TOO_LARGE: u8 = 4;
}

/** A packet that arrives. */
export class Assembly {
  /** Bytes of the frame that belong to the packet, after take(). */
  part: usize = 0;
  partSize: i32 = 0;
  /** The frame began a packet. */
  isFirst: bool = false;
  private left: i32 = 0;
  private next: u8 = 0;
  private expected: u32 = 0;
  private crc: u32 = 0;

  constructor(private readonly longest: i32) {}

  /** A packet has begun and is not whole. */
  get isOpen(): bool {
    return this.left > 0;
  }

  /** Forgets what came. */
  reset(): void {
    this.left = 0;
  }

  /** Takes a frame; its Fate. After anything but PART the next one has to be a first one. */
  take(frame: usize, size: i32): u8 {
    this.isFirst = size > 0 && load<u8>(frame) == FIRST;
    const fate = this.isFirst ? this.begin(frame, size) : this.goOn(frame, size);
    if (fate != Fate.PART) this.left = 0;
    return fate;
  }

  private begin(frame: usize, size: i32): u8 {
    if (size <= FIRST_HEADER_BYTES) return Fate.ASTRAY;
    this.left = load<u16>(frame, 1);
    this.expected = load<u32>(frame, 3);
    this.crc = 0;
    this.next = 1;
    if (this.left > this.longest) return Fate.TOO_LARGE;
    return this.add(frame + FIRST_HEADER_BYTES, size - FIRST_HEADER_BYTES);
  }

  private goOn(frame: usize, size: i32): u8 {
    if (size <= HEADER_BYTES || this.left == 0 || load<u8>(frame) != this.next) return Fate.ASTRAY;
    this.next = (this.next + 1) & SEQUENCE;
    return this.add(frame + HEADER_BYTES, size - HEADER_BYTES);
  }

  private add(from: usize, bytes: i32): u8 {
    if (bytes > this.left) return Fate.ASTRAY;
    this.part = from;
    this.partSize = bytes;
    this.crc = crc32(this.crc, from, bytes);
    this.left -= bytes;
    if (this.left > 0) return Fate.PART;
    return this.crc == this.expected ? Fate.WHOLE : Fate.BROKEN;
  }
}

/** A packet that is sent, from where it lies. */
export class Dispersal {
  private from: usize = 0;
  private left: i32 = 0;
  private sequence: u8 = 0;
  private isFirst: bool = false;

  /** Frames are still to be drawn. */
  get isOpen(): bool {
    return this.left > 0;
  }

  /** Begins with `size` bytes, 1 to 65535, which must stay until all is drawn. */
  begin(from: usize, size: i32): void {
    this.from = from;
    this.left = size;
    this.isFirst = true;
    this.sequence = 1;
  }

  reset(): void {
    this.left = 0;
  }

  /** Draws the next frame of at most `room` bytes (above FIRST_HEADER_BYTES); its size. */
  draw(to: usize, room: i32): i32 {
    const header = this.isFirst ? FIRST_HEADER_BYTES : HEADER_BYTES;
    if (this.isFirst) {
      store<u8>(to, FIRST);
      store<u16>(to, <u16>this.left, 1);
      store<u32>(to, crc32(0, this.from, this.left), 3);
    } else {
      store<u8>(to, this.sequence);
      this.sequence = (this.sequence + 1) & SEQUENCE;
    }
    const bytes = min(this.left, room - header);
    memory.copy(to + header, this.from, bytes);
    this.from += bytes;
    this.left -= bytes;
    this.isFirst = false;
    return header + bytes;
  }
}
