// Module slots: the header, the choice, trials and rollbacks, another firmware and back, and a
// power cut in each write.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { BootError } from "../../host-node/src/boot/bootloader.js";
import {
  decodeHeader,
  encodeHeader,
  MODULE_AT,
  readModuleSlot,
} from "../../host-node/src/boot/module_header.js";
import {
  activateModule,
  chooseModule,
  confirmModule,
  EMBEDDED_MODULE,
  firmwareIdOf,
  nextModuleSlot,
} from "../../host-node/src/boot/module_slots.js";
import { crc32 } from "../../host-node/src/crc32.js";
import { FlashImage } from "../../host-node/src/flash_image.js";
import {
  decodeImage,
  encodeImage,
  type Image,
  type ImageSegment,
} from "../../host-node/src/image/index.js";
import { cutEverywhere, dumpFile, flashWith, smallImage, smallModule } from "./boot_support.js";

const firmwareA = decodeImage(smallImage("1.0.0"));
const firmwareB = decodeImage(smallImage("2.0.0"));
const moduleX = smallModule("idle", { tag: "x" });
const moduleY = smallModule("idle", { tag: "y" });
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** Writes and activates a module, as an update does. */
function install(flash: FlashImage, slot: number, module: Uint8Array, firmware: Image): void {
  const region = flash.region(`wasm_${slot}`);
  region.erase(0);
  region.erase(MODULE_AT);
  const padded = Buffer.alloc(Math.ceil(module.length / 16) * 16, 0xff);
  padded.set(module);
  region.program(MODULE_AT, padded);
  const installation = { size: module.length, sha256: sha256(module) };
  activateModule(flash, { slot, ...installation, firmwareId: firmwareIdOf(firmware) });
}

/** A flash where this module is confirmed in wasm_0 under firmware A. */
function confirmed(module = moduleX): FlashImage {
  const flash = flashWith({});
  install(flash, 0, module, firmwareA);
  assert.equal(chooseModule(flash, firmwareA).isOnTrial, true);
  confirmModule(flash, 0);
  return flash;
}

const slotOf = (flash: FlashImage, firmware = firmwareA) => chooseModule(flash, firmware).slot;

function stateOf(flash: FlashImage, number: number) {
  const slot = { label: `wasm_${number}`, number, size: 131_072 };
  return readModuleSlot(slot, (offset, bytes) => flash.read(slot.label, offset, bytes));
}

describe("header of a module slot", () => {
  const header = {
    sequence: 7,
    size: 150,
    sha256: Uint8Array.from(sha256(moduleX)),
    firmwareId: Uint8Array.from(firmwareIdOf(firmwareA)),
  };

  test("lies in units as documented", () => {
    const bytes = Buffer.from(encodeHeader(header));
    assert.equal(bytes.toString("hex", 0, 16), "69333273010000000700000096000000");
    assert.ok(bytes.subarray(16, 48).equals(header.sha256));
    assert.ok(bytes.subarray(48, 80).equals(header.firmwareId));
    assert.equal(bytes.readUInt32LE(80), crc32(bytes.subarray(0, 80)));
    assert.equal(bytes.toString("hex", 84), "ff".repeat(12));
    assert.equal(crc32(Buffer.from("123456789")), 0xcbf43926, "CRC-32 as in zlib");
  });

  test("is read back, and refused with any bit of it changed", () => {
    const bytes = encodeHeader(header);
    assert.deepEqual(decodeHeader(bytes), header);
    for (let bit = 0; bit < 84 * 8; bit++) {
      const damaged = Uint8Array.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(decodeHeader(damaged), null, `bit ${bit}`);
    }
  });
});

