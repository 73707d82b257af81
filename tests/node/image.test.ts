// The image codec by itself: what pack makes byte for byte, every rule broken once with its code
// and position, the module descriptor, and flash dumps. Espressif's own tool judges in
// image_esptool.test.ts.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  decodeImage,
  encodeImage,
  explain,
  ImageError,
  inspect,
  moduleAbiVersion,
  PACK_CHIPS,
  packImage,
  readImage,
} from "../../host-node/src/image/index.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { encodePartitions, parsePartitionCsv } from "../../host-node/src/partitions.js";
import {
  BUILT_AT,
  codesOf,
  DATA_AT,
  MODULE_AT,
  patched,
  sampleImage,
  sampleModule,
  sealed,
} from "./image_support.js";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

describe("packed image", () => {
  test("has the bytes that the documents of ESP-IDF give, computed by hand", () => {
    const image = sampleImage({ secureVersion: 7, project: "lamp" });
    assert.equal(image.readUInt32LE(24), 0x3c000020);
    assert.equal(image.readUInt32LE(DATA_AT), 0xabcd5432);
    assert.equal(image.readUInt32LE(DATA_AT + 4), 7);
    assert.equal(image.toString("latin1", DATA_AT + 16, DATA_AT + 22), "1.2.3\0");
    assert.equal(image.toString("latin1", DATA_AT + 48, DATA_AT + 53), "lamp\0");
    assert.equal(image.toString("latin1", DATA_AT + 80, DATA_AT + 89), "04:05:06\0");
    assert.equal(image.toString("latin1", DATA_AT + 96, DATA_AT + 108), "Nov  2 2026\0");
    assert.equal(image.length % 16, 0);
    let checksum = 0xef;
    const { segments } = decodeImage(image);
    for (const byte of Buffer.concat(segments.map((s) => s.data))) checksum ^= byte;
    assert.equal(image[image.length - 33], checksum);
    assert.deepEqual(image.subarray(-32), sha256(image.subarray(0, -32)));
  });

  test("header has every field where esp_image_header_t has it", () => {
    const header = sampleImage().subarray(0, 24);
    assert.deepEqual(
      [...header],
      [
        ...[0xe9, 2, 2, 0x2f, 0x00, 0x00, 0x38, 0x40],
        ...[0xee, 0, 0, 0, 5, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 1],
      ],
    );
  });

  test("descriptor and module stand directly behind the application description", () => {
    const module = sampleModule(9, 333);
    const image = sampleImage({ module, abiVersion: 9 });
    const at = DATA_AT + 256;
    assert.equal(image.toString("latin1", at, at + 4), "i32m");
    assert.deepEqual(
      [image.readUInt16LE(at + 4), image.readUInt16LE(at + 6), image.readUInt32LE(at + 8)],
      [1, 9, 320],
    );
    assert.equal(image.readUInt32LE(at + 12), module.length);
    assert.deepEqual(image.subarray(at + 16, at + 48), sha256(module));
    assert.deepEqual([...image.subarray(at + 48, at + 64)], new Array(16).fill(0));
    assert.deepEqual(image.subarray(MODULE_AT, MODULE_AT + module.length), Buffer.from(module));
    const found = decodeImage(image).module;
    assert.deepEqual(Uint8Array.from(found?.bytes ?? []), module);
    assert.equal(found?.abiVersion, 9);
  });

  for (const chip of PACK_CHIPS) {
    test(`for ${chip} is good, names the chip and is encoded again to the same bytes`, () => {
      const bytes = sampleImage({ chip });
      const image = decodeImage(bytes);
      assert.equal(image.chip.name, chip);
      assert.deepEqual(Buffer.from(encodeImage(image.header, image.segments)), bytes);
    });
  }

  test("is the same when it is made twice, and has exactly the size asked for", () => {
    assert.deepEqual(sampleImage(), sampleImage());
    const large = sampleImage({ sizeBytes: 1536 * 1024 });
    assert.equal(large.length, 1536 * 1024);
    assert.deepEqual(decodeImage(large).module?.bytes.length, sampleModule().length);
    const least = sampleImage().length;
    for (const sizeBytes of [least, least + 16]) {
      assert.equal(sampleImage({ sizeBytes }).length, sizeBytes);
    }
  });

  test("is refused when an option does not fit the format", () => {
    const refusals: [Parameters<typeof sampleImage>[0], string][] = [
      [{ version: "v".repeat(32) }, "bad-text"],
      [{ version: "1\n2" }, "bad-text"],
      [{ project: "ü".repeat(16) }, "bad-text"],
      [{ secureVersion: -1 }, "bad-number"],
      [{ secureVersion: 2 ** 32 }, "bad-number"],
      [{ abiVersion: 65536 }, "bad-number"],
      [{ sizeBytes: 1001 }, "bad-number"],
      [{ sizeBytes: 16 }, "bad-number"],
      [{ sizeBytes: 17 * 1024 * 1024 }, "bad-segment-length"],
      [{ chip: "esp8266" }, "unknown-chip"],
      [{ chip: "esp32p4" }, "unknown-chip"],
      [{ module: Buffer.from("not wasm") }, "not-a-module"],
    ];
    for (const [changes, code] of refusals) {
      assert.throws(() => sampleImage(changes), { name: "ImageError", code }, code);
    }
    sampleImage({ version: "v".repeat(31), secureVersion: 2 ** 32 - 1 });
  });
});

