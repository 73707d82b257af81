// Device configuration: a mirror of the CONFIGURATION record in memory, and the way a
// configuration document gets into flash. A document is read twice through the same windows: once
// to check all of it, once to store it; texts go to the mirror, each PEM to its own record, the
// mirror last. The document's CRC stands in the mirror: the same document is applied once, and a
// power cut in the middle means that it is applied again from its start.

import { Dataset, Event, Status, sysConfigRead } from "../abi/host";
import * as document from "../codec/configuration_document";
import { Field, Found } from "../codec/configuration_document";
import { crc32 } from "../codec/crc32";
import * as records from "../flash/store";
import { RECORD_BYTES_MAX } from "../flash/store";
import { emit } from "../kernel/events";
import { WORKSPACE } from "../kernel/workspace";
import { putText } from "../util/bytes";

// Mirror, also the payload of the record:
//   0         2      4       8        12
//   | version | port | CRC   | flags  | slots: {u16 size, bytes} at fixed places
// Later versions append slots: a shorter mirror of an older firmware is read, and of a longer one,
// which an update left behind, what is known here.
const VERSION: u16 = 1;
const PORT: usize = 2;
const CRC: usize = 4;
const FLAGS: usize = 8;
const MIRROR_BYTES: i32 = 736;
const FIRST_MIRROR_BYTES: i32 = 668;
const PORT_DEFAULT: u16 = 8883;

/** Bits of FLAGS. */
namespace Flag {
  /** Thing name, certificate and key came in a document: no provisioning needed. */
  export const THING_GIVEN: u32 = 1;
  /** Provision by CSR, with a key made on the device. */
  export const CSR: u32 = 2;
  /** Updates need no signature. */
  export const UNSIGNED: u32 = 4;
}

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
}

/** Where each field goes: a slot of the mirror (12 and up), a dataset (below 12), or 0. */
// biome-ignore format: one field a line
const PLACES: usize = memory.data<u16>([
  Slot.SSID,
  Slot.PASSWORD,
  Slot.ENDPOINT,
  0, // port
  Dataset.ROOT_CA,
  Slot.THING_NAME,
  Dataset.THING_CERTIFICATE,
  Dataset.THING_KEY,
  Slot.TEMPLATE,
  Dataset.CLAIM_CERTIFICATE,
  Dataset.CLAIM_KEY,
  0, // method
  Slot.PARAMETERS,
  Slot.UPDATE_KEY,
  0, // unsigned
  Dataset.BLE_VERIFIER,
]);

/** Fields that make sense only together. */
const THING_FIELDS: u32 = (1 << Field.THING_CERTIFICATE) | (1 << Field.THING_KEY);
const CLAIM_FIELDS: u32 = (1 << Field.CLAIM_CERTIFICATE) | (1 << Field.CLAIM_KEY);

const WINDOW_BYTES: i32 = 256;
const mirror: usize = memory.data(MIRROR_BYTES, 4);
/** Behind the PEM that is being put together, and the names that codec/ keeps behind it. */
const window: usize = WORKSPACE + 4352;
const textBuffer: usize = window + WINDOW_BYTES;

namespace Pass {
  export const NONE: u8 = 0;
  export const CHECK: u8 = 1;
  export const STORE: u8 = 2;
}

let pass: u8 = Pass.NONE;
let readAt: u32 = 0;
let documentCrc: u32 = 0;
/** Bits of the fields seen in this pass. */
let seen: u32 = 0;
/** Dataset whose completion the pass waits for, or -1. */
let waitsFor: i32 = -1;
let finished: (stored: bool) => void = (stored: bool) => {};
/** Where the document is read from: the host's own, or one that came over BLE. */
let source: (at: u32, to: usize, bytes: i32) => i32 = hostDocument;

function hostDocument(at: u32, to: usize, bytes: i32): i32 {
  return sysConfigRead(at, to, bytes);
}

/** Reads the record; a missing one leaves an empty configuration, CORRUPT an unusable one. */
export function mount(): i32 {
  memory.fill(mirror, 0, MIRROR_BYTES);
  store<u16>(mirror, PORT_DEFAULT, PORT);
  const size = records.size(Dataset.CONFIGURATION);
  if (size <= 0) return Status.OK;
  if (size < FIRST_MIRROR_BYTES) return Status.CORRUPT;
  const status = records.read(Dataset.CONFIGURATION, 0, mirror, min(size, MIRROR_BYTES));
  return status == Status.OK && load<u16>(mirror) != VERSION ? Status.CORRUPT : status;
}

/** A text of the configuration: address here, size in sizeOf(). The slice never moves. */
export function textOf(slot: u16): usize {
  return mirror + slot + 2;
}

export function sizeOf(slot: u16): i32 {
  return load<u16>(mirror + slot);
}

export function port(): u32 {
  return load<u16>(mirror, PORT);
}

/** Thing name, certificate and key were given, not obtained by claim. */
export function thingIsGiven(): bool {
  return (load<u32>(mirror, FLAGS) & Flag.THING_GIVEN) != 0;
}

export function allowsUnsigned(): bool {
  return (load<u32>(mirror, FLAGS) & Flag.UNSIGNED) != 0;
}

export function usesCsr(): bool {
  return (load<u32>(mirror, FLAGS) & Flag.CSR) != 0;
}

