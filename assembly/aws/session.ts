// MQTT session: one connection at a time, as one identity, kept up with back-off and full jitter.
// The back-off is forgotten only after the connection has held for STABLE_MS, so that two devices
// which share a client id, and take the session from each other, slow down instead of fighting.
// Queues and subscriptions hang on it through its listener; system/ opens and closes it.

import { Event, LogLevel, LogModule, mqttDisconnect, sysRandom } from "../abi/host";
import { nowMs } from "../kernel/clock";
import { emit } from "../kernel/events";
import { logNumber } from "../kernel/log";
import { Timer, clearTimer, setTimer } from "../kernel/timers";
import { Backoff } from "../util/backoff";
import { END, actionOf, findRow, nextOf } from "../util/machine";
import { connect } from "./credentials";

const RETRY_MS_MIN: u32 = 2500;
/** Of the back-off (util/backoff.ts). */
const RETRY_MS_FLOOR: u64 = RETRY_MS_MIN / 2;
const RETRY_MS_MAX: u32 = 256000;
const STABLE_MS: u32 = 60000;
/** AWS allows one CONNECT a second for a client id; claim and thing may share theirs. */
const CONNECT_APART_MS: u64 = 1100;
/** The host answers a connect by itself; this is the net under it. */
const CONNECT_MS_MAX: u32 = 60000;
/** A disconnect that the host refused, or never answered, is asked for again. */
const CLOSE_AGAIN_MS: u32 = 5000;

export namespace State {
  export const OFF: u8 = 0;
  /** Wanted, but there is no network. */
  export const OFFLINE: u8 = 1;
  export const CONNECTING: u8 = 2;
  export const ONLINE: u8 = 3;
  /** Wanted; waits for its back-off. */
  export const WAITING: u8 = 4;
  export const CLOSING: u8 = 5;
}

namespace Input {
  export const OPEN: u8 = 0;
  export const CLOSE: u8 = 1;
  export const NETWORK_UP: u8 = 2;
  export const NETWORK_DOWN: u8 = 3;
  export const UP: u8 = 4;
  export const DOWN: u8 = 5;
  export const TIMER: u8 = 6;
  export const GO: u8 = 7;
  export const TOO_SOON: u8 = 8;
}

namespace Action {
  export const NONE: u8 = 0;
  export const CHECK: u8 = 1;
  export const CONNECT: u8 = 2;
  export const ANNOUNCE_UP: u8 = 3;
  export const RETRY_LATER: u8 = 4;
  export const ANNOUNCE_DOWN: u8 = 5;
  export const DISCONNECT: u8 = 6;
  export const ANNOUNCE_CLOSED: u8 = 7;
  export const AWAIT_TURN: u8 = 8;
}

// machine: session
// biome-ignore format: one row a line
const TABLE: usize = memory.data<u8>([
  // state,          input,              action,                 next
  State.OFF,         Input.OPEN,         Action.CHECK,           State.OFFLINE,
  State.OFFLINE,     Input.NETWORK_UP,   Action.CHECK,           State.OFFLINE,
  State.OFFLINE,     Input.GO,           Action.CONNECT,         State.CONNECTING,
  State.OFFLINE,     Input.TOO_SOON,     Action.AWAIT_TURN,      State.WAITING,
  State.OFFLINE,     Input.CLOSE,        Action.ANNOUNCE_CLOSED, State.OFF,
  State.CONNECTING,  Input.UP,           Action.ANNOUNCE_UP,     State.ONLINE,
  State.CONNECTING,  Input.DOWN,         Action.RETRY_LATER,     State.WAITING,
  State.CONNECTING,  Input.TIMER,        Action.DISCONNECT,      State.CONNECTING,
  State.CONNECTING,  Input.CLOSE,        Action.DISCONNECT,      State.CLOSING,
  State.ONLINE,      Input.DOWN,         Action.ANNOUNCE_DOWN,   State.WAITING,
  State.ONLINE,      Input.CLOSE,        Action.DISCONNECT,      State.CLOSING,
  State.WAITING,     Input.TIMER,        Action.CHECK,           State.OFFLINE,
  State.WAITING,     Input.NETWORK_DOWN, Action.NONE,            State.OFFLINE,
  State.WAITING,     Input.CLOSE,        Action.ANNOUNCE_CLOSED, State.OFF,
  State.CLOSING,     Input.DOWN,         Action.ANNOUNCE_CLOSED, State.OFF,
  State.CLOSING,     Input.TIMER,        Action.DISCONNECT,      State.CLOSING,
  END,
]);

