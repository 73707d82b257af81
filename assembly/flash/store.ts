// The record store: the last value of each dataset, in a log of records over raw flash, safe
// against a power cut at any program or erase operation. Reads are at once; writes and erases wait
// in a queue and are worked off by one state machine that never blocks and never allocates: each
// step hands operations to the host and goes on when FLASH_DONE answers them. What a cut leaves
// behind, wear levelling and every bit are explained in docs/FLASH.md.
// Called by system/ (mount, onFlashDone, poll) and by every machine that keeps something.

import { Status, flashErase, flashRead, flashWrite } from "../abi/host";
import { crc32 } from "../codec/crc32";
import { check, Panic } from "../util/assert";
import * as directory from "./directory";
import * as queue from "./queue";
import * as record from "./record";
import * as scan from "./scan";
import { NONE } from "./scan";
import { RECORD_BYTES_MAX, SECTOR_BYTES, UNIT_BYTES } from "./record";

export { RECORD_BYTES_MAX };
export { corruptCount, corruptDataset } from "./scan";

/** What the machine is doing. */
namespace Job {
  /** Nothing in progress: the next step decides. */
  export const NONE: u8 = 0;
  /** Programs the record of the current request. */
  export const RECORD: u8 = 1;
  /** Programs a copy of a live record of the victim. */
  export const COPY: u8 = 2;
  /** Erases the victim. */
  export const ERASE: u8 = 3;
  /** Programs the header of the erased victim. */
  export const HEADER: u8 = 4;
  /** The current request has ended; its listener has not been told yet. */
  export const REPORT: u8 = 5;
}

/** Places tried for one record before its request fails. */
const ATTEMPTS_MAX: i32 = 3;

// The partition.
let mountStatus: i32 = Status.NOT_READY;
let erasesMax: u32 = 0;
/** Sector that takes records, and the free bytes at its end. */
let active: i32 = NONE;
let room: u32 = 0;
/** Erased sector with a header, or NONE. */
let reserve: i32 = NONE;

// Making a reserve: live records of the victim are copied, then it is erased.
let reclaiming: bool = false;
let victim: i32 = NONE;
/** Live records were moved since the last record of a request: not again before the next one. */
let moved: bool = false;
/** Sectors (number modulo 64) that failed to erase since the last time none was left. */
let retired: u64 = 0;

// The operations of the job.
let job: u8 = Job.NONE;
let target: u32 = 0;
let total: u32 = 0;
/** Bytes of the target that the host has accepted. */
let written: u32 = 0;
/** Operations that the host has not answered. */
let outstanding: i32 = 0;
let failed: bool = false;
const header: usize = memory.data(<i32>UNIT_BYTES, 16);
const tail: usize = memory.data(<i32>UNIT_BYTES, 16);

// The current request.
let current: i32 = NONE;
let currentFrom: usize = 0;
let currentSize: i32 = 0;
let attempts: i32 = 0;
let result: i32 = 0;
let running: bool = false;
let listener: (dataset: u8, status: i32) => void = ignore;

function ignore(_dataset: u8, _status: i32): void {}

/**
 * Reads the whole partition and returns the number of datasets found, or a Status: BUSY while an
 * operation is in progress, NO_SPACE when the partition is too small, UNSUPPORTED when a newer
 * format lives there (nothing is touched), or what flash_size or flash_read answered. After a
 * failure every request fails with NOT_READY until a mount succeeds. May begin to erase a reserve.
 */
export function mount(): i32 {
  if (busy()) return Status.BUSY;
  mountStatus = scan.partition();
  if (mountStatus != Status.OK) {
    directory.clear();
    return mountStatus;
  }
  erasesMax = scan.erasesMax;
  active = scan.active;
  room = scan.room;
  reserve = scan.reserve;
  reclaiming = reserve == NONE;
  run(false);
  return directory.count();
}

/** Payload bytes that are committed in flash, or -1 when the dataset has no value. */
export function size(dataset: u8): i32 {
  return directory.storedSize(dataset);
}

/** Where the payload lies in the partition, contiguous; valid until the next FLASH_DONE. */
export function offset(dataset: u8): u32 {
  return directory.payloadOffset(dataset);
}

/** Copies a part of the committed payload; NOT_FOUND without one, INVALID_ARGUMENT beyond it. */
export function read(dataset: u8, at: i32, to: usize, bytes: i32): i32 {
  const stored = size(dataset);
  if (stored < 0) return Status.NOT_FOUND;
  if (at < 0 || bytes < 0 || at > stored - bytes) return Status.INVALID_ARGUMENT;
  return bytes == 0 ? Status.OK : flashRead(offset(dataset) + at, to, bytes);
}

