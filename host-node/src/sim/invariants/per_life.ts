// What an invariant knows of a device in the life that it lives: begun anew with the next life.

import type { SimDevice } from "../device.js";

interface Entry<State> {
  readonly life: number;
  readonly state: State;
}

export class PerLife<State extends object> {
  private readonly entries = new Map<number, Entry<State>>();

  /** `copyOf` gives an independent state; by default its members are copied as they are. */
  constructor(
    private readonly fresh: () => State,
    private readonly copyOf: (state: State) => State = (state) => ({ ...state }),
  ) {}

  /** To be changed in place. */
  of({ index, life }: SimDevice): State {
    const known = this.entries.get(index);
    if (known?.life === life) return known.state;
    const state = this.fresh();
    this.entries.set(index, { life, state });
    return state;
  }

  copy(): PerLife<State> {
    const copy = new PerLife(this.fresh, this.copyOf);
    for (const [index, { life, state }] of this.entries) {
      copy.entries.set(index, { life, state: this.copyOf(state) });
    }
    return copy;
  }
}
