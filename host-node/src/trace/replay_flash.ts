// The records partition of a replay. A trace hides the two checksums of a record that holds a
// secret (docs/TRACES.md, "Flash"): the payload is not what they were made of. So that the core
// finds its records whole, or damaged where the device did, what it reads gets checksums that fit
// what the trace shows, or do not; what it writes is compared without them. Keeps a picture of the
// partition as the trace has shown it. Called by replay.ts, with the flash calls in their order.

import { Dataset, FLASH_SECTOR_BYTES, FLASH_UNIT_BYTES, Status } from "../abi.js";
import { crc32 } from "../crc32.js";
import { type CallLine, isFilled, type TraceLine } from "./lines.js";
import {
  datasetOf,
  extentOf,
  HEADER_CRC_AT,
  headerChecksum,
  isRecord,
  isSealed,
  PAYLOAD_CRC_AT,
  payloadBytes,
  viewOf,
} from "./record_header.js";

const DATASET_MAX: number = Dataset.CLAIM_KEY_OTHER;
const ERASED = 0xff;

/** In place of the checksums of a record, and of one whose payload is damaged. */
const WHOLE = Buffer.from("0000000000000000", "hex");
const DAMAGED = Buffer.from("ffffffff00000000", "hex");

const checksumsOf = (header: Uint8Array): Uint8Array => {
  return header.subarray(PAYLOAD_CRC_AT, FLASH_UNIT_BYTES);
};

/** Whether these 16 bytes stand for a record header whose checksums are hidden. */
function isHidden(header: Uint8Array, offset: number): boolean {
  const checksums = checksumsOf(header);
  return (
    isRecord(header, offset) &&
    datasetOf(header) <= DATASET_MAX &&
    (areEqual(checksums, WHOLE) || areEqual(checksums, DAMAGED))
  );
}

/** Whether a unit is the header of a record, made for this place. */
const isWhole = (unit: Uint8Array, offset: number): boolean =>
  isRecord(unit, offset) && isSealed(unit, offset);

const areEqual = (some: Uint8Array, others: Uint8Array): boolean =>
  Buffer.compare(some, others) === 0;

/** Whether the core writes what the trace shows, hidden checksums left out. */
export function isSameWrite(shown: Uint8Array, written: Uint8Array, offset: number): boolean {
  if (shown.length !== written.length) return false;
  const isHeader = shown.length >= FLASH_UNIT_BYTES && isHidden(shown, offset);
  if (!isHeader) return areEqual(shown, written);
  const after = FLASH_UNIT_BYTES;
  return (
    areEqual(shown.subarray(0, PAYLOAD_CRC_AT), written.subarray(0, PAYLOAD_CRC_AT)) &&
    areEqual(shown.subarray(after), written.subarray(after))
  );
}

/** What is known of a sector: its bytes, and 1 for each that is known. */
class Sector {
  readonly bytes = new Uint8Array(FLASH_SECTOR_BYTES);
  readonly known = new Uint8Array(FLASH_SECTOR_BYTES);
}

interface FlashCall {
  readonly line: number;
  readonly name: string;
  readonly offset: number;
  /** What was read or written; empty for an erase. */
  readonly bytes: Uint8Array;
}

/** The calls that were accepted; no others say anything about the flash. */
function flashCall(call: CallLine): FlashCall[] {
  const { line, entry, args, result } = call;
  const [offset, slice] = args;
  if (!entry.name.startsWith("flash_") || typeof offset !== "number" || result < 0) return [];
  const given = slice instanceof Uint8Array ? slice : new Uint8Array();
  const bytes = slice !== undefined && isFilled(slice) ? slice.bytes : given;
  return [{ line, name: entry.name, offset, bytes }];
}

export class ReplayFlash {
  private readonly calls: readonly FlashCall[];
  private readonly sectors = new Map<number, Sector>();

  /** `lines`: the whole trace; what stands later in it tells what was read earlier. */
  constructor(lines: readonly TraceLine[]) {
    this.calls = lines.flatMap((line) => (line.what === "call" ? flashCall(line) : []));
  }

  /** As FlashPort.read; what is not known, as behind an erase, is erased. */
  read(offset: number, bytes: Uint8Array): number {
    for (let index = 0; index < bytes.length; index++) {
      const at = (offset + index) % FLASH_SECTOR_BYTES;
      const sector = this.sectors.get(sectorOf(offset + index));
      bytes[index] = sector?.known[at] === 1 ? sector.bytes[at]! : ERASED;
    }
    return Status.OK;
  }

  /**
   * The core wrote `made` where the trace shows `shown`. Of a header whose checksums are hidden the
   * core's are kept: by them whoever asks read() knows it for a header.
   */
  written(offset: number, shown: Uint8Array, made: Uint8Array): void {
    this.learn(offset, shown);
    const isHeader = shown.length >= FLASH_UNIT_BYTES && isHidden(shown, offset);
    if (isHeader) this.learn(offset, made.subarray(0, FLASH_UNIT_BYTES));
  }

