// One partition as the device works on it: NOR flash (ports/nor.ts) whose every operation is kept
// at once, also when a power cut strikes in the middle of it. What is kept is therefore always what
// a device would find after losing power. Operations that are answered together may be kept
// together. Made by FlashImage.region(); used by the ports and boot/.

import { type NorFlash, SECTOR_BYTES } from "./ports/nor.js";

export class FlashRegion {
  /** What together() has to keep; null outside of it. */
  private unkept: { start: number; end: number } | null = null;

  constructor(
    readonly label: string,
    readonly nor: NorFlash,
    private readonly keep: (offset: number, bytes: Uint8Array) => void,
  ) {}

  /**
   * The same region on a copy of its flash, kept elsewhere. In the middle of together() it keeps
   * what a power cut would leave.
   */
  copy(keep: (offset: number, bytes: Uint8Array) => void): FlashRegion {
    const region = new FlashRegion(this.label, this.nor.copy(), keep);
    const { unkept } = this;
    if (unkept !== null) region.persist(unkept.start, unkept.end - unkept.start);
    return region;
  }

  get size(): number {
    return this.nor.size;
  }

  /** A view, not a copy. */
  read(offset: number, size: number): Uint8Array {
    return this.nor.read(offset, size);
  }

  /** Throws NorError when a rule of the chip is broken, PowerCut when an armed one strikes. */
  program(offset: number, bytes: Uint8Array): void {
    try {
      this.nor.program(offset, bytes);
    } finally {
      this.persist(offset, bytes.length);
    }
  }

  /** Erases the sector that begins at `offset`; throws like program. */
  erase(offset: number): void {
    try {
      this.nor.erase(offset);
    } finally {
      this.persist(offset, SECTOR_BYTES);
    }
  }

  /**
   * Performs operations on neighbouring ranges and keeps them with one write, also when one of them
   * throws: a file's write costs more than the operation. It must not be nested.
   */
  together(work: () => void): void {
    const unkept = { start: this.size, end: 0 };
    this.unkept = unkept;
    try {
      work();
    } finally {
      this.unkept = null;
      this.persist(unkept.start, unkept.end - unkept.start);
    }
  }

  /** Brings a range to where it is kept; what is outside the partition does not exist. */
  persist(offset: number, size: number): void {
    const end = Math.min(offset + size, this.size);
    if (offset < 0 || offset >= end) return;
    const { unkept } = this;
    if (unkept === null) {
      this.keep(offset, this.nor.bytes.subarray(offset, end));
      return;
    }
    unkept.start = Math.min(unkept.start, offset);
    unkept.end = Math.max(unkept.end, end);
  }
}
