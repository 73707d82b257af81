// The explorer: breadth first over what may happen to one device, by the number of interventions.
// From each state it tries every thing that may come next (choices.ts): that the world goes on by
// itself, that a fault strikes, that the cloud wants something. Worlds are copied, and those that
// look the same (look.ts) are one state, so that it comes to an end. Within its bounds either
// everything held, or there is a shortest way to where it did not. Of the worlds that look the same
// the first one goes on for all of them: what is found is true, and what is not found is not there
// as far as the look tells states apart.

import { Mode } from "../abi.js";
import { stripNames } from "../wasm_link.js";
import { type Choice, choicesFor } from "./choices.js";
import { EnginePool } from "./engine.js";
import type { Invariant } from "./invariants/invariant.js";
import { lookOf, type MachineLayout, machineLayout, machinesOf } from "./look.js";
import { type ModeEdge, ModeGraph } from "./mode_graph.js";
import type { Monitor, Violation } from "./monitor.js";
import { type Birth, Simulation } from "./simulation.js";
import type { World } from "./world.js";

export interface ExploreOptions {
  /** The application, built with names: the states of its machines are found by them. */
  readonly named: Uint8Array;
  /** Default "claim". */
  readonly born?: Birth;
  /** Most states that are gone on from; default 5000. */
  readonly statesMax?: number;
  /** Most faults on one way; default 1. */
  readonly faultsMax?: number;
  readonly seed?: number;
  /** As for a Simulation. */
  readonly invariants?: () => readonly Invariant[];
  readonly onProgress?: (states: number, waiting: number) => void;
}

export interface CounterExample {
  /** What happened, in turn. */
  readonly way: readonly string[];
  /** Null: nothing is violated, but from there the device never comes to work by itself. */
  readonly violation: Violation | null;
  readonly look: string;
}

export interface ExploreReport {
  readonly born: Birth;
  /** Looks that were found. */
  readonly states: number;
  /** Copies of worlds that were let go on. */
  readonly tried: number;
  /** Most interventions on one way, and whether everything within the bounds was seen. */
  readonly depth: number;
  readonly isComplete: boolean;
  /** States of machines that were seen, "machine STATE". */
  readonly machines: readonly string[];
  readonly modes: readonly ModeEdge[];
  /** Those with the fewest interventions first. */
  readonly failures: readonly CounterExample[];
}

const STATES_MAX = 5000;
const FAULTS_MAX = 1;
/** A device at work for so long, and a world that looks the same for so long, is at rest. */
const REST_MS = 20 * 60_000;
/** In which a device comes to work when nothing goes wrong. */
const WORK_MS = 6 * 3600_000;
const FAILURES_MAX = 10;
const GOES_ON = "it goes on";

interface State {
  readonly look: string;
  readonly world: World;
  readonly monitor: Monitor;
  readonly before: State | null;
  readonly choice: string;
  /** Interventions on the way to it. */
  readonly depth: number;
  readonly faults: number;
}

class Explorer {
  private readonly graph = new ModeGraph();
  private readonly layout: readonly MachineLayout[];
  private readonly choices: readonly Choice[];
  /** Looks that are known. */
  private readonly states = new Set<string>();
  private readonly machines = new Set<string>();
  private readonly failures: CounterExample[] = [];
  private tried = 0;
  private depth = 0;

  constructor(private readonly options: ExploreOptions) {
    this.layout = machineLayout(options.named);
    this.choices = choicesFor(stripNames(options.named));
  }

  run(): ExploreReport {
    const { statesMax = STATES_MAX, onProgress, born = "claim" } = this.options;
    const queue = [this.root(born)];
    let visited = 0;
    for (let state = queue.shift(); state !== undefined; state = queue.shift()) {
      if (visited === statesMax || this.failures.length >= FAILURES_MAX) break;
      visited++;
      for (const next of this.successors(state)) {
        if (next.depth === state.depth) queue.unshift(next);
        else queue.push(next);
      }
      onProgress?.(this.states.size, queue.length);
    }
    const isComplete = queue.length === 0 && visited < statesMax;
    return {
      ...{ born, states: this.states.size, tried: this.tried, depth: this.depth, isComplete },
      machines: [...this.machines].sort(),
      modes: this.graph.list(),
      failures: this.failures,
    };
  }

