// otadata and the bootloader: vectors of ESP-IDF, its decision for pairs of entries of all kinds,
// trials and rollbacks, and a power cut in each write.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type AppTable,
  appTable,
  NO_OTA_SLOT,
  planBoot,
  sequenceOfSlot,
  slotOfSequence,
} from "../../host-node/src/boot/boot_plan.js";
import {
  BootError,
  bootFirmware,
  confirmFirmware,
  nextFirmwareSlot,
  setBootSlot,
} from "../../host-node/src/boot/bootloader.js";
import {
  activeEntry,
  BLANK_ENTRY,
  decodeOtadata,
  encodeEntry,
  hasGoodCrc,
  newEntry,
  type OtadataEntry,
  OtadataState,
  sequenceCrc,
} from "../../host-node/src/boot/otadata.js";
import { FlashImage } from "../../host-node/src/flash_image.js";
import { ImageError } from "../../host-node/src/image/index.js";
import { parsePartitionCsv } from "../../host-node/src/partitions.js";
import { cutEverywhere, dumpFile, flashWith, smallImage } from "./boot_support.js";

const { NEW, PENDING_VERIFY, VALID, INVALID, ABORTED, UNDEFINED } = OtadataState;
const one = smallImage("1.0.0");
const two = smallImage("2.0.0");

function tableOf(...labels: string[]): AppTable {
  const app = (label: string, index: number) =>
    `${label}, app, ${label}, 0x${(0x10000 * (index + 2)).toString(16)}, 64K`;
  return appTable(parsePartitionCsv([`otadata, data, ota, , 8K`, ...labels.map(app)].join("\n")));
}
const TWO = tableOf("ota_0", "ota_1");
const WITH_FACTORY = tableOf("factory", "ota_0", "ota_1");

const damaged = (sequence: number, state: OtadataState): OtadataEntry => ({
  ...newEntry(sequence, state),
  crc: 0x12345678,
});

/** A flash whose otadata says this, with 1.0.0 in ota_0 and 2.0.0 in ota_1. */
function flashAt(first: OtadataEntry, second: OtadataEntry, images = {}): FlashImage {
  const flash = flashWith({ ota_0: one, ota_1: two, ...images });
  const bytes = Buffer.alloc(8192, 0xff);
  bytes.set(encodeEntry(first), 0);
  bytes.set(encodeEntry(second), 4096);
  flash.flash("otadata", bytes);
  return flash;
}

const SLOT_1 = { number: 1, label: "ota_1", size: 1792 * 1024 };
const entriesOf = (flash: FlashImage) => decodeOtadata(flash.readPartition("otadata"));
const statesOf = (flash: FlashImage) => entriesOf(flash).map(({ state }) => state);
const bootSlot = (flash: FlashImage): number => bootFirmware(flash).slot.number;

describe("otadata", () => {
  test("crc_of_a_sequence_is_that_of_esp_idf", () => {
    assert.equal(sequenceCrc(1), 0x4743989a);
    assert.equal(sequenceCrc(2), 0x55f63774);
  });

  test("entry_is_encoded_as_esp_idf_lays_it_out", () => {
    const bytes = Buffer.from(encodeEntry(newEntry(1, VALID)));
    assert.equal(bytes.toString("hex"), `01000000${"ff".repeat(20)}020000009a984347`);
    const [first, second] = decodeOtadata(Buffer.concat([bytes, Buffer.alloc(8160, 0xff)]));
    assert.deepEqual([first.sequence, first.state, hasGoodCrc(first)], [1, VALID, true]);
    assert.deepEqual(second, BLANK_ENTRY);
  });

  test("usable_entry_with_the_higher_sequence_is_active_and_the_first_of_equals", () => {
    const cases: [OtadataEntry, OtadataEntry, 0 | 1 | null][] = [
      [BLANK_ENTRY, BLANK_ENTRY, null],
      [newEntry(1, VALID), BLANK_ENTRY, 0],
      [BLANK_ENTRY, newEntry(7, UNDEFINED), 1],
      [newEntry(3, VALID), newEntry(2, VALID), 0],
      [newEntry(3, VALID), newEntry(4, NEW), 1],
      [newEntry(3, VALID), newEntry(3, NEW), 0],
      [newEntry(3, VALID), damaged(4, NEW), 0],
      [newEntry(3, VALID), newEntry(4, ABORTED), 0],
      [newEntry(3, INVALID), newEntry(2, ABORTED), null],
    ];
    for (const [first, second, expected] of cases) {
      assert.equal(activeEntry([first, second]), expected);
    }
  });

  test("next_sequence_is_the_smallest_that_names_the_slot", () => {
    for (let slots = 1; slots <= 16; slots++) {
      for (let slot = 0; slot < slots; slot++) {
        for (let sequence = 1; sequence < 40; sequence++) {
          const next = sequenceOfSlot(slot, slots, sequence);
          assert.ok(next >= sequence && next < sequence + slots);
          assert.equal(slotOfSequence(next, slots), slot);
        }
      }
    }
  });
});

