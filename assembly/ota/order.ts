// The update that a job document orders, read member by member as the document arrives:
//
//   {"action":"OTA","url":"https://...","size":N,"sha256":"hex","signature":"base64",
//    "version":"1.2.3","force":true}
//   {"action":"APP", the same, or "module":"base64" in place of "url"}
//
// The URL goes to the host part by part and never lies in the core whole. A module in the document
// goes to its slot as it comes, so "action" has to stand before "module". Used by ota.ts.

import { OtaTarget, DIGEST_BYTES, SIGNATURE_BYTES, httpUrl, otaBegin, otaWrite } from "../abi/host";
import { Watcher, Wish } from "../aws/job_message";
import { Base64Decoder } from "../codec/base64";
import { TEXT_BYTES } from "../codec/image_header";
import { equalsText, startsWithText, wordIndex } from "../util/bytes";
import { checkModule, detail as checkDetail } from "./check";
import { Failure } from "./failure";
import * as trial from "./trial";

namespace Member {
  export const NONE: i32 = -1;
  export const ACTION: i32 = 0;
  export const URL: i32 = 1;
  export const SIZE: i32 = 2;
  export const SHA256: i32 = 3;
  export const SIGNATURE: i32 = 4;
  export const VERSION: i32 = 5;
  export const FORCE: i32 = 6;
  export const MODULE: i32 = 7;
}

const ACTION_BYTES: i32 = 4;
const HTTPS_BYTES: i32 = 8;
const HEAD_BYTES: i32 = 32;

// One block of memory, taken by prepare(): {SHA-256, signature, version, action, first bytes}
const SIGNATURE_AT: usize = 32;
const VERSION_AT: usize = 96;
const ACTION_AT: usize = 128;
const HEAD_AT: usize = 132;
const BLOCK_BYTES: i32 = 164;
let block: usize = 0;
let base64: Base64Decoder = changetype<Base64Decoder>(0);

let isUrlOnly: bool = false;
let member: i32 = Member.NONE;
/** Bits of the members that were seen whole. */
let seen: u32 = 0;
/** Bytes of the member so far; hexadecimal digits of the SHA-256. */
let bytes: i32 = 0;
let actionSize: i32 = 0;
let urlSize: i32 = 0;
let versionSize: i32 = 0;
let headSize: i32 = 0;

/** Failure.NONE, or what is wrong with the document or the module in it; and a number beside it. */
export let failure: u8 = Failure.NONE;
export let detail: i32 = 0;
/** Announced size; 0 when the document does not say. */
export let size: u32 = 0;
export let force: bool = false;
/** Bytes of the module in the document that went to its slot. */
export let inlineBytes: u32 = 0;
/** Writes of it that the host has not answered. */
export let pendingWrites: i32 = 0;
let capacity: i32 = 0;

export function prepare(): void {
  block = heap.alloc(BLOCK_BYTES);
  base64 = new Base64Decoder();
}

/** 0 OTA, 1 APP, the values of OtaTarget; -1 for any other document. */
export function target(): i32 {
  return wordIndex(utf8("OTA APP "), block + ACTION_AT, actionSize, true);
}

export function hasUrl(): bool {
  return (seen & (1 << Member.URL)) != 0;
}

export function hasModule(): bool {
  return (seen & (1 << Member.MODULE)) != 0;
}

/** Address of the announced SHA-256, or 0. */
export function sha256(): usize {
  return (seen & (1 << Member.SHA256)) != 0 ? block : 0;
}

/** Address of the signature, or 0. */
export function signature(): usize {
  return (seen & (1 << Member.SIGNATURE)) != 0 ? block + SIGNATURE_AT : 0;
}

/** Whether the image, whose version is 32 bytes at `text`, is the one that the document names. */
export function isVersion(text: usize): bool {
  if (versionSize == 0) return true;
  const isShorter = versionSize == TEXT_BYTES || load<u8>(text + versionSize) == 0;
  return isShorter && memory.compare(text, block + VERSION_AT, versionSize) == 0;
}

/** The document comes again, for the sake of its URL; all else stays as it was first read. */
export function takeUrlOnly(): void {
  isUrlOnly = true;
}

/** The update is over. */
export function release(): void {
  isUrlOnly = false;
}

/** Event OTA_DONE for a write of the module in the document. */
export function onWritten(status: i32): void {
  pendingWrites--;
  if (status < 0) fail(Failure.FLASH, status);
}

function fail(why: u8, number: i32): void {
  if (failure != Failure.NONE) return;
  failure = why;
  detail = number;
}

export class Order extends Watcher {
  begin(): void {
    member = Member.NONE;
    urlSize = 0;
    if (isUrlOnly) return;
    seen = 0;
    actionSize = 0;
    versionSize = 0;
    headSize = 0;
    failure = Failure.NONE;
    detail = 0;
    size = 0;
    force = false;
    inlineBytes = 0;
  }

  wants(key: usize, keySize: i32, own: bool): u8 {
    member = own
      ? wordIndex(
          utf8("action url size sha256 signature version force module "),
          key,
          keySize,
          true,
        )
      : Member.NONE;
    if (isUrlOnly) return member == Member.URL ? Wish.VALUE : Wish.NOTHING;
    if (member == Member.NONE || (seen & (1 << member)) != 0) return Wish.NOTHING;
    bytes = 0;
    base64.reset();
    // Before the action is known a module may be anybody's.
    if (member != Member.MODULE) return Wish.VALUE;
    return target() == <i32>OtaTarget.MODULE ? Wish.STREAM : Wish.NOTHING;
  }

