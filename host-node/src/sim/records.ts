// Reads the record store of a simulated device from outside, as docs/FLASH.md has it: a second
// reader, so that what the core takes for stored is compared with what lies there.

import { FLASH_SECTOR_BYTES, FLASH_UNIT_BYTES } from "../abi.js";
import { crc32 } from "../crc32.js";
import { type FlashImage, RECORDS } from "../flash_image.js";
import {
  datasetOf,
  extentOf,
  isRecord,
  isSealed,
  PAYLOAD_CRC_AT,
  payloadBytes,
  RECORD,
  TOMBSTONE,
  viewOf,
} from "../trace/record_header.js";

export interface StoredRecord {
  readonly dataset: number;
  readonly sequence: number;
  readonly isTombstone: boolean;
  /** A view of flash. */
  readonly payload: Uint8Array;
}

const SEQUENCE_AT = 4;

/** The newest good record of each dataset in the records partition. */
export function recordsOf(image: FlashImage): Map<number, StoredRecord> {
  const flash = image.region(RECORDS).nor.bytes;
  const newest = new Map<number, StoredRecord>();
  for (let sector = 0; sector < flash.length; sector += FLASH_SECTOR_BYTES) {
    const end = sector + FLASH_SECTOR_BYTES;
    for (let at = sector + FLASH_UNIT_BYTES; at < end; ) {
      // Most of flash is erased, or the inside of records: a glance is enough.
      if (flash[at] !== RECORD) {
        at += FLASH_UNIT_BYTES;
        continue;
      }
      const header = flash.subarray(at, at + FLASH_UNIT_BYTES);
      if (!isRecord(header, at) || !isSealed(header, at)) {
        at += FLASH_UNIT_BYTES;
        continue;
      }
      const from = at + FLASH_UNIT_BYTES;
      const payload = flash.subarray(from, from + payloadBytes(header));
      const view = viewOf(header);
      const sequence = view.getUint32(SEQUENCE_AT, true);
      const dataset = datasetOf(header);
      const isGood = crc32(payload) === view.getUint32(PAYLOAD_CRC_AT, true);
      if (isGood && sequence > (newest.get(dataset)?.sequence ?? 0)) {
        const isTombstone = (header[1]! & TOMBSTONE) !== 0;
        newest.set(dataset, { dataset, sequence, isTombstone, payload });
      }
      at += extentOf(header);
    }
  }
  return newest;
}
