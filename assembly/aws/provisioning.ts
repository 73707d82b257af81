// Fleet provisioning by claim, as a table. The device connects with the claim certificate, obtains
// a certificate (keys made by AWS, or a CSR with a key made here), stores key, certificate and
// ownership token BEFORE it registers, registers, stores the thing name, and reconnects as the
// thing. A power cut resumes at the last stored step. If the token turns out to be used up, an
// earlier RegisterThing may have succeeded without our seeing the answer: connecting with the new
// certificate tells (PROBING); so no second certificate is ever activated for one device.
// Source: AWS IoT Core developer guide, «Device provisioning MQTT API». system/ starts it.

import { Dataset, Event, ProvisioningStep, Status, cryptoCsr, sysRandom } from "../abi/host";
import * as places from "../flash/places";
import * as records from "../flash/store";
import { emit } from "../kernel/events";
import { Timer, clearTimer, setTimer } from "../kernel/timers";
import { Backoff } from "../util/backoff";
import { containsText, endsWithText, startsWithText, textSize } from "../util/bytes";
import { END, actionOf, findRow, nextOf } from "../util/machine";
import * as answer from "./provisioning_answer";
import { Part } from "./provisioning_answer";
import * as request from "./provisioning_request";
import * as progress from "./progress";
import { Identity } from "./credentials";
import * as session from "./session";
import * as subscriptions from "./subscriptions";

const RETRY_MS_MIN: u32 = 10000;
const RETRY_MS_MAX: u32 = 900000;
/** The thing's connection is on its way to its end: looked at again. */
const CLOSING_MS: u32 = 1000;
const ANSWER_MS_MAX: u32 = 30000;
const PROBES_MAX: i32 = 3;

namespace State {
  export const OFF: u8 = 0;
  /** Waits for the claim connection. */
  export const OPENING: u8 = 1;
  export const SUBSCRIBING: u8 = 2;
  export const MAKING_KEY: u8 = 3;
  export const CREATING: u8 = 4;
  export const STORING: u8 = 5;
  export const REGISTERING: u8 = 6;
  export const SAVING: u8 = 7;
  export const CLOSING: u8 = 8;
  export const CLOSING_TO_PROBE: u8 = 9;
  export const PROBING: u8 = 10;
  export const CLOSING_TO_DISCARD: u8 = 11;
  export const DISCARDING: u8 = 12;
  export const WAITING: u8 = 13;
}

namespace Input {
  export const START: u8 = 0;
  export const ONLINE: u8 = 1;
  export const OFFLINE: u8 = 2;
  export const CLOSED: u8 = 3;
  export const HAS_CERTIFICATE: u8 = 4;
  export const NEEDS_KEY: u8 = 5;
  export const NEEDS_CERTIFICATE: u8 = 6;
  export const KEY_MADE: u8 = 7;
  export const ACCEPTED: u8 = 8;
  export const REJECTED: u8 = 9;
  export const TOKEN_REFUSED: u8 = 10;
  export const STORED: u8 = 11;
  export const FAILED: u8 = 12;
  export const TIMER: u8 = 13;
  export const PROBE_REFUSED: u8 = 14;
}

namespace Action {
  export const NONE: u8 = 0;
  export const OPEN: u8 = 1;
  export const SUBSCRIBE: u8 = 2;
  export const MAKE_KEY: u8 = 3;
  export const CREATE: u8 = 4;
  export const STORE: u8 = 5;
  export const REGISTER: u8 = 6;
  export const SAVE: u8 = 7;
  export const CLOSE: u8 = 8;
  export const FINISH: u8 = 9;
  export const PROBE: u8 = 10;
  export const ADOPT: u8 = 11;
  export const DISCARD: u8 = 12;
  export const WAIT: u8 = 13;
  export const TIME_OUT: u8 = 14;
  export const FORGET: u8 = 15;
}

