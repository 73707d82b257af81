// PEM text (RFC 7468) around bytes, and the bytes inside it. What stands between the lines is not
// looked at. Used by memory_authority.ts
// and ../defaults.ts.

const LINE_CHARACTERS = 64;
const BLOCK = /^-----BEGIN ([A-Z ]+)-----\n([A-Za-z0-9+/=\n]+)-----END \1-----\n?$/;

export interface PemBlock {
  /** What stands after BEGIN, for instance CERTIFICATE. */
  readonly label: string;
  readonly bytes: Buffer;
}

/** Ends with a line feed, as files and AWS's answers do. */
export function pemOf(label: string, bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
  let lines = "";
  for (let at = 0; at < text.length; at += LINE_CHARACTERS) {
    lines += `${text.slice(at, at + LINE_CHARACTERS)}\n`;
  }
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

/** Null for what is not exactly one block. Line ends of any kind are taken. */
export function readPem(text: string): PemBlock | null {
  const match = BLOCK.exec(text.replace(/\r\n?/g, "\n"));
  if (match === null) return null;
  return { label: match[1]!, bytes: Buffer.from(match[2]!, "base64") };
}
