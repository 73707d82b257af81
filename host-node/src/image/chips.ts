// The chips of the ESP32 family as an image needs to know them: the number in the header, the
// addresses that flash is mapped to, page sizes of the MMU, and what the flash frequency's code
// means. Numbers and ranges: esp_chip_id_t of ESP-IDF, and the chip definitions of Espressif's
// esptool, against which the tests hold this table.

export interface AddressRange {
  readonly start: number;
  /** First address behind the range. */
  readonly end: number;
}

export interface Chip {
  readonly name: string;
  readonly id: number;
  readonly architecture: "xtensa" | "riscv";
  /** Where flash appears as data, and where as code; on newer chips the same. */
  readonly drom: AddressRange;
  readonly irom: AddressRange;
  /** First address of the instruction RAM that ESP-IDF gives to applications. */
  readonly iram: number;
  /** Sizes of an MMU page that the chip can be set to, smallest first. */
  readonly pageBytes: readonly number[];
  /** Low half of byte 3 of the header; the first is the fastest. */
  readonly frequencies: ReadonlyMap<number, string>;
  /** iot32 needs Wi-Fi: only images for these chips are packed. */
  readonly hasWifi: boolean;
}

const KIB = 1024;
const FIXED_PAGES = [64 * KIB];
const MOST_PAGES = [8 * KIB, 16 * KIB, 32 * KIB, 64 * KIB];

const frequencies = (...entries: [number, string][]): ReadonlyMap<number, string> =>
  new Map(entries);
const USUAL = frequencies([0xf, "80m"], [0x0, "40m"], [0x1, "26m"], [0x2, "20m"]);
/** A code of its own, because the ROM of these chips sets another divider than asked for. */
const WORKAROUND = frequencies([0x0, "80m"], [0x2, "20m"]);
const WITHOUT_26 = frequencies([0xf, "80m"], [0x0, "40m"], [0x2, "20m"]);
const OF_60 = frequencies([0xf, "60m"], [0x0, "30m"], [0x1, "20m"], [0x2, "15m"]);
const OF_48 = frequencies([0xf, "48m"], [0x0, "24m"], [0x1, "16m"], [0x2, "12m"]);

const range = (start: number, end: number): AddressRange => ({ start, end });
const BUS_16M = range(0x42000000, 0x43000000);
const BUS_32M = range(0x42000000, 0x44000000);

type Row = Omit<Chip, "name" | "id">;

const xtensa = (drom: AddressRange, irom: AddressRange, iram: number): Row => ({
  architecture: "xtensa",
  drom,
  irom,
  iram,
  pageBytes: FIXED_PAGES,
  frequencies: USUAL,
  hasWifi: true,
});

/** A RISC-V chip whose flash is seen by code and data at the same addresses. */
const riscv = (bus: AddressRange, changes: Partial<Row> = {}): Row => ({
  architecture: "riscv",
  drom: bus,
  irom: bus,
  iram: 0x40800000,
  pageBytes: MOST_PAGES,
  frequencies: USUAL,
  hasWifi: true,
  ...changes,
});

const ROWS: readonly (readonly [string, number, Row])[] = [
  ["esp32", 0x00, xtensa(range(0x3f400000, 0x3f800000), range(0x400d0000, 0x40400000), 0x40080000)],
  [
    "esp32s2",
    0x02,
    xtensa(range(0x3f000000, 0x3f3f0000), range(0x40080000, 0x40b80000), 0x40024000),
  ],
  [
    "esp32c3",
    0x05,
    riscv(range(0x3c000000, 0x3c800000), {
      irom: range(0x42000000, 0x42800000),
      iram: 0x40380000,
      pageBytes: FIXED_PAGES,
    }),
  ],
  [
    "esp32s3",
    0x09,
    xtensa(range(0x3c000000, 0x3e000000), range(0x42000000, 0x44000000), 0x40374000),
  ],
  [
    "esp32c2",
    0x0c,
    riscv(range(0x3c000000, 0x3c400000), {
      irom: range(0x42000000, 0x42400000),
      iram: 0x40380000,
      pageBytes: [16 * KIB, 32 * KIB, 64 * KIB],
      frequencies: OF_60,
    }),
  ],
  ["esp32c6", 0x0d, riscv(BUS_16M, { frequencies: WORKAROUND })],
  ["esp32h2", 0x10, riscv(BUS_16M, { frequencies: OF_48, hasWifi: false })],
  [
    "esp32p4",
    0x12,
    riscv(range(0x40000000, 0x4c000000), {
      iram: 0x4ff00000,
      pageBytes: FIXED_PAGES,
      hasWifi: false,
    }),
  ],
  ["esp32c61", 0x14, riscv(BUS_32M, { frequencies: WITHOUT_26 })],
  ["esp32c5", 0x17, riscv(BUS_32M, { pageBytes: FIXED_PAGES, frequencies: WITHOUT_26 })],
];

export const CHIPS: readonly Chip[] = ROWS.map(([name, id, row]) => ({ name, id, ...row }));

export function chipOfId(id: number): Chip | undefined {
  return CHIPS.find((chip) => chip.id === id);
}

export function chipOfName(name: string): Chip | undefined {
  return CHIPS.find((chip) => chip.name === name);
}

const isIn = (address: number, { start, end }: AddressRange): boolean =>
  address >= start && address < end;

/** Whether the bootloader maps a segment of this load address instead of copying it to RAM. */
export function isMapped(chip: Chip, address: number): boolean {
  return isIn(address, chip.drom) || isIn(address, chip.irom);
}

export const isData = (chip: Chip, address: number): boolean => isIn(address, chip.drom);
