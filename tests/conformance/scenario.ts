// What a scenario is: a story of one device, told to a world. It runs the same on every adapter,
// because nothing in it depends on chance, on the time of day, or on where the module runs.

import assert from "node:assert/strict";
import { Dataset, Event } from "../../host-node/src/abi.js";
import type { CoreHooks } from "../../host-node/src/core.js";
import { NorFlash } from "../../host-node/src/ports/nor.js";
import { World, type WorldOptions } from "./world.js";

/** Samples and test applications that scenarios run: the shipped bytes, or one that obeys. */
export type Application = "all" | "puppet";

export interface Scenario {
  /** snake_case; also the name of its trace. */
  readonly name: string;
  /** One sentence. */
  readonly what: string;
  readonly application: Application;
  readonly play: (stage: Stage) => void;
}

/** Fewest sectors of a records partition: a mount is short in a trace. */
const SECTORS = 16;

/** Where a scenario is played: makes devices of the module under test. */
export class Stage {
  constructor(
    private readonly bytes: Uint8Array,
    private readonly hooks: CoreHooks,
    private readonly onRow?: WorldOptions["onRow"],
  ) {}

  /** A device that is off, on blank flash unless it is given one. */
  device(options: Partial<WorldOptions> = {}): World {
    const { bytes, hooks, onRow } = this;
    const flash = options.flash ?? NorFlash.blank(SECTORS);
    return new World({ bytes, hooks, ...(onRow && { onRow }), ...options, flash });
  }

  /** A device that has its thing certificate, is connected, and is at rest. */
  online(options: Partial<WorldOptions> = {}): World {
    return rest(this.device(options).boot());
  }
}

/** Runs until the thing's session is up and nothing is under way. */
export function rest(world: World): World {
  world.untilEvent(Event.MQTT_CONNECTED, 3_600_000);
  world.settle();
  return world.runFor(3000);
}

/** Fails unless this was told, so that a scenario cannot miss its point. */
export function expectEvent(world: World, event: number, value?: number): void {
  const values = world.valuesOf(event);
  const isThere = value === undefined ? values.length > 0 : values.includes(value);
  assert.ok(isThere, `event ${event} ${value ?? ""} did not happen:\n${world.story()}`);
}

const RECORD = 0x52;
const PLACES = 3;

/** When this is first told, the next SYSTEM_STATUS record fails in each of its places. */
export function statusFailsOn(world: World, event: number, value: number): void {
  let left = 0;
  world.onEvent = (told, what) => {
    if (told !== event || what !== value) return;
    world.onEvent = () => {};
    left = PLACES;
  };
  world.flash.works = (operation) => {
    const [magic, tag] = operation.kind === "program" ? operation.bytes : [];
    return magic !== RECORD || tag !== Dataset.SYSTEM_STATUS || left-- <= 0;
  };
}
