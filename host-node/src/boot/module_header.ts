// A module slot (wasm_0, wasm_1), version 1: a module that was updated without its firmware. The
// first sector is the header's, the module starts at byte 4096. Everything is programmed in units
// of 16 bytes, each once between two erases. All numbers are little-endian.
//
//     0        4         6          8          12       16
//     +--------+---------+----------+----------+--------+
//     | "i32s" | version | reserved | sequence | size   |   unit 0; size of the module
//     +--------+---------+----------+----------+--------+
//     | SHA-256 of the module                           |   units 1, 2
//     +-------------------------------------------------+
//     | firmware id                                     |   units 3, 4
//     +--------+----------------------------------------+
//     | CRC-32 | 0xFF                                   |   unit 5; of the units 0 to 4
//     +--------+----------------------------------------+
//     | ATTEMPTED                                       |   unit 6; erased, or set
//     | CONFIRMED                                       |   unit 7
//     | INVALID                                         |   unit 8
//     +-------------------------------------------------+
//
// Firmware id: the SHA-256 at the end of the firmware image under which the module was installed.
// A mark is set when its unit is not erased: a power cut in its programming leaves it set, or as it
// was. Pure; module_slots.ts reads and writes, image/ explains. docs/OTA.md has the rules.

import { createHash } from "node:crypto";
import { crc32 } from "../crc32.js";
import { SECTOR_BYTES, UNIT_BYTES } from "../ports/nor.js";

export const MODULE_AT = SECTOR_BYTES;
export const HEADER_BYTES = 6 * UNIT_BYTES;
/** Header and marks. */
export const HEADER_AND_MARKS_BYTES = 9 * UNIT_BYTES;
const MAGIC = 0x73323369;
const VERSION = 1;
const DIGEST_BYTES = 32;
const CRC_AT = 5 * UNIT_BYTES;

export type Mark = "attempted" | "confirmed" | "invalid";
export const MARK_AT: Readonly<Record<Mark, number>> = {
  attempted: 6 * UNIT_BYTES,
  confirmed: 7 * UNIT_BYTES,
  invalid: 8 * UNIT_BYTES,
};
/** What is programmed to set a mark. */
export const MARK: Uint8Array = new Uint8Array(UNIT_BYTES);

export interface ModuleHeader {
  readonly sequence: number;
  readonly size: number;
  readonly sha256: Uint8Array;
  readonly firmwareId: Uint8Array;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export function encodeHeader(header: ModuleHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES).fill(0xff);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, 0, true);
  view.setUint32(8, header.sequence, true);
  view.setUint32(12, header.size, true);
  bytes.set(header.sha256, UNIT_BYTES);
  bytes.set(header.firmwareId, 3 * UNIT_BYTES);
  view.setUint32(CRC_AT, crc32(bytes.subarray(0, CRC_AT)), true);
  return bytes;
}

/** Null unless magic, version and CRC are right. */
export function decodeHeader(bytes: Uint8Array): ModuleHeader | null {
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== MAGIC || view.getUint16(4, true) !== VERSION) return null;
  if (view.getUint32(CRC_AT, true) !== crc32(bytes.subarray(0, CRC_AT))) return null;
  return {
    sequence: view.getUint32(8, true),
    size: view.getUint32(12, true),
    sha256: bytes.slice(UNIT_BYTES, UNIT_BYTES + DIGEST_BYTES),
    firmwareId: bytes.slice(3 * UNIT_BYTES, 3 * UNIT_BYTES + DIGEST_BYTES),
  };
}

export interface ModuleSlotState {
  readonly label: string;
  /** n of wasm_n. */
  readonly number: number;
  /** Nothing but 0xFF in header and marks. */
  readonly isBlank: boolean;
  /** Null when there is none, or when it is not as it should be. */
  readonly header: ModuleHeader | null;
  readonly marks: Readonly<Record<Mark, boolean>>;
  /** The module; null when its SHA-256 is not that of the header. */
  readonly module: Uint8Array | null;
}

/** Reads a slot of `size` bytes through `read`, as little of it as possible. */
export function readModuleSlot(
  slot: { readonly label: string; readonly number: number; readonly size: number },
  read: (offset: number, bytes: number) => Uint8Array,
): ModuleSlotState {
  const bytes = read(0, HEADER_AND_MARKS_BYTES);
  const isSet = (mark: Mark): boolean =>
    bytes.subarray(MARK_AT[mark], MARK_AT[mark] + UNIT_BYTES).some((byte) => byte !== 0xff);
  const marks = {
    attempted: isSet("attempted"),
    confirmed: isSet("confirmed"),
    invalid: isSet("invalid"),
  };
  const header = decodeHeader(bytes);
  const isBlank = bytes.every((byte) => byte === 0xff);
  const state = { label: slot.label, number: slot.number, isBlank, header, marks };
  if (header === null || header.size > slot.size - MODULE_AT) return { ...state, module: null };
  const module = read(MODULE_AT, header.size);
  const digest = createHash("sha256").update(module).digest();
  return { ...state, module: digest.equals(header.sha256) ? module : null };
}

/** Whether the slot holds a whole module for this firmware that was not given up. */
function isWhole({ header, module, marks }: ModuleSlotState, firmwareId: Uint8Array): boolean {
  if (header === null || module === null || marks.invalid) return false;
  return Buffer.compare(header.firmwareId, firmwareId) === 0;
}

export interface ModuleChoice {
  /** Null: the module inside the firmware runs. */
  readonly chosen: ModuleSlotState | null;
  /** It runs for the first time: it is marked ATTEMPTED before it starts. */
  readonly startsTrial: boolean;
  /** Was tried and never confirmed: it is marked INVALID. */
  readonly givenUp: readonly ModuleSlotState[];
}

/** What runs under a firmware, and what is to be written down about it. */
export function chooseModuleSlot(
  slots: readonly ModuleSlotState[],
  firmwareId: Uint8Array,
): ModuleChoice {
  const whole = slots.filter((slot) => isWhole(slot, firmwareId));
  const isGivenUp = ({ marks }: ModuleSlotState): boolean => marks.attempted && !marks.confirmed;
  const [chosen = null] = whole.filter((slot) => !isGivenUp(slot)).toSorted(byNewest);
  return {
    chosen,
    startsTrial: chosen !== null && !chosen.marks.confirmed,
    givenUp: whole.filter(isGivenUp),
  };
}

const byNewest = (a: ModuleSlotState, b: ModuleSlotState): number =>
  (b.header?.sequence ?? 0) - (a.header?.sequence ?? 0);

/**
 * The slot to write next, of those that do not run: one that holds nothing of use, else the one
 * with the lowest sequence, so that the module of another firmware stays as long as it can.
 */
export function chooseNextSlot(
  slots: readonly ModuleSlotState[],
  running: number,
): ModuleSlotState | null {
  const worth = ({ header, module, marks }: ModuleSlotState): number =>
    header === null || module === null || marks.invalid ? -1 : header.sequence;
  const others = slots.filter(({ number }) => number !== running);
  return others.toSorted((a, b) => worth(a) - worth(b))[0] ?? null;
}
