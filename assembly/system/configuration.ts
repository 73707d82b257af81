// Device configuration: a mirror of the CONFIGURATION record in memory. Texts and numbers are in
// it; certificates and keys have records of their own, and the mirror says which of their two
// places is in force. documents.ts fills it; a configuration on trial is the same mirror behind the
// header of a CANDIDATE record, which is setup.ts's.

import { Dataset, Status } from "../abi/host";
import * as places from "../flash/places";
import * as records from "../flash/store";

// Mirror, also the payload of the record:
//   0         2      4       8        12
//   | version | port | CRC   | flags  | slots: {u16 size, bytes} at fixed places
// Later versions append slots: a shorter mirror of an older firmware is read, and of a longer one,
// which an update left behind, what is known here.
const VERSION: u16 = 1;
const PORT: usize = 2;
const CRC: usize = 4;
const FLAGS: usize = 8;
const MIRROR_BYTES: i32 = 1140;
const FIRST_MIRROR_BYTES: i32 = 668;
const PORT_DEFAULT: u16 = 8883;

/** Bits of FLAGS. */
export namespace Flag {
  /** Thing name, certificate and key came in a document: no provisioning needed. */
  export const THING_GIVEN: u32 = 1;
  /** Provision by CSR, with a key made on the device. */
  export const CSR: u32 = 2;
  /** Updates need no signature. */
  export const UNSIGNED: u32 = 4;
}

/** Where the bits of flash/places.ts begin among the FLAGS. */
const PLACES_SHIFT: u32 = 16;

/** Texts of the configuration: the place of each in the mirror, {u16 size, longest} apart. */
export namespace Slot {
  export const SSID: u16 = 12;
  export const PASSWORD: u16 = 46;
  export const ENDPOINT: u16 = 112;
  export const THING_NAME: u16 = 242;
  export const TEMPLATE: u16 = 372;
  export const PARAMETERS: u16 = 410;
  /** A point of 65 bytes; the place is a multiple of four behind what came before. */
  export const UPDATE_KEY: u16 = 668;
  /** Salt and verifier of BLE: 400 bytes. */
  export const VERIFIER: u16 = 736;
}

/** What stands before the mirror in a CANDIDATE record. */
export const HEADER_BYTES: i32 = 16;
export const CANDIDATE_BYTES: i32 = HEADER_BYTES + MIRROR_BYTES;
/** The mirror with room for that header, so that either record is written from where it lies. */
export const candidate: usize = memory.data(CANDIDATE_BYTES, 4);
const mirror: usize = candidate + HEADER_BYTES;

/** Reads the record; a missing one leaves an empty configuration, CORRUPT an unusable one. */
export function mount(): i32 {
  return read(Dataset.CONFIGURATION, 0);
}

/** The same for a configuration on trial. */
export function mountCandidate(): i32 {
  return read(Dataset.CANDIDATE, HEADER_BYTES);
}

function read(dataset: u8, at: i32): i32 {
  memory.fill(mirror, 0, MIRROR_BYTES);
  store<u16>(mirror, PORT_DEFAULT, PORT);
  places.use(0);
  const size = records.size(dataset) - at;
  if (size <= 0) return Status.OK;
  if (size < FIRST_MIRROR_BYTES) return Status.CORRUPT;
  const status = records.read(dataset, at, mirror, min(size, MIRROR_BYTES));
  places.use(flags() >> PLACES_SHIFT);
  return status == Status.OK && load<u16>(mirror) != VERSION ? Status.CORRUPT : status;
}

/** A text of the configuration: address here, size in sizeOf(). The slice never moves. */
export function textOf(slot: u16): usize {
  return mirror + slot + 2;
}

export function sizeOf(slot: u16): i32 {
  return load<u16>(mirror + slot);
}

export function setText(slot: u16, from: usize, size: i32): void {
  store<u16>(mirror + slot, <u16>size);
  memory.copy(textOf(slot), from, size);
}

export function port(): u32 {
  return load<u16>(mirror, PORT);
}

export function setPort(number: u16): void {
  store<u16>(mirror, number, PORT);
}

function flags(): u32 {
  return load<u32>(mirror, FLAGS);
}

export function setFlag(flag: u32, on: bool): void {
  const others = flags() & ~flag;
  store<u32>(mirror, on ? others | flag : others, FLAGS);
}

/** From here on, the other place of these datasets (bits) is in force. */
export function swapPlaces(swapped: u32): void {
  store<u32>(mirror, flags() ^ (swapped << PLACES_SHIFT), FLAGS);
  places.use(flags() >> PLACES_SHIFT);
}

/** CRC-32 of the host's document that was applied last. */
export function documentCrc(): u32 {
  return load<u32>(mirror, CRC);
}

export function setDocumentCrc(crc: u32): void {
  store<u32>(mirror, crc, CRC);
}

/** Thing name, certificate and key were given, not obtained by claim. */
export function thingIsGiven(): bool {
  return (flags() & Flag.THING_GIVEN) != 0;
}

export function allowsUnsigned(): bool {
  return (flags() & Flag.UNSIGNED) != 0;
}

export function usesCsr(): bool {
  return (flags() & Flag.CSR) != 0;
}

/** Where salt and verifier of BLE lie in flash; valid as records.offset() is. */
export function verifierOffset(): u32 {
  return records.offset(Dataset.CONFIGURATION) + Slot.VERIFIER + 2;
}

/** Queues the record: from its completion on, this configuration is in force. */
export function save(): void {
  store<u16>(mirror, VERSION);
  records.write(Dataset.CONFIGURATION, mirror, MIRROR_BYTES);
}
