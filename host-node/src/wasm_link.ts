// A small, exact rewriter of WebAssembly sections, run on every module after the compiler: merges
// neighbouring data segments and drops custom sections. wasm3 keeps 24 bytes of RAM for each
// segment, and the compiler writes one for each constant. The rewritten module behaves the same:
// whatever this file does not fully understand it leaves as it is.
// Format: WebAssembly Core Specification, "Binary Format".

export class WasmFormatError extends Error {
  override readonly name = "WasmFormatError";
}

export interface Section {
  readonly id: number;
  readonly body: Uint8Array;
}

export interface DataSegment {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface LinkOptions {
  /** Zero bytes that may be written between two segments to make them one. */
  readonly gapBytesMax?: number;
  /** Keeps function names and the source map's address, for stack traces. */
  readonly keepDebug?: boolean;
}

export const SectionId = {
  CUSTOM: 0,
  IMPORT: 2,
  MEMORY: 5,
  EXPORT: 7,
  CODE: 10,
  DATA: 11,
  DATA_COUNT: 12,
} as const;
const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const I32_CONST = 0x41;
const END = 0x0b;
const IMPORT_MEMORY = 2;
const GAP_BYTES_MAX = 16;

/** Cursor over bytes: LEB128 numbers, names and slices; throws at the end. */
export class Reader {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw new WasmFormatError("the module ends too early");
    return value;
  }

