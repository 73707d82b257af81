// Secrets in the records partition, found by place (docs/TRACES.md, docs/FLASH.md). Its C twin is
// host-esp32/components/host_abi/trace_flash.c: the same states, the same names. Walks the sector
// from its start to the bytes that are written, unit by unit and record by record. What lies in the
// bytes themselves is taken from there and the rest through a reader, so that it does not matter
// whether a flash_write was accepted. Reads each byte of the sector once at most, but for the edges
// of what is written.
//
//     sector header                    stays
//     record header                    stays; its checksums are hidden where they know a secret
//     payload of a good record         by its dataset
//     erased unit, padding of 0xFF     stays
//     anything else                    u
//
// A payload that a flash_read finds without its checksum is anything else: a bit that flipped may
// have moved a secret to where nobody looks for it.

import { Dataset } from "../abi.js";
import { crc32 } from "../crc32.js";
import { SECTOR_BYTES, UNIT_BYTES } from "../ports/nor.js";
import {
  datasetOf,
  extentOf,
  HEADER_CRC_AT,
  isRecord,
  isSealed,
  PAYLOAD_CRC_AT,
  payloadBytes,
  SECTOR,
  viewOf,
} from "./record_header.js";
import { Mask, TextMask } from "./redact_text.js";

/** Fills `bytes` from this offset of the partition; a negative Status when it cannot. */
export type FlashReader = (offset: number, bytes: Uint8Array) => number;

/** CRC-32 of the configuration document that the host has: as it is, and as a trace shows it. */
export interface DocumentChecksums {
  readonly own: number;
  readonly shown: number;
}

/** Where system/configuration.ts, system/outcome.ts and aws/progress.ts put things. */
const DOCUMENT_CRC_AT = 4;
const DOCUMENT_CRC_END = DOCUMENT_CRC_AT + 4;
const PASSWORD_AT = 48;
const PASSWORD_END = PASSWORD_AT + 64;
const VERIFIER_AT = 738;
const VERIFIER_END = VERIFIER_AT + 400;
/** In a CANDIDATE: how it went, in text; in any other phase the mirror of a CONFIGURATION. */
const CANDIDATE_HEADER_BYTES = 16;
const PHASE_AT = 1;
const PHASE_TOLD = 2;
const MIRROR_UNITS_AT = 3;
const MIRROR_BYTES_MIN = 208;

/** Datasets that may hold what is replaced, beside those of keys. */
const HIDING: readonly number[] = [
  Dataset.CONFIGURATION,
  Dataset.SYSTEM_STATUS,
  Dataset.APPLICATION,
  Dataset.CANDIDATE,
];
/** And where keys lie. */
const KEYS: readonly number[] = [
  Dataset.THING_KEY,
  Dataset.CLAIM_KEY,
  Dataset.THING_KEY_OTHER,
  Dataset.CLAIM_KEY_OTHER,
];

/** Its size is an i32. */
const PARTITION_BYTES_MAX = 0x7fffffff;
const PIECE_BYTES = 64;
const ERASED = 0xff;
/** A byte of a verifier, as the document decodes to that a trace shows. */
const NO_VERIFIER = 0;
/** Stands for the checksum of any document but the one that the host has. */
const NO_DOCUMENT = 0xffffffff;

/** What the unit at hand is. */
const Unit = { PLAIN: 0, UNKNOWN: 1, HEADER: 2, PAYLOAD: 3 } as const;

/** Whether the checksums in a header of this dataset are written as zero, or 0xff where wrong. */
export function hidesChecksums(dataset: number): boolean {
  return HIDING.includes(dataset) || isKey(dataset);
}

function isKey(dataset: number): boolean {
  return KEYS.includes(dataset);
}

const isErased = (unit: Uint8Array): boolean => unit.every((byte) => byte === ERASED);
const u32 = (bytes: Uint8Array, at: number): number => viewOf(bytes).getUint32(at, true);

const BEGIN = Buffer.from("BEGIN ");
const END = Buffer.from("END ");
const LABEL_BYTES_MAX = 21;
const DASHES = 5;
const IN_LABEL = 20;

/**
 * A key as the record store keeps it: whatever is not a BEGIN or END line becomes k, but for line
 * ends, and for bytes that are erased.
 */
class KeyMask {
  /** Dashes in a row; above 5, as much of BEGIN or END; IN_LABEL. */
  private frame = 0;
  private isEnd = false;
  private label = 0;

  begin(): void {
    this.frame = 0;
  }

