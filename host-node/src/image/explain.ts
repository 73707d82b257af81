// The reports of inspect.ts in words, for a terminal. Everything that comes from the file is made
// printable first: an image must not steer the terminal.

import pc from "picocolors";
import { hex } from "./image_error.js";
import type { FlashReport, ImageReport, SlotReport } from "./inspect.js";
import type { ModuleSlotReport, OtadataEntryReport, StartReport } from "./inspect_boot.js";

const NAME_COLUMNS = 13;
const DISABLED_PIN = 0xee;
const SEGMENT_WORDS: Readonly<Record<string, string>> = {
  data: "data, mapped from flash",
  code: "code, mapped from flash",
  flash: "mapped from flash",
  ram: "copied to RAM",
  padding: "padding, read over",
  unknown: "",
};
const TRAILING_WORDS = {
  erased: "erased bytes follow",
  "secure-boot-v2": "bytes follow: a signature of ESP-IDF's Secure Boot V2",
  unknown: "unknown bytes follow",
};
const PARTITION_TYPES = ["app", "data"];

const printable = (value: unknown): string => String(value).replace(/\p{Cc}/gu, "\u00b7");
const count = (bytes: unknown): string => `${Number(bytes).toLocaleString("en")} bytes`;
const line = (name: string, text: string): string => `${name.padEnd(NAME_COLUMNS)} ${text}`;
const address = (value: unknown): string => hex(Number(value), 8);

function descriptionLines({ description: app, bootloader }: ImageReport): string[] {
  if (bootloader !== undefined) {
    const { version, idfVersion, builtAt } = bootloader;
    const text = `version ${version}, ESP-IDF ${printable(idfVersion)}, ${printable(builtAt)}`;
    return [line("Bootloader", `${text}: no application, cannot be an update`)];
  }
  if (app === undefined) return [];
  const limits = app.maxEfuseBlockRevision === null ? "" : ` to ${app.maxEfuseBlockRevision}`;
  const pages = app.pageBytes === null ? "" : `, MMU pages of ${Number(app.pageBytes) / 1024} KB`;
  return [
    line(
      "Application",
      `${printable(app.projectName)} ${printable(app.version)}, secure version ${app.secureVersion}`,
    ),
    line("Built", `${printable(app.date)} ${printable(app.time)}`),
    line("ESP-IDF", printable(app.idfVersion)),
    line("ELF SHA-256", String(app.elfSha256)),
    line("eFuse block", `revision ${app.minEfuseBlockRevision}${limits || " or later"}${pages}`),
  ];
}

function headerLines({ header }: ImageReport): string[] {
  if (header === undefined) return [];
  const { wpPin, maxRevision } = header;
  const pins = Object.entries(header.pinDrive as Record<string, number>);
  const drive = pins.map(([pin, strength]) => `${pin} ${strength}`).join(", ");
  const revisions = maxRevision === null ? "or later" : `to ${maxRevision}`;
  return [
    line(
      "Chip",
      `${header.chip ?? "unknown"} (${header.chipId}), revision ${header.minRevision} ${revisions}` +
        ` (old field: ${header.minRevisionLegacy})`,
    ),
    line(
      "Flash",
      [header.spiMode, header.flashFrequency, header.flashSize].map((x) => x ?? "?").join(", "),
    ),
    line("Flash pins", `drive ${drive}; WP ${wpPin === DISABLED_PIN ? "disabled" : wpPin}`),
    line("Entry", address(header.entryAddress)),
  ];
}

function segmentLines({ segments }: ImageReport): string[] {
  return segments.map(({ loadAddress, position, bytes, kind }, index) => {
    const place = `${count(bytes)} at byte ${position} to ${address(loadAddress)}`;
    return line(`Segment ${index}`, `${place}  ${pc.dim(SEGMENT_WORDS[String(kind)] ?? "")}`);
  });
}

