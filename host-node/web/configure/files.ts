// Tells what a file is by what stands in it: names of files are anything. AWS hands out five files
// for one device, and two of them are not needed; whoever drops all five must be fine. Nothing that
// is read here leaves the page, except to the device.

import { readCertificate } from "./certificates.js";

/** What of a configuration a file brings. */
export type Piece = "rootCa" | "certificate" | "privateKey" | "document";

export interface Recognized {
  readonly file: string;
  /** Null: of no use, and `text` says why. */
  readonly piece: Piece | null;
  /** AWS hands it out, and a device does not want it: nothing is wrong. */
  readonly isUnneeded?: boolean;
  /** It could be a root CA as well as a device's own: it may sign others. */
  readonly isAmbiguous?: boolean;
  /** What it was taken for, for a person. */
  readonly text: string;
  /** PEM, or the document; empty when it is of no use. */
  readonly content: string;
}

/** A record in the device's flash holds no more. */
const PEM_BYTES_MAX = 4000;
const FILE_BYTES_MAX = 64 * 1024;
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** What a certificate is cannot always be seen in it; then a person says that it is the other. */
export function otherwise(recognized: Recognized): Recognized | null {
  const { piece, text, isAmbiguous = false } = recognized;
  if (!isAmbiguous) return null;
  const other = piece === "rootCa" ? "certificate" : "rootCa";
  const words = text.replace(/^[^:]*/, other === "rootCa" ? "Root CA" : "Certificate");
  return { ...recognized, piece: other, text: words };
}

const useless = (file: string, text: string): Recognized => ({
  file,
  piece: null,
  text,
  content: "",
});

const shownDate = (date: Date): string =>
  date.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });

function isDocument(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

interface Block {
  readonly label: string;
  readonly pem: string;
}

function certificateIn(file: string, blocks: readonly Block[]): Recognized {
  const content = `${blocks.map(({ pem }) => pem).join("\n")}\n`;
  try {
    const { isAuthority, name, notAfter } = readCertificate(blocks[0]!.pem);
    const kind = isAuthority ? "Root CA" : "Certificate";
    const more = blocks.length > 1 ? `, and ${blocks.length - 1} more` : "";
    const end = notAfter.getTime() < Date.now() ? "expired on" : "valid until";
    return {
      file,
      piece: isAuthority ? "rootCa" : "certificate",
      text: `${kind}: ${name}${more}, ${end} ${shownDate(notAfter)}`,
      content,
      isAmbiguous: isAuthority,
    };
  } catch {
    return useless(file, "Not used: this certificate cannot be read");
  }
}

function keyIn(file: string, { label, pem }: Block): Recognized {
  if (label === "ENCRYPTED PRIVATE KEY" || pem.includes("ENCRYPTED")) {
    return useless(
      file,
      "Not used: this key is protected by a password, which a device cannot enter",
    );
  }
  const kind = label === "PRIVATE KEY" ? "Private key" : `Private key (${label.split(" ")[0]})`;
  return { file, piece: "privateKey", text: kind, content: `${pem}\n` };
}

function piecesOfPem(file: string, blocks: readonly Block[]): Recognized[] {
  const certificates = blocks.filter(({ label }) => label === "CERTIFICATE");
  const key = blocks.find(({ label }) => label.endsWith("PRIVATE KEY"));
  const found: Recognized[] = [];
  if (certificates.length > 0) found.push(certificateIn(file, certificates));
  if (key !== undefined) found.push(keyIn(file, key));
  if (found.length > 0) return found;
  const label = blocks[0]!.label.toLowerCase();
  return [{ ...useless(file, `Not needed: ${label}`), isUnneeded: true }];
}

const isTooLong = ({ piece, content }: Recognized): boolean =>
  piece !== "document" && content.length > PEM_BYTES_MAX;

function recognizeText(file: string, text: string): Recognized[] {
  if (isDocument(text)) {
    return [{ file, piece: "document", text: "Configuration document", content: text }];
  }
  if (text.trimStart().startsWith("{")) {
    return [
      useless(file, "Not used: it looks like a configuration document, but is not valid JSON"),
    ];
  }
  const blocks = [...text.matchAll(BLOCK)].map(([pem, label]) => ({ label: label!, pem }));
  if (blocks.length > 0) return piecesOfPem(file, blocks);
  if (/-----BEGIN |-----END /.test(text)) return [useless(file, "Not used: it is cut off")];
  if (text.includes("\0")) return [useless(file, "Not used: it is binary; PEM is text")];
  return [useless(file, "Not used: neither PEM nor a configuration document")];
}

/** What is in a file; more than one thing when certificate and key stand in the same. */
export async function recognize(file: File): Promise<Recognized[]> {
  if (file.size > FILE_BYTES_MAX) return [useless(file.name, "Not used: it is too large")];
  const found = recognizeText(file.name, await file.text());
  return found.map((piece) =>
    isTooLong(piece) ? useless(file.name, "Not used: longer than the device can keep") : piece,
  );
}
