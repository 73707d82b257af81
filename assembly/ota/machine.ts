// The table of the update machine, and what every part of it needs: a step, the reason of a
// failure, the time that is left. What an action does stands in ota.ts and download.ts. The
// state is trial.ts's, because an update ends in a trial and begins after one.

import { OtaState } from "../abi/host";
import { nowMs } from "../kernel/clock";
import { Timer, setTimer } from "../kernel/timers";
import { END, actionOf, findRow, nextOf } from "../util/machine";
import { Failure, describe } from "./failure";
import * as trial from "./trial";

/** The whole update, from the job's start to its activation. */
const TOTAL_MS: u64 = 30 * 60000;

export namespace Input {
  export const BEGIN: u8 = 0;
  /** The module came in the document and is being written. */
  export const INLINE: u8 = 1;
  /** The answer suits, and so do the first bytes; the download goes on. */
  export const GOOD: u8 = 2;
  export const WRITTEN: u8 = 3;
  export const WHOLE: u8 = 4;
  export const LOST: u8 = 5;
  /** The back-off is over. */
  export const TIMER: u8 = 6;
  export const BAD: u8 = 7;
  export const VERIFIED: u8 = 8;
  /** The service has taken note of the update that is about to be activated. */
  export const TOLD: u8 = 9;
  export const RECORDED: u8 = 10;
  export const ACTIVATED: u8 = 11;
  export const CANCEL: u8 = 12;
}

export namespace Action {
  export const REQUEST: u8 = 0;
  export const TAKE: u8 = 1;
  export const READ: u8 = 2;
  export const DIGEST: u8 = 3;
  export const RETRY_LATER: u8 = 4;
  export const FAIL: u8 = 5;
  export const TELL: u8 = 6;
  export const RECORD: u8 = 7;
  export const ACTIVATE: u8 = 8;
  export const RESTART: u8 = 9;
  export const AWAIT: u8 = 10;
}

// machine: ota
// biome-ignore format: one row a line
const TABLE: usize = memory.data<u8>([
  // state,              input,           action,             next
  OtaState.IDLE,         Input.BEGIN,     Action.REQUEST,     OtaState.CHECKING,
  OtaState.IDLE,         Input.INLINE,    Action.AWAIT,       OtaState.DOWNLOADING,
  OtaState.IDLE,         Input.BAD,       Action.FAIL,        OtaState.FAILED,
  OtaState.CHECKING,     Input.GOOD,      Action.TAKE,        OtaState.DOWNLOADING,
  OtaState.CHECKING,     Input.LOST,      Action.RETRY_LATER, OtaState.WAITING,
  OtaState.CHECKING,     Input.BAD,       Action.FAIL,        OtaState.FAILED,
  OtaState.CHECKING,     Input.CANCEL,    Action.FAIL,        OtaState.FAILED,
  OtaState.WAITING,      Input.TIMER,     Action.REQUEST,     OtaState.CHECKING,
  OtaState.WAITING,      Input.BAD,       Action.FAIL,        OtaState.FAILED,
  OtaState.WAITING,      Input.CANCEL,    Action.FAIL,        OtaState.FAILED,
  OtaState.DOWNLOADING,  Input.WRITTEN,   Action.READ,        OtaState.DOWNLOADING,
  OtaState.DOWNLOADING,  Input.WHOLE,     Action.DIGEST,      OtaState.VERIFYING,
  OtaState.DOWNLOADING,  Input.LOST,      Action.RETRY_LATER, OtaState.WAITING,
  OtaState.DOWNLOADING,  Input.BAD,       Action.FAIL,        OtaState.FAILED,
  OtaState.DOWNLOADING,  Input.CANCEL,    Action.FAIL,        OtaState.FAILED,
  OtaState.VERIFYING,    Input.VERIFIED,  Action.TELL,        OtaState.ACTIVATING,
  OtaState.VERIFYING,    Input.BAD,       Action.FAIL,        OtaState.FAILED,
  OtaState.VERIFYING,    Input.CANCEL,    Action.FAIL,        OtaState.FAILED,
  OtaState.ACTIVATING,   Input.TOLD,      Action.RECORD,      OtaState.ACTIVATING,
  OtaState.ACTIVATING,   Input.RECORDED,  Action.ACTIVATE,    OtaState.RESTARTING,
  OtaState.ACTIVATING,   Input.BAD,       Action.FAIL,        OtaState.FAILED,
  OtaState.ACTIVATING,   Input.CANCEL,    Action.FAIL,        OtaState.FAILED,
  OtaState.RESTARTING,   Input.ACTIVATED, Action.RESTART,     OtaState.RESTARTING,
  OtaState.RESTARTING,   Input.BAD,       Action.FAIL,        OtaState.FAILED,
  END,
]);

/** Why it failed, or why the last attempt did; and a status, an HTTP code or the like. */
export let failure: u8 = Failure.NONE;
export let detail: i32 = 0;
let deadlineMs: u64 = 0;
let act: (action: u8) => void = (_action: u8) => {};

/** Who performs the actions; once. */
export function onAction(perform: (action: u8) => void): void {
  act = perform;
}

/** A new update begins now. */
export function begin(): void {
  trial.reset();
  failure = Failure.NONE;
  deadlineMs = nowMs + TOTAL_MS;
}

export function step(input: u8): void {
  const row = findRow(TABLE, trial.state, input);
  if (row == 0) return;
  const next = nextOf(row);
  const action = actionOf(row);
  if (next != trial.state) {
    trial.setState(next, action == Action.FAIL ? describe(failure, detail) : 0);
  }
  act(action);
}

/** Something that no repetition makes better. */
export function fail(why: u8, number: i32): void {
  failure = why;
  detail = number;
  step(Input.BAD);
}

/** Something that may be better later. */
export function interrupt(why: u8, number: i32): void {
  failure = why;
  detail = number;
  step(Input.LOST);
}

/** The cloud has given the job up. */
export function cancel(): void {
  failure = Failure.CANCELED;
  detail = 0;
  step(Input.CANCEL);
}

/** Sets the timer of the present state, never later than the end of the whole update. */
export function setDeadline(ms: u32): void {
  const left = deadlineMs > nowMs ? deadlineMs - nowMs : 0;
  setTimer(Timer.OTA, <u32>min<u64>(left, ms));
}

/** The time for the whole update is over. */
export function isLate(): bool {
  return nowMs >= deadlineMs;
}

export function isInProgress(): bool {
  return trial.state >= OtaState.CHECKING && trial.state <= OtaState.RESTARTING;
}
