// How a configuration document becomes the device's configuration. It is read twice through the
// same windows: once to check all of it, once to store it; texts go to the mirror, each PEM to its
// own record, the mirror last. The host's document goes into force at once: its CRC stands in the
// mirror, it is applied once, and a power cut in the middle means that it is applied again from its
// start. A document from elsewhere is kept aside: its PEMs go to the places that are not in force,
// and setup.ts tries it before it writes the mirror.

import { Dataset, Event, sysConfigRead } from "../abi/host";
import * as document from "../codec/configuration_document";
import { Field, Found } from "../codec/configuration_document";
import { crc32 } from "../codec/crc32";
import * as places from "../flash/places";
import * as records from "../flash/store";
import { RECORD_BYTES_MAX } from "../flash/store";
import { emit } from "../kernel/events";
import { WORKSPACE } from "../kernel/workspace";
import { putText } from "../util/bytes";
import * as configuration from "./configuration";
import { Flag, Slot } from "./configuration";

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
  Slot.VERIFIER,
]);

/** Fields that make sense only together. */
export const THING_FIELDS: u32 = (1 << Field.THING_CERTIFICATE) | (1 << Field.THING_KEY);
export const CLAIM_FIELDS: u32 = (1 << Field.CLAIM_CERTIFICATE) | (1 << Field.CLAIM_KEY);

const WINDOW_BYTES: i32 = 256;
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
let hostCrc: u32 = 0;
/** Bits of the fields seen in this pass. */
export let seen: u32 = 0;
/** The document does not go into force, and the datasets (bits) whose other place it went to. */
let isAside: bool = false;
let swapped: u32 = 0;
/** Place whose completion the pass waits for, or -1. */
let waitsFor: i32 = -1;
let finished: (stored: bool) => void = (stored: bool) => {};
/** Says in words what keeps a document that is good in itself from being used, or 0. */
let judge: () => usize = noObjection;
/** Where the document is read from. */
let source: (at: u32, to: usize, bytes: i32) => i32 = hostDocument;

function noObjection(): usize {
  return 0;
}

function hostDocument(at: u32, to: usize, bytes: i32): i32 {
  return sysConfigRead(at, to, bytes);
}

/** What the host's document needs: nothing (none, or applied before) or apply(). */
export function hostHasNew(): bool {
  let crc: u32 = 0;
  let at: u32 = 0;
  let bytes: i32;
  while ((bytes = sysConfigRead(at, window, WINDOW_BYTES)) > 0) {
    crc = crc32(crc, window, bytes);
    at += bytes;
  }
  hostCrc = crc;
  return at > 0 && crc != configuration.documentCrc();
}

/** Checks the host's document, then stores it; `heard` hears how it ended, perhaps at once. */
export function applyHosts(heard: (stored: bool) => void): void {
  isAside = false;
  begin(hostDocument, noObjection, heard);
}

/**
 * Checks a document that is read by `read`, asks `object` whether it may be used (see `seen`), and
 * keeps it aside: the mirror in memory, and the PEMs in the places that it calls in force from then
 * on. When it is not stored, the mirror has to be mounted again.
 */
export function keepAside(
  read: (at: u32, to: usize, bytes: i32) => i32,
  object: () => usize,
  heard: (stored: bool) => void,
): void {
  isAside = true;
  begin(read, object, heard);
}

function begin(
  read: (at: u32, to: usize, bytes: i32) => i32,
  object: () => usize,
  heard: (stored: bool) => void,
): void {
  source = read;
  judge = object;
  finished = heard;
  swapped = 0;
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
    configuration.setPort(<u16>document.number);
  } else if (field == Field.METHOD) {
    configuration.setFlag(Flag.CSR, document.number == 1);
  } else if (field == Field.UNSIGNED) {
    configuration.setFlag(Flag.UNSIGNED, document.number == 1);
  } else {
    const place = load<u16>(PLACES + ((<usize>field) << 1));
    if (place < Slot.SSID) keepRecord(<u8>place);
    else configuration.setText(place, document.value, document.size);
  }
}

function keepRecord(dataset: u8): void {
  if (isAside) swapped |= 1 << dataset;
  const place = isAside ? places.spare(dataset) : places.inForce(dataset);
  waitsFor = place;
  records.write(place, document.value, document.size);
}

/** Fields that need each other: a certificate is worth nothing without its key. */
function endCheck(): void {
  let words: usize = 0;
  if (!together(THING_FIELDS, Field.THING_NAME, Slot.THING_NAME)) {
    words = utf8("thing.name, thing.certificate and thing.privateKey belong together");
  } else if (!together(CLAIM_FIELDS, Field.TEMPLATE, Slot.TEMPLATE)) {
    words = utf8("claim.template, claim.certificate and claim.privateKey belong together");
  } else {
    words = judge();
  }
  if (words != 0) refuse(words);
  else start(Pass.STORE);
}

/** None of `fields`, or all of them and the text `named`, here or in what is stored already. */
function together(fields: u32, named: i32, slot: u16): bool {
  const present = seen & fields;
  if (present == 0) return true;
  return present == fields && ((seen & (1 << named)) != 0 || configuration.sizeOf(slot) > 0);
}

function endStore(): void {
  if ((seen & THING_FIELDS) != 0) configuration.setFlag(Flag.THING_GIVEN, true);
  if (isAside) {
    configuration.swapPlaces(swapped);
    conclude(true);
  } else {
    configuration.setDocumentCrc(hostCrc);
    waitsFor = Dataset.CONFIGURATION;
    configuration.save();
  }
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

/** A record that the pass waited for is in flash, or could not be written. */
export function onRecord(place: u8, status: i32): void {
  if (waitsFor != <i32>place) return;
  waitsFor = -1;
  if (status < 0) {
    errorSize = 0;
    conclude(false);
  } else if (place == Dataset.CONFIGURATION) {
    emit(Event.CONFIGURATION_APPLIED, 0);
    conclude(true);
  } else {
    run();
  }
}

function conclude(stored: bool): void {
  pass = Pass.NONE;
  finished(stored);
}
