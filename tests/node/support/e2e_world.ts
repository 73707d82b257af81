// What the end-to-end tests share: a local cloud on loopback with quotas that leave room for many
// devices, devices of real parts with a journal of what they did, and a clock that runs faster than
// the wall's, so that back-offs of minutes pass in seconds. Nothing here stands in for a part of
// the product: core, host, broker, TLS and certificates are the ones that users run.

import { join } from "node:path";
import { Event, Mode } from "../../../host-node/src/abi.js";
import { buildModule, type Target } from "../../../host-node/src/build.js";
import {
  type CertificateRecord,
  LocalCloud,
  type LocalCloudOptions,
} from "../../../host-node/src/cloud/index.js";
import { Journal } from "../../../host-node/src/demo/journal.js";
import { type Observation, watchDevice } from "../../../host-node/src/demo/observation.js";
import { claimConfiguration } from "../../../host-node/src/demo/stage.js";
import { eventsOf } from "../../../host-node/src/demo/step.js";
import { Device, type DeviceOptions } from "../../../host-node/src/device.js";
import { packageRoot } from "../../../host-node/src/package_root.js";
import { onCleanUp, temporaryDirectory } from "../cloud_support.js";

export { fastClock, seededRandom } from "./e2e_clock.js";
export { claimConfiguration, eventsOf };

/** Real milliseconds after which a wait has failed; ten times what a loaded machine needs. */
export const PATIENCE_MS = 60_000;

/** The sample application, compiled. */
export async function telemetryModule(target: Target): Promise<Uint8Array> {
  const entry = join(packageRoot, "assembly", "apps", "telemetry.ts");
  return (await buildModule({ entry, target })).wasm;
}

/** Quotas of the account and of client ids, out of the way of many devices with fast clocks. */
const ROOMY = {
  connectsPerClientIdPerSecondMax: 10_000,
  connectsPerSecondMax: 10_000,
  registerThingPerSecondMax: 10_000,
  createKeysPerSecondMax: 10_000,
  createFromCsrPerSecondMax: 10_000,
} as const;

export interface CloudPlace {
  readonly dir?: string;
  readonly port?: number;
}

export async function startRoomyCloud(
  place: CloudPlace = {},
  more: Partial<LocalCloudOptions> = {},
): Promise<LocalCloud> {
  const { dir = temporaryDirectory(), port = 0 } = place;
  const limits = { ...ROOMY, ...more.limits };
  const cloud = await LocalCloud.start({ ...more, dir, port, limits });
  onCleanUp(() => cloud.close());
  return cloud;
}

/** Certificates of a thing that the cloud would let in. */
export function activeCertificates(cloud: LocalCloud, thing: string): CertificateRecord[] {
  return cloud
    .certificates()
    .filter((certificate) => certificate.status === "ACTIVE" && certificate.thing === thing);
}

/** A device, and everything it has done so far. */
export class Specimen {
  readonly journal: Journal;
  readonly device: Device;

  constructor(options: DeviceOptions) {
    this.journal = new Journal(options.ble !== undefined);
    this.device = new Device(options);
    watchDevice(this.device, this.journal.see);
  }

  /** Name of the device, and of its thing when it is provisioned by the default template. */
  get name(): string {
    return `iot32-${Buffer.from(this.device.mac).toString("hex")}`;
  }

  get mark(): number {
    return this.journal.mark;
  }

  until<T>(
    expected: string,
    find: (since: readonly Observation[]) => T | undefined | false,
    mark = 0,
  ): Promise<T> {
    const withinMs = PATIENCE_MS;
    return this.journal.until(`${this.name}: ${expected}`, find, { mark, withinMs });
  }

  /** The first event of a kind after a mark. */
  untilEvent(kind: Event, expected: string, mark = 0) {
    return this.until(expected, (seen) => eventsOf(seen, kind)[0], mark);
  }

  /** Mode Normal and the connection of the thing, in the life that it has, after a mark. */
  async untilAtWork(mark = 0): Promise<void> {
    await this.until(
      "to be in mode Normal and connect as its thing",
      (seen) => {
        const life = seen.slice(seen.findLastIndex(({ type }) => type === "boot") + 1);
        const isConnected = eventsOf(life, Event.MQTT_CONNECTED).length > 0;
        return isConnected && this.device.mode === Mode.NORMAL;
      },
      mark,
    );
  }

  count(kind: Event, mark = 0): number {
    return eventsOf(this.journal.since(mark), kind).length;
  }
}

/** A device that is switched off when the tests end. */
export function newSpecimen(options: DeviceOptions): Specimen {
  const specimen = new Specimen(options);
  onCleanUp(() => specimen.device.close());
  return specimen;
}

/** Things that come one after the other, and a wait for them that ends. */
export class Collection<T> {
  readonly items: T[] = [];
  private news: () => void = () => {};

  constructor(private readonly what: string) {}

  readonly add = (item: T): void => {
    this.items.push(item);
    this.news();
  };

  /** Resolves when `count` have come; throws when that takes too long. */
  enough(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = (): void => {
        reject(new Error(`${this.items.length} of ${count} ${this.what} after ${PATIENCE_MS} ms`));
      };
      const timer = setTimeout(late, PATIENCE_MS);
      this.news = () => {
        if (this.items.length < count) return;
        clearTimeout(timer);
        resolve();
      };
      this.news();
    });
  }
}

/** Does `work` for each item, `width` at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
