// The application image of ESP-IDF (components/bootloader_support/include/esp_app_format.h), as the
// bootloader reads it from a slot and `esptool elf2image` writes it. Reading never throws and never
// looks outside the bytes: it gives what it found and everything that is wrong. It is stricter than
// the bootloader in four points, which docs/IMAGE.md lists. All numbers are little-endian.
//
//     0    1          2          3               4       8        9               12        14
//     | E9 | segments | SPI mode | size:4 freq:4 | entry | WP pin | pin drive [3] | chip id |
//     14             15             17             19             23              24
//     | min rev (old) | min rev full | max rev full | reserved [4] | hash appended |
//
// Then each segment: load address (4), length (4), data. Then zeros up to the last byte of a block
// of 16, which is the checksum: 0xEF and all bytes of all segments, by exclusive or. Then SHA-256
// of everything before it.

import { createHash } from "node:crypto";
import { type AppDescription, decodeAppDescription } from "./app_description.js";
import { type Chip, chipOfId } from "./chips.js";
import { hex, ImageError, type ImageProblem } from "./image_error.js";
import { checkHeader, checkPages, checkSegments, SEGMENTS_MAX } from "./image_rules.js";
import { type EmbeddedModule, readModule } from "./module_descriptor.js";

export const IMAGE_MAGIC = 0xe9;
export const HEADER_BYTES = 24;
export const SEGMENT_HEADER_BYTES = 8;
/** The bootloader refuses a segment of this size or more. */
export const SEGMENT_BYTES_LIMIT = 0x1000000;
export const SHA256_BYTES = 32;
const CHECKSUM_SEED = 0xef;
const BLOCK_BYTES = 16;

export interface ImageHeader {
  readonly segmentCount: number;
  readonly spiMode: number;
  readonly spiFrequency: number;
  readonly spiSize: number;
  readonly entryAddress: number;
  readonly wpPin: number;
  /** clk, q, d, cs, hd, wp: the drive strength of the flash's pins. */
  readonly pinDrive: readonly number[];
  readonly chipId: number;
  readonly minRevisionLegacy: number;
  /** major * 100 + minor; a maximum of 0 or 65535 sets no limit. */
  readonly minRevision: number;
  readonly maxRevision: number;
  readonly hashFlag: number;
}

export interface ImageSegment {
  readonly loadAddress: number;
  /** Position of the data in the file, behind the segment's header. */
  readonly position: number;
  readonly data: Uint8Array;
}

/** A value in the file, and what it should be. */
export interface Comparison<Value> {
  readonly position: number;
  readonly stored: Value;
  readonly computed: Value;
}

/** As much of an image as could be read. */
export interface ImageReading {
  readonly header?: ImageHeader;
  readonly chip?: Chip;
  readonly segments: readonly ImageSegment[];
  readonly checksum?: Comparison<number>;
  readonly hash?: Comparison<Uint8Array>;
  /** Bytes of the image, which may be followed by others. */
  readonly sizeBytes?: number;
  readonly description?: AppDescription;
  readonly module?: EmbeddedModule;
  /** In the order of reading; empty when the image is good. */
  readonly problems: readonly ImageProblem[];
}

/** An image without a problem. */
export interface Image extends ImageReading {
  readonly header: ImageHeader;
  readonly chip: Chip;
  readonly checksum: Comparison<number>;
  readonly hash: Comparison<Uint8Array>;
  readonly sizeBytes: number;
  readonly description: AppDescription;
}

export interface ReadOptions {
  /** Bytes behind the image: a file has none, a slot is longer than what lies in it. */
  readonly trailing?: "refuse" | "allow";
}

type Draft = { -readonly [Key in keyof ImageReading]: ImageReading[Key] } & {
  segments: ImageSegment[];
  problems: ImageProblem[];
};

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function decodeHeader(bytes: Buffer): ImageHeader {
  const drive = [9, 10, 11].flatMap((at) => [bytes[at]! & 0xf, bytes[at]! >> 4]);
  return {
    segmentCount: bytes.readUInt8(1),
    spiMode: bytes.readUInt8(2),
    spiFrequency: bytes.readUInt8(3) & 0xf,
    spiSize: bytes.readUInt8(3) >> 4,
    entryAddress: bytes.readUInt32LE(4),
    wpPin: bytes.readUInt8(8),
    pinDrive: drive,
    chipId: bytes.readUInt16LE(12),
    minRevisionLegacy: bytes.readUInt8(14),
    minRevision: bytes.readUInt16LE(15),
    maxRevision: bytes.readUInt16LE(17),
    hashFlag: bytes.readUInt8(23),
  };
}

