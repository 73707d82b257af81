// The port of updates: the contract of abi.json, in writes of any size, over power off and on, and
// with the power cut in each operation.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { beforeEach, test } from "node:test";
import {
  EventKind,
  FLASH_SECTOR_BYTES,
  ImageSlot,
  INBOX_BYTES,
  OtaTarget,
  Status,
} from "../../host-node/src/abi.js";
import { Software } from "../../host-node/src/boot/software.js";
import { FlashImage } from "../../host-node/src/flash_image.js";
import { packImage } from "../../host-node/src/image/index.js";
import { CUT_MODES, NorError } from "../../host-node/src/ports/nor.js";
import { OtaPort } from "../../host-node/src/ports/ota.js";
import { afterPowerLoss, dumpFile, flashWith, smallImage, smallModule } from "./boot_support.js";
import { RecordingHost, VirtualClock } from "./ports_support.js";
import { seededRandom } from "./support/seeded_random.js";

const { FIRMWARE, MODULE } = OtaTarget;
const SLOT_BYTES = 1792 * 1024;
const MODULE_SLOT_BYTES = 128 * 1024 - 4096;
const one = smallImage("1.0.0");
const two = smallImage("2.0.0");
const large = packImage({
  module: smallModule(),
  ...{ abiVersion: 2, version: "3.0.0", builtAt: new Date(0), sizeBytes: 40_000 },
});
const newModule = smallModule("idle", { tag: "a module that came alone" });

let clock: VirtualClock;
let host: RecordingHost;
let flash: FlashImage;
let software: Software;
let port: OtaPort;

/** A reset of the device on this flash. */
function restart(image = flash): void {
  flash = image;
  software = Software.boot(flash);
  port = new OtaPort(host, { image: flash, software });
}

beforeEach(() => {
  clock = new VirtualClock();
  host = new RecordingHost(clock);
  restart(flashWith({ ota_0: one }));
});

/** Lets everything happen, and gives the status of each OTA_DONE. */
function outcomes(): number[] {
  clock.advance(100_000);
  assert.ok(host.events.every(({ kind }) => kind === EventKind.OTA_DONE));
  return host.events.splice(0).map(({ a }) => a);
}

const isOk = (statuses: readonly number[]): boolean => statuses.every((code) => code === Status.OK);

function write(bytes: Uint8Array, chunk = INBOX_BYTES): void {
  for (let at = 0; at < bytes.length; at += chunk) {
    assert.equal(port.write(bytes.subarray(at, at + chunk)), Status.OK);
  }
}

