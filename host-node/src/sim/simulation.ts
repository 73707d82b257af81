// A simulation as users have it: an application, a seed, devices, faults; then days pass, and what
// must hold is watched at every step. See docs/SIMULATION.md.

import { ResetReason } from "../abi.js";
import type { HeapLayout } from "../heap_in_use.js";
import { SimCentral } from "./central.js";
import { claimPart, networkPart, SIM_VERIFIER, thingPart } from "./defaults.js";
import type { SimDevice } from "./device.js";
import { EnginePool } from "./engine.js";
import { type FaultChoice, Faults, faultProfile, type Occurrence } from "./faults.js";
import { firmwareImage, UPDATE_PUBLIC_KEY } from "./images.js";
import type { Invariant } from "./invariants/invariant.js";
import { HeapSteady } from "./invariants/life.js";
import { type Listener, Monitor, standardInvariants, type Violation } from "./monitor.js";
import { Random } from "./random.js";
import { DEFAULT_WORKLOAD, Workload, type WorkloadRates } from "./workload.js";
import { World } from "./world.js";

/**
 * How devices come into the world: with a claim certificate (keys made by AWS, or by a signing
 * request), with a certificate of their own, out of the box, for a phone to configure, or with a
 * document that is none.
 */
export type Birth = "claim" | "csr" | "thing" | "unboxed" | "broken";
export const BIRTHS: readonly Birth[] = ["claim", "csr", "thing", "unboxed", "broken"];

export interface SimulationOptions {
  /** The application: a module, as buildModule gives it. */
  readonly module: Uint8Array;
  /** Decides everything; 0 to 2^53 - 1, default 1. */
  readonly seed?: number;
  /** Where the heap of the module is (heapLayout), so that it is watched, too. */
  readonly heap?: HeapLayout;
  /** Default 1, at most 1000. */
  readonly devices?: number;
  /** Default "claim". */
  readonly born?: Birth;
  /** Default "default". */
  readonly faults?: FaultChoice;
  /** What the cloud wants, so many a day and device; false: nothing by itself. */
  readonly workload?: Partial<WorkloadRates> | false;
  /** Makes, for one run, the invariants of this application beside the standard ones. */
  readonly invariants?: () => readonly Invariant[];
  /** Hears what happens. */
  readonly listener?: Listener;
  /** The only occurrences of faults that are to happen, by their names in a report. */
  readonly only?: ReadonlySet<string>;
  /** Instances of modules to be shared with other simulations. */
  readonly engines?: EnginePool;
}

export interface SimulationReport {
  readonly seed: number;
  /** Virtual days that have passed, times devices. */
  readonly deviceDays: number;
  /** Steps of cores. */
  readonly steps: number;
  /** Calls of cores to their hosts. */
  readonly calls: number;
  /** 16 hexadecimal digits: equal where the same has happened. */
  readonly digest: string;
  readonly faults: readonly Occurrence[];
  readonly violations: readonly Violation[];
}

/** An invariant does not hold; the message has seed and step. */
export class SimulationError extends Error {
  override readonly name = "SimulationError";
  constructor(
    readonly violation: Violation,
    readonly seed: number,
  ) {
    super(describeViolation(violation, seed));
  }
}

export function describeViolation(violation: Violation, seed: number): string {
  const { invariant, what, device, step, atMs } = violation;
  const who = device === null ? "" : `device ${device} `;
  return `${invariant}: ${who}${what} (seed ${seed}, step ${step}, ${clock(atMs)})`;
}

/** "2 d 03:04:05.678". */
export function clock(ms: number): string {
  const days = Math.floor(ms / DAY_MS);
  const time = new Date(ms % DAY_MS).toISOString().slice(11, 23);
  return `${days} d ${time}`;
}

export const DAY_MS = 24 * 3600 * 1000;
const HOUR_MS = 3600 * 1000;
const DEVICES_MAX = 1000;
const FIRST_VERSION = "1.0.0";
const TEMPLATE = "iot32";
/** Long enough for every back-off, a download and its trial, a configuration that was tried. */
const REST_MS = 8 * HOUR_MS;
/** Devices are switched on within this. */
const START_SPREAD_MS = 60_000;
const UPTIME_END = 0x1_0000_0000;

export class Simulation {
  readonly world: World;
  readonly monitor: Monitor;
  readonly seed: number;
  private readonly workload: Workload | null;

