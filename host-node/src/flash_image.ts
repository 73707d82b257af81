// The flash chip of a device on a desk: 4 MB with ESP-IDF's partition table at 0x8000, in a file or
// in memory. The bytes in the file are, after each operation, what a power cut would leave, so that
// killing the process is a power cut. Outlives the lives of its device; ports/flash.ts works on the
// records partition.

import { createHash, randomFillSync } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join, resolve } from "node:path";
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
import { NorFlash } from "./ports/nor.js";

export const FLASH_BYTES = 4 * 1024 * 1024;
const SECTOR_BYTES = 4096;
const RECORDS = "records";
export const MAC_BYTES = 6;
/**
 * A chip keeps its MAC address in eFuses. Here it lies in the last sector, which belongs to no
 * partition, so that one file is one device wherever it is copied.
 */
const MAC_OFFSET = FLASH_BYTES - SECTOR_BYTES;
const MAC_MAGIC = Buffer.from("IOT32MAC");

/** A file that cannot be a device's flash; the message says why and what to do. */
export class FlashImageError extends Error {
  override readonly name = "FlashImageError";
}

/** Where the bytes are kept. */
interface Storage {
  read(offset: number, size: number): Buffer;
  write(offset: number, bytes: Uint8Array): void;
  close(): void;
}

/** Sectors that were written; all others are erased. */
class MemoryStorage implements Storage {
  private readonly sectors = new Map<number, Buffer>();

  private sector(index: number): Buffer {
    const known = this.sectors.get(index);
    if (known !== undefined) return known;
    const blank = Buffer.alloc(SECTOR_BYTES, 0xff);
    this.sectors.set(index, blank);
    return blank;
  }

  private *parts(offset: number, size: number): Iterable<{ at: number; part: Buffer }> {
    for (let at = 0; at < size; ) {
      const start = (offset + at) % SECTOR_BYTES;
      const length = Math.min(SECTOR_BYTES - start, size - at);
      const sector = this.sector(Math.floor((offset + at) / SECTOR_BYTES));
      yield { at, part: sector.subarray(start, start + length) };
      at += length;
    }
  }

  read(offset: number, size: number): Buffer {
    const bytes = Buffer.alloc(size);
    for (const { at, part } of this.parts(offset, size)) bytes.set(part, at);
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (const { at, part } of this.parts(offset, bytes.length)) {
      part.set(bytes.subarray(at, at + part.length));
    }
  }

  close(): void {
    this.sectors.clear();
  }
}

/** Positional reads and writes of an open file: what is written survives the process. */
class FileStorage implements Storage {
  constructor(private readonly fd: number) {}

  read(offset: number, size: number): Buffer {
    const bytes = Buffer.alloc(size);
    const count = readSync(this.fd, bytes, 0, size, offset);
    if (count !== size) throw new FlashImageError(`the flash file ends at ${offset + count}`);
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.fd, bytes, done, bytes.length - done, offset + done);
    }
  }

  close(): void {
    closeSync(this.fd);
  }
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
function format(storage: Storage, options: FlashImageOptions): void {
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
  /** The records partition; written through by persistRecords. */
  readonly records: NorFlash;
  readonly mac: Uint8Array;
  private readonly recordsOffset: number;

  private constructor(
    private readonly storage: Storage,
    /** Path of the file, or "memory". */
    readonly name: string,
  ) {
    this.partitions = decodePartitions(storage.read(PARTITION_TABLE_OFFSET, PARTITION_TABLE_BYTES));
    checkPartitions(this.partitions, FLASH_BYTES);
    const { offset, size } = this.partition(RECORDS);
    this.recordsOffset = offset;
    this.records = new NorFlash(Uint8Array.from(storage.read(offset, size)));
    this.mac = this.readMac();
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

  partition(label: string): Partition {
    const partition = this.partitions.find((candidate) => candidate.label === label);
    if (partition !== undefined) return partition;
    throw new FlashImageError(`no partition is called "${label}" in ${this.name}`);
  }

  /** Bytes of a partition as they lie in the image. */
  readPartition(label: string): Uint8Array {
    const { offset, size } = this.partition(label);
    return Uint8Array.from(this.storage.read(offset, size));
  }

  /** Brings a range of the records partition to where it is kept. */
  persistRecords(offset: number, size: number): void {
    this.storage.write(this.recordsOffset + offset, this.records.read(offset, size));
  }

  /** An image that came from a chip has no MAC address in it: its path stands in. */
  private readMac(): Uint8Array {
    const slot = this.storage.read(MAC_OFFSET, MAC_MAGIC.length + MAC_BYTES);
    const isThere = slot.subarray(0, MAC_MAGIC.length).equals(MAC_MAGIC);
    if (isThere) return Uint8Array.from(slot.subarray(MAC_MAGIC.length));
    return asLocalMac(createHash("sha256").update(this.name).digest());
  }

  close(): void {
    this.storage.close();
  }
}
