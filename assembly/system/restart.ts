// Restart, through here only: after the wished delay, with the session and BLE closed and every
// queued flash operation finished. A broker or a radio that does not let go is waited for two
// seconds, flash as long as it takes: a write that was accepted is never thrown away.

import { Event, RestartScope, sysRestart } from "../abi/host";
import * as queue from "../aws/publish_queue";
import * as session from "../aws/session";
import * as records from "../flash/store";
import { emit } from "../kernel/events";
import { Timer, setTimer, timerIsSet } from "../kernel/timers";
import { textSize } from "../util/bytes";
import { configurator } from "./configurator";

const CLOSE_MS_MAX: u32 = 2000;
const REFUSED_MS: u32 = 1000;

namespace Stage {
  export const NONE: u8 = 0;
  export const DELAY: u8 = 1;
  export const CLOSING: u8 = 2;
  /** The host did not take it: it is asked again. */
  export const REFUSED: u8 = 3;
  export const DONE: u8 = 4;
}

let stage: u8 = Stage.NONE;
let scope: u8 = RestartScope.DEVICE;

/** Asks for a restart in `delayMs`; a second call changes the delay, and never makes less of it. */
export function request(delayMs: u32, reason: usize, wants: u8 = RestartScope.DEVICE): void {
  if (stage > Stage.DELAY) return;
  scope = stage == Stage.NONE ? wants : min(scope, wants);
  stage = Stage.DELAY;
  emit(Event.RESTART_PENDING, <i32>delayMs, reason, textSize(reason));
  setTimer(Timer.RESTART, delayMs);
}

export function isPending(): bool {
  return stage != Stage.NONE;
}

/** The delay is over, or the time to close is. */
export function onTimer(): void {
  if (stage == Stage.REFUSED) stage = Stage.CLOSING;
  if (stage != Stage.DELAY) return;
  stage = Stage.CLOSING;
  setTimer(Timer.RESTART, CLOSE_MS_MAX);
  session.close();
  configurator().close();
}

/** Once at the end of each step. */
export function pump(): void {
  if (stage != Stage.CLOSING || records.busy()) return;
  const isClosed = session.isOff() && configurator().isClosed();
  if (!isClosed && timerIsSet(Timer.RESTART)) return;
  queue.onDown(false);
  queue.clear(); // what was not sent is told to be dropped, not just forgotten
  const isTaken = sysRestart(scope) >= 0;
  stage = isTaken ? Stage.DONE : Stage.REFUSED;
  if (!isTaken) setTimer(Timer.RESTART, REFUSED_MS);
}