describe("choice of a module", () => {
  test("is_the_embedded_one_while_the_slots_are_blank", () => {
    const { slot, bytes, isOnTrial } = chooseModule(flashWith({}), firmwareA);
    assert.deepEqual([slot, isOnTrial], [EMBEDDED_MODULE, false]);
    assert.deepEqual(Buffer.from(bytes), Buffer.from(firmwareA.module!.bytes));
  });

  test("installed_module_runs_once_on_trial_and_is_given_up_at_the_next_load", () => {
    const flash = flashWith({});
    install(flash, 0, moduleX, firmwareA);
    const trial = chooseModule(flash, firmwareA);
    assert.deepEqual([trial.slot, trial.isOnTrial], [0, true]);
    assert.deepEqual(Buffer.from(trial.bytes), Buffer.from(moduleX));
    assert.deepEqual(stateOf(flash, 0).marks, {
      attempted: true,
      confirmed: false,
      invalid: false,
    });
    assert.equal(slotOf(flash), EMBEDDED_MODULE);
    assert.deepEqual(stateOf(flash, 0).marks, { attempted: true, confirmed: false, invalid: true });
    assert.equal(slotOf(flash), EMBEDDED_MODULE);
  });

  test("confirmed_module_stays_and_an_update_beside_it_rolls_back_to_it", () => {
    const flash = confirmed();
    confirmModule(flash, 0);
    assert.deepEqual([slotOf(flash), slotOf(flash)], [0, 0]);
    assert.equal(nextModuleSlot(flash, 0), 1);
    install(flash, 1, moduleY, firmwareA);
    assert.equal(stateOf(flash, 1).header?.sequence, 2);
    assert.deepEqual([slotOf(flash), slotOf(flash)], [1, 0]);
    install(flash, 1, moduleY, firmwareA);
    assert.equal(slotOf(flash), 1);
    confirmModule(flash, 1);
    assert.equal(slotOf(flash), 1);
    assert.equal(nextModuleSlot(flash, 1), 0);
  });

  test("other_firmware_runs_its_own_module_and_the_slot_comes_back_with_the_first", () => {
    const flash = confirmed();
    assert.equal(slotOf(flash, firmwareB), EMBEDDED_MODULE);
    assert.equal(nextModuleSlot(flash, EMBEDDED_MODULE), 1, "the blank one");
    install(flash, 1, moduleY, firmwareB);
    assert.equal(slotOf(flash, firmwareB), 1);
    confirmModule(flash, 1);
    assert.deepEqual([slotOf(flash, firmwareB), slotOf(flash, firmwareA)], [1, 0]);
    const firmwareC = decodeImage(smallImage("3.0.0"));
    assert.equal(slotOf(flash, firmwareC), EMBEDDED_MODULE);
    assert.equal(nextModuleSlot(flash, EMBEDDED_MODULE), 0, "the one with the lowest sequence");
  });

  test("damaged_module_or_header_is_no_candidate", () => {
    const flash = confirmed();
    const bytes = Buffer.from(flash.readPartition("wasm_0"));
    for (const at of [0, 20, 50, 82, MODULE_AT, MODULE_AT + moduleX.length - 1]) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x10;
      flash.flash("wasm_0", damaged);
      assert.equal(slotOf(flash), EMBEDDED_MODULE, `byte ${at}`);
    }
    flash.flash("wasm_0", bytes);
    assert.equal(slotOf(flash), 0);
  });

  test("slot_that_holds_nothing_of_use_is_written_before_one_that_does", () => {
    const flash = flashWith({});
    assert.equal(nextModuleSlot(flash, EMBEDDED_MODULE), 0);
    install(flash, 0, moduleX, firmwareA);
    slotOf(flash);
    slotOf(flash);
    assert.equal(stateOf(flash, 0).marks.invalid, true);
    install(flash, 1, moduleY, firmwareB);
    assert.equal(nextModuleSlot(flash, EMBEDDED_MODULE), 0);
  });

  test("firmware_without_a_module_needs_one_in_a_slot", () => {
    const bare = withoutModule(firmwareA);
    assert.throws(
      () => chooseModule(flashWith({}), bare),
      (error: unknown) =>
        error instanceof BootError && /firmware without a module, and no slot/.test(error.message),
    );
    const flash = flashWith({});
    install(flash, 1, moduleX, bare);
    assert.equal(slotOf(flash, bare), 1);
  });

  test("flash_without_module_slots_runs_the_embedded_one_and_has_no_next", () => {
    const flash = FlashImage.open(dumpFile("ota_0, app, ota_0, 0x10000, 64K"));
    assert.equal(slotOf(flash), EMBEDDED_MODULE);
    assert.equal(nextModuleSlot(flash, EMBEDDED_MODULE), null);
    flash.close();
  });
});

