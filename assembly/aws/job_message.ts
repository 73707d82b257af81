// Reads the answers of the jobs service as they arrive. The job document, up to the 32,768 bytes
// that AWS allows, is copied into a buffer of 1.5 KB, which holds any document that people write.
// Watchers get members by name as they arrive, in place of the copy where they wish (a module in
// base64, say), so that such a member may be as long as it likes. The order of members is free.

import { Token, incoming as reader } from "../codec/json_reader";
import { JsonWriter } from "../codec/json_writer";

export const DOCUMENT_BYTES_MAX: i32 = 1536;
export const ID_BYTES_MAX: i32 = 64;
const CODE_BYTES_MAX: i32 = 32;

namespace Field {
  export const NONE: i32 = 0;
  export const JOB_ID: i32 = 1;
  export const VERSION: i32 = 2;
  export const EXECUTION: i32 = 3;
  export const TOKEN: i32 = 4;
  export const CODE: i32 = 5;
  export const DOCUMENT: i32 = 6;
  /** "execution" and "executionState": their members are wanted. */
  export const INSIDE: i32 = 7;
}

// Made by prepare(), so that an application without jobs pays nothing.
let writer: JsonWriter = changetype<JsonWriter>(0);
export let document: usize = 0;
export let jobId: usize = 0;
export let code: usize = 0;

let field: i32 = Field.NONE;
let skips: bool = false;
let keepsDocument: bool = false;
/** Depth at which the document's own value lies; 0 while no document is being copied. */
let documentDepth: i32 = 0;
/** The text being read is streamed, not copied; and some of it has come. */
let streams: bool = false;
let inText: bool = false;

export let documentSize: i32 = 0;
/** The document has a text "action"; and: its value is the next one. */
export let hasAction: bool = false;
let isAction: bool = false;
/** The document did not fit: there is none. */
export let documentTooLarge: bool = false;
/** The answer broke off: there is no document, and versions may be missing. */
export let documentMalformed: bool = false;
export let jobIdSize: i32 = 0;
export let codeSize: i32 = 0;
export let version: i64 = 0;
export let execution: i64 = 0;
export let token: i64 = 0;

/** What a watcher wants of a member of the document. */
export namespace Wish {
  export const NOTHING: u8 = 0;
  /** Its value, which is copied as well. */
  export const VALUE: u8 = 1;
  /** Its text instead of the copy: it may be as long as it likes, and null stands in the copy. */
  export const STREAM: u8 = 2;
}

/** Who follows the document of a new job as it arrives. */
export abstract class Watcher {
  wish: u8 = Wish.NOTHING;

  /** A document begins. */
  abstract begin(): void;
  /** A member begins; `own` when it is one of the document's own, not of an object inside. */
  abstract wants(key: usize, size: i32, own: bool): u8;
  /** The value of a member that it wants: a text part by part, a number or a word whole. */
  abstract take(from: usize, size: i32, last: bool): void;
}

/** The application's watcher, and the update's, which comes last because it decodes in place. */
export let application: Watcher | null = null;
export let update: Watcher | null = null;

export function watchForApplication(watcher: Watcher): void {
  application = watcher;
}

export function watchForUpdate(watcher: Watcher): void {
  update = watcher;
}

function tell(watcher: Watcher | null, from: usize, size: i32, last: bool): void {
  if (watcher !== null && watcher.wish != Wish.NOTHING) watcher.take(from, size, last);
}

function tellAll(from: usize, size: i32, last: bool): void {
  tell(application, from, size, last);
  tell(update, from, size, last);
}

/** Asks who wants the member that begins; true when its text is not to be copied. */
function ask(watcher: Watcher | null): bool {
  if (watcher === null) return false;
  watcher.wish = watcher.wants(reader.text, reader.size, reader.depth == documentDepth);
  return watcher.wish == Wish.STREAM;
}

/** The value is an object or a list: nobody's. */
function forget(): void {
  isAction = false;
  if (application !== null) application!.wish = Wish.NOTHING;
  if (update !== null) update!.wish = Wish.NOTHING;
  streams = false;
}

function announce(watcher: Watcher | null): void {
  if (watcher === null) return;
  watcher.wish = Wish.NOTHING;
  watcher.begin();
}

/** Once, when the first job handler is registered. */
export function prepare(): void {
  writer = new JsonWriter();
  document = heap.alloc(DOCUMENT_BYTES_MAX);
  jobId = heap.alloc(ID_BYTES_MAX);
  code = heap.alloc(CODE_BYTES_MAX);
}