export function checksumOf(parts: Iterable<Uint8Array>): number {
  let sum = CHECKSUM_SEED;
  for (const part of parts) {
    for (let at = 0; at < part.length; at++) sum ^= part[at]!;
  }
  return sum;
}

/** One reading: each step adds what it finds, and says whether the next can be made. */
class Reader {
  readonly draft: Draft = { segments: [], problems: [] };
  private at = HEADER_BYTES;

  constructor(private readonly bytes: Buffer) {}

  problem(code: ImageProblem["code"], position: number, message: string): false {
    this.draft.problems.push({ code, position, message });
    return false;
  }

  private has(size: number, what: string): boolean {
    if (this.at + size <= this.bytes.length) return true;
    const message =
      `the file ends at byte ${this.bytes.length}, inside ${what}, ` +
      `which takes the bytes ${this.at} to ${this.at + size}`;
    return this.problem("truncated", this.bytes.length, message);
  }

  header(): boolean {
    const { bytes, draft } = this;
    const magic = bytes[0];
    if (magic !== undefined && magic !== IMAGE_MAGIC) {
      const what = `byte 0 is 0x${magic.toString(16)}, not 0xe9: this is no application image`;
      return this.problem("bad-magic", 0, what);
    }
    this.at = 0;
    if (!this.has(HEADER_BYTES, "the header")) return false;
    this.at = HEADER_BYTES;
    draft.header = decodeHeader(bytes);
    const chip = chipOfId(draft.header.chipId);
    if (chip !== undefined) draft.chip = chip;
    draft.problems.push(...checkHeader(draft.header, chip));
    return draft.header.segmentCount >= 1 && draft.header.segmentCount <= SEGMENTS_MAX;
  }

  segments(): boolean {
    const count = this.draft.header?.segmentCount ?? 0;
    for (let index = 0; index < count; index++) {
      if (!this.segment(index)) return false;
    }
    return true;
  }

  private segment(index: number): boolean {
    if (!this.has(SEGMENT_HEADER_BYTES, `the header of segment ${index}`)) return false;
    const loadAddress = this.bytes.readUInt32LE(this.at);
    const size = this.bytes.readUInt32LE(this.at + 4);
    if (size % 4 !== 0 || size >= SEGMENT_BYTES_LIMIT) {
      const what = `segment ${index} has ${size} bytes, at byte ${this.at + 4}: `;
      const why = size % 4 === 0 ? "the limit is 16 MB" : "not a multiple of 4";
      return this.problem("bad-segment-length", this.at + 4, what + why);
    }
    this.at += SEGMENT_HEADER_BYTES;
    if (!this.has(size, `the data of segment ${index}`)) return false;
    const data = this.bytes.subarray(this.at, this.at + size);
    this.draft.segments.push({ loadAddress, position: this.at, data });
    this.at += size;
    return true;
  }

  /** What the first segment says about the application. */
  contents(): void {
    const { draft } = this;
    const first = draft.segments[0];
    if (first === undefined) return;
    const description = decodeAppDescription(first.data);
    if (description === undefined) {
      const message = `segment 0 does not start with an application description, at byte ${first.position}`;
      this.problem("no-app-description", first.position, message);
      return;
    }
    draft.description = description;
    const { module, problem } = readModule(first.data, first.position);
    if (module !== undefined) draft.module = module;
    if (problem !== undefined) draft.problems.push(problem);
  }

  checksum(): boolean {
    const padding = BLOCK_BYTES - 1 - (this.at % BLOCK_BYTES);
    if (!this.has(padding + 1, "the block of the checksum")) return false;
    const odd = this.bytes.subarray(this.at, this.at + padding).findIndex((byte) => byte !== 0);
    if (odd >= 0) {
      const position = this.at + odd;
      const message = `byte ${position}, between the segments and the checksum, is not 0`;
      this.problem("bad-padding", position, message);
    }
    const position = this.at + padding;
    const stored = this.bytes.readUInt8(position);
    const computed = checksumOf(this.draft.segments.map(({ data }) => data));
    this.draft.checksum = { position, stored, computed };
    this.at = position + 1;
    if (stored !== computed) {
      const message = `the checksum at byte ${position} is ${hex(stored, 2)}, the segments give ${hex(computed, 2)}`;
      this.problem("bad-checksum", position, message);
    }
    return true;
  }

