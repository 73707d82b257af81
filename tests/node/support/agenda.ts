// What is going to happen, in virtual time and in order: the one queue of the scripted device.
// Ports put their outcomes here; the device takes one after the other.

import type { EventKind } from "../../../host-node/src/abi.js";

interface Entry {
  readonly dueMs: number;
  readonly happen: () => void;
}

export type Dispatch = (kind: EventKind, a: number, b: number, payload: Uint8Array) => void;

const NOTHING = new Uint8Array();

export class Agenda {
  private entries: Entry[] = [];

  constructor(
    public nowMs: number,
    private readonly dispatch: Dispatch,
  ) {}

  /** Entries of one instant happen in the order in which they were made. */
  after(delayMs: number, happen: () => void): void {
    const dueMs = this.nowMs + delayMs;
    let at = this.entries.length;
    while (at > 0 && this.entries[at - 1]!.dueMs > dueMs) at--;
    this.entries.splice(at, 0, { dueMs, happen });
  }

  /** An event for the core, behind all that happens at this instant. */
  post(kind: EventKind, a = 0, b = 0, payload: Uint8Array = NOTHING): void {
    this.after(0, () => this.dispatch(kind, a, b, payload));
  }

  /** When the next entry is due; Infinity when there is none. */
  get nextMs(): number {
    return this.entries[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  happenNext(): void {
    const entry = this.entries.shift()!;
    this.nowMs = entry.dueMs;
    entry.happen();
  }

  clear(): void {
    this.entries = [];
  }
}
