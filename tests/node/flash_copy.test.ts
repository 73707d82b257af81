// Copies of a flash: a simulator forks a device with all that its chip remembers, and what happens
// to one of them never shows in the other.

import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FlashImage } from "../../host-node/src/flash_image.js";
import {
  NorError,
  NorFlash,
  PowerCut,
  SECTOR_BYTES,
  UNIT_BYTES,
} from "../../host-node/src/ports/nor.js";
import { dumpFile, flashWith, scratch, smallImage } from "./boot_support.js";

const unit = (fill: number): Uint8Array => new Uint8Array(UNIT_BYTES).fill(fill);
const sector = (fill: number): Uint8Array => new Uint8Array(SECTOR_BYTES).fill(fill);
const firstOf = (flash: NorFlash, sectors = 2): number[] =>
  Array.from({ length: sectors }, (_, index) => flash.bytes[index * SECTOR_BYTES]!);

/** Every way to change NOR flash; each leaves another first byte of sector 0. */
const CHANGES: Readonly<Record<string, (flash: NorFlash) => void>> = {
  program: (flash) => flash.program(0, unit(1)),
  erase: (flash) => flash.erase(0),
  load: (flash) => flash.load(0, sector(2)),
  "interrupted program": (flash) => {
    flash.interrupt({ kind: "program", offset: 0, bytes: unit(0) }, "garbage", () => 0.5);
  },
  "interrupted erase": (flash) => {
    flash.interrupt({ kind: "erase", offset: 0 }, "garbage", () => 0.25);
  },
};

for (const [name, change] of Object.entries(CHANGES)) {
  for (const who of ["copy", "original"] as const) {
    test(`change_of_the_${who}_does_not_show_in_the_other: ${name}`, () => {
      const flash = new NorFlash(sector(name === "program" ? 0xff : 0x7f));
      const copy = flash.copy();
      const [changed, other] = who === "copy" ? [copy, flash] : [flash, copy];
      const before = structuredClone(other.snapshot());
      const programs = other.programs;
      change(changed);
      assert.notDeepEqual(changed.snapshot(), before);
      assert.deepEqual(other.snapshot(), before);
      assert.equal(other.programs, programs);
    });
  }
}

test("copy_remembers_what_was_programmed_although_it_looks_erased", () => {
  const flash = NorFlash.blank(1);
  flash.program(0, unit(0xff));
  const copy = flash.copy();
  assert.throws(() => copy.program(0, unit(1)), NorError);
  copy.erase(0);
  copy.program(0, unit(1));
  assert.throws(() => flash.program(0, unit(1)), NorError);
  assert.deepEqual([flash.erases[0], copy.erases[0]], [0, 1]);
});

test("copies_of_copies_go_their_own_ways", () => {
  const flash = NorFlash.blank(2);
  flash.program(0, unit(1));
  const child = flash.copy();
  const grandchild = child.copy();
  child.program(SECTOR_BYTES, unit(2));
  grandchild.program(SECTOR_BYTES, unit(3));
  flash.erase(0);
  const late = child.copy();
  child.erase(0);
  assert.deepEqual(
    [flash, child, grandchild, late].map((each) => firstOf(each)),
    [
      [0xff, 0xff],
      [0xff, 2],
      [1, 3],
      [1, 2],
    ],
  );
});

test("armed_power_cut_and_listener_stay_with_the_original", () => {
  const flash = NorFlash.blank(1);
  let heard = 0;
  flash.onOperation = () => heard++;
  flash.armPowerCut(0, "nothing", () => 0);
  const copy = flash.copy();
  copy.program(0, unit(1));
  assert.equal(heard, 0);
  assert.throws(() => flash.program(0, unit(1)), PowerCut);
  assert.equal(firstOf(flash, 1)[0], 0xff);
});

test("bytes_that_were_given_are_left_alone_after_a_copy", () => {
  const bytes = sector(0xff);
  const flash = new NorFlash(bytes);
  flash.program(0, unit(1));
  flash.copy();
  flash.program(UNIT_BYTES, unit(2));
  assert.deepEqual([bytes[0], bytes[UNIT_BYTES]], [1, 0xff]);
});