/** What the listener hears. */
export namespace Change {
  export const UP: u8 = 0;
  /** The connection ended, or could not be made; `lastStatus` says why. It will be tried again. */
  export const DOWN: u8 = 1;
  /** close() is complete; open() may follow. */
  export const CLOSED: u8 = 2;
}

const backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX);
const randomWord: usize = memory.data(4, 4);

let state: u8 = State.OFF;
let network: bool = false;
let nextConnectMs: u64 = 0;
let clientId: usize = 0;
let clientIdSize: i32 = 0;
let listener: (change: u8) => void = (change: u8) => {};

export let identity: u8 = 0;
export let lastStatus: i32 = 0;

/** Who hears of changes: one listener, system's. */
export function onChange(heard: (change: u8) => void): void {
  listener = heard;
}

/** Opens and keeps a connection. The client id must stay valid until it is closed. */
export function open(as: u8, id: usize, idSize: i32): void {
  identity = as;
  clientId = id;
  clientIdSize = idSize;
  backoff.reset();
  step(Input.OPEN);
}

/** Ends the connection, or the wish for one; Change.CLOSED follows unless it was off already. */
export function close(): void {
  step(Input.CLOSE);
}

export function isOnline(): bool {
  return state == State.ONLINE;
}

export function isOff(): bool {
  return state == State.OFF;
}

/** Wi-Fi came or went. When it goes the host ends the connection by itself. */
export function onNetwork(up: bool): void {
  network = up;
  step(up ? Input.NETWORK_UP : Input.NETWORK_DOWN);
}

/** Event MQTT_UP. */
export function onUp(): void {
  nextConnectMs = nowMs + CONNECT_APART_MS; // the broker counts from here, not from our wish
  step(Input.UP);
}

/** Event MQTT_DOWN. */
export function onDown(status: i32, hostReason: i32): void {
  lastStatus = status;
  clearTimer(Timer.SESSION_STABLE);
  logNumber(LogLevel.DEBUG, LogModule.SESSION, utf8("host's reason"), hostReason);
  emit(Event.MQTT_DISCONNECTED, status);
  step(Input.DOWN);
}

export function onTimer(): void {
  step(Input.TIMER);
}

/** The connection has held long enough to trust it. */
export function onStableTimer(): void {
  backoff.reset();
}

function step(input: u8): void {
  const row = findRow(TABLE, state, input);
  if (row == 0) return;
  state = nextOf(row);
  act(actionOf(row));
}

function act(action: u8): void {
  clearTimer(Timer.SESSION);
  switch (action) {
    case Action.CHECK:
      if (network) step(nowMs < nextConnectMs ? Input.TOO_SOON : Input.GO);
      break;
    case Action.AWAIT_TURN:
      setTimer(Timer.SESSION, <u32>(nextConnectMs - nowMs));
      break;
    case Action.CONNECT:
      startConnect();
      break;
    case Action.ANNOUNCE_UP:
      setTimer(Timer.SESSION_STABLE, STABLE_MS);
      listener(Change.UP);
      break;
    case Action.RETRY_LATER:
    case Action.ANNOUNCE_DOWN:
      // Wi-Fi that comes back at once, or another identity, does not wait for the timer: the floor
      // holds.
      nextConnectMs = max(nextConnectMs, nowMs + RETRY_MS_FLOOR);
      sysRandom(randomWord, 4);
      setTimer(Timer.SESSION, backoff.next(load<u32>(randomWord)));
      listener(Change.DOWN);
      break;
    case Action.DISCONNECT:
      mqttDisconnect(); // if it has ended by itself, its MQTT_DOWN is on the way all the same
      setTimer(Timer.SESSION, CLOSE_AGAIN_MS);
      break;
    case Action.ANNOUNCE_CLOSED:
      listener(Change.CLOSED);
      break;
  }
}

function startConnect(): void {
  emit(Event.MQTT_CONNECTING, 0, clientId, clientIdSize);
  setTimer(Timer.SESSION, CONNECT_MS_MAX);
  nextConnectMs = nowMs + CONNECT_APART_MS;
  const status = connect(identity, clientId, clientIdSize);
  if (status < 0) onDown(status, 0);
}
