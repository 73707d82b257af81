// The partition table of ESP-IDF: CSV as people write it, the binary at 0x8000 as the bootloader
// reads it, and the rules both must obey. host-esp32/partitions.csv is the one table of this
// project; the flash image of the Node host carries the same bytes as the chip.
// Format: ESP-IDF Programming Guide, "Partition Tables".

import { createHash } from "node:crypto";

export const PARTITION_TABLE_OFFSET = 0x8000;
/** Bytes of entries in the sector; the rest of the sector is left for a signature. */
export const PARTITION_TABLE_BYTES = 0xc00;
const SECTOR_BYTES = 0x1000;
/** Type of partitions that hold an application. */
export const APP_TYPE = 0;
const APP_ALIGNMENT = 0x10000;
const ENTRY_BYTES = 32;
const ENTRY_MAGIC = 0x50aa;
const MD5_MAGIC = 0xebeb;
const LABEL_BYTES = 16;
/** The bootloader reads the label as C text: one byte stays for the NUL. */
const LABEL_BYTES_MAX = LABEL_BYTES - 1;

export interface Partition {
  readonly label: string;
  readonly type: number;
  readonly subtype: number;
  readonly offset: number;
  readonly size: number;
  readonly encrypted: boolean;
  readonly readonly: boolean;
}

/** A table that the bootloader would refuse, or would misread; the message says which rule. */
export class PartitionTableError extends Error {
  override readonly name = "PartitionTableError";
}

const TYPES: Readonly<Record<string, number>> = { app: APP_TYPE, data: 1 };
const APP_SUBTYPES: Readonly<Record<string, number>> = {
  factory: 0x00,
  test: 0x20,
  ...Object.fromEntries(Array.from({ length: 16 }, (_, slot) => [`ota_${slot}`, 0x10 + slot])),
};
const DATA_SUBTYPES: Readonly<Record<string, number>> = {
  ota: 0x00,
  phy: 0x01,
  nvs: 0x02,
  coredump: 0x03,
  nvs_keys: 0x04,
  efuse: 0x05,
  undefined: 0x06,
  esphttpd: 0x80,
  fat: 0x81,
  spiffs: 0x82,
  littlefs: 0x83,
};
const SUBTYPES = [APP_SUBTYPES, DATA_SUBTYPES];
const OTADATA_BYTES = 2 * SECTOR_BYTES;

const hex = (value: number): string => `0x${value.toString(16)}`;

/** A number as ESP-IDF writes it: decimal, 0x hexadecimal, with K or M. NaN when it is none. */
function parseNumber(text: string): number {
  const match = /^(0x[0-9a-f]+|[0-9]+)([KM]?)$/i.exec(text);
  if (match === null) return Number.NaN;
  const unit = match[2]?.toUpperCase();
  return Number(match[1]) * (unit === "K" ? 1024 : unit === "M" ? 1024 * 1024 : 1);
}

function parseName(text: string, names: Readonly<Record<string, number>>, what: string): number {
  const value = Object.hasOwn(names, text) ? names[text]! : parseNumber(text);
  if (Number.isInteger(value) && value >= 0 && value <= 0xfe) return value;
  throw new PartitionTableError(`"${text}" is not a partition ${what}`);
}

function parseFlags(text: string): { encrypted: boolean; readonly: boolean } {
  const flags = text === "" ? [] : text.split(":");
  for (const flag of flags) {
    if (flag !== "encrypted" && flag !== "readonly") {
      throw new PartitionTableError(`"${flag}" is not a flag; they are encrypted and readonly`);
    }
  }
  return { encrypted: flags.includes("encrypted"), readonly: flags.includes("readonly") };
}

/** One line; an empty offset is the next aligned one after `end`. */
function parseLine(line: string, end: number): Partition {
  const [label = "", typeText = "", subtypeText = "", offsetText = "", sizeText = "", flags = ""] =
    line.split(",").map((field) => field.trim());
  const type = parseName(typeText, TYPES, "type");
  const subtype = parseName(subtypeText, SUBTYPES[type] ?? {}, "subtype");
  const alignment = type === TYPES.app ? APP_ALIGNMENT : SECTOR_BYTES;
  const next = Math.ceil(end / alignment) * alignment;
  const offset = offsetText === "" ? next : parseNumber(offsetText);
  const size = parseNumber(sizeText);
  if (Number.isNaN(offset)) throw new PartitionTableError(`"${offsetText}" is not an offset`);
  if (Number.isNaN(size)) throw new PartitionTableError(`"${sizeText}" is not a size`);
  return { label, type, subtype, offset, size, ...parseFlags(flags) };
}

/** Reads ESP-IDF's CSV; throws PartitionTableError with the line number. */
export function parsePartitionCsv(csv: string): Partition[] {
  const partitions: Partition[] = [];
  let end = PARTITION_TABLE_OFFSET + SECTOR_BYTES;
  for (const [index, raw] of csv.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    try {
      const partition = parseLine(line, end);
      end = partition.offset + partition.size;
      partitions.push(partition);
    } catch (error) {
      throw new PartitionTableError(`line ${index + 1}: ${(error as Error).message}`);
    }
  }
  return partitions;
}

