// One device with a sample application and the real local cloud: TLS on loopback, a thing of its
// own with its certificate, and everything the device does in order. For the end-to-end tests of
// shadows, jobs and updates.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Event, nameOf } from "../../../host-node/src/abi.js";
import { type BuildResult, buildModule, type Target } from "../../../host-node/src/build.js";
import type {
  ExecutionDescription,
  LocalCloud,
  LocalCloudOptions,
} from "../../../host-node/src/cloud/index.js";
import { Device, type DeviceOptions } from "../../../host-node/src/device.js";
import { packageRoot } from "../../../host-node/src/package_root.js";
import { DEFAULT_NETWORKS } from "../../../host-node/src/ports/wifi.js";
import { onCleanUp } from "../cloud_support.js";
import { startRoomyCloud } from "./e2e_world.js";

export const THING = "desk-1";
const PATIENCE_MS = 30_000;
const POLL_MS = 10;

export interface Seen {
  readonly event: Event;
  readonly value: number;
  readonly text: string;
}

export interface Edge {
  readonly atMs: number;
  readonly pin: number;
  readonly level: number;
}

export interface DeskOptions {
  /** Member "ota" of the configuration document. */
  readonly ota?: object;
  /** PEM that is trusted beside the cloud's CA. */
  readonly moreCa?: string;
  readonly device?: Partial<DeviceOptions>;
  /** How the cloud differs from the one of all desks. */
  readonly cloud?: Partial<LocalCloudOptions>;
}

/** The configuration document of a new thing. */
export async function configurationOf(
  cloud: LocalCloud,
  thing: string,
  { moreCa = "", ota }: DeskOptions = {},
): Promise<string> {
  const identity = await cloud.issueCertificate({ thingName: thing });
  const [network] = DEFAULT_NETWORKS;
  return JSON.stringify({
    wifi: { ssid: network?.ssid, password: network?.password },
    aws: {
      endpoint: cloud.endpoint,
      port: cloud.port,
      rootCa: readFileSync(cloud.paths.ca, "utf8") + moreCa,
    },
    thing: {
      name: thing,
      certificate: identity.certificatePem,
      privateKey: identity.privateKeyPem,
    },
    ...(ota === undefined ? {} : { ota }),
  });
}

export function buildSample(application: string, target: Target = "debug"): Promise<BuildResult> {
  return buildModule({ entry: join(packageRoot, "assembly", "apps", `${application}.ts`), target });
}

export class Desk {
  readonly seen: Seen[] = [];
  readonly edges: Edge[] = [];
  readonly logs: string[] = [];

  private constructor(
    readonly cloud: LocalCloud,
    readonly device: Device,
  ) {
    device.on("event", ({ event, value, text }) => this.seen.push({ event, value, text }));
    device.on("log", ({ text }) => this.logs.push(text));
    device.on("pin", ({ at, pin, level }) => this.edges.push({ atMs: at, pin, level }));
    device.on("trap", ({ error }) => this.logs.push(`TRAP ${error.message}`));
    onCleanUp(() => device.close());
  }

  /** A desk whose device runs `assembly/apps/<application>.ts`, connected. */
  static async set(application: string, target: Target = "debug"): Promise<Desk> {
    return Desk.around((await buildSample(application, target)).wasm);
  }

  /** A desk whose device runs this module, connected. */
  static async around(module: Uint8Array, more: DeskOptions = {}): Promise<Desk> {
    const cloud = await startRoomyCloud({}, more.cloud);
    const configuration = await configurationOf(cloud, THING, more);
    return Desk.on(cloud, { module, configuration, ...more.device });
  }

  /** A desk with a cloud that is there already, whose device is connected. */
  static async on(cloud: LocalCloud, device: DeviceOptions): Promise<Desk> {
    const desk = new Desk(cloud, new Device(device));
    desk.device.powerOn();
    await desk.until("the device connects", () => desk.textsOf(Event.MQTT_CONNECTED).length > 0);
    return desk;
  }

  textsOf(event: Event): string[] {
    return this.seen.flatMap((entry) => (entry.event === event ? [entry.text] : []));
  }

  valuesOf(event: Event): number[] {
    return this.seen.flatMap((entry) => (entry.event === event ? [entry.value] : []));
  }

  /** Times at which a pin rose. */
  rises(pin: number): number {
    return this.edges.filter((edge) => edge.pin === pin && edge.level === 1).length;
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const limit = Date.now() + PATIENCE_MS;
    while (!(await holds())) {
      const last = this.seen
        .slice(-12)
        .map(({ event, value, text }) => `${nameOf(Event, event)} ${value} ${text}`);
      assert.ok(
        Date.now() < limit,
        `${what}: not yet\n${last.join("\n")}\n${this.logs.slice(-8).join("\n")}`,
      );
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  setNetwork(up: boolean): void {
    this.device.air.setNetwork(DEFAULT_NETWORKS[0]!.ssid, up);
  }

  execution(jobId: string): ExecutionDescription {
    const [execution] = this.cloud.listExecutions(jobId);
    assert.ok(execution, `no execution of ${jobId}`);
    return execution;
  }

  async untilJobEnds(jobId: string): Promise<ExecutionDescription> {
    const open = ["QUEUED", "IN_PROGRESS"];
    await this.until(`${jobId} ends`, () => !open.includes(this.execution(jobId).status));
    return this.execution(jobId);
  }

  /** Neither a message nor an event was lost, and the core never trapped. */
  expectNothingLost(): void {
    assert.deepEqual(this.textsOf(Event.MESSAGE_DROPPED), []);
    assert.deepEqual(this.valuesOf(Event.EVENTS_LOST), []);
    assert.deepEqual(
      this.logs.filter((line) => line.startsWith("TRAP")),
      [],
    );
  }
}
