// What must hold in every world, whatever goes wrong in it: the form that an invariant has. Each
// hears what it needs of what happens, keeps a little state of its own, and reports a breach in
// words. It is copied with its world.

import type { CallArgument } from "../../abi.js";
import type { PublishEvent } from "../../cloud/broker.js";
import type { RuleEvent } from "../../cloud/rules.js";
import type { SimDevice } from "../device.js";
import type { CoreEventHappening } from "../happenings.js";
import type { World } from "../world.js";

/** Says what is wrong: one sentence, with the numbers. */
export type Report = (device: SimDevice | null, what: string) => void;

export interface Invariant {
  /** As it is told and asked for: a few words without a verb. */
  readonly name: string;
  booted?(device: SimDevice, report: Report): void;
  stepBegins?(device: SimDevice, event: CoreEventHappening, report: Report): void;
  called?(
    device: SimDevice,
    name: string,
    args: readonly CallArgument[],
    result: number,
    report: Report,
  ): void;
  event?(device: SimDevice, event: number, value: number, text: string, report: Report): void;
  /** A log line of the application. */
  log?(device: SimDevice, level: number, text: string, report: Report): void;
  stepEnded?(device: SimDevice, report: Report): void;
  ended?(device: SimDevice, why: "restart" | "trap" | "power", what: string, report: Report): void;
  published?(world: World, event: PublishEvent, report: Report): void;
  rule?(world: World, event: RuleEvent, report: Report): void;
  /** Behind everything that happens in the world: for what is cheap to look at. */
  worldStepped?(world: World, report: Report): void;
  /** Nothing has gone wrong for some hours: now everything must have come to its end. */
  atRest?(world: World, report: Report): void;
  copy(): Invariant;
}