/**
 * Queues a write. The bytes stay the caller's and must be valid until the completion; what is
 * stored is what they hold when programming begins. Takes the place of a request for the same
 * dataset that has not begun. TOO_LARGE above RECORD_BYTES_MAX.
 */
export function write(dataset: u8, from: usize, size: i32): void {
  check(size >= 0, Panic.STORE);
  request(dataset, from, size);
}

/** Queues an erase: the dataset has no value afterwards. The bytes stay in flash for a while. */
export function erase(dataset: u8): void {
  request(dataset, 0, queue.ERASE);
}

function request(dataset: i32, from: usize, size: i32): void {
  check(dataset < directory.DATASETS, Panic.STORE);
  if (dataset == current && job != Job.RECORD && job != Job.REPORT) {
    currentFrom = from;
    currentSize = size;
  } else {
    queue.put(dataset, from, size);
  }
  run(false);
}

/** Sectors of the partition; 0 before a mount. */
export function sectorCount(): i32 {
  return scan.sectors;
}

/** Whether something is queued or in progress, repair work included. */
export function busy(): bool {
  return job != Job.NONE || reclaiming || current != NONE || !queue.isEmpty();
}

/** Whether a write or erase of the dataset has not completed. */
export function pending(dataset: u8): bool {
  return current == dataset || queue.holds(dataset);
}

/** Whom to tell about completions: OK, TOO_LARGE, NOT_READY or IO_ERROR. It may write again. */
export function onComplete(tell: (dataset: u8, status: i32) => void): void {
  listener = tell;
}

// ---- the machine -------------------------------------------------------------------------------

/** Event FLASH_DONE. */
export function onFlashDone(status: i32): void {
  if (outstanding > 0) {
    outstanding--;
    if (status < 0) failed = true;
  }
  run(true);
}

/**
 * Goes on when no FLASH_DONE will: after BUSY from the host with nothing under way, and for a
 * request that failed before it began. Returns whether it must be called again, at the next tick.
 */
export function poll(): bool {
  run(true);
  return outstanding == 0 && busy();
}

/** Steps until the host must answer. Only events report: a request never calls its own listener. */
function run(mayReport: bool): void {
  if (running) return;
  running = true;
  while (step(mayReport)) {}
  running = false;
}

/** One step; false when there is nothing to do before the next event. */
function step(mayReport: bool): bool {
  if (job == Job.NONE) return reclaiming ? reclaim() : begin();
  if (job == Job.REPORT) {
    if (mayReport) report();
    return mayReport;
  }
  while (!failed && written < total) {
    const status = handOver();
    if (status == Status.BUSY) return false;
    if (status < 0) failed = true;
    else outstanding++;
  }
  if (outstanding > 0) return false;
  conclude();
  return true;
}

/** Hands the next operation of the job to the host. */
function handOver(): i32 {
  let from = header;
  let bytes = UNIT_BYTES;
  if (job == Job.ERASE) {
    const status = flashErase(target);
    if (status >= 0) written = total;
    return status;
  }
  if (written > 0 && job == Job.COPY) {
    const source = directory.liveAt() + written;
    from = record.view(source);
    bytes = min(record.viewBytes(source), total - written);
  } else if (written > 0) {
    const at = written - UNIT_BYTES;
    const rest = <u32>currentSize - at;
    from = currentFrom + at;
    bytes = max(rest & ~(UNIT_BYTES - 1), UNIT_BYTES);
    if (rest < UNIT_BYTES) {
      memory.fill(tail, 0xff, UNIT_BYTES);
      memory.copy(tail, from, rest);
      from = tail;
    }
  }
  const status = flashWrite(target + written, from, bytes);
  if (status >= 0) written += bytes;
  return status;
}

/** All operations of the job have been answered: reads back what they did, and goes on from it. */
function conclude(): void {
  const done = job;
  job = Job.NONE;
  record.refresh();
  if (done == Job.RECORD) {
    if (!failed && directory.accept(target)) end(Status.OK);
    else retry();
  } else if (done == Job.COPY) {
    if (failed || !directory.accept(target)) victim = NONE;
  } else if (failed) {
    retire();
  } else if (done == Job.ERASE) {
    launch(Job.HEADER, target, UNIT_BYTES);
  } else if (record.sectorHeaderAt(victim) == 0) {
    retire();
  } else {
    keepReserve();
  }
}

