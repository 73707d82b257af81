// System status: a mirror of the SYSTEM_STATUS record. Holds what is in flight over a restart: the
// step of provisioning, the thing name that it led to, and the job that the application works on.
// The ownership token, which is needed for an hour at most, is in flash only, behind the mirror.
//
//   0         2      3        4           6       7   8            136   208   256
//   | version | step | mirror | name size | reset | ble | thing name | job | ota | token, if there is one
//   job       0       1          2        3         4            8
//             | phase | attempts | result | id size | execution  | id (64)
//   ota       0       1        2      3         4        8            12     16
//             | stage | target | from | failure | number | checkpoint | size | SHA-256 (32)
//
// `mirror` is the length of what stands before the token, in units of 16 bytes (0: 13, as it was
// first). Later versions append: what an older firmware left is read, and a newer one's too, so
// that an update and its rollback keep the certificate and the job.

import { Dataset, ProvisioningStep } from "../abi/host";
import * as records from "../flash/store";
import { WORKSPACE } from "../kernel/workspace";

const VERSION: u16 = 1;
const STEP: usize = 2;
const UNITS: usize = 3;
/** 1: a factory reset is under way. */
const RESETTING: usize = 6;
/** Wrong proofs of possession in a row, over BLE. */
const PROOFS_FAILED: usize = 7;
const NAME_SIZE: usize = 4;
const NAME: usize = 8;
const JOB: usize = 136;
const OTA: usize = 208;
const MIRROR_BYTES: i32 = 256;
const FIRST_MIRROR_BYTES: i32 = 208;
export const NAME_BYTES_MAX: i32 = 128;
export const TOKEN_BYTES_MAX: i32 = 1024;

const mirror: usize = memory.data(MIRROR_BYTES, 4);
export const thingName: usize = mirror + NAME;
export const job: usize = mirror + JOB;
export const ota: usize = mirror + OTA;
/** Where the token begins in the record that is in flash. */
let tokenAt: i32 = MIRROR_BYTES;

/** Reads the record. An unreadable one counts as none: provisioning then starts anew. */
export function mount(): void {
  const size = records.size(Dataset.SYSTEM_STATUS);
  const head = min(size, MIRROR_BYTES);
  const usable =
    size >= FIRST_MIRROR_BYTES &&
    records.read(Dataset.SYSTEM_STATUS, 0, mirror, head) == 0 &&
    load<u16>(mirror) == VERSION &&
    thingNameSize() <= NAME_BYTES_MAX;
  tokenAt = max((<i32>load<u8>(mirror, UNITS)) << 4, FIRST_MIRROR_BYTES);
  const known = usable ? min(tokenAt, MIRROR_BYTES) : 0;
  memory.fill(mirror + known, 0, MIRROR_BYTES - known);
}

export function step(): u8 {
  return load<u8>(mirror, STEP);
}

export function thingNameSize(): i32 {
  return load<u16>(mirror, NAME_SIZE);
}

/** The name must be at most NAME_BYTES_MAX long. */
export function setThingName(from: usize, size: i32): void {
  memory.copy(thingName, from, size);
  store<u16>(mirror, <u16>size, NAME_SIZE);
}

/** The step that memory says; save() says it in flash, too. */
export function setStep(reached: u8): void {
  store<u16>(mirror, VERSION);
  store<u8>(mirror, reached, STEP);
  store<u8>(mirror, MIRROR_BYTES >> 4, UNITS);
  tokenAt = MIRROR_BYTES;
}

/** What is kept of an update belongs to the job in hand, and ends with it. */
export function forgetUpdate(): void {
  store<u8>(ota, 0);
}

export function isResetting(): bool {
  return load<u8>(mirror, RESETTING) != 0;
}

/** Queues the record, which says from here on that a factory reset is under way. */
export function beginReset(): void {
  store<u8>(mirror, 1, RESETTING);
  write();
}

export function proofsFailed(): u8 {
  return load<u8>(mirror, PROOFS_FAILED);
}

/** Queues the record, unless its token is still needed: then this life only counts them. */
export function setProofsFailed(count: u8): void {
  store<u8>(mirror, count, PROOFS_FAILED);
  if (step() != ProvisioningStep.CERTIFICATE_STORED) write();
}

/** Puts what the record begins with at `to`. */
export function copyTo(to: usize): void {
  memory.copy(to, mirror, MIRROR_BYTES);
}

/** Queues the record with this step, without a token. */
export function save(reached: u8): void {
  setStep(reached);
  write();
}

/** Queues the record as it is, without a token. */
export function write(): void {
  setStep(step());
  records.write(Dataset.SYSTEM_STATUS, mirror, MIRROR_BYTES);
}

/** Queues the record of CERTIFICATE_STORED; the workspace is its until it is written. */
export function saveToken(from: usize, size: i32): void {
  setStep(ProvisioningStep.CERTIFICATE_STORED);
  memory.copy(WORKSPACE + MIRROR_BYTES, from, size);
  memory.copy(WORKSPACE, mirror, MIRROR_BYTES);
  records.write(Dataset.SYSTEM_STATUS, WORKSPACE, MIRROR_BYTES + size);
}

/** Reads the token back, at most TOKEN_BYTES_MAX; its size, or -1 when there is none. */
export function readToken(to: usize): i32 {
  const size = records.size(Dataset.SYSTEM_STATUS) - tokenAt;
  if (size <= 0 || size > TOKEN_BYTES_MAX) return -1;
  return records.read(Dataset.SYSTEM_STATUS, tokenAt, to, size) == 0 ? size : -1;
}
