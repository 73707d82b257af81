// The edge between the application's Strings (UTF-16, garbage-collected) and the core's UTF-8
// slices. One static buffer holds one converted text until the next one is converted.

const BUFFER_BYTES: i32 = 512;
const buffer: usize = memory.data(BUFFER_BYTES);

/** Address of the converted text. */
export const textAt: usize = buffer;

/** Converts; returns the size in bytes, or -1 when the text does not fit 512 bytes. */
export function toUtf8(text: string): i32 {
  const size = String.UTF8.byteLength(text);
  if (size > BUFFER_BYTES) return -1;
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, buffer);
  return size;
}

/** Makes a String; bytes that are not UTF-8 become U+FFFD. */
export function fromUtf8(from: usize, size: i32): string {
  return String.UTF8.decodeUnsafe(from, size);
}
