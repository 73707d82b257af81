// Port flash of a simulated device: the records partition of its flash image, one operation at a
// time, each some virtual time after it was accepted. What was not performed when the power goes is
// lost; what is being performed may be torn.

import {
  EventKind,
  FLASH_SECTOR_BYTES,
  FLASH_UNIT_BYTES,
  type FlashPort,
  Status,
} from "../../abi.js";
import { type FlashImage, RECORDS } from "../../flash_image.js";
import { type CutMode, type NorOperation, overlay } from "../../ports/nor.js";
import type { SimHost } from "./sim_host.js";

const PROGRAM_MS = 1;
const ERASE_MS = 30;
const PENDING_MAX = 8;

export class SimFlash implements FlashPort {
  /** Accepted and not performed, oldest first. */
  pending: readonly NorOperation[] = [];
  /** Operations that were performed, or torn, in all lives: what flash holds has this version. */
  version = 0;
  /** The next operation fails, and changes nothing. */
  failsNext = false;

  constructor(
    private readonly host: SimHost,
    private readonly image: FlashImage,
  ) {}

  private get region() {
    return this.image.region(RECORDS);
  }

  size(): number {
    return this.region.size;
  }

  read(offset: number, bytes: Uint8Array): number {
    if (offset + bytes.length > this.region.size) return Status.INVALID_ARGUMENT;
    bytes.set(this.region.read(offset, bytes.length));
    for (const operation of this.pending) overlay(operation, offset, bytes);
    return Status.OK;
  }

  write(offset: number, bytes: Uint8Array): number {
    const isAligned = (offset | bytes.length) % FLASH_UNIT_BYTES === 0;
    const isInside = bytes.length > 0 && offset + bytes.length <= this.region.size;
    if (!isAligned || !isInside) return Status.INVALID_ARGUMENT;
    return this.accept({ kind: "program", offset, bytes: bytes.slice() });
  }

  erase(offset: number): number {
    const isAligned = offset % FLASH_SECTOR_BYTES === 0;
    if (!isAligned || offset >= this.region.size) return Status.INVALID_ARGUMENT;
    return this.accept({ kind: "erase", offset });
  }

  private accept(operation: NorOperation): number {
    if (this.pending.length === PENDING_MAX) return Status.BUSY;
    this.pending = [...this.pending, operation];
    if (this.pending.length === 1) this.schedule(operation);
    return Status.OK;
  }

  private schedule({ kind }: NorOperation): void {
    this.host.later(kind === "erase" ? ERASE_MS : PROGRAM_MS, { port: "flash" });
  }

  /** Throws NorError when the core breaks a rule of the chip. */
  happen(): void {
    const [operation, ...others] = this.pending;
    if (operation === undefined) return;
    const { host } = this;
    const isFailed = this.failsNext || host.faults.hits("flashFailed", host.nowMs);
    this.failsNext = false;
    if (!isFailed) this.perform(operation);
    this.pending = others;
    if (others.length > 0) this.schedule(others[0]!);
    host.post(EventKind.FLASH_DONE, isFailed ? Status.IO_ERROR : Status.OK);
  }

  private perform(operation: NorOperation): void {
    this.version++;
    if (operation.kind === "erase") this.region.erase(operation.offset);
    else this.region.program(operation.offset, this.worn(operation.bytes));
  }

  /** What is programmed: one bit may stay as it was after the erase. */
  private worn(bytes: Uint8Array): Uint8Array {
    const { faults, nowMs } = this.host;
    if (!faults.hits("flashWorn", nowMs)) return bytes;
    const stream = faults.stream("flashWorn");
    const programmed = bytes.slice();
    programmed[stream.below(bytes.length)]! |= 1 << stream.below(8);
    return programmed;
  }

  /** The power goes in the middle of the operation that was being performed, if one was. */
  powerOff(mode: CutMode, random: () => number): void {
    const [operation] = this.pending;
    this.pending = [];
    if (operation === undefined || mode === "nothing") return;
    this.version++;
    const { region } = this;
    region.nor.interrupt(operation, mode, random);
    const bytes = operation.kind === "erase" ? FLASH_SECTOR_BYTES : operation.bytes.length;
    region.persist(operation.offset, bytes);
  }

  copy(host: SimHost, image: FlashImage): SimFlash {
    const copy = new SimFlash(host, image);
    copy.pending = this.pending;
    copy.version = this.version;
    copy.failsNext = this.failsNext;
    return copy;
  }
}
