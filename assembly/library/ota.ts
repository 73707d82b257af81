// Updates over the air: an application that calls ota.enable() takes them, firmware by jobs with
// the action "OTA" and the module alone by jobs with "APP" (docs/OTA.md). Event.OTA_STATE and
// Event.OTA_PROGRESS tell how far one is. What boots after an update runs on trial: it stays
// when it is connected and the application's self-test agrees, and else the device goes back to
// what it had. An application that does not call enable() does not pass that trial: nothing
// could follow it.

import { ImageSlot, otaRead } from "../abi/host";
import { At, TEXT_BYTES } from "../codec/image_header";
import { percent } from "../ota/download";
import * as machine from "../ota/machine";
import * as core from "../ota/ota";
import * as trial from "../ota/trial";
import { Verdict } from "../ota/trial";
import { fromUtf8 } from "./text";

/** What a self-test says; UNDECIDED is asked again a second later, for five minutes in all. */
export const FAILED: u8 = Verdict.FAILED;
export const PASSED: u8 = Verdict.PASSED;
export const UNDECIDED: u8 = Verdict.UNDECIDED;

/** Takes updates; to be called from setup(). */
export function enable(): void {
  core.prepare();
}

/** Calls `check` when the device is connected on trial: FAILED, PASSED or UNDECIDED. */
export function onSelfTest(check: () => u8): void {
  trial.onSelfTest(check);
}

/** Keeps the device from restarting into an update that is ready, until allowRestart(). */
export function holdRestart(): void {
  core.hold(true);
}

export function allowRestart(): void {
  core.hold(false);
}

/** OtaState. */
export function state(): u8 {
  return trial.state;
}

export function isInProgress(): bool {
  return machine.isInProgress();
}

/** Percent of the update that is in flash; 0 as long as its size is not known. */
export function progress(): i32 {
  return percent;
}

/** Version of the firmware that runs, from its image; empty where it cannot be read. */
export function version(): string {
  const text = memory.data(TEXT_BYTES);
  if (otaRead(ImageSlot.RUNNING, At.VERSION, text, TEXT_BYTES) < 0) return "";
  let size = 0;
  while (size < TEXT_BYTES && load<u8>(text + size) != 0) size++;
  return fromUtf8(text, size);
}
