// What must be known of an update after a restart: a part of the SYSTEM_STATUS record (layout in
// aws/progress.ts). Written before the effect that depends on it; both firmwares of an update, the
// old and the new one, read and write it.

import { Dataset } from "../abi/host";
import * as progress from "../aws/progress";
import * as records from "../flash/store";
import { equal } from "../util/bytes";

export namespace Stage {
  export const NONE: u8 = 0;
  /** The next slot holds the first `checkpoint` bytes of the update with this SHA-256. */
  export const DOWNLOADING: u8 = 1;
  /** The next slot is to boot, or boots: what runs tells how it came out. */
  export const ACTIVATING: u8 = 2;
  /** What was on trial has given itself up, for the reason in `failure`. */
  export const REFUSED: u8 = 3;
  /** The update is over; the job's result is told with the reason in `failure`. */
  export const ENDED: u8 = 4;
}

const TARGET: usize = 1;
const FROM: usize = 2;
const FAILURE: usize = 3;
const NUMBER: usize = 4;
const CHECKPOINT: usize = 8;
const SIZE: usize = 12;
const SHA256: usize = 16;
const SHA256_BYTES: i32 = 32;
const BYTES: i32 = 48;

export function stage(): u8 {
  return load<u8>(progress.ota);
}

/** OtaTarget of the update. */
export function target(): u8 {
  return load<u8>(progress.ota, TARGET);
}

/** Slot that ran when the update was activated. */
export function from(): u8 {
  return load<u8>(progress.ota, FROM);
}

export function failure(): u8 {
  return load<u8>(progress.ota, FAILURE);
}

/** A status, an HTTP code or the like, beside `failure`. */
export function number(): i32 {
  return load<i32>(progress.ota, NUMBER);
}

export function checkpoint(): u32 {
  return load<u32>(progress.ota, CHECKPOINT);
}

/** In memory only; write() brings it to flash. */
export function setStage(to: u8): void {
  store<u8>(progress.ota, to);
}

export function setFailure(code: u8, detail: i32): void {
  store<u8>(progress.ota, code, FAILURE);
  store<i32>(progress.ota, detail, NUMBER);
}

/** A new update, nothing of which is in flash; `sha256` may be 0. */
export function begin(target: u8, size: u32, sha256: usize): void {
  memory.fill(progress.ota, 0, BYTES);
  store<u8>(progress.ota, Stage.DOWNLOADING);
  store<u8>(progress.ota, target, TARGET);
  store<u32>(progress.ota, size, SIZE);
  if (sha256 != 0) memory.copy(progress.ota + SHA256, sha256, SHA256_BYTES);
}

/** Whether the slot holds the beginning of this very update; `sha256` may be 0: not known. */
export function isOf(target: u8, size: u32, sha256: usize): bool {
  return (
    sha256 != 0 &&
    stage() == Stage.DOWNLOADING &&
    load<u8>(progress.ota, TARGET) == target &&
    load<u32>(progress.ota, SIZE) == size &&
    equal(progress.ota + SHA256, sha256, SHA256_BYTES)
  );
}

export function setCheckpoint(bytes: u32): void {
  store<u32>(progress.ota, bytes, CHECKPOINT);
}

/** The slot that runs now, and that stays if the update comes to nothing. */
export function setFrom(slot: u8): void {
  store<u8>(progress.ota, slot, FROM);
}

/** Queues the record. */
export function write(): void {
  progress.write();
}

/** Whether all that write() was asked for is in flash. */
export function isWritten(): bool {
  return !records.pending(Dataset.SYSTEM_STATUS);
}