// machine: provisioning
// biome-ignore format: one row a line
const TABLE: usize = memory.data<u8>([
  // state,                   input,                   action,            next
  State.OFF,                  Input.START,             Action.OPEN,       State.OPENING,
  State.OPENING,              Input.ONLINE,            Action.SUBSCRIBE,  State.SUBSCRIBING,
  State.OPENING,              Input.TIMER,             Action.OPEN,       State.OPENING,
  State.SUBSCRIBING,          Input.HAS_CERTIFICATE,   Action.REGISTER,   State.REGISTERING,
  State.SUBSCRIBING,          Input.NEEDS_KEY,         Action.MAKE_KEY,   State.MAKING_KEY,
  State.SUBSCRIBING,          Input.NEEDS_CERTIFICATE, Action.CREATE,     State.CREATING,
  State.SUBSCRIBING,          Input.FAILED,            Action.WAIT,       State.WAITING,
  State.SUBSCRIBING,          Input.OFFLINE,           Action.FORGET,     State.OPENING,
  State.MAKING_KEY,           Input.KEY_MADE,          Action.CREATE,     State.CREATING,
  State.MAKING_KEY,           Input.FAILED,            Action.WAIT,       State.WAITING,
  State.MAKING_KEY,           Input.OFFLINE,           Action.FORGET,     State.OPENING,
  State.CREATING,             Input.ACCEPTED,          Action.STORE,      State.STORING,
  State.CREATING,             Input.REJECTED,          Action.WAIT,       State.WAITING,
  State.CREATING,             Input.FAILED,            Action.WAIT,       State.WAITING,
  State.CREATING,             Input.TIMER,             Action.TIME_OUT,   State.WAITING,
  State.CREATING,             Input.OFFLINE,           Action.FORGET,     State.OPENING,
  State.STORING,              Input.STORED,            Action.REGISTER,   State.REGISTERING,
  State.STORING,              Input.FAILED,            Action.WAIT,       State.WAITING,
  State.REGISTERING,          Input.ACCEPTED,          Action.SAVE,       State.SAVING,
  State.REGISTERING,          Input.TOKEN_REFUSED,     Action.CLOSE,      State.CLOSING_TO_PROBE,
  State.REGISTERING,          Input.REJECTED,          Action.WAIT,       State.WAITING,
  State.REGISTERING,          Input.FAILED,            Action.WAIT,       State.WAITING,
  State.REGISTERING,          Input.TIMER,             Action.TIME_OUT,   State.WAITING,
  State.REGISTERING,          Input.OFFLINE,           Action.FORGET,     State.OPENING,
  State.SAVING,               Input.STORED,            Action.CLOSE,      State.CLOSING,
  State.SAVING,               Input.FAILED,            Action.WAIT,       State.WAITING,
  State.CLOSING,              Input.CLOSED,            Action.FINISH,     State.OFF,
  State.CLOSING_TO_PROBE,     Input.CLOSED,            Action.PROBE,      State.PROBING,
  State.PROBING,              Input.ONLINE,            Action.ADOPT,      State.SAVING,
  State.PROBING,              Input.PROBE_REFUSED,     Action.CLOSE,      State.CLOSING_TO_DISCARD,
  State.CLOSING_TO_DISCARD,   Input.CLOSED,            Action.DISCARD,    State.DISCARDING,
  State.DISCARDING,           Input.STORED,            Action.WAIT,       State.WAITING,
  State.DISCARDING,           Input.FAILED,            Action.WAIT,       State.WAITING,
  State.WAITING,              Input.TIMER,             Action.OPEN,       State.OPENING,
  END,
]);

/** Status or code of AWS, words, and whether they are an answer of the service. */
type Trouble = (status: i32, text: usize, size: i32, isAnswer: bool) => void;

const backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX);
const randomWord: usize = memory.data(4, 4);

let state: u8 = State.OFF;
let probes: i32 = 0;
let finished: () => void = () => {};
let troubled: Trouble = (_status: i32, _text: usize, _size: i32, _isAnswer: bool) => {};

/** Who hears that the device has its thing certificate and name. */
export function onFinished(heard: () => void): void {
  finished = heard;
}

/** Who hears of each failure. A token that was refused is none: it is looked into. */
export function onTrouble(heard: Trouble): void {
  troubled = heard;
}

/** Starts or resumes. The session must be off. */
export function start(): void {
  step(Input.START);
}

export function isActive(): bool {
  return state != State.OFF;
}

function step(input: u8): void {
  const row = findRow(TABLE, state, input);
  if (row == 0) return;
  state = nextOf(row);
  act(actionOf(row));
}