/** The digest of the first bytes that were written, in hexadecimal. */
function digest(size: number): string {
  assert.ok(isOk(outcomes()));
  assert.equal(port.digest(size), Status.OK);
  clock.advance(1000);
  const [event] = host.events.splice(0);
  assert.equal(event?.a, Status.OK);
  return event.payload.toString("hex");
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function update(target: OtaTarget, bytes: Uint8Array): void {
  assert.ok(port.begin(target, 0) > 0);
  write(bytes);
  assert.equal(digest(bytes.length), sha256(bytes));
  assert.equal(port.activate(), Status.OK);
  assert.deepEqual(outcomes(), [Status.OK]);
}

test("firmware_is_written_digested_activated_started_on_trial_and_confirmed", () => {
  assert.equal(port.begin(FIRMWARE, 0), SLOT_BYTES);
  write(two);
  assert.deepEqual(host.events, [], "nothing is answered before the next turn");
  assert.equal(digest(two.length), sha256(two));
  assert.equal(port.activate(), Status.OK);
  assert.deepEqual(outcomes(), [Status.OK]);
  restart();
  assert.deepEqual([software.firmware.slot.number, software.firmwareOnTrial], [1, true]);
  assert.equal(port.begin(FIRMWARE, 0), Status.NOT_READY);
  assert.equal(port.confirm(), Status.OK);
  assert.deepEqual(outcomes(), [Status.OK]);
  assert.equal(software.isOnTrial, false);
  restart();
  assert.deepEqual([software.firmware.slot.number, software.firmwareOnTrial], [1, false]);
  assert.equal(port.begin(FIRMWARE, 0), SLOT_BYTES);
});

test("module_is_written_behind_its_header_and_runs_after_a_restart_of_the_module_alone", () => {
  assert.equal(port.begin(MODULE, 0), MODULE_SLOT_BYTES);
  update(MODULE, newModule);
  software = software.reloadModule(flash);
  assert.deepEqual([software.module.slot, software.moduleOnTrial], [0, true]);
  assert.deepEqual(Buffer.from(software.module.bytes), Buffer.from(newModule));
  port = new OtaPort(host, { image: flash, software });
  assert.equal(port.begin(FIRMWARE, 0), Status.NOT_READY);
  port.confirm();
  outcomes();
  assert.equal(software.reloadModule(flash).module.slot, 0);
  assert.equal(software.reloadModule(flash).moduleOnTrial, false);
});

for (const chunk of [1, 3, 15, 16, 17, 100, 1535, 1536]) {
  test(`image_is_whole_when_it_comes_in_writes_of_${chunk}_bytes`, () => {
    const image = chunk < 10 ? two : large;
    port.begin(FIRMWARE, 0);
    write(image, chunk);
    assert.equal(digest(image.length), sha256(image));
    assert.deepEqual(
      Buffer.from(flash.read("ota_1", 0, image.length)).compare(image),
      0,
      "bytes in the slot",
    );
  });
}

test("sectors_are_erased_when_the_writing_comes_to_them_and_each_once", () => {
  flash.flash("ota_1", new Uint8Array(5 * FLASH_SECTOR_BYTES));
  port.begin(FIRMWARE, 0);
  const { nor } = flash.region("ota_1");
  write(large.subarray(0, FLASH_SECTOR_BYTES));
  assert.ok(isOk(outcomes()));
  assert.deepEqual([...nor.erases.subarray(0, 3)], [1, 0, 0]);
  write(large.subarray(FLASH_SECTOR_BYTES, 2 * FLASH_SECTOR_BYTES));
  assert.ok(isOk(outcomes()));
  assert.deepEqual([...nor.erases.subarray(0, 3)], [1, 1, 0]);
});

test("incomplete_unit_is_held_back_seen_by_reads_and_ended_by_the_digest", () => {
  port.begin(FIRMWARE, 0);
  port.write(two.subarray(0, 20));
  assert.deepEqual(outcomes(), [Status.OK]);
  assert.equal(flash.read("ota_1", 16, 1)[0], 0xff);
  const bytes = new Uint8Array(24);
  assert.equal(port.read(ImageSlot.NEXT, 8, bytes), Status.OK);
  assert.deepEqual([...bytes.subarray(0, 12)], [...two.subarray(8, 20)]);
  assert.deepEqual([...bytes.subarray(12)], Array(12).fill(0xff));
  assert.equal(digest(20), sha256(two.subarray(0, 20)));
  assert.deepEqual(
    [...flash.read("ota_1", 16, 8)],
    [...two.subarray(16, 20), ...Array(4).fill(0xff)],
  );
  assert.equal(port.write(two.subarray(20, 40)), Status.NOT_READY, "the unit is programmed");
});

test("digest_at_the_end_of_a_unit_leaves_the_writing_open", () => {
  port.begin(FIRMWARE, 0);
  write(two.subarray(0, 160));
  assert.equal(digest(100), sha256(two.subarray(0, 100)));
  write(two.subarray(160));
  assert.equal(digest(two.length), sha256(two));
});

test("download_goes_on_at_a_sector_after_a_power_cut", () => {
  port.begin(FIRMWARE, 0);
  write(large.subarray(0, 13_000));
  assert.ok(isOk(outcomes()));
  restart(afterPowerLoss(flash));
  const offset = 12_288;
  const head = new Uint8Array(offset);
  assert.equal(port.read(ImageSlot.NEXT, 0, head), Status.OK);
  assert.equal(Buffer.compare(head, large.subarray(0, offset)), 0);
  assert.equal(port.begin(FIRMWARE, offset), SLOT_BYTES);
  write(large.subarray(offset));
  assert.equal(digest(large.length), sha256(large));
  port.activate();
  assert.deepEqual(outcomes(), [Status.OK]);
  restart();
  assert.equal(software.firmware.image.description.version, "3.0.0");
});

test("module_download_goes_on_in_the_same_slot_and_its_old_header_is_gone", () => {
  update(MODULE, newModule);
  software = software.reloadModule(flash);
  software.confirm(flash);
  restart(flashWith({ ota_0: one, wasm_0: flash.readPartition("wasm_0") }));
  assert.equal(software.module.slot, 0);
  update(MODULE, smallModule("idle", { tag: "second" }));
  software = software.reloadModule(flash);
  assert.equal(software.module.slot, 1);
  software.confirm(flash);
  restart();
  // The next one replaces the first: its header goes before anything of it is written over.
  const third = Buffer.concat([smallModule("idle", { tag: "third" }), Buffer.alloc(9000, 0x20)]);
  port.begin(MODULE, 0);
  write(third.subarray(0, 9000));
  assert.ok(isOk(outcomes()));
  assert.ok(flash.read("wasm_0", 0, FLASH_SECTOR_BYTES).every((byte) => byte === 0xff));
  restart(afterPowerLoss(flash));
  assert.equal(software.module.slot, 1);
  port.begin(MODULE, 8192);
  write(third.subarray(8192));
  assert.equal(digest(third.length), sha256(third));
  port.activate();
  assert.deepEqual(outcomes(), [Status.OK]);
  assert.equal(software.reloadModule(flash).module.slot, 0);
});

test("calls_out_of_their_order_are_not_ready", () => {
  assert.equal(port.write(new Uint8Array(1)), Status.NOT_READY);
  assert.equal(port.digest(0), Status.NOT_READY);
  assert.equal(port.activate(), Status.NOT_READY);
  port.begin(FIRMWARE, 0);
  assert.equal(port.activate(), Status.NOT_READY);
  write(two);
  assert.equal(port.activate(), Status.NOT_READY);
  digest(two.length);
  port.begin(FIRMWARE, 0);
  assert.equal(port.activate(), Status.NOT_READY, "another beginning forgets the digest");
});

test("write_after_a_digest_makes_it_worthless", () => {
  port.begin(FIRMWARE, 0);
  write(two.subarray(0, 160));
  digest(160);
  write(two.subarray(160));
  assert.equal(port.activate(), Status.NOT_READY);
});

test("arguments_outside_their_ranges_are_invalid", () => {
  const wrong = [
    port.begin(2, 0),
    port.begin(FIRMWARE, 100),
    port.begin(FIRMWARE, SLOT_BYTES + FLASH_SECTOR_BYTES),
    port.begin(MODULE, MODULE_SLOT_BYTES + FLASH_SECTOR_BYTES),
    port.read(2, 0, new Uint8Array(1)),
    port.read(ImageSlot.RUNNING, SLOT_BYTES - 1, new Uint8Array(2)),
    port.read(ImageSlot.RUNNING, 0xffffffff, new Uint8Array(1)),
  ];
  port.begin(FIRMWARE, 0);
  wrong.push(port.write(new Uint8Array()), port.write(new Uint8Array(INBOX_BYTES + 1)));
  port.write(new Uint8Array(100));
  wrong.push(port.digest(101));
  assert.deepEqual(wrong, Array(wrong.length).fill(Status.INVALID_ARGUMENT));
  assert.ok(isOk(outcomes()));
});

test("write_beyond_the_slot_has_no_space_and_one_up_to_its_end_has", () => {
  for (const [target, capacity] of [
    [FIRMWARE, SLOT_BYTES],
    [MODULE, MODULE_SLOT_BYTES],
  ] as const) {
    port.begin(target, capacity - FLASH_SECTOR_BYTES);
    write(new Uint8Array(FLASH_SECTOR_BYTES - 10));
    assert.equal(port.write(new Uint8Array(11)), Status.NO_SPACE);
    assert.equal(port.write(new Uint8Array(10)), Status.OK);
    assert.equal(port.write(new Uint8Array(1)), Status.NO_SPACE);
    assert.ok(isOk(outcomes()));
  }
});

test("image_that_the_bootloader_would_not_start_is_corrupt_and_what_runs_stays", () => {
  const flipped = Buffer.from(two);
  flipped[400]! ^= 1;
  const cases: [Uint8Array, number][] = [
    [flipped, flipped.length],
    [two, two.length - 16],
    [Buffer.concat([two, Buffer.alloc(16, 0xff)]), two.length + 16],
    [Buffer.from("not an image"), 12],
    [two, 0],
  ];
  for (const [bytes, size] of cases) {
    port.begin(FIRMWARE, 0);
    write(bytes);
    digest(size);
    assert.equal(port.activate(), Status.OK);
    assert.deepEqual(outcomes(), [Status.CORRUPT]);
  }
  port.begin(MODULE, 0);
  write(Buffer.from("not a module"));
  digest(12);
  port.activate();
  assert.deepEqual(outcomes(), [Status.CORRUPT]);
  restart();
  assert.deepEqual([software.firmware.slot.number, software.module.slot], [0, 255]);
});

test("failed_write_answers_for_itself_and_the_next_one_for_itself", () => {
  port.begin(FIRMWARE, 0);
  const { nor } = flash.region("ota_1");
  let operations = 0;
  nor.onOperation = ({ kind }) => {
    if (kind === "program" && operations++ === 1) throw new NorError("worn out");
  };
  // Three sectors; the sixth write of 1,536 bytes makes the second one whole.
  const bytes = large.subarray(0, 3 * FLASH_SECTOR_BYTES);
  write(bytes, 1536);
  const expected: Status[] = Array.from({ length: 8 }, () => Status.OK);
  expected[5] = Status.IO_ERROR;
  assert.deepEqual(outcomes(), expected);
  nor.onOperation = () => {};
  assert.notEqual(digest(bytes.length), sha256(bytes));
});

test("device_without_a_second_slot_finds_none", () => {
  const single = FlashImage.open(dumpFile("ota_0, app, ota_0, 0x10000, 64K"));
  single.flash("ota_0", one);
  restart(single);
  assert.equal(port.begin(FIRMWARE, 0), Status.NOT_FOUND);
  assert.equal(port.begin(MODULE, 0), Status.NOT_FOUND);
  assert.equal(port.read(ImageSlot.NEXT, 0, new Uint8Array(1)), Status.NOT_FOUND);
  assert.equal(port.read(ImageSlot.RUNNING, 0, new Uint8Array(1)), Status.OK);
  single.close();
});

test("confirmation_is_harmless_when_nothing_is_on_trial", () => {
  const before = flash.readPartition("otadata");
  port.confirm();
  port.confirm();
  assert.deepEqual(outcomes(), [Status.OK, Status.OK]);
  assert.deepEqual(flash.readPartition("otadata"), before);
});

test("running_image_is_read_at_any_offset", () => {
  const bytes = new Uint8Array(32);
  assert.equal(port.read(ImageSlot.RUNNING, one.length - 32, bytes), Status.OK);
  assert.deepEqual([...bytes], [...one.subarray(one.length - 32)]);
});

test("operations_take_their_time_and_power_off_loses_what_waits", () => {
  port = new OtaPort(host, { image: flash, software, operationMs: 10 });
  port.begin(FIRMWARE, 0);
  write(large.subarray(0, 4 * 160), 160);
  clock.advance(25);
  port.close();
  clock.advance(1000);
  assert.equal(clock.pending, 0);
  assert.equal(host.events.length, 2);
  assert.equal(flash.read("ota_1", 320, 1)[0], 0xff);
});

test("power_cut_in_any_operation_of_an_update_leaves_a_device_that_can_be_updated", () => {
  for (const target of [FIRMWARE, MODULE]) {
    const bytes = target === FIRMWARE ? two : newModule;
    for (const mode of CUT_MODES) {
      for (const label of target === FIRMWARE ? ["ota_1", "otadata"] : ["wasm_0"]) {
        for (let operation = 0; cutUpdate(target, bytes, { label, mode, operation }); operation++) {
          assert.ok(operation < 20);
        }
      }
    }
  }
});

/** Answers whether the update was cut; checks what is left either way. */
function cutUpdate(
  target: OtaTarget,
  bytes: Uint8Array,
  cut: { label: string; mode: (typeof CUT_MODES)[number]; operation: number },
): boolean {
  flash = flashWith({ ota_0: one });
  software = Software.boot(flash);
  let cuts = 0;
  port = new OtaPort(host, { image: flash, software, onPowerCut: () => cuts++ });
  flash.region(cut.label).nor.armPowerCut(cut.operation, cut.mode, seededRandom(cut.operation));
  port.begin(target, 0);
  write(bytes);
  port.digest(bytes.length);
  port.activate();
  clock.advance(1000);
  host.events.length = 0;
  assert.equal(clock.pending, 0);
  restart(afterPowerLoss(flash));
  if (software.isOnTrial) {
    software.confirm(flash);
    return cuts > 0;
  }
  assert.equal(cuts, 1);
  update(target, bytes);
  restart();
  assert.equal(software.isOnTrial, true);
  return true;
}