describe("damaged image", () => {
  const image = sampleImage();
  const u32 = (value: number) => [value, value >>> 8, value >>> 16, value >>> 24];
  const loopAt = image.length - 32 - 16;
  /** Changed bytes, sealed again: the rule alone must find them. Code and position of the first. */
  const broken: [string, number, number[], string, number][] = [
    ["no segment", 1, [0], "bad-segment-count", 1],
    ["17 segments", 1, [17], "bad-segment-count", 1],
    ["an SPI mode that is none", 2, [6], "bad-spi-mode", 2],
    ["a flash size that is none", 3, [0x8f], "bad-flash-size", 3],
    ["a flash frequency that is none", 3, [0x23], "bad-flash-frequency", 3],
    ["an entry outside its segments", 4, u32(0x40000000), "bad-entry", 4],
    ["a chip that is none", 12, [0x77, 0x77], "unknown-chip", 12],
    ["more at least than at most", 15, [200, 0, 100, 0], "bad-chip-revision", 15],
    ["a hash flag that is none", 23, [2], "bad-hash-flag", 23],
    ["no hash", 23, [0], "no-hash", 23],
    ["a segment of odd length", 28, [1], "bad-segment-length", 28],
    ["a segment of 16 MB", 28, u32(0x1000000), "bad-segment-length", 28],
    ["a segment beyond the file", 28, u32(0x10000), "truncated", image.length],
    ["data at no place of flash", 24, u32(0x3fc80020), "bad-segment-address", 24],
    ["data that cannot be mapped", 24, u32(0x3c000024), "bad-segment-alignment", 24],
    ["no application description", DATA_AT, [0], "no-app-description", DATA_AT],
    ["a page size that the chip has not", DATA_AT + 180, [15], "bad-page-size", DATA_AT + 180],
    ["a newer descriptor", DATA_AT + 260, [2], "bad-module-descriptor", DATA_AT + 260],
    ["a reserved byte in use", DATA_AT + 304, [1], "bad-module-descriptor", DATA_AT + 304],
    ["a module in its descriptor", DATA_AT + 264, u32(316), "module-outside", DATA_AT + 264],
    ["a module off its alignment", DATA_AT + 264, u32(322), "module-outside", DATA_AT + 264],
    ["a module beyond its segment", DATA_AT + 268, u32(9999), "module-outside", DATA_AT + 264],
    ["a module as long as memory", DATA_AT + 268, u32(-1), "module-outside", DATA_AT + 264],
    ["another module", MODULE_AT + 20, [0x55], "bad-module-hash", DATA_AT + 272],
  ];
  for (const [what, at, bytes, code, position] of broken) {
    test(`with ${what} is refused as ${code}, with its position`, () => {
      const bad = sealed(patched(image, at, ...bytes));
      assert.throws(
        () => decodeImage(bad),
        (error) => {
          assert.ok(error instanceof ImageError);
          assert.deepEqual([error.code, error.position], [code, position]);
          assert.match(error.message, new RegExp(`byte ${position}\\b|byte ${at}\\b|module`));
          return true;
        },
      );
      assert.equal(inspect(bad).kind, "image");
    });
  }

  test("with a byte between segments and checksum is refused, sealed or not", () => {
    const { segments } = decodeImage(image);
    const last = segments[segments.length - 1]!;
    const padding = last.position + last.data.length;
    assert.ok(padding >= loopAt && padding < image.length - 33, "this image has padding");
    assert.deepEqual(codesOf(readImage(sealed(patched(image, padding, 1))).problems), [
      "bad-padding",
    ]);
  });

  test("with checksum or SHA-256 wrong is refused, and both are found", () => {
    const at = image.length - 33;
    const bad = patched(image, at, image[at]! ^ 1);
    assert.deepEqual(codesOf(readImage(bad).problems), ["bad-checksum", "bad-hash"]);
    const { checksum } = readImage(bad);
    assert.deepEqual(checksum, { position: at, stored: image[at]! ^ 1, computed: image[at] });
  });

  test("cut at any byte is refused as truncated there, whatever lies behind it in memory", () => {
    for (let size = 0; size < image.length; size++) {
      const [problem] = readImage(image.subarray(0, size)).problems.filter(
        ({ code }) => code === "truncated",
      );
      assert.deepEqual(problem?.position, size);
      assert.throws(() => decodeImage(image.subarray(0, size)), { name: "ImageError" });
    }
  });

  test("with bytes behind it is refused as a file and taken in a slot", () => {
    const long = Buffer.concat([image, Buffer.alloc(100, 0xff)]);
    assert.throws(() => decodeImage(long), { code: "trailing-bytes", position: image.length });
    assert.equal(decodeImage(long, { trailing: "allow" }).sizeBytes, image.length);
    const report = inspect(long);
    assert.ok(report.kind === "image" && report.valid);
    assert.deepEqual(report.trailing, { bytes: 100, kind: "erased" });
    const strange = inspect(Buffer.concat([image, Buffer.from("more")]));
    assert.ok(strange.kind === "image" && !strange.valid);
  });

  test("that says several wrong things gets them all in one report, in words", () => {
    const bad = patched(patched(image, 2, 9), image.length - 1, image[image.length - 1]! ^ 0x80);
    const text = explain(inspect(bad), "fw\u001b[2J.bin");
    assert.match(text, /bad-spi-mode: byte 2, the SPI mode, is 9/);
    assert.match(text, /bad-hash: the SHA-256 at byte \d+/);
    assert.ok(!text.includes("\u001b[2J"), "a name does not steer the terminal");
  });
});

