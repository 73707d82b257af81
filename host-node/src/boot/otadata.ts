// otadata: which application slot boots. Two entries, each at the start of a sector of its own, so
// that one is whole while the other is written (ESP-IDF, esp_ota_select_entry_t of
// esp_flash_partitions.h). All numbers are little-endian.
//
//     0          4                  24      28      32
//     | sequence | label [20], 0xFF | state | CRC   |
//
// CRC is crc32_le(0xFFFFFFFF) over the sequence alone: the state changes and the CRC stays.
// Sequence 1 stands for slot 0, 2 for slot 1, and so on round and round: the higher one is newer.
// Pure; bootloader.ts writes, image/inspect.ts explains.

import { crc32 } from "../crc32.js";
import { SECTOR_BYTES } from "../ports/nor.js";

export const ENTRY_BYTES = 32;
/** The sequence of an erased entry. */
export const NO_SEQUENCE = 0xffffffff;
const LABEL_BYTES = 20;
const CRC_SEED = 0xffffffff;

/** esp_ota_img_states_t. */
export const OtadataState = {
  /** chosen, not started yet */
  NEW: 0,
  /** started once, on trial */
  PENDING_VERIFY: 1,
  /** confirmed */
  VALID: 2,
  /** given up by the application */
  INVALID: 3,
  /** not confirmed before the next reset */
  ABORTED: 4,
  /** written without rollback */
  UNDEFINED: 0xffffffff,
} as const;
export type OtadataState = (typeof OtadataState)[keyof typeof OtadataState];

export interface OtadataEntry {
  readonly sequence: number;
  readonly label: Uint8Array;
  /** An OtadataState, or whatever else lies there. */
  readonly state: number;
  readonly crc: number;
}

export type Otadata = readonly [OtadataEntry, OtadataEntry];

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export function sequenceCrc(sequence: number): number {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, sequence, true);
  return crc32(bytes, CRC_SEED);
}

/** An entry that never was: what an erased sector reads as. */
export const BLANK_ENTRY: OtadataEntry = {
  sequence: NO_SEQUENCE,
  label: new Uint8Array(LABEL_BYTES).fill(0xff),
  state: OtadataState.UNDEFINED,
  crc: 0xffffffff,
};

/** An entry with the CRC that belongs to its sequence. */
export function newEntry(sequence: number, state: OtadataState, old = BLANK_ENTRY): OtadataEntry {
  return { sequence, label: old.label, state, crc: sequenceCrc(sequence) };
}

export function encodeEntry(entry: OtadataEntry): Uint8Array {
  const bytes = new Uint8Array(ENTRY_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, entry.sequence, true);
  bytes.set(entry.label, 4);
  view.setUint32(24, entry.state, true);
  view.setUint32(28, entry.crc, true);
  return bytes;
}

function decodeEntry(bytes: Uint8Array): OtadataEntry {
  const view = viewOf(bytes);
  return {
    sequence: view.getUint32(0, true),
    label: Uint8Array.from(bytes.subarray(4, 24)),
    state: view.getUint32(24, true),
    crc: view.getUint32(28, true),
  };
}

/** Both entries of a whole otadata partition. */
export function decodeOtadata(bytes: Uint8Array): Otadata {
  return [
    decodeEntry(bytes.subarray(0, ENTRY_BYTES)),
    decodeEntry(bytes.subarray(SECTOR_BYTES, SECTOR_BYTES + ENTRY_BYTES)),
  ];
}

export const hasGoodCrc = ({ sequence, crc }: OtadataEntry): boolean =>
  crc === sequenceCrc(sequence);

/** Blank, or given up. Says nothing about the CRC. */
export function isOutOfPlay({ sequence, state }: OtadataEntry): boolean {
  const isGivenUp = state === OtadataState.INVALID || state === OtadataState.ABORTED;
  return sequence === NO_SEQUENCE || isGivenUp;
}

export const isUsable = (entry: OtadataEntry): boolean => !isOutOfPlay(entry) && hasGoodCrc(entry);

/** The usable entry with the higher sequence, the first one of equals; null when none is usable. */
export function activeEntry(entries: Otadata): 0 | 1 | null {
  const [first, second] = entries.map(isUsable);
  if (first && second) return entries[1].sequence > entries[0].sequence ? 1 : 0;
  if (first) return 0;
  return second ? 1 : null;
}
