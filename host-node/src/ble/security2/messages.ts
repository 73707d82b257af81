// Messages of protocomm's session with security 2: Espressif's session.proto and sec2.proto.
//
//     SessionData   2: security scheme, 12: Sec2Payload
//     Sec2Payload   1: type, and the message of this type
//       20 Command0    1: user name     2: public number A
//       21 Response0   1: status        2: public number B   3: salt
//       22 Command1    1: proof of the client
//       23 Response1   1: status        2: proof of the device   3: nonce
//
// Fields that nobody knows are skipped. A known field of another wire type, or one that stands
// there twice, makes the message unreadable: no client writes it, and readers of protobuf differ.

import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { refuse } from "./errors.js";

const SECURITY_SCHEME = 2;
const FIELD_SCHEME = 2;
const FIELD_SECURITY0 = 10;
const FIELD_SECURITY1 = 11;
const FIELD_SECURITY2 = 12;
const FIELD_TYPE = 1;
const FIRST_MESSAGE = 20;

const MESSAGES = [
  { kind: "command0", hasStatus: false, fields: 2 },
  { kind: "response0", hasStatus: true, fields: 3 },
  { kind: "command1", hasStatus: false, fields: 1 },
  { kind: "response1", hasStatus: true, fields: 3 },
] as const;

export type MessageKind = (typeof MESSAGES)[number]["kind"];

export interface Message {
  readonly kind: MessageKind;
  /** Status of constants.proto; 0 where there is none. */
  readonly status: number;
  /** Fields of bytes in order of their numbers; a missing one is empty. */
  readonly fields: readonly Uint8Array[];
}

// ---- writing -----------------------------------------------------------------------------------

/** As protobuf wants it, a field that is empty or zero is not written. */
function writeFields(writer: BinaryWriter, first: number, fields: readonly Uint8Array[]): void {
  fields.forEach((field, index) => {
    if (field.length > 0) writer.tag(first + index, WireType.LengthDelimited).bytes(field);
  });
}

/** A message whose status, where it has one, is success. */
export function encodeMessage(kind: MessageKind, ...fields: readonly Uint8Array[]): Uint8Array {
  const type = MESSAGES.findIndex((message) => message.kind === kind);
  const writer = new BinaryWriter();
  writer.tag(FIELD_SCHEME, WireType.Varint).int32(SECURITY_SCHEME);
  writer.tag(FIELD_SECURITY2, WireType.LengthDelimited).fork();
  if (type > 0) writer.tag(FIELD_TYPE, WireType.Varint).int32(type);
  writer.tag(FIRST_MESSAGE + type, WireType.LengthDelimited).fork();
  writeFields(writer, MESSAGES[type]!.hasStatus ? 2 : 1, fields);
  return writer.join().join().finish();
}

// ---- reading -----------------------------------------------------------------------------------

interface Fields {
  readonly numbers: ReadonlyMap<number, number>;
  readonly bytes: ReadonlyMap<number, Uint8Array>;
}

function expectType(wireType: WireType, expected: WireType, field: number): void {
  if (wireType !== expected) refuse("message", `field ${field} has wire type ${wireType}`);
}

/** Fields of one level. Throws Security2Error, and what the reader throws. */
function readFields(
  bytes: Uint8Array,
  numberFields: readonly number[],
  bytesFields: readonly number[],
): Fields {
  const numbers = new Map<number, number>();
  const found = new Map<number, Uint8Array>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (numbers.has(field) || found.has(field)) refuse("message", `field ${field} is there twice`);
    if (numberFields.includes(field)) {
      expectType(wireType, WireType.Varint, field);
      numbers.set(field, reader.int32());
    } else if (bytesFields.includes(field)) {
      expectType(wireType, WireType.LengthDelimited, field);
      found.set(field, reader.bytes());
    } else reader.skip(wireType, field);
  }
  return { numbers, bytes: found };
}

function readPayload(bytes: Uint8Array): Message {
  const places = MESSAGES.map((_, type) => FIRST_MESSAGE + type);
  const { numbers, bytes: found } = readFields(bytes, [FIELD_TYPE], places);
  const type = numbers.get(FIELD_TYPE) ?? 0;
  const body = found.get(FIRST_MESSAGE + type);
  const message = MESSAGES[type];
  if (message === undefined || body === undefined || found.size !== 1) {
    return refuse("message", `no message of type ${type}, or another one`);
  }
  const first = message.hasStatus ? 2 : 1;
  const numberFields = message.hasStatus ? [1] : [];
  const wanted = Array.from({ length: message.fields - first + 1 }, (_, index) => first + index);
  const fields = readFields(body, numberFields, wanted);
  return {
    kind: message.kind,
    status: fields.numbers.get(1) ?? 0,
    fields: wanted.map((field) => fields.bytes.get(field) ?? new Uint8Array()),
  };
}

function readMessage(bytes: Uint8Array): Message {
  const schemes = [FIELD_SECURITY0, FIELD_SECURITY1, FIELD_SECURITY2];
  const { numbers, bytes: found } = readFields(bytes, [FIELD_SCHEME], schemes);
  const scheme = numbers.get(FIELD_SCHEME) ?? 0;
  const payload = found.get(FIELD_SECURITY2);
  if (scheme !== SECURITY_SCHEME || payload === undefined || found.size !== 1) {
    return refuse("message", `security scheme ${scheme}; here it is ${SECURITY_SCHEME}`);
  }
  return readPayload(payload);
}

/** Throws Security2Error with the reason "message" for bytes that are none. */
export function decodeMessage(bytes: Uint8Array): Message {
  try {
    return readMessage(bytes);
  } catch (error) {
    return refuse("message", error instanceof Error ? error.message : String(error));
  }
}
