// A first-in, first-out queue of byte records of any size over one static buffer; the only place
// where its bytes wrap around. A record is reserved at its exact size, filled by appends (message
// fragments arrive one by one), and becomes visible by commit; from then on until drop it never
// changes and never moves. Reading and dropping may go on while a reservation is open.
//
//   buffer  | free ... | size u16 | bytes ... | size u16 | bytes ... | reserved ... | free ... |
//                      ^ head                                        ^ head + used
//
// Any record, and any size field, may lie across the end of the buffer.

import { check, Panic } from "./assert";

/** Bytes the ring adds to each record. */
export const RING_HEADER_BYTES: i32 = 2;

const HEADER: usize = memory.data(RING_HEADER_BYTES, 2);

export class Ring {
  /** Committed records. */
  count: i32 = 0;
  private head: i32 = 0;
  private used: i32 = 0;
  /** Size of the reserved record, or -1. */
  private reserved: i32 = -1;
  private filled: i32 = 0;

  /** `capacity` bytes at `address`, at most 65,537 (record sizes are 16 bits wide). */
  constructor(
    private address: usize,
    private capacity: i32,
  ) {
    check(capacity <= 0x10001, Panic.RING);
  }

  /** Makes room for one record of exactly `size` bytes; false, and no change, without room. */
  reserve(size: i32): bool {
    check(this.reserved < 0 && size >= 0, Panic.RING);
    if (size > this.freeBytes()) return false;
    this.reserved = size;
    this.filled = 0;
    return true;
  }

  /** Adds bytes to the reserved record; more than were reserved is a panic. */
  append(from: usize, size: i32): void {
    check(size >= 0 && size <= this.reserved - this.filled, Panic.RING);
    this.copy(this.used + RING_HEADER_BYTES + this.filled, from, size, true);
    this.filled += size;
  }

  /** Makes the reserved record visible; it must have been filled to its size. */
  commit(): void {
    check(this.reserved == this.filled, Panic.RING);
    store<u16>(HEADER, <u16>this.reserved);
    this.copy(this.used, HEADER, RING_HEADER_BYTES, true);
    this.used += RING_HEADER_BYTES + this.reserved;
    this.count++;
    this.reserved = -1;
  }

  /** Gives the reservation up; harmless without one. */
  cancel(): void {
    this.reserved = -1;
  }

  /** Size of the largest record that fits now, or -1 when not even an empty one does. */
  freeBytes(): i32 {
    const taken = this.reserved < 0 ? this.used : this.used + RING_HEADER_BYTES + this.reserved;
    return max(-1, this.capacity - taken - RING_HEADER_BYTES);
  }

  /** Size of the oldest record, or -1 when there is none. */
  peekSize(): i32 {
    if (!this.count) return -1;
    this.copy(0, HEADER, RING_HEADER_BYTES, false);
    return load<u16>(HEADER);
  }

  /** Copies `size` bytes of the oldest record, from `offset` on; they must lie inside it. */
  read(offset: i32, to: usize, size: i32): void {
    check(offset >= 0 && size >= 0 && size <= this.peekSize() - offset, Panic.RING);
    this.copy(RING_HEADER_BYTES + offset, to, size, false);
  }

  /** Forgets the oldest record; there must be one. */
  drop(): void {
    check(this.count > 0, Panic.RING);
    const size = RING_HEADER_BYTES + this.peekSize();
    this.head = (this.head + size) % this.capacity;
    this.used -= size;
    this.count--;
  }

  /** Forgets every record and the reservation. */
  clear(): void {
    this.count = 0;
    this.used = 0;
    this.reserved = -1;
  }

  /** Copies between `other` and the ring's bytes `offset` behind the head, around its end. */
  private copy(offset: i32, other: usize, size: i32, inward: bool): void {
    let at = (this.head + offset) % this.capacity;
    while (size > 0) {
      const run = min(size, this.capacity - at);
      const inside = this.address + at;
      if (inward) memory.copy(inside, other, run);
      else memory.copy(other, inside, run);
      other += run;
      size -= run;
      at = 0;
    }
  }
}
