// Reads one message of the shadow service as it arrives, at any size: a document is 8 KB, and its
// metadata several times that, but only the elements that the application defined are kept, apart
// from their present values, until the message is whole. What it does not know it steps over.

import { Token, incoming as reader } from "../codec/json_reader";
import * as elements from "./shadow_elements";
import { Mark, Type } from "./shadow_elements";

export namespace Kind {
  /** get/accepted: state.desired and state.reported. */
  export const DOCUMENT: u8 = 0;
  /** update/delta: state. */
  export const DELTA: u8 = 1;
  /** update/accepted and all rejections: nothing of the state. */
  export const ANSWER: u8 = 2;
}

/** What the next value is; elements are counted from 0. */
namespace Target {
  export const NONE: i32 = -1;
  export const VERSION: i32 = -2;
  export const TOKEN: i32 = -3;
  export const CODE: i32 = -4;
  export const MESSAGE: i32 = -5;
  /** An object whose members are wanted. */
  export const INSIDE: i32 = -6;
}

const MESSAGE_BYTES: i32 = 96;

// Made by prepare(), so that an application without shadows pays nothing.
export let messageText: usize = 0;
let shadow: u8 = 0;
let kind: u8 = 0;
let target: i32 = Target.NONE;
let skips: bool = false;
/** The members being read are what the device reported, not what is desired. */
let isReported: bool = false;
/** Bytes of the text being read that came in earlier parts. */
let textBytes: i32 = 0;
let textEqual: bool = true;

export let version: i64 = 0;
/** clientToken as a number; 0 when it is not one of ours. */
export let token: i64 = 0;
export let code: i32 = 0;
export let messageSize: i32 = 0;

/** Once, when the first shadow is defined. */
export function prepare(): void {
  messageText = heap.alloc(MESSAGE_BYTES);
}

/** A message for this shadow begins. */
export function begin(ofShadow: u8, ofKind: u8): void {
  reader.reset();
  shadow = ofShadow;
  kind = ofKind;
  target = Target.NONE;
  skips = false;
  version = 0;
  token = 0;
  code = 0;
  messageSize = 0;
  for (let i = 0; i < elements.count; i++) {
    if (elements.shadowOf(i) == shadow) {
      elements.unmark(i, Mark.INCOMING | Mark.KNOWN | Mark.MISMATCH);
    }
  }
}

/** Reads the next bytes; false when the message is not JSON. */
export function append(from: usize, size: i32, last: bool): bool {
  reader.feed(from, size, last);
  while (true) {
    const found = skips ? reader.skip() : reader.next();
    if (found == Token.MORE || found == Token.END) return true;
    if (found == Token.ERROR) return false;
    if (skips) {
      skips = false;
      target = Target.NONE;
    } else if (found == Token.KEY) {
      onKey();
    } else {
      onValue(found);
    }
  }
}

function onKey(): void {
  textBytes = 0;
  textEqual = true;
  target = Target.NONE;
  if (reader.depth == 1) target = fieldOf();
  else if (reader.depth == 2 && kind == Kind.DOCUMENT) target = sectionOf();
  else if (!reader.keyTruncated) target = elements.find(shadow, reader.text, reader.size);
  skips = target == Target.NONE;
}

function fieldOf(): i32 {
  if (reader.is(utf8("version"))) return Target.VERSION;
  if (reader.is(utf8("clientToken"))) return Target.TOKEN;
  if (reader.is(utf8("code"))) return Target.CODE;
  if (reader.is(utf8("message"))) return Target.MESSAGE;
  isReported = false;
  return kind != Kind.ANSWER && reader.is(utf8("state")) ? Target.INSIDE : Target.NONE;
}

function sectionOf(): i32 {
  isReported = reader.is(utf8("reported"));
  return isReported || reader.is(utf8("desired")) ? Target.INSIDE : Target.NONE;
}

function onValue(found: u8): void {
  const opens = found == Token.OBJECT || found == Token.ARRAY;
  switch (target) {
    case Target.VERSION:
      version = reader.integer();
      break;
    case Target.CODE:
      code = <i32>reader.integer();
      break;
    case Target.TOKEN:
      if (!opens) onToken();
      break;
    case Target.MESSAGE:
      if (!opens) onMessage();
      break;
    case Target.INSIDE:
    case Target.NONE:
      return;
    default:
      onElement(found);
  }
  skips = opens;
  if (found != Token.STRING_PART) target = Target.NONE;
}

function onToken(): void {
  for (let i = 0; i < reader.size; i++) token = token * 10 + load<u8>(reader.text + i) - 0x30;
}

function onMessage(): void {
  const bytes = min(reader.size, MESSAGE_BYTES - messageSize);
  memory.copy(messageText + messageSize, reader.text, bytes);
  messageSize += bytes;
}

/** A value of the element `target`, or a part of its text. */
function onElement(found: u8): void {
  const type = elements.typeOf(target);
  const isText = found == Token.STRING || found == Token.STRING_PART;
  if (type == Type.STRING && isText) onText(found == Token.STRING);
  else if (type == Type.BOOLEAN && (found == Token.TRUE || found == Token.FALSE)) {
    onNumber(<i64>(found == Token.TRUE));
  } else if (type == Type.INTEGER && found == Token.NUMBER && reader.integerOk) {
    onNumber(reader.integer());
  } else if (type == Type.FLOAT && found == Token.NUMBER) {
    onNumber(elements.readFloat(reader.text, reader.size));
  } else if (!isReported) {
    elements.mark(target, Mark.MISMATCH);
  }
}

function onNumber(value: i64): void {
  if (!isReported) elements.bring(target, value);
  else if (elements.valueOf(target) == value) elements.mark(target, Mark.KNOWN);
}

function onText(whole: bool): void {
  if (!isReported) {
    elements.bringText(target, reader.text, reader.size, textBytes == 0);
  } else {
    const equal = elements.textIs(target, textBytes, reader.text, reader.size, whole);
    textEqual = textEqual && equal;
    if (whole && textEqual) elements.mark(target, Mark.KNOWN);
  }
  textBytes += reader.size;
}
