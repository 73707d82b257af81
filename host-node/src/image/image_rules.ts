// The rules of an image's header and segments, apart from where the bytes lie: fields that have a
// meaning, addresses that the chip has, segments that the bootloader can map. Called by image.ts.

import { type Chip, isData, isMapped } from "./chips.js";
import type { ImageHeader, ImageSegment } from "./image.js";
import { hex, type ImageErrorCode, type ImageProblem } from "./image_error.js";

export const SEGMENTS_MAX = 16;
const SPI_MODES = 6;
const FLASH_SIZES = 8;
/** Below it, a segment is padding or reserved: the bootloader reads over it. */
export const LOADABLE_FROM = 0x10000000;
const ADDRESS_LIMIT = 0x100000000;
const UNLIMITED = 0xffff;

/** Where the fields lie in the file. */
const AT = { count: 1, mode: 2, flash: 3, entry: 4, chip: 12, minRevision: 15, hashFlag: 23 };
const PAGE_LOG2_AT = 180;

type Rule = readonly [isBroken: boolean, ImageErrorCode, position: number, message: string];

const broken = (rules: readonly Rule[]): ImageProblem[] =>
  rules
    .filter(([isBroken]) => isBroken)
    .map(([, code, position, message]) => ({ code, position, message }));

function revisionRange({ minRevision, maxRevision }: ImageHeader): boolean {
  const isLimited = maxRevision !== 0 && maxRevision !== UNLIMITED;
  return !isLimited || minRevision <= maxRevision;
}

export function checkHeader(header: ImageHeader, chip: Chip | undefined): ImageProblem[] {
  const { segmentCount, spiMode, spiSize, spiFrequency, chipId, hashFlag } = header;
  const { minRevision, maxRevision } = header;
  const isFrequency = chip === undefined || chip.frequencies.has(spiFrequency);
  return broken([
    [
      segmentCount === 0 || segmentCount > SEGMENTS_MAX,
      "bad-segment-count",
      AT.count,
      `byte 1 says ${segmentCount} segments; an image has 1 to ${SEGMENTS_MAX}`,
    ],
    [spiMode >= SPI_MODES, "bad-spi-mode", AT.mode, `byte 2, the SPI mode, is ${spiMode}`],
    [
      spiSize >= FLASH_SIZES,
      "bad-flash-size",
      AT.flash,
      `the high half of byte 3, the flash size, is ${spiSize}`,
    ],
    [
      !isFrequency,
      "bad-flash-frequency",
      AT.flash,
      `the low half of byte 3, the flash frequency, is ${spiFrequency}: ${chip?.name} has none such`,
    ],
    [
      chip === undefined,
      "unknown-chip",
      AT.chip,
      `byte 12, the chip, is ${hex(chipId, 4)}: no chip that is known here`,
    ],
    [
      !revisionRange(header),
      "bad-chip-revision",
      AT.minRevision,
      `byte 15 wants chip revision ${minRevision} at least, byte 17 ${maxRevision} at most`,
    ],
    [hashFlag > 1, "bad-hash-flag", AT.hashFlag, `byte 23 is ${hashFlag}, neither 0 nor 1`],
    [
      hashFlag === 0,
      "no-hash",
      AT.hashFlag,
      "byte 23 says that no SHA-256 is appended: nothing protects the header",
    ],
  ]);
}

/** The MMU page size that the application description asks for; 0 leaves it to the chip. */
export function checkPages(chip: Chip, pageLog2: number, position: number): ImageProblem[] {
  const isKnown = pageLog2 === 0 || chip.pageBytes.includes(2 ** pageLog2);
  const at = position + PAGE_LOG2_AT;
  const sizes = chip.pageBytes.map((bytes) => `${bytes / 1024} KB`).join(", ");
  const message = `byte ${at} asks for MMU pages of 2^${pageLog2} bytes; ${chip.name} has ${sizes}`;
  return broken([[!isKnown, "bad-page-size", at, message]]);
}

function checkSegment(
  { loadAddress, position, data }: ImageSegment,
  index: number,
  chip: Chip,
  pageBytes: number,
): ImageProblem[] {
  const at = position - 8;
  const end = loadAddress + data.length;
  const isMisaligned =
    isMapped(chip, loadAddress) && loadAddress % pageBytes !== position % pageBytes;
  return broken([
    [
      end > ADDRESS_LIMIT,
      "bad-segment-address",
      at,
      `segment ${index} at byte ${at} would be loaded to ${hex(loadAddress)}, beyond 32 bits`,
    ],
    [
      isMisaligned,
      "bad-segment-alignment",
      at,
      `byte ${at} maps segment ${index} to ${hex(loadAddress)} in pages of ${pageBytes} bytes, ` +
        `where data that start at byte ${position} cannot be`,
    ],
  ]);
}

interface SegmentContext {
  readonly pageLog2: number;
  readonly isApplication: boolean;
  /** All segments could be read. */
  readonly isWhole: boolean;
}

export function checkSegments(
  { entryAddress }: ImageHeader,
  chip: Chip,
  segments: readonly ImageSegment[],
  { pageLog2, isApplication, isWhole }: SegmentContext,
): ImageProblem[] {
  const pageBytes = pageLog2 === 0 ? chip.pageBytes[0]! : 2 ** pageLog2;
  const isEntered = segments.some(
    ({ loadAddress, data }) =>
      loadAddress >= LOADABLE_FROM &&
      entryAddress >= loadAddress &&
      entryAddress < loadAddress + data.length,
  );
  const first = segments[0];
  const isMisplaced = first !== undefined && isApplication && !isData(chip, first.loadAddress);
  const start = (first?.position ?? 0) - 8;
  return [
    ...broken([
      [
        isMisplaced,
        "bad-segment-address",
        start,
        `segment 0 describes the application and belongs into ${chip.name}'s mapped data, ` +
          `but byte ${start} loads it to ${hex(first?.loadAddress ?? 0)}`,
      ],
    ]),
    ...segments.flatMap((segment, index) => checkSegment(segment, index, chip, pageBytes)),
    ...broken([
      [
        isWhole && !isEntered,
        "bad-entry",
        AT.entry,
        `byte 4, the entry address ${hex(entryAddress)}, lies in no segment`,
      ],
    ]),
  ];
}
