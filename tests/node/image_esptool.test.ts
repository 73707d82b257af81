// Espressif's esptool and this codec about the same images: what pack makes, esptool calls valid
// and reads with the same fields; what `esptool elf2image` makes out of an ELF, as ESP-IDF's build
// does, is decoded to the ELF's bytes and encoded again to the same file. Needs python3 with pip, and
// the network at the first run; without them the tests are skipped with a line that says so, and
// where CI is set they fail.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  CHIPS,
  decodeImage,
  encodeImage,
  explain,
  inspect,
  inspectImage,
  PACK_CHIPS,
  readImage,
} from "../../host-node/src/image/index.js";
import {
  EM_RISCV,
  EM_XTENSA,
  elf2image,
  imageInfo,
  makeElf,
  missingEsptool,
  runPython,
} from "./image_esptool_support.js";
import { codesOf, sampleImage, sampleModule } from "./image_support.js";

const missing = missingEsptool();
const skip = missing !== undefined && process.env["CI"] === undefined ? missing : false;

const DESCRIBE_CHIPS = `
import json, sys
from esptool.targets import CHIP_DEFS
out = {}
for name in sys.argv[1:]:
    rom = CHIP_DEFS[name]
    image = rom.BOOTLOADER_IMAGE
    out[name] = dict(
        id=rom.IMAGE_CHIP_ID,
        drom=[r[:2] for r in rom.MEMORY_MAP if r[2] == "DROM"],
        irom=[r[:2] for r in rom.MEMORY_MAP if r[2] == "IROM"],
        iram=[r[:2] for r in rom.MEMORY_MAP if r[2] == "IRAM"],
        frequencies=sorted(rom.FLASH_FREQUENCY.items()),
        pages=sorted(image.MMU_PAGE_SIZE_CONF or [image.IROM_ALIGN]))
print(json.dumps(out))
`;

interface ChipFacts {
  readonly id: number;
  readonly drom: [number, number][];
  readonly irom: [number, number][];
  readonly iram: [number, number][];
  readonly frequencies: [string, number][];
  readonly pages: number[];
}

/** The value behind "name: " in what esptool prints. */
function field(text: string, name: string): string {
  const at = text.split("\n").find((line) => line.startsWith(`${name}:`));
  assert.ok(at !== undefined, `esptool prints "${name}": ${text}`);
  return at.slice(name.length + 1).trim();
}

const hex = (value: unknown, digits: number) =>
  `0x${Number(value).toString(16).padStart(digits, "0")}`;

/** What esptool ought to print for an image, from this codec's report about it. */
function assertSame(text: string, bytes: Uint8Array): void {
  const { header, description, segments, checksum, hash, fileBytes } = inspectImage(bytes);
  assert.ok(header && description && checksum && hash, "the image was read whole");
  const top = (value: unknown) => String(value ?? "655.35");
  const pins = Object.entries(header.pinDrive as Record<string, number>)
    .map(([pin, drive]) => `${pin === "cs" ? "cs0" : pin}_drv: ${hex(drive, 1)}`)
    .join(", ");
  const chip = String(header.chip)
    .replace(/^esp32(.+)/, "esp32-$1")
    .toUpperCase();
  const expected: [string, string][] = [
    ["Image size", `${fileBytes} bytes`],
    ["Detected image type", chip],
    ["Entry point", hex(header.entryAddress, 8)],
    ["Segments", String(header.segmentCount)],
    ["Flash size", String(header.flashSize)],
    ["Flash freq", String(header.flashFrequency)],
    ["Flash mode", String(header.spiMode).toUpperCase()],
    ["WP pin", `${hex(header.wpPin, 2)}${header.wpPin === 0xee ? " (disabled)" : ""}`],
    ["Flash pins drive settings", pins],
    ["Chip ID", `${header.chipId} (${chip})`],
    [
      "Minimal chip revision",
      `v${header.minRevision}, (legacy min_rev = ${header.minRevisionLegacy})`,
    ],
    ["Maximal chip revision", `v${top(header.maxRevision)}`],
    ["Checksum", `${hex(checksum.computed, 2)} (valid)`],
    ["Validation hash", `${hash.computed} (valid)`],
    ["Project name", String(description.projectName)],
    ["App version", String(description.version)],
    ["Compile time", `${description.date} ${description.time}`],
    ["ELF file SHA256", String(description.elfSha256)],
    ["ESP-IDF", String(description.idfVersion)],
    ["Minimal eFuse block revision", String(description.minEfuseBlockRevision)],
    ["Maximal eFuse block revision", top(description.maxEfuseBlockRevision)],
    ["Secure version", String(description.secureVersion)],
  ];
  if (description.pageBytes !== null) {
    expected.push(["MMU page size", `${Number(description.pageBytes) / 1024} KB`]);
  }
  const told = expected.map(([name]) => [name, field(text, name)]);
  assert.deepEqual(told, expected);
  const rows = [...text.matchAll(/^ +(\d+) +(0x\w+) +(0x\w+) +(0x\w+) +(.*)$/gm)];
  assert.deepEqual(
    rows.map(([, index, size, address, at]) => [index, size, address, at].map(Number)),
    segments.map((s, i) => [i, s.bytes, s.loadAddress, Number(s.position) - 8]),
  );
}

