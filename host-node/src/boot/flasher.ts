// Puts an application into the flash of a device on a desk, as esptool does on a chip: the image
// where the bootloader looks first, otadata erased, nothing in the module slots. A note in the
// flash file says what was flashed last, so that running the same application again keeps what
// updates have brought since, and a new build replaces it. Called by device.ts.

import { createHash } from "node:crypto";
import { CoreError, compileCore } from "../core.js";
import { type FlashImage, FlashImageError } from "../flash_image.js";
import { decodeImage } from "../image/image.js";
import { moduleAbiVersion } from "../image/module_abi.js";
import { packImage } from "../image/pack.js";
import { SECTOR_BYTES } from "../ports/nor.js";
import { appTable } from "./boot_plan.js";
import { MODULE_SLOTS } from "./module_slots.js";

/** The same module gives the same image, whenever it is packed. */
const BUILT_AT = new Date("2026-01-01T00:00:00Z");
const CHIP = "esp32c3";
const PROJECT = "iot32";
const ERASED_SECTOR = new Uint8Array(SECTOR_BYTES).fill(0xff);

/** An image around a module; throws CoreError when the bytes are no module of this project. */
export function firmwareOf(module: Uint8Array, version: string): Uint8Array {
  compileCore(module);
  const abiVersion = abiVersionOf(module);
  const names = { version, chip: CHIP, project: PROJECT };
  return packImage({ module, abiVersion, ...names, builtAt: BUILT_AT });
}

function abiVersionOf(module: Uint8Array): number {
  try {
    return moduleAbiVersion(module);
  } catch (error) {
    throw new CoreError((error as Error).message, { cause: error });
  }
}

/**
 * Flashes an image, unless it is the one that was flashed last; answers whether it did. Throws
 * ImageError for an image that no bootloader starts, FlashImageError when it does not fit. Should
 * the process end in the middle, there is no note and the next one flashes again.
 */
export function flashFirmware(flash: FlashImage, firmware: Uint8Array): boolean {
  decodeImage(firmware);
  const digest = createHash("sha256").update(firmware).digest();
  if (flash.note !== null && digest.equals(flash.note)) return false;
  const { factory, ota, otadata } = appTable(flash.partitions);
  const target = factory ?? ota[0];
  if (target === undefined) {
    throw new FlashImageError(`the table of ${flash.name} has no partition for an application`);
  }
  if (firmware.length > target.size) {
    const sizes = `it has ${firmware.length} bytes, ${target.label} has ${target.size}`;
    throw new FlashImageError(`the application does not fit the flash: ${sizes}`);
  }
  flash.note = null;
  flash.flash(target.label, firmware);
  if (otadata !== undefined) {
    flash.flash(otadata, new Uint8Array(2 * SECTOR_BYTES).fill(0xff));
  }
  for (const label of MODULE_SLOTS) {
    if (flash.find(label) !== undefined) flash.flash(label, ERASED_SECTOR);
  }
  flash.note = digest;
  return true;
}