function checkPartition(partition: Partition, flashBytes: number): void {
  const { label, type, subtype, offset, size } = partition;
  const fail = (why: string): never => {
    throw new PartitionTableError(`partition "${label}" ${why}`);
  };
  const labelBytes = Buffer.byteLength(label);
  if (labelBytes === 0 || labelBytes > LABEL_BYTES_MAX) {
    fail(`needs a name of 1 to ${LABEL_BYTES_MAX} bytes`);
  }
  const alignment = type === TYPES.app ? APP_ALIGNMENT : SECTOR_BYTES;
  if (offset % alignment !== 0)
    fail(`starts at ${hex(offset)}, not a multiple of ${hex(alignment)}`);
  if (size === 0 || size % SECTOR_BYTES !== 0) {
    fail(`has ${hex(size)} bytes, not a multiple of ${hex(SECTOR_BYTES)}`);
  }
  if (offset < PARTITION_TABLE_OFFSET + SECTOR_BYTES) {
    fail(`starts at ${hex(offset)}, inside the bootloader or the partition table`);
  }
  if (offset + size > flashBytes) {
    fail(`ends at ${hex(offset + size)}, beyond the flash of ${hex(flashBytes)} bytes`);
  }
  if (type === TYPES.data && subtype === DATA_SUBTYPES.ota && size !== OTADATA_BYTES) {
    fail(`is OTA data and must have ${hex(OTADATA_BYTES)} bytes`);
  }
}

/** Throws PartitionTableError unless ESP-IDF's bootloader could use this table on this flash. */
export function checkPartitions(partitions: readonly Partition[], flashBytes: number): void {
  if (partitions.length === 0) throw new PartitionTableError("the partition table is empty");
  if ((partitions.length + 1) * ENTRY_BYTES >= PARTITION_TABLE_BYTES) {
    throw new PartitionTableError(`${partitions.length} partitions do not fit the table`);
  }
  const labels = new Set<string>();
  let last: Partition | undefined;
  for (const partition of partitions.toSorted((a, b) => a.offset - b.offset)) {
    checkPartition(partition, flashBytes);
    if (labels.has(partition.label)) {
      throw new PartitionTableError(`two partitions are called "${partition.label}"`);
    }
    if (last !== undefined && partition.offset < last.offset + last.size) {
      throw new PartitionTableError(`partition "${partition.label}" overlaps "${last.label}"`);
    }
    labels.add(partition.label);
    last = partition;
  }
  const isOtaData = (p: Partition) => p.type === TYPES.data && p.subtype === DATA_SUBTYPES.ota;
  if (partitions.filter(isOtaData).length > 1) {
    throw new PartitionTableError("there is more than one OTA data partition");
  }
}

/**
 * The table as flashed at 0x8000. One entry:
 *
 *     0       2      3         4        8      12          28      32
 *     | 50AA  | type | subtype | offset | size | label[16] | flags |
 *
 * After the last one: EBEB, 14 bytes of FF, MD5 of all entries; FF to the end.
 */
export function encodePartitions(partitions: readonly Partition[]): Uint8Array {
  const table = Buffer.alloc(PARTITION_TABLE_BYTES, 0xff);
  let at = 0;
  for (const partition of partitions) {
    const entry = table.subarray(at, at + ENTRY_BYTES).fill(0);
    entry.writeUInt16LE(ENTRY_MAGIC, 0);
    entry.writeUInt8(partition.type, 2);
    entry.writeUInt8(partition.subtype, 3);
    entry.writeUInt32LE(partition.offset, 4);
    entry.writeUInt32LE(partition.size, 8);
    entry.write(partition.label, 12, LABEL_BYTES, "utf8");
    entry.writeUInt32LE((partition.encrypted ? 1 : 0) | (partition.readonly ? 2 : 0), 28);
    at += ENTRY_BYTES;
  }
  table.writeUInt16LE(MD5_MAGIC, at);
  createHash("md5")
    .update(table.subarray(0, at))
    .digest()
    .copy(table, at + 16);
  return table;
}

function decodeEntry(entry: Buffer): Partition {
  const label = entry.subarray(12, 12 + LABEL_BYTES);
  const nul = label.indexOf(0);
  const flags = entry.readUInt32LE(28);
  return {
    label: label.toString("utf8", 0, nul < 0 ? LABEL_BYTES : nul),
    type: entry.readUInt8(2),
    subtype: entry.readUInt8(3),
    offset: entry.readUInt32LE(4),
    size: entry.readUInt32LE(8),
    encrypted: (flags & 1) !== 0,
    readonly: (flags & 2) !== 0,
  };
}

/** Reads the binary table; throws PartitionTableError when a byte of it is not as it should be. */
export function decodePartitions(bytes: Uint8Array): Partition[] {
  const table = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const partitions: Partition[] = [];
  for (let at = 0; at + ENTRY_BYTES <= table.length; at += ENTRY_BYTES) {
    const magic = table.readUInt16LE(at);
    if (magic === MD5_MAGIC) {
      const digest = createHash("md5").update(table.subarray(0, at)).digest();
      if (digest.equals(table.subarray(at + 16, at + ENTRY_BYTES))) return partitions;
      throw new PartitionTableError("the MD5 of the partition table does not match its entries");
    }
    if (magic !== ENTRY_MAGIC) {
      const what = at === 0 ? "there is no partition table" : `entry ${at / ENTRY_BYTES} is broken`;
      throw new PartitionTableError(`${what}: magic ${hex(magic)} at byte ${at}`);
    }
    partitions.push(decodeEntry(table.subarray(at, at + ENTRY_BYTES)));
  }
  throw new PartitionTableError("the partition table has no end");
}