  step(byte: number): number {
    if (this.frame === IN_LABEL ? this.isLabel(byte) : this.isFrame(byte)) return byte;
    this.frame = 0;
    return byte === 0x0a || byte === 0x0d || byte === ERASED ? byte : Mask.KEY;
  }

  private isLabel(byte: number): boolean {
    if (byte === 0x2d) {
      this.frame = 1;
      return true;
    }
    const isIn = (byte >= 0x41 && byte <= 0x5a) || byte === 0x20;
    return isIn && this.label++ < LABEL_BYTES_MAX;
  }

  private isFrame(byte: number): boolean {
    const { frame } = this;
    if (byte === 0x2d) {
      this.frame = frame < DASHES ? frame + 1 : frame === DASHES ? DASHES : 1;
      return true;
    }
    if (frame < DASHES) return false;
    if (frame === DASHES) this.isEnd = byte === END[0];
    const word = this.isEnd ? END : BEGIN;
    if (byte !== word[frame - DASHES]) return false;
    this.frame++;
    if (this.frame - DASHES === word.length) {
      this.frame = IN_LABEL;
      this.label = 0;
    }
    return true;
  }
}

export class FlashMask {
  private offset = 0;
  private bytes: Uint8Array = new Uint8Array();
  private isRead = false;
  /** The reader failed: nothing is known, and everything that is not 0xff is a secret. */
  private isBlind = false;
  private unit: number = Unit.PLAIN;
  // The record whose header was found last.
  private payload = 0;
  private size = 0;
  private end = 0;
  private dataset = 0;
  private checksum = 0;
  private isGood = true;
  /** Where the mirror of a configuration begins in it; -1 where there is none. */
  private mirrorAt = -1;
  /** What the checksum of the document is written as in that mirror. */
  private documentCrc = NO_DOCUMENT;
  /** Where the token begins in a SYSTEM_STATUS. */
  private tokenAt = 0;
  private readonly text = new TextMask();
  private readonly key = new KeyMask();

  constructor(
    private readonly read: FlashReader,
    private readonly document: () => DocumentChecksums,
  ) {}

  /** Bytes that flash_read gave, or that flash_write was given, as they are written. */
  mask(offset: number, bytes: Uint8Array, isRead: boolean): Uint8Array {
    this.begin(offset, bytes, isRead);
    return Uint8Array.from(bytes, (byte, index) => {
      const at = offset + index;
      if (index > 0 && at % UNIT_BYTES === 0) this.next(at);
      return this.written(at, byte);
    });
  }

  private begin(offset: number, bytes: Uint8Array, isRead: boolean): void {
    this.offset = offset;
    this.bytes = bytes;
    this.isRead = isRead;
    this.end = 0;
    this.isBlind = offset + bytes.length > PARTITION_BYTES_MAX;
    const first = offset - (offset % UNIT_BYTES);
    let at = offset - (offset % SECTOR_BYTES);
    while (!this.isBlind) {
      this.classify(at);
      const end = this.unit === Unit.HEADER ? this.end : at + UNIT_BYTES;
      if (end > first || at === first) {
        this.examine();
        if (at < first) this.enterPayload(first);
        return;
      }
      at = end;
    }
  }

  /** A unit begins. */
  private next(at: number): void {
    if (this.isBlind) return;
    if (at < this.end) {
      this.enterPayload(at);
    } else {
      this.classify(at);
      this.examine();
    }
  }

  private enterPayload(at: number): void {
    if (this.isGood) this.unit = Unit.PAYLOAD;
    else this.unit = isErased(this.view(at, UNIT_BYTES)) ? Unit.PLAIN : Unit.UNKNOWN;
  }

  /** Says what the unit at `at` is, which is in no record before it. */
  private classify(at: number): void {
    const unit = this.view(at, UNIT_BYTES);
    const isHeader = isSealed(unit, at);
    this.end = 0;
    if (isHeader && isRecord(unit, at)) {
      this.unit = Unit.HEADER;
      this.payload = at + UNIT_BYTES;
      this.size = payloadBytes(unit);
      this.end = at + extentOf(unit);
      this.dataset = datasetOf(unit);
      this.checksum = u32(unit, PAYLOAD_CRC_AT);
    } else {
      const isTop = isHeader && unit[0] === SECTOR && at % SECTOR_BYTES === 0;
      this.unit = isTop || isErased(unit) ? Unit.PLAIN : Unit.UNKNOWN;
    }
  }