describe("image without a module", () => {
  test("is a plain application of ESP-IDF, and good", () => {
    const plain = sealed(patched(sampleImage(), DATA_AT + 256, 0));
    assert.equal(decodeImage(plain).module, undefined);
  });
});

describe("module's ABI version", () => {
  test("is asked from the module, and bytes that are none are refused", () => {
    assert.equal(moduleAbiVersion(sampleModule(5)), 5);
    for (const bytes of [Buffer.alloc(0), Buffer.from("\0asm\x01\0\0\0"), Buffer.from("hello")]) {
      assert.throws(() => moduleAbiVersion(bytes), { name: "ImageError", code: "not-a-module" });
    }
  });
});

describe("flash dump", () => {
  const csv = readFileSync(join(packageRoot, "host-esp32", "partitions.csv"), "utf8");
  const partitions = parsePartitionCsv(csv);
  const slotOf = (label: string) => partitions.find((entry) => entry.label === label)!;

  function dump(bytes = 4 * 1024 * 1024): Buffer {
    const flash = Buffer.alloc(bytes, 0xff);
    // The bootloader of most chips starts at 0 and is an image as well.
    flash.set(sampleImage({ project: "bootloader" }), 0);
    flash.set(encodePartitions(partitions), 0x8000);
    flash.set(sampleImage({ sizeBytes: 64 * 1024, version: "old" }), slotOf("ota_0").offset);
    flash.set(sampleImage({ version: "2.0.0" }), slotOf("ota_0").offset);
    return flash;
  }

  test("is told from an image, its table is listed and its slots are explained", () => {
    const report = inspect(dump());
    assert.ok(report.kind === "flash");
    assert.deepEqual(report.partitions, partitions);
    assert.deepEqual(
      report.slots.map(({ label, state }) => [label, state]),
      [
        ["ota_0", "image"],
        ["ota_1", "blank"],
      ],
    );
    assert.equal(report.slots[0]?.image?.valid, true, "the rest of an older image is no problem");
    const text = explain(report, "dump.bin");
    assert.match(text, /ota_0 +app 0x10 +0x010000 to 0x1d0000, 1792 KB/);
    assert.match(text, /iot32 2\.0\.0/);
    assert.match(text, /ota_1.* blank/);
  });

  test("with a damaged slot, a damaged table or a missing end says which", () => {
    const damaged = dump();
    damaged[slotOf("ota_0").offset + 400]! ^= 4;
    const report = inspect(damaged);
    assert.ok(report.kind === "flash");
    assert.equal(report.slots[0]?.image?.valid, false);
    const noTable = dump();
    noTable[0x8000 + 5]! ^= 1;
    const withoutTable = inspect(noTable);
    assert.ok(withoutTable.kind === "flash");
    assert.match(withoutTable.problem ?? "", /MD5/);
    const short = inspect(dump(2 * 1024 * 1024));
    assert.ok(short.kind === "flash");
    assert.equal(short.slots[1]?.state, "outside");
  });

  test("an image that happens to have the table's magic at its place stays an image", () => {
    const image = sampleImage({ sizeBytes: 40 * 4096 });
    const look = inspect(sealed(patched(image, 0x8000, 0xaa, 0x50)));
    assert.ok(look.kind === "image" && look.valid);
  });
});

test("packing twice at different times differs in nothing but the description and the sums", () => {
  const module = sampleModule();
  const base = { module, abiVersion: 1, version: "1" };
  const first = packImage({ ...base, builtAt: BUILT_AT });
  const second = packImage({ ...base, builtAt: new Date(BUILT_AT.getTime() + 61_000) });
  const differing = [...first.keys()].filter((at) => first[at] !== second[at]);
  const isExpected = (at: number) =>
    (at >= DATA_AT + 80 && at < DATA_AT + 112) || at >= first.length - 33;
  assert.ok(differing.length > 0 && differing.every(isExpected));
});
