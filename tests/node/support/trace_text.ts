// Words and bytes of traces (docs/TRACES.md), written down as plainly as the rule is: what the C
// writer, which sees a byte at a time, is compared with.

const ROW_MIN = 8;
const TEXT_MIN = 4;

const isText = (byte: number): boolean => (byte >= 0x20 && byte <= 0x7e) || byte === 0x0a;

/** How many bytes from `at` are the same. */
function rowAt(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end < bytes.length && bytes[end] === bytes[at]) end++;
  return end - at;
}

/** How many bytes from `at` are text, up to where a row begins. */
function textAt(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end < bytes.length && isText(bytes[end]!) && rowAt(bytes, end) < ROW_MIN) end++;
  return end - at;
}

function quoted(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("latin1");
  return `'${text.replace(/['\\]/g, "\\$&").replaceAll("\n", "\\n")}'`;
}

/** The token for these bytes. */
export function tokenOf(bytes: Uint8Array): string {
  const parts: string[] = [];
  let hex = "";
  const add = (part: string): void => {
    if (hex !== "") parts.push(hex);
    if (part !== "") parts.push(part);
    hex = "";
  };
  for (let at = 0; at < bytes.length; ) {
    const row = rowAt(bytes, at);
    const text = textAt(bytes, at);
    const byte = bytes[at]!.toString(16).padStart(2, "0");
    if (row >= ROW_MIN) {
      add(`${byte}*${row}`);
      at += row;
    } else if (text >= TEXT_MIN) {
      add(quoted(bytes.subarray(at, at + text)));
      at += text;
    } else {
      hex += byte;
      at++;
    }
  }
  add("");
  return parts.length === 0 ? "-" : parts.join("+");
}

/** The bytes of a token; it must be a good one. */
export function bytesOfToken(token: string): Buffer {
  if (token === "-") return Buffer.alloc(0);
  const parts = token.match(/'(?:\\.|[^'\\])*'|[^+]+/g) ?? [];
  return Buffer.concat(
    parts.map((part) => {
      if (part.startsWith("'")) {
        const text = part.slice(1, -1).replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
        return Buffer.from(text, "latin1");
      }
      const [hex, count] = part.split("*");
      return Buffer.concat(Array(Number(count ?? 1)).fill(Buffer.from(hex!, "hex")));
    }),
  );
}

/** A line in its words; a text with spaces is one. */
export const wordsOf = (line: string): string[] =>
  line.match(/(?:'(?:\\.|[^'\\])*'|[^ '])+/g) ?? [];
