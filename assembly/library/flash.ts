// 256 bytes of non-volatile storage for the application. Reading and writing are at once; the
// record behind them is written power-cut-safe in the background, and Event.FLASH_WRITTEN with
// value Dataset.APPLICATION says when. A restart through system.restart() waits for it.

import * as data from "../flash/application_data";

/** Bytes the application has. */
export const BYTES: i32 = data.BYTES;

/** Copies `size` bytes at `at` (0 to 256); null when the range is not inside. Never written: 0. */
export function read(at: i32 = 0, size: i32 = BYTES): Uint8Array | null {
  if (size < 0 || size > BYTES) return null;
  const bytes = new Uint8Array(size);
  return data.read(at, bytes.dataStart, size) == 0 ? bytes : null;
}

/** Copies `bytes` to `at`; OK or INVALID_ARGUMENT when the range is not inside the 256 bytes. */
export function write(at: i32, bytes: Uint8Array): i32 {
  return data.write(at, bytes.dataStart, bytes.length);
}

/** Sets all bytes to 0 and erases the record. */
export function erase(): void {
  data.erase();
}

/** Something written has not yet reached flash. */
export function busy(): bool {
  return data.isBusy();
}

/** The little-endian i32 at `at`, 0 when that is not inside: for counters and settings. */
export function readInt(at: i32): i32 {
  return data.read(at, scratch, 4) == 0 ? load<i32>(scratch) : 0;
}

/** Writes a little-endian i32; OK or INVALID_ARGUMENT. */
export function writeInt(at: i32, value: i32): i32 {
  store<i32>(scratch, value);
  return data.write(at, scratch, 4);
}

const scratch: usize = memory.data(4, 4);
