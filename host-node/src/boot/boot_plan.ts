// What the bootloader of ESP-IDF makes of a partition table and of otadata, with rollback enabled
// (bootloader_utility.c: get_selected_boot_partition, load_boot_image). Pure: bootloader.ts carries
// a plan out, image/inspect.ts says what it would be.

import { APP_TYPE, type Partition } from "../partitions.js";
import {
  activeEntry,
  hasGoodCrc,
  isOutOfPlay,
  NO_SEQUENCE,
  type Otadata,
  OtadataState,
} from "./otadata.js";

/** Number of a slot that is none of ota_0 to ota_15: factory, or the test application. */
export const NO_OTA_SLOT = 255;
const FACTORY_INDEX = -1;
const SUBTYPE_FACTORY = 0x00;
const SUBTYPE_TEST = 0x20;
const SUBTYPE_OTA = 0x10;
const DATA_TYPE = 1;
const SUBTYPE_OTADATA = 0x00;

export interface AppSlot {
  /** 0 to 15 for ota_n, else NO_OTA_SLOT. */
  readonly number: number;
  readonly label: string;
  readonly size: number;
}

export interface AppTable {
  readonly factory: AppSlot | undefined;
  readonly test: AppSlot | undefined;
  /** By number; the bootloader counts on there being no gap. */
  readonly ota: readonly AppSlot[];
  /** Label of the otadata partition. */
  readonly otadata: string | undefined;
}

const subtypeOf =
  (type: number, subtype: number) =>
  (partition: Partition): boolean =>
    partition.type === type && partition.subtype === subtype;

export function appTable(partitions: readonly Partition[]): AppTable {
  const slot = (subtype: number, number: number): AppSlot | undefined => {
    const found = partitions.find(subtypeOf(APP_TYPE, subtype));
    return found && { number, label: found.label, size: found.size };
  };
  const ota: AppSlot[] = [];
  for (let number = 0; number < 16; number++) {
    const found = slot(SUBTYPE_OTA + number, number);
    if (found === undefined) break;
    ota.push(found);
  }
  return {
    factory: slot(SUBTYPE_FACTORY, NO_OTA_SLOT),
    test: slot(SUBTYPE_TEST, NO_OTA_SLOT),
    ota,
    otadata: partitions.find(subtypeOf(DATA_TYPE, SUBTYPE_OTADATA))?.label,
  };
}

/** The slot that a sequence stands for. */
export const slotOfSequence = (sequence: number, slots: number): number =>
  ((sequence - 1) >>> 0) % slots;

/** The smallest sequence not below `sequence` that stands for a slot (esp_rewrite_ota_data). */
export function sequenceOfSlot(slot: number, slots: number, sequence: number): number {
  const least = (slot + 1) % slots;
  return least + Math.max(0, Math.ceil((sequence - least) / slots)) * slots;
}

export interface BootPlan {
  /** Entries that were on trial when the device was reset: ABORTED is written into them. */
  readonly aborted: readonly (0 | 1)[];
  /** The entry that chose, if one did. */
  readonly active: 0 | 1 | null;
  /** PENDING_VERIFY is written into the active entry: its slot starts for the first time. */
  readonly startsTrial: boolean;
  /** Nothing was ever chosen: the slot that loads is written down, VALID, in entry 0. */
  readonly isInitial: boolean;
  /** Slots in the order in which they are tried. */
  readonly attempts: readonly AppSlot[];
}

/** From the chosen slot down to factory, then up, and the test application at last. */
function attempts(table: AppTable, start: number): AppSlot[] {
  const down = table.ota.slice(0, start + 1).toReversed();
  const up = table.ota.slice(start + 1);
  return [...down, table.factory, ...up, table.test].filter((slot) => slot !== undefined);
}

const abort = (entry: Otadata[0]): Otadata[0] =>
  entry.state === OtadataState.PENDING_VERIFY ? { ...entry, state: OtadataState.ABORTED } : entry;

const wasNeverWritten = (entry: Otadata[0]): boolean =>
  entry.sequence === NO_SEQUENCE || !hasGoodCrc(entry);

/** `otadata` is null on a flash without that partition. */
export function planBoot(table: AppTable, otadata: Otadata | null): BootPlan {
  const nothing = { aborted: [], active: null, startsTrial: false, isInitial: false } as const;
  if (otadata === null) return { ...nothing, attempts: attempts(table, FACTORY_INDEX) };
  const aborted = ([0, 1] as const).filter(
    (index) => otadata[index].state === OtadataState.PENDING_VERIFY,
  );
  const entries: Otadata = [abort(otadata[0]), abort(otadata[1])];
  if (entries.every(isOutOfPlay) || table.ota.length === 0) {
    const start = table.factory === undefined ? 0 : FACTORY_INDEX;
    const isInitial = table.factory === undefined && entries.every(wasNeverWritten);
    return { ...nothing, aborted, isInitial, attempts: attempts(table, start) };
  }
  const active = activeEntry(entries);
  // Entries that are neither out of play nor whole: factory, or whatever loads.
  if (active === null) return { ...nothing, aborted, attempts: attempts(table, FACTORY_INDEX) };
  const { sequence, state } = entries[active];
  return {
    aborted,
    active,
    startsTrial: state === OtadataState.NEW,
    isInitial: false,
    attempts: attempts(table, slotOfSequence(sequence, table.ota.length)),
  };
}
