// Makes an application image around a module, without ESP-IDF, for the simulation: every field is
// as the chip's bootloader wants it, the module lies where real firmware has it, and in the place
// of the program there is one instruction that jumps to itself. The image does not run on a chip,
// and says so in the field of the ESP-IDF version.

import { createHash } from "node:crypto";
import { encodeAppDescription } from "./app_description.js";
import { CHIPS, type Chip, chipOfName } from "./chips.js";
import {
  decodeImage,
  encodeImage,
  HEADER_BYTES,
  imageBytes,
  SEGMENT_HEADER_BYTES,
} from "./image.js";
import { ImageError } from "./image_error.js";
import { encodeModuleDescriptor, MODULE_OFFSET_MIN } from "./module_descriptor.js";

/** In the field of the ESP-IDF version: no chip runs this. */
export const SIMULATION_MARK = "none: iot32 simulation";
export const DEFAULT_CHIP = "esp32c3";
export const DEFAULT_PROJECT = "iot32";
export const PACK_CHIPS: readonly string[] = CHIPS.filter((chip) => chip.hasWifi).map(
  (chip) => chip.name,
);

const SPI_MODE_DIO = 2;
const FLASH_SIZE_4MB = 2;
const WP_PIN_DISABLED = 0xee;
const NO_LIMIT = 0xffff;
const PAGE_LOG2 = 16;
const SIZE_UNIT_BYTES = 16;
/** `j .`, filled up to the four bytes that a segment's length is counted in. */
const ENDLESS_LOOP = { riscv: [0x6f, 0x00, 0x00, 0x00], xtensa: [0x06, 0xff, 0xff, 0x00] };

export interface PackOptions {
  readonly module: Uint8Array;
  readonly abiVersion: number;
  readonly version: string;
  readonly project?: string;
  readonly chip?: string;
  readonly secureVersion?: number;
  /** Goes into the description, to the second, in UTC. */
  readonly builtAt: Date;
  /** Size of the whole file, a multiple of 16: filled up to be as large as real firmware. */
  readonly sizeBytes?: number;
}

/** "14:05:09" and "Nov  2 2026", like C's __TIME__ and __DATE__. */
function buildTime(date: Date): { time: string; date: string } {
  const [, day, month, year, time] =
    /^\w+, 0?(\d+) (\w+) (\d+) ([\d:]+)/.exec(date.toUTCString()) ?? [];
  return { time: time ?? "", date: `${month} ${(day ?? "").padStart(2)} ${year}` };
}

function findChip(name: string): Chip {
  const chip = chipOfName(name);
  if (chip?.hasWifi) return chip;
  throw new ImageError("unknown-chip", 12, `"${name}" is none of ${PACK_CHIPS.join(", ")}`);
}

/** A pattern that no compression shortens and that is the same each time. */
function filler(bytes: number): Uint8Array {
  const target = new Uint8Array(bytes);
  let state = 0x2545f491;
  for (let at = 0; at < bytes; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    target[at] = state;
  }
  return target;
}

/** Padding behind the module: to a multiple of 4, or so that the file gets the size asked for. */
function paddingBytes(used: number, loopBytes: number, sizeBytes: number | undefined): number {
  const aligned = -used & 3;
  if (sizeBytes === undefined) return aligned;
  const least = imageBytes([used + aligned, loopBytes]);
  if (sizeBytes % SIZE_UNIT_BYTES !== 0 || sizeBytes < least) {
    const message = `the file cannot have ${sizeBytes} bytes: a multiple of 16, ${least} at least`;
    throw new ImageError("bad-number", 0, message);
  }
  return aligned + sizeBytes - least;
}

/** Throws ImageError when an option does not fit the format, or the module is none. */
export function packImage(options: PackOptions): Uint8Array {
  const { module, abiVersion, version, builtAt, sizeBytes } = options;
  const chip = findChip(options.chip ?? DEFAULT_CHIP);
  const loop = Uint8Array.from(ENDLESS_LOOP[chip.architecture]);
  const description = encodeAppDescription({
    secureVersion: options.secureVersion ?? 0,
    version,
    projectName: options.project ?? DEFAULT_PROJECT,
    ...buildTime(builtAt),
    idfVersion: SIMULATION_MARK,
    // There is no ELF; what tells two builds apart is the module.
    elfSha256: createHash("sha256").update(module).digest(),
    minEfuseBlockRevision: 0,
    maxEfuseBlockRevision: NO_LIMIT,
    pageLog2: PAGE_LOG2,
  });
  const padding = paddingBytes(MODULE_OFFSET_MIN + module.length, loop.length, sizeBytes);
  const data = Buffer.concat([
    description,
    encodeModuleDescriptor(module, abiVersion),
    module,
    sizeBytes === undefined ? new Uint8Array(padding) : filler(padding),
  ]);
  const header = {
    spiMode: SPI_MODE_DIO,
    spiFrequency: [...chip.frequencies.keys()][0]!,
    spiSize: FLASH_SIZE_4MB,
    entryAddress: chip.iram,
    wpPin: WP_PIN_DISABLED,
    pinDrive: [0, 0, 0, 0, 0, 0],
    chipId: chip.id,
    minRevisionLegacy: 0,
    minRevision: 0,
    maxRevision: NO_LIMIT,
    hashFlag: 1,
  };
  const image = encodeImage(header, [
    { loadAddress: chip.drom.start + HEADER_BYTES + SEGMENT_HEADER_BYTES, data },
    { loadAddress: chip.iram, data: loop },
  ]);
  decodeImage(image);
  return image;
}