/** An answer begins; without `keeps` its document is passed over, and the copy stays. */
export function begin(keeps: bool): void {
  reader.reset();
  keepsDocument = keeps;
  field = Field.NONE;
  skips = false;
  documentDepth = 0;
  if (keeps) {
    documentSize = 0;
    documentTooLarge = false;
    hasAction = false;
    documentMalformed = false;
  }
  inText = false;
  streams = false;
  if (keeps) {
    announce(application);
    announce(update);
  }
  jobIdSize = 0;
  codeSize = 0;
  version = 0;
  execution = 0;
  token = 0;
}

/** Reads the next bytes; false when the answer is not JSON. */
export function append(from: usize, size: i32, last: bool): bool {
  reader.feed(from, size, last);
  while (true) {
    const found = skips ? reader.skip() : reader.next();
    if (found == Token.MORE || found == Token.END) return true;
    if (found == Token.ERROR) {
      if (keepsDocument) documentMalformed = true;
      return false;
    }
    if (skips) skips = false;
    else if (documentDepth > 0) copy(found);
    else if (found == Token.KEY) onKey();
    else onValue(found);
  }
}

function onKey(): void {
  field = fieldOf();
  if (field == Field.JOB_ID) jobIdSize = 0;
  if (field == Field.CODE) codeSize = 0;
  if (field == Field.TOKEN) token = 0;
  skips = field == Field.NONE;
}

function fieldOf(): i32 {
  if (reader.is(utf8("execution")) || reader.is(utf8("executionState"))) return Field.INSIDE;
  if (reader.is(utf8("jobId"))) return Field.JOB_ID;
  if (reader.is(utf8("versionNumber"))) return Field.VERSION;
  if (reader.is(utf8("executionNumber"))) return Field.EXECUTION;
  if (reader.is(utf8("clientToken"))) return Field.TOKEN;
  if (reader.is(utf8("code"))) return Field.CODE;
  if (!keepsDocument || !reader.is(utf8("jobDocument"))) return Field.NONE;
  return Field.DOCUMENT;
}

function onValue(found: u8): void {
  switch (field) {
    case Field.VERSION:
      version = reader.integer();
      break;
    case Field.EXECUTION:
      execution = reader.integer();
      break;
    case Field.JOB_ID:
      jobIdSize = collect(jobId, jobIdSize, ID_BYTES_MAX);
      break;
    case Field.CODE:
      codeSize = collect(code, codeSize, CODE_BYTES_MAX);
      break;
    case Field.TOKEN:
      for (let i = 0; i < reader.size; i++) token = token * 10 + load<u8>(reader.text + i) - 0x30;
      break;
    case Field.DOCUMENT:
      beginCopy(found);
      break;
  }
  if (found != Token.STRING_PART) field = Field.NONE;
}

/** Adds the text's bytes, as many as fit; the new size. */
function collect(to: usize, before: i32, room: i32): i32 {
  const bytes = min(reader.size, room - before);
  memory.copy(to + before, reader.text, bytes);
  return before + bytes;
}

/** Only an object is a job document; anything else leaves an empty one, which has no action. */
function beginCopy(found: u8): void {
  writer.begin(document, DOCUMENT_BYTES_MAX);
  if (found != Token.OBJECT) {
    skips = found == Token.ARRAY;
    return;
  }
  documentDepth = reader.depth;
  writer.object();
}

/** One token of the document. */
function copy(found: u8): void {
  switch (found) {
    case Token.KEY:
      isAction = reader.depth == documentDepth && reader.is(utf8("action"));
      streams = ask(application);
      if (ask(update)) streams = true;
      writer.member(reader.text, reader.size);
      break;
    case Token.OBJECT:
      forget();
      writer.object();
      break;
    case Token.ARRAY:
      forget();
      writer.array();
      break;
    case Token.OBJECT_END:
      writer.end();
      if (reader.depth < documentDepth) endCopy();
      break;
    case Token.ARRAY_END:
      writer.endArray();
      break;
    case Token.STRING:
    case Token.STRING_PART:
      copyText(found == Token.STRING);
      break;
    case Token.NUMBER:
      tellAll(reader.text, reader.size, true);
      writer.raw(reader.text, reader.size);
      break;
    case Token.NULL:
      writer.nil();
      break;
    default:
      if (found == Token.TRUE) tellAll(utf8("true"), 4, true);
      writer.boolean(found == Token.TRUE);
  }
}

function endCopy(): void {
  documentDepth = 0;
  documentTooLarge = writer.overflow;
  documentSize = writer.overflow ? 0 : writer.size;
}

/** A text, or a part of one: copied, or streamed with null in its place. */
function copyText(last: bool): void {
  if (isAction) hasAction = true;
  if (streams) {
    if (last) writer.nil();
  } else {
    if (!inText) writer.beginString();
    writer.stringPart(reader.text, reader.size);
    if (last) writer.endString();
  }
  tellAll(reader.text, reader.size, last);
  inText = !last;
  if (last) streams = false;
}
