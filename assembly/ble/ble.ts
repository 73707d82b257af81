// The BLE machine of docs/BLE.md: from advertising to a session, times, and the lock-out of who
// guesses. Nothing but the handshake, which is the host's, is heard before a session. What a
// session sends goes on to packets.ts. system/setup.ts starts and stops it; the states are told as
// BLE_STATE.

import {
  BleCode,
  BleState,
  Event,
  Status,
  bleDisconnect,
  bleLock,
  bleStart,
  bleStop,
} from "../abi/host";
import { nowMs } from "../kernel/clock";
import { emit } from "../kernel/events";
import { Timer, clearTimer, setTimer } from "../kernel/timers";
import { textSize } from "../util/bytes";
import { END, actionOf, findRow, nextOf } from "../util/machine";
import * as packets from "./packets";

const SESSION_MS: u32 = 30000;
const LOCK_MS_MIN: u32 = 30000;
const LOCK_MS_MAX: u32 = 900000;
/** Doublings from the one to the other. */
const DOUBLINGS_MAX: i32 = 5;
/** 16 of salt, and a number as long as the group. */
const VERIFIER_BYTES: i32 = 16 + 384;
/** Wrong proofs in a row before a lock-out, and between one and the next. */
const FAILURES_MAX: u8 = 3;
/** A central that came while the device is locked has so long to read for how long. */
const TOLD_MS: u32 = 5000;
/** What the host refused, or did not answer, is asked for again. */
const AGAIN_MS: u32 = 5000;

namespace Input {
  export const START: u8 = 0;
  export const CONNECTED: u8 = 1;
  export const AUTHENTICATED: u8 = 2;
  export const REFUSED: u8 = 3;
  export const TOO_OFTEN: u8 = 4;
  export const DISCONNECTED: u8 = 5;
  export const TIMER: u8 = 6;
  export const STOP: u8 = 7;
  export const STOPPED: u8 = 8;
}

namespace Action {
  export const NONE: u8 = 0;
  export const ADVERTISE: u8 = 1;
  export const AWAIT_SESSION: u8 = 2;
  export const OPEN: u8 = 3;
  export const SEND_AWAY: u8 = 4;
  export const LOCK: u8 = 5;
  export const TELL: u8 = 6;
  export const AWAIT_END: u8 = 7;
  export const UNLOCK: u8 = 8;
  export const STOP: u8 = 9;
}

// machine: ble
// biome-ignore format: one row a line
const TABLE: usize = memory.data<u8>([
  // state,                input,                action,               next
  BleState.OFF,            Input.START,          Action.ADVERTISE,     BleState.ADVERTISING,
  BleState.ADVERTISING,    Input.TIMER,          Action.ADVERTISE,     BleState.ADVERTISING,
  BleState.ADVERTISING,    Input.TOO_OFTEN,      Action.AWAIT_END,     BleState.LOCKED,
  BleState.ADVERTISING,    Input.CONNECTED,      Action.AWAIT_SESSION, BleState.CONNECTED,
  BleState.ADVERTISING,    Input.STOP,           Action.STOP,          BleState.STOPPING,
  BleState.CONNECTED,      Input.AUTHENTICATED,  Action.OPEN,          BleState.AUTHENTICATED,
  BleState.CONNECTED,      Input.REFUSED,        Action.SEND_AWAY,     BleState.CONNECTED,
  BleState.CONNECTED,      Input.TOO_OFTEN,      Action.TELL,          BleState.REFUSING,
  BleState.CONNECTED,      Input.TIMER,          Action.SEND_AWAY,     BleState.CONNECTED,
  BleState.CONNECTED,      Input.DISCONNECTED,   Action.NONE,          BleState.ADVERTISING,
  BleState.CONNECTED,      Input.STOP,           Action.STOP,          BleState.STOPPING,
  BleState.AUTHENTICATED,  Input.REFUSED,        Action.SEND_AWAY,     BleState.CONNECTED,
  BleState.AUTHENTICATED,  Input.DISCONNECTED,   Action.NONE,          BleState.ADVERTISING,
  BleState.AUTHENTICATED,  Input.STOP,           Action.STOP,          BleState.STOPPING,
  BleState.LOCKED,         Input.CONNECTED,      Action.TELL,          BleState.REFUSING,
  BleState.LOCKED,         Input.TIMER,          Action.UNLOCK,        BleState.ADVERTISING,
  BleState.LOCKED,         Input.STOP,           Action.STOP,          BleState.STOPPING,
  BleState.REFUSING,       Input.REFUSED,        Action.SEND_AWAY,     BleState.REFUSING,
  BleState.REFUSING,       Input.TIMER,          Action.SEND_AWAY,     BleState.REFUSING,
  BleState.REFUSING,       Input.DISCONNECTED,   Action.AWAIT_END,     BleState.LOCKED,
  BleState.REFUSING,       Input.STOP,           Action.STOP,          BleState.STOPPING,
  BleState.STOPPING,       Input.TIMER,          Action.STOP,          BleState.STOPPING,
  BleState.STOPPING,       Input.STOPPED,        Action.NONE,          BleState.OFF,
  END,
]);

