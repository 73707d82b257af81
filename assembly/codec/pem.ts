// PEM as people really paste it: keys and certificates out of JSON whose line ends were escaped
// twice, or out of files made on Windows. normalize() repairs the text in place before it is
// stored; kind() says what it is, and refuses a text that was cut off, so that a bad one is found
// at configuration and not at the first TLS handshake. RFC 7468, strict text, without the
// encapsulated headers of encrypted keys: a device has nobody to ask for the passphrase.

import { endsWithText, equal, startsWithText, textSize } from "../util/bytes";
import { Base64Decoder } from "./base64";

export namespace PemKind {
  export const NONE: u8 = 0;
  /** One certificate or a chain of them. */
  export const CERTIFICATE: u8 = 1;
  /** One unencrypted key: PKCS #8, PKCS #1 (RSA) or SEC 1 (EC). */
  export const PRIVATE_KEY: u8 = 2;
}

/**
 * Turns `\n` written out as two characters into line ends, drops CR (and `\r` written out), trims
 * blank space at both ends, and ends the text with exactly one line end. Returns the new size; 0
 * when nothing but blank space was there. The result is at most one byte longer than the text (a
 * text without a line end at its end gets one): the buffer holds at least size + 1 bytes.
 */
export function normalize(at: usize, size: i32): i32 {
  const end = at + size;
  let to = at;
  for (let from = at; from < end; from++) {
    let byte = load<u8>(from);
    if (byte == 0x5c && from + 1 < end) {
      const next = load<u8>(from, 1);
      if (next == 0x6e) byte = 0x0a;
      if (next == 0x72) byte = 0x0d;
      if (byte != 0x5c) from++;
    }
    if (byte == 0x0d || (byte <= 0x20 && to == at)) continue;
    store<u8>(to++, byte);
  }
  while (to > at && load<u8>(to - 1) <= 0x20) to--;
  if (to > at) store<u8>(to++, 0x0a);
  return <i32>(to - at);
}

const CERTIFICATE: usize = utf8("CERTIFICATE");
const PRIVATE_KEY: usize = utf8("PRIVATE KEY");
const RSA_PRIVATE_KEY: usize = utf8("RSA PRIVATE KEY");
const EC_PRIVATE_KEY: usize = utf8("EC PRIVATE KEY");

/** What is still to be judged. */
let cursor: usize = 0;
let end: usize = 0;

/** What a normalized text holds (one of PemKind); NONE for anything it cannot vouch for. */
export function kind(at: usize, size: i32): u8 {
  cursor = at;
  end = at + size;
  let found = PemKind.NONE;
  while (cursor < end) {
    const block = blockKind();
    // Only a certificate may have a second block behind it, and that must be one too.
    if (!block || (found && (found | block) != PemKind.CERTIFICATE)) return PemKind.NONE;
    found = block;
  }
  return found;
}

/** Steps over one block and says what it is; NONE when it is not whole. */
function blockKind(): u8 {
  if (!take(utf8("-----BEGIN "))) return PemKind.NONE;
  let label: usize = 0;
  if (take(CERTIFICATE)) label = CERTIFICATE;
  else if (take(PRIVATE_KEY)) label = PRIVATE_KEY;
  else if (take(RSA_PRIVATE_KEY)) label = RSA_PRIVATE_KEY;
  else if (take(EC_PRIVATE_KEY)) label = EC_PRIVATE_KEY;
  if (!label || !take(utf8("-----\n")) || !body()) return PemKind.NONE;
  if (!take(utf8("-----END ")) || !take(label) || !take(utf8("-----\n"))) return PemKind.NONE;
  while (take(utf8("\n"))) {}
  return label == CERTIFICATE ? PemKind.CERTIFICATE : PemKind.PRIVATE_KEY;
}

/** Steps over base64 lines; their length shows whether characters were lost. */
function body(): bool {
  let characters = 0;
  let padding = 0;
  for (; cursor < end; cursor++) {
    const byte = load<u8>(cursor);
    if (byte == 0x0a) continue;
    if (byte == 0x3d) padding++;
    else if (padding || !isBase64(byte)) break;
    characters++;
  }
  return characters > 0 && padding <= 2 && !(characters & 3);
}

function isBase64(byte: u32): bool {
  return (byte | 0x20) - 0x61 < 26 || byte - 0x2f < 11 || byte == 0x2b; // A-Z a-z, / 0-9, +
}

/** Steps over `text` where the cursor stands before it. */
function take(text: usize): bool {
  if (!startsWithText(cursor, <i32>(end - cursor), text)) return false;
  cursor += textSize(text);
  return true;
}

// SubjectPublicKeyInfo of a key on P-256 (RFC 5480): 26 bytes that are always the same, then the
// uncompressed point.
const SPKI: usize = memory.data<u8>([
  0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
  0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
]);
const SPKI_BYTES: i32 = 26;
const POINT_BYTES: i32 = 65;

/**
 * Puts the point (SEC 1, 2.3.3: 4, x, y; 65 bytes) in the place of a normalized PEM public key on
 * P-256. Returns 65, or 0 for anything else.
 */
export function publicPoint(at: usize, size: i32): i32 {
  const head = utf8("-----BEGIN PUBLIC KEY-----\n");
  const tail = utf8("-----END PUBLIC KEY-----\n");
  if (!startsWithText(at, size, head) || !endsWithText(at, size, tail)) return 0;
  const base64 = new Base64Decoder();
  let bytes = 0;
  for (let from = at + textSize(head); from < at + size - textSize(tail); from++) {
    if (load<u8>(from) != 0x0a) bytes += base64.decode(at + bytes, from, 1);
  }
  const isKey = bytes == SPKI_BYTES + POINT_BYTES && base64.complete && equal(at, SPKI, SPKI_BYTES);
  if (!isKey || load<u8>(at, SPKI_BYTES) != 4) return 0;
  memory.copy(at, at + SPKI_BYTES, POINT_BYTES);
  return POINT_BYTES;
}
