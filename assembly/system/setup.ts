// Configuration as a table: a document is kept aside, tried, and only then in force (docs/BLE.md).
// A life has BLE or TLS, never both: in one that waits for a central (IDLE) a document is checked
// and its network joined; the next one tries the endpoint; the one after it tells how it went. What
// goes from life to life is the CANDIDATE record of outcome.ts. Called by ble_configurator.ts.

import {
  BleCode,
  Dataset,
  Event,
  ProvisioningStep,
  SetupStep,
  Status,
  cryptoPair,
} from "../abi/host";
import * as progress from "../aws/progress";
import * as provisioning from "../aws/provisioning";
import * as session from "../aws/session";
import * as places from "../flash/places";
import * as records from "../flash/store";
import { emit } from "../kernel/events";
import { Timer, clearTimer, setTimer } from "../kernel/timers";
import { textSize } from "../util/bytes";
import { END, actionOf, findRow, nextOf } from "../util/machine";
import * as wifi from "../wifi/wifi";
import * as configuration from "./configuration";
import { Slot } from "./configuration";
import { Life } from "./configurator";
import * as documents from "./documents";
import { CLAIM_FIELDS, THING_FIELDS } from "./documents";
import * as outcome from "./outcome";
import { Phase } from "./outcome";
import * as restart from "./restart";
import * as root from "./system";

/** How long a device that could work waits for a central, and one that has only good news. */
const WINDOW_MS: u32 = 600000;
const NEWS_MS: u32 = 60000;
const JOIN_MS_MAX: u32 = 60000;
const TRIAL_MS_MAX: u32 = 300000;
const CONNECT_MS_MAX: u32 = 60000;
/** Answers and notifications need a moment before the device goes. */
const FAREWELL_MS: u32 = 3000;
/** Failed joins, and refusals of the endpoint or the template, before the document has failed. */
const JOINS_MAX: i32 = 2;
const REFUSALS_MAX: i32 = 3;
/** Starts on trial that did not come to an end: brown-outs, traps, power cuts. */
const STARTS_MAX: u8 = 5;
/** A claim that AWS accepted cannot be taken back: its configuration is written until it stays. */
const COMMITS_MAX: i32 = 10;

namespace State {
  export const OFF: u8 = 0;
  /** Waits for a central, or for what it wants. */
  export const IDLE: u8 = 1;
  /** Its document is being checked, and kept aside. */
  export const KEEPING: u8 = 2;
  export const PAIRING: u8 = 3;
  export const JOINING: u8 = 4;
  /** CANDIDATE is being written: the next life tries it. */
  export const SAVING: u8 = 5;
  /** On trial: waits for the endpoint, or for the claim. */
  export const TRYING: u8 = 6;
  /** CONFIGURATION is being written. */
  export const COMMITTING: u8 = 7;
  export const COMMITTING_CLAIM: u8 = 8;
  /** In force by a claim; waits to see whether the thing may connect, too. */
  export const CONNECTING: u8 = 9;
  /** CANDIDATE is being written: the next life tells what is in it. */
  export const REPORTING: u8 = 10;
  export const DEPARTING: u8 = 11;
}

namespace Input {
  export const START: u8 = 0;
  export const TRY: u8 = 1;
  export const APPLY: u8 = 2;
  export const LEAVE: u8 = 3;
  export const STORED: u8 = 4;
  export const FAILED: u8 = 5;
  export const PAIRED: u8 = 6;
  export const UP: u8 = 7;
  export const CLAIMED: u8 = 8;
  export const TIMER: u8 = 9;
}

namespace Action {
  export const NONE: u8 = 0;
  export const OPEN: u8 = 1;
  export const TRY: u8 = 2;
  export const KEEP: u8 = 3;
  export const PAIR: u8 = 4;
  export const JOIN: u8 = 5;
  export const REFUSE: u8 = 6;
  export const SAVE: u8 = 7;
  export const COMMIT: u8 = 8;
  export const CONNECT: u8 = 9;
  export const REPORT: u8 = 10;
  export const RESTART: u8 = 11;
  export const LEAVE: u8 = 12;
}

