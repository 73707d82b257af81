// The BLE machine of docs/BLE.md: from advertising to a session, times, and the lock-out of who
// guesses. Nothing but the handshake, which is the host's, is heard before a session. What a session
// sends goes on to packets.ts. system/ starts and stops it; the states are told as BLE_STATE.

import { BleState, Dataset, Event, Status, bleDisconnect, bleStart, bleStop } from "../abi/host";
import * as records from "../flash/store";
import { emit } from "../kernel/events";
import { Timer, clearTimer, setTimer } from "../kernel/timers";
import { textSize } from "../util/bytes";
import { END, actionOf, findRow, nextOf } from "../util/machine";
import * as packets from "./packets";

const SESSION_MS: u32 = 30000;
const LOCK_MS_MIN: u32 = 30000;
const LOCK_MS_MAX: u32 = 900000;
/** Wrong proofs in a row before a lock-out, and between one and the next. */
const FAILURES_MAX: u8 = 3;
const STOP_AGAIN_MS: u32 = 5000;

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
  export const CLOSE: u8 = 6;
  export const STOP: u8 = 7;
}

// machine: ble
// biome-ignore format: one row a line
const TABLE: usize = memory.data<u8>([
  // state,                input,                action,               next
  BleState.OFF,            Input.START,          Action.ADVERTISE,     BleState.ADVERTISING,
  BleState.ADVERTISING,    Input.TIMER,          Action.ADVERTISE,     BleState.ADVERTISING,
  BleState.ADVERTISING,    Input.CONNECTED,      Action.AWAIT_SESSION, BleState.CONNECTED,
  BleState.ADVERTISING,    Input.STOP,           Action.STOP,          BleState.STOPPING,
  BleState.CONNECTED,      Input.AUTHENTICATED,  Action.OPEN,          BleState.AUTHENTICATED,
  BleState.CONNECTED,      Input.REFUSED,        Action.SEND_AWAY,     BleState.CONNECTED,
  BleState.CONNECTED,      Input.TOO_OFTEN,      Action.LOCK,          BleState.LOCKED,
  BleState.CONNECTED,      Input.TIMER,          Action.SEND_AWAY,     BleState.CONNECTED,
  BleState.CONNECTED,      Input.DISCONNECTED,   Action.CLOSE,         BleState.ADVERTISING,
  BleState.CONNECTED,      Input.STOP,           Action.STOP,          BleState.STOPPING,
  BleState.AUTHENTICATED,  Input.REFUSED,        Action.SEND_AWAY,     BleState.CONNECTED,
  BleState.AUTHENTICATED,  Input.DISCONNECTED,   Action.CLOSE,         BleState.ADVERTISING,
  BleState.AUTHENTICATED,  Input.STOP,           Action.STOP,          BleState.STOPPING,
  BleState.LOCKED,         Input.CONNECTED,      Action.SEND_AWAY,     BleState.LOCKED,
  BleState.LOCKED,         Input.TIMER,          Action.CLOSE,         BleState.ADVERTISING,
  BleState.LOCKED,         Input.STOP,           Action.STOP,          BleState.STOPPING,
  BleState.STOPPING,       Input.TIMER,          Action.STOP,          BleState.STOPPING,
  BleState.STOPPING,       Input.STOPPED,        Action.CLOSE,         BleState.OFF,
  END,
]);

export let state: u8 = BleState.OFF;
/** Wrong proofs since the last right one. */
let failures: u8 = 0;
let name: usize = 0;
let nameSize: i32 = 0;
let stopped: () => void = () => {};

/** Advertises by this name, which stays; the device has a verifier. */
export function start(as: usize, size: i32): void {
  packets.onFailure(onFailure);
  name = as;
  nameSize = size;
  step(Input.START, 0);
}

/** Gives the radio back; `heard` when its memory is free, at once when it was off. */
export function stop(heard: () => void): void {
  stopped = heard;
  if (state == BleState.OFF) heard();
  else step(Input.STOP, 0);
}

/** Whether sessions can be checked. */
export function hasVerifier(): bool {
  return records.size(Dataset.BLE_VERIFIER) > 0;
}

export function onConnected(mtu: i32): void {
  packets.setMtu(mtu);
  step(Input.CONNECTED, 0);
}

/** Event BLE_SESSION. */
export function onSession(status: i32): void {
  if (status >= 0) {
    failures = 0;
    step(Input.AUTHENTICATED, 0);
  } else if (status != Status.REFUSED) {
    step(Input.REFUSED, utf8("the handshake broke the protocol"));
  } else if (++failures < FAILURES_MAX) {
    step(Input.REFUSED, utf8("wrong proof of possession"));
  } else {
    step(Input.TOO_OFTEN, utf8("too many wrong proofs of possession"));
  }
}

/** Event BLE_WRITE. Before a session nothing is heard. */
export function onWrite(characteristic: i32, frame: usize, size: i32): void {
  if (state != BleState.AUTHENTICATED) step(Input.REFUSED, utf8("a write without a session"));
  else packets.onFrame(characteristic, frame, size);
}

/** The session is of no use any more. */
function onFailure(reason: usize): void {
  step(Input.REFUSED, reason);
}

export function onDisconnected(): void {
  packets.reset();
  step(Input.DISCONNECTED, 0);
}

export function onStopped(): void {
  step(Input.STOPPED, 0);
  if (state == BleState.OFF) stopped();
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
      setTimer(Timer.BLE, SESSION_MS);
      break;
    case Action.OPEN:
      packets.open();
      break;
    case Action.SEND_AWAY:
      bleDisconnect();
      if (state == BleState.LOCKED) setTimer(Timer.BLE, lockMs());
      break;
    case Action.LOCK:
      bleDisconnect();
      setTimer(Timer.BLE, lockMs());
      break;
    case Action.STOP:
      bleStop();
      setTimer(Timer.BLE, STOP_AGAIN_MS);
      break;
  }
}

function advertise(): void {
  const place = records.offset(Dataset.BLE_VERIFIER);
  const status = bleStart(name, nameSize, place, records.size(Dataset.BLE_VERIFIER));
  if (status < 0) setTimer(Timer.BLE, STOP_AGAIN_MS);
}

/** Doubles with each failure beyond the first lock-out. */
function lockMs(): u32 {
  const doublings = min(<i32>failures - FAILURES_MAX, 5);
  return min(LOCK_MS_MIN << (<u32>max(doublings, 0)), LOCK_MS_MAX);
}
