// Port ota: writes the next firmware or module slot, digests what it wrote, makes it the one that
// starts next, and confirms what runs. Operations are accepted at once, performed one at a time in
// their order, and answered with OTA_DONE; each is in the file before it is answered. Power off
// loses what was not yet performed. What an operation does is ota_slots.ts; here is the time.

import { type OtaPort as Contract, EventKind, Status } from "../abi.js";
import type { Software } from "../boot/software.js";
import type { FlashImage } from "../flash_image.js";
import { type OperationOptions, OperationQueue } from "./operation_queue.js";
import { type OtaOperation, OtaSlots } from "./ota_slots.js";
import type { PortHost } from "./port_host.js";

export interface OtaOptions extends OperationOptions {
  readonly image: FlashImage;
  readonly software: Software;
}

export class OtaPort implements Contract {
  private readonly operations: OperationQueue<OtaOperation>;
  private slots: OtaSlots;

  constructor(
    private readonly host: PortHost,
    private readonly options: OtaOptions,
  ) {
    this.slots = new OtaSlots(options.image, options.software);
    this.operations = new OperationQueue(host, options, (operation) => this.perform(operation));
  }

  /** What was accepted and is not performed yet, oldest first. */
  get pending(): readonly OtaOperation[] {
    return this.operations.pending;
  }

  read(slot: number, offset: number, bytes: Uint8Array): number {
    return this.slots.read(slot, offset, bytes);
  }

  begin(target: number, offset: number): number {
    return this.slots.begin(target, offset);
  }

  write(bytes: Uint8Array): number {
    return this.accept({ kind: "append", bytes: new Uint8Array(bytes) });
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

  private accept(operation: OtaOperation): Status {
    const status = this.slots.accept(operation);
    if (status === Status.OK) this.operations.add(operation);
    return status;
  }

  private perform(operation: OtaOperation): () => void {
    const { status, payload } = this.slots.perform(operation);
    return () => this.host.post(EventKind.OTA_DONE, status, 0, payload);
  }

  /** Power off: what waits is never performed. */
  close(): void {
    this.operations.close();
    this.slots = new OtaSlots(this.options.image, this.options.software);
  }
}
