// Byte slices and NUL-terminated text. A slice is (address, size); a text is the address of bytes
// up to a NUL, usually a utf8() literal. Nothing here allocates or knows where a buffer ends: the
// caller has made sure that there is room. Used by every room; wasm loads need no alignment, so
// load<u16> and store<u16> serve for little-endian fields at any address.

/** Bytes of `text` before its NUL. */
export function textSize(text: usize): i32 {
  let end = text;
  while (load<u8>(end)) end++;
  return <i32>(end - text);
}

/** Whether two slices of `size` bytes hold the same. */
export function equal(a: usize, b: usize, size: i32): bool {
  return memory.compare(a, b, size) == 0;
}

/** Whether the slice holds exactly `text`. */
export function equalsText(address: usize, size: i32, text: usize): bool {
  return size == textSize(text) && equal(address, text, size);
}

/** Whether the slice begins with `text`; every slice begins with the empty text. */
export function startsWithText(address: usize, size: i32, text: usize): bool {
  const head = textSize(text);
  return head <= size && equal(address, text, head);
}

/** Whether the slice ends with `text`; every slice ends with the empty text. */
export function endsWithText(address: usize, size: i32, text: usize): bool {
  const rest = size - textSize(text);
  return rest >= 0 && equal(address + rest, text, size - rest);
}

/** Copies `text` without its NUL and returns the address behind the copy. */
export function putText(to: usize, text: usize): usize {
  const size = textSize(text);
  memory.copy(to, text, size);
  return to + size;
}

/** Writes `value` in decimal, at most 20 bytes, and returns the address behind it. */
export function putDecimal(to: usize, value: u64): usize {
  let end = to + 1;
  for (let rest = value; rest >= 10; rest /= 10) end++;
  let at = end;
  do {
    store<u8>(--at, <u8>(0x30 + (value % 10)));
    value /= 10;
  } while (at > to);
  return end;
}

/** Writes `value` in decimal with a minus where it is negative, at most 20 bytes. */
export function putSigned(to: usize, value: i64): usize {
  if (value < 0) {
    store<u8>(to++, 0x2d);
    value = -value; // The least i64 stays as it is, which is its magnitude as a u64.
  }
  return putDecimal(to, value);
}

/** Writes the lowest `digits` hexadecimal digits of `value` (0 to 8), lower case, zero-padded. */
export function putHex(to: usize, value: u32, digits: i32): usize {
  for (let shift = digits * 4 - 4; shift >= 0; shift -= 4) {
    const digit = (value >> shift) & 15;
    store<u8>(to++, digit + (digit < 10 ? 0x30 : 0x57));
  }
  return to;
}

/** Whether `text` stands anywhere in the slice. */
export function containsText(address: usize, size: i32, text: usize): bool {
  const length = textSize(text);
  for (let last = size - length; last >= 0; last--) {
    if (equal(address + last, text, length)) return true;
  }
  return false;
}

/** Number of the word of a list ("one two ", with a blank behind each) that the slice is, or, when
 * not `whole`, that begins with it and is longer; -1 when there is none. */
export function wordIndex(list: usize, address: usize, size: i32, whole: bool): i32 {
  let index = 0;
  while (load<u8>(list) != 0) {
    let end = list;
    while (load<u8>(end) != 0x20) end++;
    const length = <i32>(end - list);
    if ((whole ? length == size : length > size) && equal(list, address, size)) return index;
    list = end + 1;
    index++;
  }
  return -1;
}