export let state: u8 = BleState.OFF;
/** Wrong proofs since the last right one. */
let failures: u8 = 0;
let lockedUntilMs: u64 = 0;
let verifierOffset: () => u32 = (): u32 => 0;
let name: usize = 0;
let nameSize: i32 = 0;
let counted: (failures: u8) => void = (_failures: u8) => {};

/** Who keeps the number of wrong proofs over a loss of power. */
export function onFailures(keep: (failures: u8) => void): void {
  counted = keep;
}

/**
 * Advertises by this name, which stays; salt and verifier lie at this place in flash, whenever it
 * is asked for. So many wrong proofs were counted before.
 */
export function start(as: usize, size: i32, verifier: () => u32, failuresBefore: u8): void {
  verifierOffset = verifier;
  packets.onFailure(onFailure);
  name = as;
  nameSize = size;
  failures = failuresBefore;
  step(Input.START, 0);
  if (failures >= FAILURES_MAX) {
    lock();
    step(Input.TOO_OFTEN, utf8("too many wrong proofs of possession before"));
  }
}

/** Gives the radio back. */
export function stop(): void {
  step(Input.STOP, 0);
}

/** Tells the central that asking is worth while. */
export function change(): void {
  const left = secondsLeft();
  packets.change(left > 0 ? BleCode.ACCESS_DENIED : BleCode.SUCCESS, left);
}

function secondsLeft(): u16 {
  return lockedUntilMs > nowMs ? <u16>((lockedUntilMs - nowMs + 999) / 1000) : 0;
}

export function onConnected(mtu: i32): void {
  packets.begin(mtu);
  step(Input.CONNECTED, 0);
}

/** Event BLE_SESSION. */
export function onSession(status: i32): void {
  if (status >= 0) {
    if (state != BleState.CONNECTED) return refuse(utf8("a session out of turn"));
    if (failures >= FAILURES_MAX) counted(0);
    failures = 0;
    step(Input.AUTHENTICATED, 0);
  } else if (status != Status.REFUSED) {
    refuse(utf8("the handshake broke the protocol"));
  } else if (failures + 1 < FAILURES_MAX) {
    failures++;
    refuse(utf8("wrong proof of possession"));
  } else {
    failures = min(failures, 254) + 1;
    lock();
    counted(failures);
    step(Input.TOO_OFTEN, utf8("too many wrong proofs of possession"));
  }
}

/** From now on, twice as long with each failure. */
function lock(): void {
  const doublings = min(<i32>failures - FAILURES_MAX, DOUBLINGS_MAX);
  lockedUntilMs = nowMs + min(LOCK_MS_MIN << (<u32>doublings), LOCK_MS_MAX);
}

/** Event BLE_WRITE. Before a session nothing is heard. */
export function onWrite(characteristic: i32, frame: usize, size: i32): void {
  if (state != BleState.AUTHENTICATED) refuse(utf8("a write without a session"));
  else packets.onFrame(characteristic, frame, size);
}

/** The session is of no use any more. */
function onFailure(reason: usize): void {
  refuse(reason);
}

function refuse(reason: usize): void {
  step(Input.REFUSED, reason);
}

export function onDisconnected(): void {
  packets.reset();
  step(Input.DISCONNECTED, 0);
}

export function onStopped(): void {
  packets.reset();
  step(Input.STOPPED, 0);
}

export function onTimer(): void {
  step(Input.TIMER, utf8("no session in time"));
}

function step(input: u8, reason: usize): void {
  const row = findRow(TABLE, state, input);
  if (row == 0) return;
  const next = nextOf(row);
  if (next != state) {
    state = next;
    emit(Event.BLE_STATE, next, reason, reason == 0 ? 0 : textSize(reason));
  }
  act(actionOf(row));
}

function act(action: u8): void {
  clearTimer(Timer.BLE);
  switch (action) {
    case Action.ADVERTISE:
      advertise();
      break;
    case Action.AWAIT_SESSION:
      change();
      setTimer(Timer.BLE, SESSION_MS);
      break;
    case Action.OPEN:
      packets.reset();
      break;
    case Action.SEND_AWAY:
      bleDisconnect(); // if it is gone by itself, its BLE_DISCONNECTED is on the way all the same
      setTimer(Timer.BLE, AGAIN_MS);
      break;
    case Action.TELL:
      bleLock(1);
      change();
      setTimer(Timer.BLE, TOLD_MS);
      break;
    case Action.AWAIT_END:
      bleLock(1);
      setTimer(Timer.BLE, <u32>max(<i64>(lockedUntilMs - nowMs), 0));
      break;
    case Action.UNLOCK:
      if (bleLock(0) < 0) advertise();
      break;
    case Action.STOP:
      bleStop();
      setTimer(Timer.BLE, AGAIN_MS);
      break;
  }
}

function advertise(): void {
  const status = bleStart(name, nameSize, verifierOffset(), VERIFIER_BYTES);
  if (status < 0) setTimer(Timer.BLE, AGAIN_MS);
}
