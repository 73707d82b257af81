// Where the bytes of a flash image are kept: in memory, where only written sectors take room and
// copies share them, or in an open file, where what is written survives the process. Used by
// flash_image.ts only.

import { closeSync, fstatSync, readSync, writeSync } from "node:fs";

const SECTOR_BYTES = 4096;
const ERASED = 0xff;

export interface FlashStorage {
  /** A copy. */
  read(offset: number, size: number): Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
  /** The same bytes in memory, independent of these. */
  copy(): MemoryStorage;
  close(): void;
}

/** Sectors that were written; all others are erased. */
export class MemoryStorage implements FlashStorage {
  private sectors = new Map<number, Uint8Array>();
  /** Numbers of the sectors that no copy shares: others are copied when they are written. */
  private readonly owned = new Set<number>();

  copy(): MemoryStorage {
    const storage = new MemoryStorage();
    storage.sectors = new Map(this.sectors);
    this.owned.clear();
    return storage;
  }

  /** A sector to write into. */
  private own(index: number): Uint8Array {
    const shared = this.sectors.get(index);
    if (shared !== undefined && this.owned.has(index)) return shared;
    const sector = shared?.slice() ?? new Uint8Array(SECTOR_BYTES).fill(ERASED);
    this.sectors.set(index, sector);
    this.owned.add(index);
    return sector;
  }

  private *parts(offset: number, size: number): Iterable<{ at: number; start: number; n: number }> {
    for (let at = 0; at < size; ) {
      const start = (offset + at) % SECTOR_BYTES;
      const n = Math.min(SECTOR_BYTES - start, size - at);
      yield { at, start, n };
      at += n;
    }
  }

  read(offset: number, size: number): Uint8Array {
    const bytes = new Uint8Array(size).fill(ERASED);
    for (const { at, start, n } of this.parts(offset, size)) {
      const sector = this.sectors.get(Math.floor((offset + at) / SECTOR_BYTES));
      if (sector !== undefined) bytes.set(sector.subarray(start, start + n), at);
    }
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (const { at, start, n } of this.parts(offset, bytes.length)) {
      const index = Math.floor((offset + at) / SECTOR_BYTES);
      this.own(index).set(bytes.subarray(at, at + n), start);
    }
  }

  close(): void {
    this.sectors.clear();
    this.owned.clear();
  }
}

/** Positional reads and writes of an open file. */
export class FileStorage implements FlashStorage {
  private isOpen = true;

  constructor(private readonly fd: number) {}

  read(offset: number, size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    const count = readSync(this.fd, bytes, 0, size, offset);
    if (count !== size) throw new Error(`the flash file ends at ${offset + count}`);
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.fd, bytes, done, bytes.length - done, offset + done);
    }
  }

  /** Erased sectors take no room in it. */
  copy(): MemoryStorage {
    const storage = new MemoryStorage();
    const { size } = fstatSync(this.fd);
    for (let at = 0; at < size; at += SECTOR_BYTES) {
      const sector = this.read(at, Math.min(SECTOR_BYTES, size - at));
      if (sector.some((byte) => byte !== ERASED)) storage.write(at, sector);
    }
    return storage;
  }

  /** Once: afterwards the number may be another file's. */
  close(): void {
    if (this.isOpen) closeSync(this.fd);
    this.isOpen = false;
  }
}
