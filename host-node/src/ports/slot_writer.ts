// Writes an image into a slot, front to back, a sector at a time: erased and programmed when it is
// whole, and kept with one write of the file, which costs more than both. What is less than a
// sector is held back until more comes, or until flush() programs it in whole units. Used by
// ports/ota_slots.ts.

import type { FlashRegion } from "../flash_region.js";
import { SECTOR_BYTES, UNIT_BYTES } from "./nor.js";

export class SlotWriter {
  /** In the region: where what is held back goes; a whole unit. */
  private position: number;
  private readonly sector = new Uint8Array(SECTOR_BYTES);
  private heldBytes = 0;

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

  /** The same writer in a copy of the region, with what is held back. */
  copy(region: FlashRegion): SlotWriter {
    const writer = new SlotWriter(region, this.base, this.position - this.base);
    writer.vouchers = this.vouchers;
    writer.heldBytes = this.heldBytes;
    writer.sector.set(this.sector.subarray(0, this.heldBytes));
    return writer;
  }

  /** Throws NorError or PowerCut; the next bytes go where they would have gone without it. */
  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const room = SECTOR_BYTES - (this.position % SECTOR_BYTES) - this.heldBytes;
      const part = bytes.subarray(at, at + room);
      this.sector.set(part, this.heldBytes);
      this.heldBytes += part.length;
      at += part.length;
      if (part.length === room) this.program();
    }
  }

  /** Programs what was held back, its last unit filled up with 0xFF. */
  flush(): void {
    const whole = Math.ceil(this.heldBytes / UNIT_BYTES) * UNIT_BYTES;
    this.sector.fill(0xff, this.heldBytes, whole);
    this.heldBytes = whole;
    this.program();
  }

  /** The image's bytes as they are in flash: a view. */
  read(size: number): Uint8Array {
    return this.region.read(this.base, size);
  }

  /** Shows in `bytes`, read at `offset` of the image, what is held back. */
  overlay(offset: number, bytes: Uint8Array): void {
    const at = this.position - this.base - offset;
    for (let index = 0; index < this.heldBytes; index++) {
      if (at + index >= 0 && at + index < bytes.length) bytes[at + index] = this.sector[index]!;
    }
  }

  private program(): void {
    const start = this.position;
    const bytes = this.sector.subarray(0, this.heldBytes);
    if (bytes.length === 0) return;
    this.position += bytes.length;
    this.heldBytes = 0;
    this.region.together(() => {
      this.eraseVouchers();
      if (start % SECTOR_BYTES === 0) this.region.erase(start);
      this.region.program(start, bytes);
    });
  }

  private eraseVouchers(): void {
    for (; this.vouchers > 0; this.vouchers -= SECTOR_BYTES) {
      this.region.erase(this.vouchers - SECTOR_BYTES);
    }
  }
}
