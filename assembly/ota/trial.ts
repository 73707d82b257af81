// What every firmware owes to updates, whether its application takes any or not: what boots on
// trial confirms itself once it is connected and the application agrees, inside SELF_TEST_MS, or
// gives itself up; and what runs after an update knows how that came out. Also the few things of
// the system that an update needs (restart, mode, keys), so that ota.ts, which is linked only where
// an application takes updates, knows nothing of system/.

import { Event, OtaState, OtaTarget, RestartScope, otaConfirm } from "../abi/host";
import * as job from "../aws/job_in_hand";
import { Phase } from "../aws/job_in_hand";
import { emit } from "../kernel/events";
import { Timer, clearTimer, setTimer } from "../kernel/timers";
import { textSize } from "../util/bytes";
import { END, actionOf, findRow, nextOf } from "../util/machine";
import { Failure, describeTrial } from "./failure";
import * as record from "./record";
import { Stage } from "./record";

const SELF_TEST_MS: u32 = 300000;
/** An undecided application is asked again after this. */
const ASK_AGAIN_MS: u32 = 1000;
/** A failed update restarts the device after this: time to tell the service. */
const FAREWELL_MS: u32 = 3000;

/** What the application says of itself on trial. */
export namespace Verdict {
  export const FAILED: u8 = 0;
  export const PASSED: u8 = 1;
  /** It has not seen enough yet. */
  export const UNDECIDED: u8 = 2;
}

namespace Input {
  /** It boots on trial. */
  export const TRIAL: u8 = 0;
  export const PASSED: u8 = 1;
  export const REFUSED: u8 = 2;
  /** The host has confirmed it, or it was confirmed in an earlier life. */
  export const CONFIRMED: u8 = 3;
  /** The one before the update runs. */
  export const BACK: u8 = 4;
}

namespace Action {
  export const START: u8 = 0;
  export const CONFIRM: u8 = 1;
  export const GIVE_UP: u8 = 2;
  export const END: u8 = 3;
}

// machine: trial
// biome-ignore format: one row a line
const TABLE: usize = memory.data<u8>([
  // state,            input,           action,         next
  OtaState.IDLE,       Input.TRIAL,     Action.START,   OtaState.SELF_TEST,
  OtaState.IDLE,       Input.CONFIRMED, Action.END,     OtaState.CONFIRMED,
  OtaState.IDLE,       Input.BACK,      Action.END,     OtaState.ROLLED_BACK,
  OtaState.SELF_TEST,  Input.PASSED,    Action.CONFIRM, OtaState.SELF_TEST,
  OtaState.SELF_TEST,  Input.REFUSED,   Action.GIVE_UP, OtaState.RESTARTING,
  OtaState.SELF_TEST,  Input.CONFIRMED, Action.END,     OtaState.CONFIRMED,
  END,
]);

/** OtaState of the device; ota.ts goes on from here. */
export let state: u8 = OtaState.IDLE;
export let firmwareSlot: u8 = 0;
export let moduleSlot: u8 = 0;
/** What the next restart gives up: firmware, or the module alone. */
let scope: u8 = RestartScope.DEVICE;
let isConnected: bool = false;
/** ota_confirm is under way. */
let confirming: bool = false;
let mustAsk: bool = false;
let isOnTrial: bool = false;

/** The application takes updates (library/ota.ts). */
let takesUpdates: bool = false;
let verdict: () => u8 = () => Verdict.PASSED;

let restart: (scope: u8, delayMs: u32, reason: usize) => void = (
  _scope: u8,
  _delayMs: u32,
  _reason: usize,
) => {};
let enterMode: () => void = () => {};

/** Public key for signatures, PUBLIC_KEY_BYTES, or 0; and whether unsigned updates are taken. */
export let key: usize = 0;
export let allowsUnsigned: bool = false;

/** Restart and mode, which belong to system/; it calls this once. */
export function connect(
  restarts: (scope: u8, delayMs: u32, reason: usize) => void,
  enters: () => void,
): void {
  restart = restarts;
  enterMode = enters;
}

/** From the configuration. */
export function setPolicy(publicKey: usize, unsigned: bool): void {
  key = publicKey;
  allowsUnsigned = unsigned;
}

export function acceptUpdates(): void {
  takesUpdates = true;
}

/** The application's self-test; called when it is connected on trial, until it is decided. */
export function onSelfTest(check: () => u8): void {
  verdict = check;
}