  /** Throws for options that are out of range, and for a module that is none. */
  constructor(options: SimulationOptions) {
    const { module, seed = 1, devices = 1, born = "claim" } = options;
    if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`seed ${seed} is no whole number`);
    if (!Number.isInteger(devices) || devices < 1 || devices > DEVICES_MAX) {
      throw new Error(`${devices} devices: there may be 1 to ${DEVICES_MAX}`);
    }
    this.seed = seed;
    const { heap, invariants: own } = options;
    const ofHeap = heap === undefined ? [] : [new HeapSteady(heap)];
    const invariants = [...standardInvariants(), ...ofHeap, ...(own?.() ?? [])];
    this.monitor = new Monitor(invariants, this.listenerOf(options.listener ?? {}));
    const profile = faultProfile(options.faults ?? "default");
    this.world = World.make({
      seed,
      faults: new Faults(profile, seed, options.only ?? null),
      engines: options.engines ?? new EnginePool(),
      watcher: this.monitor,
    });
    this.monitor.watch(this.world);
    const rates = options.workload === false ? null : { ...DEFAULT_WORKLOAD, ...options.workload };
    this.workload = rates === null ? null : new Workload(rates, module, seed);
    this.addDevices(module, devices, born);
    this.world.faultRunner.begin();
    this.workload?.begin(this.world);
  }

  private listenerOf(listener: Listener): Listener {
    return {
      ...listener,
      workloadDue: (world, name) => {
        this.workload?.due(world, name);
        listener.workloadDue?.(world, name);
      },
    };
  }

  private addDevices(module: Uint8Array, count: number, born: Birth): void {
    const { world, seed } = this;
    const random = new Random(seed, "births");
    const firmware = firmwareImage(module, FIRST_VERSION);
    for (let index = 0; index < count; index++) {
      const options = {
        firmware,
        uptimeMs: random.below(UPTIME_END),
        document: JSON.stringify(this.documentOf(index, born)),
      };
      const device = world.addDevice(options);
      const reason = ResetReason.POWER_ON;
      world.later(random.below(START_SPREAD_MS), {
        ...{ what: "boot", device: index, life: device.life, reason, scope: 0 },
      });
      if (born === "unboxed") {
        world.central ??= new SimCentral(JSON.stringify(this.documentOf(index, "claim")));
        world.central.begin(world, index);
      }
    }
  }

  private documentOf(index: number, born: Birth): object {
    const { world } = this;
    const ota = { publicKey: UPDATE_PUBLIC_KEY };
    if (born === "broken") return { wifi: { ssid: 7 } };
    if (born === "unboxed") return { ble: { verifier: SIM_VERIFIER } };
    const network = { ...networkPart(world.air[0]!), ota };
    if (born === "thing") {
      const name = world.thingNameOf(index);
      return { ...network, ...thingPart(name, world.cloud.issueThing(name)) };
    }
    const method = born === "csr" ? "csr" : "keys";
    return { ...network, ...claimPart(world.cloud.claim, TEMPLATE, method) };
  }

  // ---- time ------------------------------------------------------------------------------------

  /** The device of this number, from 0. */
  device(index = 0): SimDevice {
    const device = this.world.devices[index];
    if (device !== undefined) return device;
    throw new Error(`there is no device ${index}`);
  }

  /** Lets so much time pass. Throws SimulationError at the first step that breaks an invariant. */
  run(ms: number): this {
    return this.runUntil(() => false, ms);
  }

  /** Lets time pass until it holds, or so much has passed. Throws SimulationError. */
  runUntil(holds: () => boolean, withinMs: number): this {
    const limitMs = this.world.nowMs + withinMs;
    while (!holds()) {
      if (!this.world.step(limitMs)) {
        this.world.nowMs = limitMs;
        break;
      }
      this.check();
    }
    return this;
  }

  /** No more faults, everything works; some hours later all must have come to its end. */
  rest(ms = REST_MS): this {
    this.world.faultRunner.calm();
    this.run(ms);
    this.monitor.atRest(this.world);
    this.check();
    return this;
  }

  private check(): void {
    const [violation] = this.monitor.violations;
    if (violation !== undefined) throw new SimulationError(violation, this.seed);
  }

  get report(): SimulationReport {
    const { world, monitor, seed } = this;
    return {
      seed,
      deviceDays: (world.nowMs / DAY_MS) * world.devices.length,
      steps: world.steps,
      calls: world.devices.reduce((sum, { calls }) => sum + calls, 0),
      digest: monitor.digest.text,
      faults: world.faults.occurred,
      violations: monitor.violations,
    };
  }
}