/** The same image with the descriptor of its module wiped out. */
function withoutModule(image: Image): Image {
  const plain = ({ loadAddress, data }: ImageSegment, index: number) => {
    const copy = Uint8Array.from(data);
    if (index === 0) copy.fill(0, 256, 320);
    return { loadAddress, data: copy };
  };
  return decodeImage(encodeImage(image.header, image.segments.map(plain)));
}

describe("power cut", () => {
  const installed = () => {
    const flash = confirmed();
    install(flash, 1, moduleY, firmwareA);
    return flash;
  };
  const onTrial = () => {
    const flash = installed();
    assert.equal(slotOf(flash), 1);
    return flash;
  };
  /** Old or new, and without a confirmation the old one in the end. */
  const isGood = (flash: FlashImage, moment: string): void => {
    const first = chooseModule(flash, firmwareA);
    assert.ok(first.slot <= 1, moment);
    if (first.isOnTrial) assert.equal(first.slot, 1, moment);
    const second = slotOf(flash);
    assert.equal(second, first.isOnTrial ? 0 : first.slot, moment);
    assert.equal(slotOf(flash), second, moment);
    const next = nextModuleSlot(flash, second)!;
    install(flash, next, moduleX, firmwareA);
    assert.equal(slotOf(flash), next, `${moment}: the slot takes the next update`);
  };

  test("in_an_activation_leaves_the_old_module_or_the_new_one", () => {
    const act = (flash: FlashImage) => install(flash, 1, moduleY, firmwareA);
    const operations = cutEverywhere({ prepare: confirmed, label: "wasm_1", act, check: isGood });
    assert.equal(operations, 5);
  });

  test("in_an_activation_over_an_older_module_leaves_one_of_the_others", () => {
    const prepare = () => {
      const flash = onTrial();
      confirmModule(flash, 1);
      return flash;
    };
    const act = (flash: FlashImage) => install(flash, 0, moduleX, firmwareA);
    const check = (flash: FlashImage, moment: string) => {
      const first = chooseModule(flash, firmwareA);
      assert.equal(first.slot, first.isOnTrial ? 0 : 1, moment);
      assert.equal(slotOf(flash), 1, moment);
    };
    assert.equal(cutEverywhere({ prepare, label: "wasm_0", act, check }), 5);
  });

  test("in_the_start_of_a_trial_leaves_the_old_module_or_the_new_one", () => {
    const act = (flash: FlashImage) => void chooseModule(flash, firmwareA);
    assert.equal(cutEverywhere({ prepare: installed, label: "wasm_1", act, check: isGood }), 1);
  });

  test("in_a_rollback_leaves_the_old_module", () => {
    const act = (flash: FlashImage) => void chooseModule(flash, firmwareA);
    const check = (flash: FlashImage, moment: string) => {
      assert.deepEqual([slotOf(flash), slotOf(flash)], [0, 0], moment);
    };
    assert.equal(cutEverywhere({ prepare: onTrial, label: "wasm_1", act, check }), 1);
  });

  test("in_the_confirmation_leaves_the_old_module_or_the_new_one", () => {
    const act = (flash: FlashImage) => confirmModule(flash, 1);
    assert.equal(cutEverywhere({ prepare: onTrial, label: "wasm_1", act, check: isGood }), 1);
    const whole = onTrial();
    act(whole);
    assert.deepEqual([slotOf(whole), slotOf(whole)], [1, 1]);
  });
});
