// The flash chip of a device on a desk: 4 MB with ESP-IDF's partition table at 0x8000, in a file or
// in memory. The bytes in the file are, after each operation, what a power cut would leave, so that
// killing the process is a power cut. Outlives the lives of its device; ports and boot/ work on its
// partitions, each of which is loaded when it is first asked for.

import { createHash, randomFillSync } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { FlashRegion } from "./flash_region.js";
import { FileStorage, type FlashStorage, MemoryStorage } from "./flash_storage.js";
import { packageRoot } from "./package_root.js";
import {
  checkPartitions,
  decodePartitions,
  encodePartitions,
  PARTITION_TABLE_BYTES,
  PARTITION_TABLE_OFFSET,
  type Partition,
  parsePartitionCsv,
} from "./partitions.js";
import { type CutMode, NorFlash, type Random, SECTOR_BYTES } from "./ports/nor.js";

export const FLASH_BYTES = 4 * 1024 * 1024;
/** The partition of the record store. */
export const RECORDS = "records";
export const MAC_BYTES = 6;
/**
 * A chip keeps its MAC address in eFuses. Here it lies in the last sector, which belongs to no
 * partition, so that one file is one device wherever it is copied.
 */
const MAC_OFFSET = FLASH_BYTES - SECTOR_BYTES;
const MAC_MAGIC = Buffer.from("IOT32MAC");
/** Behind it: SHA-256 of the image that was flashed last (boot/flasher.ts). */
const NOTE_OFFSET = MAC_OFFSET + 64;
const NOTE_MAGIC = Buffer.from("IOT32APP");
const NOTE_BYTES = 32;

/** A file that cannot be a device's flash; the message says why and what to do. */
export class FlashImageError extends Error {
  override readonly name = "FlashImageError";
}

export interface FlashImageOptions {
  /** Fills with random bytes: the MAC address of a new device. */
  readonly random?: (bytes: Uint8Array) => void;
}

/** Locally administered, unicast (IEEE 802): it is nobody's. */
function asLocalMac(bytes: Uint8Array): Uint8Array {
  const mac = Uint8Array.from(bytes.subarray(0, MAC_BYTES));
  mac[0] = (mac[0]! & 0xfc) | 0x02;
  return mac;
}

function readPartitionCsv(): Partition[] {
  const path = join(packageRoot, "host-esp32", "partitions.csv");
  const partitions = parsePartitionCsv(readFileSync(path, "utf8"));
  checkPartitions(partitions, FLASH_BYTES);
  return partitions;
}

/** Partition table and MAC address on a blank chip. */
function format(storage: FlashStorage, options: FlashImageOptions): void {
  const mac = new Uint8Array(MAC_BYTES);
  (options.random ?? randomFillSync)(mac);
  storage.write(PARTITION_TABLE_OFFSET, encodePartitions(readPartitionCsv()));
  storage.write(MAC_OFFSET, Buffer.concat([MAC_MAGIC, asLocalMac(mac)]));
}

/** A whole image or none: it gets its name when it is complete. */
function createFile(path: string, options: FlashImageOptions): void {
  const draft = `${path}.${process.pid}.new`;
  const storage = new FileStorage(openSync(draft, "wx+"));
  try {
    storage.write(0, Buffer.alloc(FLASH_BYTES, 0xff));
    format(storage, options);
    renameSync(draft, path);
  } finally {
    storage.close();
    rmSync(draft, { force: true });
  }
}

export class FlashImage {
  readonly partitions: readonly Partition[];
  readonly mac: Uint8Array;
  private readonly regions = new Map<string, FlashRegion>();

  private constructor(
    private readonly storage: FlashStorage,
    /** Path of the file, or "memory". */
    readonly name: string,
    /** What is read from flash otherwise. */
    known?: { readonly partitions: readonly Partition[]; readonly mac: Uint8Array },
  ) {
    this.partitions = known?.partitions ?? this.readPartitions();
    this.mac = known?.mac ?? this.readMac();
  }

  private readPartitions(): Partition[] {
    const table = this.storage.read(PARTITION_TABLE_OFFSET, PARTITION_TABLE_BYTES);
    const partitions = decodePartitions(table);
    checkPartitions(partitions, FLASH_BYTES);
    return partitions;
  }

  /** Opens an image, or makes one of a new device with blank flash. */
  static open(path: string, options: FlashImageOptions = {}): FlashImage {
    const file = resolve(path);
    let fd: number | undefined;
    try {
      if (!existsSync(file)) createFile(file, options);
      fd = openSync(file, "r+");
      const { size } = fstatSync(fd);
      if (size !== FLASH_BYTES)
        throw new FlashImageError(`${size} bytes instead of ${FLASH_BYTES}`);
      return new FlashImage(new FileStorage(fd), file);
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      const why = (error as Error).message;
      throw new FlashImageError(`${path} cannot be a device's flash: ${why}`, { cause: error });
    }
  }

  /** A new device with blank flash that lives as long as this object. */
  static inMemory(options: FlashImageOptions = {}): FlashImage {
    const storage = new MemoryStorage();
    format(storage, options);
    return new FlashImage(storage, "memory");
  }

