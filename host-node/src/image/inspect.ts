// What a file is, as plain data that becomes JSON or text: an application image, a bootloader, or a
// dump of a whole flash with its partition table and the images in its slots. Never throws, and
// never looks outside the bytes. Called by `iot32 image inspect`.

import { createHash } from "node:crypto";
import {
  APP_TYPE,
  decodePartitions,
  PARTITION_TABLE_BYTES,
  PARTITION_TABLE_OFFSET,
  type Partition,
} from "../partitions.js";
import { type Chip, isData, isMapped } from "./chips.js";
import { type ImageReading, type ImageSegment, readImage } from "./image.js";
import type { ImageProblem } from "./image_error.js";
import { LOADABLE_FROM } from "./image_rules.js";
import { inspectStart, type StartReport } from "./inspect_boot.js";

const SECTOR_BYTES = 4096;
const PARTITION_MAGIC = 0x50aa;
const SPI_MODES = ["qio", "qout", "dio", "dout", "fast_read", "slow_read"];
const FLASH_SIZES = ["1MB", "2MB", "4MB", "8MB", "16MB", "32MB", "64MB", "128MB"];
const PIN_NAMES = ["clk", "q", "d", "cs", "hd", "wp"];
const NO_LIMITS = [0, 0xffff];
const BOOTLOADER_MAGIC = 0x50;
const BOOTLOADER_DESCRIPTION_BYTES = 80;
const SECURE_BOOT_MAGIC = 0xe7;

export type SegmentKind = "data" | "code" | "flash" | "ram" | "padding" | "unknown";

export interface ImageReport {
  readonly kind: "image";
  readonly valid: boolean;
  readonly problems: readonly ImageProblem[];
  /** Bytes of the image; behind them lies what `trailing` says. */
  readonly imageBytes?: number;
  readonly fileBytes: number;
  readonly fileSha256: string;
  readonly header?: Record<string, unknown>;
  readonly segments: readonly Record<string, unknown>[];
  readonly checksum?: { readonly position: number; stored: number; computed: number };
  readonly hash?: { readonly position: number; stored: string; computed: string };
  readonly trailing?: { bytes: number; kind: "erased" | "secure-boot-v2" | "unknown" };
  readonly description?: Record<string, unknown>;
  readonly bootloader?: { version: number; idfVersion: string; builtAt: string };
  readonly module?: Record<string, unknown>;
}

export interface SlotReport {
  readonly label: string;
  readonly state: "blank" | "image" | "outside";
  readonly image?: ImageReport;
}

