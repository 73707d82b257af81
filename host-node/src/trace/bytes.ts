// Bytes as a trace writes them (docs/TRACES.md, "Bytes"): rows of one byte, text, hexadecimal. The
// same bytes are always written in the same way, so that the traces of two hosts can be compared as
// text; a reader takes any division into parts. Used by lines.ts.

const ROW_MIN = 8;
const TEXT_MIN = 4;
const QUOTE = 0x27;
const BACKSLASH = 0x5c;
const LINE_FEED = 0x0a;
/** More than any linear memory that a device has: a long row must not cost what it pretends. */
const BYTES_MAX = 1 << 24;

/** A text that stands for no bytes. */
export class BytesError extends Error {
  override readonly name = "BytesError";
  constructor(
    /** Position in the text, from 0. */
    readonly position: number,
    readonly problem: string,
  ) {
    super(`at character ${position + 1}: ${problem}`);
  }
}

// ---- bytes to text -----------------------------------------------------------------------------

function isText(byte: number): boolean {
  return (byte >= 0x20 && byte <= 0x7e) || byte === LINE_FEED;
}

/** How many bytes from here on are the same. */
function rowAt(bytes: Uint8Array, at: number): number {
  let end = at + 1;
  while (end < bytes.length && bytes[end] === bytes[at]) end++;
  return end - at;
}

/** How many bytes from here on are text, up to where a row begins. */
function textAt(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end < bytes.length && isText(bytes[end]!) && rowAt(bytes, end) < ROW_MIN) end++;
  return end - at;
}

/** How many bytes from here on are neither; at least one, as the caller has asked already. */
function restAt(bytes: Uint8Array, at: number): number {
  let end = at + 1;
  while (end < bytes.length && rowAt(bytes, end) < ROW_MIN && textAt(bytes, end) < TEXT_MIN) end++;
  return end - at;
}

const hexOf = (bytes: Uint8Array): string => {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
};

function quoted(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("latin1");
  return `'${text.replace(/['\\]/g, "\\$&").replaceAll("\n", "\\n")}'`;
}

/** The one text for these bytes. */
export function encodeBytes(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const row = rowAt(bytes, at);
    const text = row < ROW_MIN ? textAt(bytes, at) : 0;
    const isRow = row >= ROW_MIN;
    const size = isRow ? row : text >= TEXT_MIN ? text : restAt(bytes, at);
    const part = bytes.subarray(at, at + size);
    if (isRow) parts.push(`${hexOf(part.subarray(0, 1))}*${row}`);
    else parts.push(text >= TEXT_MIN ? quoted(part) : hexOf(part));
    at += size;
  }
  return parts.length === 0 ? "-" : parts.join("+");
}

// ---- text to bytes -----------------------------------------------------------------------------

/** Reads parts one after the other; `at` is where the next one begins. */
class PartReader {
  at = 0;

  constructor(private readonly text: string) {}

  get isAtEnd(): boolean {
    return this.at === this.text.length;
  }

  next(): Uint8Array {
    return this.text[this.at] === "'" ? this.quoted() : this.hexOrRow();
  }

  /** Passes the sign between two parts. */
  join(): void {
    if (this.text[this.at] !== "+") this.fail("a part ends here, and no + follows");
    this.at++;
  }

  private fail(problem: string, position = this.at): never {
    throw new BytesError(position, problem);
  }

  private hexOrRow(): Uint8Array {
    const from = this.at;
    const [digits] = /^[0-9a-f]*/.exec(this.text.slice(from))!;
    this.at += digits.length;
    if (digits === "") this.fail("neither hexadecimal in lower case, nor a quoted text");
    if (digits.length % 2 !== 0) this.fail("half a byte");
    if (this.text[this.at] !== "*") return Buffer.from(digits, "hex");
    if (digits.length > 2) this.fail("a row is of one byte", from);
    return this.row(Number.parseInt(digits, 16));
  }

  private row(byte: number): Uint8Array {
    const from = ++this.at;
    const [digits] = /^[0-9]*/.exec(this.text.slice(from))!;
    const count = Number(digits);
    if (digits === "" || count === 0) this.fail("a row of how many?");
    if (count > BYTES_MAX) this.fail(`a row of more than ${BYTES_MAX} bytes`);
    this.at += digits.length;
    return new Uint8Array(count).fill(byte);
  }

  private quoted(): Uint8Array {
    const from = this.at++;
    const bytes: number[] = [];
    while (this.text[this.at] !== "'") {
      if (this.isAtEnd) this.fail("this text has no end", from);
      bytes.push(this.letter());
    }
    this.at++;
    if (bytes.length === 0) this.fail("an empty text", from);
    return Uint8Array.from(bytes);
  }

  private letter(): number {
    const code = this.text.charCodeAt(this.at++);
    if (code !== BACKSLASH) {
      if (code < 0x20 || code > 0x7e) this.fail("not a printable ASCII character", this.at - 1);
      return code;
    }
    const escaped = this.text[this.at++];
    if (escaped === "n") return LINE_FEED;
    if (escaped === "'") return QUOTE;
    if (escaped === "\\") return BACKSLASH;
    return this.fail("after a \\ stands n, ' or \\", this.at - 1);
  }
}

/** Bytes of a text, in whatever parts. Throws BytesError. */
export function decodeBytes(text: string): Uint8Array {
  if (text === "-") return new Uint8Array();
  const reader = new PartReader(text);
  const parts = [reader.next()];
  let size = parts[0]!.length;
  while (!reader.isAtEnd) {
    reader.join();
    const part = reader.next();
    size += part.length;
    if (size > BYTES_MAX) throw new BytesError(reader.at, `more than ${BYTES_MAX} bytes`);
    parts.push(part);
  }
  // Not the Buffer itself: it would share its memory with others.
  return new Uint8Array(Buffer.concat(parts));
}