/** Bytes with a pattern of their own. */
const pattern = (bytes: number, seed: number) =>
  Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 13 + seed * 91 + (at >> 8)) & 0xff));

/** .flash.appdesc as ESP-IDF links it: description, our descriptor, the module. SHA-256 left 0. */
function applicationSection(): Buffer {
  const packed = sampleImage({ version: "7.8.9", project: "genuine", secureVersion: 4 });
  const { segments } = decodeImage(packed);
  const section = Buffer.from(segments[0]!.data);
  section.fill(0, 144, 176);
  section.fill(0, 112, 144).write("v5.5.1", 112);
  return section;
}

let directory = "";

const write = (name: string, bytes: Uint8Array): string => {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
};

/** Addresses of ESP-IDF's linker scripts; on esp32c6 code comes first, at the same bus as data. */
const LAYOUTS = [
  {
    chip: "esp32c3",
    machine: EM_RISCV,
    drom: 0x3c000020,
    irom: 0x42010020,
    iram: 0x40380000,
    dram: 0x3fc90000,
  },
  {
    chip: "esp32",
    machine: EM_XTENSA,
    drom: 0x3f400020,
    irom: 0x400d0020,
    iram: 0x40080000,
    dram: 0x3ffb0000,
  },
  {
    chip: "esp32s3",
    machine: EM_XTENSA,
    drom: 0x3c000020,
    irom: 0x42010020,
    iram: 0x40374000,
    dram: 0x3fc90000,
  },
  {
    chip: "esp32c6",
    machine: EM_RISCV,
    drom: 0x42010020,
    irom: 0x42000020,
    iram: 0x40800000,
    dram: 0x40820000,
  },
];

function checkGenuine({ chip, machine, drom, irom, iram, dram }: (typeof LAYOUTS)[number]): void {
  const sections = [
    { name: ".flash.appdesc", address: drom, data: applicationSection() },
    { name: ".flash.text", address: irom, data: pattern(5000, 1) },
    { name: ".iram0.text", address: iram, data: pattern(70_000, 2) },
    { name: ".dram0.data", address: dram, data: pattern(1234 * 4, 3) },
  ];
  const elf = makeElf(machine, iram + 16, sections);
  const bin = join(directory, `${chip}.bin`);
  const flash = ["--flash-mode", "dio", "--flash-freq", "80m", "--flash-size", "4MB"];
  const revisions = ["--min-rev-full", "3", "--max-rev-full", "199"];
  elf2image(chip, [...flash, ...revisions], write(`${chip}.elf`, elf), bin);
  const bytes = readFileSync(bin);
  const image = decodeImage(bytes);
  assert.ok(image.segments.length > sections.length, "esptool split segments and padded");
  assert.equal(image.header.entryAddress, iram + 16);
  assert.deepEqual([image.header.minRevision, image.header.maxRevision], [3, 199]);
  const elfSha256 = createHash("sha256").update(elf).digest();
  assert.deepEqual(Buffer.from(image.description.elfSha256), elfSha256);
  assert.equal(image.description.idfVersion, "v5.5.1");
  assert.deepEqual(Uint8Array.from(image.module?.bytes ?? []), sampleModule());
  for (const { address, data, name } of sections) {
    const wanted = Buffer.from(data);
    if (address === drom) elfSha256.copy(wanted, 144);
    assert.deepEqual(loaded(image.segments, address, data.length), wanted, name);
  }
  assert.deepEqual(Buffer.from(encodeImage(image.header, image.segments)), bytes);
  assertSame(imageInfo([bin])[0]!, bytes);
  assert.match(explain(inspect(bytes), "genuine"), /genuine 7\.8\.9, secure version 4/);
}