function launch(what: u8, at: u32, bytes: u32): void {
  job = what;
  target = at;
  total = bytes;
  written = 0;
  failed = false;
}

/** Begins a record at the end of the active sector; its room is used up whatever becomes of it. */
function launchRecord(what: u8, tag: u8, size: i32, checksum: u32): void {
  const bytes = record.extent(size);
  launch(what, <u32>(active + 1) * SECTOR_BYTES - room, bytes);
  room -= bytes;
  record.drawRecord(header, tag, size, directory.newestSequence() + 1, checksum);
  record.seal(header, target);
}

/** Begins the oldest request, or what must come before it; false when there is none. */
function begin(): bool {
  if (current == NONE) {
    if (queue.isEmpty()) return false;
    current = queue.take();
    currentFrom = queue.from(current);
    currentSize = queue.size(current);
    attempts = 0;
  }
  if (mountStatus != Status.OK) {
    end(Status.NOT_READY);
  } else if (currentSize > RECORD_BYTES_MAX) {
    end(Status.TOO_LARGE);
  } else if (fits()) {
    const tag = currentSize < 0 ? <u8>current | record.TOMBSTONE : <u8>current;
    const bytes = max(currentSize, 0);
    moved = false;
    launchRecord(Job.RECORD, tag, bytes, crc32(0, currentFrom, bytes));
  } else {
    if (reserve != NONE) {
      active = reserve;
      reserve = NONE;
      room = SECTOR_BYTES - UNIT_BYTES;
    }
    reclaiming = true;
  }
  return true;
}

function fits(): bool {
  return record.extent(max(currentSize, 0)) <= room;
}

/** The record is not in flash as it should be: the next attempt takes another sector. */
function retry(): void {
  room = 0;
  if (++attempts == ATTEMPTS_MAX) end(Status.IO_ERROR);
}

function end(status: i32): void {
  result = status;
  job = Job.REPORT;
}

function report(): void {
  const dataset = <u8>current;
  job = Job.NONE;
  current = NONE;
  listener(dataset, result);
}

/** One step towards a reserve: chooses a victim, copies one of its live records, or erases it. */
function reclaim(): bool {
  if (victim == NONE) {
    victim = chooseVictim();
    if (victim == NONE) return giveUp();
  }
  if (scan.isClean(victim)) {
    keepReserve();
    return true;
  }
  if (directory.liveBytes(victim) == 0) {
    // The count is drawn before the erase takes it away. A lost one is estimated from the others.
    const top = record.sectorHeaderAt(victim);
    record.drawSector(header, top != 0 ? record.sectorErases(top) + 1 : max(erasesMax, 1));
    erasesMax = max(erasesMax, record.sectorErases(header));
    launch(Job.ERASE, <u32>victim * SECTOR_BYTES, UNIT_BYTES);
    record.seal(header, target);
    return true;
  }
  moved = true;
  const source = record.recordAt(directory.liveAt());
  if (source == 0) {
    victim = NONE;
  } else {
    const checksum = record.recordChecksum(source);
    launchRecord(Job.COPY, record.recordTag(source), record.recordSize(source), checksum);
  }
  return true;
}

/**
 * The sector with the lowest erase count, in ring order after the active one, of those that hold
 * nothing live or little enough to move; a sector that lost its header comes first. There is
 * always one: at most DATASETS sectors hold something live, and there are DATASETS + 2.
 */
function chooseVictim(): i32 {
  let best = NONE;
  let bestErases: u32 = u32.MAX_VALUE;
  for (let step = 1; step <= scan.sectors; step++) {
    const sector = (active + step) % scan.sectors;
    if (sector == active || (retired >> (sector & 63)) & 1) continue;
    const live = directory.liveBytes(sector);
    if (live > (moved ? 0 : room)) continue;
    const top = record.sectorHeaderAt(sector);
    const erases = top != 0 ? record.sectorErases(top) : 0;
    if (erases < bestErases) {
      best = sector;
      bestErases = erases;
    }
  }
  return best;
}

function keepReserve(): void {
  reserve = victim;
  victim = NONE;
  reclaiming = false;
}

/** The victim cannot be erased: another one is tried. */
function retire(): void {
  retired |= 1 << (<u64>victim & 63);
  victim = NONE;
}

/** No sector can be erased now. A request that fits does without a reserve; another one fails. */
function giveUp(): bool {
  reclaiming = false;
  retired = 0;
  if (current != NONE && !fits()) end(Status.IO_ERROR);
  return true;
}
