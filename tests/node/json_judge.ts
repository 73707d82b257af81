// JSON.parse as the judge of the core's reader. The reader refuses a few documents that JSON.parse
// lets pass, because they have no UTF-8 or exceed a stated limit; each such difference is decided
// here from the text alone, exactly, and anything else that differs is a fault of the reader.

import assert from "node:assert/strict";
import { type Read, Token } from "./json_harness.js";

export const JsonError = {
  NONE: 0,
  UNEXPECTED_BYTE: 1,
  TRAILING_BYTES: 2,
  ENDED_EARLY: 3,
  DEPTH: 4,
  BAD_ESCAPE: 5,
  BAD_SURROGATE: 6,
  BAD_UTF8: 7,
  CONTROL_CHARACTER: 8,
  BAD_NUMBER: 9,
  NUMBER_TOO_LONG: 10,
} as const;

export interface Limits {
  depthMax: number;
  textBytesMax: number;
}

export type Verdict =
  | { accepted: true; value: unknown }
  | { accepted: false; reasons: number[] | undefined };

const REFUSED: Verdict = { accepted: false, reasons: undefined };

/** What the reader must make of `document`; `reasons` are the errors of a documented difference. */
export function judge(document: Uint8Array, limits: Limits): Verdict {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(document);
  } catch {
    return REFUSED;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return REFUSED;
  }
  const reasons = differences(text, limits);
  return reasons.length === 0 ? { accepted: true, value } : { accepted: false, reasons };
}

/** Why a text that JSON.parse accepts is refused all the same; empty when it is not. */
function differences(text: string, limits: Limits): number[] {
  const reasons = new Set<number>();
  let depth = 0;
  for (const [piece] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]|-?\d[-+.\deE]*/g)) {
    const first = piece[0]!;
    if (first === '"') {
      if (hasLoneSurrogate(piece)) reasons.add(JsonError.BAD_SURROGATE);
    } else if (first === "[" || first === "{") {
      if (++depth > limits.depthMax) reasons.add(JsonError.DEPTH);
    } else if (first === "]" || first === "}") depth--;
    else if (piece.length > limits.textBytesMax) reasons.add(JsonError.NUMBER_TOO_LONG);
  }
  return [...reasons];
}

function hasLoneSurrogate(literal: string): boolean {
  return /\p{Surrogate}/u.test(JSON.parse(literal) as string);
}

/** The value that a reading's tokens stand for, put together as JSON.parse would. */
export function valueFrom(tokens: readonly Read[]): unknown {
  let at = 0;
  const take = (): Read => {
    const read = tokens[at++];
    assert.ok(read !== undefined, "the tokens end inside a value");
    return read;
  };
  const value = (read: Read, depth: number): unknown => {
    const isOpening = read.token === Token.OBJECT || read.token === Token.ARRAY;
    assert.equal(read.depth, isOpening ? depth + 1 : depth, "the depth counts open containers");
    if (read.token === Token.OBJECT) return object(depth);
    if (read.token === Token.ARRAY) return array(depth);
    return scalar(read);
  };
  const object = (depth: number): unknown => {
    const result = {};
    for (;;) {
      const read = take();
      if (read.token === Token.OBJECT_END) {
        assert.equal(read.depth, depth);
        return result;
      }
      assert.equal(read.token, Token.KEY);
      define(result, keyName(read), value(take(), depth + 1));
    }
  };
  const array = (depth: number): unknown => {
    const result: unknown[] = [];
    for (;;) {
      const read = take();
      if (read.token === Token.ARRAY_END) return result;
      result.push(value(read, depth + 1));
    }
  };
  const whole = value(take(), 0);
  assert.equal(at, tokens.length, "one value, and no token behind it");
  return whole;
}

/** JSON.parse's value with the keys as the reader gives them: cut behind `limits.textBytesMax`. */
export function withCutKeys(value: unknown, limits: Limits): unknown {
  if (Array.isArray(value)) return value.map((element) => withCutKeys(element, limits));
  if (value === null || typeof value !== "object") return value;
  const result = {};
  for (const [name, member] of Object.entries(value)) {
    define(result, cutName(name, limits), withCutKeys(member, limits));
  }
  return result;
}

function cutName(name: string, limits: Limits): string {
  const bytes = Buffer.from(name);
  if (bytes.length <= limits.textBytesMax) return name;
  return `cut:${bytes.toString("hex", 0, limits.textBytesMax)}`;
}

function keyName(read: Read): string {
  return read.keyTruncated ? `cut:${read.text!.toString("hex")}` : read.text!.toString();
}

/** As JSON.parse does it: an own property, whatever its name. */
function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, {
    value,
    configurable: true,
    enumerable: true,
    writable: true,
  });
}

function scalar(read: Read): unknown {
  switch (read.token) {
    case Token.STRING:
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(read.text);
    case Token.NUMBER:
      return numberOf(read);
    case Token.TRUE:
      return true;
    case Token.FALSE:
      return false;
    case Token.NULL:
      return null;
    default:
      assert.fail(`token ${read.token} is no value`);
  }
}

/** The number as written; its integer value must be right, and offered exactly when it exists. */
function numberOf(read: Read): number {
  const text = read.text!.toString();
  let integer: bigint | undefined;
  if (/^-?\d+$/.test(text)) {
    const exact = BigInt(text);
    if (BigInt.asIntN(64, exact) === exact) integer = exact;
  }
  assert.equal(read.integer, integer, `the integer value of ${text}`);
  return Number(text);
}