  erased(offset: number): void {
    this.sectors.delete(sectorOf(offset));
  }

  /** What the core reads where line `line` of the trace shows these bytes. */
  answer(line: number, offset: number, shown: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(shown);
    const hidden = hiddenUnits(offset, bytes);
    this.learn(offset, bytes);
    for (const at of hidden) {
      const place = bytes.subarray(at - offset, at - offset + FLASH_UNIT_BYTES);
      const header = this.completed(place, at, line);
      this.learn(at, header);
      place.set(header);
    }
    return bytes;
  }

  /** Takes bytes over into the picture. */
  private learn(offset: number, bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      const at = (offset + from) % FLASH_SECTOR_BYTES;
      const part = bytes.subarray(from, from + FLASH_SECTOR_BYTES - at);
      const number = sectorOf(offset + from);
      const sector = this.sectors.get(number) ?? new Sector();
      this.sectors.set(number, sector);
      sector.bytes.set(part, at);
      sector.known.fill(1, at, at + part.length);
      from += part.length;
    }
  }

  /** A unit, or null when some of it is not known. */
  private unit(offset: number): Uint8Array | null {
    const sector = this.sectors.get(sectorOf(offset));
    const at = offset % FLASH_SECTOR_BYTES;
    const isKnown = sector?.known.subarray(at, at + FLASH_UNIT_BYTES).every((byte) => byte === 1);
    return isKnown ? sector!.bytes.slice(at, at + FLASH_UNIT_BYTES) : null;
  }

  /** This header with checksums that fit, or do not; as it is when it only looks like one. */
  private completed(shown: Uint8Array, offset: number, line: number): Uint8Array {
    const header = shown.slice();
    if (!this.isHeaderPlace(offset)) return header;
    const payload = this.payload(offset + FLASH_UNIT_BYTES, payloadBytes(header), line);
    const isDamaged = areEqual(checksumsOf(header), DAMAGED);
    const checksum = isDamaged ? ~crc32(payload) : crc32(payload);
    viewOf(header).setUint32(PAYLOAD_CRC_AT, checksum, true);
    viewOf(header).setUint32(HEADER_CRC_AT, headerChecksum(header, offset), true);
    return header;
  }

  /** Whether the records before this place in its sector end here: else it lies inside of one. */
  private isHeaderPlace(offset: number): boolean {
    const top = sectorOf(offset) * FLASH_SECTOR_BYTES;
    let at = top + FLASH_UNIT_BYTES;
    while (at < offset) {
      const unit = this.unit(at);
      at += unit !== null && isWhole(unit, at) ? extentOf(unit) : FLASH_UNIT_BYTES;
    }
    return at === offset;
  }

  /**
   * Bytes of one sector: as the trace has shown them up to this line, else as it shows them later,
   * before they are erased. Zeros where it never does: then the core does not look at them either.
   */
  private payload(offset: number, size: number, line: number): Uint8Array {
    const at = offset % FLASH_SECTOR_BYTES;
    const { bytes, known } = this.sectors.get(sectorOf(offset)) ?? new Sector();
    const payload = bytes.slice(at, at + size);
    const isKnown = known.slice(at, at + size);
    for (const call of this.calls) {
      if (isKnown.indexOf(0) < 0) break;
      if (call.line <= line) continue;
      if (call.name === "flash_erase" && sectorOf(call.offset) === sectorOf(offset)) break;
      if (call.name === "flash_read") fill(payload, isKnown, call.bytes, call.offset - offset);
    }
    return payload;
  }
}

const sectorOf = (offset: number): number => Math.floor(offset / FLASH_SECTOR_BYTES);

/** Offsets of the units of an answer that look like headers with hidden checksums. */
function hiddenUnits(offset: number, bytes: Uint8Array): number[] {
  const first = Math.ceil(offset / FLASH_UNIT_BYTES) * FLASH_UNIT_BYTES;
  const units: number[] = [];
  for (let at = first; at + FLASH_UNIT_BYTES <= offset + bytes.length; at += FLASH_UNIT_BYTES) {
    const unit = bytes.subarray(at - offset, at - offset + FLASH_UNIT_BYTES);
    if (isHidden(unit, at)) units.push(at);
  }
  return units;
}

/** Puts bytes that were read at `at`, counted from the payload's begin, where none are known. */
function fill(payload: Uint8Array, isKnown: Uint8Array, read: Uint8Array, at: number): void {
  const end = Math.min(payload.length, at + read.length);
  for (let index = Math.max(0, at); index < end; index++) {
    if (isKnown[index] === 1) continue;
    payload[index] = read[index - at]!;
    isKnown[index] = 1;
  }
}