// machine: setup
// biome-ignore format: one row a line
const TABLE: usize = memory.data<u8>([
  // state,                input,         action,         next
  State.OFF,               Input.START,   Action.OPEN,    State.IDLE,
  State.OFF,               Input.TRY,     Action.TRY,     State.TRYING,
  State.IDLE,              Input.APPLY,   Action.KEEP,    State.KEEPING,
  State.IDLE,              Input.LEAVE,   Action.LEAVE,   State.DEPARTING,
  State.IDLE,              Input.TIMER,   Action.LEAVE,   State.DEPARTING,
  State.KEEPING,           Input.STORED,  Action.PAIR,    State.PAIRING,
  State.KEEPING,           Input.FAILED,  Action.REFUSE,  State.IDLE,
  State.PAIRING,           Input.PAIRED,  Action.JOIN,    State.JOINING,
  State.PAIRING,           Input.FAILED,  Action.REFUSE,  State.IDLE,
  State.JOINING,           Input.UP,      Action.SAVE,    State.SAVING,
  State.JOINING,           Input.FAILED,  Action.REFUSE,  State.IDLE,
  State.SAVING,            Input.STORED,  Action.RESTART, State.DEPARTING,
  State.SAVING,            Input.FAILED,  Action.REFUSE,  State.IDLE,
  State.TRYING,            Input.UP,      Action.COMMIT,  State.COMMITTING,
  State.TRYING,            Input.CLAIMED, Action.COMMIT,  State.COMMITTING_CLAIM,
  State.TRYING,            Input.FAILED,  Action.REPORT,  State.REPORTING,
  State.COMMITTING,        Input.STORED,  Action.REPORT,  State.REPORTING,
  State.COMMITTING,        Input.FAILED,  Action.REPORT,  State.REPORTING,
  State.COMMITTING_CLAIM,  Input.STORED,  Action.CONNECT, State.CONNECTING,
  State.COMMITTING_CLAIM,  Input.FAILED,  Action.REPORT,  State.REPORTING,
  State.CONNECTING,        Input.UP,      Action.REPORT,  State.REPORTING,
  State.CONNECTING,        Input.FAILED,  Action.REPORT,  State.REPORTING,
  State.REPORTING,         Input.STORED,  Action.RESTART, State.DEPARTING,
  State.REPORTING,         Input.FAILED,  Action.RESTART, State.DEPARTING,
  END,
]);

let state: u8 = State.OFF;
/** Joins or refusals that have failed so far. */
let failures: i32 = 0;
/** Writes of what a claim was accepted for that flash has refused. */
let refusedCommits: i32 = 0;
/** Pairs of certificate and key that are still to be compared: bits of the certificates. */
let pairs: u32 = 0;
let document: (at: u32, to: usize, bytes: i32) => i32 = nothing;
/** Who answers the central about its document: the BleCode. */
let judged: (code: u8) => void = (_code: u8) => {};
let objectionCode: u8 = BleCode.INVALID_JSON;
/** A central knows that it worked. */
let isTold: bool = false;

function nothing(_at: u32, _to: usize, _bytes: i32): i32 {
  return 0;
}

/** Wires itself up; once, before BOOT goes on. */
export function prepare(heard: (code: u8) => void): void {
  judged = heard;
  wifi.onFailed(onJoinFailed);
  provisioning.onTrouble(onTrouble);
}

/** At boot: what this life is for. On trial, its configuration is mounted. */
export function begin(): u8 {
  const phase = outcome.mount();
  if (phase == Phase.NONE) return Life.ORDINARY;
  if (phase != Phase.TRIAL) return Life.CONFIGURATION;
  if (outcome.attempts() < STARTS_MAX && configuration.mountCandidate() == Status.OK) {
    step(Input.TRY);
    return Life.TRIAL;
  }
  const words = utf8("it could not be finished, in five starts");
  outcome.fail(BleCode.FAILED, 0, words, textSize(words));
  outcome.saveTold();
  return Life.CONFIGURATION;
}

/** Configuration mode has begun; or, on trial, something is missing after all. */
export function start(): void {
  fail(BleCode.MISSING_ELEMENTS, 0, root.missingField(0));
  step(Input.START);
}

/** The next life is for configuration. */
export function request(): void {
  outcome.clear();
  outcome.saveTold();
  restart.request(0, utf8("to be configured"));
}

export function isBusy(): bool {
  return state != State.IDLE || !wifi.isOff();
}

/** Takes a document; `judged` hears of it, soon. Not when it is busy. */
export function apply(read: (at: u32, to: usize, bytes: i32) => i32): void {
  document = read;
  step(Input.APPLY);
}

/** Goes on with what is in force. */
export function leave(): void {
  step(Input.LEAVE);
}

/** The central is at work: the window begins anew. */
export function stay(): void {
  if (state == State.IDLE) open(WINDOW_MS);
}

/** The central asked how it went. */
export function onTold(): void {
  isTold = outcome.code() == BleCode.CONFIGURED;
}

