// Child process of bench ota: one device as `iot32 run --flash` has it. Takes the image that it is
// flashed with, its flash file and its configuration document; says when it is connected, and after
// each update how long that took. Ends with its parent.

import { readFileSync } from "node:fs";
import { Event, JobStatus, OtaState } from "../../host-node/src/abi.js";
import { Device } from "../../host-node/src/device.js";

/** A message to the parent. */
export type News =
  | { readonly type: "connected" }
  | ({ readonly type: "updated" } & Update)
  | { readonly type: "broken"; readonly why: string };

/** Milliseconds from state to state. */
export interface Update {
  /** CHECKING to VERIFYING: the request, every chunk, each of them in the file. */
  readonly downloadMs: number;
  /** VERIFYING to ACTIVATING: SHA-256 of what is in flash, and the signature. */
  readonly verifyMs: number;
  /** ACTIVATING to RESTARTING: the service's answer, and the record in flash. */
  readonly activateMs: number;
}

const [firmware = "", flash = "", configuration = ""] = process.argv.slice(2);
const times = new Map<OtaState, number>();
const tell = (news: News): void => void process.send!(news);
const between = (from: OtaState, to: OtaState): number => times.get(to)! - times.get(from)!;

const device = new Device({
  firmware: readFileSync(firmware),
  flash,
  configuration: readFileSync(configuration),
});
device.on("event", ({ event, value, text }) => {
  if (event === Event.OTA_STATE) {
    // A download that is broken off and goes on is measured from its first request.
    if (value !== OtaState.CHECKING || !times.has(value)) {
      times.set(value as OtaState, performance.now());
    }
    if (value === OtaState.FAILED) tell({ type: "broken", why: text });
  } else if (event === Event.MQTT_CONNECTED && times.size === 0) {
    tell({ type: "connected" });
  } else if (event === Event.JOB_FINISHED && times.size > 0) {
    // Without a time it is the last job of the process before, told once more.
    finish(value as JobStatus, text);
  }
});
device.on("trap", ({ error }) => tell({ type: "broken", why: error.message }));

function finish(status: JobStatus, job: string): void {
  const { CHECKING, VERIFYING, ACTIVATING, RESTARTING, CONFIRMED } = OtaState;
  if (status !== JobStatus.SUCCEEDED || !times.has(CONFIRMED)) {
    tell({ type: "broken", why: `${job} ended with status ${status}` });
    return;
  }
  const downloadMs = between(CHECKING, VERIFYING);
  const verifyMs = between(VERIFYING, ACTIVATING);
  const activateMs = between(ACTIVATING, RESTARTING);
  times.clear();
  tell({ type: "updated", downloadMs, verifyMs, activateMs });
}

process.on("disconnect", () => process.exit(0));
device.powerOn();
