// What the bytes of the records partition mean: sector headers, record headers, checksums, and the
// one small window through which flash is read. Both headers fill one program unit, and their
// checksum is seeded with the unit's own offset: a header is good only where it was written, so
// neither a stale copy nor a payload that looks like one is ever taken for a record.
// Called by directory.ts and store.ts only; docs/FLASH.md draws every bit.
//
//        0      1      2      3      4      5      6      7      8  ...  11    12  ...  15
//     +------+------+-------------+---------------------------+------------+------------+
//     | 'R'  | tag  | size        | sequence                  | payload CRC| header CRC |  record
//     +------+------+-------------+---------------------------+------------+------------+
//     | 'S'  | ver. | 0xFFFF      | erase count               | 0xFFFFFFFF | header CRC |  sector
//     +------+------+-------------+---------------------------+------------+------------+

import { FLASH_SECTOR_BYTES, FLASH_UNIT_BYTES, flashRead } from "../abi/host";
import { crc32 } from "../codec/crc32";

/** The u32 twins of the limits: offsets are unsigned. */
export const SECTOR_BYTES: u32 = FLASH_SECTOR_BYTES;
export const UNIT_BYTES: u32 = FLASH_UNIT_BYTES;

export namespace Magic {
  export const RECORD: u8 = 0x52;
  export const SECTOR: u8 = 0x53;
}

export const FORMAT_VERSION: u8 = 1;
/** Bit of the tag that says: this dataset was erased. The other bits are the dataset. */
export const TOMBSTONE: u8 = 0x80;
/** Largest payload: a sector less its header and the record's. */
export const RECORD_BYTES_MAX: i32 = FLASH_SECTOR_BYTES - 2 * FLASH_UNIT_BYTES;

const WINDOW_BYTES: u32 = 256;
const CRC_AT: i32 = 12;
const NOWHERE: u32 = u32.MAX_VALUE;

const window: usize = memory.data(<i32>WINDOW_BYTES, 16);
let windowAt: u32 = NOWHERE;
let readStatus: i32 = 0;

/** Forgets what was read before, and a read error: the next view comes from flash. */
export function refresh(): void {
  windowAt = NOWHERE;
  readStatus = 0;
}

/** Status of the last read that failed since refresh(), or 0. */
export function readFault(): i32 {
  return readStatus;
}

/** Bytes that one view at `at` holds. */
export function viewBytes(at: u32): u32 {
  return WINDOW_BYTES - (at & (WINDOW_BYTES - 1));
}

/** Address of the flash bytes at `at`, valid until the next view; zeros when the read fails. */
export function view(at: u32): usize {
  const start = at & ~(WINDOW_BYTES - 1);
  if (start != windowAt) {
    windowAt = start;
    const status = flashRead(start, window, WINDOW_BYTES);
    if (status < 0) {
      memory.fill(window, 0, WINDOW_BYTES);
      windowAt = NOWHERE;
      readStatus = status;
    }
  }
  return window + (at - start);
}

/** Bytes of flash that a record with this payload takes. */
export function extent(size: i32): u32 {
  return (<u32>size + 2 * UNIT_BYTES - 1) & ~(UNIT_BYTES - 1);
}

export function isErased(at: u32): bool {
  const unit = view(at);
  return (load<u64>(unit) & load<u64>(unit, 8)) == u64.MAX_VALUE;
}

/** Completes a header that will be programmed at `at`. */
export function seal(header: usize, at: u32): void {
  store<u32>(header, crc32(at, header, CRC_AT), CRC_AT);
}

/** View of the good header of this kind at `at`, or 0. */
function headerAt(at: u32, magic: u8): usize {
  const unit = view(at);
  const good = load<u8>(unit) == magic && load<u32>(unit, CRC_AT) == crc32(at, unit, CRC_AT);
  return good ? unit : 0;
}

export function sectorHeaderAt(sector: i32): usize {
  return headerAt(<u32>sector * SECTOR_BYTES, Magic.SECTOR);
}

/** View of the good record header at `at` whose record ends inside its sector, or 0. */
export function recordAt(at: u32): usize {
  const unit = headerAt(at, Magic.RECORD);
  if (unit == 0) return 0;
  const end = (at & (SECTOR_BYTES - 1)) + extent(recordSize(unit));
  return end <= SECTOR_BYTES ? unit : 0;
}

export function recordTag(header: usize): u8 {
  return load<u8>(header, 1);
}

export function recordSize(header: usize): i32 {
  return load<u16>(header, 2);
}

export function recordSequence(header: usize): u32 {
  return load<u32>(header, 4);
}

export function recordChecksum(header: usize): u32 {
  return load<u32>(header, 8);
}

/** Draws a record header that lacks only its seal. */
export function drawRecord(header: usize, tag: u8, size: i32, sequence: u32, checksum: u32): void {
  store<u8>(header, Magic.RECORD);
  store<u8>(header, tag, 1);
  store<u16>(header, <u16>size, 2);
  store<u32>(header, sequence, 4);
  store<u32>(header, checksum, 8);
}

export function sectorVersion(header: usize): u8 {
  return load<u8>(header, 1);
}

export function sectorErases(header: usize): u32 {
  return load<u32>(header, 4);
}

/** Draws a sector header that lacks only its seal. */
export function drawSector(header: usize, erases: u32): void {
  store<u64>(header, u64.MAX_VALUE, 8);
  store<u32>(header, 0xffff0000 | ((<u32>FORMAT_VERSION) << 8) | Magic.SECTOR);
  store<u32>(header, erases, 4);
}

/** Whether the payload of `size` bytes at `at` can be read and has this checksum. */
export function isPayloadGood(at: u32, size: i32, checksum: u32): bool {
  let crc: u32 = 0;
  while (size > 0) {
    const part = min(size, <i32>viewBytes(at));
    crc = crc32(crc, view(at), part);
    at += part;
    size -= part;
  }
  return crc == checksum && readStatus == 0;
}