/** It has gone; good news are told once. */
export function onCentralGone(): void {
  if (state == State.IDLE && isTold) open(0);
}

/** A device that cannot work waits as long as it takes. */
function open(windowMs: u32): void {
  if (root.missingField(0) == 0) setTimer(Timer.SETUP, windowMs);
}

function step(input: u8): void {
  const row = findRow(TABLE, state, input);
  if (row == 0) return;
  state = nextOf(row);
  act(actionOf(row));
}

function act(action: u8): void {
  clearTimer(Timer.SETUP);
  switch (action) {
    case Action.OPEN:
      eraseSpares();
      open(outcome.code() == BleCode.CONFIGURED ? NEWS_MS : WINDOW_MS);
      break;
    case Action.TRY:
      outcome.reach(SetupStep.ENDPOINT);
      outcome.saveTrial(outcome.attempts() + 1);
      setTimer(Timer.SETUP, TRIAL_MS_MAX);
      break;
    case Action.KEEP:
      objectionCode = BleCode.INVALID_JSON;
      outcome.reach(SetupStep.CHECKING);
      documents.keepAside(document, object, onKept);
      break;
    case Action.PAIR:
      pairs = pairsOf(documents.seen);
      pairNext();
      break;
    case Action.JOIN:
      judged(BleCode.IN_PROGRESS);
      join();
      break;
    case Action.REFUSE:
      refuse();
      break;
    case Action.SAVE:
      outcome.reach(SetupStep.JOINED, wifi.address, wifi.addressSize);
      outcome.saveTrial(0);
      break;
    case Action.COMMIT:
      configuration.save();
      break;
    case Action.CONNECT:
      emit(Event.CONFIGURATION_APPLIED, 0);
      outcome.reach(SetupStep.PROVISIONED, root.thingName(), root.thingNameSize());
      failures = 0;
      setTimer(Timer.SETUP, CONNECT_MS_MAX);
      root.openAsThing();
      break;
    case Action.REPORT:
      report();
      break;
    case Action.RESTART:
      restart.request(FAREWELL_MS, utf8("the configuration needs it"));
      break;
    case Action.LEAVE:
      if (records.size(Dataset.CANDIDATE) >= 0) outcome.forget();
      restart.request(FAREWELL_MS, utf8("configuration is over"));
      break;
  }
}

/** What was kept aside, and what was replaced, is not needed any more. */
function eraseSpares(): void {
  for (let dataset: u8 = 0; dataset < 32; dataset++) {
    if (((places.PAIRS >> dataset) & 1) == 0) continue;
    const spare = places.spare(dataset);
    if (records.size(spare) >= 0 || records.pending(spare)) records.erase(spare);
  }
}

// ---- a document --------------------------------------------------------------------------------

/** What speaks against a good document, or 0. */
function object(): usize {
  const seen = documents.seen;
  const missing = root.missingField(seen);
  if (missing != 0) {
    objectionCode = BleCode.MISSING_ELEMENTS;
    return missing;
  }
  if ((seen & CLAIM_FIELDS) == 0 || (seen & THING_FIELDS) != 0 || !root.hasThing()) return 0;
  objectionCode = BleCode.FAILED;
  return utf8("the device has a certificate, and a claim would make another: reset it first");
}

function onKept(kept: bool): void {
  if (kept) return step(Input.STORED);
  if (documents.errorSize > 0) {
    fail(objectionCode, 0, documents.errorText, documents.errorSize);
  } else {
    fail(BleCode.FAILED, Status.NO_SPACE, utf8("the flash did not take it"));
  }
}

function pairsOf(seen: u32): u32 {
  let found: u32 = 0;
  if ((seen & THING_FIELDS) != 0) found |= 1 << Dataset.THING_CERTIFICATE;
  if ((seen & CLAIM_FIELDS) != 0) found |= 1 << Dataset.CLAIM_CERTIFICATE;
  return found;
}

/** In the datasets a certificate stands before its key. */
function pairNext(): void {
  if (pairs == 0) return step(Input.PAIRED);
  const certificate = places.inForce(<u8>ctz(pairs));
  const key = places.inForce(<u8>ctz(pairs) + 1);
  const status = cryptoPair(
    records.offset(certificate),
    records.size(certificate),
    records.offset(key),
    records.size(key),
  );
  if (status < 0) onPaired(status);
}

