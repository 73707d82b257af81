// Everything observed, in order, and a way to wait for something: it may have happened already, or
// still happens. Whoever waits says what is expected, so that a deadline that passes is a sentence.
// Used by the steps of `npm start -- --once` and by the end-to-end tests.

import { inShort, type Observation, whyStuck } from "./observation.js";

/** What was expected did not happen; the message says what did. */
export class ExpectationError extends Error {
  override readonly name = "ExpectationError";
}

const SHOWN_OBSERVATIONS = 6;

export class Journal {
  readonly observations: Observation[] = [];
  private readonly listeners = new Set<(observation: Observation) => void>();

  /** `isConfigurable`: somebody is there to configure the device, so that mode Configuration ends. */
  constructor(private readonly isConfigurable = false) {}

  readonly see = (observation: Observation): void => {
    this.observations.push(observation);
    for (const listener of [...this.listeners]) listener(observation);
  };

  /** A place in the journal: what comes after it is since(). */
  get mark(): number {
    return this.observations.length;
  }

  since(mark: number): readonly Observation[] {
    return this.observations.slice(mark);
  }

  /** Calls back with each observation from now on; answers the way to stop. */
  listen(listener: (observation: Observation) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** The last things that happened after a mark, in words. */
  summary(mark: number): string {
    const seen = this.since(mark);
    if (seen.length === 0) return "nothing had happened";
    const words = seen.slice(-SHOWN_OBSERVATIONS).map(inShort).join("; ");
    return `${seen.length > SHOWN_OBSERVATIONS ? "what had happened last" : "what had happened"}: ${words}`;
  }

  /**
   * Waits until `find` answers something about the observations after `mark`. Throws
   * ExpectationError when `withinMs` have passed, or the device has come to a stop.
   */
  until<T>(
    expected: string,
    find: (since: readonly Observation[]) => T | undefined | false,
    { mark, withinMs }: { readonly mark: number; readonly withinMs: number },
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        stop();
        act();
      };
      const fail = (why: string): void => {
        const message = `expected ${expected}; ${why}; ${this.summary(mark)}`;
        finish(() => reject(new ExpectationError(message)));
      };
      const look = (): void => {
        const found = find(this.since(mark));
        if (found !== undefined && found !== false) {
          finish(() => resolve(found));
          return;
        }
        const stuck = this.since(mark)
          .map((observation) => whyStuck(observation, this.isConfigurable))
          .find((why) => why !== null);
        if (stuck !== undefined && stuck !== null) fail(stuck);
      };
      const timer = setTimeout(() => fail(`${withinMs / 1000} s have passed`), withinMs);
      const stop = this.listen(look);
      look();
    });
  }
}
