// Sectors of the records partition as docs/FLASH.md draws them, one record behind the other, for
// the redactors of traces; and whether a secret can be found in what they made of it.

import assert from "node:assert/strict";
import { crc32 } from "../../../host-node/src/crc32.js";
import { SECTOR_BYTES, UNIT_BYTES } from "../../../host-node/src/ports/nor.js";
import type { FlashReader } from "../../../host-node/src/trace/redact_flash.js";

import { bytesOfToken, wordsOf } from "./trace_text.js";

const HEADER_CRC_AT = 12;
/** A piece of a secret that is as long as this is one too many. */
const PIECE_BYTES = 8;

export class TraceRecords {
  readonly bytes: Buffer;
  private at = 0;
  private sequence = 0;

  constructor(sectors: number) {
    this.bytes = Buffer.alloc(sectors * SECTOR_BYTES, 0xff);
  }

  private seal(at: number): void {
    const crc = crc32(this.bytes.subarray(at, at + HEADER_CRC_AT), at);
    this.bytes.writeUInt32LE(crc, at + HEADER_CRC_AT);
  }

  /** Begins the next sector. */
  sector(): this {
    this.at = Math.ceil(this.at / SECTOR_BYTES) * SECTOR_BYTES;
    this.bytes.set([0x53, 1], this.at);
    this.bytes.writeUInt32LE(7, this.at + 4);
    this.seal(this.at);
    this.at += UNIT_BYTES;
    return this;
  }

  get room(): number {
    return SECTOR_BYTES - (this.at % SECTOR_BYTES) - UNIT_BYTES;
  }

  /** Appends a record; where its payload is. */
  record(tag: number, payload: Uint8Array): number {
    assert.ok(payload.length <= this.room);
    const { at, bytes } = this;
    bytes.set([0x52, tag], at);
    bytes.writeUInt16LE(payload.length, at + 2);
    bytes.writeUInt32LE(++this.sequence, at + 4);
    bytes.writeUInt32LE(crc32(payload), at + 8);
    this.seal(at);
    bytes.set(payload, at + UNIT_BYTES);
    this.at += UNIT_BYTES + Math.ceil(payload.length / UNIT_BYTES) * UNIT_BYTES;
    return at + UNIT_BYTES;
  }

  /** Appends bytes that are nothing. */
  foreign(bytes: Uint8Array): number {
    const { at } = this;
    this.bytes.set(bytes, at);
    this.at += Math.ceil(bytes.length / UNIT_BYTES) * UNIT_BYTES;
    return at;
  }

  get reader(): FlashReader {
    return (offset, to) => {
      if (offset + to.length > this.bytes.length) return -1;
      to.set(this.bytes.subarray(offset, offset + to.length));
      return 0;
    };
  }
}

/** Pieces of a secret that nobody may find: of what it is, as JSON has it, and in base64. */
export function piecesOf(...secrets: readonly (string | Uint8Array)[]): Set<string> {
  const pieces = new Set<string>();
  for (const secret of secrets) {
    const bytes = Buffer.from(secret);
    const json = Buffer.from(JSON.stringify(bytes.toString()).slice(1, -1));
    const twice = Buffer.from(JSON.stringify(String(json)).slice(1, -1));
    const base64 = [0, 1, 2].map((skip) => Buffer.from(bytes.subarray(skip).toString("base64")));
    for (const form of [bytes, json, twice, ...base64]) {
      for (let at = 0; at + PIECE_BYTES <= form.length; at++)
        pieces.add(form.toString("latin1", at, at + PIECE_BYTES));
    }
  }
  return pieces;
}

/** Pieces of a key that are not in these certificates, too: they begin alike, and say who it is. */
export function piecesOfKeys(
  keys: readonly string[],
  certificates: readonly string[],
): Set<string> {
  const bodies = (pems: readonly string[]): string[] =>
    pems.flatMap((pem) => {
      const lines = pem.split("\n").filter((line) => !line.startsWith("-"));
      return [lines.join(""), lines.join("\n")];
    });
  const known = piecesOf(...bodies(certificates));
  return new Set([...piecesOf(...bodies(keys))].filter((piece) => !known.has(piece)));
}

/** The payload or the slices of a line of a trace, without those that are empty. */
export function bytesIn(line: string): Buffer[] {
  if (!/^[<>] /.test(line)) return [];
  return wordsOf(line)
    .slice(line.startsWith(">") ? 5 : 2)
    .map((word) => word.replace(/^\[\d+\]/, ""))
    .filter((word) => /^['0-9a-f]/.test(word))
    .map((word) => bytesOfToken(word));
}

export function assertHidden(bytes: Uint8Array, pieces: ReadonlySet<string>, where = ""): void {
  const text = Buffer.from(bytes).toString("latin1");
  for (let at = 0; at + PIECE_BYTES <= text.length; at++) {
    const piece = text.slice(at, at + PIECE_BYTES);
    assert.ok(!pieces.has(piece), `${where} at ${at}: ${JSON.stringify(piece)}`);
  }
}
