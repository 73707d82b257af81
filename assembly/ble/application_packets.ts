// Packets of the application over BLE (docs/BLE.md, characteristic 4). A packet with a name that
// the application has registered goes to its callback at the end of the step, as every callback of
// an application does; the central waits for the answer. What the application sends waits here
// until the central fetches it: one packet. ble_configurator.ts calls it; library/ble.ts is its
// other side.

import { BleCode, Event, Status, bleRead } from "../abi/host";
import { emit } from "../kernel/events";
import { equal } from "../util/bytes";
import * as ble from "./ble";
import * as packets from "./packets";
import { Characteristic, SEND_BYTES_MAX } from "./packets";

namespace Request {
  export const DATA: u8 = 1;
  export const FETCH: u8 = 2;
}

const ANSWER: u8 = 0x80;
/** Kind, and size of the name; in an answer kind and code. */
const HEADER_BYTES: i32 = 2;
/** Kind, code, size of the name. */
const FETCHED_HEADER_BYTES: i32 = 3;
export const NAME_BYTES_MAX: i32 = 32;
const CALLBACKS_MAX: i32 = 8;

/** Takes a packet; its BleCode. It may call reply(). */
type Callback = (data: Uint8Array) => u8;

class Entry {
  constructor(
    readonly name: ArrayBuffer,
    readonly callback: Callback,
  ) {}
}

let entries: StaticArray<Entry> = changetype<StaticArray<Entry>>(0);
let count: i32 = 0;
const request: usize = memory.data(HEADER_BYTES + NAME_BYTES_MAX);
/** Packet that waits for its callback: its size, and the entry. */
let waiting: Entry | null = null;
let dataAt: i32 = 0;
let dataSize: i32 = 0;
/** Reply of the callback that runs, and the packet that waits to be fetched. */
let replied: Uint8Array | null = null;
let offeredName: ArrayBuffer | null = null;
let offered: Uint8Array | null = null;

/** NO_SPACE beyond eight names. */
export function register(name: ArrayBuffer, callback: Callback): i32 {
  if (name.byteLength == 0 || name.byteLength > NAME_BYTES_MAX) return Status.INVALID_ARGUMENT;
  if (count == 0) entries = new StaticArray<Entry>(CALLBACKS_MAX);
  if (count == CALLBACKS_MAX) return Status.NO_SPACE;
  entries[count++] = new Entry(name, callback);
  return Status.OK;
}

export function reply(data: Uint8Array): i32 {
  if (data.length > SEND_BYTES_MAX - HEADER_BYTES) return Status.TOO_LARGE;
  replied = data;
  return Status.OK;
}

export function offer(name: ArrayBuffer, data: Uint8Array): i32 {
  if (name.byteLength == 0 || name.byteLength > NAME_BYTES_MAX) return Status.INVALID_ARGUMENT;
  if (FETCHED_HEADER_BYTES + name.byteLength + data.length > SEND_BYTES_MAX)
    return Status.TOO_LARGE;
  if (offered !== null) return Status.NO_SPACE;
  offeredName = name;
  offered = data;
  ble.change();
  return Status.OK;
}

/** A packet, which bleRead() gives. */
export function onPacket(size: i32): void {
  memory.fill(request, 0, HEADER_BYTES);
  bleRead(0, request, HEADER_BYTES + NAME_BYTES_MAX);
  if (load<u8>(request) == Request.FETCH) {
    hand();
    return;
  }
  const nameSize = <i32>load<u8>(request, 1);
  const entry = load<u8>(request) == Request.DATA ? find(nameSize) : null;
  if (entry === null || HEADER_BYTES + nameSize > size) {
    answer(BleCode.INVALID_REQUEST, HEADER_BYTES);
    return;
  }
  waiting = entry;
  dataAt = HEADER_BYTES + nameSize;
  dataSize = size - dataAt;
}

function find(nameSize: i32): Entry | null {
  for (let i = 0; i < count; i++) {
    const name = entries[i].name;
    const isIt = name.byteLength == nameSize;
    if (isIt && equal(changetype<usize>(name), request + HEADER_BYTES, nameSize)) return entries[i];
  }
  return null;
}

/** The session is over, and with it whatever it asked. */
export function reset(): void {
  waiting = null;
}

/** Calls the callback of the packet that waits. */
export function deliver(): void {
  const entry = waiting;
  if (entry === null) return;
  waiting = null;
  const data = new Uint8Array(dataSize);
  bleRead(dataAt, data.dataStart, dataSize);
  const code = entry.callback(data);
  const bytes = replied;
  replied = null;
  if (bytes !== null) memory.copy(packets.plain + HEADER_BYTES, bytes.dataStart, bytes.length);
  answer(code, HEADER_BYTES + (bytes === null ? 0 : bytes.length));
}

/** Gives the central what waits for it, or nothing. */
function hand(): void {
  const name = offeredName;
  const data = offered;
  store<u8>(packets.plain, 0, HEADER_BYTES);
  if (name === null || data === null) return answer(BleCode.SUCCESS, FETCHED_HEADER_BYTES);
  store<u8>(packets.plain, <u8>name.byteLength, HEADER_BYTES);
  const nameAt = packets.plain + FETCHED_HEADER_BYTES;
  memory.copy(nameAt, changetype<usize>(name), name.byteLength);
  memory.copy(nameAt + name.byteLength, data.dataStart, data.length);
  emit(Event.BLE_PACKET_TAKEN, 0, changetype<usize>(name), name.byteLength);
  answer(BleCode.SUCCESS, FETCHED_HEADER_BYTES + name.byteLength + data.length);
  offeredName = null;
  offered = null;
}

function answer(code: u8, size: i32): void {
  store<u8>(packets.plain, load<u8>(request) | ANSWER);
  store<u8>(packets.plain, code, 1);
  packets.send(Characteristic.APPLICATION, size);
}
