// Station: joins the configured network and stays in it. A wrong password or a missing network is
// not final (an access point may be restarting): it is tried again with back-off and full jitter,
// for ever, and each failure is an event with its reason. system/ starts it and listens.

import { Event, LogLevel, LogModule, Status, sysRandom, wifiJoin, wifiLeave } from "../abi/host";
import { emit } from "../kernel/events";
import { logNumber } from "../kernel/log";
import { Timer, clearTimer, setTimer } from "../kernel/timers";
import { Backoff } from "../util/backoff";
import { putDecimal } from "../util/bytes";
import { END, actionOf, findRow, nextOf } from "../util/machine";

const RETRY_MS_MIN: u32 = 1000;
const RETRY_MS_MAX: u32 = 60000;

namespace State {
  export const OFF: u8 = 0;
  export const JOINING: u8 = 1;
  export const UP: u8 = 2;
  export const WAITING: u8 = 3;
  export const LEAVING: u8 = 4;
}

namespace Input {
  export const START: u8 = 0;
  export const STOP: u8 = 1;
  export const JOINED: u8 = 2;
  export const DOWN: u8 = 3;
  export const TIMER: u8 = 4;
}

namespace Action {
  export const NONE: u8 = 0;
  export const JOIN: u8 = 1;
  export const ANNOUNCE_UP: u8 = 2;
  export const RETRY_LATER: u8 = 3;
  export const ANNOUNCE_DOWN: u8 = 4;
  export const LEAVE: u8 = 5;
  export const STOP_WAITING: u8 = 6;
}

// machine: wifi
// biome-ignore format: one row a line
const TABLE: usize = memory.data<u8>([
  // state,       input,        action,               next
  State.OFF,      Input.START,  Action.JOIN,          State.JOINING,
  State.JOINING,  Input.JOINED, Action.ANNOUNCE_UP,   State.UP,
  State.JOINING,  Input.DOWN,   Action.RETRY_LATER,   State.WAITING,
  State.JOINING,  Input.STOP,   Action.LEAVE,         State.LEAVING,
  State.UP,       Input.DOWN,   Action.ANNOUNCE_DOWN, State.WAITING,
  State.UP,       Input.STOP,   Action.LEAVE,         State.LEAVING,
  State.WAITING,  Input.TIMER,  Action.JOIN,          State.JOINING,
  State.WAITING,  Input.STOP,   Action.STOP_WAITING,  State.OFF,
  State.LEAVING,  Input.DOWN,   Action.NONE,          State.OFF,
  END,
]);

const backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX);
/** IPv4 address in words, since WIFI_UP. */
export const address: usize = memory.data(16);
export let addressSize: i32 = 0;
const randomWord: usize = memory.data(4, 4);

let state: u8 = State.OFF;
let ssid: usize = 0;
let ssidSize: i32 = 0;
let password: usize = 0;
let passwordSize: i32 = 0;
let reason: i32 = 0;
let listener: (up: bool) => void = (up: bool) => {};
let troubled: (status: i32) => void = (_status: i32) => {};

/** Who hears that the network came or went. */
export function onNetwork(heard: (up: bool) => void): void {
  listener = heard;
}

/** Who hears why a network could not be joined, or was lost; it is tried again. */
export function onFailed(heard: (status: i32) => void): void {
  troubled = heard;
}

/** Joins the network and keeps it. The slices must stay valid until stop(). */
export function start(ssidAt: usize, ssidBytes: i32, passwordAt: usize, passwordBytes: i32): void {
  ssid = ssidAt;
  ssidSize = ssidBytes;
  password = passwordAt;
  passwordSize = passwordBytes;
  step(Input.START);
}

export function stop(): void {
  step(Input.STOP);
}

export function isOff(): bool {
  return state == State.OFF;
}

export function isUp(): bool {
  return state == State.UP;
}

/** Event WIFI_UP; four bytes of IPv4 address at `ip`. */
export function onUp(ip: usize): void {
  let end = address;
  for (let i: usize = 0; i < 4; i++) {
    if (i > 0) store<u8>(end++, 0x2e);
    end = putDecimal(end, load<u8>(ip + i));
  }
  addressSize = <i32>(end - address);
  emit(Event.WIFI_CONNECTED, 0, address, addressSize);
  step(Input.JOINED);
}

/** Event WIFI_DOWN. */
export function onDown(status: i32, hostReason: i32): void {
  reason = status;
  logNumber(LogLevel.DEBUG, LogModule.WIFI, utf8("host's reason"), hostReason);
  emit(Event.WIFI_DISCONNECTED, status);
  step(Input.DOWN);
  troubled(status);
}

export function onTimer(): void {
  step(Input.TIMER);
}

function step(input: u8): void {
  const row = findRow(TABLE, state, input);
  if (row == 0) return;
  state = nextOf(row);
  act(actionOf(row));
}

function act(action: u8): void {
  switch (action) {
    case Action.JOIN:
      join();
      break;
    case Action.ANNOUNCE_UP:
      backoff.reset();
      listener(true);
      break;
    case Action.ANNOUNCE_DOWN:
      listener(false);
      retryLater();
      break;
    case Action.RETRY_LATER:
      retryLater();
      break;
    case Action.LEAVE:
      listener(false);
      if (wifiLeave() < 0) step(Input.DOWN);
      break;
    case Action.STOP_WAITING:
      clearTimer(Timer.WIFI);
      break;
  }
}

function join(): void {
  emit(Event.WIFI_JOINING, 0, ssid, ssidSize);
  const status = wifiJoin(ssid, ssidSize, password, passwordSize);
  if (status < 0) onDown(status, 0);
}

function retryLater(): void {
  sysRandom(randomWord, 4);
  setTimer(Timer.WIFI, backoff.next(load<u32>(randomWord)));
}