describe("esptool", { skip }, () => {
  before(() => {
    assert.equal(missing, undefined, "esptool can be run");
    directory = mkdtempSync(join(tmpdir(), "iot32-esptool-"));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  test("has the numbers, addresses, frequencies and pages of our table of chips", () => {
    const names = CHIPS.map(({ name }) => name);
    const facts = JSON.parse(runPython(DESCRIBE_CHIPS, names)) as Record<string, ChipFacts>;
    assert.ok(CHIPS.length >= 10);
    for (const chip of CHIPS) {
      const fact = facts[chip.name]!;
      const isInside = (address: number, ranges: [number, number][]) =>
        ranges.some(([from, to]) => address >= from && address < to);
      assert.equal(chip.id, fact.id, chip.name);
      for (const [range, ranges] of [
        [chip.drom, fact.drom],
        [chip.irom, fact.irom],
      ] as const) {
        assert.ok(isInside(range.start, ranges), `${chip.name} ${range.start.toString(16)}`);
      }
      assert.ok(isInside(chip.iram, fact.iram), chip.name);
      assert.deepEqual([...chip.pageBytes], fact.pages, chip.name);
      for (const [code, name] of chip.frequencies) {
        assert.ok(
          fact.frequencies.some(([text, value]) => text === name && value === code),
          `${chip.name} ${name}`,
        );
      }
      const codes = new Set(fact.frequencies.map(([, value]) => value));
      assert.deepEqual(new Set(chip.frequencies.keys()), codes, chip.name);
    }
  });

  test("calls what pack makes valid for every chip, and reads the same in every field", () => {
    const images = PACK_CHIPS.map((chip, index) =>
      sampleImage({
        chip,
        project: `p-${chip}`,
        secureVersion: index * 1000,
        version: `${index}.0`,
      }),
    );
    images.push(sampleImage({ sizeBytes: 1536 * 1024, version: "large" }));
    const paths = images.map((image, index) => write(`packed-${index}.bin`, image));
    const told = imageInfo(paths);
    assert.equal(told.length, images.length);
    for (const [index, text] of told.entries()) {
      assertSame(text, images[index]!);
      assert.match(text, /0x00000018 +(DROM|.*DROM)/, "segment 0 is mapped data");
      assert.doesNotMatch(text, /warning|invalid/i);
    }
  });

  for (const layout of LAYOUTS) {
    const name = `makes an image for ${layout.chip} out of an ELF that is decoded to the ELF's bytes`;
    test(name, () => checkGenuine(layout));
  }

  test("makes images with padding behind, for secure boot, or without a hash: all are explained", () => {
    const sections = [
      { name: ".flash.appdesc", address: 0x3c000020, data: applicationSection() },
      { name: ".iram0.text", address: 0x40380000, data: pattern(64, 2) },
    ];
    const elf = write("options.elf", makeElf(EM_RISCV, 0x40380000, sections));
    const made = (name: string, ...options: string[]): Buffer => {
      const bin = join(directory, `${name}.bin`);
      elf2image("esp32c3", options, elf, bin);
      return readFileSync(bin);
    };
    const padded = inspectImage(made("padded", "--pad-to-size", "1MB"));
    assert.deepEqual([padded.valid, padded.trailing?.kind], [true, "erased"]);
    const secure = made("secure", "--secure-pad-v2");
    assert.equal(decodeImage(secure).sizeBytes % 0x10000, 0);
    const unhashed = readImage(made("unhashed", "--dont-append-digest"));
    assert.deepEqual(codesOf(unhashed.problems), ["no-hash"]);
  });
});

/** Memory from an address on, as the loader would fill it from all segments. */
function loaded(
  segments: readonly { loadAddress: number; data: Uint8Array }[],
  address: number,
  size: number,
): Buffer {
  const memory = Buffer.alloc(size);
  for (const { loadAddress, data } of segments) {
    for (let at = 0; at < data.length; at++) {
      const index = loadAddress + at - address;
      if (index >= 0 && index < size) memory[index] = data[at]!;
    }
  }
  return memory;
}
