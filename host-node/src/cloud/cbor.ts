// The little of CBOR (RFC 8949) that a refusal needs: a map of text to text or small integers. The
// cloud does not read CBOR; a client that asks in it is refused in it, so that it can read why.

const MAJOR_UNSIGNED = 0x00;
const MAJOR_TEXT = 0x60;
const MAJOR_MAP = 0xa0;

/** Encodes a flat object; integers must be from 0 to 65535. */
export function encodeCbor(value: Readonly<Record<string, string | number>>): Buffer {
  const entries = Object.entries(value);
  return Buffer.concat([
    head(MAJOR_MAP, entries.length),
    ...entries.flatMap(([key, item]) => [
      text(key),
      typeof item === "number" ? head(MAJOR_UNSIGNED, item) : text(item),
    ]),
  ]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([head(MAJOR_TEXT, bytes.length), bytes]);
}

/** A major type with its count, in the shortest of the forms up to 16 bits. */
function head(major: number, count: number): Buffer {
  if (count < 24) return Buffer.from([major | count]);
  if (count < 256) return Buffer.from([major | 24, count]);
  return Buffer.from([major | 25, count >> 8, count & 0xff]);
}