export interface FlashReport {
  readonly kind: "flash";
  readonly fileBytes: number;
  readonly fileSha256: string;
  readonly partitions: readonly Partition[];
  /** Why there are no partitions. */
  readonly problem?: string;
  readonly slots: readonly SlotReport[];
  /** What the next reset would do; missing when there are no partitions. */
  readonly start?: StartReport;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** major * 100 + minor as people write it. */
const revision = (full: number): string => `${Math.floor(full / 100)}.${full % 100}`;
const limit = (full: number): string | null => (NO_LIMITS.includes(full) ? null : revision(full));

function headerReport({ header, chip }: ImageReading): Record<string, unknown> | undefined {
  if (header === undefined) return undefined;
  const names = PIN_NAMES.map((name, index) => [name, header.pinDrive[index]]);
  return {
    chip: chip?.name ?? null,
    chipId: header.chipId,
    segmentCount: header.segmentCount,
    entryAddress: header.entryAddress,
    spiMode: SPI_MODES[header.spiMode] ?? null,
    flashFrequency: chip?.frequencies.get(header.spiFrequency) ?? null,
    flashSize: FLASH_SIZES[header.spiSize] ?? null,
    wpPin: header.wpPin,
    pinDrive: Object.fromEntries(names),
    minRevision: revision(header.minRevision),
    maxRevision: limit(header.maxRevision),
    minRevisionLegacy: header.minRevisionLegacy,
    hashAppended: header.hashFlag === 1,
  };
}

/** On chips where code and data see flash at the same addresses the two cannot be told apart. */
export function segmentKind(chip: Chip | undefined, address: number): SegmentKind {
  if (address < LOADABLE_FROM) return "padding";
  if (chip === undefined) return "unknown";
  if (!isMapped(chip, address)) return "ram";
  if (chip.drom === chip.irom) return "flash";
  return isData(chip, address) ? "data" : "code";
}

function segmentReport({ chip }: ImageReading, segment: ImageSegment): Record<string, unknown> {
  const { loadAddress, position, data } = segment;
  return { loadAddress, position, bytes: data.length, kind: segmentKind(chip, loadAddress) };
}

function descriptionReport({ description }: ImageReading): Record<string, unknown> | undefined {
  if (description === undefined) return undefined;
  const { elfSha256, minEfuseBlockRevision, maxEfuseBlockRevision, pageLog2, ...rest } =
    description;
  return {
    ...rest,
    elfSha256: hexOf(elfSha256),
    minEfuseBlockRevision: revision(minEfuseBlockRevision),
    maxEfuseBlockRevision: limit(maxEfuseBlockRevision),
    pageBytes: pageLog2 === 0 ? null : 2 ** pageLog2,
  };
}

function moduleReport({ module, segments }: ImageReading): Record<string, unknown> | undefined {
  if (module === undefined) return undefined;
  return {
    abiVersion: module.abiVersion,
    descriptorVersion: module.descriptorVersion,
    position: (segments[0]?.position ?? 0) + module.offset,
    bytes: module.bytes.length,
    sha256: hexOf(module.sha256),
  };
}

/** esp_bootloader_desc_t, at the start of the first segment of ESP-IDF's bootloader. */
function bootloaderReport({ description, segments }: ImageReading): ImageReport["bootloader"] {
  const first = segments[0];
  if (description !== undefined || first === undefined) return undefined;
  const bytes = asBuffer(first.data);
  if (bytes.length < BOOTLOADER_DESCRIPTION_BYTES || bytes[0] !== BOOTLOADER_MAGIC)
    return undefined;
  const text = (from: number, to: number) => bytes.toString("utf8", from, to).split("\0")[0] ?? "";
  return { version: bytes.readUInt32LE(4), idfVersion: text(8, 40), builtAt: text(40, 64) };
}

/** What follows an image: the end of an erased slot, or a signature of ESP-IDF's secure boot. */
function trailingReport(bytes: Buffer, end: number | undefined): ImageReport["trailing"] {
  if (end === undefined || end >= bytes.length) return undefined;
  const rest = bytes.subarray(end);
  if (rest.every((byte) => byte === 0xff)) return { bytes: rest.length, kind: "erased" };
  const sector = Math.ceil(end / SECTOR_BYTES) * SECTOR_BYTES;
  const isSigned = bytes[sector] === SECURE_BOOT_MAGIC && bytes.length >= sector + SECTOR_BYTES;
  return { bytes: rest.length, kind: isSigned ? "secure-boot-v2" : "unknown" };
}

type Optional = { -readonly [Key in keyof ImageReport]?: ImageReport[Key] | undefined };

/** Keeps the keys that have a value: JSON and the types agree on what is missing. */
function present(parts: Optional): Partial<ImageReport> {
  const entries = Object.entries(parts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<ImageReport>;
}

export function inspectImage(bytes: Uint8Array): ImageReport {
  const reading = readImage(bytes, { trailing: "allow" });
  const trailing = trailingReport(asBuffer(bytes), reading.sizeBytes);
  const bootloader = bootloaderReport(reading);
  const problems = reading.problems.filter(
    ({ code }) => bootloader === undefined || code !== "no-app-description",
  );
  if (trailing?.kind === "unknown" && reading.sizeBytes !== undefined) {
    const message = `the image ends at byte ${reading.sizeBytes}, and ${trailing.bytes} bytes follow`;
    problems.push({ code: "trailing-bytes", position: reading.sizeBytes, message });
  }
  const { hash } = reading;
  return {
    kind: "image",
    valid: problems.length === 0,
    problems,
    fileBytes: bytes.length,
    fileSha256: sha256(bytes),
    segments: reading.segments.map((segment) => segmentReport(reading, segment)),
    ...present({
      imageBytes: reading.sizeBytes,
      header: headerReport(reading),
      checksum: reading.checksum,
      hash: hash && { ...hash, stored: hexOf(hash.stored), computed: hexOf(hash.computed) },
      trailing,
      description: descriptionReport(reading),
      bootloader,
      module: moduleReport(reading),
    }),
  };
}

function inspectSlot(flash: Uint8Array, { label, offset, size }: Partition): SlotReport {
  if (offset + size > flash.length) return { label, state: "outside" };
  const slot = flash.subarray(offset, offset + size);
  if (slot.every((byte) => byte === 0xff)) return { label, state: "blank" };
  const { sizeBytes } = readImage(slot, { trailing: "allow" });
  // What an older, longer image left behind the present one belongs to nobody.
  return { label, state: "image", image: inspectImage(slot.subarray(0, sizeBytes ?? size)) };
}

function inspectFlash(bytes: Uint8Array): FlashReport {
  const end = PARTITION_TABLE_OFFSET + PARTITION_TABLE_BYTES;
  const base = { kind: "flash", fileBytes: bytes.length, fileSha256: sha256(bytes) } as const;
  try {
    const partitions = decodePartitions(bytes.subarray(PARTITION_TABLE_OFFSET, end));
    const slots = partitions.filter(({ type }) => type === APP_TYPE);
    const start = inspectStart(bytes, partitions);
    return { ...base, partitions, slots: slots.map((slot) => inspectSlot(bytes, slot)), start };
  } catch (error) {
    return { ...base, partitions: [], problem: (error as Error).message, slots: [] };
  }
}

/**
 * A dump has whole sectors and the magic of a partition table where the table lies. On some chips
 * it starts with the bootloader, which is an image too; but that ends long before the table.
 */
function isFlash(bytes: Uint8Array): boolean {
  const end = PARTITION_TABLE_OFFSET + SECTOR_BYTES;
  if (bytes.length < end || bytes.length % SECTOR_BYTES !== 0) return false;
  if (asBuffer(bytes).readUInt16LE(PARTITION_TABLE_OFFSET) !== PARTITION_MAGIC) return false;
  const { sizeBytes } = readImage(bytes, { trailing: "allow" });
  return sizeBytes === undefined || sizeBytes <= PARTITION_TABLE_OFFSET;
}

/** Any bytes: an image unless they are a dump of a flash. */
export function inspect(bytes: Uint8Array): ImageReport | FlashReport {
  return isFlash(bytes) ? inspectFlash(bytes) : inspectImage(bytes);
}
