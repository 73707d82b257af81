// Where each dataset lies: for every dataset the newest record whose payload is good, and the
// newest one that is damaged. Mounting offers every record it finds, in any order; committing a
// write offers the one just programmed: both take the same path, so that a value read after a
// write is a value that a restart would find. Tombstones are entries too: they must outlive the
// older records they hide. Called by store.ts only.

import { Dataset } from "../abi/host";
import {
  SECTOR_BYTES,
  TOMBSTONE,
  UNIT_BYTES,
  extent,
  isPayloadGood,
  recordAt,
  recordChecksum,
  recordSequence,
  recordSize,
  recordTag,
} from "./record";

export const DATASETS: i32 = Dataset.CLAIM_KEY_OTHER + 1;

/** Entry: u32 offset of the record (0: none), u32 sequence, i32 size (-1: none or erased). */
const ENTRY_BYTES: i32 = 16;
const SEQUENCE_AT: usize = 4;
const SIZE_AT: usize = 8;
/** Sequence of the newest damaged record. */
const DAMAGED_AT: usize = 12;

const entries: usize = memory.data(DATASETS * ENTRY_BYTES, 4);
let newest: u32 = 0;

export function clear(): void {
  memory.fill(entries, 0, DATASETS * ENTRY_BYTES);
  for (let dataset = 0; dataset < DATASETS; dataset++) store<i32>(entry(dataset), -1, SIZE_AT);
  newest = 0;
}

function entry(dataset: i32): usize {
  return entries + dataset * ENTRY_BYTES;
}

/** Highest sequence number seen, also on damaged records: the next one is above it. */
export function newestSequence(): u32 {
  return newest;
}

export function storedSize(dataset: i32): i32 {
  return load<i32>(entry(dataset), SIZE_AT);
}

/** Datasets that have a value. */
export function count(): i32 {
  let found = 0;
  for (let dataset = 0; dataset < DATASETS; dataset++) found += <i32>(storedSize(dataset) >= 0);
  return found;
}

export function payloadOffset(dataset: i32): u32 {
  return load<u32>(entry(dataset)) + UNIT_BYTES;
}

/** Whether the newest record of a dataset is damaged, so that an older value or none is used. */
export function isDamaged(dataset: i32): bool {
  const at = entry(dataset);
  return load<u32>(at, DAMAGED_AT) > load<u32>(at, SEQUENCE_AT);
}

/** Takes the record at `at` as the value of its dataset if it is newer than that, and good. */
export function accept(at: u32): bool {
  const header = recordAt(at);
  if (header == 0) return false;
  const tag = recordTag(header);
  const size = recordSize(header);
  const sequence = recordSequence(header);
  newest = max(newest, sequence);
  const dataset: i32 = tag & ~TOMBSTONE;
  if (dataset >= DATASETS || sequence <= load<u32>(entry(dataset), SEQUENCE_AT)) return false;
  const to = entry(dataset);
  if (!isPayloadGood(at + UNIT_BYTES, size, recordChecksum(header))) {
    store<u32>(to, max(sequence, load<u32>(to, DAMAGED_AT)), DAMAGED_AT);
    return false;
  }
  store<u32>(to, at);
  store<u32>(to, sequence, SEQUENCE_AT);
  store<i32>(to, tag & TOMBSTONE ? -1 : size, SIZE_AT);
  return true;
}

let liveRecord: u32 = 0;

/** Bytes of the records in `sector` that are some dataset's value; liveAt() is one of them. */
export function liveBytes(sector: i32): u32 {
  let bytes: u32 = 0;
  for (let dataset = 0; dataset < DATASETS; dataset++) {
    const at = load<u32>(entry(dataset));
    if (at == 0 || at / SECTOR_BYTES != sector) continue;
    bytes += extent(max(storedSize(dataset), 0));
    liveRecord = at;
  }
  return bytes;
}

export function liveAt(): u32 {
  return liveRecord;
}