  /** Looks at the payload of a header: is it good, and where does its text stand at `offset`? */
  private examine(): void {
    if (this.unit !== Unit.HEADER) return;
    this.text.begin();
    this.key.begin();
    const { payload, size, isRead } = this;
    const before = Math.min(Math.max(this.offset - payload, 0), size);
    const toRead = isRead ? size : before;
    let crc = 0;
    for (let at = 0; at < toRead; at += PIECE_BYTES) {
      const piece = this.view(payload + at, Math.min(PIECE_BYTES, toRead - at));
      crc = crc32(piece, crc);
      for (const byte of piece.subarray(0, Math.max(before - at, 0))) {
        if (isKey(this.dataset)) this.key.step(byte);
        else this.text.step(byte);
      }
    }
    this.isGood = !isRead || crc === this.checksum;
    this.examineContent();
  }

  private examineContent(): void {
    this.mirrorAt = this.findMirror();
    this.documentCrc = NO_DOCUMENT;
    if (this.mirrorAt >= 0) {
      this.examineMirror();
    } else if (this.dataset === Dataset.SYSTEM_STATUS) {
      this.tokenAt = Math.max(this.byteAt(MIRROR_UNITS_AT) * UNIT_BYTES, MIRROR_BYTES_MIN);
    }
  }

  private findMirror(): number {
    if (this.dataset === Dataset.CONFIGURATION) return 0;
    const isMirror = this.dataset === Dataset.CANDIDATE && this.byteAt(PHASE_AT) !== PHASE_TOLD;
    return isMirror ? CANDIDATE_HEADER_BYTES : -1;
  }

  private examineMirror(): void {
    const { payload, size, mirrorAt, offset } = this;
    const crcEnd = payload + mirrorAt + DOCUMENT_CRC_END;
    const isCrcShown = crcEnd - 4 < offset + this.bytes.length && crcEnd > offset;
    if (!isCrcShown || size < mirrorAt + DOCUMENT_CRC_END) return;
    const { own, shown } = this.document();
    if (u32(this.view(crcEnd - 4, 4), 0) === own) this.documentCrc = shown;
  }

  /** A byte of the payload; 0 behind its end. */
  private byteAt(at: number): number {
    return this.size > at ? this.view(this.payload + at, 1)[0]! : 0;
  }

  /** A byte as it is written, in the unit at hand. */
  private written(at: number, byte: number): number {
    if (this.isBlind) return byte === ERASED ? byte : Mask.UNKNOWN;
    if (this.unit === Unit.PLAIN) return byte;
    if (this.unit === Unit.HEADER) return this.ofHeader(at % UNIT_BYTES, byte);
    return this.unit === Unit.UNKNOWN ? Mask.UNKNOWN : this.ofPayload(at - this.payload, byte);
  }

  private ofHeader(at: number, byte: number): number {
    if (at < PAYLOAD_CRC_AT || !hidesChecksums(this.dataset)) return byte;
    return at < HEADER_CRC_AT && !this.isGood ? 0xff : 0;
  }

  private ofPayload(at: number, byte: number): number {
    if (at >= this.size) return byte === ERASED ? byte : Mask.UNKNOWN;
    if (isKey(this.dataset)) return this.key.step(byte);
    if (this.mirrorAt >= 0) return this.ofMirror(at - this.mirrorAt, byte);
    if (this.dataset === Dataset.SYSTEM_STATUS) return at >= this.tokenAt ? Mask.TOKEN : byte;
    return this.text.step(byte);
  }

  /** Nothing before the mirror, where `at` is negative, is secret. */
  private ofMirror(at: number, byte: number): number {
    // The document's checksum would give the password away, as the record's would.
    const place = at - DOCUMENT_CRC_AT;
    if (place >= 0 && at < DOCUMENT_CRC_END) return (this.documentCrc >>> (8 * place)) & 0xff;
    if (at >= VERIFIER_AT && at < VERIFIER_END) return NO_VERIFIER;
    // A shorter password may have left the end of a longer one behind it.
    return at >= PASSWORD_AT && at < PASSWORD_END && byte !== 0 ? Mask.PASSWORD : byte;
  }

  /** Flash at `at` with the bytes at hand over it; zeros, and blind, when it cannot be read. */
  private view(at: number, size: number): Uint8Array {
    const view = new Uint8Array(size);
    const start = at - this.offset;
    const isInside = start >= 0 && start + size <= this.bytes.length;
    if (!isInside && this.read(at, view) < 0) {
      this.isBlind = true;
      return view.fill(0);
    }
    const from = Math.max(start, 0);
    const to = Math.min(start + size, this.bytes.length);
    if (from < to) view.set(this.bytes.subarray(from, to), from - start);
    return view;
  }
}
