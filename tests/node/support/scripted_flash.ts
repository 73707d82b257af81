// Port flash of the scripted device: NOR flash that performs one operation at a time, each some
// virtual time after it was accepted, and answers with FLASH_DONE. Reads see what was accepted.
// Operations that were not performed when the power goes are lost, as on the chip.

import { EventKind, type FlashPort, Status } from "../../../host-node/src/abi.js";
import {
  NorError,
  type NorFlash,
  type NorOperation,
  overlay,
} from "../../../host-node/src/ports/nor.js";
import type { Agenda } from "./agenda.js";

export class ScriptedFlash implements FlashPort {
  operationMs = 1;
  /** Answered by flash_size and flash_read in place of what they would say. */
  sizeAnswer: number | null = null;
  readAnswer: number | null = null;
  /** What becomes of an operation: false makes the flash fail it. */
  works: (operation: NorOperation) => boolean = () => true;
  /** Sees each operation when it has been performed. */
  onPerformed: (operation: NorOperation) => void = () => {};
  performed = 0;
  private pending: NorOperation[] = [];

  constructor(
    private readonly agenda: Agenda,
    readonly nor: NorFlash,
  ) {}

  get isIdle(): boolean {
    return this.pending.length === 0;
  }

  size(): number {
    return this.sizeAnswer ?? this.nor.size;
  }

  read(offset: number, bytes: Uint8Array): number {
    if (this.readAnswer !== null) return this.readAnswer;
    if (offset + bytes.length > this.nor.size) return Status.INVALID_ARGUMENT;
    bytes.set(this.nor.read(offset, bytes.length));
    for (const operation of this.pending) overlay(operation, offset, bytes);
    return Status.OK;
  }

  write(offset: number, bytes: Uint8Array): number {
    return this.accept({ kind: "program", offset, bytes: bytes.slice() });
  }

  erase(offset: number): number {
    return this.accept({ kind: "erase", offset });
  }

  /** The power goes: nothing more is performed. */
  powerOff(): void {
    this.pending = [];
  }

  private accept(operation: NorOperation): number {
    if (this.pending.length === 4) return Status.BUSY;
    this.pending.push(operation);
    if (this.pending.length === 1) this.schedule();
    return Status.OK;
  }

  private schedule(): void {
    this.agenda.after(this.operationMs, () => this.perform());
  }

  private perform(): void {
    const operation = this.pending[0]!;
    const isDone = this.works(operation) && this.apply(operation);
    this.pending.shift();
    this.performed++;
    this.onPerformed(operation);
    if (this.pending.length > 0) this.schedule();
    this.agenda.post(EventKind.FLASH_DONE, isDone ? Status.OK : Status.IO_ERROR);
  }

  private apply(operation: NorOperation): boolean {
    try {
      if (operation.kind === "erase") this.nor.erase(operation.offset);
      else this.nor.program(operation.offset, operation.bytes);
      return true;
    } catch (error) {
      if (error instanceof NorError) throw new Error(`the core broke a rule: ${error.message}`);
      throw error;
    }
  }
}
