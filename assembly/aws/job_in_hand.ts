// The job in hand: what it is, how far it is, and what it came to; a part of the SYSTEM_STATUS
// record. jobs.ts brings it and tells its result; the application's handlers do the work.
//
//   NONE -> STARTING -> STARTED -> FINISHING -> FINISHED -> NONE   (-ING: until it is in flash)

import { Event, JobStatus } from "../abi/host";
import { JsonWriter } from "../codec/json_writer";
import { emit } from "../kernel/events";
import { textSize } from "../util/bytes";
import * as message from "./job_message";
import * as progress from "./progress";

/** Times that a job which survives restarts is begun; the next restart fails it. */
const ATTEMPTS_MAX: u8 = 3;
const DETAIL_BYTES_MAX: i32 = 128;

export namespace Phase {
  export const NONE: u8 = 0;
  export const STARTING: u8 = 1;
  export const STARTED: u8 = 2;
  export const FINISHING: u8 = 3;
  export const FINISHED: u8 = 4;
}

const PHASE: usize = 0;
const ATTEMPTS: usize = 1;
const RESULT: usize = 2;
const ID_SIZE: usize = 3;
const EXECUTION: usize = 4;
const ID: usize = 8;

/** Version of the execution, as the cloud told last. */
let known: i64 = 0;
/** This life has begun the job: its document is in memory and its handler knows it. */
let isHere: bool = false;
let mustStart: bool = false;
let mustCancel: bool = false;
/** The document must be asked for again; see askForDocument(). */
export let wantsDocument: bool = false;
/** Who works on jobs: an update if there is one, then the application's handlers. */
export abstract class Worker {
  /** Whether the document that was read last is for this worker. */
  abstract takes(): bool;
  /** Begins the work; `attempt` is above 1 when the device restarted during the job. */
  abstract begin(attempt: u8): void;
  /** The job is this worker's now; its record is written after this, and begin() follows. */
  onTaken(): void {}
  /** Whether the job may be begun again after a restart. */
  abstract survives(): bool;
  /** The cloud has given the job up: stop. */
  abstract cancel(): void;
  /** After a restart during the job: true when it came to a result meanwhile, told by finish(). */
  resolve(): bool {
    return false;
  }
  /** The service has accepted the progress that was reported last. */
  onTold(): void {}
}

let update: Worker | null = null;
let application: Worker | null = null;
/** Who has begun the job in hand. */
let worker: Worker | null = null;

/** Set while the device may not take a job: what runs is on trial. */
export let isHeld: bool = false;

let progressSize: i32 = -1;
let reasonSize: i32 = 0;
let stepTimeoutMinutes: i32 = 0;
let details: usize = 0;

/** Once, when the first worker comes. */
export function prepare(): void {
  details = heap.alloc(DETAIL_BYTES_MAX * 2);
}

export function workOnUpdates(by: Worker): void {
  update = by;
}

export function workForApplication(by: Worker): void {
  application = by;
}

export function hold(held: bool): void {
  isHeld = held;
}

/** The worker for the document that was read last, or null. */
function find(): Worker | null {
  if (update !== null && update!.takes()) return update;
  return application !== null && application!.takes() ? application : null;
}

export function phase(): u8 {
  return load<u8>(progress.job, PHASE);
}

export function id(): usize {
  return progress.job + ID;
}

export function idSize(): i32 {
  return load<u8>(progress.job, ID_SIZE);
}

export function result(): u8 {
  return load<u8>(progress.job, RESULT);
}

/** The result in AWS's words. */
export function resultText(): usize {
  if (result() == JobStatus.SUCCEEDED) return utf8("SUCCEEDED");
  return result() == JobStatus.FAILED ? utf8("FAILED") : utf8("REJECTED");
}

export function version(): i64 {
  return known;
}

export function setVersion(number: i64): void {
  known = number;
}

/** Whether the job in hand is this execution; 0 when the answer broke off before its number. */
export function is(jobId: usize, size: i32, execution: i64): bool {
  return (
    phase() != Phase.NONE &&
    size == idSize() &&
    memory.compare(id(), jobId, size) == 0 &&
    (execution == 0 || <u32>execution == load<u32>(progress.job, EXECUTION))
  );
}

/** Its document is in memory and must stay there. */
export function hasDocument(): bool {
  return isHere && !wantsDocument;
}

/** The document is to come again, with new URLs in it; jobs.ts asks for it. */
export function askForDocument(): void {
  wantsDocument = true;
}

/** A new connection: what a restart interrupted is no longer being written. */
export function settle(): void {
  if (isHere) return;
  if (phase() == Phase.FINISHING) store<u8>(progress.job, Phase.FINISHED, PHASE);
  if (phase() == Phase.STARTING) store<u8>(progress.job, Phase.STARTED, PHASE);
}

/** A new job: the handler runs when the record says that it does. */
export function begin(jobId: usize, size: i32, execution: i64, number: i64): void {
  store<u8>(progress.job, 0, ATTEMPTS);
  store<u8>(progress.job, <u8>size, ID_SIZE);
  store<u32>(progress.job, <u32>execution, EXECUTION);
  memory.copy(id(), jobId, size);
  known = number;
  startAgain();
}