function act(action: u8): void {
  clearTimer(Timer.PROVISIONING);
  switch (action) {
    case Action.OPEN:
      open();
      break;
    case Action.SUBSCRIBE:
      emit(Event.PROVISIONING, ProvisioningStep.CONNECTED);
      request.subscribe();
      break;
    case Action.MAKE_KEY:
      emit(Event.PROVISIONING, ProvisioningStep.KEY_REQUESTED);
      makeKey();
      break;
    case Action.CREATE:
      emit(Event.PROVISIONING, ProvisioningStep.CERTIFICATE_REQUESTED);
      sent(request.create());
      break;
    case Action.STORE:
      keep();
      break;
    case Action.REGISTER:
      emit(Event.PROVISIONING, ProvisioningStep.REGISTERING);
      sent(request.register());
      break;
    case Action.SAVE:
      progress.setThingName(answer.at(Part.THING_NAME), answer.sizeOf(Part.THING_NAME));
      progress.save(ProvisioningStep.DONE);
      break;
    case Action.ADOPT:
      progress.setThingName(request.expectedName, request.expectedNameSize);
      progress.save(ProvisioningStep.DONE);
      break;
    case Action.CLOSE:
      forget();
      session.close();
      break;
    case Action.FINISH:
      emit(Event.PROVISIONED, 0, progress.thingName, progress.thingNameSize());
      finished();
      break;
    case Action.PROBE:
      emit(Event.PROVISIONING, ProvisioningStep.PROBING);
      probes = 0;
      session.open(Identity.THING, request.expectedName, request.expectedNameSize);
      break;
    case Action.DISCARD:
      progress.save(ProvisioningStep.NONE);
      break;
    case Action.FORGET:
      forget();
      break;
    case Action.TIME_OUT:
      report(Status.TIMEOUT, utf8("no answer"));
      wait();
      break;
    case Action.WAIT:
      wait();
      break;
  }
}

function open(): void {
  if (session.isOff()) session.open(Identity.CLAIM, request.deviceName, request.deviceNameSize);
  else if (session.identity == Identity.THING) setTimer(Timer.PROVISIONING, CLOSING_MS);
  else if (session.isOnline()) step(Input.ONLINE);
}

function makeKey(): void {
  const status = cryptoCsr(request.deviceName, request.deviceNameSize);
  if (status < 0) fail(status, utf8("no key"));
}

/** A request is on its way, or (negative Status) could not be sent. */
function sent(status: i32): void {
  if (status < 0) fail(status, utf8("the request could not be sent"));
  else setTimer(Timer.PROVISIONING, ANSWER_MS_MAX);
}

function fail(status: i32, words: usize): void {
  report(status, words);
  step(Input.FAILED);
}

function report(status: i32, words: usize): void {
  emit(Event.PROVISIONING_FAILED, status, words, textSize(words));
  troubled(status, words, textSize(words), false);
}

function wait(): void {
  answer.cancel();
  // A probe that succeeded and could not be noted: the thing's connection is not for provisioning.
  if (session.identity == Identity.THING) session.close();
  sysRandom(randomWord, 4);
  setTimer(Timer.PROVISIONING, backoff.next(load<u32>(randomWord)));
}

/** The claim connection ends: its filters and a half-arrived answer mean nothing any more. */
function forget(): void {
  subscriptions.removeAll(subscriptions.Owner.PROVISIONING);
  answer.cancel();
}

function fits(part: i32, longest: i32): bool {
  const size = answer.sizeOf(part);
  return size > 0 && size <= longest;
}

/** First of three records: each is written when the one before it is in flash, and the progress
 * record last, because it is the promise that the other two are there. */
function keep(): void {
  const key = answer.keyAt();
  if (key == 0 || !answer.normalizeCertificate() || !fits(Part.TOKEN, progress.TOKEN_BYTES_MAX)) {
    fail(Status.MALFORMED, utf8("the answer lacks certificate, key or token"));
    return;
  }
  records.write(places.inForce(Dataset.THING_KEY), key, answer.keySize());
}

