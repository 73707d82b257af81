// What a writer of traces asks before it writes bytes (docs/TRACES.md, "Secrets").

import type { CoreEvent } from "../core.js";

/** Replaces what is secret, byte for byte, in copies: what it is given is never changed. */
export interface Redactor {
  /** A life begins: BOOT is about to be written. Nothing of the life before goes on. */
  begin(): void;
  /** The payload to be written. */
  event(event: CoreEvent): Uint8Array;
  /** The arguments to be written of a call that was answered; its slices die with the call. */
  call(
    name: string,
    args: readonly (number | Uint8Array)[],
    result: number,
  ): readonly (number | Uint8Array)[];
}
