// What the cloud's side wants of simulated devices, day by day: settings changed in shadows,
// commands, jobs (some of them cancelled), and updates of firmware and module. When is decided by
// the seed; each kind has a stream of its own.

import { JobError } from "../cloud/jobs_rules.js";
import { ShadowError } from "../cloud/shadow_document.js";
import { firmwareImage, UPDATE_PRIVATE_KEY } from "./images.js";
import { Random } from "./random.js";
import type { World } from "./world.js";

/** So many a day for each device, on average. */
export interface WorkloadRates {
  readonly settings: number;
  readonly commands: number;
  readonly jobs: number;
  readonly cancellations: number;
  readonly updates: number;
  readonly moduleUpdates: number;
}

export const DEFAULT_WORKLOAD: WorkloadRates = {
  settings: 4,
  commands: 4,
  jobs: 2,
  cancellations: 0.3,
  updates: 0.25,
  moduleUpdates: 0.15,
};

type Kind = keyof WorkloadRates;

const DAY_MS = 24 * 3600 * 1000;
const PERIOD_S = [30, 600] as const;

export class Workload {
  private readonly streams = new Map<Kind, Random>();
  private lastJob = 0;
  private lastVersion = 0;

  constructor(
    private readonly rates: WorkloadRates,
    /** The module that updates bring, under other versions. */
    private readonly module: Uint8Array,
    private readonly seed: number,
  ) {}

  begin(world: World): void {
    for (const kind of Object.keys(this.rates) as Kind[]) this.schedule(world, kind);
  }

  private stream(kind: Kind): Random {
    const known = this.streams.get(kind);
    if (known !== undefined) return known;
    const stream = new Random(this.seed, `workload ${kind}`);
    this.streams.set(kind, stream);
    return stream;
  }

  private schedule(world: World, kind: Kind): void {
    const perDay = this.rates[kind] * world.devices.length;
    if (perDay === 0) return;
    const ms = 1 + this.stream(kind).below(Math.ceil((2 * DAY_MS) / perDay));
    world.later(ms, { what: "workload", name: kind });
  }

  /** Its time has come. Nothing happens for a device that is not provisioned yet. */
  due(world: World, name: string): void {
    const kind = name as Kind;
    if (!(kind in this.rates)) return;
    this.schedule(world, kind);
    const stream = this.stream(kind);
    const device = world.devices[stream.below(world.devices.length)]!;
    const thing = world.thingNameOf(device.index);
    if (!world.faults.areOn || !world.cloud.registry.things.has(thing)) return;
    try {
      this.perform(world, kind, thing, stream);
    } catch (error) {
      // The cloud refuses what its rules refuse: an update too many, a shadow too large.
      if (!(error instanceof JobError || error instanceof ShadowError)) throw error;
    }
  }

  private perform(world: World, kind: Kind, thing: string, stream: Random): void {
    const { cloud } = world;
    switch (kind) {
      case "settings":
        cloud.shadowUpdate(thing, "settings", {
          state: { desired: { period: stream.between(...PERIOD_S) } },
        });
        break;
      case "commands":
        cloud.publish(`devices/${thing}/command`, `{"n":${stream.below(1000)}}`, 1);
        break;
      case "jobs":
        cloud.jobs.create({
          jobId: `job-${++this.lastJob}`,
          document: { action: "calibrate" },
          things: [thing],
        });
        break;
      case "cancellations":
        this.cancel(world, thing, stream);
        break;
      case "updates":
        this.update(world, thing);
        break;
      case "moduleUpdates":
        this.updateModule(world, thing);
    }
  }

  private cancel({ cloud }: World, thing: string, stream: Random): void {
    const pending = cloud.jobs.pending(thing);
    const one = pending[stream.below(pending.length)];
    if (one === undefined) return;
    cloud.jobs.cancel(one.job.jobId, { force: stream.chance(0.5) });
  }

  private update({ cloud }: World, thing: string): void {
    const image = firmwareImage(this.module, `1.${++this.lastVersion}.0`);
    const jobId = `update-${this.lastVersion}`;
    cloud.createUpdate({ jobId, things: [thing], image, privateKeyPem: UPDATE_PRIVATE_KEY });
  }

  private updateModule({ cloud }: World, thing: string): void {
    const { module } = this;
    const jobId = `module-${++this.lastJob}`;
    cloud.createUpdate({ jobId, things: [thing], module, privateKeyPem: UPDATE_PRIVATE_KEY });
  }

  copy(): Workload {
    const copy = new Workload(this.rates, this.module, this.seed);
    for (const [kind, stream] of this.streams) copy.streams.set(kind, stream.copy());
    copy.lastJob = this.lastJob;
    copy.lastVersion = this.lastVersion;
    return copy;
  }
}
