// What configures a device while it runs: nothing, unless the application enables BLE; then it is
// setup.ts. system.ts, dispatch.ts and restart.ts call it, so that a module without BLE carries
// none of its code.

/** What a life is for. */
export namespace Life {
  /** What is stored decides. */
  export const ORDINARY: u8 = 0;
  /** A configuration is on trial: it is mounted, and Normal mode is not entered. */
  export const TRIAL: u8 = 1;
  /** Configuration mode, whatever is stored. */
  export const CONFIGURATION: u8 = 2;
}

export class Configurator {
  /** At boot, before the configuration is read: the Life. In a TRIAL it has mounted its own. */
  begin(): u8 {
    return Life.ORDINARY;
  }
  /** Configuration mode has begun. */
  start(): void {}
  onNetwork(_up: bool): void {}
  /** Hears of the session before anybody else; see session.Change. */
  onSession(_change: u8): void {}
  /** On trial, a claim was accepted. */
  onProvisioned(): void {}
  onRecord(_place: u8, _status: i32): void {}
  /** Events of BLE, of a scan, and of crypto_pair. */
  onHostEvent(_kind: i32, _a: i32, _payload: usize, _size: i32): void {}
  onTimer(_timer: i32): void {}
  /** Calls the application's callbacks that are due. */
  deliver(): void {}
  /** A restart is near: gives the radio back. */
  close(): void {}
  isClosed(): bool {
    return true;
  }
}

let present: Configurator = new Configurator();

export function configurator(): Configurator {
  return present;
}

export function install(configures: Configurator): void {
  present = configures;
}
