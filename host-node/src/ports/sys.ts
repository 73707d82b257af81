// Port sys: restart, randomness, panics and the configuration document.

import { type SysPort as Contract, RestartScope, Status } from "../abi.js";

export interface SysOptions {
  readonly configuration: Uint8Array;
  /** Fills with random bytes; the machine's generator, or a simulation's. */
  readonly random: (bytes: Uint8Array) => void;
}

export class SysPort implements Contract {
  /** What the core asked to restart, or null; the life ends after this dispatch. */
  restartScope: RestartScope | null = null;

  constructor(private readonly options: SysOptions) {}

  restart(scope: number): number {
    if (scope > RestartScope.MODULE) return Status.INVALID_ARGUMENT;
    this.restartScope = scope as RestartScope;
    return Status.OK;
  }

  random(bytes: Uint8Array): number {
    this.options.random(bytes);
    return Status.OK;
  }

  /** The text is recorded by Core, and the trap that follows carries it. */
  panic(): number {
    return Status.OK;
  }

  configRead(offset: number, bytes: Uint8Array): number {
    const part = this.options.configuration.subarray(offset, offset + bytes.length);
    bytes.set(part);
    return part.length;
  }
}
