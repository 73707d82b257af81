// Asserts that stay on in production. A broken one is a programmer's error: it traps, the host
// logs the number, throws the module away and starts it again. Numbers instead of file names,
// because each name would cost its length in the binary; every number has its sentence here, and
// a room that needs one more takes the next free number of its decade.

export namespace Panic {
  /** A ring was used against its contract: record over- or underfilled, or read where none is. */
  export const RING: i32 = 1;
  /** A JSON writer was asked to close a container that is not open. */
  export const JSON_WRITER: i32 = 2;
  /** A JSON reader was fed before it had asked for more. */
  export const JSON_READER: i32 = 3;
  /** The publish queue lost count of its entries. */
  export const PUBLISH_QUEUE: i32 = 20;
  // The record store counts from 10, the publish queue from 20, the timers from 30.
}

/** Traps with `panic` (one of Panic) unless `condition` holds. */
export function check(condition: bool, panic: i32): void {
  if (!condition) {
    abort(null, null, panic, 0);
    unreachable();
  }
}
