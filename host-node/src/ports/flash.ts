// Port flash: the records partition. Operations are accepted at once, performed one at a time in
// their order, and answered with FLASH_DONE; each is in the file before it is answered. Reads see
// what was accepted. Power off loses what was not yet performed, as on the chip.

import {
  type FlashPort as Contract,
  EventKind,
  FLASH_SECTOR_BYTES,
  FLASH_UNIT_BYTES,
  Status,
} from "../abi.js";
import { type FlashImage, RECORDS } from "../flash_image.js";
import type { FlashRegion } from "../flash_region.js";
import { NorError, type NorOperation, overlay } from "./nor.js";
import { type OperationOptions, OperationQueue } from "./operation_queue.js";
import type { PortHost } from "./port_host.js";

/** Operations that may wait; the ABI asks for four at least. */
const PENDING_MAX = 8;

export interface FlashOptions extends OperationOptions {
  readonly image: FlashImage;
}

export class FlashPort implements Contract {
  private readonly operations: OperationQueue<NorOperation>;

  constructor(
    private readonly host: PortHost,
    private readonly options: FlashOptions,
  ) {
    this.operations = new OperationQueue(host, options, (operation) => this.perform(operation));
  }

  /** NOT_FOUND on a flash whose table has no records partition. */
  size(): number {
    return this.partitionBytes === 0 ? Status.NOT_FOUND : this.partitionBytes;
  }

  private get partitionBytes(): number {
    return this.options.image.find(RECORDS)?.size ?? 0;
  }

  private get records(): FlashRegion {
    return this.options.image.region(RECORDS);
  }

  read(offset: number, bytes: Uint8Array): number {
    if (offset + bytes.length > this.partitionBytes) return Status.INVALID_ARGUMENT;
    bytes.set(this.records.read(offset, bytes.length));
    for (const operation of this.operations.pending) overlay(operation, offset, bytes);
    return Status.OK;
  }

  write(offset: number, bytes: Uint8Array): number {
    const isAligned = (offset | bytes.length) % FLASH_UNIT_BYTES === 0;
    const isInside = bytes.length > 0 && offset + bytes.length <= this.partitionBytes;
    if (!isAligned || !isInside) return Status.INVALID_ARGUMENT;
    return this.accept({ kind: "program", offset, bytes: bytes.slice() });
  }

  erase(offset: number): number {
    const isAligned = offset % FLASH_SECTOR_BYTES === 0;
    if (!isAligned || offset >= this.partitionBytes) return Status.INVALID_ARGUMENT;
    return this.accept({ kind: "erase", offset });
  }

  private accept(operation: NorOperation): number {
    if (this.operations.pending.length === PENDING_MAX) return Status.BUSY;
    this.operations.add(operation);
    return Status.OK;
  }

  private perform(operation: NorOperation): () => void {
    let status: Status = Status.OK;
    try {
      this.apply(operation);
    } catch (error) {
      if (!(error instanceof NorError)) throw error;
      status = Status.IO_ERROR;
    }
    return () => this.host.post(EventKind.FLASH_DONE, status);
  }

  private apply(operation: NorOperation): void {
    if (operation.kind === "erase") this.records.erase(operation.offset);
    else this.records.program(operation.offset, operation.bytes);
  }

  /** Power off: what waits is never performed. */
  close(): void {
    this.operations.close();
  }
}