describe("bootloader", () => {
  test("decision_for_each_pair_of_entries_is_that_of_esp_idf", () => {
    const first = (table: AppTable, a: OtadataEntry, b: OtadataEntry): string => {
      const { attempts, isInitial, startsTrial, aborted } = planBoot(table, [a, b]);
      const words = [attempts[0]?.label, isInitial && "initial", startsTrial && "trial"];
      return [...words, ...aborted.map((index) => `aborted ${index}`)].filter(Boolean).join(", ");
    };
    const cases: [OtadataEntry, OtadataEntry, two: string, factory: string][] = [
      [BLANK_ENTRY, BLANK_ENTRY, "ota_0, initial", "factory"],
      [damaged(1, INVALID), BLANK_ENTRY, "ota_0, initial", "factory"],
      [newEntry(1, VALID), BLANK_ENTRY, "ota_0", "ota_0"],
      [newEntry(2, VALID), BLANK_ENTRY, "ota_1", "ota_1"],
      [newEntry(1, VALID), newEntry(2, NEW), "ota_1, trial", "ota_1, trial"],
      [newEntry(1, VALID), newEntry(2, PENDING_VERIFY), "ota_0, aborted 1", "ota_0, aborted 1"],
      [newEntry(3, VALID), newEntry(2, VALID), "ota_0", "ota_0"],
      [newEntry(1, VALID), newEntry(2, ABORTED), "ota_0", "ota_0"],
      [newEntry(1, VALID), newEntry(2, INVALID), "ota_0", "ota_0"],
      [newEntry(1, VALID), newEntry(2, UNDEFINED), "ota_1", "ota_1"],
      [newEntry(1, ABORTED), newEntry(2, INVALID), "ota_0", "factory"],
      [newEntry(2, PENDING_VERIFY), BLANK_ENTRY, "ota_0, aborted 0", "factory, aborted 0"],
      // Neither blank nor given up, and not whole: whatever loads, from the front.
      [damaged(2, VALID), BLANK_ENTRY, "ota_0", "factory"],
      [newEntry(2, VALID), damaged(3, NEW), "ota_1", "ota_1"],
    ];
    for (const [a, b, two, factory] of cases) {
      assert.equal(first(TWO, a, b), two);
      assert.equal(first(WITH_FACTORY, a, b), factory);
    }
  });

  test("slots_are_tried_downwards_to_factory_then_upwards_and_the_test_application_last", () => {
    const table = tableOf("factory", "test", "ota_0", "ota_1", "ota_2", "ota_3");
    const { attempts } = planBoot(table, [newEntry(3, VALID), BLANK_ENTRY]);
    const labels = attempts.map(({ label }) => label);
    assert.deepEqual(labels, ["ota_2", "ota_1", "ota_0", "factory", "ota_3", "test"]);
    const none = planBoot(table, null).attempts.map(({ label }) => label);
    assert.deepEqual(none, ["factory", "ota_0", "ota_1", "ota_2", "ota_3", "test"]);
  });

  test("flash_with_blank_otadata_boots_ota_0_and_writes_that_down", () => {
    const flash = flashWith({ ota_0: one });
    const { slot, image, isOnTrial } = bootFirmware(flash);
    assert.deepEqual([slot.label, image.description.version, isOnTrial], ["ota_0", "1.0.0", false]);
    assert.deepEqual(entriesOf(flash), [newEntry(1, VALID), BLANK_ENTRY]);
  });

  test("flash_with_an_image_in_ota_1_only_boots_it_and_writes_that_down", () => {
    const flash = flashWith({ ota_1: two });
    assert.equal(bootSlot(flash), 1);
    assert.deepEqual(entriesOf(flash), [newEntry(2, VALID), BLANK_ENTRY]);
  });

  test("new_slot_boots_once_on_trial_and_the_next_reset_rolls_it_back", () => {
    const flash = flashAt(newEntry(1, VALID), BLANK_ENTRY);
    setBootSlot(flash, SLOT_1);
    assert.deepEqual(entriesOf(flash)[1], newEntry(2, NEW));
    const trial = bootFirmware(flash);
    assert.deepEqual([trial.slot.number, trial.isOnTrial], [1, true]);
    assert.deepEqual(statesOf(flash), [VALID, PENDING_VERIFY]);
    const back = bootFirmware(flash);
    assert.deepEqual([back.slot.number, back.isOnTrial], [0, false]);
    assert.deepEqual(statesOf(flash), [VALID, ABORTED]);
  });

  test("confirmed_slot_stays_and_the_next_update_goes_round", () => {
    const flash = flashAt(newEntry(1, VALID), BLANK_ENTRY);
    setBootSlot(flash, SLOT_1);
    const { slot } = bootFirmware(flash);
    confirmFirmware(flash, slot);
    confirmFirmware(flash, slot);
    assert.deepEqual(statesOf(flash), [VALID, VALID]);
    assert.equal(bootSlot(flash), 1);
    setBootSlot(flash, nextFirmwareSlot(flash, slot)!);
    assert.deepEqual(entriesOf(flash), [newEntry(3, NEW), newEntry(2, VALID)]);
    assert.equal(bootSlot(flash), 0);
  });

  test("slot_chosen_twice_leaves_the_entry_of_what_runs_alone", () => {
    const flash = flashAt(newEntry(1, VALID), BLANK_ENTRY);
    setBootSlot(flash, SLOT_1);
    setBootSlot(flash, SLOT_1);
    assert.deepEqual(entriesOf(flash), [newEntry(1, VALID), newEntry(2, NEW)]);
  });

  test("chosen_slot_that_does_not_verify_falls_back_and_nothing_is_on_trial", () => {
    const broken = Buffer.from(two);
    broken[200]! ^= 1;
    const flash = flashAt(newEntry(1, VALID), newEntry(2, NEW), { ota_1: broken });
    const { slot, isOnTrial } = bootFirmware(flash);
    assert.deepEqual([slot.number, isOnTrial], [0, false]);
    confirmFirmware(flash, slot);
    assert.deepEqual(statesOf(flash), [VALID, PENDING_VERIFY], "the broken slot is not confirmed");
    flash.flash("ota_1", two);
    setBootSlot(flash, SLOT_1);
    assert.deepEqual(entriesOf(flash), [newEntry(1, VALID), newEntry(2, NEW)]);
  });

  test("image_that_does_not_verify_is_not_chosen", () => {
    const flash = flashAt(newEntry(1, VALID), BLANK_ENTRY, { ota_1: two.subarray(0, 300) });
    assert.throws(() => setBootSlot(flash, SLOT_1), ImageError);
    flash.flash("ota_1", two);
    assert.throws(() => setBootSlot(flash, SLOT_1, two.length - 16), ImageError);
    assert.throws(() => setBootSlot(flash, SLOT_1, two.length + 16), /bytes follow/);
    assert.deepEqual(entriesOf(flash)[1], BLANK_ENTRY);
  });

  test("flash_in_which_nothing_boots_says_why_for_each_slot", () => {
    const broken = Buffer.from(one);
    broken[60]! ^= 4;
    const flash = flashWith({ ota_0: broken });
    assert.throws(
      () => bootFirmware(flash),
      (error: unknown) =>
        error instanceof BootError &&
        /nothing boots .*ota_0: .*checksum.*; ota_1: .*no application image/.test(error.message),
    );
    const empty = FlashImage.open(dumpFile("records, data, 0x40, , 64K"));
    assert.throws(() => bootFirmware(empty), /no application partition/);
    empty.close();
  });

  test("layout_with_factory_boots_it_first_updates_ota_0_and_rolls_back_to_factory", () => {
    const flash = FlashImage.open(dumpFile());
    flash.flash("factory", one);
    const factory = bootFirmware(flash);
    assert.deepEqual([factory.slot.label, factory.slot.number], ["factory", NO_OTA_SLOT]);
    assert.deepEqual(entriesOf(flash), [BLANK_ENTRY, BLANK_ENTRY]);
    const next = nextFirmwareSlot(flash, factory.slot)!;
    assert.equal(next.label, "ota_0");
    flash.flash("ota_0", two);
    setBootSlot(flash, next);
    assert.deepEqual([bootSlot(flash), statesOf(flash)[0]], [0, PENDING_VERIFY]);
    assert.equal(bootFirmware(flash).slot.label, "factory");
    setBootSlot(flash, next);
    confirmFirmware(flash, bootFirmware(flash).slot);
    assert.equal(bootFirmware(flash).slot.label, "ota_0");
    flash.close();
  });

  test("device_with_one_slot_has_no_next_one", () => {
    const flash = FlashImage.open(dumpFile("ota_0, app, ota_0, 0x10000, 64K"));
    assert.equal(nextFirmwareSlot(flash, appTable(flash.partitions).ota[0]!), null);
    flash.close();
  });
});

