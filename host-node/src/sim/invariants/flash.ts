// Invariants of what lies in flash: what was told to be stored stays, a restart waits for what is
// being stored, and at most one thing that nobody has tested is set to start.

import { type CallArgument, Dataset, Event, Mode } from "../../abi.js";
import { appTable } from "../../boot/boot_plan.js";
import { decodeOtadata, isUsable, OtadataState } from "../../boot/otadata.js";
import type { SimDevice } from "../device.js";
import { recordsOf } from "../records.js";
import type { Invariant, Report } from "./invariant.js";

/** What FLASH_WRITTEN has told is there after any number of power cuts, or something newer is. */
export class StoredStays implements Invariant {
  readonly name = "stored data stays";
  /** Sequence of the newest record that was told, by device and dataset. */
  private readonly told = new Map<string, number>();

  event(device: SimDevice, event: number, dataset: number, _text: string, report: Report): void {
    if (event !== Event.FLASH_WRITTEN) return;
    const record = recordsOf(device.flash).get(dataset);
    if (record === undefined) report(device, `dataset ${dataset} is told written and is not there`);
    else this.told.set(`${device.index}/${dataset}`, record.sequence);
  }

  booted(device: SimDevice, report: Report): void {
    if (this.told.size === 0) return;
    const records = recordsOf(device.flash);
    for (const [key, sequence] of this.told) {
      const [index, dataset] = key.split("/").map(Number);
      if (index !== device.index) continue;
      const found = records.get(dataset!)?.sequence ?? 0;
      if (found < sequence) {
        report(device, `dataset ${dataset} was told written as ${sequence}, and is ${found} now`);
      }
    }
  }

  copy(): StoredStays {
    const copy = new StoredStays();
    for (const [key, sequence] of this.told) copy.told.set(key, sequence);
    return copy;
  }
}

/** The core restarts only when everything it has handed to flash is there. */
export class RestartWaits implements Invariant {
  readonly name = "restart behind the flash queue";

  called(
    device: SimDevice,
    name: string,
    _args: readonly CallArgument[],
    result: number,
    report: Report,
  ): void {
    if (name !== "sys_restart" || result < 0) return;
    const waiting = device.records.pending.length + device.ota.pending.length;
    if (waiting > 0) report(device, `restarts while ${waiting} operations wait for flash`);
  }

  copy(): RestartWaits {
    return this;
  }
}

/** Mode Normal needs the certificate of a thing in flash. */
export class NormalHasCertificate implements Invariant {
  readonly name = "no Normal mode without a thing certificate";

  event(device: SimDevice, event: number, value: number, _text: string, report: Report): void {
    if (event !== Event.MODE_CHANGED || value !== Mode.NORMAL) return;
    const records = recordsOf(device.flash);
    const isThere = [Dataset.THING_CERTIFICATE, Dataset.THING_CERTIFICATE_OTHER].some(
      (dataset) => (records.get(dataset)?.payload.length ?? 0) > 0,
    );
    if (!isThere) report(device, "is in mode Normal, and has no certificate of a thing");
  }

  copy(): NormalHasCertificate {
    return this;
  }
}

/** Of two application slots at most one waits for its test. */
export class OneUntested implements Invariant {
  readonly name = "one untested image at most";
  private readonly seen = new Map<number, number>();

  stepEnded(device: SimDevice, report: Report): void {
    if (this.seen.get(device.index) === device.ota.version) return;
    this.seen.set(device.index, device.ota.version);
    const { otadata } = appTable(device.flash.partitions);
    if (otadata === undefined) return;
    const untested = decodeOtadata(device.flash.readPartition(otadata)).filter(
      (entry) =>
        isUsable(entry) &&
        (entry.state === OtadataState.NEW || entry.state === OtadataState.PENDING_VERIFY),
    );
    if (untested.length > 1) report(device, "two images are set to start, and neither was tested");
  }

  copy(): OneUntested {
    const copy = new OneUntested();
    for (const [device, version] of this.seen) copy.seen.set(device, version);
    return copy;
  }
}