  /**
   * The same device in memory, independent of this one, which may be a file: its bytes, and of each
   * partition that was used what a chip remembers (ports/nor.ts). Costs microseconds for an image
   * in memory, because bytes are shared until one of the two writes them. What was written past a
   * region and is not persisted yet (persistRecords) is in its region, as it is here.
   */
  copy(): FlashImage {
    const storage = this.storage.copy();
    const image = new FlashImage(storage, "memory", this);
    for (const [label, region] of this.regions) {
      image.regions.set(label, region.copy(image.keeper(label)));
    }
    return image;
  }

  /** Writes a range of a partition to where it is kept. */
  private keeper(label: string): (offset: number, bytes: Uint8Array) => void {
    const { offset } = this.partition(label);
    return (at, bytes) => this.storage.write(offset + at, bytes);
  }

  /** The partition of that name, if the table has one. */
  find(label: string): Partition | undefined {
    return this.partitions.find((candidate) => candidate.label === label);
  }

  partition(label: string): Partition {
    const partition = this.find(label);
    if (partition !== undefined) return partition;
    throw new FlashImageError(`no partition is called "${label}" in ${this.name}`);
  }

  /** The partition as the device works on it; the same object each time. */
  region(label: string): FlashRegion {
    const known = this.regions.get(label);
    if (known !== undefined) return known;
    const { offset, size } = this.partition(label);
    const nor = new NorFlash(this.storage.read(offset, size));
    const region = new FlashRegion(label, nor, this.keeper(label));
    this.regions.set(label, region);
    return region;
  }

  /** The records partition; written through by persistRecords. */
  get records(): NorFlash {
    return this.region(RECORDS).nor;
  }

  /** Brings a range of the records partition to where it is kept. */
  persistRecords(offset: number, size: number): void {
    this.region(RECORDS).persist(offset, size);
  }

  /**
   * The power fails in operation number `operations` from now (0: the next) on any partition that was
   * asked for, as NorFlash.armPowerCut says.
   */
  armPowerCut(operations: number, mode: CutMode, random: Random): void {
    for (const { nor } of this.regions.values()) nor.armPowerCut(operations, mode, random);
  }

  disarmPowerCut(): void {
    for (const { nor } of this.regions.values()) nor.disarmPowerCut();
  }

  /** A copy of bytes of a partition, without loading all of it; less where the partition ends. */
  read(label: string, offset: number, bytes: number): Uint8Array {
    const partition = this.partition(label);
    const size = Math.max(0, Math.min(bytes, partition.size - offset));
    return this.storage.read(partition.offset + offset, size);
  }

  /** Bytes of a partition as they lie in the image. */
  readPartition(label: string): Uint8Array {
    return this.read(label, 0, this.partition(label).size);
  }

  /**
   * Writes to a partition from its start on as esptool does, from outside: whole sectors, filled up
   * with 0xFF, and no power cut strikes.
   */
  flash(label: string, bytes: Uint8Array): void {
    const { offset, size } = this.partition(label);
    const sectors = Math.ceil(bytes.length / SECTOR_BYTES);
    if (sectors * SECTOR_BYTES > size) {
      const room = `"${label}" has room for ${size}`;
      throw new FlashImageError(`${bytes.length} bytes do not fit into flash: ${room}`);
    }
    const whole = new Uint8Array(sectors * SECTOR_BYTES).fill(0xff);
    whole.set(bytes);
    this.storage.write(offset, whole);
    this.regions.get(label)?.nor.load(0, whole);
  }

  /** SHA-256 of what was flashed last; null when nobody wrote that down. */
  get note(): Uint8Array | null {
    const slot = this.storage.read(NOTE_OFFSET, NOTE_MAGIC.length + NOTE_BYTES);
    return NOTE_MAGIC.equals(slot.subarray(0, NOTE_MAGIC.length))
      ? slot.slice(NOTE_MAGIC.length)
      : null;
  }

  /**
   * Null removes the note. A table that gives the last sector to a partition leaves no place for
   * one: there it stays null.
   */
  set note(sha256: Uint8Array | null) {
    if (this.partitions.some(({ offset, size }) => offset + size > MAC_OFFSET)) return;
    const blank = Buffer.alloc(NOTE_MAGIC.length + NOTE_BYTES, 0xff);
    this.storage.write(NOTE_OFFSET, sha256 === null ? blank : Buffer.concat([NOTE_MAGIC, sha256]));
  }

  /** An image that came from a chip has no MAC address in it: its path stands in. */
  private readMac(): Uint8Array {
    const slot = this.storage.read(MAC_OFFSET, MAC_MAGIC.length + MAC_BYTES);
    const isThere = MAC_MAGIC.equals(slot.subarray(0, MAC_MAGIC.length));
    if (isThere) return slot.slice(MAC_MAGIC.length);
    return asLocalMac(createHash("sha256").update(this.name).digest());
  }

  close(): void {
    this.storage.close();
  }
}
