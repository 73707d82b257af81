// Two implementations of the module slots, the desk's and the chip's, on the same flash: updates,
// restarts, confirmations under two firmwares, and the remains of power cuts in any of them. On
// each state both answer the same, and both leave the same bytes.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { MODULE_AT } from "../../host-node/src/boot/module_header.js";
import {
  activateModule,
  chooseModule,
  confirmModule,
  EMBEDDED_MODULE,
  firmwareIdOf,
  nextModuleSlot,
} from "../../host-node/src/boot/module_slots.js";
import { FLASH_BYTES, type FlashImage } from "../../host-node/src/flash_image.js";
import { decodeImage, type Image } from "../../host-node/src/image/index.js";
import { CUT_MODES, NorError, PowerCut } from "../../host-node/src/ports/nor.js";
import { flashWith, smallImage, smallModule } from "./boot_support.js";
import {
  buildNative,
  HOST_ABI,
  HOST_LINUX,
  skipWithoutNative,
  temporaryFolder,
} from "./support/native.js";
import { seededRandom } from "./support/seeded_random.js";

const SLOTS_AT = 0x3a0000;
const SLOT_BYTES = 128 * 1024;
const WALKS = 40;
const STEPS = 12;
const IO_ERROR = -8;

const firmwares: readonly Image[] = ["1.0.0", "2.0.0"].map((v) => decodeImage(smallImage(v)));
const modules = ["x", "y", "z"].map((tag) => smallModule("idle", { tag }));
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
const hexId = (firmware: Image): string => Buffer.from(firmwareIdOf(firmware)).toString("hex");

interface State {
  readonly bytes: Buffer;
  readonly firmware: Image;
  readonly module: Uint8Array;
  readonly running: number;
}

const slotsOf = (flash: FlashImage): Buffer =>
  Buffer.concat([flash.readPartition("wasm_0"), flash.readPartition("wasm_1")]);

/** The same slots in a chip that remembers nothing else. */
function flashOf(slots: Buffer): FlashImage {
  const part = (n: number): Buffer => slots.subarray(n * SLOT_BYTES, (n + 1) * SLOT_BYTES);
  return flashWith({ wasm_0: part(0), wasm_1: part(1) });
}

function update(flash: FlashImage, running: number, module: Uint8Array, firmware: Image): void {
  const slot = nextModuleSlot(flash, running);
  assert.ok(slot !== null);
  const region = flash.region(`wasm_${slot}`);
  region.erase(0);
  region.erase(MODULE_AT);
  const padded = Buffer.alloc(Math.ceil(module.length / 16) * 16, 0xff);
  padded.set(module);
  region.program(MODULE_AT, padded);
  const { length: size } = module;
  activateModule(flash, { slot, size, sha256: sha256(module), firmwareId: firmwareIdOf(firmware) });
}

/** A life of updates, restarts and power cuts: the slots after each of its steps. */
function walk(seed: number): State[] {
  const random = seededRandom(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  let flash = flashWith({});
  let running = EMBEDDED_MODULE;
  let firmware = firmwares[0]!;
  const states: State[] = [];
  for (let step = 0; step < STEPS; step++) {
    const module = pick(modules);
    if (random() < 0.1) firmware = pick(firmwares);
    for (const label of ["wasm_0", "wasm_1"]) {
      if (random() < 0.4) {
        const operation = Math.floor(random() * 5);
        flash.region(label).nor.armPowerCut(operation, pick(CUT_MODES), random);
      }
    }
    try {
      const choice = random();
      if (choice < 0.4) update(flash, running, module, firmware);
      else if (choice < 0.8) running = chooseModule(flash, firmware).slot;
      else if (running !== EMBEDDED_MODULE) confirmModule(flash, running);
    } catch (error) {
      if (!(error instanceof PowerCut || error instanceof NorError)) throw error;
    }
    const bytes = slotsOf(flash);
    states.push({ bytes, firmware, module, running });
    flash = flashOf(bytes);
  }
  return states;
}

/** An answer, or the status of a flash that refuses. */
function attempt(act: () => string): string {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof NorError)) throw error;
    return String(IO_ERROR);
  }
}

