// Timers: a fixed table of deadlines, one slot per purpose of the core, and a few for the
// application. Nothing is allocated and nothing can run out. dispatch fires what is due, and tells
// the host when the next one is.

import { nowMs } from "./clock";

/** Slots of the core, one per purpose. */
export namespace Timer {
  export const WIFI: i32 = 0;
  export const SESSION: i32 = 1;
  export const SESSION_STABLE: i32 = 2;
  export const SUBSCRIBE: i32 = 3;
  export const PUBLISH: i32 = 4;
  export const PROVISIONING: i32 = 5;
  export const RESTART: i32 = 6;
  export const STORE: i32 = 7;
  export const SHADOW: i32 = 8;
  export const JOBS: i32 = 9;
  export const OTA: i32 = 10;
  export const TRIAL: i32 = 11;
  export const BLE: i32 = 12;
  export const BLE_PACKET: i32 = 13;
  export const SETUP: i32 = 14;
  /** First of the APPLICATION_TIMERS slots of the application. */
  export const APPLICATION: i32 = 15;
}

export const APPLICATION_TIMERS: i32 = 8;

const SLOTS: i32 = Timer.APPLICATION + APPLICATION_TIMERS;
const NEVER: u64 = u64.MAX_VALUE;
/** Longest wait told to the host: half the counter, so that no wrap is missed. */
const WAIT_MS_MAX: u64 = 0x40000000;

/** One u64 deadline a slot; zeroed memory means "never", so deadlines are kept plus one. */
const deadlines: usize = memory.data(SLOTS * 8, 8);

function slot(timer: i32): usize {
  return deadlines + ((<usize>timer) << 3);
}

/** Fires once, `delayMs` after this event. Replaces what the slot had. */
export function setTimer(timer: i32, delayMs: u32): void {
  store<u64>(slot(timer), nowMs + delayMs + 1);
}

/** The slot is free again; harmless when it was. */
export function clearTimer(timer: i32): void {
  store<u64>(slot(timer), 0);
}

/** Whether the slot waits. */
export function timerIsSet(timer: i32): bool {
  return load<u64>(slot(timer)) != 0;
}

/** The first due timer in [from, to), cleared; -1 when there is none. */
export function takeDue(from: i32, to: i32): i32 {
  for (let timer = from; timer < to; timer++) {
    const deadline = load<u64>(slot(timer));
    if (deadline != 0 && deadline - 1 <= nowMs) {
      clearTimer(timer);
      return timer;
    }
  }
  return -1;
}

/** Milliseconds to the next deadline below slot `to`, 0 when one is due, -1 when none is set. */
export function waitMs(to: i32): i32 {
  let earliest = NEVER;
  for (let timer = 0; timer < to; timer++) {
    const deadline = load<u64>(slot(timer));
    if (deadline != 0 && deadline < earliest) earliest = deadline;
  }
  if (earliest == NEVER) return -1;
  if (earliest - 1 <= nowMs) return 0;
  return <i32>min(earliest - 1 - nowMs, WAIT_MS_MAX);
}

/** Number of slots that may fire: the application's only where the mode lets it run. */
export function slotsFor(applicationRuns: bool): i32 {
  return applicationRuns ? SLOTS : Timer.APPLICATION;
}
