// Whether an update suits this device, judged by its first bytes and by those of the image that
// runs, before anything is written. Called by ota.ts and by order.ts.

import { ABI_VERSION, ImageSlot, otaRead } from "../abi/host";
import { At, TEXT_BYTES, isImage, moduleAbiVersion } from "../codec/image_header";
import { equal } from "../util/bytes";
import { Failure } from "./failure";

/** Scratch of TEXT_BYTES for what is read of the running image. */
let running: usize = 0;

/** A number for describe(), beside the Failure. */
export let detail: i32 = 0;

export function prepare(): void {
  running = heap.alloc(TEXT_BYTES);
}

/** Failure.NONE, or what speaks against the module that begins with these bytes. */
export function checkModule(head: usize, size: i32): u8 {
  const version = moduleAbiVersion(head, size);
  detail = max(version, 0);
  if (version < 0) return Failure.NOT_A_MODULE;
  return version == ABI_VERSION ? Failure.NONE : Failure.WRONG_ABI;
}

/** The same for an image; `forced` lets one pass that has the version of the running one. */
export function checkImage(head: usize, size: i32, forced: bool): u8 {
  detail = 0;
  if (!isImage(head, size)) return Failure.NOT_AN_IMAGE;
  detail = load<u16>(head, At.CHIP);
  if (!isAsRunning(head, At.CHIP, 2)) return Failure.WRONG_CHIP;
  detail = 0;
  if (!isAsRunning(head, At.PROJECT, TEXT_BYTES)) return Failure.WRONG_PROJECT;
  if (isAsRunning(head, At.VERSION, TEXT_BYTES) && !forced) return Failure.SAME_VERSION;
  detail = load<i32>(head, At.SECURE_VERSION);
  otaRead(ImageSlot.RUNNING, At.SECURE_VERSION, running, 4);
  if (<u32>detail < load<u32>(running)) return Failure.OLDER_SECURE_VERSION;
  return Failure.NONE;
}

/** Whether the running image has the same bytes there. */
function isAsRunning(head: usize, at: u32, size: i32): bool {
  return otaRead(ImageSlot.RUNNING, at, running, size) >= 0 && equal(head + at, running, size);
}
