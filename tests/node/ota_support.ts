// What the tests of updates share: an image, keys, a download as a device makes it, and a fake
// device that takes one update over MQTT and HTTPS and comes to the end that it was told.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { get } from "node:https";
import { ABI_VERSION } from "../../host-node/src/abi.js";
import type { LocalCloud } from "../../host-node/src/cloud/index.js";
import { type Body, Thing } from "./cloud_services_support.js";
import type { TestCloud } from "./cloud_support.js";
import { sampleImage, sampleModule } from "./image_support.js";

export const IMAGE = sampleImage({ version: "2.0.0", sizeBytes: 1_800_000 });
export const MODULE = sampleModule(ABI_VERSION);

export const sha256 = (bytes: Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex");

export interface Download {
  readonly status: number;
  readonly body: Buffer;
}

export function download(cloud: LocalCloud, url: string): Promise<Download> {
  const ca = readFileSync(cloud.paths.ca);
  return new Promise((resolve, reject) => {
    const request = get(url, { ca, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode!, body: Buffer.concat(chunks) }),
      );
    });
    request.on("error", reject);
  });
}

/** A device that waits for one update. */
export class UpdatingDevice {
  readonly thing: Thing;
  readonly #running: TestCloud;

  private constructor(running: TestCloud, thing: Thing) {
    this.#running = running;
    this.thing = thing;
  }

  static async connect(running: TestCloud, name: string): Promise<UpdatingDevice> {
    return new UpdatingDevice(running, await Thing.connect(running, name));
  }

  /** Takes the next job, downloads, reports on the way and at the end; answers the document. */
  async update(end: "SUCCEEDED" | "FAILED", reason?: string): Promise<Body> {
    const { thing } = this;
    let told = await thing.next("jobs/notify-next");
    // The end of the job before says that none is next.
    while (told.execution === undefined) told = await thing.next("jobs/notify-next");
    const { jobId } = told.execution;
    const { execution } = await thing.ask("jobs/start-next");
    const { url, size, sha256: expected } = execution.jobDocument;
    await this.#report(jobId, "IN_PROGRESS", { progress: "50%" });
    const { body } = await download(this.#running.cloud, url);
    if (body.length !== size || sha256(body) !== expected) throw new Error("another file");
    await this.#report(jobId, end, reason === undefined ? undefined : { reason });
    return execution.jobDocument;
  }

  async #report(jobId: string, status: string, statusDetails?: object): Promise<void> {
    await this.thing.ask(`jobs/${jobId}/update`, { status, statusDetails });
  }
}
