// Requests of the record store, at most one for each dataset, in the order in which the datasets
// were first asked for: it cannot overflow. A later request of a dataset that still waits takes
// the place of the earlier one. Called by store.ts only.

import { DATASETS } from "./directory";

/** Size of a request that erases. */
export const ERASE: i32 = -1;

/** Slot of a dataset: usize from, i32 size. */
const SLOT_BYTES: i32 = 8;
const SIZE_AT: usize = 4;

const slots: usize = memory.data(DATASETS * SLOT_BYTES, 4);
const order: usize = memory.data(DATASETS);
let count: i32 = 0;

export function isEmpty(): bool {
  return count == 0;
}

export function holds(dataset: i32): bool {
  for (let i = 0; i < count; i++) {
    if (load<u8>(order + i) == dataset) return true;
  }
  return false;
}

export function put(dataset: i32, from: usize, size: i32): void {
  if (!holds(dataset)) store<u8>(order + count++, <u8>dataset);
  const slot = slots + dataset * SLOT_BYTES;
  store<usize>(slot, from);
  store<i32>(slot, size, SIZE_AT);
}

/** Removes the oldest request, returns its dataset; from() and size() stay until its next put. */
export function take(): i32 {
  const dataset = load<u8>(order);
  memory.copy(order, order + 1, --count);
  return dataset;
}

export function from(dataset: i32): usize {
  return load<usize>(slots + dataset * SLOT_BYTES);
}

export function size(dataset: i32): i32 {
  return load<i32>(slots + dataset * SLOT_BYTES, SIZE_AT);
}
