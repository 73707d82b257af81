// A sweep: a scenario is run once, and at every call of the core to its host, and wherever flash or
// cloud has changed between two steps, the world is copied, the power of the copy's device is cut
// there, and the copy lives on to the scenario's end. Places between which neither flash nor cloud
// nor wire has changed leave the same world behind (but for its clock), and are tried once. Then
// twice: in the recoveries that did something no other one did, the power is cut again at each
// place.

import type { CutMode } from "../ports/nor.js";
import type { EnginePool } from "./engine.js";
import type { Violation } from "./monitor.js";
import { Random } from "./random.js";
import { type Scenario, ScenarioRun } from "./scenario.js";
import { Simulation } from "./simulation.js";

export interface SweepOptions {
  readonly module: Uint8Array;
  readonly scenario: Scenario;
  readonly seed?: number;
  /** Most second cuts that are tried; default 1000. */
  readonly pairsMax?: number;
  /** Stops when so many copies have failed; default: never. */
  readonly failuresMax?: number;
  /** Tries every call, also where the world is the same as at the one before. */
  readonly everyCall?: boolean;
  readonly engines?: EnginePool;
  /** Hears how far it is: cuts tried, of about so many. */
  readonly onProgress?: (tried: number, places: number) => void;
}

/** Where the power was cut: at this call of all calls of the device, and how. */
export interface Cut {
  readonly call: number;
  readonly mode: CutMode;
}

export interface SweepFailure {
  readonly cuts: readonly Cut[];
  /** Null: no invariant is broken, but the scenario does not come to its end. */
  readonly violation: Violation | null;
}

export interface SweepReport {
  readonly scenario: string;
  readonly seed: number;
  /** Calls of the core to its host in the run without a cut. */
  readonly calls: number;
  /** Places, at calls and between steps, that leave different worlds behind. */
  readonly places: number;
  /** Worlds that were run to their end, with one cut and with two. */
  readonly cuts: number;
  readonly pairs: number;
  /** Different things that recoveries did: calls, by what they followed. */
  readonly coverage: number;
  readonly failures: readonly SweepFailure[];
  readonly digest: string;
}

const PAIRS_MAX = 1000;
/** After the end of the scenario, before the invariants that hold at rest are asked. */
const REST_MS = 10 * 60_000;
const OFF_MS = 1000;
const MODES: readonly CutMode[] = ["nothing", "half", "garbage"];

/** A recovery that did something new: worth a second cut. */
interface Lead {
  readonly cut: Cut;
  readonly start: ScenarioRun;
}

/** Thrown out of the run when enough has failed. */
class Enough extends Error {}

class Sweep {
  readonly failures: SweepFailure[] = [];
  readonly coverage = new Set<string>();
  places = 0;
  tried = 0;
  pairs = 0;
  private readonly random: Random;
  private readonly leads: Lead[] = [];

  constructor(private readonly options: SweepOptions) {
    this.random = new Random(options.seed ?? 1, "sweep");
  }

  run(): SweepReport {
    const { scenario, seed = 1 } = this.options;
    const base = this.begin();
    const { monitor, world } = base;
    try {
      this.sweepThrough(base);
    } catch (error) {
      if (!(error instanceof Enough)) throw error;
    }
    return {
      ...{ scenario: scenario.name, seed, calls: world.devices[0]!.calls, places: this.places },
      ...{ cuts: this.tried, pairs: this.pairs, coverage: this.coverage.size },
      ...{ failures: this.failures, digest: monitor.digest.text },
    };
  }

  private sweepThrough(base: ScenarioRun): void {
    this.cover(base);
    this.throughout(base, (run) => this.cutHere(run));
    if (base.finish()) this.again();
    else this.fail({ cuts: [], violation: base.monitor.violations[0] ?? null });
  }

  private fail(failure: SweepFailure): void {
    this.failures.push(failure);
    const { failuresMax = Number.POSITIVE_INFINITY } = this.options;
    if (this.failures.length >= failuresMax) throw new Enough();
  }