function footerLines({ checksum, hash, header, module, trailing }: ImageReport): string[] {
  const lines: string[] = [];
  if (checksum !== undefined) {
    const { stored, computed, position } = checksum;
    const verdict = stored === computed ? "right" : `wrong, should be ${hex(computed, 2)}`;
    lines.push(line("Checksum", `${hex(stored, 2)} at byte ${position}: ${verdict}`));
  }
  if (hash !== undefined) {
    const verdict = hash.stored === hash.computed ? "right" : `wrong, should be ${hash.computed}`;
    lines.push(line("SHA-256", `${hash.stored} at byte ${hash.position}: ${verdict}`));
  } else if (header !== undefined && header.hashAppended !== true) {
    lines.push(line("SHA-256", "none is appended"));
  }
  if (module !== undefined) {
    const { bytes, position, abiVersion } = module;
    lines.push(line("Module", `${count(bytes)} at byte ${position}, ABI version ${abiVersion}`));
    lines.push(line("", `SHA-256 ${module.sha256}`));
  }
  if (trailing !== undefined) {
    lines.push(line("Behind it", `${trailing.bytes} ${TRAILING_WORDS[trailing.kind]}`));
  }
  return lines;
}

function problemLines({ problems }: ImageReport): string[] {
  return problems.map(({ code, message }) => pc.red(`${code}: ${printable(message)}`));
}

export function explainImage(report: ImageReport, name: string): string {
  const verdict = report.valid ? pc.green("valid") : pc.red("refused");
  return [
    `${pc.bold(printable(name))}  ${count(report.imageBytes ?? report.fileBytes)}  ${verdict}`,
    ...descriptionLines(report),
    ...headerLines(report),
    ...segmentLines(report),
    ...footerLines(report),
    ...problemLines(report),
  ].join("\n");
}

function partitionLines({ partitions }: FlashReport): string[] {
  return partitions.map(({ label, type, subtype, offset, size, encrypted }) => {
    const kind = `${PARTITION_TYPES[type] ?? hex(type, 2)} ${hex(subtype, 2)}`;
    const place = `${hex(offset, 6)} to ${hex(offset + size, 6)}, ${size / 1024} KB`;
    return line(printable(label), `${kind.padEnd(9)} ${place}${encrypted ? ", encrypted" : ""}`);
  });
}

function explainSlot({ label, state, image }: SlotReport): string {
  if (image !== undefined) return explainImage(image, label);
  const words = state === "blank" ? "blank" : "lies behind the end of the dump";
  return `${pc.bold(printable(label))}  ${words}`;
}

function otadataLine(entry: OtadataEntryReport, index: number): string {
  const { isBlank, sequence, state, crcGood, slot } = entry;
  const choice = `sequence ${sequence}: ${printable(slot ?? "no slot")}, ${state}`;
  const text = isBlank ? "blank" : `${choice}, CRC ${crcGood ? "right" : pc.red("wrong")}`;
  return line(`otadata ${index}`, text);
}

function moduleSlotLines(slot: ModuleSlotReport): string[] {
  const name = printable(slot.label);
  if (slot.state === "blank") return [line(name, "blank")];
  if (slot.state === "no header") return [line(name, pc.red("no header, or a damaged one"))];
  const marks = (["attempted", "confirmed", "invalid"] as const).filter((mark) => slot[mark]);
  const hash = slot.hashGood ? "right" : pc.red("wrong");
  const state = marks.length === 0 ? "not started yet" : marks.join(", ");
  return [
    line(name, `sequence ${slot.sequence}, ${count(slot.bytes)}, SHA-256 ${hash}, ${state}`),
    line("", `module ${slot.sha256}`),
    line("", `for firmware ${slot.firmwareId}`),
  ];
}

function explainStart(start: StartReport): string {
  const trial = (isOnTrial: boolean): string => (isOnTrial ? ", on trial" : "");
  const boots = start.boots === null ? pc.red("nothing") : printable(start.boots);
  const inside = start.runs === "firmware" ? "the one inside the firmware" : start.runs;
  return [
    pc.bold("next start"),
    ...(start.otadata?.map(otadataLine) ?? [line("otadata", "none")]),
    line("Boots", `${boots}${trial(start.bootsOnTrial)}`),
    ...start.moduleSlots.flatMap(moduleSlotLines),
    line("Module", `${printable(inside ?? "none")}${trial(start.runsOnTrial)}`),
  ].join("\n");
}

export function explainFlash(report: FlashReport, name: string): string {
  const head = `${pc.bold(printable(name))}  flash of ${count(report.fileBytes)}`;
  if (report.problem !== undefined) return `${head}\n${pc.red(printable(report.problem))}`;
  const table = [head, ...partitionLines(report)].join("\n");
  const start = report.start === undefined ? [] : [explainStart(report.start)];
  return [table, ...report.slots.map(explainSlot), ...start].join("\n\n");
}

export function explain(report: ImageReport | FlashReport, name: string): string {
  return report.kind === "image" ? explainImage(report, name) : explainFlash(report, name);
}
