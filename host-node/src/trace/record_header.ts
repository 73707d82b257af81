// Headers in the records partition (docs/FLASH.md), as far as traces have to know them: the
// redactor finds secrets by them, a replay the checksums that a trace hides.

import { FLASH_SECTOR_BYTES, FLASH_UNIT_BYTES } from "../abi.js";
import { crc32 } from "../crc32.js";

export const RECORD = 0x52;
export const SECTOR = 0x53;
/** Bit of the tag that says: erased. The other bits are the dataset. */
export const TOMBSTONE = 0x80;
export const PAYLOAD_CRC_AT = 8;
export const HEADER_CRC_AT = 12;
const SIZE_AT = 2;

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

export const datasetOf = (header: Uint8Array): number => header[1]! & ~TOMBSTONE;

export const payloadBytes = (header: Uint8Array): number => viewOf(header).getUint16(SIZE_AT, true);

/** Bytes of flash that the record of this header takes. */
export function extentOf(header: Uint8Array): number {
  const units = Math.ceil(payloadBytes(header) / FLASH_UNIT_BYTES);
  return (1 + units) * FLASH_UNIT_BYTES;
}

/** Whether a record with this header ends inside its sector. */
export function isRecord(header: Uint8Array, offset: number): boolean {
  const at = offset % FLASH_SECTOR_BYTES;
  return header[0] === RECORD && at + extentOf(header) <= FLASH_SECTOR_BYTES;
}

/** The CRC of a header, of a record or a sector, is seeded with its place. */
export const headerChecksum = (header: Uint8Array, offset: number): number =>
  crc32(header.subarray(0, HEADER_CRC_AT), offset);

/** Whether a unit is a header that was made for this place. */
export const isSealed = (unit: Uint8Array, offset: number): boolean =>
  viewOf(unit).getUint32(HEADER_CRC_AT, true) === headerChecksum(unit, offset);
