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
  /** The record store was asked for a dataset that does not exist, or a negative size. */
  export const STORE: i32 = 10;
  /** The publish queue lost count of its entries. */
  export const PUBLISH_QUEUE: i32 = 20;
  /** More shadows or elements than there is room for, or a key that is empty or over 64 bytes. */
  export const SHADOW_ELEMENTS: i32 = 40;
  /** More job handlers than there is room for. */
  export const JOB_HANDLERS: i32 = 41;
}

/** Traps with `panic` (one of Panic) unless `condition` holds. */
export function check(condition: bool, panic: i32): void {
  if (!condition) {
    abort(null, null, panic, 0);
    unreachable();
  }
}
