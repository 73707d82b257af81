// Port ota: writes the next firmware or module slot, digests what it wrote, makes it the one that
// starts next, and confirms what runs. Operations are accepted at once, performed one at a time in
// their order, and answered with OTA_DONE; each is in the file before it is answered. Power off
// loses what was not yet performed. What the slots mean is boot/'s.

import { createHash } from "node:crypto";
import {
  type OtaPort as Contract,
  EventKind,
  FLASH_SECTOR_BYTES,
  FLASH_UNIT_BYTES,
  ImageSlot,
  INBOX_BYTES,
  OtaTarget,
  Status,
} from "../abi.js";
import type { AppSlot } from "../boot/boot_plan.js";
import { BootError, nextFirmwareSlot, setBootSlot } from "../boot/bootloader.js";
import { MODULE_AT } from "../boot/module_header.js";
import {
  activateModule,
  firmwareIdOf,
  moduleSlotLabel,
  nextModuleSlot,
} from "../boot/module_slots.js";
import type { Software } from "../boot/software.js";
import type { FlashImage } from "../flash_image.js";
import { ImageError } from "../image/image_error.js";
import { NorError } from "./nor.js";
import { type OperationOptions, OperationQueue } from "./operation_queue.js";
import type { PortHost } from "./port_host.js";
import { SlotWriter } from "./slot_writer.js";

export interface OtaOptions extends OperationOptions {
  readonly image: FlashImage;
  readonly software: Software;
}

/** Where an update goes. */
interface Place {
  readonly label: string;
  /** Where the image begins in the slot. */
  readonly base: number;
  readonly capacity: number;
  /** Makes what lies there the one that starts next; throws ImageError when it cannot start. */
  readonly activate: (digested: Digested) => void;
}

interface Digested {
  readonly size: number;
  readonly sha256: Uint8Array;
}

/** One ota_begin and what followed it. */
interface Session {
  readonly place: Place;
  readonly writer: SlotWriter;
  /** Bytes of the image that were accepted, those before the beginning included. */
  accepted: number;
  /** Activated, or digested up to the middle of a unit: nothing can be appended any more. */
  isSealed: boolean;
  isDigestAsked: boolean;
  digested: Digested | null;
}

/** Gives the payload of its OTA_DONE. */
type Operation = () => Uint8Array | undefined;

/** An operation that cannot be performed as things have turned out. */
class Refusal extends Error {
  constructor(readonly status: Status) {
    super("refused");
  }
}

const WASM_MAGIC = Buffer.from([0x00, 0x61, 0x73, 0x6d]);

function statusOf(error: unknown): Status {
  if (error instanceof Refusal) return error.status;
  if (error instanceof NorError) return Status.IO_ERROR;
  if (error instanceof ImageError) return Status.CORRUPT;
  if (error instanceof BootError) return Status.NOT_FOUND;
  throw error;
}

export class OtaPort implements Contract {
  private readonly operations: OperationQueue<Operation>;
  private session: Session | null = null;

  constructor(
    private readonly host: PortHost,
    private readonly options: OtaOptions,
  ) {
    this.operations = new OperationQueue(host, options, (operation) => this.perform(operation));
  }

  read(slot: number, offset: number, bytes: Uint8Array): number {
    const { image, software } = this.options;
    const running = software.firmware.slot;
    if (slot !== ImageSlot.RUNNING && slot !== ImageSlot.NEXT) return Status.INVALID_ARGUMENT;
    const wanted = slot === ImageSlot.RUNNING ? running : nextFirmwareSlot(image, running);
    if (wanted === null) return Status.NOT_FOUND;
    if (offset + bytes.length > wanted.size) return Status.INVALID_ARGUMENT;
    bytes.set(image.read(wanted.label, offset, bytes.length));
    const { session } = this;
    if (session?.place.label === wanted.label) session.writer.overlay(offset, bytes);
    return Status.OK;
  }

