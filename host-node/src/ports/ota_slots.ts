// The slots of an update without clock and without host: what a session has written, which of the
// operations may be asked for, and what each of them does to flash. Operations are plain data:
// accept() one, keep it wherever one waits, and perform() each once, in the order in which they
// were accepted. ports/ota.ts keeps them in a queue; a simulator keeps them in its own agenda, and
// copies all of this with the flash. What the slots mean is boot/'s.

import { createHash } from "node:crypto";
import {
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
import { SlotWriter } from "./slot_writer.js";

export type OtaOperation =
  /** The bytes are the operation's own: nobody changes them. */
  | { readonly kind: "append"; readonly bytes: Uint8Array }
  | { readonly kind: "digest"; readonly size: number }
  | { readonly kind: "activate" }
  | { readonly kind: "confirm" };

/** What OTA_DONE tells; the payload is the digest. */
export interface OtaOutcome {
  readonly status: Status;
  readonly payload?: Uint8Array;
}

/** Where an update goes. */
interface Place {
  readonly label: string;
  /** Where the image begins in the slot. */
  readonly base: number;
  readonly capacity: number;
  /** An ota slot, or the number of a module slot. */
  readonly slot: AppSlot | number;
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
  /** Operations that were accepted and not performed. */
  waiting: number;
  /** Activated, or digested up to the middle of a unit: nothing can be appended any more. */
  isSealed: boolean;
  isDigestAsked: boolean;
  digested: Digested | null;
}

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

export class OtaSlots {
  /** The last one is open for more; those before it have operations that wait. */
  private sessions: readonly Session[] = [];

  constructor(
    private readonly image: FlashImage,
    private readonly software: Software,
  ) {}

  /** The same session on a copy of the flash, for the copy of what runs. */
  copy(image: FlashImage, software: Software): OtaSlots {
    const slots = new OtaSlots(image, software);
    slots.sessions = this.sessions.map((session) => ({
      ...session,
      writer: session.writer.copy(image.region(session.place.label)),
    }));
    return slots;
  }

  private get session(): Session | undefined {
    return this.sessions.at(-1);
  }

  /** As ota_read: a Status. */
  read(slot: number, offset: number, bytes: Uint8Array): number {
    const { image, software, session } = this;
    const running = software.firmware.slot;
    if (slot !== ImageSlot.RUNNING && slot !== ImageSlot.NEXT) return Status.INVALID_ARGUMENT;
    const wanted = slot === ImageSlot.RUNNING ? running : nextFirmwareSlot(image, running);
    if (wanted === null) return Status.NOT_FOUND;
    if (offset + bytes.length > wanted.size) return Status.INVALID_ARGUMENT;
    bytes.set(image.read(wanted.label, offset, bytes.length));
    if (session?.place.label === wanted.label) session.writer.overlay(offset, bytes);
    return Status.OK;
  }

  /** As ota_begin: the capacity, or a Status. Operations that wait belong to the session before. */
  begin(target: number, offset: number): number {
    const isKnown = target === OtaTarget.FIRMWARE || target === OtaTarget.MODULE;
    if (!isKnown || offset % FLASH_SECTOR_BYTES !== 0) return Status.INVALID_ARGUMENT;
    if (this.software.isOnTrial) return Status.NOT_READY;
    const place = target === OtaTarget.FIRMWARE ? this.firmwarePlace() : this.modulePlace();
    if (place === null) return Status.NOT_FOUND;
    if (offset > place.capacity) return Status.INVALID_ARGUMENT;
    const session = {
      place,
      writer: new SlotWriter(this.image.region(place.label), place.base, offset),
      accepted: offset,
      waiting: 0,
      isSealed: false,
      isDigestAsked: false,
      digested: null,
    };
    this.sessions = [...this.sessions.filter(({ waiting }) => waiting > 0), session];
    return place.capacity;
  }

  private firmwarePlace(): Place | null {
    const slot = nextFirmwareSlot(this.image, this.software.firmware.slot);
    return slot && { label: slot.label, base: 0, capacity: slot.size, slot };
  }

  private modulePlace(): Place | null {
    const slot = nextModuleSlot(this.image, this.software.module.slot);
    if (slot === null) return null;
    const label = moduleSlotLabel(slot);
    const capacity = this.image.partition(label).size - MODULE_AT;
    return { label, base: MODULE_AT, capacity, slot };
  }

  /** OK: it is to be performed. Any other Status: as if nobody had asked. */
  accept(operation: OtaOperation): Status {
    if (operation.kind === "confirm") return Status.OK;
    const status = this.check(operation);
    const { session } = this;
    if (status === Status.OK && session !== undefined) {
      note(session, operation);
      session.waiting++;
    }
    return status;
  }

  private check(operation: Exclude<OtaOperation, { kind: "confirm" }>): Status {
    const { session } = this;
    if (operation.kind === "append") {
      const { length } = operation.bytes;
      if (length === 0 || length > INBOX_BYTES) return Status.INVALID_ARGUMENT;
      if (session === undefined || session.isSealed) return Status.NOT_READY;
      const isInside = session.accepted + length <= session.place.capacity;
      return isInside ? Status.OK : Status.NO_SPACE;
    }
    if (session === undefined) return Status.NOT_READY;
    if (operation.kind === "activate") return session.isDigestAsked ? Status.OK : Status.NOT_READY;
    return operation.size > session.accepted ? Status.INVALID_ARGUMENT : Status.OK;
  }

  /** Performs what was accepted first and has not been performed. Only PowerCut may leave it. */
  perform(operation: OtaOperation): OtaOutcome {
    try {
      const payload = this.apply(operation);
      return payload === undefined ? { status: Status.OK } : { status: Status.OK, payload };
    } catch (error) {
      return { status: statusOf(error) };
    }
  }

  private apply(operation: OtaOperation): Uint8Array | undefined {
    if (operation.kind === "confirm") {
      this.software.confirm(this.image);
      return undefined;
    }
    const session = this.sessions.find(({ waiting }) => waiting > 0);
    if (session === undefined) throw new Error(`${operation.kind} was performed, not accepted`);
    session.waiting--;
    if (operation.kind === "digest") return digest(session, operation.size);
    if (operation.kind === "append") session.writer.append(operation.bytes);
    else this.activate(session);
    return undefined;
  }

  private activate({ digested, place: { slot, label } }: Session): void {
    const { image, software } = this;
    if (digested === null) throw new Refusal(Status.NOT_READY);
    const { size, sha256 } = digested;
    if (typeof slot !== "number") {
      setBootSlot(image, slot, size);
      return;
    }
    const magic = image.read(label, MODULE_AT, WASM_MAGIC.length);
    if (!WASM_MAGIC.equals(magic)) throw new Refusal(Status.CORRUPT);
    const firmwareId = firmwareIdOf(software.firmware.image);
    activateModule(image, { slot, size, sha256, firmwareId });
  }
}

/** What an accepted operation makes of the session at once. */
function note(session: Session, operation: OtaOperation): void {
  if (operation.kind === "append") {
    session.accepted += operation.bytes.length;
    session.isDigestAsked = false;
    session.digested = null;
  } else if (operation.kind === "digest") {
    session.isSealed ||= session.accepted % FLASH_UNIT_BYTES !== 0;
    session.isDigestAsked = true;
  } else {
    session.isSealed = true;
  }
}

function digest(session: Session, size: number): Uint8Array {
  session.digested = null;
  session.writer.flush();
  const sha256 = createHash("sha256").update(session.writer.read(size)).digest();
  session.digested = { size, sha256 };
  return sha256;
}
