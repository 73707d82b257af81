// Device shadows. Define shadows and their elements in setup(); read and set them whenever you
// like. What you set is reported (and, if you say so, desired); what the cloud desires arrives as a
// change. Offline, changes of both sides wait; the last value counts.
//
//   const lamp = new shadow.Shadow("lamp");
//   const on = lamp.boolean("on", false);
//   lamp.onChange((element: shadow.Element): void => { gpio.write(2, on.value); });

import * as core from "../aws/shadow";
import * as elements from "../aws/shadow_elements";
import { Type } from "../aws/shadow_elements";
import { JsonWriter } from "../codec/json_writer";
import { check, Panic } from "../util/assert";
import { fromUtf8, textAt, toUtf8 } from "./text";

/** The default: the device reports the element. */
export const REPORTED: u8 = elements.Option.REPORTED;
/** What the application sets is desired, too. */
export const DESIRED: u8 = elements.Option.DESIRED;
export const BOTH: u8 = REPORTED | DESIRED;
/** Added to one of these: the initial value is reported at the first synchronisation. */
export const AT_START: u8 = elements.Option.AT_START;

/** One element of a shadow: a key with a typed value. */
export class Element {
  constructor(
    readonly shadow: Shadow,
    readonly key: string,
    readonly index: i32,
  ) {
    check(index >= 0, Panic.SHADOW_ELEMENTS);
    register(this);
  }
}

export class IntegerElement extends Element {
  get value(): i64 {
    return elements.valueOf(this.index);
  }
  set value(to: i64) {
    elements.set(this.index, to);
  }
}

export class BooleanElement extends Element {
  get value(): bool {
    return elements.valueOf(this.index) != 0;
  }
  set value(to: bool) {
    elements.set(this.index, <i64>to);
  }
}

export class FloatElement extends Element {
  get value(): f64 {
    return reinterpret<f64>(elements.valueOf(this.index));
  }
  /** Not a number and infinity, which JSON does not know, are not taken. */
  set value(to: f64) {
    if (isFinite(to)) elements.set(this.index, reinterpret<i64>(to));
  }
}

export class StringElement extends Element {
  get value(): string {
    const text = elements.textOf(this.index);
    return fromUtf8(text + 2, load<u16>(text));
  }
  /** A text longer than the element's limit is not taken, with the event SHADOW_REJECTED. */
  set value(to: string) {
    elements.setText(this.index, textAt, toUtf8(to));
  }
}

/** The classic shadow (empty name) or a named one. At most 4 shadows and 24 elements. */
export class Shadow {
  readonly number: u8;
  private handler: (element: Element) => void = (_element: Element) => {};

  constructor(readonly name: string = "") {
    const number = core.define(textAt, toUtf8(name));
    check(number >= 0, Panic.SHADOW_ELEMENTS);
    this.number = <u8>number;
    core.onElementChanged(onElementChanged);
  }

  integer(key: string, initial: i64 = 0, options: u8 = REPORTED): IntegerElement {
    return new IntegerElement(this, key, this.define(key, Type.INTEGER, options, initial, 0));
  }

  boolean(key: string, initial: bool = false, options: u8 = REPORTED): BooleanElement {
    return new BooleanElement(this, key, this.define(key, Type.BOOLEAN, options, <i64>initial, 0));
  }

  float(key: string, initial: f64 = 0, options: u8 = REPORTED): FloatElement {
    elements.useFloats(writeFloat, readFloat);
    const bits = reinterpret<i64>(initial);
    return new FloatElement(this, key, this.define(key, Type.FLOAT, options, bits, 0));
  }

  /** A text of at most `limit` bytes of UTF-8 (up to 512). */
  string(
    key: string,
    initial: string = "",
    limit: i32 = 64,
    options: u8 = REPORTED,
  ): StringElement {
    const index = this.define(key, Type.STRING, options, 0, min(limit, 512));
    elements.initialiseText(index, textAt, toUtf8(initial));
    return new StringElement(this, key, index);
  }

  /** Calls `handler` for each element that a message of the cloud has changed. */
  onChange(handler: (element: Element) => void): void {
    this.handler = handler;
  }

  /** Calls the handler. */
  changed(element: Element): void {
    this.handler(element);
  }

  private define(key: string, type: u8, options: u8, initial: i64, room: i32): i32 {
    const size = toUtf8(key);
    check(size > 0 && size <= 64, Panic.SHADOW_ELEMENTS);
    return elements.define(this.number, textAt, size, type, options, initial, room);
  }
}

let all: StaticArray<Element> = changetype<StaticArray<Element>>(0);

function register(element: Element): void {
  if (changetype<usize>(all) == 0) {
    all = changetype<StaticArray<Element>>(new StaticArray<Element | null>(elements.ELEMENTS_MAX));
  }
  unchecked((all[element.index] = element));
}

function onElementChanged(index: i32): void {
  const element = unchecked(all[index]);
  element.shadow.changed(element);
}

function writeFloat(writer: JsonWriter, bits: i64): void {
  writer.raw(textAt, toUtf8(reinterpret<f64>(bits).toString()));
}

function readFloat(from: usize, size: i32): i64 {
  return reinterpret<i64>(parseFloat(fromUtf8(from, size)));
}