  hash(): boolean {
    if (this.draft.header?.hashFlag !== 1) return true;
    const position = this.at;
    if (!this.has(SHA256_BYTES, "the SHA-256")) return false;
    const stored = Uint8Array.from(this.bytes.subarray(position, position + SHA256_BYTES));
    const computed = createHash("sha256").update(this.bytes.subarray(0, position)).digest();
    this.draft.hash = { position, stored, computed: Uint8Array.from(computed) };
    this.at += SHA256_BYTES;
    if (!computed.equals(stored)) {
      const message = `the SHA-256 at byte ${position} is not that of the bytes before it`;
      this.problem("bad-hash", position, message);
    }
    return true;
  }

  end(trailing: "refuse" | "allow"): void {
    this.draft.sizeBytes = this.at;
    const extra = this.bytes.length - this.at;
    if (extra === 0 || trailing === "allow") return;
    const message = `the image ends at byte ${this.at}, and ${extra} bytes follow`;
    this.problem("trailing-bytes", this.at, message);
  }
}

/** Reads an image from its first byte on. Never throws. */
export function readImage(bytes: Uint8Array, options: ReadOptions = {}): ImageReading {
  const reader = new Reader(asBuffer(bytes));
  const { draft } = reader;
  if (!reader.header()) return draft;
  const isWhole = reader.segments();
  reader.contents();
  if (draft.header !== undefined && draft.chip !== undefined) {
    const pageLog2 = draft.description?.pageLog2 ?? 0;
    const problems = checkPages(draft.chip, pageLog2, draft.segments[0]?.position ?? 0);
    draft.problems.push(...problems);
    const isApplication = draft.description !== undefined;
    draft.problems.push(
      ...checkSegments(draft.header, draft.chip, draft.segments, {
        pageLog2: problems.length === 0 ? pageLog2 : 0,
        isApplication,
        isWhole,
      }),
    );
  }
  if (isWhole && reader.checksum() && reader.hash()) reader.end(options.trailing ?? "refuse");
  return draft;
}

/** A good image, or an ImageError with the first thing that is wrong. Throws nothing else. */
export function decodeImage(bytes: Uint8Array, options: ReadOptions = {}): Image {
  const reading = readImage(bytes, options);
  const [problem] = reading.problems;
  if (problem !== undefined) throw ImageError.of(problem);
  return reading as Image;
}

export type HeaderFields = Omit<ImageHeader, "segmentCount">;

function encodeHeader(fields: HeaderFields, segmentCount: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(IMAGE_MAGIC, 0);
  header.writeUInt8(segmentCount, 1);
  header.writeUInt8(fields.spiMode, 2);
  header.writeUInt8((fields.spiSize << 4) | fields.spiFrequency, 3);
  header.writeUInt32LE(fields.entryAddress, 4);
  header.writeUInt8(fields.wpPin, 8);
  for (const [index, drive] of fields.pinDrive.entries()) {
    header[9 + (index >> 1)]! |= drive << (index % 2 === 0 ? 0 : 4);
  }
  header.writeUInt16LE(fields.chipId, 12);
  header.writeUInt8(fields.minRevisionLegacy, 14);
  header.writeUInt16LE(fields.minRevision, 15);
  header.writeUInt16LE(fields.maxRevision, 17);
  header.writeUInt8(fields.hashFlag, 23);
  return header;
}

/** Bytes of an image whose segments have these lengths, with its SHA-256. */
export function imageBytes(segmentBytes: readonly number[]): number {
  const end = segmentBytes.reduce((sum, size) => sum + SEGMENT_HEADER_BYTES + size, HEADER_BYTES);
  return (Math.floor(end / BLOCK_BYTES) + 1) * BLOCK_BYTES + SHA256_BYTES;
}

/** Puts an image together: header, segments, checksum, and SHA-256 when hashFlag is 1. */
export function encodeImage(
  header: HeaderFields,
  segments: readonly Pick<ImageSegment, "loadAddress" | "data">[],
): Uint8Array {
  const parts: Uint8Array[] = [encodeHeader(header, segments.length)];
  for (const { loadAddress, data } of segments) {
    const head = Buffer.alloc(SEGMENT_HEADER_BYTES);
    head.writeUInt32LE(loadAddress, 0);
    head.writeUInt32LE(data.length, 4);
    parts.push(head, data);
  }
  const end = parts.reduce((sum, part) => sum + part.length, 0);
  const last = Buffer.alloc(BLOCK_BYTES - (end % BLOCK_BYTES));
  last[last.length - 1] = checksumOf(segments.map(({ data }) => data));
  const image = Buffer.concat([...parts, last]);
  if (header.hashFlag !== 1) return image;
  return Buffer.concat([image, createHash("sha256").update(image).digest()]);
}
