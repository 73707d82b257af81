// Progress of provisioning: a mirror of the SYSTEM_STATUS record, so that a power cut resumes with
// the certificate that was created, inside the hour in which its ownership token lives.
//
//   0         2      3   4           6            8            136
//   | version | step | - | name size | token size | thing name | token, as long as it is

import { Dataset, ProvisioningStep } from "../abi/host";
import * as records from "../flash/store";

const VERSION: u16 = 1;
const STEP: usize = 2;
const NAME_SIZE: usize = 4;
const TOKEN_SIZE: usize = 6;
const NAME: usize = 8;
const TOKEN: usize = 136;
export const NAME_BYTES_MAX: i32 = 128;
export const TOKEN_BYTES_MAX: i32 = 1024;
const MIRROR_BYTES: i32 = <i32>TOKEN + TOKEN_BYTES_MAX;

const mirror: usize = memory.data(MIRROR_BYTES, 4);
export const thingName: usize = mirror + NAME;
export const token: usize = mirror + TOKEN;

/** Reads the record. An unreadable one counts as none: provisioning then starts anew. */
export function mount(): void {
  const size = records.size(Dataset.SYSTEM_STATUS);
  const usable =
    size >= <i32>TOKEN &&
    size <= MIRROR_BYTES &&
    records.read(Dataset.SYSTEM_STATUS, 0, mirror, size) == 0 &&
    load<u16>(mirror) == VERSION &&
    size == <i32>TOKEN + tokenSize() &&
    thingNameSize() <= NAME_BYTES_MAX;
  if (!usable) memory.fill(mirror, 0, MIRROR_BYTES);
}

export function step(): u8 {
  return load<u8>(mirror, STEP);
}

export function thingNameSize(): i32 {
  return load<u16>(mirror, NAME_SIZE);
}

export function tokenSize(): i32 {
  return load<u16>(mirror, TOKEN_SIZE);
}

export function setThingName(from: usize, size: i32): void {
  memory.copy(thingName, from, size);
  store<u16>(mirror, <u16>size, NAME_SIZE);
}

export function setToken(from: usize, size: i32): void {
  memory.copy(token, from, size);
  store<u16>(mirror, <u16>size, TOKEN_SIZE);
}

/** Queues the record with this step; only CERTIFICATE_STORED needs the token. */
export function save(reached: u8): void {
  store<u16>(mirror, VERSION);
  store<u8>(mirror, reached, STEP);
  if (reached != ProvisioningStep.CERTIFICATE_STORED) store<u16>(mirror, 0, TOKEN_SIZE);
  records.write(Dataset.SYSTEM_STATUS, mirror, <i32>TOKEN + tokenSize());
}
