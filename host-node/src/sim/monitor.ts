// Watches a world for what must hold in it: gives everything that happens to the invariants, keeps
// what they report, and mixes all of it into the digest of the run.

import type { CallArgument } from "../abi.js";
import type { PublishEvent } from "../cloud/broker.js";
import type { ProvisionedEvent } from "../cloud/provisioning_rules.js";
import type { DisconnectReason, RuleEvent } from "../cloud/rules.js";
import type { RefusedEvent } from "../cloud/service.js";
import type { SimDevice } from "./device.js";
import { Digest } from "./digest.js";
import type { CoreEventHappening } from "./happenings.js";
import { JobsTell, OneCertificate } from "./invariants/cloud.js";
import {
  NormalHasCertificate,
  OneUntested,
  RestartWaits,
  StoredStays,
} from "./invariants/flash.js";
import type { Invariant, Report } from "./invariants/invariant.js";
import { AtWork, NoTrap } from "./invariants/life.js";
import { AwsRules, BackoffFloor, PublishesEnd } from "./invariants/network.js";
import { promises } from "./invariants/promises.js";
import { hashOf } from "./random.js";
import type { WorldWatcher } from "./watcher.js";
import type { World } from "./world.js";

/** An invariant does not hold. */
export interface Violation {
  readonly invariant: string;
  readonly what: string;
  /** Number of the device, or null when it is of the cloud. */
  readonly device: number | null;
  /** Life of the device. */
  readonly life: number;
  /** Steps of cores before it, and virtual time. */
  readonly step: number;
  readonly atMs: number;
}

export const standardInvariants = (): Invariant[] => [
  ...[new NoTrap(), new AtWork(), new OneCertificate(), new JobsTell(), new AwsRules()],
  ...[new BackoffFloor(), new PublishesEnd(), new StoredStays(), new RestartWaits()],
  ...[new NormalHasCertificate(), new OneUntested(), ...promises()],
];

/** Who else wants to hear; each is called behind the invariants. */
export type Listener = Partial<Omit<WorldWatcher, "worldStepped">>;

const nameHash = new Map<string, number>();

function hashOfName(name: string): number {
  const known = nameHash.get(name);
  if (known !== undefined) return known;
  const hash = hashOf(name);
  nameHash.set(name, hash);
  return hash;
}

export class Monitor implements WorldWatcher {
  readonly violations: Violation[] = [];
  digest = new Digest();
  private world: World | null = null;
  private readonly reports: Report[];
  private readonly hearing: { readonly [Name in HookName]: readonly number[] };

  constructor(
    readonly invariants: readonly Invariant[],
    /** May be exchanged: what was heard is not told again. */
    public listener: Listener = {},
  ) {
    this.reports = invariants.map(
      ({ name }) =>
        (device, what) =>
          this.violated(name, device, what),
    );
    const whoHears = (hook: HookName): number[] =>
      invariants.flatMap((invariant, index) => (invariant[hook] === undefined ? [] : [index]));
    this.hearing = Object.fromEntries(HOOKS.map((hook) => [hook, whoHears(hook)])) as never;
  }

  watch(world: World): void {
    this.world = world;
  }

  private violated(invariant: string, device: SimDevice | null, what: string): void {
    const { steps: step = 0, nowMs: atMs = 0 } = this.world ?? {};
    const { index = null, life = 0 } = device ?? {};
    this.violations.push({ invariant, what, device: index, life, step, atMs });
  }

  // ---- what happens ----------------------------------------------------------------------------

  booted(device: SimDevice): void {
    for (const i of this.hearing.booted) this.invariants[i]!.booted!(device, this.reports[i]!);
    this.listener.booted?.(device);
  }

  stepBegins(device: SimDevice, event: CoreEventHappening): void {
    const { digest } = this;
    digest.number(device.nowMs);
    digest.number((device.index << 8) | event.kind);
    digest.number(event.a);
    digest.number(event.b);
    digest.bytes(event.payload);
    for (const i of this.hearing.stepBegins) {
      this.invariants[i]!.stepBegins!(device, event, this.reports[i]!);
    }
    this.listener.stepBegins?.(device, event);
  }

  called(device: SimDevice, name: string, args: readonly CallArgument[], result: number): void {
    const { digest } = this;
    digest.number(hashOfName(name));
    for (const arg of args) {
      if (typeof arg === "number") digest.number(arg);
      else if (arg instanceof Uint8Array) digest.bytes(arg);
    }
    digest.number(result);
    for (const i of this.hearing.called) {
      this.invariants[i]!.called!(device, name, args, result, this.reports[i]!);
    }
    this.listener.called?.(device, name, args, result);
  }

  event(device: SimDevice, event: number, value: number, text: string): void {
    for (const i of this.hearing.event) {
      this.invariants[i]!.event!(device, event, value, text, this.reports[i]!);
    }
    this.listener.event?.(device, event, value, text);
  }

  log(device: SimDevice, level: number, text: string): void {
    for (const i of this.hearing.log) {
      this.invariants[i]!.log!(device, level, text, this.reports[i]!);
    }
    this.listener.log?.(device, level, text);
  }

  stepEnded(device: SimDevice): void {
    for (const i of this.hearing.stepEnded) {
      this.invariants[i]!.stepEnded!(device, this.reports[i]!);
    }
    this.listener.stepEnded?.(device);
  }

  ended(device: SimDevice, why: "restart" | "trap" | "power", what: string): void {
    this.digest.number(hashOfName(why));
    for (const i of this.hearing.ended) {
      this.invariants[i]!.ended!(device, why, what, this.reports[i]!);
    }
    this.listener.ended?.(device, why, what);
  }

  worldStepped(world: World): void {
    for (const i of this.hearing.worldStepped) {
      this.invariants[i]!.worldStepped!(world, this.reports[i]!);
    }
  }

  workloadDue(world: World, name: string): void {
    this.listener.workloadDue?.(world, name);
  }

  rule(world: World, event: RuleEvent): void {
    for (const i of this.hearing.rule) this.invariants[i]!.rule!(world, event, this.reports[i]!);
    this.listener.rule?.(world, event);
  }

  published(world: World, event: PublishEvent): void {
    for (const i of this.hearing.published) {
      this.invariants[i]!.published!(world, event, this.reports[i]!);
    }
    this.listener.published?.(world, event);
  }

  provisioned(world: World, event: ProvisionedEvent): void {
    this.listener.provisioned?.(world, event);
  }

  refused(world: World, event: RefusedEvent): void {
    this.listener.refused?.(world, event);
  }

  cloudClosed(world: World, connection: number, reason: DisconnectReason): void {
    this.listener.cloudClosed?.(world, connection, reason);
  }

  /** All has been calm for hours. */
  atRest(world: World): void {
    for (const i of this.hearing.atRest) this.invariants[i]!.atRest!(world, this.reports[i]!);
  }

  /** The same watch over a copy of the world. */
  copy(listener: Listener = {}): Monitor {
    const copy = new Monitor(
      this.invariants.map((invariant) => invariant.copy()),
      listener,
    );
    copy.digest = this.digest.copy();
    copy.violations.push(...this.violations);
    return copy;
  }
}

const HOOKS = [
  ...(["booted", "stepBegins", "called", "event", "log", "stepEnded", "ended"] as const),
  ...(["published", "rule", "worldStepped", "atRest"] as const),
] as const;
type HookName = (typeof HOOKS)[number];