  /** Unsigned LEB128, 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new WasmFormatError(`a number at byte ${this.at} is too long`);
  }

  /** Signed LEB128, 32 bits. */
  i32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return shift < 25 ? (value << (25 - shift)) >> (25 - shift) : value;
    }
    throw new WasmFormatError(`a number at byte ${this.at} is too long`);
  }

  take(size: number): Uint8Array {
    const slice = this.bytes.subarray(this.at, this.at + size);
    if (slice.length !== size) throw new WasmFormatError("the module ends too early");
    this.at += size;
    return slice;
  }

  name(): string {
    return new TextDecoder().decode(this.take(this.u32()));
  }
}

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value | 0; ; rest >>= 7) {
    const low = rest & 0x7f;
    if (rest >> 6 === 0 || rest >> 6 === -1) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** The sections of a module in their order; throws WasmFormatError when it is none. */
export function readSections(wasm: Uint8Array): Section[] {
  if (PREAMBLE.some((byte, index) => wasm[index] !== byte)) {
    throw new WasmFormatError("not a WebAssembly 1.0 module");
  }
  const reader = new Reader(wasm);
  reader.at = PREAMBLE.length;
  const sections: Section[] = [];
  while (!reader.done) {
    const id = reader.byte();
    sections.push({ id, body: reader.take(reader.u32()) });
  }
  return sections;
}

export function writeSections(sections: readonly Section[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [Uint8Array.from(PREAMBLE)];
  for (const { id, body } of sections) {
    parts.push(Uint8Array.from([id, ...unsigned(body.length)]), body);
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** Active segments at constant places of memory 0, or null when one is of another kind. */
export function readDataSegments(body: Uint8Array): DataSegment[] | null {
  const reader = new Reader(body);
  const segments: DataSegment[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    const flags = reader.u32();
    const isMemory0 = flags === 0 || (flags === 2 && reader.u32() === 0);
    if (!isMemory0 || reader.byte() !== I32_CONST) return null;
    const offset = reader.i32() >>> 0;
    if (reader.byte() !== END) return null;
    segments.push({ offset, bytes: reader.take(reader.u32()) });
  }
  return segments;
}

function writeDataSegments(segments: readonly DataSegment[]): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.from(unsigned(segments.length))];
  for (const { offset, bytes } of segments) {
    const head = [0, I32_CONST, ...signed(offset), END, ...unsigned(bytes.length)];
    parts.push(Uint8Array.from(head), bytes);
  }
  return new Uint8Array(Buffer.concat(parts));
}

function join(first: DataSegment, second: DataSegment): DataSegment {
  const bytes = new Uint8Array(second.offset + second.bytes.length - first.offset);
  bytes.set(first.bytes);
  bytes.set(second.bytes, second.offset - first.offset);
  return { offset: first.offset, bytes };
}

/** Merges segments at most `gapBytesMax` apart; null when they overlap, as order matters then. */
export function mergeSegments(
  segments: readonly DataSegment[],
  gapBytesMax: number,
): DataSegment[] | null {
  const merged: DataSegment[] = [];
  for (const segment of segments.toSorted((a, b) => a.offset - b.offset)) {
    const last = merged.at(-1);
    const gap =
      last === undefined
        ? Number.POSITIVE_INFINITY
        : segment.offset - last.offset - last.bytes.length;
    if (gap < 0) return null;
    if (last !== undefined && gap <= gapBytesMax) merged[merged.length - 1] = join(last, segment);
    else merged.push(segment);
  }
  return merged;
}

/** Whether memory comes from outside: then a gap between segments may hold something. */
function importsMemory(sections: readonly Section[]): boolean {
  return readImports(sections).some((entry) => entry.kind === IMPORT_MEMORY);
}

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly kind: number;
}

/** What a module imports; `kind` is 0 for a function, 2 for a memory. */
export function readImports(sections: readonly Section[]): Import[] {
  const body = sections.find((section) => section.id === SectionId.IMPORT)?.body;
  if (body === undefined) return [];
  const reader = new Reader(body);
  return Array.from({ length: reader.u32() }, () => {
    const entry = { module: reader.name(), name: reader.name(), kind: reader.byte() };
    skipImportType(reader, entry.kind);
    return entry;
  });
}

function skipImportType(reader: Reader, kind: number): void {
  if (kind === 1) reader.byte();
  if (kind === 3) reader.take(2);
  else if (kind === 0) reader.u32();
  else skipLimits(reader);
}

function skipLimits(reader: Reader): void {
  const hasMaximum = (reader.u32() & 1) !== 0;
  reader.u32();
  if (hasMaximum) reader.u32();
}

function relinkData(sections: readonly Section[], gapBytesMax: number): Section[] {
  const gap = importsMemory(sections) ? 0 : gapBytesMax;
  return sections.flatMap((section) => {
    if (section.id === SectionId.DATA_COUNT) return [];
    if (section.id !== SectionId.DATA) return [section];
    const segments = readDataSegments(section.body);
    const merged = segments === null ? null : mergeSegments(segments, gap);
    return merged === null ? [section] : [{ id: section.id, body: writeDataSegments(merged) }];
  });
}

const DEBUG_SECTIONS = ["name", "sourceMappingURL"];

/** Rewrites a module as described above; of custom sections only those for debugging may stay. */
export function link(wasm: Uint8Array, options: LinkOptions = {}): Uint8Array<ArrayBuffer> {
  const debugNames = options.keepDebug ? DEBUG_SECTIONS : [];
  const sections = readSections(wasm).filter(
    (section) =>
      section.id !== SectionId.CUSTOM || debugNames.includes(new Reader(section.body).name()),
  );
  // Code that names segments by number (memory.init, data.drop) must not see them renumbered. Such
  // code is valid with a data count section only, so without one the validator tells.
  const linked = writeSections(relinkData(sections, options.gapBytesMax ?? GAP_BYTES_MAX));
  return WebAssembly.validate(linked) ? linked : writeSections(sections);
}

/** Subsection of the section "name" with the names of globals (extended name section). */
const GLOBAL_NAMES = 7;
const EXTERNAL_GLOBAL = 3;

/** Numbers of the globals of a module that was built with names. */
export function globalNames(wasm: Uint8Array): Map<string, number> {
  const names = new Map<string, number>();
  for (const { id, body } of readSections(wasm)) {
    const reader = new Reader(body);
    if (id !== SectionId.CUSTOM || reader.name() !== "name") continue;
    while (!reader.done) {
      const kind = reader.byte();
      const part = new Reader(reader.take(reader.u32()));
      for (let left = kind === GLOBAL_NAMES ? part.u32() : 0; left > 0; left--) {
        const index = part.u32();
        names.set(part.name(), index);
      }
    }
  }
  return names;
}

/** The same module, which also exports these globals by these names. */
export function exportGlobals(
  wasm: Uint8Array,
  globals: ReadonlyMap<string, number>,
): Uint8Array<ArrayBuffer> {
  const added = [...globals].flatMap(([name, index]) => {
    const bytes = Buffer.from(name);
    return [...unsigned(bytes.length), ...bytes, EXTERNAL_GLOBAL, ...unsigned(index)];
  });
  const sections = readSections(wasm).map((section) => {
    if (section.id !== SectionId.EXPORT) return section;
    const reader = new Reader(section.body);
    const count = unsigned(reader.u32() + globals.size);
    const rest = section.body.subarray(reader.at);
    return { id: section.id, body: Uint8Array.from([...count, ...rest, ...added]) };
  });
  return writeSections(sections);
}

/** The module as it is shipped: without names and the address of a source map. */
export function stripNames(wasm: Uint8Array): Uint8Array<ArrayBuffer> {
  const isDebug = ({ id, body }: Section): boolean =>
    id === SectionId.CUSTOM && DEBUG_SECTIONS.includes(new Reader(body).name());
  return writeSections(readSections(wasm).filter((section) => !isDebug(section)));
}

/** Name of the custom section that tells a module's ABI version. */
const ABI_MARK = "iot32";

/**
 * Puts a custom section "iot32" with the ABI version (u16) in front of all others: a device that
 * is offered a module reads it in the first 18 bytes (assembly/codec/image_header.ts), before it
 * writes anything.
 */
export function markAbiVersion(wasm: Uint8Array, version: number): Uint8Array<ArrayBuffer> {
  const body = Uint8Array.of(
    ABI_MARK.length,
    ...Buffer.from(ABI_MARK),
    version & 0xff,
    version >> 8,
  );
  return writeSections([{ id: SectionId.CUSTOM, body }, ...readSections(wasm)]);
}

export interface ModuleStats {
  readonly bytes: number;
  readonly codeBytes: number;
  readonly functions: number;
  readonly dataSegments: number;
  readonly dataBytes: number;
  /** First byte after the highest data segment; static buffers may lie beyond it. */
  readonly dataEnd: number;
  readonly memoryPages: number;
  readonly imports: readonly string[];
  readonly exports: readonly string[];
}

function countOf(sections: readonly Section[], id: number): number {
  const body = sections.find((section) => section.id === id)?.body;
  return body === undefined ? 0 : new Reader(body).u32();
}

function memoryPages(sections: readonly Section[]): number {
  const body = sections.find((section) => section.id === SectionId.MEMORY)?.body;
  if (body === undefined) return 0;
  const reader = new Reader(body);
  if (reader.u32() === 0) return 0;
  reader.u32();
  return reader.u32();
}

function readExports(sections: readonly Section[]): string[] {
  const body = sections.find((section) => section.id === SectionId.EXPORT)?.body;
  if (body === undefined) return [];
  const reader = new Reader(body);
  return Array.from({ length: reader.u32() }, () => {
    const name = reader.name();
    reader.byte();
    reader.u32();
    return name;
  });
}

/** Figures of a module that decide what it costs on a chip. */
export function moduleStats(wasm: Uint8Array): ModuleStats {
  const sections = readSections(wasm);
  const data = sections.find((section) => section.id === SectionId.DATA)?.body;
  const segments = (data && readDataSegments(data)) ?? [];
  return {
    bytes: wasm.length,
    codeBytes: sections.find((section) => section.id === SectionId.CODE)?.body.length ?? 0,
    functions: countOf(sections, SectionId.CODE),
    dataSegments: segments.length,
    dataBytes: segments.reduce((sum, segment) => sum + segment.bytes.length, 0),
    dataEnd: segments.reduce((end, { offset, bytes }) => Math.max(end, offset + bytes.length), 0),
    memoryPages: memoryPages(sections),
    imports: readImports(sections).map((entry) => `${entry.module}.${entry.name}`),
    exports: readExports(sections),
  };
}
