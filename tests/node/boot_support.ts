// What the tests of firmware life share: modules of a few bytes that idle, trap, restart or
// confirm; images around them; flash as it is after a power cut; and a power cut in each operation.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ABI_VERSION } from "../../host-node/src/abi.js";
import { FLASH_BYTES, FlashImage } from "../../host-node/src/flash_image.js";
import { packImage } from "../../host-node/src/image/index.js";
import {
  encodePartitions,
  PARTITION_TABLE_OFFSET,
  parsePartitionCsv,
} from "../../host-node/src/partitions.js";
import { CUT_MODES, type CutMode, PowerCut } from "../../host-node/src/ports/nor.js";
import { seededRandom } from "./support/seeded_random.js";

/** What dispatch of a small module does. */
const BODIES = {
  idle: [0x41, 0x7f],
  traps: [0x00],
  // On BOOT with ResetReason.POWER_ON: sys_restart(scope).
  "restarts the module": [
    ...[0x20, 0, 0x41, 1, 0x46, 0x20, 2, 0x41, 1, 0x46, 0x71, 0x04, 0x40],
    ...[0x41, 1, 0x10, 0, 0x1a, 0x0b, 0x41, 0x7f],
  ],
  // On BOOT: ota_confirm().
  confirms: [0x20, 0, 0x41, 1, 0x46, 0x04, 0x40, 0x10, 1, 0x1a, 0x0b, 0x41, 0x7f],
} as const;
export type Behaviour = keyof typeof BODIES;

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const section = (id: number, body: readonly number[]): number[] => [id, body.length, ...body];

/** A module of the ABI in about 150 bytes; `tag` makes it different from others. */
export function smallModule(
  behaviour: Behaviour = "idle",
  { tag = "", abiVersion = ABI_VERSION }: { tag?: string; abiVersion?: number } = {},
): Uint8Array {
  const body = (code: readonly number[]): number[] => [code.length + 2, 0, ...code, 0x0b];
  const five = [0x7f, 0x7f, 0x7f, 0x7f, 0x7f];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [3, 0x60, 0, 1, 0x7f, 0x60, 5, ...five, 1, 0x7f, 0x60, 1, 0x7f, 1, 0x7f]),
    ...section(2, [
      2,
      ...[...text("host"), ...text("sys_restart"), 0, 2],
      ...[...text("host"), ...text("ota_confirm"), 0, 0],
    ]),
    ...section(3, [3, 0, 0, 1]),
    ...section(5, [1, 0, 1]),
    ...section(7, [
      4,
      ...[...text("abi_version"), 0, 2, ...text("inbox"), 0, 3],
      ...[...text("dispatch"), 0, 4, ...text("memory"), 2, 0],
    ]),
    ...section(10, [
      3,
      ...body([0x41, abiVersion]),
      ...body([0x41, 16]),
      ...body(BODIES[behaviour]),
    ]),
    ...section(0, [...text("tag"), ...text(tag)]),
  ]);
}

export function smallImage(version: string, module = smallModule("idle", { tag: version })) {
  const builtAt = new Date("2026-11-02T04:05:06Z");
  return packImage({ module, abiVersion: ABI_VERSION, version, builtAt });
}

/** New flash with images in slots, as esptool would leave it. */
export function flashWith(images: Readonly<Record<string, Uint8Array>>): FlashImage {
  const flash = FlashImage.inMemory();
  for (const [label, image] of Object.entries(images)) flash.flash(label, image);
  return flash;
}

const KEPT = ["otadata", "ota_0", "ota_1", "wasm_0", "wasm_1"];

/** The same bytes on a chip that remembers nothing else. */
export function afterPowerLoss(flash: FlashImage): FlashImage {
  for (const label of KEPT) {
    const region = Buffer.from(flash.region(label).nor.bytes);
    assert.ok(region.equals(flash.readPartition(label)), `${label} differs from what is kept`);
  }
  return flashWith(Object.fromEntries(KEPT.map((label) => [label, flash.readPartition(label)])));
}

/** The table of ESP-IDF's "factory app, two OTA definitions", and this project's partitions. */
const FACTORY_CSV = `
nvs,      data, nvs,     0x9000,   0x4000
otadata,  data, ota,     0xd000,   0x2000
phy_init, data, phy,     0xf000,   0x1000
factory,  app,  factory, 0x10000,  1M
ota_0,    app,  ota_0,   0x110000, 1M
ota_1,    app,  ota_1,   0x210000, 1M
records,  data, 0x40,    0x310000, 64K
wasm_0,   data, 0x41,    0x320000, 128K
wasm_1,   data, 0x42,    0x340000, 128K
`;

export const scratch = mkdtempSync(join(tmpdir(), "iot32-boot-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));
let files = 0;

/** A dump with another partition table; no MAC address, as from a chip. */
export function dumpFile(csv = FACTORY_CSV): string {
  const bytes = Buffer.alloc(FLASH_BYTES, 0xff);
  bytes.set(encodePartitions(parsePartitionCsv(csv)), PARTITION_TABLE_OFFSET);
  const path = join(scratch, `dump-${++files}.bin`);
  writeFileSync(path, bytes);
  return path;
}

export interface CutCase {
  /** A flash just before what is cut. */
  readonly prepare: () => FlashImage;
  /** The partition in which the power fails. */
  readonly label: string;
  readonly act: (flash: FlashImage) => void;
  /** What must hold after the cut, or after an act that came to its end. */
  readonly check: (flash: FlashImage, moment: string) => void;
}

const SEEDS = 6;

/** Cuts the power in each operation, in each way; gives the number of operations. */
export function cutEverywhere({ prepare, label, act, check }: CutCase): number {
  let operations = 0;
  const attempt = (operation: number, mode: CutMode, seed: number): boolean => {
    const flash = prepare();
    const { nor } = flash.region(label);
    nor.armPowerCut(operation, mode, seededRandom(seed));
    let wasCut = false;
    try {
      act(flash);
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      wasCut = true;
    }
    nor.disarmPowerCut();
    const moment = `operation ${operation}, ${mode}, seed ${seed}`;
    check(afterPowerLoss(flash), moment);
    check(flash, moment);
    return wasCut;
  };
  for (const mode of CUT_MODES) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      let operation = 0;
      while (attempt(operation, mode, seed)) operation++;
      operations = operation;
    }
  }
  return operations;
}
