// The application's callbacks: its event handler and its timers. They run at the end of a step,
// never inside a machine, so that they may call anything in the library. Behind each of them its
// garbage is collected: no object is on the stack then. Registered by library/system.ts.

import { APPLICATION_TIMERS, Timer, clearTimer, setTimer, timerIsSet } from "../kernel/timers";
import * as events from "../kernel/events";

/** Events delivered in one step; the rest waits for the next, which follows at once. */
const DELIVERIES_MAX: i32 = 32;

/** u32 function index and u32 period in ms (0: once) a timer. */
const timers: usize = memory.data(APPLICATION_TIMERS * 8, 4);

let handler: (event: u8, value: i32) => void = (event: u8, value: i32) => {};

export function onEvent(handle: (event: u8, value: i32) => void): void {
  handler = handle;
}

/** Starts a timer; its number, or -1 when all are in use. */
export function startTimer(ms: u32, periodic: bool, callback: () => void): i32 {
  for (let i = 0; i < APPLICATION_TIMERS; i++) {
    const slot = timers + ((<usize>i) << 3);
    if (load<u32>(slot) == 0 || (!timerIsSet(Timer.APPLICATION + i) && load<u32>(slot, 4) == 0)) {
      store<u32>(slot, <u32>changetype<usize>(callback));
      store<u32>(slot, periodic ? max(ms, 1) : 0, 4);
      setTimer(Timer.APPLICATION + i, ms);
      return i;
    }
  }
  return -1;
}

export function stopTimer(number: i32): void {
  if (number < 0 || number >= APPLICATION_TIMERS) return;
  store<u64>(timers + ((<usize>number) << 3), 0);
  clearTimer(Timer.APPLICATION + number);
}

/** A timer of the application is due. */
export function onTimer(number: i32): void {
  const slot = timers + ((<usize>number) << 3);
  const callback = changetype<() => void>(<usize>load<u32>(slot));
  const periodMs = load<u32>(slot, 4);
  if (periodMs > 0) setTimer(Timer.APPLICATION + number, periodMs);
  callback();
  __collect();
}

/** Tells the application what happened. */
export function deliver(): void {
  for (let i = 0; i < DELIVERIES_MAX && events.takeEvent(); i++) {
    handler(events.event, events.value);
    __collect();
  }
}