describe("module slots on a chip and on a desk", { skip: skipWithoutNative }, () => {
  let folder = "";
  let program = "";
  let states: State[] = [];

  before(() => {
    folder = temporaryFolder();
    program = join(folder, "slots");
    buildNative(program, [
      resolve("tests/node/module_slots_native.c"),
      join(HOST_ABI, "module_slots.c"),
      join(HOST_LINUX, "flash_file.c"),
      join(HOST_LINUX, "hash.c"),
    ]);
    states = Array.from({ length: WALKS }, (_, seed) => walk(seed + 1)).flat();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Lines of the chip's code for one command on each state, and the slots that it leaves. */
  function ask(command: (state: State) => string): { line: string; bytes: Buffer }[] {
    const paths = states.map(({ bytes }, i) => writeFlash(join(folder, `flash-${i}`), bytes));
    const input = states.map((state, i) => `open ${paths[i]}\n${command(state)}\n`).join("");
    const lines = execFileSync(program, { input, encoding: "utf8" }).trimEnd().split("\n");
    assert.equal(lines.length, states.length);
    return lines.map((line, i) => ({ line, bytes: readFlash(paths[i]!) }));
  }

  function compare(command: (state: State) => string, desk: (f: FlashImage, s: State) => string) {
    const different = new Set<string>();
    for (const [i, { line, bytes }] of ask(command).entries()) {
      const flash = flashOf(states[i]!.bytes);
      const expected = attempt(() => desk(flash, states[i]!));
      assert.equal(line, expected, `${command(states[i]!)} on state ${i}`);
      assert.ok(bytes.equals(slotsOf(flash)), `other bytes after state ${i}`);
      different.add(line);
    }
    return different;
  }

  test("what_runs_is_the_same_and_so_are_the_marks_of_it", () => {
    const choices = compare(
      ({ firmware }) => `choose ${hexId(firmware)}`,
      (flash, { firmware }) => {
        const { slot, bytes, isOnTrial } = chooseModule(flash, firmware);
        const size = slot === EMBEDDED_MODULE ? 0 : bytes.length;
        return `0 ${slot} ${size} ${isOnTrial ? 1 : 0}`;
      },
    );
    assert.ok(choices.size >= 5, `only ${[...choices].join("; ")} came up`);
  });

  test("the_slot_of_the_next_update_is_the_same", () => {
    const slots = compare(
      ({ running }) => `next ${running}`,
      (flash, { running }) => String(nextModuleSlot(flash, running) ?? EMBEDDED_MODULE),
    );
    assert.deepEqual([...slots].toSorted(), ["0", "1"]);
  });

  test("an_installation_leaves_the_same_bytes", () => {
    const slotFor = ({ running }: State): number => (running === 0 ? 1 : 0);
    compare(
      (state) => {
        const { module, firmware } = state;
        const digest = sha256(module).toString("hex");
        return `install ${slotFor(state)} ${module.length} ${digest} ${hexId(firmware)}`;
      },
      (flash, state) => {
        const { module, firmware } = state;
        const { length: size } = module;
        const ids = { sha256: sha256(module), firmwareId: firmwareIdOf(firmware) };
        activateModule(flash, { slot: slotFor(state), size, ...ids });
        return "0";
      },
    );
  });

  test("a_confirmation_leaves_the_same_bytes", () => {
    compare(
      ({ running }) => `confirm ${running}`,
      (flash, { running }) => {
        confirmModule(flash, running);
        return "0";
      },
    );
  });
});

/** A flash file of which only the slots are written; the rest is a hole. */
function writeFlash(path: string, slots: Buffer): string {
  const file = openSync(path, "w");
  ftruncateSync(file, FLASH_BYTES);
  writeSync(file, slots, 0, slots.length, SLOTS_AT);
  closeSync(file);
  return path;
}

function readFlash(path: string): Buffer {
  const slots = Buffer.alloc(2 * SLOT_BYTES);
  const file = openSync(path, "r");
  readSync(file, slots, 0, slots.length, SLOTS_AT);
  closeSync(file);
  return slots;
}
