// What a step of `npm start -- --once` is, and what steps look at in the journal. The steps are in
// steps.ts and update_steps.ts; run_steps.ts runs them.

import { Event, Mode } from "../abi.js";
import type { SystemEvent } from "../ports/log.js";
import type { Observation } from "./observation.js";
import type { Stage } from "./stage.js";

/** What a step has to work with. */
export interface StepContext {
  readonly stage: Stage;
  /** Place in the journal where this step began. */
  readonly mark: number;
  /** Thing name, once a step has learned it. */
  thing: string;
  /** Waits, within the step's deadline, for something since the step began (or since `mark`). */
  until<T>(
    expected: string,
    find: (since: readonly Observation[]) => T | undefined | false,
    mark?: number,
  ): Promise<T>;
}

export interface Step {
  readonly name: string;
  /** Resolves to what was observed, for a person; throws when it was not as it should be. */
  run(context: StepContext): Promise<string>;
}

export function eventsOf(seen: readonly Observation[], kind: Event): SystemEvent[] {
  return seen.flatMap((item) =>
    item.type === "event" && item.event.event === kind ? [item.event] : [],
  );
}

export const firstEvent = (seen: readonly Observation[], kind: Event): SystemEvent | undefined =>
  eventsOf(seen, kind)[0];

export function isNormal(seen: readonly Observation[]): boolean {
  return eventsOf(seen, Event.MODE_CHANGED).at(-1)?.value === Mode.NORMAL;
}

export function require(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}
