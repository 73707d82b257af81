// The application's 256 bytes of non-volatile storage: a mirror that is read and written at once,
// and a record behind it that follows by itself. What read() gives is what write() was given last,
// whether or not it has reached flash; FLASH_WRITTEN says when it has.

import { Dataset, Status } from "../abi/host";
import * as records from "./store";

export const BYTES: i32 = 256;

const mirror: usize = memory.data(BYTES, 4);

/** Fills the mirror after the store is mounted; what was never written is 0. */
export function mount(): void {
  const size = min(records.size(Dataset.APPLICATION), BYTES);
  if (size > 0) records.read(Dataset.APPLICATION, 0, mirror, size);
}

function isInside(at: i32, size: i32): bool {
  return at >= 0 && size >= 0 && at <= BYTES && size <= BYTES - at;
}

/** Copies out; OK or INVALID_ARGUMENT when the range is not inside the 256 bytes. */
export function read(at: i32, to: usize, size: i32): i32 {
  if (!isInside(at, size)) return Status.INVALID_ARGUMENT;
  memory.copy(to, mirror + at, size);
  return Status.OK;
}

/** Copies in and queues the record; OK or INVALID_ARGUMENT. */
export function write(at: i32, from: usize, size: i32): i32 {
  if (!isInside(at, size)) return Status.INVALID_ARGUMENT;
  memory.copy(mirror + at, from, size);
  records.write(Dataset.APPLICATION, mirror, BYTES);
  return Status.OK;
}

/** All 256 bytes are 0 again; the record is erased. */
export function erase(): void {
  memory.fill(mirror, 0, BYTES);
  records.erase(Dataset.APPLICATION);
}

export function isBusy(): bool {
  return records.pending(Dataset.APPLICATION);
}
