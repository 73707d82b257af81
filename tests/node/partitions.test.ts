// The partition table against vectors computed by hand from ESP-IDF's description of the format,
// and every rule of it broken once.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../host-node/src/package_root.js";
import {
  checkPartitions,
  decodePartitions,
  encodePartitions,
  type Partition,
  PartitionTableError,
  parsePartitionCsv,
} from "../../host-node/src/partitions.js";

const FLASH_BYTES = 4 * 1024 * 1024;
const KIB = 1024;
const csv = readFileSync(join(packageRoot, "host-esp32", "partitions.csv"), "utf8");

function entry(changes: Partial<Partition> = {}): Partition {
  const base = { label: "nvs", type: 1, subtype: 2, offset: 0x9000, size: 0x4000 };
  return { ...base, encrypted: false, readonly: false, ...changes };
}

test("csv_of_the_project_gives_the_partitions_of_the_design", () => {
  const partitions = parsePartitionCsv(csv);
  checkPartitions(partitions, FLASH_BYTES);
  const table = partitions.map(({ label, type, subtype, offset, size }) => {
    return [label, type, subtype, offset, size / KIB];
  });
  assert.deepEqual(table, [
    ["nvs", 1, 0x02, 0x9000, 16],
    ["otadata", 1, 0x00, 0xd000, 8],
    ["phy_init", 1, 0x01, 0xf000, 4],
    ["ota_0", 0, 0x10, 0x10000, 1792],
    ["ota_1", 0, 0x11, 0x1d0000, 1792],
    ["records", 1, 0x40, 0x390000, 64],
    ["wasm_0", 1, 0x41, 0x3a0000, 128],
    ["wasm_1", 1, 0x42, 0x3c0000, 128],
    ["coredump", 1, 0x03, 0x3e0000, 64],
  ]);
});

test("binary_of_the_project_equals_the_vector_computed_apart", () => {
  // Python: struct.pack("<2sBBLL16sL", ...) for each entry, hashlib.md5, 0xFF up to 0xC00.
  const binary = Buffer.from(encodePartitions(parsePartitionCsv(csv)));
  assert.equal(binary.length, 0xc00);
  assert.equal(
    binary.toString("hex", 0, 64),
    "aa50010200900000004000006e76730000000000000000000000000000000000" +
      "aa50010000d00000002000006f74616461746100000000000000000000000000",
  );
  assert.equal(
    binary.toString("hex", 9 * 32, 10 * 32),
    "ebebffffffffffffffffffffffffffff98413cba04a5103625f2ec8732ccc021",
  );
  const digest = createHash("sha256").update(binary).digest("hex");
  assert.equal(digest, "3290e297f2b607d6b94e38ef784c5719896166c246751da6214fb9e88a17176e");
});

test("binary_is_read_back_with_flags", () => {
  const partitions = [
    entry({ encrypted: true }),
    entry({
      label: "fifteen_letters",
      subtype: 0x40,
      offset: 0xd000,
      size: 0x1000,
      readonly: true,
    }),
  ];
  assert.deepEqual(decodePartitions(encodePartitions(partitions)), partitions);
});

test("csv_without_offsets_aligns_apps_to_64k_and_data_to_4k", () => {
  const partitions = parsePartitionCsv(
    [
      "nvs, data, nvs, , 0x4000",
      "ota_0, app, ota_0, , 1M",
      "extra, data, 0x40, , 4K, encrypted",
    ].join("\n"),
  );
  assert.deepEqual(
    partitions.map(({ offset }) => offset),
    [0x9000, 0x10000, 0x110000],
  );
  assert.equal(partitions[2]?.encrypted, true);
});

test("one_changed_byte_anywhere_in_the_entries_is_noticed", () => {
  const binary = encodePartitions(parsePartitionCsv(csv));
  let noticed = 0;
  for (let at = 0; at < 10 * 32; at++) {
    // The filling between the mark of the checksum and the checksum itself means nothing.
    if (at >= 9 * 32 + 2 && at < 9 * 32 + 16) continue;
    const broken = binary.slice();
    broken[at]! ^= 0x01;
    assert.throws(() => decodePartitions(broken), PartitionTableError, `byte ${at}`);
    noticed++;
  }
  assert.equal(noticed, 10 * 32 - 14);
});

test("blank_flash_has_no_partition_table", () => {
  const blank = new Uint8Array(0xc00).fill(0xff);
  assert.throws(() => decodePartitions(blank), /there is no partition table: magic 0xffff/);
});

test("table_without_end_is_refused", () => {
  const endless = encodePartitions([entry()]).slice(0, 32);
  assert.throws(() => decodePartitions(endless), /has no end/);
});

const BROKEN: readonly [what: string, partitions: Partition[], message: RegExp][] = [
  ["no partition", [], /is empty/],
  ["nameless", [entry({ label: "" })], /needs a name of 1 to 15 bytes/],
  ["long name", [entry({ label: "sixteen__letters" })], /needs a name of 1 to 15 bytes/],
  [
    "unaligned data",
    [entry({ offset: 0x9100 })],
    /"nvs" starts at 0x9100, not a multiple of 0x1000/,
  ],
  [
    "unaligned app",
    [entry({ label: "a", type: 0, offset: 0x11000, size: 0x10000 })],
    /"a" starts at 0x11000, not a multiple of 0x10000/,
  ],
  ["odd size", [entry({ size: 100 })], /has 0x64 bytes, not a multiple/],
  ["no size", [entry({ size: 0 })], /has 0x0 bytes/],
  [
    "in the bootloader",
    [entry({ offset: 0x8000 })],
    /inside the bootloader or the partition table/,
  ],
  ["beyond the flash", [entry({ offset: 0x3ff000 })], /beyond the flash of 0x400000 bytes/],
  ["otadata of another size", [entry({ label: "o", subtype: 0 })], /must have 0x2000 bytes/],
  ["two of a name", [entry(), entry({ offset: 0xd000 })], /two partitions are called "nvs"/],
  ["overlap", [entry(), entry({ label: "b", offset: 0xc000 })], /"b" overlaps "nvs"/],
  [
    "two otadata",
    [
      entry({ label: "a", subtype: 0, size: 0x2000 }),
      entry({ label: "b", subtype: 0, size: 0x2000, offset: 0xb000 }),
    ],
    /more than one OTA data partition/,
  ],
  [
    "too many",
    Array.from({ length: 96 }, (_, i) => {
      return entry({ label: `p${i}`, offset: 0x9000 + i * 0x1000, size: 0x1000 });
    }),
    /96 partitions do not fit the table/,
  ],
];

for (const [what, partitions, message] of BROKEN) {
  test(`table_with_a_fault_is_refused_in_words: ${what}`, () => {
    assert.throws(() => checkPartitions(partitions, FLASH_BYTES), message);
  });
}

const BROKEN_CSV: readonly [line: string, message: RegExp][] = [
  ["nvs, file, nvs, , 4K", /line 2: "file" is not a partition type/],
  ["nvs, data, sql, , 4K", /line 2: "sql" is not a partition subtype/],
  ["nvs, data, nvs, here, 4K", /line 2: "here" is not an offset/],
  ["nvs, data, nvs, ,", /line 2: "" is not a size/],
  ["nvs, data, nvs, , 4G", /line 2: "4G" is not a size/],
  ["nvs, data, nvs, , 4K, secret", /line 2: "secret" is not a flag/],
];

for (const [line, message] of BROKEN_CSV) {
  test(`csv_line_with_a_fault_is_refused_with_its_number: ${line}`, () => {
    assert.throws(() => parsePartitionCsv(`# a table\n${line}\n`), message);
  });
}
