// The modes of the system, as a table. Nothing but this table changes the mode; the reason of each
// change is said in words, because a device that stops in Configuration or Idle owes an answer.

import { Event, Mode } from "../abi/host";
import { emit } from "../kernel/events";
import { textSize } from "../util/bytes";
import { END, findRow, nextOf } from "../util/machine";

export namespace Input {
  /** Records or the stored configuration cannot be used. */
  export const BROKEN: u8 = 0;
  /** Something the device needs is missing, or it is to be configured. */
  export const CONFIGURE: u8 = 1;
  /** Thing certificate, key and name are there. */
  export const PROVISIONED: u8 = 2;
  /** An update begins to be written. */
  export const UPDATE: u8 = 3;
}

// machine: modes
// biome-ignore format: one row a line
const TABLE: usize = memory.data<u8>([
  // state,   input,             action, next
  Mode.INIT,  Input.BROKEN,      0,      Mode.IDLE,
  Mode.INIT,  Input.CONFIGURE,   0,      Mode.CONFIGURATION,
  Mode.INIT,  Input.PROVISIONED, 0,      Mode.NORMAL,
  Mode.NORMAL, Input.UPDATE,     0,      Mode.OTA,
  END,
]);

export let mode: u8 = Mode.INIT;

/** The first mode of a life. */
export function begin(): void {
  emit(Event.MODE_CHANGED, Mode.INIT);
}

/** Changes the mode as the table says; `reason` is a text, or 0. */
export function step(input: u8, reason: usize): void {
  const row = findRow(TABLE, mode, input);
  if (row == 0) return;
  mode = nextOf(row);
  emit(Event.MODE_CHANGED, mode, reason, reason == 0 ? 0 : textSize(reason));
}

/** Whether the application's timers run and its messages are sent. */
export function applicationRuns(): bool {
  return mode == Mode.NORMAL || mode == Mode.OTA;
}
