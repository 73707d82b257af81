// Hides secrets in a finished trace, in the way of docs/TRACES.md but with the whole trace at hand:
// what a replay makes of hidden secrets is tested apart from whoever hides them. Keys in the
// document and in flash become k, the password p, checksums of their records zero.

import { Dataset, EventKind } from "../../../host-node/src/abi.js";
import { crc32 } from "../../../host-node/src/crc32.js";
import { SECTOR_BYTES, UNIT_BYTES } from "../../../host-node/src/ports/nor.js";
import { formatLine, isFilled, type TraceLine } from "../../../host-node/src/trace/lines.js";
import { parseTrace } from "../../../host-node/src/trace/parser.js";

const RECORD = 0x52;
/** The document's checksum in the CONFIGURATION record (assembly/system/configuration.ts). */
const DOCUMENT_CRC_AT = 4;
const SECRET: readonly number[] = [Dataset.CONFIGURATION, Dataset.THING_KEY, Dataset.CLAIM_KEY];
const KEY = /(?<=-----BEGIN [A-Z ]*PRIVATE KEY-----)[^-]*/g;

/** Text with other characters in place of its secrets; of the same length. */
export function masked(text: string, password: string): string {
  return text
    .replace(KEY, (body) => body.replace(/(?<!\\)[A-Za-z0-9+/=]/g, "k"))
    .replaceAll(password, "p".repeat(password.length));
}

/** All that was seen of a sector between two erases, in one life: a cut may undo a write. */
class Epoch {
  readonly bytes = Buffer.alloc(SECTOR_BYTES, 0xff);
  /** What stands for it in the trace. */
  shown = this.bytes;
}

interface Access {
  readonly epoch: Epoch;
  readonly at: number;
  readonly bytes: Uint8Array;
}

export interface Secrets {
  readonly document: string;
  readonly password: string;
}

export class MaskedTrace {
  /** Headers whose checksums are hidden; a test that hides none has tested nothing. */
  hidden = 0;
  private readonly lines: TraceLine[];
  private readonly accesses = new Map<TraceLine, Access>();

  constructor(
    lines: readonly string[],
    private readonly secrets: Secrets,
  ) {
    this.lines = parseTrace(`${lines.join("\n")}\n`);
    const epochs = this.follow();
    for (const [sector, list] of epochs) for (const epoch of list) this.mask(epoch, sector);
  }

  /** The trace without the secrets. */
  text(): string[] {
    return this.lines.map((line) => this.textOf(line));
  }

  private follow(): Map<number, Epoch[]> {
    const epochs = new Map<number, Epoch[]>();
    for (const line of this.lines) {
      const isBoot = line.what === "event" && line.event.kind === EventKind.BOOT;
      if (isBoot) for (const list of epochs.values()) list.push(new Epoch());
      if (line.what !== "call" || line.result < 0 || !line.entry.name.startsWith("flash_"))
        continue;
      const [offset, slice] = line.args;
      if (typeof offset !== "number") continue;
      const sector = Math.floor(offset / SECTOR_BYTES);
      const list = epochs.get(sector) ?? [new Epoch()];
      epochs.set(sector, list);
      if (slice === undefined) {
        list.push(new Epoch());
        continue;
      }
      const bytes = slice instanceof Uint8Array ? slice : isFilled(slice) ? slice.bytes : null;
      const access = { epoch: list.at(-1)!, at: offset % SECTOR_BYTES, bytes: bytes! };
      this.accesses.set(line, access);
      // As on NOR flash: a read that comes before the bytes sees ones.
      for (const [index, byte] of access.bytes.entries()) {
        access.epoch.bytes[access.at + index]! &= byte;
      }
    }
    return epochs;
  }

  private mask(epoch: Epoch, sector: number): void {
    epoch.shown = Buffer.from(epoch.bytes);
    for (let at = UNIT_BYTES; at < SECTOR_BYTES; ) {
      const header = epoch.bytes.subarray(at, at + UNIT_BYTES);
      const seal = crc32(header.subarray(0, 12), sector * SECTOR_BYTES + at);
      const isRecord = header[0] === RECORD && header.readUInt32LE(12) === seal;
      const size = isRecord ? header.readUInt16LE(2) : 0;
      if (isRecord && SECRET.includes(header[1]!)) this.maskRecord(epoch, at, size);
      at += UNIT_BYTES * (1 + Math.ceil(size / UNIT_BYTES));
    }
  }

  private maskRecord(epoch: Epoch, at: number, size: number): void {
    this.hidden++;
    epoch.shown.fill(0, at + 8, at + UNIT_BYTES);
    const payload = epoch.shown.subarray(at + UNIT_BYTES, at + UNIT_BYTES + size);
    payload.write(this.masked(payload.toString("latin1")), "latin1");
    if (epoch.bytes[at + 1] !== Dataset.CONFIGURATION) return;
    payload.writeUInt32LE(crc32(Buffer.from(this.masked(this.secrets.document))), DOCUMENT_CRC_AT);
  }

  private masked(text: string): string {
    return masked(text, this.secrets.password);
  }

  private textOf(line: TraceLine): string {
    if (line.what !== "call") return line.text;
    const [first, second] = line.args;
    if (line.entry.name === "sys_config_read" && isFilled(second!)) {
      const from = first as number;
      const document = Buffer.from(this.masked(this.secrets.document));
      const bytes = document.subarray(from, from + second.bytes.length);
      // Orders for the application come from beyond the document.
      return bytes.length === 0
        ? line.text
        : formatLine({ ...line, args: [from, { ...second, bytes }] });
    }
    if (line.entry.name === "wifi_join") {
      const password = Buffer.from("p".repeat((second as Uint8Array).length));
      return formatLine({ ...line, args: [first!, password] });
    }
    const access = this.accesses.get(line);
    return access === undefined ? line.text : this.accessText(line, access);
  }

  private accessText(line: TraceLine, { epoch, at, bytes }: Access): string {
    if (line.what !== "call") return line.text;
    const shown = Buffer.from(bytes);
    for (let from = 0; from < bytes.length; ) {
      const size = UNIT_BYTES - ((at + from) % UNIT_BYTES);
      const unit = bytes.subarray(from, from + size);
      const known = epoch.bytes.subarray(at + from, at + from + unit.length);
      // What reads as erased is not programmed yet, whatever its bytes will be.
      const isSeen = unit.some((byte) => byte !== 0xff) && Buffer.compare(unit, known) === 0;
      if (isSeen) shown.set(epoch.shown.subarray(at + from, at + from + unit.length), from);
      from += unit.length;
    }
    const [offset, slice] = line.args;
    const arg = slice !== undefined && isFilled(slice) ? { ...slice, bytes: shown } : shown;
    return formatLine({ ...line, args: [offset!, arg] });
  }
}