describe("power cut", () => {
  const isGood = (flash: FlashImage, moment: string): void => {
    const { slot, isOnTrial } = bootFirmware(flash);
    assert.ok(isOnTrial ? slot.number === 1 : slot.number <= 1, moment);
    if (isOnTrial) assert.equal(bootSlot(flash), 0, `${moment}: an unconfirmed trial`);
    assert.ok(bootSlot(flash) <= 1, moment);
  };
  const running = () => flashAt(newEntry(1, VALID), BLANK_ENTRY);
  const chosen = () => flashAt(newEntry(1, VALID), newEntry(2, NEW));
  const onTrial = () => flashAt(newEntry(1, VALID), newEntry(2, PENDING_VERIFY));

  test("in_the_choice_of_a_slot_leaves_the_old_one_or_the_new_one", () => {
    const act = (flash: FlashImage) => setBootSlot(flash, SLOT_1);
    assert.equal(cutEverywhere({ prepare: running, label: "otadata", act, check: isGood }), 2);
  });

  test("in_the_choice_after_a_rollback_leaves_the_old_one_or_the_new_one", () => {
    const prepare = () => flashAt(newEntry(1, VALID), newEntry(2, ABORTED));
    const act = (flash: FlashImage) => setBootSlot(flash, SLOT_1);
    assert.equal(cutEverywhere({ prepare, label: "otadata", act, check: isGood }), 2);
  });

  test("in_the_start_of_a_trial_leaves_the_old_one_or_the_new_one", () => {
    const act = (flash: FlashImage) => void bootFirmware(flash);
    assert.equal(cutEverywhere({ prepare: chosen, label: "otadata", act, check: isGood }), 2);
  });

  test("in_a_rollback_leaves_the_old_one", () => {
    const act = (flash: FlashImage) => void bootFirmware(flash);
    const check = (flash: FlashImage, moment: string) => assert.equal(bootSlot(flash), 0, moment);
    assert.equal(cutEverywhere({ prepare: onTrial, label: "otadata", act, check }), 2);
  });

  test("in_the_confirmation_leaves_the_old_one_or_the_new_one", () => {
    const act = (flash: FlashImage) => confirmFirmware(flash, SLOT_1);
    assert.equal(cutEverywhere({ prepare: onTrial, label: "otadata", act, check: isGood }), 2);
    const whole = onTrial();
    act(whole);
    assert.deepEqual([bootSlot(whole), bootSlot(whole)], [1, 1]);
  });

  test("in_the_first_entry_of_a_new_device_leaves_its_only_application", () => {
    const prepare = () => flashWith({ ota_0: one });
    const act = (flash: FlashImage) => void bootFirmware(flash);
    const check = (flash: FlashImage, moment: string) => {
      assert.equal(bootSlot(flash), 0, moment);
      flash.flash("ota_1", two);
      setBootSlot(flash, SLOT_1);
      const trial = bootFirmware(flash);
      assert.deepEqual([trial.slot.number, trial.isOnTrial], [1, true], moment);
      assert.equal(bootSlot(flash), 0, moment);
    };
    assert.equal(cutEverywhere({ prepare, label: "otadata", act, check }), 2);
  });
});
