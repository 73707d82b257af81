// The slots of an update as data: copies of a session go on alone on their own flash, and
// operations that wait belong to the session in which they were accepted.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  ABI_VERSION,
  FLASH_SECTOR_BYTES,
  ImageSlot,
  INBOX_BYTES,
  OtaTarget,
  Status,
} from "../../host-node/src/abi.js";
import { Software } from "../../host-node/src/boot/software.js";
import type { FlashImage } from "../../host-node/src/flash_image.js";
import { packImage } from "../../host-node/src/image/index.js";
import { NorError } from "../../host-node/src/ports/nor.js";
import { OtaPort } from "../../host-node/src/ports/ota.js";
import {
  type OtaOperation,
  type OtaOutcome,
  OtaSlots,
} from "../../host-node/src/ports/ota_slots.js";
import { flashWith, smallImage, smallModule } from "./boot_support.js";
import { RecordingHost, VirtualClock } from "./ports_support.js";

const one = smallImage("1.0.0");
const two = smallImage("2.0.0");
const DONE = { status: Status.OK };

/** A world: flash, what runs from it, and the slots. */
interface World {
  readonly flash: FlashImage;
  readonly software: Software;
  readonly slots: OtaSlots;
}

function worldOf(flash = flashWith({ ota_0: one })): World {
  const software = Software.boot(flash);
  return { flash, software, slots: new OtaSlots(flash, software) };
}

function fork({ flash, software, slots }: World): World {
  const [flashCopy, softwareCopy] = [flash.copy(), software.copy()];
  const slotsCopy = slots.copy(flashCopy, softwareCopy);
  return { flash: flashCopy, software: softwareCopy, slots: slotsCopy };
}

const append = (bytes: Uint8Array): OtaOperation => ({ kind: "append", bytes });

function run({ slots }: World, ...operations: OtaOperation[]): OtaOutcome[] {
  return operations.map((operation) => {
    assert.equal(slots.accept(operation), Status.OK);
    return slots.perform(operation);
  });
}

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** All partitions as they lie in the image. */
function dumpOf({ flash }: World): string {
  const hash = createHash("sha256");
  for (const { label } of flash.partitions) hash.update(flash.readPartition(label));
  return hash.digest("hex");
}

/** What ends an update from byte `from` on; answers what the last operation gave. */
function finish(world: World, bytes: Uint8Array, from: number): OtaOutcome {
  const digest: OtaOperation = { kind: "digest", size: bytes.length };
  for (let at = from; at < bytes.length; at += INBOX_BYTES) {
    assert.deepEqual(run(world, append(bytes.subarray(at, at + INBOX_BYTES))), [DONE]);
  }
  const [digested, activated] = run(world, digest, { kind: "activate" });
  assert.deepEqual(Buffer.from(digested!.payload!), sha256(bytes));
  return activated!;
}

const module = Buffer.concat([smallModule("idle", { tag: "alone" }), Buffer.alloc(9000, 0x20)]);
const large = packImage({
  module: smallModule(),
  ...{ abiVersion: ABI_VERSION, version: "3.0.0", builtAt: new Date(0), sizeBytes: 20_000 },
});

for (const { target, image, chunk } of [
  { target: OtaTarget.FIRMWARE, image: two, chunk: 7 },
  { target: OtaTarget.FIRMWARE, image: large, chunk: 997 },
  { target: OtaTarget.MODULE, image: module, chunk: 499 },
]) {
  test(`copies_made_between_writes_of_${chunk}_bytes_end_as_the_original: ${target}`, () => {
    const world = worldOf();
    world.slots.begin(target, 0);
    const ends = new Set<string>();
    for (let at = 0; at < image.length; at += chunk) {
      const copy = fork(world);
      const before = dumpOf(world);
      assert.deepEqual(finish(copy, image, at), DONE);
      ends.add(dumpOf(copy));
      assert.equal(dumpOf(world), before);
      run(world, append(image.subarray(at, at + chunk)));
    }
    finish(world, image, image.length);
    assert.deepEqual([...ends], [dumpOf(world)]);
  });
}

test("copy_and_original_write_different_images_and_neither_sees_the_other", () => {
  const world = worldOf();
  world.slots.begin(OtaTarget.FIRMWARE, 0);
  const copy = fork(world);
  const other = smallImage("3.0.0");
  finish(copy, other, 0);
  finish(world, two, 0);
  assert.equal(Software.boot(copy.flash).firmware.image.description.version, "3.0.0");
  assert.equal(Software.boot(world.flash).firmware.image.description.version, "2.0.0");
});