/** The cloud still has our job in progress. After a restart: resume it, or fail it. */
export function goOn(number: i64): void {
  known = number;
  wantsDocument = false;
  if (isHere) told();
  if (isHere || phase() == Phase.FINISHED) return;
  const by = find();
  if (by !== null && by.resolve()) return;
  if (by !== null && by.survives() && load<u8>(progress.job, ATTEMPTS) < ATTEMPTS_MAX) startAgain();
  else finish(JobStatus.FAILED, utf8("the device restarted during the job"));
}

function startAgain(): void {
  isHere = true;
  reasonSize = 0;
  progressSize = -1;
  store<u8>(progress.job, load<u8>(progress.job, ATTEMPTS) + 1, ATTEMPTS);
  const by = find();
  if (by !== null) by.onTaken();
  setPhase(Phase.STARTING);
}

function setPhase(to: u8): void {
  store<u8>(progress.job, to, PHASE);
  progress.write();
}

/** The handler, or this library, has come to a result. Later results change nothing. */
export function finish(status: u8, reason: usize): void {
  finishText(status, reason, textSize(reason));
}

export function finishText(status: u8, reason: usize, size: i32): void {
  if (phase() != Phase.STARTED) return;
  reasonSize = keepText(details + DETAIL_BYTES_MAX, reason, size);
  store<u8>(progress.job, status, RESULT);
  setPhase(Phase.FINISHING);
}

/** The reason of a result that was reached before a restart, where memory has forgotten it. */
export function recallReason(reason: usize): void {
  if (phase() >= Phase.FINISHING && reasonSize == 0) {
    reasonSize = keepText(details + DETAIL_BYTES_MAX, reason, textSize(reason));
  }
}

/** The progress does not wait for its turn: something else waits for the service's answer. */
export let isUrgent: bool = false;

/** How far the job is, for its statusDetails; and (not 0) a new step timeout in minutes. */
export function setProgress(from: usize, size: i32, timeoutMinutes: i32, urgent: bool): void {
  if (phase() != Phase.STARTED) return;
  isUrgent = urgent;
  progressSize = keepText(details, from, size);
  stepTimeoutMinutes = timeoutMinutes;
}

/** Copies a detail; returns its size. Cut between characters where it is too long, and without
 * control characters, so that it needs at most twice its size in JSON. */
function keepText(to: usize, from: usize, size: i32): i32 {
  if (size > DETAIL_BYTES_MAX) {
    size = DETAIL_BYTES_MAX;
    while ((load<u8>(from + size) & 0xc0) == 0x80) size--;
  }
  for (let i = 0; i < size; i++) store<u8>(to + i, max(load<u8>(from + i), 0x20));
  return size;
}

export function hasProgress(): bool {
  return progressSize >= 0 && phase() == Phase.STARTED;
}

/** The service says that the job stands, as far as it has been told. */
export function told(): void {
  if (worker !== null && isHere && progressSize < 0) worker!.onTold();
}

export function mustReport(): bool {
  return phase() == Phase.FINISHED;
}

/** Writes statusDetails (and the step timeout) of an update. */
export function writeDetails(writer: JsonWriter, ofResult: bool): void {
  const size = ofResult ? reasonSize : progressSize;
  if (size > 0) {
    writer.key(utf8("statusDetails"));
    writer.object();
    writer.key(ofResult ? utf8("reason") : utf8("progress"));
    writer.string(ofResult ? details + DETAIL_BYTES_MAX : details, size);
    writer.end();
  }
  if (!ofResult && stepTimeoutMinutes != 0) {
    writer.key(utf8("stepTimeoutInMinutes"));
    writer.integer(stepTimeoutMinutes);
  }
  if (!ofResult) progressSize = -1;
}

/** The record reached flash, or could not be written; `more` when a newer one waits. */
export function onRecord(status: i32, more: bool): void {
  if (more) return;
  const now = phase();
  if (now == Phase.STARTING && isHere) {
    store<u8>(progress.job, Phase.STARTED, PHASE);
    if (status >= 0) mustStart = true;
    else finish(JobStatus.FAILED, utf8("the flash cannot be written"));
  } else if (now == Phase.FINISHING) {
    store<u8>(progress.job, Phase.FINISHED, PHASE);
  }
}

/** Told, or given up by the cloud: nothing in hand. */
export function clear(): void {
  isHere = false;
  mustStart = false;
  wantsDocument = false;
  progress.forgetUpdate();
  setPhase(Phase.NONE);
}

export function cancel(): void {
  mustCancel = isHere && phase() == Phase.STARTED && !mustStart;
  clear();
}

/** Calls the handlers, outside of all machines. */
export function deliver(): void {
  if (mustCancel) {
    mustCancel = false;
    if (worker !== null) worker!.cancel();
    __collect();
  }
  if (mustStart) {
    mustStart = false;
    emit(Event.JOB_STARTED, load<u8>(progress.job, ATTEMPTS), id(), idSize());
    begun();
  }
}

function begun(): void {
  const by = find();
  worker = by;
  if (message.documentMalformed) {
    finish(JobStatus.REJECTED, utf8("the document cannot be read"));
  } else if (by !== null) {
    by.begin(load<u8>(progress.job, ATTEMPTS));
  } else if (message.documentTooLarge) {
    finish(JobStatus.REJECTED, utf8("the document is larger than 1536 bytes"));
  } else if (message.hasAction) {
    finish(JobStatus.REJECTED, utf8("this device has no handler for the action"));
  } else {
    finish(JobStatus.REJECTED, utf8("the document has no action"));
  }
}
