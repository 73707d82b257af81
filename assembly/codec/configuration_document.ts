// The configuration document (JSON, docs/CONFIGURATION.md), field by field, from any number of
// windows: two levels of objects, «section.field». Knows the fields, their types and their limits,
// and nothing of where they are kept. An unknown field is an error, not a shrug: a typing mistake
// in a device's configuration must not cost a week. system/configuration.ts runs it twice, once to
// check and once to store, so that a wrong document changes nothing.

import { wordIndex } from "../util/bytes";
import { Base64Decoder } from "./base64";
import { Token, incoming as reader } from "./json_reader";
import { JsonWriter } from "./json_writer";
import { PemKind, kind, normalize, publicPoint } from "./pem";

/** Fields in the order of PATHS. */
export namespace Field {
  export const SSID: i32 = 0;
  export const PASSWORD: i32 = 1;
  export const ENDPOINT: i32 = 2;
  export const PORT: i32 = 3;
  export const ROOT_CA: i32 = 4;
  export const THING_NAME: i32 = 5;
  export const THING_CERTIFICATE: i32 = 6;
  export const THING_KEY: i32 = 7;
  export const TEMPLATE: i32 = 8;
  export const CLAIM_CERTIFICATE: i32 = 9;
  export const CLAIM_KEY: i32 = 10;
  export const METHOD: i32 = 11;
  export const PARAMETERS: i32 = 12;
  export const UPDATE_KEY: i32 = 13;
  export const UNSIGNED: i32 = 14;
  export const VERIFIER: i32 = 15;
}

const PATHS: usize = utf8(
  "wifi.ssid wifi.password aws.endpoint aws.port aws.rootCa thing.name thing.certificate thing.privateKey claim.template claim.certificate claim.privateKey claim.method claim.parameters ota.publicKey ota.allowUnsigned ble.verifier ",
);

namespace Kind {
  export const TEXT: u8 = 0;
  export const PORT: u8 = 1;
  export const CERTIFICATE: u8 = 2;
  export const KEY: u8 = 3;
  export const METHOD: u8 = 4;
  export const PARAMETERS: u8 = 5;
  export const PUBLIC_KEY: u8 = 6;
  export const BOOLEAN: u8 = 7;
  export const VERIFIER: u8 = 8;
}

/** PEM is as long as a flash record may be; `PEM` stands for that. */
const PEM: u8 = 0;

// {kind, longest text in bytes}
// biome-ignore format: one field a line
const FIELDS: usize = memory.data<u8>([
  Kind.TEXT, 32, // SSID
  Kind.TEXT, 64, // password
  Kind.TEXT, 128, // endpoint
  Kind.PORT, 0,
  Kind.CERTIFICATE, PEM,
  Kind.TEXT, 128, // thing name
  Kind.CERTIFICATE, PEM,
  Kind.KEY, PEM,
  Kind.TEXT, 36, // template name
  Kind.CERTIFICATE, PEM,
  Kind.KEY, PEM,
  Kind.METHOD, 64, // so that a wrong word is told to be one
  Kind.PARAMETERS, 255,
  Kind.PUBLIC_KEY, PEM,
  Kind.BOOLEAN, 0,
  Kind.VERIFIER, PEM,
]);

export const PARAMETERS_BYTES_MAX: i32 = 255;
const VERIFIER_BYTES: i32 = 16 + 384;

/** What next() found. */
export namespace Found {
  /** Feed the next window. */
  export const MORE: u8 = 0;
  /** A field: see `field`, `value`, `size`, `number`. */
  export const FIELD: u8 = 1;
  export const END: u8 = 2;
  /** See `error`, `path` and position(). */
  export const ERROR: u8 = 3;
}

export const PATH_BYTES: i32 = 96;

const writer = new JsonWriter();

let sectionSize: i32 = 0;
let capacity: i32 = 0;
let errorPosition: u32 = 0;

/** Field whose value is being read, or -1 between fields. */
let current: i32 = -1;

/** The field that next() found last. */
export let field: i32 = -1;
/** Text or normalized PEM of the field, in the buffer given to begin(). */
export let value: usize = 0;
export let size: i32 = 0;
/** Port; or 1 where the method is "csr", or a boolean true. */
export let number: i32 = 0;
/** What is wrong, in words, NUL-terminated. */
export let error: usize = 0;
/** «section.field» that was being read. */
export let path: usize = 0;
export let pathSize: i32 = 0;

/** Starts a document; values are collected in `capacityBytes` at `buffer`, and PATH_BYTES behind
 * them are taken for names. */
export function begin(buffer: usize, capacityBytes: i32): void {
  reader.reset();
  value = buffer;
  capacity = capacityBytes;
  path = buffer + capacityBytes;
  current = -1;
  pathSize = 0;
  sectionSize = 0;
}

/** Hands over the next window: at the start, and whenever next() gave MORE. */
export function feed(from: usize, bytes: i32, last: bool): void {
  reader.feed(from, bytes, last);
}

/** Byte of the document where the error is. */
export function position(): u32 {
  return errorPosition;
}

function fail(words: usize): u8 {
  error = words;
  errorPosition = reader.position;
  return Found.ERROR;
}

