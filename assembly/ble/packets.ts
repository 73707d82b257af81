// Packets over BLE (docs/BLE.md): frames in and out, with the host's encryption between. A packet
// that arrives lies in the host, from its first frame on; one that is sent lies here, sealed, until
// its last frame has gone. Strictly one request, then its answer: both sides share a counter, and a
// request lets go of what is left of the answer before it. What is sent lies in the workspace,
// which a document needs only between its request and its answer. ble.ts is the only caller but for
// send().

import {
  BLE_FRAME_BYTES_MAX,
  BLE_PACKET_BYTES_MAX,
  BLE_SEAL_BYTES,
  bleAppend,
  bleNotify,
  bleOpen,
  bleSeal,
} from "../abi/host";
import { Assembly, Dispersal, Fate } from "../codec/ble_frame";
import { WORKSPACE } from "../kernel/workspace";
import { Timer, clearTimer, setTimer } from "../kernel/timers";

/** Longest packet that this side sends, as plain text. */
export const SEND_BYTES_MAX: i32 = 1024;
const NEXT_FRAME_MS: u32 = 5000;
/** ATT takes three bytes of each MTU. */
const ATT_BYTES: i32 = 3;
const MTU_MIN: i32 = 23;
/** Value of characteristic 3. */
const CHANGE_BYTES: i32 = 4;

export namespace Characteristic {
  export const CONFIGURATION: i32 = 2;
  export const CHANGES: i32 = 3;
  export const APPLICATION: i32 = 4;
}

let assembly: Assembly = changetype<Assembly>(0);
let dispersal: Dispersal = changetype<Dispersal>(0);
/** Where a packet is put together before it is sent, SEND_BYTES_MAX. */
export const plain: usize = WORKSPACE;
const sealed: usize = plain + SEND_BYTES_MAX;
const frame: usize = sealed + SEND_BYTES_MAX + BLE_SEAL_BYTES;
/** Characteristic of the packet that arrives, and of the one that is sent. */
let arriving: i32 = 0;
let leaving: i32 = 0;
/** A request was heard, and its answer has not been given. */
let owes: bool = false;
/** A notification is on its way. */
let notifies: bool = false;
/** What characteristic 3 says: changes, code, seconds. It waits for its turn. */
const changes: usize = memory.data(CHANGE_BYTES);
let changeWaits: bool = false;
let room: i32 = MTU_MIN - ATT_BYTES;
let heard: (characteristic: i32, size: i32) => void = (_characteristic: i32, _size: i32) => {};
let failed: (reason: usize) => void = (_reason: usize) => {};

/** Before anything else; who takes whole packets, whose plain text bleRead() gives. */
export function prepare(whole: (characteristic: i32, size: i32) => void): void {
  assembly = new Assembly(BLE_PACKET_BYTES_MAX);
  dispersal = new Dispersal();
  heard = whole;
}

/** Who ends a session whose packets do not fit together any more: the two counters are apart. */
export function onFailure(ends: (reason: usize) => void): void {
  failed = ends;
}

/** A central is there. */
export function begin(mtu: i32): void {
  reset();
  setMtu(mtu);
}

export function setMtu(mtu: i32): void {
  room = min(max(mtu, MTU_MIN) - ATT_BYTES, BLE_FRAME_BYTES_MAX);
}

/** A session begins, or is over. */
export function reset(): void {
  clearTimer(Timer.BLE_PACKET);
  notifies = false;
  changeWaits = false;
  owes = false;
  assembly.reset();
  dispersal.reset();
}

/** A frame of a central that is authenticated. */
export function onFrame(characteristic: i32, from: usize, size: i32): void {
  clearTimer(Timer.BLE_PACKET);
  if (owes) return failed(utf8("a packet before the answer to the one before"));
  const isOther = assembly.isOpen && characteristic != arriving;
  if (isOther) assembly.reset();
  const fate = assembly.take(from, size);
  arriving = characteristic;
  if (fate > Fate.WHOLE) {
    failed(wordsOf(fate));
  } else if (bleAppend(assembly.part, assembly.partSize, <u32>assembly.isFirst) < 0) {
    failed(utf8("the host has no room for the packet"));
  } else if (fate == Fate.PART) {
    setTimer(Timer.BLE_PACKET, NEXT_FRAME_MS);
  } else {
    unseal(characteristic);
  }
}

function wordsOf(fate: u8): usize {
  if (fate == Fate.BROKEN) return utf8("the packet is not what was sent");
  if (fate == Fate.TOO_LARGE) return utf8("the packet is too long");
  return utf8("a frame is missing, or came out of turn");
}

function unseal(characteristic: i32): void {
  const size = bleOpen();
  if (size < 0) return failed(utf8("the packet is not of this session"));
  owes = true;
  dispersal.reset();
  heard(characteristic, size);
}

/** The next frame did not come in time. */
export function onTimer(): void {
  if (assembly.isOpen) failed(utf8("the next frame did not come"));
}

/** Seals and sends what is in `plain`, at most SEND_BYTES_MAX: the answer to what was heard. */
export function send(characteristic: i32, size: i32): void {
  owes = false;
  const bytes = bleSeal(plain, size, sealed, size + BLE_SEAL_BYTES);
  if (bytes < 0) return; // the session is over, and so is who would have heard it
  leaving = characteristic;
  dispersal.begin(sealed, bytes);
  if (!notifies) sendNext();
}

/** Tells a central, with a session or without, what characteristic 3 says from now on. */
export function change(code: u8, seconds: u16): void {
  store<u8>(changes, load<u8>(changes) + 1);
  store<u8>(changes, code, 1);
  store<u16>(changes, seconds, 2);
  changeWaits = true;
  if (!notifies) sendNext();
}

/** One notification at a time, so that each BLE_SENT is known to be of which. */
function sendNext(): void {
  if (dispersal.isOpen) {
    notifies = bleNotify(leaving, frame, dispersal.draw(frame, room)) >= 0;
    if (!notifies) dispersal.reset();
  } else if (changeWaits) {
    changeWaits = false;
    notifies = bleNotify(Characteristic.CHANGES, changes, CHANGE_BYTES) >= 0;
  }
}

/** Event BLE_SENT. A frame that was not sent ends its packet: the other side will miss it. */
export function onSent(status: i32): void {
  notifies = false;
  if (status < 0) dispersal.reset();
  sendNext();
}
