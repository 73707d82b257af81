// Factory reset: every record is erased, and what lay in flash before is overwritten, so that no
// key is left for whoever reads the chip. The SYSTEM_STATUS record says that a reset is under way
// before anything is erased, and until all is done: a power cut only makes the next life go on with
// it. Erased are the datasets first; then records as large as a sector are written, round and
// round, until the store has erased every sector in their favour; the status last, and then the
// device starts anew. system.ts resumes it, and hears of the records.

import { Dataset, Event } from "../abi/host";
import * as progress from "../aws/progress";
import * as records from "../flash/store";
import { emit } from "../kernel/events";
import { WORKSPACE } from "../kernel/workspace";
import * as modes from "./modes";
import * as restart from "./restart";

/** Sectors differ by two erases at most, as the store levels them. */
const ROUNDS: i32 = 3;
/** No two of these fit one sector. */
const FILLER_BYTES: i32 = 4000;

/** Fillers that are still to be written; -1 when none is, and the status is erased. */
let left: i32 = 0;

/** This life does nothing else. */
export let isRunning: bool = false;

/** Asked for by the application: the next life does it. */
export function request(delayMs: u32): void {
  progress.beginReset();
  restart.request(delayMs, utf8("factory reset"));
}

/** At boot: true when a reset is under way, which goes on now. */
export function resume(): bool {
  if (progress.isResetting()) run();
  return isRunning;
}

function run(): void {
  isRunning = true;
  for (let dataset: u8 = 0; dataset <= Dataset.CLAIM_KEY_OTHER; dataset++) {
    if (dataset != Dataset.SYSTEM_STATUS) records.erase(dataset);
  }
  left = ROUNDS * records.sectorCount();
  fill();
}

function fill(): void {
  memory.fill(WORKSPACE, 0, FILLER_BYTES);
  progress.copyTo(WORKSPACE);
  records.write(Dataset.SYSTEM_STATUS, WORKSPACE, FILLER_BYTES);
}

/** A record was written or erased, while this runs. */
export function onRecord(dataset: u8, status: i32): void {
  if (status < 0) {
    emit(Event.FLASH_FAILED, dataset);
    modes.step(modes.Input.BROKEN, utf8("the flash cannot be erased"));
  } else if (dataset == Dataset.SYSTEM_STATUS) {
    if (left < 0) restart.request(0, utf8("factory reset done"));
    else if (--left > 0) fill();
    else eraseStatus();
  }
}

function eraseStatus(): void {
  left = -1;
  records.erase(Dataset.SYSTEM_STATUS);
}
