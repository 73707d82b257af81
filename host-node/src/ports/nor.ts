// NOR flash as the chip has it: programming only clears bits, erasing works by sectors of 4 KiB,
// and power may fail in the middle of either. Stricter than the chip where that finds faults: a
// unit programmed twice between two erases is an error, because flash encryption forbids it, and
// what an interrupted erase left may not be programmed before a whole one. Counts wear.
// Used by the flash port of the Node host and by the tests of everything that lives in flash.

export const SECTOR_BYTES = 4096;
export const UNIT_BYTES = 16;
const UNITS = SECTOR_BYTES / UNIT_BYTES;
const ERASED = 0xff;
const NOTHING = new Uint8Array();
const WORDS_PER_UNIT = UNIT_BYTES / 4;

/** The bytes as 32-bit words; copied when they do not lie aligned in memory. */
function wordsOf(bytes: Uint8Array): Int32Array {
  // Not slice(): of a Buffer it is no copy.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
}

/** What programming does to flash; four bytes at a time, because an update has a million. */
function clearBits(flash: Uint8Array, bytes: Uint8Array): void {
  const isAligned = flash.byteOffset % 4 === 0;
  const [to, from] = isAligned ? [wordsOf(flash), wordsOf(bytes)] : [flash, bytes];
  for (let i = 0; i < to.length; i++) to[i]! &= from[i]!;
}

export type NorOperation =
  | { readonly kind: "program"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "erase"; readonly offset: number };

/** Shows in `bytes`, read at `offset`, what `operation` will have done: for reads while it waits. */
export function overlay(operation: NorOperation, offset: number, bytes: Uint8Array): void {
  const size = operation.kind === "erase" ? SECTOR_BYTES : operation.bytes.length;
  const first = Math.max(0, operation.offset - offset);
  const end = Math.min(bytes.length, operation.offset + size - offset);
  for (let at = first; at < end; at++) {
    const programmed =
      operation.kind === "erase" ? undefined : operation.bytes[at + offset - operation.offset]!;
    bytes[at] = programmed === undefined ? ERASED : bytes[at]! & programmed;
  }
}

/**
 * What a power cut leaves of an operation: nothing; half of it (half of the units or of the sector,
 * and the unit after it with some of its bits); or garbage (a random part of it, then any bytes).
 */
export type CutMode = "nothing" | "half" | "garbage";
export const CUT_MODES: readonly CutMode[] = ["nothing", "half", "garbage"];

/** Random numbers from 0 to below 1; pass a seeded one, so that a run can be repeated. */
export type Random = () => number;

/** The caller broke a rule of the chip: a programmer's error of whoever uses the flash. */
export class NorError extends Error {
  override readonly name = "NorError";
}

/** Thrown out of the operation at which armPowerCut made the power fail. */
export class PowerCut extends Error {
  override readonly name = "PowerCut";
}

export interface NorSnapshot {
  readonly bytes: Uint8Array;
  readonly programmed: Uint8Array;
  readonly erases: Uint32Array;
}

export class NorFlash {
  /** Times each sector was erased, whole or in part. */
  readonly erases: Uint32Array;
  programs = 0;
  /** Called before each operation takes place. */
  onOperation: (operation: NorOperation) => void = () => {};
  #bytes: Uint8Array;
  /** 1 for each unit that must not be programmed before its sector has been erased. */
  #programmed: Uint8Array;
  /** A copy has the same arrays: they are replaced before they are changed. */
  #isShared = false;
  #cut: { operations: number; mode: CutMode; random: Random } | null = null;

  /**
   * Works on `bytes` in place, until it is copied: a whole number of sectors, 0xff where erased. Without `history` a
   * unit counts as programmed when it does not look erased, and no sector as worn.
   */
  constructor(bytes: Uint8Array, history?: Omit<NorSnapshot, "bytes">) {
    if (bytes.length === 0 || bytes.length % SECTOR_BYTES !== 0) {
      throw new NorError(`${bytes.length} bytes are no whole number of sectors`);
    }
    this.#bytes = bytes;
    this.erases = history?.erases.slice() ?? new Uint32Array(bytes.length / SECTOR_BYTES);
    this.#programmed = history?.programmed.slice() ?? new Uint8Array(bytes.length / UNIT_BYTES);
    if (history === undefined) this.#judge(0, bytes.length);
  }