  take(from: usize, partSize: i32, last: bool): void {
    switch (member) {
      case Member.ACTION:
        actionSize = collect(block + ACTION_AT, actionSize, ACTION_BYTES, from, partSize);
        break;
      case Member.VERSION:
        versionSize = collect(block + VERSION_AT, versionSize, TEXT_BYTES, from, partSize);
        break;
      case Member.URL:
        takeUrl(from, partSize);
        break;
      case Member.SIZE:
        takeSize(from, partSize);
        break;
      case Member.SHA256:
        takeHex(from, partSize, last);
        break;
      case Member.SIGNATURE:
        takeSignature(from, partSize, last);
        break;
      case Member.FORCE:
        force = equalsText(from, partSize, utf8("true"));
        break;
      case Member.MODULE:
        takeModule(from, partSize, last);
        break;
    }
    if (last) seen |= 1 << member;
  }
}

/** Appends to a text; one that is too long gets a size that no text has, and fails the order. */
function collect(to: usize, before: i32, room: i32, from: usize, partSize: i32): i32 {
  const sum = before + partSize;
  if (sum > room) {
    if (member == Member.VERSION) fail(Failure.BAD_FIELD, 0);
    return room + 1;
  }
  memory.copy(to + before, from, partSize);
  return sum;
}

/** The scheme is looked at where it stands, in the first part: a part is cut only by the end of a
 * fragment, and a URL that is cut there in its first eight bytes is put together first. */
function takeUrl(from: usize, partSize: i32): void {
  const isFirst = urlSize == 0;
  const scheme = block + HEAD_AT;
  if (urlSize < HTTPS_BYTES) {
    memory.copy(scheme + urlSize, from, min(partSize, HTTPS_BYTES - urlSize));
  }
  urlSize += partSize;
  if (urlSize >= HTTPS_BYTES && !startsWithText(scheme, HTTPS_BYTES, utf8("https://"))) {
    fail(Failure.NOT_HTTPS, 0);
  }
  if (httpUrl(from, partSize, isFirst ? 1 : 0) < 0) fail(Failure.NOT_HTTPS, 0);
}

function takeSize(from: usize, digits: i32): void {
  let value: u64 = 0;
  for (let i = 0; i < digits; i++) {
    const digit = <u32>load<u8>(from + i) - 0x30;
    value = digit < 10 ? value * 10 + digit : u64.MAX_VALUE >> 8;
  }
  if (value == 0 || digits > 10 || value > <u64>i32.MAX_VALUE) fail(Failure.BAD_FIELD, 0);
  else size = <u32>value;
}

function takeHex(from: usize, digits: i32, last: bool): void {
  for (let i = 0; i < digits && bytes < DIGEST_BYTES * 2; i++, bytes++) {
    const digit = hexValue(load<u8>(from + i));
    const place = block + (bytes >> 1);
    const high = (bytes & 1) == 0 ? 0 : load<u8>(place) << 4;
    if (digit < 0 || bytes + digits - i > DIGEST_BYTES * 2) fail(Failure.BAD_FIELD, 0);
    store<u8>(place, <u8>(high | digit));
  }
  if (last && bytes != DIGEST_BYTES * 2) fail(Failure.BAD_FIELD, 0);
}

/** 0 to 15, or -1. */
function hexValue(byte: u32): i32 {
  if (byte - 0x30 < 10) return byte - 0x30;
  const letter = (byte | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : -1;
}

function takeSignature(from: usize, partSize: i32, last: bool): void {
  const decoded = base64.decode(from, from, partSize);
  if (bytes + decoded > SIGNATURE_BYTES) {
    fail(Failure.BAD_FIELD, 0);
    return;
  }
  memory.copy(block + SIGNATURE_AT + bytes, from, decoded);
  bytes += decoded;
  if (last && (bytes != SIGNATURE_BYTES || !base64.complete)) fail(Failure.BAD_FIELD, 0);
}

/** Decodes where it stands. The first bytes wait until they can be judged; nothing is written
 * before. */
function takeModule(from: usize, partSize: i32, last: bool): void {
  let decoded = base64.decode(from, from, partSize);
  if (last && !base64.complete) fail(Failure.NOT_BASE64, 0);
  if (headSize < HEAD_BYTES) {
    const taken = min(decoded, HEAD_BYTES - headSize);
    memory.copy(block + HEAD_AT + headSize, from, taken);
    headSize += taken;
    from += taken;
    decoded -= taken;
    if (headSize == HEAD_BYTES || last) beginModule();
  }
  if (decoded > 0) write(from, decoded);
}

function beginModule(): void {
  const why = checkModule(block + HEAD_AT, headSize);
  if (why != Failure.NONE) fail(why, checkDetail);
  if (trial.key == 0 && !trial.allowsUnsigned) fail(Failure.NO_KEY, 0);
  if (failure != Failure.NONE) return;
  capacity = otaBegin(OtaTarget.MODULE, 0);
  if (capacity < 0) fail(Failure.NO_SLOT, capacity);
  else write(block + HEAD_AT, headSize);
}

function write(from: usize, count: i32): void {
  if (failure != Failure.NONE) return;
  inlineBytes += count;
  if (<i32>inlineBytes > capacity) {
    fail(Failure.TOO_LARGE, capacity);
    return;
  }
  const status = otaWrite(from, count);
  if (status < 0) fail(Failure.FLASH, status);
  else pendingWrites++;
}