test("what_is_held_back_is_read_in_the_copy_and_not_shared_with_it", () => {
  const world = worldOf();
  world.slots.begin(OtaTarget.FIRMWARE, 0);
  run(world, append(two.subarray(0, 20)));
  const copy = fork(world);
  run(world, append(Uint8Array.of(1, 2, 3, 4)));
  const bytes = new Uint8Array(24);
  assert.equal(copy.slots.read(ImageSlot.NEXT, 0, bytes), Status.OK);
  assert.deepEqual([...bytes], [...two.subarray(0, 20), 0xff, 0xff, 0xff, 0xff]);
});

test("header_that_could_not_be_erased_is_erased_by_the_next_write_of_a_copy_too", () => {
  const header = new Uint8Array(FLASH_SECTOR_BYTES);
  const world = worldOf(flashWith({ ota_0: one, wasm_0: header }));
  world.slots.begin(OtaTarget.MODULE, 0);
  const { nor } = world.flash.region("wasm_0");
  nor.onOperation = () => {
    throw new NorError("worn out");
  };
  const sectorOf = (): OtaOperation[] =>
    Array.from({ length: 4 }, () => append(new Uint8Array(FLASH_SECTOR_BYTES / 4)));
  assert.deepEqual(run(world, ...sectorOf()).at(-1), { status: Status.IO_ERROR });
  const copy = fork(world);
  assert.equal(copy.flash.read("wasm_0", 0, 1)[0], 0);
  assert.deepEqual(run(copy, ...sectorOf()).at(-1), DONE);
  assert.equal(copy.flash.read("wasm_0", 0, 1)[0], 0xff);
});

test("trial_that_is_confirmed_in_a_copy_goes_on_in_the_original", () => {
  const first = worldOf();
  first.slots.begin(OtaTarget.FIRMWARE, 0);
  finish(first, two, 0);
  const trial = worldOf(first.flash);
  const copy = fork(trial);
  assert.deepEqual(run(copy, { kind: "confirm" }), [DONE]);
  assert.deepEqual([trial.software.isOnTrial, copy.software.isOnTrial], [true, false]);
  assert.equal(Software.boot(copy.flash).firmware.image.description.version, "2.0.0");
  assert.equal(Software.boot(trial.flash).firmware.image.description.version, "1.0.0");
});

test("operations_that_wait_when_a_session_begins_belong_to_the_one_before", () => {
  const world = worldOf();
  const small = smallModule("idle", { tag: "small" });
  const [late, digest] = [append(two), { kind: "digest", size: two.length } as const];
  world.slots.begin(OtaTarget.FIRMWARE, 0);
  assert.deepEqual([world.slots.accept(late), world.slots.accept(digest)], [0, 0]);
  world.slots.begin(OtaTarget.MODULE, 0);
  assert.equal(world.slots.accept(append(small)), Status.OK);
  // A copy in between has them too.
  for (const { slots, flash } of [fork(world), world]) {
    assert.deepEqual(slots.perform(late), DONE);
    assert.deepEqual(Buffer.from(slots.perform(digest).payload!), sha256(two));
    assert.deepEqual(slots.perform(append(small)), DONE);
    assert.deepEqual(Buffer.from(flash.read("ota_1", 0, two.length)), Buffer.from(two));
    assert.deepEqual(run({ slots } as World, { kind: "digest", size: small.length }), [
      { status: Status.OK, payload: sha256(small) },
    ]);
  }
});

test("operation_that_was_refused_changes_nothing_and_one_that_was_not_accepted_is_an_error", () => {
  const { slots } = worldOf();
  assert.equal(slots.accept({ kind: "activate" }), Status.NOT_READY);
  assert.throws(() => slots.perform({ kind: "activate" }), /was performed, not accepted/);
  slots.begin(OtaTarget.FIRMWARE, 0);
  assert.equal(slots.accept({ kind: "digest", size: 1 }), Status.INVALID_ARGUMENT);
  assert.throws(() => slots.perform({ kind: "digest", size: 1 }), /was performed, not accepted/);
});

test("operations_that_wait_in_the_port_are_data", () => {
  const clock = new VirtualClock();
  const flash = flashWith({ ota_0: one });
  const port = new OtaPort(new RecordingHost(clock), {
    image: flash,
    software: Software.boot(flash),
  });
  port.begin(OtaTarget.FIRMWARE, 0);
  const bytes = Uint8Array.of(1, 2);
  port.write(bytes);
  bytes.fill(9);
  port.digest(1);
  port.activate();
  port.confirm();
  assert.deepEqual(structuredClone(port.pending), [
    { kind: "append", bytes: Uint8Array.of(1, 2) },
    { kind: "digest", size: 1 },
    { kind: "activate" },
    { kind: "confirm" },
  ]);
  clock.advance(1000);
  assert.deepEqual(port.pending, []);
});
