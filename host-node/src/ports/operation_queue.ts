// Operations on flash as the ports flash and ota have them: accepted at once, performed one at a
// time in their order, each answered when the next one is on its way. A power cut that strikes in
// one of them ends the queue; so does power off, which loses what was not yet performed.

import type { TimerHandle } from "../clock.js";
import { PowerCut } from "./nor.js";
import type { PortHost } from "./port_host.js";

export interface OperationOptions {
  /** Time an operation takes; 0 is the next turn. */
  readonly operationMs?: number;
  /** Called when an armed power cut (ports/nor.ts) has struck in the middle of an operation. */
  readonly onPowerCut?: () => void;
}

export class OperationQueue<Operation> {
  /** What was accepted and is not performed yet, oldest first. */
  pending: readonly Operation[] = [];
  private timer: TimerHandle = null;

  /** `perform` gives the answer, to be called when the operation is over; only PowerCut may leave it. */
  constructor(
    private readonly host: PortHost,
    private readonly options: OperationOptions,
    private readonly perform: (operation: Operation) => () => void,
  ) {}

  add(operation: Operation): void {
    this.pending = [...this.pending, operation];
    if (this.pending.length === 1) this.schedule();
  }

  private schedule(): void {
    const { clock } = this.host;
    this.timer = clock.setTimer(this.options.operationMs ?? 0, () => this.next());
  }

  private next(): void {
    const [operation] = this.pending;
    if (operation === undefined) return;
    let answer: () => void;
    try {
      answer = this.perform(operation);
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.options.onPowerCut?.();
      return;
    }
    this.pending = this.pending.slice(1);
    if (this.pending.length > 0) this.schedule();
    answer();
  }

  /** Power off. */
  close(): void {
    this.host.clock.clearTimer(this.timer);
    this.pending = [];
  }
}