/** Event CRYPTO_PAIRED. */
export function onPaired(status: i32): void {
  if (state != State.PAIRING) return;
  const isThing = ctz(pairs) == Dataset.THING_CERTIFICATE;
  pairs &= pairs - 1;
  if (status >= 0) pairNext();
  else fail(BleCode.FAILED, status, isThing ? utf8("thing.privateKey") : utf8("claim.privateKey"));
}

function join(): void {
  failures = 0;
  setTimer(Timer.SETUP, JOIN_MS_MAX);
  const ssid = configuration.textOf(Slot.SSID);
  const size = configuration.sizeOf(Slot.SSID);
  outcome.reach(SetupStep.JOINING, ssid, size);
  const password = configuration.textOf(Slot.PASSWORD);
  wifi.start(ssid, size, password, configuration.sizeOf(Slot.PASSWORD));
}

function onJoinFailed(status: i32): void {
  if (state != State.JOINING) return;
  if (status != Status.WRONG_PASSWORD && status != Status.NO_SUCH_NETWORK) return;
  if (++failures < JOINS_MAX) return;
  fail(status == Status.WRONG_PASSWORD ? BleCode.WRONG_PASSWORD : BleCode.WRONG_SSID, status, 0);
}

/** The old configuration is what it was. */
function refuse(): void {
  wifi.stop();
  configuration.mount();
  eraseSpares();
  judged(outcome.code());
  open(WINDOW_MS);
}

// ---- on trial ----------------------------------------------------------------------------------

export function onNetwork(up: bool): void {
  if (up && state == State.JOINING) step(Input.UP);
}

/** The session of the claim, or of the thing. */
export function onSession(change: u8): void {
  if (change == session.Change.UP) {
    if (provisioning.isActive()) return;
    if (state == State.CONNECTING) reachThing();
    step(Input.UP);
  } else if (session.lastStatus != Status.CLOSED && !mayBeRegistered()) {
    count(session.lastStatus, 0, 0);
  }
}

function reachThing(): void {
  outcome.reach(SetupStep.CONNECTED, root.thingName(), root.thingNameSize());
}

/** AWS has been asked to register: a second certificate must not follow. */
function mayBeRegistered(): bool {
  return progress.step() == ProvisioningStep.CERTIFICATE_STORED;
}

/** Provisioning failed for this reason; `isAnswer`: the service says so. */
function onTrouble(status: i32, text: usize, size: i32, isAnswer: bool): void {
  if (state != State.TRYING) return;
  if (isAnswer || !mayBeRegistered()) count(isAnswer ? Status.REFUSED : status, text, size);
}

function count(status: i32, text: usize, size: i32): void {
  if (state != State.TRYING && state != State.CONNECTING) return;
  if (++failures >= REFUSALS_MAX) fail(BleCode.FAILED, status, text, size);
}

export function onProvisioned(): void {
  step(Input.CLAIMED);
}

/** What is under way has failed. By a claim, what is in force stays there. */
function fail(code: u8, status: i32, text: usize, size: i32 = -1): void {
  if (findRow(TABLE, state, Input.FAILED) == 0) return;
  const known = state == State.CONNECTING ? BleCode.CONFIGURED : code;
  outcome.fail(known, status, text, size < 0 && text != 0 ? textSize(text) : max(size, 0));
  step(Input.FAILED);
}

/** Only what has been committed, or is as it was, is told. */
function report(): void {
  session.close();
  if (outcome.code() == BleCode.IN_PROGRESS) {
    emit(Event.CONFIGURATION_APPLIED, 0);
    reachThing();
  } else if (outcome.code() != BleCode.CONFIGURED && progress.step() != ProvisioningStep.DONE) {
    if (progress.step() != ProvisioningStep.NONE) progress.save(ProvisioningStep.NONE);
  }
  outcome.saveTold();
}

export function onRecord(place: u8, status: i32): void {
  const awaited =
    state == State.COMMITTING || state == State.COMMITTING_CLAIM
      ? Dataset.CONFIGURATION
      : Dataset.CANDIDATE;
  if (place != awaited) return;
  const isCommit = state == State.COMMITTING_CLAIM;
  if (status >= 0) step(Input.STORED);
  else if (isCommit && ++refusedCommits < COMMITS_MAX) configuration.save();
  else if (state == State.REPORTING) step(Input.FAILED);
  else fail(BleCode.FAILED, status, utf8("the flash did not take it"));
}

export function onTimer(): void {
  if (state == State.TRYING && mayBeRegistered()) setTimer(Timer.SETUP, TRIAL_MS_MAX);
  else if (state == State.IDLE) step(Input.TIMER);
  else fail(BleCode.TIMEOUT, Status.TIMEOUT, 0);
}
