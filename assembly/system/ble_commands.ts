// Commands over BLE (docs/BLE.md): what a session may ask of the device on the characteristic of
// configuration, and the answers. Each request has one answer, and the next request waits for it.
// Knows the configuration and the factory reset, and nothing of radio or frames.

import { BleCode, bleRead, wifiScan } from "../abi/host";
import { Identity, has } from "../aws/credentials";
import { JsonWriter } from "../codec/json_writer";
import * as packets from "../ble/packets";
import { Characteristic, SEND_BYTES_MAX } from "../ble/packets";
import { textSize } from "../util/bytes";
import * as configuration from "./configuration";
import { Slot } from "./configuration";
import * as documents from "./documents";
import * as factory from "./factory";
import * as outcome from "./outcome";
import * as setup from "./setup";
import * as root from "./system";

namespace Command {
  export const APPLY: u8 = 1;
  export const READ: u8 = 2;
  export const SCAN: u8 = 3;
  export const RESET: u8 = 4;
  export const STATUS: u8 = 5;
  export const LEAVE: u8 = 6;
}

const ANSWER: u8 = 0x80;
const HEADER_BYTES: i32 = 2;
const BODY_BYTES_MAX: i32 = SEND_BYTES_MAX - HEADER_BYTES;
/** What stands before the name of each network that was found. */
const NETWORK_BYTES: i32 = 3;
/** The answer needs a moment before the device goes. */
const FAREWELL_MS: u32 = 1000;

const command: usize = memory.data(1);
let writer: JsonWriter = changetype<JsonWriter>(0);
let scans: bool = false;

/** Before anything else. */
export function prepare(): void {
  writer = new JsonWriter();
}

/** A command, which bleRead() gives. */
export function onCommand(size: i32): void {
  scans = false;
  store<u8>(command, 0);
  bleRead(0, command, min(size, 1));
  switch (load<u8>(command)) {
    case Command.STATUS:
      tellStatus();
      break;
    case Command.READ:
      tellConfiguration();
      break;
    case Command.RESET:
      answer(BleCode.SUCCESS, 0);
      factory.request(FAREWELL_MS);
      break;
    case Command.APPLY:
    case Command.SCAN:
    case Command.LEAVE:
      if (setup.isBusy()) answer(BleCode.BUSY, 0);
      else act();
      break;
    default:
      answer(BleCode.INVALID_REQUEST, 0);
  }
}

function act(): void {
  if (load<u8>(command) == Command.APPLY) setup.apply(document);
  else if (load<u8>(command) == Command.SCAN) scan();
  else leave();
}

/** The document stands behind the command. */
function document(at: u32, to: usize, bytes: i32): i32 {
  return bleRead(at + 1, to, bytes);
}

/** The document was refused, or is being tried. */
export function onJudged(code: u8): void {
  if (load<u8>(command) != Command.APPLY) return;
  store<u8>(command, 0);
  const size = code == BleCode.IN_PROGRESS ? 0 : outcome.textBytes();
  answerTo(Command.APPLY, code, put(HEADER_BYTES, outcome.text, size));
}

function scan(): void {
  const status = wifiScan();
  if (status < 0) answer(BleCode.FAILED, 0);
  else scans = true;
}

/** Event WIFI_SCANNED: as many networks as fit, or a Status. */
export function onScanned(count: i32, from: usize, size: i32): void {
  if (!scans) return;
  scans = false;
  if (count < 0) return answer(BleCode.FAILED, 0);
  let end = 0;
  while (end + NETWORK_BYTES <= size) {
    const next = end + NETWORK_BYTES + <i32>load<u8>(from + end, 2);
    if (next > size || next > BODY_BYTES_MAX) break;
    end = next;
  }
  answer(BleCode.SUCCESS, put(HEADER_BYTES, from, end));
}

function leave(): void {
  const missing = root.missingField(0);
  if (missing == 0) {
    answer(BleCode.SUCCESS, 0);
    setup.leave();
  } else {
    answer(BleCode.MISSING_ELEMENTS, put(HEADER_BYTES, missing, textSize(missing)));
  }
}

function tellStatus(): void {
  store<u8>(packets.plain + HEADER_BYTES, outcome.step());
  store<i8>(packets.plain + HEADER_BYTES, outcome.status(), 1);
  answer(outcome.code(), 2 + put(HEADER_BYTES + 2, outcome.text, outcome.textBytes()));
  setup.onTold();
}

/** Texts as they are, and of secrets only that they are there. */
function tellConfiguration(): void {
  writer.begin(packets.plain + HEADER_BYTES, BODY_BYTES_MAX);
  writer.object();
  section(utf8("wifi"));
  text(utf8("ssid"), Slot.SSID);
  there(utf8("password"), configuration.sizeOf(Slot.PASSWORD) > 0);
  writer.end();
  section(utf8("aws"));
  text(utf8("endpoint"), Slot.ENDPOINT);
  writer.key(utf8("port"));
  writer.integer(configuration.port());
  there(utf8("rootCa"), root.hasRootCa());
  writer.end();
  section(utf8("thing"));
  if (root.thingNameSize() > 0) {
    writer.key(utf8("name"));
    writer.string(root.thingName(), root.thingNameSize());
  }
  pair(Identity.THING);
  section(utf8("claim"));
  text(utf8("template"), Slot.TEMPLATE);
  there(utf8("parameters"), configuration.sizeOf(Slot.PARAMETERS) > 0);
  pair(Identity.CLAIM);
  section(utf8("ota"));
  there(utf8("publicKey"), configuration.sizeOf(Slot.UPDATE_KEY) > 0);
  there(utf8("allowUnsigned"), configuration.allowsUnsigned());
  writer.end();
  writer.end();
  if (writer.overflow) answer(BleCode.TOO_LARGE, 0);
  else answer(BleCode.SUCCESS, writer.size);
}

function section(name: usize): void {
  writer.key(name);
  writer.object();
}

function text(name: usize, slot: u16): void {
  if (configuration.sizeOf(slot) == 0) return;
  writer.key(name);
  writer.string(configuration.textOf(slot), configuration.sizeOf(slot));
}

function there(name: usize, is: bool): void {
  if (!is) return;
  writer.key(name);
  writer.boolean(true);
}

/** Ends a section. */
function pair(identity: u8): void {
  there(utf8("certificate"), has(identity));
  there(utf8("privateKey"), has(identity));
  writer.end();
}

/** Puts bytes into the answer, as many as there is room for; their number. */
function put(at: i32, from: usize, size: i32): i32 {
  const bytes = min(size, SEND_BYTES_MAX - at);
  memory.copy(packets.plain + at, from, bytes);
  return bytes;
}

function answer(code: u8, bodySize: i32): void {
  answerTo(load<u8>(command), code, bodySize);
}

function answerTo(which: u8, code: u8, bodySize: i32): void {
  store<u8>(packets.plain, which | ANSWER);
  store<u8>(packets.plain, code, 1);
  packets.send(Characteristic.CONFIGURATION, HEADER_BYTES + bodySize);
}
