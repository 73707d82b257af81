// Puts the record store at the fingertips of a test on the other side: payloads are written into
// buffers of this memory, one for each dataset, and completions are handed out through an import.

import { DATASETS } from "../../assembly/flash/directory";
import { onComplete } from "../../assembly/flash/store";

export {
  busy,
  corruptCount,
  corruptDataset,
  erase,
  mount,
  offset,
  onFlashDone,
  pending,
  poll,
  RECORD_BYTES_MAX,
  read,
  size,
  write,
} from "../../assembly/flash/store";

const BUFFERS: i32 = DATASETS + 1;
const BUFFER_BYTES: i32 = 4096;
const buffers: usize = memory.data(BUFFERS * BUFFER_BYTES, 16);

/** Import "completed" of the module "store_harness". */
declare function completed(dataset: i32, status: i32): void;

/** Buffer of a dataset; the one behind the last is to read into. */
export function buffer(number: i32): usize {
  return buffers + number * BUFFER_BYTES;
}

/** Sends completions to the import; without it the store has its own default listener. */
export function listen(): void {
  onComplete((dataset: u8, status: i32) => {
    completed(dataset, status);
  });
}
