// Port ota of a simulated device: the slots of ports/ota_slots.ts, one operation at a time, each
// some virtual time after it was accepted. The power may go in the middle of one.

import { EventKind, type OtaPort, Status } from "../../abi.js";
import type { Software } from "../../boot/software.js";
import type { FlashImage } from "../../flash_image.js";
import { type CutMode, PowerCut } from "../../ports/nor.js";
import { type OtaOperation, OtaSlots } from "../../ports/ota_slots.js";
import type { SimHost } from "./sim_host.js";

const APPEND_MS = 4;
const OTHER_MS = 40;
/** A power cut strikes at one of so many operations on flash of which an operation here is made. */
const CUT_WITHIN = 3;

export class SimOta implements OtaPort {
  /** Accepted and not performed, oldest first. */
  pending: readonly OtaOperation[] = [];
  /** Operations that were performed, or broken off, in all lives. */
  version = 0;
  private slots: OtaSlots | null = null;

  constructor(
    private readonly host: SimHost,
    private readonly image: FlashImage,
  ) {}

  /** A life begins with this software. */
  start(software: Software): void {
    this.slots = new OtaSlots(this.image, software);
  }

  read(slot: number, offset: number, bytes: Uint8Array): number {
    return this.slots!.read(slot, offset, bytes);
  }

  begin(target: number, offset: number): number {
    return this.slots!.begin(target, offset);
  }

  write(bytes: Uint8Array): number {
    return this.accept({ kind: "append", bytes: bytes.slice() });
  }

  digest(size: number): number {
    return this.accept({ kind: "digest", size });
  }

  activate(): number {
    return this.accept({ kind: "activate" });
  }

  confirm(): number {
    return this.accept({ kind: "confirm" });
  }

  private accept(operation: OtaOperation): number {
    const status = this.slots!.accept(operation);
    if (status !== Status.OK) return status;
    this.pending = [...this.pending, operation];
    if (this.pending.length === 1) this.schedule(operation);
    return status;
  }

  private schedule({ kind }: OtaOperation): void {
    this.host.later(kind === "append" ? APPEND_MS : OTHER_MS, { port: "ota" });
  }

  happen(): void {
    const [operation, ...others] = this.pending;
    if (operation === undefined) return;
    this.version++;
    const { status, payload } = this.slots!.perform(operation);
    this.pending = others;
    if (others.length > 0) this.schedule(others[0]!);
    this.host.post(EventKind.OTA_DONE, status, 0, payload);
  }

  /** The power goes in the middle of the operation that was being performed, if one was. */
  powerOff(mode: CutMode, random: () => number): void {
    const [operation] = this.pending;
    this.pending = [];
    if (operation === undefined || mode === "nothing" || this.slots === null) return;
    this.version++;
    this.image.armPowerCut(Math.floor(random() * CUT_WITHIN), mode, random);
    try {
      this.slots.perform(operation);
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    } finally {
      this.image.disarmPowerCut();
    }
  }

  copy(host: SimHost, image: FlashImage, software: Software | null): SimOta {
    const copy = new SimOta(host, image);
    copy.pending = this.pending;
    copy.version = this.version;
    copy.slots = software === null ? null : (this.slots?.copy(image, software) ?? null);
    return copy;
  }
}
