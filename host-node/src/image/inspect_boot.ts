// What a dump of a flash says about its next start: both entries of otadata, the application that
// would boot, the module slots, and the module that would run. Decides nothing by itself: it asks
// the plans of boot/, which a device on a desk carries out. Called by inspect.ts.

import { appTable, type BootPlan, planBoot, slotOfSequence } from "../boot/boot_plan.js";
import {
  chooseModuleSlot,
  MODULE_AT,
  type ModuleSlotState,
  readModuleSlot,
} from "../boot/module_header.js";
import {
  decodeOtadata,
  hasGoodCrc,
  NO_SEQUENCE,
  type OtadataEntry,
  OtadataState,
} from "../boot/otadata.js";
import type { Partition } from "../partitions.js";
import { type Image, readImage } from "./image.js";

const MODULE_LABEL = /^wasm_(\d)$/;

export interface OtadataEntryReport {
  readonly isBlank: boolean;
  readonly sequence: number;
  /** Name of the state, or the number that is none. */
  readonly state: string;
  readonly crcGood: boolean;
  /** Label of the slot that the sequence stands for. */
  readonly slot: string | null;
}

export interface ModuleSlotReport {
  readonly label: string;
  readonly state: "blank" | "no header" | "header";
  readonly sequence?: number;
  readonly bytes?: number;
  readonly sha256?: string;
  readonly firmwareId?: string;
  /** Whether the module's SHA-256 is that of the header. */
  readonly hashGood?: boolean;
  readonly attempted: boolean;
  readonly confirmed: boolean;
  readonly invalid: boolean;
}

export interface StartReport {
  /** Missing when the flash has no otadata. */
  readonly otadata?: readonly OtadataEntryReport[];
  /** Label of what boots next; null when nothing does. */
  readonly boots: string | null;
  readonly bootsOnTrial: boolean;
  readonly moduleSlots: readonly ModuleSlotReport[];
  /** Label of the slot whose module runs next, "firmware" for the one inside it, or null. */
  readonly runs: string | null;
  readonly runsOnTrial: boolean;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function stateName(state: number): string {
  const known = Object.entries(OtadataState).find(([, value]) => value === state);
  return known === undefined ? `0x${state.toString(16)}` : known[0];
}

function entryReport(entry: OtadataEntry, labels: readonly string[]): OtadataEntryReport {
  const { sequence, state } = entry;
  const isBlank = sequence === NO_SEQUENCE;
  const slot =
    isBlank || labels.length === 0 ? undefined : labels[slotOfSequence(sequence, labels.length)];
  const crcGood = hasGoodCrc(entry);
  return { isBlank, sequence, state: stateName(state), crcGood, slot: slot ?? null };
}

function moduleSlotReport({
  label,
  isBlank,
  header,
  marks,
  module,
}: ModuleSlotState): ModuleSlotReport {
  if (header === null) return { label, state: isBlank ? "blank" : "no header", ...marks };
  const { sequence, size, sha256, firmwareId } = header;
  return {
    label,
    state: "header",
    sequence,
    bytes: size,
    sha256: hexOf(sha256),
    firmwareId: hexOf(firmwareId),
    hashGood: module !== null,
    ...marks,
  };
}

/** Bytes of partitions of a dump, which may end before them. */
class Dump {
  constructor(
    private readonly bytes: Uint8Array,
    private readonly partitions: readonly Partition[],
  ) {}

  partition(label: string): Uint8Array | null {
    const found = this.partitions.find((candidate) => candidate.label === label);
    if (found === undefined || found.offset + found.size > this.bytes.length) return null;
    return this.bytes.subarray(found.offset, found.offset + found.size);
  }

  image(label: string): Image | null {
    const reading = readImage(this.partition(label) ?? new Uint8Array(), { trailing: "allow" });
    return reading.problems.length === 0 ? (reading as Image) : null;
  }

  moduleSlots(): ModuleSlotState[] {
    return this.partitions.flatMap(({ label, size }) => {
      const number = MODULE_LABEL.exec(label)?.[1];
      const bytes = this.partition(label);
      if (number === undefined || bytes === null || size <= MODULE_AT) return [];
      return readModuleSlot({ label, number: Number(number), size }, (offset, count) =>
        bytes.subarray(offset, offset + count),
      );
    });
  }
}

/** The first of the attempts that loads. */
function firstGood(dump: Dump, plan: BootPlan): { label: string; image: Image } | null {
  for (const { label } of plan.attempts) {
    const image = dump.image(label);
    if (image !== null) return { label, image };
  }
  return null;
}

/** What would happen at the next reset of a device with this flash. */
export function inspectStart(bytes: Uint8Array, partitions: readonly Partition[]): StartReport {
  const dump = new Dump(bytes, partitions);
  const table = appTable(partitions);
  const stored = table.otadata === undefined ? null : dump.partition(table.otadata);
  const otadata = stored === null ? null : decodeOtadata(stored);
  const plan = planBoot(table, otadata);
  const booted = firstGood(dump, plan);
  const slots = dump.moduleSlots();
  const choice = booted && chooseModuleSlot(slots, booted.image.hash.stored);
  const embedded = booted?.image.module === undefined ? null : "firmware";
  const labels = table.ota.map(({ label }) => label);
  return {
    ...(otadata && { otadata: otadata.map((entry) => entryReport(entry, labels)) }),
    boots: booted?.label ?? null,
    bootsOnTrial: plan.startsTrial && booted?.label === plan.attempts[0]?.label,
    moduleSlots: slots.map(moduleSlotReport),
    runs: choice?.chosen?.label ?? embedded,
    runsOnTrial: choice?.startsTrial ?? false,
  };
}
