// A scenario: what the cloud's side does, step by step, each when its time has come, so that a
// world can be copied in the middle of it and go on twice. What a sweep runs through.

import type { Monitor } from "./monitor.js";
import type { Birth } from "./simulation.js";
import type { World } from "./world.js";

export interface ScenarioStep {
  readonly name: string;
  /** Asked behind everything that happens; changes nothing. */
  readonly when: (world: World) => boolean;
  readonly act: (world: World) => void;
}

export interface Scenario {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  readonly born: Birth;
  readonly steps: readonly ScenarioStep[];
  /** Behind the last step: everything that was asked for has come to its end. */
  readonly done: (world: World) => boolean;
  /** Virtual time in which it must be done, whatever happens. */
  readonly withinMs: number;
}

/** A scenario that is under way in a world. */
export class ScenarioRun {
  /** Called before each thing that happens; a copy has none. */
  onStep: (() => void) | null = null;
  private next = 0;

  constructor(
    readonly scenario: Scenario,
    readonly world: World,
    readonly monitor: Monitor,
  ) {}

  get isDone(): boolean {
    return this.next === this.scenario.steps.length && this.scenario.done(this.world);
  }

  /** The next thing that happens, and what the cloud does about it; false: nothing happens. */
  step(limitMs: number): boolean {
    this.onStep?.();
    if (!this.world.step(limitMs)) return false;
    const step = this.scenario.steps[this.next];
    if (step?.when(this.world) === true) {
      this.next++;
      step.act(this.world);
    }
    return true;
  }

  /** Until it is done, or an invariant is broken; true when it is done. */
  finish(): boolean {
    const { world, monitor, scenario } = this;
    const limitMs = world.nowMs + scenario.withinMs;
    while (!this.isDone) {
      if (monitor.violations.length > 0 || !this.step(limitMs)) return false;
    }
    return monitor.violations.length === 0;
  }

  /** In the middle of a step of its device: the power of the copy's must be cut at once. */
  copy(): ScenarioRun {
    const monitor = this.monitor.copy();
    const world = this.world.copy(monitor);
    monitor.watch(world);
    const copy = new ScenarioRun(this.scenario, world, monitor);
    copy.next = this.next;
    return copy;
  }
}
