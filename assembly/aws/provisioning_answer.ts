// Answers of the fleet provisioning API: put together from fragments in the workspace, then taken
// apart in place: the parts are slices of the workspace, valid until the next answer begins. The
// key of the CSR variant, which no answer carries, lies in front of them.

import { Token, incoming as reader } from "../codec/json_reader";
import { PemKind, kind, normalize } from "../codec/pem";
import { WORKSPACE, WORKSPACE_BYTES } from "../kernel/workspace";
import { putText, wordIndex } from "../util/bytes";

export namespace Part {
  export const CERTIFICATE: i32 = 0;
  export const KEY: i32 = 1;
  export const TOKEN: i32 = 2;
  export const THING_NAME: i32 = 3;
  export const ERROR_CODE: i32 = 4;
  export const ERROR_MESSAGE: i32 = 5;
}
const PARTS: i32 = 6;
const NAMES: usize = utf8(
  "certificatePem privateKey certificateOwnershipToken thingName errorCode errorMessage ",
);

const KEY_BYTES_MAX: i32 = 512;
const BUFFER: usize = WORKSPACE + KEY_BYTES_MAX;
const BUFFER_BYTES: i32 = WORKSPACE_BYTES - KEY_BYTES_MAX;
const ERROR_TEXT_BYTES: i32 = 160;

/** {u32 address, i32 size} a part. */
const parts: usize = memory.data(PARTS * 8, 4);
const errorBuffer: usize = memory.data(ERROR_TEXT_BYTES);

let total: i32 = 0;
let arrived: i32 = -1;
let ownKeySize: i32 = 0;

export let accepted: bool = false;
export let statusCode: i32 = 0;
export let errorTextSize: i32 = 0;

/** A key made on this device, for the certificate that will be asked for. */
export function setKey(from: usize, size: i32): bool {
  if (size > KEY_BYTES_MAX) return false;
  memory.copy(WORKSPACE, from, size);
  ownKeySize = size;
  return true;
}

/** Begins an answer of `size` bytes; false when it is too large to be one. */
export function begin(isAccepted: bool, size: i32): bool {
  arrived = -1;
  if (size > BUFFER_BYTES) return false;
  accepted = isAccepted;
  total = size;
  arrived = 0;
  return true;
}

/** Adds bytes; true when the answer is complete. */
export function append(from: usize, size: i32): bool {
  if (arrived < 0) return false;
  memory.copy(BUFFER + arrived, from, size);
  arrived += size;
  if (arrived < total) return false;
  arrived = -1;
  return true;
}

export function cancel(): void {
  arrived = -1;
}

/** Takes the answer apart; false when it is not JSON. */
export function parse(): bool {
  memory.fill(parts, 0, PARTS * 8);
  statusCode = 0;
  reader.reset();
  reader.feed(BUFFER, total, true);
  let token = reader.next();
  if (token != Token.OBJECT) return false;
  while ((token = reader.next()) == Token.KEY) {
    const part = wordIndex(NAMES, reader.text, reader.size, true);
    const isStatus = reader.is(utf8("statusCode"));
    token = reader.skip();
    if (token == Token.ERROR || token == Token.MORE) return false;
    if (isStatus && token == Token.NUMBER) statusCode = <i32>reader.integer();
    if (part >= 0 && token == Token.STRING) {
      store<u32>(parts + (part << 3), <u32>reader.text);
      store<i32>(parts + (part << 3), reader.size, 4);
    }
  }
  return token == Token.OBJECT_END && reader.next() == Token.END;
}

/** Address of a part, 0 when the answer does not have it. */
export function at(part: i32): usize {
  return load<u32>(parts + (part << 3));
}

export function sizeOf(part: i32): i32 {
  return load<i32>(parts + (part << 3), 4);
}

/** Repairs and checks the certificate in place. */
export function normalizeCertificate(): bool {
  return normalizePart(Part.CERTIFICATE) == PemKind.CERTIFICATE;
}

function normalizePart(part: i32): u8 {
  const from = at(part);
  if (from == 0) return PemKind.NONE;
  const size = normalize(from, sizeOf(part));
  store<i32>(parts + (part << 3), size, 4);
  return kind(from, size);
}

/** The key that belongs to the certificate: of the answer, or made here; 0 when there is none. */
export function keyAt(): usize {
  if (at(Part.KEY) == 0) return ownKeySize > 0 ? WORKSPACE : 0;
  return normalizePart(Part.KEY) == PemKind.PRIVATE_KEY ? at(Part.KEY) : 0;
}

export function keySize(): i32 {
  return at(Part.KEY) == 0 ? ownKeySize : sizeOf(Part.KEY);
}

/** "errorCode: errorMessage" of a rejection; its size is in errorTextSize. */
export function errorText(): usize {
  const codeSize = min(sizeOf(Part.ERROR_CODE), ERROR_TEXT_BYTES / 2);
  memory.copy(errorBuffer, at(Part.ERROR_CODE), codeSize);
  const message = putText(errorBuffer + codeSize, utf8(": "));
  const room = ERROR_TEXT_BYTES - <i32>(message - errorBuffer);
  const messageSize = min(sizeOf(Part.ERROR_MESSAGE), room);
  memory.copy(message, at(Part.ERROR_MESSAGE), messageSize);
  errorTextSize = <i32>(message - errorBuffer) + messageSize;
  return errorBuffer;
}
