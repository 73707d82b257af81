// The module of a device: chosen each time one is loaded, from the slots wasm_0 and wasm_1 and from
// the firmware image itself; installed and confirmed. The format and the choice are those of
// module_header.ts. Every write goes through NOR flash, where an armed power cut can strike: the
// slot that runs is never touched but by a mark. Called by software.ts and
// ports/ota_slots.ts.

import type { FlashImage } from "../flash_image.js";
import type { Image } from "../image/image.js";
import { BootError } from "./bootloader.js";
import {
  chooseModuleSlot,
  chooseNextSlot,
  encodeHeader,
  MARK,
  MARK_AT,
  type Mark,
  MODULE_AT,
  type ModuleSlotState,
  readModuleSlot,
} from "./module_header.js";

/** Number of the slot that is none: the module inside the firmware. */
export const EMBEDDED_MODULE = 255;
export const MODULE_SLOTS: readonly string[] = ["wasm_0", "wasm_1"];

export interface ChosenModule {
  /** 0, 1, or EMBEDDED_MODULE. */
  readonly slot: number;
  readonly bytes: Uint8Array;
  readonly sha256: Uint8Array;
  /** The next load gives it up, unless it is confirmed before. */
  readonly isOnTrial: boolean;
}

export const moduleSlotLabel = (slot: number): string => MODULE_SLOTS[slot] ?? `slot ${slot}`;

/** What tells one firmware from another: the SHA-256 at its end. */
export const firmwareIdOf = (image: Image): Uint8Array => image.hash.stored;

function readSlots(flash: FlashImage): ModuleSlotState[] {
  return MODULE_SLOTS.flatMap((label, number) => {
    const size = flash.find(label)?.size ?? 0;
    if (size <= MODULE_AT) return [];
    return readModuleSlot({ label, number, size }, (offset, bytes) =>
      flash.read(label, offset, bytes),
    );
  });
}

function setMark(flash: FlashImage, label: string, mark: Mark): void {
  flash.region(label).program(MARK_AT[mark], MARK);
}

/**
 * The module that runs now, under this firmware. Throws BootError when there is none, PowerCut when
 * one strikes.
 */
export function chooseModule(flash: FlashImage, firmware: Image): ChosenModule {
  const choice = chooseModuleSlot(readSlots(flash), firmwareIdOf(firmware));
  for (const { label } of choice.givenUp) setMark(flash, label, "invalid");
  const { chosen, startsTrial } = choice;
  if (chosen === null || chosen.module === null || chosen.header === null) {
    return embeddedModule(flash, firmware);
  }
  if (startsTrial) setMark(flash, chosen.label, "attempted");
  const { number, module, header } = chosen;
  return { slot: number, bytes: module, sha256: header.sha256, isOnTrial: startsTrial };
}

function embeddedModule(flash: FlashImage, { module, description }: Image): ChosenModule {
  if (module === undefined) {
    const what = `${description.projectName} ${description.version} is firmware without a module`;
    throw new BootError(`nothing runs on the flash ${flash.name}: ${what}, and no slot has one`);
  }
  const { bytes, sha256 } = module;
  return { slot: EMBEDDED_MODULE, bytes, sha256, isOnTrial: false };
}

/** Number of the slot that an update of the module writes, or null when there is none. */
export function nextModuleSlot(flash: FlashImage, running: number): number | null {
  return chooseNextSlot(readSlots(flash), running)?.number ?? null;
}

export interface Installation {
  readonly slot: number;
  readonly size: number;
  readonly sha256: Uint8Array;
  readonly firmwareId: Uint8Array;
}

/**
 * The module that lies in a slot runs next, on trial. The sector of the header is erased first,
 * whatever it looks like: an erase that a power cut broke off can look like a whole one.
 */
export function activateModule(flash: FlashImage, installation: Installation): void {
  const { slot, ...rest } = installation;
  const sequences = readSlots(flash).map(({ header }) => header?.sequence ?? 0);
  const region = flash.region(moduleSlotLabel(slot));
  region.erase(0);
  region.program(0, encodeHeader({ ...rest, sequence: Math.max(0, ...sequences) + 1 }));
}

/** Marks a slot, so that it is never chosen again; false when there is nothing to mark. */
export function giveUpModule(flash: FlashImage, slot: number): boolean {
  const state = readSlots(flash).find(({ number }) => number === slot);
  if (state === undefined || state.header === null) return false;
  setMark(flash, state.label, "invalid");
  return true;
}

/** The module that runs stays. Call it for one on trial only: a mark is set once. */
export function confirmModule(flash: FlashImage, slot: number): void {
  const state = readSlots(flash).find(({ number }) => number === slot);
  if (state === undefined || state.header === null || state.marks.confirmed) return;
  setMark(flash, state.label, "confirmed");
}