const kept = (image: FlashImage, label: string, at = 0): number => image.read(label, at, 1)[0]!;

test("image_and_its_copy_keep_their_own_bytes_also_within_one_sector", () => {
  const image = flashWith({ ota_0: smallImage("1.0.0") });
  image.region("records").program(0, unit(1));
  const copy = image.copy();
  image.region("records").program(UNIT_BYTES, unit(2));
  copy.region("records").program(UNIT_BYTES, unit(3));
  copy.region("wasm_0").program(0, unit(4));
  const places = (of: FlashImage): number[] => [
    kept(of, "records"),
    kept(of, "records", UNIT_BYTES),
    of.records.bytes[UNIT_BYTES]!,
    kept(of, "wasm_0"),
  ];
  assert.deepEqual(places(image), [1, 2, 2, 0xff]);
  assert.deepEqual(places(copy), [1, 3, 3, 4]);
  image.region("records").erase(0);
  assert.deepEqual(places(copy), [1, 3, 3, 4]);
  assert.deepEqual(copy.readPartition("ota_0"), image.readPartition("ota_0"));
  assert.deepEqual([copy.mac, copy.partitions], [image.mac, image.partitions]);
});

test("flashing_and_the_note_of_one_image_do_not_reach_the_other", () => {
  const image = flashWith({ ota_0: smallImage("1.0.0") });
  const before = image.readPartition("ota_0");
  const copy = image.copy();
  copy.note = new Uint8Array(32).fill(7);
  image.flash("ota_0", smallImage("2.0.0"));
  assert.equal(image.note, null);
  assert.deepEqual(copy.readPartition("ota_0"), before);
  image.close();
  assert.deepEqual(copy.readPartition("ota_0"), before);
});

test("region_of_a_copy_remembers_wear_and_what_its_partition_was_written_past_it", () => {
  const image = FlashImage.inMemory();
  image.region("records").erase(0);
  image.records.program(0, unit(1));
  const copy = image.copy();
  assert.equal(copy.records.erases[0], 1);
  assert.deepEqual([copy.records.bytes[0], kept(copy, "records")], [1, 0xff]);
  copy.persistRecords(0, UNIT_BYTES);
  assert.deepEqual([kept(copy, "records"), kept(image, "records")], [1, 0xff]);
});

test("copy_in_the_middle_of_operations_that_are_kept_together_has_what_a_power_cut_leaves", () => {
  const image = FlashImage.inMemory();
  const region = image.region("ota_1");
  let copy: FlashImage | null = null;
  region.together(() => {
    region.erase(0);
    region.program(0, unit(1));
    copy = image.copy();
    region.program(UNIT_BYTES, unit(2));
  });
  const fork = copy as unknown as FlashImage;
  assert.deepEqual([kept(fork, "ota_1"), kept(fork, "ota_1", UNIT_BYTES)], [1, 0xff]);
  assert.equal(kept(image, "ota_1", UNIT_BYTES), 2);
  fork.region("ota_1").program(UNIT_BYTES, unit(3));
  assert.equal(kept(fork, "ota_1", UNIT_BYTES), 3);
});

test("copy_of_a_file_lives_in_memory_with_its_address_and_leaves_the_file_alone", () => {
  // A dump without a MAC address, which is that of its path then.
  for (const path of [join(scratch, "device.bin"), dumpFile()]) {
    const file = FlashImage.open(path);
    file.region("records").program(0, unit(1));
    const copy = file.copy();
    const before = readFileSync(path);
    assert.deepEqual([copy.name, copy.mac], ["memory", file.mac]);
    copy.region("records").program(UNIT_BYTES, unit(2));
    copy.flash("ota_0", sector(3));
    assert.deepEqual(readFileSync(path), before);
    file.close();
    assert.deepEqual([kept(copy, "records"), kept(copy, "records", UNIT_BYTES)], [1, 2]);
    for (const { label, offset, size } of copy.partitions) {
      if (label === "records" || label === "ota_0") continue;
      const bytes = before.subarray(offset, offset + size);
      assert.ok(bytes.equals(copy.readPartition(label)), label);
    }
    rmSync(path);
  }
});