  private begin(): ScenarioRun {
    const { module, scenario, seed = 1, engines } = this.options;
    const { world, monitor } = new Simulation({
      ...{ module, seed, born: scenario.born, faults: "none", workload: false },
      ...(engines === undefined ? {} : { engines }),
    });
    return new ScenarioRun(scenario, world, monitor);
  }

  /**
   * Calls `at` at each call of the device, and between steps, where the world is another one than at
   * the place before.
   */
  private throughout(run: ScenarioRun, at: (run: ScenarioRun) => void): void {
    const device = run.world.devices[0]!;
    const everyCall = this.options.everyCall === true;
    let before = "";
    const look = (place: string): void => {
      if (place === before || !device.isOn) return;
      before = place;
      at(run);
    };
    device.onCall = () => look(everyCall ? `call ${device.calls}` : run.world.effects);
    run.onStep = () => look(run.world.effects);
  }

  private cutHere(run: ScenarioRun): void {
    this.places++;
    const { calls: call, isWriting } = run.world.devices[0]!;
    for (const mode of isWriting ? MODES : MODES.slice(0, 1)) {
      const cut = { call, mode };
      const copy = run.copy();
      const isNew = this.tryCuts(copy, [cut], 0);
      if (isNew) this.leads.push({ cut, start: run.copy() });
    }
    this.options.onProgress?.(this.tried, this.places);
  }

  /** Cuts the power of a copy and lets it live on; true when its recovery did something new. */
  private tryCuts(copy: ScenarioRun, cuts: readonly Cut[], from: number): boolean {
    this.tried++;
    copy.world.devices[0]!.powerCut(cuts[from]!.mode, OFF_MS, this.random.fraction);
    const isNew = this.cover(copy);
    const isDone = copy.finish();
    if (isDone) this.rest(copy);
    const [violation = null] = copy.monitor.violations;
    copy.world.release();
    if (!isDone || violation !== null) this.fail({ cuts, violation });
    return isNew();
  }

  private rest({ world, monitor }: ScenarioRun): void {
    world.runUntil(world.nowMs + REST_MS);
    if (monitor.violations.length === 0) monitor.atRest(world);
  }

  /** Notes what the core does in this world from now on; answers whether any of it was new. */
  private cover({ monitor }: ScenarioRun): () => boolean {
    let isNew = false;
    let event = -1;
    let before = "";
    monitor.listener = {
      stepBegins: (_device, { kind }) => {
        event = kind;
        before = "";
      },
      called: (_device, name) => {
        const edge = `${event}:${before}>${name}`;
        before = name;
        if (this.coverage.has(edge)) return;
        this.coverage.add(edge);
        isNew = true;
      },
    };
    return () => isNew;
  }

  /** Second cuts, in the recoveries that did something new. */
  private again(): void {
    const { pairsMax = PAIRS_MAX } = this.options;
    for (const { cut, start } of this.leads) {
      const left = pairsMax - this.pairs;
      if (left <= 0) break;
      this.secondCuts(start, cut, Math.max(1, Math.ceil(left / this.leads.length)));
      start.world.release();
    }
  }

  /** So many of the places of a recovery, wherever in it they are. */
  private secondCuts(start: ScenarioRun, first: Cut, max: number): void {
    let left = max;
    const share = Math.min(1, (2 * max) / this.places);
    const recovery = start.copy();
    recovery.world.devices[0]!.powerCut(first.mode, OFF_MS, this.random.fraction);
    this.throughout(recovery, (run) => {
      if (left === 0 || !this.random.chance(share)) return;
      left--;
      const { calls: call } = run.world.devices[0]!;
      const mode = MODES[this.random.below(MODES.length)]!;
      this.pairs++;
      this.tryCuts(run.copy(), [first, { call, mode }], 1);
    });
    recovery.finish();
    recovery.world.release();
  }
}

/** Throws for a module that is none. */
export function sweep(options: SweepOptions): SweepReport {
  return new Sweep(options).run();
}
