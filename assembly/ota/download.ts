// The download: chunks of the update from the server to the next slot, one at a time, each in
// flash before the next is asked for. An interruption goes on by Range from the last whole
// sector; so does a restart, from the checkpoint in the record, if the document announces the
// same SHA-256. ota.ts performs the machine's actions with it.

import {
  Dataset,
  Event,
  OtaState,
  OtaTarget,
  Status,
  httpAbort,
  httpGet,
  httpRead,
  httpRedirect,
  otaBegin,
  otaWrite,
  sysRandom,
} from "../abi/host";
import * as job from "../aws/job_in_hand";
import { At } from "../codec/image_header";
import * as places from "../flash/places";
import * as records from "../flash/store";
import { emit } from "../kernel/events";
import { Backoff } from "../util/backoff";
import { putDecimal, putText } from "../util/bytes";
import * as check from "./check";
import { Failure } from "./failure";
import { Input, fail, interrupt, isInProgress, isLate, setDeadline, step } from "./machine";
import * as order from "./order";
import * as record from "./record";
import * as trial from "./trial";

const CHUNK_BYTES: i32 = 1536;
const SECTOR_BYTES: u32 = 4096;
/** What is in flash is noted each time so many bytes more are. */
const CHECKPOINT_BYTES: u32 = 65536;
/** An answer, or a chunk, comes within this, or the connection counts as lost. */
const READ_MS: u32 = 30000;
const RETRY_MS_MIN: u32 = 2000;
const RETRY_MS_MAX: u32 = 60000;
/** Interruptions in a row without a whole chunk between them. */
const INTERRUPTIONS_MAX: i32 = 8;
const REDIRECTS_MAX: i32 = 3;
/** The service is told each time so many percent more are in flash. */
const PERCENT_TOLD: i32 = 5;
const WORDS_BYTES: i32 = 8;

let backoff: Backoff = changetype<Backoff>(0);
let words: usize = 0;
let target: u8 = 0;
/** Bytes of the update that are in the slot, and those it has in all; 0: not known yet. */
export let written: u32 = 0;
let total: u32 = 0;
let capacity: i32 = 0;
/** The chunk that is being written; 0 bytes: none is. */
let chunk: usize = 0;
let chunkBytes: i32 = 0;
/** A request is under way. */
let isRequesting: bool = false;
/** It is being given up, and the next one follows at once (a redirect, a range that is none). */
let asksAgain: bool = false;
/** The server has said all. */
let isEnded: bool = false;
let interruptions: i32 = 0;
let redirects: i32 = 0;
/** The slot is not what it was: a failure ends in a restart. */
export let hasBegun: bool = false;
/** Percent of the update that is in flash, and the figure that the service was told last. */
export let percent: i32 = 0;
let percentTold: i32 = 0;

export function prepare(): void {
  words = heap.alloc(WORDS_BYTES);
  backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX);
}

/** A new update, of which `from` bytes are in the slot already. */
export function begin(kind: u8, from: u32): void {
  target = kind;
  written = from;
  total = order.size;
  chunkBytes = 0;
  interruptions = 0;
  redirects = 0;
  hasBegun = false;
  asksAgain = false;
  percent = 0;
  percentTold = 0;
  backoff.reset();
}

/** A chunk is on its way to flash. */
export function isWriting(): bool {
  return chunkBytes > 0;
}

/** The request under way, if there is one, is given up for good. */
export function stop(): void {
  asksAgain = false;
  if (isRequesting) httpAbort();
}

/** Asks for what is missing, from a whole sector on. */
export function request(): void {
  if (total != 0 && written >= total) written = total - 1;
  written &= ~(SECTOR_BYTES - 1);
  isEnded = false;
  setDeadline(READ_MS);
  const ca = places.inForce(Dataset.ROOT_CA);
  const status = httpGet(written, records.offset(ca), records.size(ca));
  isRequesting = status >= 0;
  if (status == Status.REFUSED || status == Status.INVALID_ARGUMENT) fail(Failure.NOT_HTTPS, 0);
  else if (status < 0) interrupt(Failure.CONNECTION, status);
}

/** The request is given up, and made again when it is over. */
function requestAgain(): void {
  asksAgain = true;
  httpAbort();
}

/** Event HTTP_RESPONSE: {u32 first byte, u32 bytes of the whole} at `payload`. */
export function onResponse(code: i32, bodyBytes: i32, payload: usize): void {
  if (trial.state != OtaState.CHECKING) return;
  if (code == 200)
    written = 0; // also where a range was asked for and the server knows none
  else if (code != 206 || load<u32>(payload) != written) {
    onOtherResponse(code);
    return;
  }
  const whole = load<u32>(payload, 4);
  const size = whole != u32.MAX_VALUE ? whole : bodyBytes >= 0 ? written + bodyBytes : 0;
  if (size != 0 && order.size != 0 && size != order.size) {
    fail(size > order.size ? Failure.LONGER : Failure.SHORTER, 0);
    return;
  }
  total = size != 0 ? size : order.size;
  if (written > 0) step(Input.GOOD);
  else read();
}