/** A record was written (or not). */
export function onRecord(dataset: u8, status: i32): void {
  if (state != State.STORING && state != State.SAVING && state != State.DISCARDING) return;
  if (status < 0) {
    progress.mount(); // goes on from what flash holds, not from what it should have held
    fail(status, utf8("flash"));
  } else if (dataset == places.inForce(Dataset.THING_KEY)) {
    records.write(
      places.inForce(Dataset.THING_CERTIFICATE),
      answer.at(Part.CERTIFICATE),
      answer.sizeOf(Part.CERTIFICATE),
    );
  } else if (dataset == places.inForce(Dataset.THING_CERTIFICATE)) {
    progress.saveToken(answer.at(Part.TOKEN), answer.sizeOf(Part.TOKEN));
  } else if (dataset == Dataset.SYSTEM_STATUS) {
    emit(Event.PROVISIONING, progress.step());
    step(Input.STORED);
  }
}

/** The session changed; see session.Change. */
export function onSession(change: u8): void {
  if (change == session.Change.UP) step(Input.ONLINE);
  else if (change == session.Change.CLOSED) step(Input.CLOSED);
  else if (state == State.PROBING) probeFailed(session.lastStatus);
  else step(Input.OFFLINE);
}

/** Only an answer counts against the certificate; an absent network or broker says nothing. */
function probeFailed(status: i32): void {
  if (status == Status.TLS_CLIENT_REFUSED || status == Status.MQTT_REFUSED) {
    if (++probes >= PROBES_MAX) step(Input.PROBE_REFUSED);
  }
}

/** Event CRYPTO_CSR: private key, then signing request, in the inbox. */
export function onCsr(status: i32, keyBytes: i32, from: usize, size: i32): void {
  if (state != State.MAKING_KEY) return;
  if (status < 0 || keyBytes <= 0 || keyBytes > size || !answer.setKey(from, keyBytes)) {
    fail(status < 0 ? status : Status.MALFORMED, utf8("no key"));
    return;
  }
  request.setCsr(from + keyBytes, size - keyBytes);
  step(Input.KEY_MADE);
}

export function onTimer(): void {
  step(Input.TIMER);
}

/** A message begins on the claim connection. Only the answer that is waited for is kept. */
export function beginMessage(topic: usize, topicSize: i32, total: i32): void {
  const creating = startsWithText(topic, topicSize, utf8("$aws/certificates/"));
  if (state != (creating ? State.CREATING : State.REGISTERING)) return;
  const accepted = endsWithText(topic, topicSize, utf8("/accepted"));
  if (!answer.begin(accepted, total)) fail(Status.TOO_LARGE, utf8("the answer is too large"));
}

/** The next bytes of it. */
export function appendMessage(from: usize, size: i32): void {
  if (!answer.append(from, size)) return;
  clearTimer(Timer.PROVISIONING);
  if (!answer.parse()) fail(Status.MALFORMED, utf8("the answer is not valid JSON"));
  else if (answer.accepted) accepted();
  else rejected();
}

function accepted(): void {
  if (state == State.REGISTERING && !fits(Part.THING_NAME, progress.NAME_BYTES_MAX)) {
    fail(Status.MALFORMED, utf8("the answer lacks thingName"));
  } else {
    step(Input.ACCEPTED);
  }
}

function rejected(): void {
  const code = answer.at(Part.ERROR_CODE);
  const size = answer.sizeOf(Part.ERROR_CODE);
  emit(Event.PROVISIONING_FAILED, answer.statusCode, answer.errorText(), answer.errorTextSize);
  const used = containsText(code, size, utf8("OwnershipToken")) && state == State.REGISTERING;
  if (!used) troubled(answer.statusCode, answer.errorText(), answer.errorTextSize, true);
  step(used ? Input.TOKEN_REFUSED : Input.REJECTED);
}

/**
 * Once at the end of each step: goes on when no filter is waited for. Without the filters of the
 * answers nothing is asked: each certificate would be made, and never arrive.
 */
export function pump(): void {
  if (state != State.SUBSCRIBING || subscriptions.waiting() > 0) return;
  if (!request.isHeard()) fail(Status.REFUSED, utf8("the answer's topic is refused"));
  else if (progress.step() == ProvisioningStep.CERTIFICATE_STORED) step(Input.HAS_CERTIFICATE);
  else step(request.usesCsr ? Input.NEEDS_KEY : Input.NEEDS_CERTIFICATE);
}