  private root(born: Birth): State {
    const { named, seed = 1, invariants } = this.options;
    const module = stripNames(named);
    const engines = new EnginePool();
    const { world, monitor } = new Simulation({
      ...{ module, seed, born, faults: "none", workload: false, engines },
      listener: this.graph.listener,
      ...(invariants === undefined ? {} : { invariants }),
    });
    return this.add(world, monitor, null, null)!;
  }

  /** States that were not known, one step from this one. */
  private successors(state: State): State[] {
    const { faultsMax = FAULTS_MAX } = this.options;
    const found: State[] = [];
    const tried = this.choices.filter(
      ({ isFault, isPossible }) =>
        (!isFault || state.faults < faultsMax) && isPossible(state.world),
    );
    for (const choice of [null, ...tried]) {
      const next = this.tryChoice(state, choice);
      if (next !== null) found.push(next);
    }
    state.world.release();
    return found;
  }

  private tryChoice(state: State, choice: Choice | null): State | null {
    this.tried++;
    const monitor = state.monitor.copy(this.graph.listener);
    const world = state.world.copy(monitor);
    monitor.watch(world);
    this.graph.follow(world.devices[0]!, state.world.devices[0]!);
    choice?.apply(world);
    const isWell = choice === null ? this.goOn(world, monitor) : this.goTo(world, monitor, state);
    const [violation = null] = monitor.violations;
    if (violation !== null || !isWell) {
      const way = [...wayTo(state), choice?.name ?? GOES_ON];
      this.failures.push({ way, violation, look: lookOf(world, this.layout) });
      return null;
    }
    const next = this.add(world, monitor, state, choice);
    if (next === null) world.release();
    return next;
  }

  /** After a choice: until the world looks different, or is at rest. */
  private goTo(world: World, monitor: Monitor, { look }: State): boolean {
    const limitMs = world.nowMs + REST_MS;
    while (lookOf(world, this.layout) === look) {
      if (!world.step(limitMs) || monitor.violations.length > 0) break;
    }
    return true;
  }

  /**
   * Without a choice: until the world looks as none before, or the device is at work and rests.
   * False when it does not come to work though nothing goes wrong.
   */
  private goOn(world: World, monitor: Monitor): boolean {
    const limitMs = world.nowMs + WORK_MS;
    let workMs = Number.POSITIVE_INFINITY;
    while (world.nowMs < workMs + REST_MS) {
      if (!world.step(limitMs)) break;
      if (monitor.violations.length > 0 || !this.states.has(lookOf(world, this.layout)))
        return true;
      workMs = isAtWork(world) ? Math.min(workMs, world.nowMs) : Number.POSITIVE_INFINITY;
    }
    return isAtWork(world);
  }

  /** Null when this look is known. */
  private add(
    world: World,
    monitor: Monitor,
    before: State | null,
    choice: Choice | null,
  ): State | null {
    const device = world.devices[0]!;
    for (const machine of machinesOf(device, this.layout)) this.machines.add(machine);
    const look = lookOf(world, this.layout);
    if (this.states.has(look)) return null;
    device.park();
    const depth = (before?.depth ?? 0) + (choice === null ? 0 : 1);
    this.depth = Math.max(this.depth, depth);
    const faults = (before?.faults ?? 0) + Number(choice?.isFault ?? false);
    this.states.add(look);
    return { look, world, monitor, before, choice: choice?.name ?? GOES_ON, depth, faults };
  }
}

/** In mode Normal and connected; or in Idle, which nothing but a reset leaves. */
function isAtWork({ devices }: World): boolean {
  const { mode, isConnected } = devices[0]!;
  return mode === Mode.IDLE || (mode === Mode.NORMAL && isConnected);
}

function wayTo(state: State): string[] {
  const way: string[] = [];
  for (let at: State | null = state; at.before !== null; at = at.before) way.unshift(at.choice);
  return way;
}

/** Throws for a module without names, and for one that is none. */
export function explore(options: ExploreOptions): ExploreReport {
  return new Explorer(options).run();
}
