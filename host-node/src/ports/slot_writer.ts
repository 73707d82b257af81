// Writes an image into a slot, front to back: erases each sector when the writing comes to it, and
// programs whole units only. What is less than a unit is held back until more comes, or until
// flush() fills it up. Used by ports/ota.ts.

import type { FlashRegion } from "../flash_region.js";
import { SECTOR_BYTES, UNIT_BYTES } from "./nor.js";

const NOTHING = new Uint8Array();

export class SlotWriter {
  /** In the region: where the next unit goes. */
  private position: number;
  private held: Uint8Array = NOTHING;

  /**
   * The image begins at `base` of the region and is written from its byte `start` on; both are
   * multiples of a sector. What lies before the base is erased when a new image is begun.
   */
  constructor(
    private readonly region: FlashRegion,
    private readonly base: number,
    start: number,
  ) {
    this.position = base + start;
    this.vouchers = start === 0 ? base : 0;
  }

  /** Bytes in front of the image that vouch for an older one, until they are erased. */
  private vouchers: number;

  /** Throws NorError or PowerCut; the next bytes go where they would have gone without it. */
  append(bytes: Uint8Array): void {
    const all = this.held.length === 0 ? bytes : Buffer.concat([this.held, bytes]);
    const whole = all.length - (all.length % UNIT_BYTES);
    this.held = whole === all.length ? NOTHING : new Uint8Array(all.subarray(whole));
    this.program(all.subarray(0, whole));
  }

  /** Programs what was held back, filled up with 0xFF. */
  flush(): void {
    if (this.held.length === 0) return;
    const unit = new Uint8Array(UNIT_BYTES).fill(0xff);
    unit.set(this.held);
    this.held = NOTHING;
    this.program(unit);
  }

  /** The image's bytes as they are in flash: a view. */
  read(size: number): Uint8Array {
    return this.region.read(this.base, size);
  }

  /** Shows in `bytes`, read at `offset` of the image, what is held back. */
  overlay(offset: number, bytes: Uint8Array): void {
    const at = this.position - this.base - offset;
    for (const [index, byte] of this.held.entries()) {
      if (at + index >= 0 && at + index < bytes.length) bytes[at + index] = byte;
    }
  }

  private program(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const start = this.position;
    this.position += bytes.length;
    this.region.together(() => this.programAt(start, bytes));
  }

  private programAt(start: number, bytes: Uint8Array): void {
    this.eraseVouchers();
    for (let at = 0; at < bytes.length; ) {
      const offset = start + at;
      if (offset % SECTOR_BYTES === 0) this.region.erase(offset);
      const size = Math.min(SECTOR_BYTES - (offset % SECTOR_BYTES), bytes.length - at);
      this.region.program(offset, bytes.subarray(at, at + size));
      at += size;
    }
  }

  private eraseVouchers(): void {
    for (; this.vouchers > 0; this.vouchers -= SECTOR_BYTES) {
      this.region.erase(this.vouchers - SECTOR_BYTES);
    }
  }
}