function onOtherResponse(code: i32): void {
  if (code >= 301 && code <= 308 && code != 304) {
    const status = ++redirects <= REDIRECTS_MAX ? httpRedirect() : Status.NOT_FOUND;
    if (status == Status.REFUSED) fail(Failure.NOT_HTTPS, 0);
    else if (status < 0) fail(Failure.HTTP_STATUS, code);
    else requestAgain();
  } else if (code == 416 && written > 0) {
    written = 0;
    requestAgain();
  } else if (code == 401 || code == 403) {
    // A presigned URL has expired: the document comes again with a new one.
    order.takeUrlOnly();
    job.askForDocument();
    interrupt(Failure.HTTP_STATUS, code);
  } else if (code >= 500 || code == 408 || code == 429) {
    interrupt(Failure.HTTP_STATUS, code);
  } else {
    fail(Failure.HTTP_STATUS, code);
  }
}

export function read(): void {
  setDeadline(READ_MS);
  if (httpRead(CHUNK_BYTES) < 0 && !isEnded) interrupt(Failure.CONNECTION, Status.CONNECTION_LOST);
}

/** Event HTTP_BODY. */
export function onBody(payload: usize, size: i32): void {
  chunk = payload;
  chunkBytes = size;
  if (trial.state == OtaState.CHECKING) {
    const why = judge();
    if (why != Failure.NONE) fail(why, check.detail);
    else step(Input.GOOD);
  } else if (trial.state == OtaState.DOWNLOADING) {
    write();
  } else {
    chunkBytes = 0;
  }
}

/** The first bytes decide whether the update suits this device. */
function judge(): u8 {
  if (target == OtaTarget.MODULE) return check.checkModule(chunk, chunkBytes);
  const why = check.checkImage(chunk, chunkBytes, order.force);
  if (why != Failure.NONE) return why;
  return order.isVersion(chunk + At.VERSION) ? Failure.NONE : Failure.OTHER_VERSION;
}

/** The answer suits: the slot is opened where it goes on, and the first chunk written. */
export function take(): void {
  if (written > 0) chunkBytes = 0;
  capacity = otaBegin(target, written);
  if (capacity < 0) {
    fail(Failure.NO_SLOT, capacity);
  } else if (total > <u32>capacity) {
    fail(Failure.TOO_LARGE, capacity);
  } else {
    enterWriting();
    if (chunkBytes > 0) write();
    else read();
  }
}

export function enterWriting(): void {
  hasBegun = true;
  trial.enterOtaMode();
}

function write(): void {
  const end = written + chunkBytes;
  const status = end > <u32>capacity ? Status.NO_SPACE : otaWrite(chunk, chunkBytes);
  if (total != 0 && end > total) fail(Failure.LONGER, 0);
  else if (status == Status.NO_SPACE) fail(Failure.TOO_LARGE, capacity);
  else if (status < 0) fail(Failure.FLASH, status);
}

/** Event OTA_DONE for a chunk. */
export function onChunkWritten(status: i32): void {
  written += chunkBytes;
  chunkBytes = 0;
  if (status < 0) {
    fail(Failure.FLASH, status);
    return;
  }
  interruptions = 0;
  keepCheckpoint();
  showProgress();
  if (trial.state != OtaState.DOWNLOADING) return;
  if (isEnded || (total != 0 && written == total)) finishDownload();
  else step(Input.WRITTEN);
}

function finishDownload(): void {
  if (total != 0 && written < total) fail(Failure.SHORTER, 0);
  else step(Input.WHOLE);
}

function keepCheckpoint(): void {
  if (order.sha256() == 0 || written < record.checkpoint() + CHECKPOINT_BYTES) return;
  if (!record.isWritten()) return;
  record.setCheckpoint(written & ~(SECTOR_BYTES - 1));
  record.write();
}

function showProgress(): void {
  if (total == 0) return;
  const now = <i32>((<u64>written * 100) / total);
  if (now == percent) return;
  percent = now;
  emit(Event.OTA_PROGRESS, now);
  if (now < percentTold + PERCENT_TOLD) return;
  percentTold = now;
  const end = putText(putDecimal(words, now), utf8("%"));
  job.setProgress(words, <i32>(end - words), 0, false);
}

/** Event HTTP_DOWN. */
export function onDown(status: i32): void {
  isRequesting = false;
  if (asksAgain) {
    asksAgain = false;
    request();
  } else if (status != Status.OK) {
    const isFinal = status == Status.TLS_SERVER_REFUSED || status == Status.CREDENTIALS_INVALID;
    if (isFinal && isInProgress()) fail(Failure.CONNECTION, status);
    else interrupt(Failure.CONNECTION, status);
  } else {
    isEnded = true;
    if (trial.state == OtaState.CHECKING) fail(Failure.SHORTER, 0);
    else if (trial.state == OtaState.DOWNLOADING && chunkBytes == 0) finishDownload();
  }
}

export function retryLater(): void {
  if (isRequesting) httpAbort();
  if (++interruptions > INTERRUPTIONS_MAX) {
    step(Input.BAD);
    return;
  }
  sysRandom(words, 4);
  setDeadline(backoff.next(load<u32>(words)));
}

/** Timer.OTA, while the answer, a chunk or the next attempt is due. */
export function onTimer(): void {
  if (isLate()) {
    fail(Failure.TOO_LONG, 0);
  } else if (chunkBytes > 0) {
    setDeadline(READ_MS); // the flash is slower than the network; it will answer
  } else if (trial.state == OtaState.WAITING) {
    step(Input.TIMER);
  } else {
    interrupt(Failure.CONNECTION, Status.TIMEOUT);
  }
}