/** What the host's document needs: nothing (none, or applied before) or apply(). */
export function documentIsNew(): bool {
  let crc: u32 = 0;
  let at: u32 = 0;
  let bytes: i32;
  while ((bytes = sysConfigRead(at, window, WINDOW_BYTES)) > 0) {
    crc = crc32(crc, window, bytes);
    at += bytes;
  }
  documentCrc = crc;
  return at > 0 && crc != load<u32>(mirror, CRC);
}

/** Checks the host's document, then stores it; `finished` hears how it ended, perhaps at once. */
export function apply(heard: (stored: bool) => void): void {
  applyFrom(hostDocument, heard);
}

/** The same with a document from elsewhere. The host's own counts as applied, as it did before. */
export function applyOther(
  read: (at: u32, to: usize, bytes: i32) => i32,
  heard: (stored: bool) => void,
): void {
  documentCrc = load<u32>(mirror, CRC);
  applyFrom(read, heard);
}

/** A document is being checked or stored. */
export function isBusy(): bool {
  return pass != Pass.NONE;
}

function applyFrom(
  read: (at: u32, to: usize, bytes: i32) => i32,
  heard: (stored: bool) => void,
): void {
  source = read;
  finished = heard;
  start(Pass.CHECK);
  run();
}

function start(which: u8): void {
  pass = which;
  readAt = 0;
  seen = 0;
  document.begin(WORKSPACE, RECORD_BYTES_MAX);
}

/** Reads on until a record must be written, the pass ends, or an error is found. */
function run(): void {
  while (waitsFor < 0 && pass != Pass.NONE) {
    switch (document.next()) {
      case Found.MORE:
        feed();
        break;
      case Found.FIELD:
        seen |= 1 << document.field;
        if (pass == Pass.STORE) keep();
        break;
      case Found.END:
        if (pass == Pass.CHECK) endCheck();
        else endStore();
        break;
      default:
        refuse(document.error);
    }
  }
}

function feed(): void {
  const bytes = max(source(readAt, window, WINDOW_BYTES), 0);
  readAt += bytes;
  document.feed(window, bytes, bytes < WINDOW_BYTES);
}

function keep(): void {
  const field = document.field;
  if (field == Field.PORT) {
    store<u16>(mirror, <u16>document.number, PORT);
  } else if (field == Field.METHOD) {
    setFlag(Flag.CSR, document.number == 1);
  } else if (field == Field.UNSIGNED) {
    setFlag(Flag.UNSIGNED, document.number == 1);
  } else {
    const place = load<u16>(PLACES + ((<usize>field) << 1));
    if (place < Slot.SSID) {
      write(<u8>place, document.value, document.size);
    } else {
      store<u16>(mirror + place, <u16>document.size);
      memory.copy(textOf(place), document.value, document.size);
    }
  }
}

function setFlag(flag: u32, on: bool): void {
  const others = load<u32>(mirror, FLAGS) & ~flag;
  store<u32>(mirror, on ? others | flag : others, FLAGS);
}

function write(dataset: u8, from: usize, size: i32): void {
  waitsFor = dataset;
  records.write(dataset, from, size);
}

/** Fields that need each other: a certificate is worth nothing without its key. */
function endCheck(): void {
  if (!together(THING_FIELDS, Field.THING_NAME, Slot.THING_NAME)) {
    refuse(utf8("thing.name, thing.certificate and thing.privateKey belong together"));
  } else if (!together(CLAIM_FIELDS, Field.TEMPLATE, Slot.TEMPLATE)) {
    refuse(utf8("claim.template, claim.certificate and claim.privateKey belong together"));
  } else {
    start(Pass.STORE);
  }
}

/** None of `fields`, or all of them and the text `named`, here or in what is stored already. */
function together(fields: u32, named: i32, slot: u16): bool {
  const present = seen & fields;
  if (present == 0) return true;
  return present == fields && ((seen & (1 << named)) != 0 || sizeOf(slot) > 0);
}

function endStore(): void {
  store<u16>(mirror, VERSION);
  store<u32>(mirror, documentCrc, CRC);
  if ((seen & THING_FIELDS) != 0) {
    store<u32>(mirror, load<u32>(mirror, FLAGS) | Flag.THING_GIVEN, FLAGS);
  }
  write(Dataset.CONFIGURATION, mirror, MIRROR_BYTES);
}

/** What was wrong with the document that was refused last, in words. */
export const errorText: usize = textBuffer;
export let errorSize: i32 = 0;

function refuse(words: usize): void {
  let end = textBuffer;
  if (document.pathSize > 0) {
    memory.copy(end, document.path, document.pathSize);
    end = putText(end + document.pathSize, utf8(": "));
  }
  end = putText(end, words);
  errorSize = <i32>(end - textBuffer);
  emit(Event.CONFIGURATION_INVALID, document.position(), textBuffer, errorSize);
  conclude(false);
}

/** A record that apply() waited for is in flash, or could not be written. */
export function onRecord(dataset: u8, status: i32): void {
  if (waitsFor != <i32>dataset) return;
  waitsFor = -1;
  if (status < 0) conclude(false);
  else if (dataset == Dataset.CONFIGURATION) conclude(true);
  else run();
}

function conclude(stored: bool): void {
  pass = Pass.NONE;
  if (stored) emit(Event.CONFIGURATION_APPLIED, 0);
  finished(stored);
}
