// How far a configuration has come, and the CANDIDATE record, which carries it over a restart: a
// configuration on trial, or how the last one ended. What stands here is what STATUS answers over
// BLE.
//
//   0         1       2          3      4      5        6              8        16
//   | version | phase | attempts | code | step | status | size of text | unused | text, or the mirror
//
// The mirror is that of configuration.ts, and stands there in phase TRIAL. Called by setup.ts.

import { BleCode, Dataset, Event, SetupStep } from "../abi/host";
import * as records from "../flash/store";
import { emit } from "../kernel/events";
import * as configuration from "./configuration";
import { HEADER_BYTES } from "./configuration";

export namespace Phase {
  export const NONE: u8 = 0;
  export const TRIAL: u8 = 1;
  /** Whoever connects is told. */
  export const TOLD: u8 = 2;
}

const VERSION: u8 = 1;
const PHASE: usize = 1;
const ATTEMPTS: usize = 2;
const CODE: usize = 3;
const STEP: usize = 4;
const STATUS: usize = 5;
const TEXT_SIZE: usize = 6;
export const TEXT_BYTES_MAX: i32 = 128;

const record: usize = memory.data(HEADER_BYTES + TEXT_BYTES_MAX, 4);
export const text: usize = record + HEADER_BYTES;
let changed: () => void = () => {};

/** Who tells the central that STATUS has another answer. */
export function onChange(heard: () => void): void {
  changed = heard;
}

/** Reads the record; its Phase. One that is damaged counts as none. */
export function mount(): u8 {
  const size = records.size(Dataset.CANDIDATE);
  const isRead =
    size >= HEADER_BYTES &&
    records.read(Dataset.CANDIDATE, 0, record, HEADER_BYTES) == 0 &&
    load<u8>(record) == VERSION &&
    textBytes() <= min(size - HEADER_BYTES, TEXT_BYTES_MAX) &&
    records.read(Dataset.CANDIDATE, HEADER_BYTES, text, textBytes()) == 0;
  if (!isRead) memory.fill(record, 0, HEADER_BYTES);
  return load<u8>(record, PHASE);
}

export function code(): u8 {
  return load<u8>(record, CODE);
}

export function step(): u8 {
  return load<u8>(record, STEP);
}

export function status(): i8 {
  return load<i8>(record, STATUS);
}

export function textBytes(): i32 {
  return load<u16>(record, TEXT_SIZE);
}

/** Starts of the device on trial. */
export function attempts(): u8 {
  return load<u8>(record, ATTEMPTS);
}

function set(newCode: u8, newStep: u8, newStatus: i32, from: usize, size: i32): void {
  const kept = min(size, TEXT_BYTES_MAX);
  store<u8>(record, newCode, CODE);
  store<u8>(record, newStep, STEP);
  store<i8>(record, <i8>newStatus, STATUS);
  store<u16>(record, <u16>kept, TEXT_SIZE);
  memory.copy(text, from, kept);
  changed();
}

/** A step is under way, or (CONNECTED, PROVISIONED) was the last. */
export function reach(newStep: u8, from: usize = 0, size: i32 = 0): void {
  set(
    newStep >= SetupStep.PROVISIONED ? BleCode.CONFIGURED : BleCode.IN_PROGRESS,
    newStep,
    0,
    from,
    size,
  );
  emit(Event.SETUP, newStep, text, textBytes());
}

/** The step that was under way has failed, for this Status and in these words. */
export function fail(newCode: u8, newStatus: i32, from: usize, size: i32): void {
  set(newCode, step(), newStatus, from, size);
  emit(Event.SETUP_FAILED, newCode, text, textBytes());
}

/** Nothing is under way, and nothing is to be told. */
export function clear(): void {
  memory.fill(record, 0, HEADER_BYTES);
}

/** Queues the configuration in memory as one on trial, which has been started so often. */
export function saveTrial(starts: u8): void {
  const header = configuration.candidate;
  memory.copy(header, record, HEADER_BYTES);
  store<u8>(header, VERSION);
  store<u8>(header, Phase.TRIAL, PHASE);
  store<u8>(header, starts, ATTEMPTS);
  store<u16>(header, 0, TEXT_SIZE);
  records.write(Dataset.CANDIDATE, header, configuration.CANDIDATE_BYTES);
}

/** Queues what is to be told in the next life. */
export function saveTold(): void {
  store<u8>(record, VERSION);
  store<u8>(record, Phase.TOLD, PHASE);
  records.write(Dataset.CANDIDATE, record, HEADER_BYTES + textBytes());
}

export function forget(): void {
  records.erase(Dataset.CANDIDATE);
}