  /** Units of a range count as programmed when they do not look erased. */
  #judge(offset: number, size: number): void {
    const words = wordsOf(this.bytes.subarray(offset, offset + size));
    const first = offset / UNIT_BYTES;
    for (let at = 0; at < words.length; at += WORDS_PER_UNIT) {
      const isErased = (words[at]! & words[at + 1]! & words[at + 2]! & words[at + 3]!) === -1;
      this.#programmed[first + at / WORDS_PER_UNIT] = isErased ? 0 : 1;
    }
  }

  static blank(sectors: number): NorFlash {
    return new NorFlash(new Uint8Array(sectors * SECTOR_BYTES).fill(ERASED));
  }

  static restore(snapshot: NorSnapshot): NorFlash {
    return new NorFlash(snapshot.bytes.slice(), snapshot);
  }

  snapshot(): NorSnapshot {
    return {
      bytes: this.bytes.slice(),
      programmed: this.#programmed.slice(),
      erases: this.erases.slice(),
    };
  }

  /**
   * An independent flash with the same bytes, wear and programmed units, and neither the listener
   * nor the armed power cut of this one. Both share their bytes until one of them is changed, so
   * that a copy of megabytes costs a microsecond, and the first change after it the megabytes.
   */
  copy(): NorFlash {
    const copy = new NorFlash(this.#bytes, { programmed: NOTHING, erases: this.erases });
    copy.#programmed = this.#programmed;
    copy.programs = this.programs;
    copy.#isShared = true;
    this.#isShared = true;
    return copy;
  }

  /** To be called before bytes or units are changed. */
  #own(): void {
    if (!this.#isShared) return;
    this.#bytes = new Uint8Array(this.#bytes);
    this.#programmed = this.#programmed.slice();
    this.#isShared = false;
  }

  /** All of it, to be read; another array after the first change that follows a copy. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get size(): number {
    return this.bytes.length;
  }

  /** What a programmer at the bench writes: whole sectors, and no operation of the chip. */
  load(offset: number, bytes: Uint8Array): void {
    this.#checkRange(offset, bytes.length, SECTOR_BYTES);
    this.#own();
    this.bytes.set(bytes, offset);
    this.#judge(offset, bytes.length);
  }

  /** A view of the bytes, not a copy. */
  read(offset: number, size: number): Uint8Array {
    this.#checkRange(offset, size, 1);
    return this.bytes.subarray(offset, offset + size);
  }

  program(offset: number, bytes: Uint8Array): void {
    this.#checkRange(offset, bytes.length, UNIT_BYTES);
    if (bytes.length === 0) throw new NorError(`program of nothing at ${offset}`);
    this.#checkUnits(offset, bytes.length);
    if (!this.#begin({ kind: "program", offset, bytes })) return;
    this.#own();
    clearBits(this.bytes.subarray(offset, offset + bytes.length), bytes);
    this.#programmed.fill(1, offset / UNIT_BYTES, (offset + bytes.length) / UNIT_BYTES);
    this.programs++;
  }

  /** Erases the sector that begins at `offset`. */
  erase(offset: number): void {
    this.#checkRange(offset, SECTOR_BYTES, SECTOR_BYTES);
    if (!this.#begin({ kind: "erase", offset })) return;
    this.#own();
    this.bytes.fill(ERASED, offset, offset + SECTOR_BYTES);
    this.#programmed.fill(0, offset / UNIT_BYTES, offset / UNIT_BYTES + UNITS);
    this.erases[offset / SECTOR_BYTES]!++;
  }

  /** The power fails in operation number `operations` from now, 0 being the next one. */
  armPowerCut(operations: number, mode: CutMode, random: Random): void {
    this.#cut = { operations, mode, random };
  }

  disarmPowerCut(): void {
    this.#cut = null;
  }

  /** Leaves the flash as a power cut in the middle of this operation would. */
  interrupt(operation: NorOperation, mode: CutMode, random: Random): void {
    if (mode === "nothing") return;
    this.#own();
    if (operation.kind === "erase") this.#interruptErase(operation.offset, mode, random);
    else this.#interruptProgram(operation.offset, operation.bytes, mode, random);
  }

  #begin(operation: NorOperation): true {
    this.onOperation(operation);
    if (this.#cut !== null && this.#cut.operations-- === 0) {
      const { mode, random } = this.#cut;
      this.#cut = null;
      this.interrupt(operation, mode, random);
      throw new PowerCut(`power cut in ${operation.kind} at ${operation.offset}: ${mode}`);
    }
    return true;
  }

  #interruptProgram(offset: number, bytes: Uint8Array, mode: CutMode, random: Random): void {
    const units = bytes.length / UNIT_BYTES;
    const whole = mode === "half" ? units >> 1 : Math.floor(random() * units);
    const torn = whole * UNIT_BYTES;
    for (let i = 0; i < torn; i++) this.bytes[offset + i]! &= bytes[i]!;
    for (let i = torn; i < torn + UNIT_BYTES; i++) {
      const some = Math.floor(random() * 256);
      if (mode === "half") this.bytes[offset + i]! &= bytes[i]! | some;
      else this.bytes[offset + i] = some;
    }
    // A unit that got nothing it would show is one that nothing has happened to.
    const touched = this.#isErased((offset + torn) / UNIT_BYTES) && torn === 0 ? 0 : 1;
    const first = offset / UNIT_BYTES;
    this.#programmed.fill(1, first, first + whole + touched);
  }

  #interruptErase(offset: number, mode: CutMode, random: Random): void {
    const sector = this.bytes.subarray(offset, offset + SECTOR_BYTES);
    if (mode === "half") {
      const half = SECTOR_BYTES / 2;
      const first = random() < 0.5 ? 0 : half;
      sector.fill(ERASED, first, first + half);
      const torn = half - first;
      for (let i = 0; i < UNIT_BYTES; i++) sector[torn + i]! |= Math.floor(random() * 256);
    } else {
      for (let i = 0; i < SECTOR_BYTES; i++) sector[i] = Math.floor(random() * 256);
    }
    this.#programmed.fill(1, offset / UNIT_BYTES, offset / UNIT_BYTES + UNITS);
    this.erases[offset / SECTOR_BYTES]!++;
  }

  #checkRange(offset: number, size: number, alignment: number): void {
    const inside = offset >= 0 && size >= 0 && offset + size <= this.size;
    if (!inside) throw new NorError(`${size} bytes at ${offset} are outside the flash`);
    if (offset % alignment !== 0 || size % alignment !== 0) {
      throw new NorError(`${size} bytes at ${offset} are not aligned to ${alignment}`);
    }
  }

  #checkUnits(offset: number, size: number): void {
    for (let unit = offset / UNIT_BYTES; unit < (offset + size) / UNIT_BYTES; unit++) {
      if (this.#programmed[unit] !== 0) {
        throw new NorError(`the unit at ${unit * UNIT_BYTES} is programmed a second time`);
      }
    }
  }

  #isErased(unit: number): boolean {
    const end = (unit + 1) * UNIT_BYTES;
    for (let at = end - UNIT_BYTES; at < end; at++) if (this.bytes[at] !== ERASED) return false;
    return true;
  }
}