/** Every change of the state of an update, here or in ota.ts, is told. */
export function setState(to: u8, reason: usize): void {
  state = to;
  emit(Event.OTA_STATE, to, reason, reason == 0 ? 0 : textSize(reason));
}

/** ota.ts begins a new update. */
export function reset(): void {
  state = OtaState.IDLE;
}

export function restartInto(target: u8): void {
  const into = target == OtaTarget.FIRMWARE ? RestartScope.DEVICE : RestartScope.MODULE;
  restart(into, 0, utf8("update"));
}

/** An update failed half-way: the device starts anew from what it has. */
export function restartAfterFailure(): void {
  restart(RestartScope.DEVICE, FAREWELL_MS, utf8("the update came to nothing"));
}

/** Mode OTA, until the next restart. */
export function enterOtaMode(): void {
  enterMode();
}

/** Event BOOT: slots and trials as its payload gives them. */
export function begin(firmware: u8, firmwareTrial: bool, module: u8, moduleTrial: bool): void {
  firmwareSlot = firmware;
  moduleSlot = module;
  scope = firmwareTrial ? RestartScope.DEVICE : RestartScope.MODULE;
  isOnTrial = firmwareTrial || moduleTrial;
}

/** The records are mounted: what has become of an update before this life. */
export function mount(resetReason: u8): void {
  const stage = record.stage();
  const wasActivated = stage == Stage.ACTIVATING || stage == Stage.REFUSED;
  const slot = record.target() == OtaTarget.FIRMWARE ? firmwareSlot : moduleSlot;
  if (isOnTrial) step(Input.TRIAL);
  else if (wasActivated && slot != record.from()) step(Input.CONFIRMED);
  else if (wasActivated) {
    if (stage == Stage.ACTIVATING) record.setFailure(Failure.NOT_CONFIRMED, resetReason);
    step(Input.BACK);
  }
}

function step(input: u8): void {
  const row = findRow(TABLE, state, input);
  if (row == 0) return;
  const next = nextOf(row);
  const reason =
    input == Input.REFUSED || input == Input.BACK
      ? describeTrial(record.failure(), record.number())
      : 0;
  if (next != state) setState(next, reason);
  act(actionOf(row));
}

function act(action: u8): void {
  switch (action) {
    case Action.START:
      job.hold(true);
      setTimer(Timer.OTA, SELF_TEST_MS);
      break;
    case Action.CONFIRM:
      confirming = otaConfirm() >= 0;
      if (!confirming) setTimer(Timer.TRIAL, ASK_AGAIN_MS);
      break;
    case Action.GIVE_UP:
      clearTimer(Timer.OTA);
      record.write();
      restart(scope, 0, utf8("the self-test failed"));
      break;
    case Action.END:
      end();
      break;
  }
}

/** How the update came out is known. Without a job nobody waits to hear it. */
function end(): void {
  clearTimer(Timer.OTA);
  job.hold(false);
  if (job.phase() != Phase.NONE || record.stage() == Stage.NONE) return;
  record.setStage(Stage.NONE);
  record.write();
}

function refuse(failure: u8): void {
  record.setStage(Stage.REFUSED);
  record.setFailure(failure, 0);
  step(Input.REFUSED);
}

/** The thing's session is up, or gone. */
export function onSession(up: bool): void {
  isConnected = up;
  mustAsk = up && state == OtaState.SELF_TEST;
}

/** Timer.OTA; true when it was the trial's, and not that of an update under way. */
export function onTimer(): bool {
  if (state != OtaState.SELF_TEST) return false;
  refuse(isConnected ? Failure.SELF_TEST : Failure.NOT_CONNECTED);
  return true;
}

/** Timer.TRIAL: an undecided application is asked again. */
export function onAskAgain(): void {
  mustAsk = isConnected && state == OtaState.SELF_TEST;
}

/** Event OTA_DONE; true when it answers ota_confirm. */
export function onDone(status: i32): bool {
  if (!confirming) return false;
  confirming = false;
  if (status >= 0) step(Input.CONFIRMED);
  else setTimer(Timer.TRIAL, ASK_AGAIN_MS);
  return true;
}

/** Asks the application, outside of all machines. */
export function deliver(): void {
  if (!mustAsk || confirming) return;
  mustAsk = false;
  if (!takesUpdates) {
    refuse(Failure.NO_UPDATES);
    return;
  }
  const said = verdict();
  __collect();
  if (said == Verdict.PASSED) step(Input.PASSED);
  else if (said == Verdict.FAILED) refuse(Failure.SELF_TEST);
  else setTimer(Timer.TRIAL, ASK_AGAIN_MS);
}