/** Reads on to the next field. Resumable: after MORE, feed and call again. */
export function next(): u8 {
  while (true) {
    const token = reader.next();
    if (token == Token.MORE) return Found.MORE;
    if (token == Token.END) return Found.END;
    if (token == Token.ERROR) return fail(utf8("not valid JSON"));
    const found = current < 0 ? structure(token) : content(token);
    if (found != Found.MORE) return found;
  }
}

/** A token outside of fields: braces and keys. MORE means: go on. */
function structure(token: u8): u8 {
  if (token == Token.KEY) return key();
  if (token == Token.OBJECT) return Found.MORE;
  if (token == Token.OBJECT_END) {
    sectionSize = 0;
    pathSize = 0;
    return Found.MORE;
  }
  return fail(utf8("must be an object"));
}

function key(): u8 {
  const room = PATH_BYTES - sectionSize - 1;
  const bytes = min(reader.size, room);
  memory.copy(path + sectionSize, reader.text, bytes);
  pathSize = sectionSize + bytes;
  if (reader.depth == 1) {
    store<u8>(path + pathSize, 0x2e);
    sectionSize = pathSize + 1;
    if (wordIndex(PATHS, path, sectionSize, false) < 0) return fail(utf8("unknown section"));
    return Found.MORE;
  }
  current = wordIndex(PATHS, path, pathSize, true);
  if (current < 0) return fail(utf8("unknown field"));
  size = 0;
  return Found.MORE;
}

/** A token inside the value of `current`. */
function content(token: u8): u8 {
  const type = load<u8>(FIELDS + ((<usize>current) << 1));
  if (type == Kind.PARAMETERS) return parameters(token);
  if (type == Kind.PORT) {
    number = <i32>reader.integer();
    const good = token == Token.NUMBER && reader.integerOk && number > 0 && number < 65536;
    return good ? done() : fail(utf8("must be a number from 1 to 65535"));
  }
  if (type == Kind.BOOLEAN) {
    number = <i32>(token == Token.TRUE);
    return token == Token.TRUE || token == Token.FALSE
      ? done()
      : fail(utf8("must be true or false"));
  }
  if (token != Token.STRING && token != Token.STRING_PART) return fail(utf8("must be a string"));
  const longest = load<u8>(FIELDS + ((<usize>current) << 1), 1);
  const room = longest == PEM ? capacity - 1 : <i32>longest;
  if (size + reader.size > room) return fail(utf8("too long"));
  memory.copy(value + size, reader.text, reader.size);
  size += reader.size;
  return token == Token.STRING ? judge(type) : Found.MORE;
}

/** The whole string is there. */
function judge(type: u8): u8 {
  if (type == Kind.METHOD) {
    number = <i32>(size == 3 && memory.compare(value, utf8("csr"), 3) == 0);
    const known = number == 1 || (size == 4 && memory.compare(value, utf8("keys"), 4) == 0);
    return known ? done() : fail(utf8('must be "keys" or "csr"'));
  }
  if (type == Kind.TEXT) return done();
  if (type == Kind.VERIFIER) return verifier();
  size = normalize(value, size);
  if (type == Kind.PUBLIC_KEY) {
    size = publicPoint(value, size);
    return size > 0 ? done() : fail(utf8("is not a PEM public key on P-256"));
  }
  const pem = kind(value, size);
  if (type == Kind.CERTIFICATE && pem != PemKind.CERTIFICATE) {
    return fail(utf8("is not a PEM certificate"));
  }
  if (type == Kind.KEY && pem != PemKind.PRIVATE_KEY) {
    return fail(utf8("is not an unencrypted PEM private key"));
  }
  return done();
}

/** Salt and verifier of SRP6a with the group of 3072 bits, together, as base64. */
function verifier(): u8 {
  const decoder = new Base64Decoder();
  size = decoder.decode(value, value, size);
  const good = decoder.complete && size == VERIFIER_BYTES;
  return good ? done() : fail(utf8("is not base64 of 16 bytes of salt and 384 of verifier"));
}

/** Members of claim.parameters, written again without blanks: an object of strings. A string that
 * crosses windows is put together behind the place where the object is written. */
function parameters(token: u8): u8 {
  const text = value + PARAMETERS_BYTES_MAX;
  if (token == Token.OBJECT && reader.depth == 3) {
    writer.begin(value, PARAMETERS_BYTES_MAX);
    writer.object();
  } else if (token == Token.KEY) {
    writer.member(reader.text, reader.size);
    size = 0;
  } else if (token == Token.STRING || token == Token.STRING_PART) {
    if (size + reader.size > PARAMETERS_BYTES_MAX) return fail(utf8("too long"));
    memory.copy(text + size, reader.text, reader.size);
    size += reader.size;
    if (token == Token.STRING) writer.string(text, size);
  } else if (token == Token.OBJECT_END) {
    writer.end();
    size = writer.size;
    return writer.overflow ? fail(utf8("too long")) : done();
  } else {
    return fail(utf8("must be an object of strings"));
  }
  return Found.MORE;
}

function done(): u8 {
  field = current;
  current = -1;
  return Found.FIELD;
}
