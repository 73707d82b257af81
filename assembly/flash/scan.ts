// What a mount finds: a pass over all sectors that offers every record to the directory, and learns
// where the log ends, which sector can be its next one, and what is damaged. Reads only; what to do
// about it is store.ts's business, which is the only caller. docs/FLASH.md goes through what each
// power cut leaves to be found here.

import { Status, flashSize } from "../abi/host";
import * as directory from "./directory";
import { DATASETS } from "./directory";
import * as record from "./record";
import { SECTOR_BYTES, UNIT_BYTES } from "./record";

export const NONE: i32 = -1;

export let sectors: i32 = 0;
/** Highest erase count in a sector header. */
export let erasesMax: u32 = 0;
/** Sector of the newest record, and the bytes at its end that may be programmed. */
export let active: i32 = NONE;
export let room: u32 = 0;
/** First sector that is erased and has its header. */
export let reserve: i32 = NONE;
/** Damaged places whose dataset cannot be known. */
let damagedPlaces: i32 = 0;

/** Scans all sectors; 0, or a Status as mount() explains them. */
export function partition(): i32 {
  active = reserve = NONE;
  room = erasesMax = 0;
  damagedPlaces = 0;
  directory.clear();
  record.refresh();
  const bytes = flashSize();
  if (bytes < 0) return bytes;
  sectors = bytes / <i32>SECTOR_BYTES;
  // One sector for each dataset at worst, the active one and the reserve.
  if (sectors < DATASETS + 2) return Status.NO_SPACE;
  for (let sector = 0; sector < sectors; sector++) {
    if (!scanSector(sector)) return Status.UNSUPPORTED;
  }
  return record.readFault();
}

/** Offers every record of a sector to the directory; false when the format is not ours to touch. */
function scanSector(sector: i32): bool {
  const begin = <u32>sector * SECTOR_BYTES;
  const end = begin + SECTOR_BYTES;
  const top = record.sectorHeaderAt(sector);
  const hasHeader = top != 0;
  if (hasHeader) {
    if (record.sectorVersion(top) != record.FORMAT_VERSION) return false;
    erasesMax = max(erasesMax, record.sectorErases(top));
  } else if (!record.isErased(begin)) {
    damagedPlaces++;
  }
  const newestBefore = directory.newestSequence();
  const first = begin + UNIT_BYTES;
  const used = scanRecords(first, end);
  if (directory.newestSequence() != newestBefore) {
    // Without its header the sector may have been erased by half: nothing is programmed into it.
    active = sector;
    room = hasHeader ? end - used : 0;
  } else if (hasHeader && used == first && reserve == NONE) {
    reserve = sector;
  }
  return true;
}

/**
 * Scans from `at` to `end` unit by unit, so that a damaged header hides only its own record, and
 * returns the end of what is in use. A good header vouches for its length even when the payload is
 * damaged: units of a torn payload may look erased and are not.
 */
function scanRecords(at: u32, end: u32): u32 {
  let used = at;
  let damaged = false;
  while (at < end) {
    const unit = record.recordAt(at);
    if (unit != 0) {
      used = at + record.extent(record.recordSize(unit));
      directory.accept(at);
      at = used;
      damaged = false;
      continue;
    }
    const erased = record.isErased(at);
    at += UNIT_BYTES;
    if (!erased) {
      used = at;
      damagedPlaces += <i32>!damaged;
    }
    damaged = !erased;
  }
  return used;
}

/** Datasets whose newest record is damaged, and damaged places that name no dataset. */
export function corruptCount(): i32 {
  let count = damagedPlaces;
  for (let dataset = 0; dataset < DATASETS; dataset++) count += <i32>directory.isDamaged(dataset);
  return count;
}

/** Dataset of damage number `index`, or -1 when it cannot be known. */
export function corruptDataset(index: i32): i32 {
  for (let dataset = 0; dataset < DATASETS; dataset++) {
    if (directory.isDamaged(dataset) && index-- == 0) return dataset;
  }
  return NONE;
}

/** Whether a cut left the sector erased, with its header: an erase more would only wear it. */
export function isClean(sector: i32): bool {
  if (record.sectorHeaderAt(sector) == 0) return false;
  const begin = <u32>sector * SECTOR_BYTES;
  for (let at = begin + UNIT_BYTES; at < begin + SECTOR_BYTES; at += UNIT_BYTES) {
    if (!record.isErased(at)) return false;
  }
  return true;
}
