// A desk for updates: a device with a sample application, the local cloud, an HTTPS server that
// goes wrong as a test says, a pair of keys, and a clock that runs faster than the wall's.
// Nothing stands in for a part of the product. For the end-to-end tests of updates.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ABI_VERSION, Event, nameOf, OtaState } from "../../../host-node/src/abi.js";
import type {
  ExecutionDescription,
  LocalCloudOptions,
} from "../../../host-node/src/cloud/index.js";
import type { DeviceOptions } from "../../../host-node/src/device.js";
import { FlashImage } from "../../../host-node/src/flash_image.js";
import {
  makeKeyPair,
  type PackOptions,
  packImage,
  signatureText,
  signImage,
} from "../../../host-node/src/image/index.js";
import { onCleanUp } from "../cloud_support.js";
import { fastClock } from "./e2e_clock.js";
import { startRoomyCloud } from "./e2e_world.js";
import { FaultServer, type FaultServerOptions } from "./fault_server.js";
import { configurationOf, Desk, THING } from "./shadow_jobs_desk.js";

export const FIRST_VERSION = "1.0.0";
const CLOCK_FACTOR = 20;
const BUILT_AT = new Date("2026-01-01T00:00:00Z");

export interface UpdateDeskOptions {
  /** Member "ota" of the configuration; by default the public key of the desk. */
  readonly ota?: object;
  readonly server?: Partial<FaultServerOptions>;
  readonly device?: Partial<DeviceOptions>;
  readonly cloud?: Partial<LocalCloudOptions>;
  readonly clockFactor?: number;
}

export class UpdateDesk {
  readonly keys = keys;
  private jobs = 0;

  private constructor(
    readonly desk: Desk,
    readonly server: FaultServer,
    readonly options: DeviceOptions & { readonly module: Uint8Array },
  ) {}

  static async set(module: Uint8Array, options: UpdateDeskOptions = {}): Promise<UpdateDesk> {
    const server = await FaultServer.start({ body: new Uint8Array(), ...options.server });
    onCleanUp(() => server.close());
    const cloud = await startRoomyCloud({}, options.cloud);
    const { ota = { publicKey: keys.publicKey } } = options;
    const configuration = await configurationOf(cloud, THING, { ota, moreCa: server.ca });
    const device = {
      module,
      configuration,
      version: FIRST_VERSION,
      clock: fastClock(options.clockFactor ?? CLOCK_FACTOR),
      flash: FlashImage.inMemory(),
      ...options.device,
    };
    return new UpdateDesk(await Desk.on(cloud, device), server, device);
  }

  /** The same thing in another device, made of what the flash file of the first one holds. */
  async revived(): Promise<UpdateDesk> {
    const { cloud } = this.desk;
    return new UpdateDesk(await Desk.on(cloud, this.options), this.server, this.options);
  }

  get module(): Uint8Array {
    return this.options.module;
  }

  get device() {
    return this.desk.device;
  }

  /** An image around the desk's module, or another one. */
  image(version: string, more: Partial<PackOptions> = {}): Uint8Array {
    const fields = { module: this.module, abiVersion: ABI_VERSION, builtAt: BUILT_AT };
    return packImage({ ...fields, version, ...more });
  }

  /** Puts an image on the server and makes a job of it; members that are undefined are left out. */
  offer(image: Uint8Array, members: object = {}, signed: Uint8Array = image): string {
    this.server.body = image;
    const sha256 = createHash("sha256").update(signed).digest("hex");
    const signature = signatureText(signImage(signed, keys.privateKey));
    const url = this.server.url();
    return this.job({ action: "OTA", url, size: image.length, sha256, signature, ...members });
  }

  job(document: object): string {
    const jobId = `update-${++this.jobs}`;
    this.desk.cloud.createJob({ jobId, things: [THING], document });
    return jobId;
  }

  ends(jobId: string): Promise<ExecutionDescription> {
    return this.desk.untilJobEnds(jobId);
  }

  /** Version of the firmware that runs. */
  get version(): string {
    return this.device.firmware?.version ?? "none";
  }

  /** The states that the device has told, one after the other. */
  get states(): string[] {
    return this.desk.valuesOf(Event.OTA_STATE).map((state) => nameOf(OtaState, state));
  }

  async untilState(state: OtaState, count = 1): Promise<void> {
    const times = () =>
      this.desk.valuesOf(Event.OTA_STATE).filter((value) => value === state).length;
    await this.desk.until(`state ${nameOf(OtaState, state)}`, () => times() >= count);
  }

  /** Lives that the device has begun. */
  get lives(): number {
    return this.desk.valuesOf(Event.STORE_MOUNTED).length;
  }

  /** Percent of the update that the device has told last. */
  get progress(): number {
    return this.desk.valuesOf(Event.OTA_PROGRESS).at(-1) ?? 0;
  }

  /** The device runs, connected, in mode Normal, on the firmware of this version, off trial. */
  async expectRuns(version: string): Promise<void> {
    await this.desk.until("the device is connected", () => {
      const since = this.desk.seen.findLastIndex(({ event }) => event === Event.STORE_MOUNTED);
      const later = this.desk.seen.slice(since);
      return later.some(({ event }) => event === Event.MQTT_CONNECTED);
    });
    assert.equal(this.version, version);
    assert.equal(this.device.firmware?.trial, false);
  }
}

const keys = makeKeyPair();
