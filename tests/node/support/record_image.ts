// The records partition read and written by a second implementation of its format (docs/FLASH.md),
// so that a test can give a device what an older or a newer firmware has left there.

import { crc32 } from "../../../host-node/src/crc32.js";
import { NorFlash, SECTOR_BYTES, UNIT_BYTES } from "../../../host-node/src/ports/nor.js";

const RECORD = 0x52;
const HEADER_CRC_AT = 12;
const TOMBSTONE = 0x80;

const padded = (size: number): number => Math.ceil(size / UNIT_BYTES) * UNIT_BYTES;

/** The header CRC vouches for its place, too. */
const headerCrc = (header: Buffer, offset: number): number =>
  crc32(header.subarray(0, HEADER_CRC_AT), offset);

/** Newest value of each dataset. */
export function readRecords(flash: NorFlash): Map<number, Buffer> {
  const bytes = Buffer.from(flash.bytes);
  const newest = new Map<number, { sequence: number; value: Buffer | null }>();
  for (let at = 0; at + UNIT_BYTES <= bytes.length; at += UNIT_BYTES) {
    const header = bytes.subarray(at, at + UNIT_BYTES);
    if (header[0] !== RECORD || header.readUInt32LE(HEADER_CRC_AT) !== headerCrc(header, at))
      continue;
    const [tag, size, sequence] = [header[1]!, header.readUInt16LE(2), header.readUInt32LE(4)];
    const value = bytes.subarray(at + UNIT_BYTES, at + UNIT_BYTES + size);
    const known = newest.get(tag & ~TOMBSTONE);
    if (known !== undefined && known.sequence > sequence) continue;
    newest.set(tag & ~TOMBSTONE, { sequence, value: tag & TOMBSTONE ? null : Buffer.from(value) });
  }
  const values = [...newest].flatMap(([dataset, { value }]) =>
    value === null ? [] : [[dataset, value] as const],
  );
  return new Map(values);
}

/** A partition that holds these values, one sector each, and nothing else. */
export function writeRecords(values: ReadonlyMap<number, Uint8Array>, sectors: number): NorFlash {
  const flash = NorFlash.blank(sectors);
  let sequence = 0;
  for (const [dataset, value] of values) {
    const sector = sequence * SECTOR_BYTES;
    const head = Buffer.alloc(UNIT_BYTES, 0xff);
    head.set([0x53, 1]);
    head.writeUInt32LE(1, 4);
    head.writeUInt32LE(headerCrc(head, sector), HEADER_CRC_AT);
    flash.program(sector, head);
    const record = Buffer.alloc(UNIT_BYTES + padded(value.length), 0xff);
    record.set([RECORD, dataset]);
    record.writeUInt16LE(value.length, 2);
    record.writeUInt32LE(++sequence, 4);
    record.writeUInt32LE(crc32(value, 0), 8);
    record.writeUInt32LE(headerCrc(record, sector + UNIT_BYTES), HEADER_CRC_AT);
    record.set(value, UNIT_BYTES);
    flash.program(sector + UNIT_BYTES, record);
  }
  return flash;
}
