// PEM texts in the records partition: mqtt_connect and http_get name them by offset and size, so
// that they need no memory of the core.

import { Status } from "../abi.js";

/** Reads the records partition, as flash_read does. */
export type ReadFlash = (offset: number, bytes: Uint8Array) => number;

/** The text; empty for size 0; null when it does not lie wholly in the partition. */
export function readPem(readFlash: ReadFlash, offset: number, size: number): string | null {
  if (size === 0) return "";
  // Its end first: a size that came out wrong may be one that no memory has.
  if (readFlash(offset + size - 1, new Uint8Array(1)) !== Status.OK) return null;
  const bytes = new Uint8Array(size);
  if (readFlash(offset, bytes) !== Status.OK) return null;
  return Buffer.from(bytes).toString("latin1");
}
