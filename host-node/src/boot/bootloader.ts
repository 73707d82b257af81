// The bootloader of a device on a desk: what ESP-IDF's does at each reset, on the same bytes, with
// rollback enabled; and what its OTA library does to choose the next slot and to confirm the one
// that runs. Every write is an erase and a program of one otadata sector, in which an armed power
// cut can strike (ports/nor.ts): the other sector is whole meanwhile. Called by software.ts and by
// ports/ota_slots.ts.

import type { FlashImage } from "../flash_image.js";
import { decodeImage, type Image, readImage } from "../image/image.js";
import { SECTOR_BYTES } from "../ports/nor.js";
import {
  type AppSlot,
  appTable,
  NO_OTA_SLOT,
  planBoot,
  sequenceOfSlot,
  slotOfSequence,
} from "./boot_plan.js";
import {
  activeEntry,
  decodeOtadata,
  encodeEntry,
  newEntry,
  type Otadata,
  type OtadataEntry,
  OtadataState,
} from "./otadata.js";

/** Most images of a desk are smaller; a larger one is read whole. */
const FIRST_READ_BYTES = 128 * 1024;

/** Nothing in this flash can start; the message says why, slot by slot. */
export class BootError extends Error {
  override readonly name = "BootError";
}

export interface BootedFirmware {
  readonly slot: AppSlot;
  readonly image: Image;
  /** PENDING_VERIFY: the next reset gives it up, unless it is confirmed before. */
  readonly isOnTrial: boolean;
}

function readOtadata(flash: FlashImage, label: string | undefined): Otadata | null {
  return label === undefined ? null : decodeOtadata(flash.region(label).nor.bytes);
}

function writeEntry(flash: FlashImage, label: string, index: 0 | 1, entry: OtadataEntry): void {
  const region = flash.region(label);
  region.erase(index * SECTOR_BYTES);
  region.program(index * SECTOR_BYTES, encodeEntry(entry));
}

/** The image in a slot, as the bootloader verifies it; throws ImageError. */
export function readSlot(flash: FlashImage, label: string): Image {
  const first = flash.read(label, 0, FIRST_READ_BYTES);
  const reading = readImage(first, { trailing: "allow" });
  if (reading.problems.length === 0) return reading as Image;
  return decodeImage(flash.readPartition(label), { trailing: "allow" });
}

/** What boots after a reset. Throws BootError when nothing does, PowerCut when one strikes. */
export function bootFirmware(flash: FlashImage): BootedFirmware {
  const table = appTable(flash.partitions);
  const { otadata: label } = table;
  const entries = readOtadata(flash, label);
  const plan = planBoot(table, entries);
  if (label !== undefined && entries !== null) {
    for (const index of plan.aborted) {
      writeEntry(flash, label, index, { ...entries[index], state: OtadataState.ABORTED });
    }
    if (plan.active !== null && plan.startsTrial) {
      const trial = { ...entries[plan.active], state: OtadataState.PENDING_VERIFY };
      writeEntry(flash, label, plan.active, trial);
    }
  }
  const { slot, image } = firstGood(flash, plan.attempts);
  if (label !== undefined && plan.isInitial && slot.number !== NO_OTA_SLOT) {
    writeEntry(flash, label, 0, newEntry(slot.number + 1, OtadataState.VALID));
  }
  return { slot, image, isOnTrial: plan.startsTrial && slot === plan.attempts[0] };
}

function firstGood(flash: FlashImage, slots: readonly AppSlot[]): { slot: AppSlot; image: Image } {
  const refusals: string[] = [];
  for (const slot of slots) {
    try {
      return { slot, image: readSlot(flash, slot.label) };
    } catch (error) {
      refusals.push(`${slot.label}: ${(error as Error).message}`);
    }
  }
  const why =
    refusals.length === 0 ? "its table has no application partition" : refusals.join("; ");
  throw new BootError(`nothing boots from the flash ${flash.name}: ${why}`);
}

/** The slot that an update writes: the one after the running one. Null when there is no other. */
export function nextFirmwareSlot(flash: FlashImage, running: AppSlot): AppSlot | null {
  const { ota } = appTable(flash.partitions);
  const after = running.number === NO_OTA_SLOT ? ota[0] : ota[(running.number + 1) % ota.length];
  return after === undefined || after.label === running.label ? null : after;
}

/**
 * Makes an ota slot the one that boots next, on trial (esp_ota_set_boot_partition). Throws
 * ImageError when the bootloader would not start its image, or when that has not this size. The
 * entry that chose what runs stays whole.
 *
 * One point differs from ESP-IDF: when the entry that chose last names this very slot (asked twice,
 * or after a fallback), that entry is written again. ESP-IDF would put the slot into both, and
 * nothing would name what runs.
 */
export function setBootSlot(flash: FlashImage, slot: AppSlot, imageBytes?: number): void {
  if (imageBytes === undefined) readSlot(flash, slot.label);
  else decodeImage(flash.read(slot.label, 0, imageBytes));
  const { ota, otadata: label } = appTable(flash.partitions);
  const entries = readOtadata(flash, label);
  if (label === undefined || entries === null) {
    throw new BootError(`the flash ${flash.name} has no otadata partition to choose a slot in`);
  }
  const active = activeEntry(entries);
  if (active === null) {
    writeEntry(flash, label, 0, newEntry(slot.number + 1, OtadataState.NEW, entries[0]));
    return;
  }
  const { sequence: last, state } = entries[active];
  const sequence = sequenceOfSlot(slot.number, ota.length, last);
  const isChosen = sequence === last;
  if (isChosen && state === OtadataState.NEW) return;
  const index = (active === 0) === isChosen ? 0 : 1;
  writeEntry(flash, label, index, newEntry(sequence, OtadataState.NEW, entries[index]));
}

/**
 * The firmware that runs stays (esp_ota_mark_app_valid_cancel_rollback). Nothing happens unless it
 * is this slot that is on trial: after a fallback the entry on trial names another one.
 */
export function confirmFirmware(flash: FlashImage, running: AppSlot): void {
  const { ota, otadata: label } = appTable(flash.partitions);
  const entries = readOtadata(flash, label);
  const active = entries === null ? null : activeEntry(entries);
  if (label === undefined || entries === null || active === null) return;
  const entry = entries[active];
  const isRunning = slotOfSequence(entry.sequence, ota.length) === running.number;
  if (entry.state !== OtadataState.PENDING_VERIFY || !isRunning) return;
  writeEntry(flash, label, active, { ...entry, state: OtadataState.VALID });
}
