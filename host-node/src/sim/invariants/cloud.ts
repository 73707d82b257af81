// Invariants of what the cloud believes: one active certificate for a thing, and jobs whose status
// is what has happened on the device.

import { Event, Mode } from "../../abi.js";
import type { PublishEvent } from "../../cloud/broker.js";
import { isTerminal } from "../../cloud/jobs_model.js";
import type { SimDevice } from "../device.js";
import type { World } from "../world.js";
import type { Invariant, Report } from "./invariant.js";
import { jobUpdateOf } from "./job_update.js";

/** A device that provisions itself, over any number of power cuts, has one active certificate. */
export class OneCertificate implements Invariant {
  readonly name = "one active certificate for a thing";
  private seen: unknown = null;

  worldStepped({ cloud }: World, report: Report): void {
    const { registry } = cloud;
    if (registry === this.seen) return;
    this.seen = registry;
    for (const { name, principals } of registry.things.values()) {
      const active = principals.filter((id) => registry.certificates.get(id)?.status === "ACTIVE");
      if (active.length > 1) report(null, `${name} has ${active.length} active certificates`);
    }
  }

  copy(): OneCertificate {
    const copy = new OneCertificate();
    copy.seen = this.seen;
    return copy;
  }
}

/** What a job asks for, as far as the outside can see whether it was done. */
interface Order {
  readonly action?: string;
  readonly version?: string;
  readonly sha256?: string;
}

/**
 * A result that a device reports is what has happened: an update that SUCCEEDED runs and is
 * confirmed, one that FAILED does not; any other job was begun, and is at its end when all is calm.
 */
export class JobsTell implements Invariant {
  readonly name = "job status is what happened";
  /** Jobs that devices have begun, by device and job. */
  private readonly begun = new Set<string>();

  event(device: SimDevice, event: number, _value: number, jobId: string): void {
    if (event === Event.JOB_STARTED) this.begun.add(`${device.index}/${jobId}`);
  }

  published(world: World, { clientId, topic, payload }: PublishEvent, report: Report): void {
    const update = jobUpdateOf(topic, payload);
    if (update === null) return;
    const { jobId, status } = update;
    const device = world.deviceOf(clientId);
    const { jobs } = world.cloud;
    const isThere = jobs.list().some((job) => job.jobId === jobId);
    if (device === null || status === null || !isThere) return;
    const order = orderIn(jobs.describe(jobId).document);
    if (order.action === "OTA") this.checkUpdate(device, order, jobId, status, report);
    else if (order.action !== "APP") this.checkJob(device, jobId, status, report);
  }

  private checkUpdate(
    device: SimDevice,
    { version }: Order,
    jobId: string,
    status: string,
    report: Report,
  ): void {
    const runs = device.version;
    if (status === "SUCCEEDED" && runs !== version) {
      report(device, `reports ${jobId} to ${version} as SUCCEEDED, and runs ${runs}`);
    }
    if (status === "SUCCEEDED" && device.software?.isOnTrial === true) {
      report(device, `reports ${jobId} to ${version} as SUCCEEDED while it is on trial`);
    }
    if (status === "FAILED" && runs === version) {
      report(device, `reports ${jobId} to ${version} as FAILED, and runs it`);
    }
  }

  private checkJob(device: SimDevice, jobId: string, status: string, report: Report): void {
    if (status !== "SUCCEEDED") return;
    if (this.begun.has(`${device.index}/${jobId}`)) return;
    report(device, `reports ${jobId} as SUCCEEDED, and has not begun it`);
  }

  atRest(world: World, report: Report): void {
    const { jobs } = world.cloud;
    for (const { jobId } of jobs.list()) {
      for (const { thingName, status } of jobs.executions(jobId)) {
        const device = world.deviceOf(thingName);
        if (isTerminal(status) || device?.mode === Mode.IDLE) continue;
        report(device, `leaves ${jobId} ${status} long after its time`);
      }
    }
  }

  copy(): JobsTell {
    const copy = new JobsTell();
    for (const job of this.begun) copy.begun.add(job);
    return copy;
  }
}

function orderIn(document: string): Order {
  try {
    return JSON.parse(document) as Order;
  } catch {
    return {};
  }
}