  begin(target: number, offset: number): number {
    const isKnown = target === OtaTarget.FIRMWARE || target === OtaTarget.MODULE;
    if (!isKnown || offset % FLASH_SECTOR_BYTES !== 0) return Status.INVALID_ARGUMENT;
    if (this.options.software.isOnTrial) return Status.NOT_READY;
    const place = target === OtaTarget.FIRMWARE ? this.firmwarePlace() : this.modulePlace();
    if (place === null) return Status.NOT_FOUND;
    if (offset > place.capacity) return Status.INVALID_ARGUMENT;
    const region = this.options.image.region(place.label);
    this.session = {
      place,
      writer: new SlotWriter(region, place.base, offset),
      accepted: offset,
      isSealed: false,
      isDigestAsked: false,
      digested: null,
    };
    return place.capacity;
  }

  private firmwarePlace(): Place | null {
    const { image, software } = this.options;
    const slot: AppSlot | null = nextFirmwareSlot(image, software.firmware.slot);
    if (slot === null) return null;
    const activate = ({ size }: Digested): void => setBootSlot(image, slot, size);
    return { label: slot.label, base: 0, capacity: slot.size, activate };
  }

  private modulePlace(): Place | null {
    const { image, software } = this.options;
    const slot = nextModuleSlot(image, software.module.slot);
    if (slot === null) return null;
    const label = moduleSlotLabel(slot);
    const firmwareId = firmwareIdOf(software.firmware.image);
    const activate = ({ size, sha256 }: Digested): void => {
      const magic = image.read(label, MODULE_AT, WASM_MAGIC.length);
      if (!WASM_MAGIC.equals(magic)) throw new Refusal(Status.CORRUPT);
      activateModule(image, { slot, size, sha256, firmwareId });
    };
    return { label, base: MODULE_AT, capacity: image.partition(label).size - MODULE_AT, activate };
  }

  write(bytes: Uint8Array): number {
    const { session } = this;
    if (bytes.length === 0 || bytes.length > INBOX_BYTES) return Status.INVALID_ARGUMENT;
    if (session === null || session.isSealed) return Status.NOT_READY;
    if (session.accepted + bytes.length > session.place.capacity) return Status.NO_SPACE;
    session.accepted += bytes.length;
    session.isDigestAsked = false;
    session.digested = null;
    const copy = Buffer.from(bytes);
    return this.accept(() => {
      session.writer.append(copy);
      return undefined;
    });
  }

  digest(size: number): number {
    const { session } = this;
    if (session === null) return Status.NOT_READY;
    if (size > session.accepted) return Status.INVALID_ARGUMENT;
    session.isSealed ||= session.accepted % FLASH_UNIT_BYTES !== 0;
    session.isDigestAsked = true;
    return this.accept(() => {
      session.digested = null;
      session.writer.flush();
      const sha256 = createHash("sha256").update(session.writer.read(size)).digest();
      session.digested = { size, sha256 };
      return sha256;
    });
  }

  activate(): number {
    const { session } = this;
    if (!session?.isDigestAsked) return Status.NOT_READY;
    session.isSealed = true;
    return this.accept(() => {
      if (session.digested === null) throw new Refusal(Status.NOT_READY);
      session.place.activate(session.digested);
      return undefined;
    });
  }

  confirm(): number {
    return this.accept(() => {
      this.options.software.confirm(this.options.image);
      return undefined;
    });
  }

  private accept(operation: Operation): number {
    this.operations.add(operation);
    return Status.OK;
  }

  private perform(operation: Operation): () => void {
    let status: Status = Status.OK;
    let payload: Uint8Array | undefined;
    try {
      payload = operation();
    } catch (error) {
      status = statusOf(error);
    }
    return () => this.host.post(EventKind.OTA_DONE, status, 0, payload);
  }

  /** Power off: what waits is never performed. */
  close(): void {
    this.operations.close();
    this.session = null;
  }
}
