// A small reader of WebAssembly binaries: which sections, types, imports, exports, code bodies and
// data segments a module has, and where in the file they stand. V8's own reflection tells names but
// no signatures and no sizes. Every read is checked against the end of its section, and a section
// must be used up exactly; what the reader cannot understand is an Error with a file position.
// Used by the module check and by the size report. Format: WebAssembly Core Specification 2.0, 5.

export interface FunctionType {
  readonly params: readonly string[];
  readonly results: readonly string[];
}

export interface Section {
  readonly id: number;
  /** Standard name, or the name a custom section (id 0) carries. */
  readonly name: string;
  /** File position and size of the content, after the id and length. */
  readonly offset: number;
  readonly size: number;
}

export type ExternalKind = "function" | "table" | "memory" | "global" | "tag";

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternalKind;
  /** Index of the type of a function; -1 for other kinds. */
  readonly typeIndex: number;
}

export interface Export {
  readonly name: string;
  readonly kind: ExternalKind;
  /** Index in the index space of its kind; imports come first in it. */
  readonly index: number;
}

export interface FunctionBody {
  /** Function index, imports counted. */
  readonly index: number;
  /** File position and size of the body, after its length. */
  readonly offset: number;
  readonly size: number;
}

export interface DataSegment {
  readonly index: number;
  /** File position and size of the bytes. */
  readonly offset: number;
  readonly size: number;
  /** Where in memory it goes; null when passive or not a plain i32.const. */
  readonly address: number | null;
}

export interface WasmModule {
  readonly sections: readonly Section[];
  readonly types: readonly FunctionType[];
  readonly imports: readonly Import[];
  /** Type index of each function the module defines. */
  readonly functions: readonly number[];
  readonly exports: readonly Export[];
  readonly bodies: readonly FunctionBody[];
  readonly data: readonly DataSegment[];
  /** Names from the name section by function index; empty when it was stripped. */
  readonly functionNames: ReadonlyMap<number, string>;
}

const SECTION_NAMES: readonly string[] = [
  "custom",
  "type",
  "import",
  "function",
  "table",
  "memory",
  "global",
  "export",
  "start",
  "element",
  "code",
  "data",
  "data count",
  "tag",
];
const KINDS: readonly ExternalKind[] = ["function", "table", "memory", "global", "tag"];
const VALUE_TYPES: ReadonlyMap<number, string> = new Map([
  [0x7f, "i32"],
  [0x7e, "i64"],
  [0x7d, "f32"],
  [0x7c, "f64"],
  [0x7b, "v128"],
  [0x70, "funcref"],
  [0x6f, "externref"],
]);
const HEADER: readonly number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** A cursor over a part of the file. */
class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public position: number,
    readonly end: number,
  ) {}

  fail(reason: string): never {
    throw new Error(`wasm: ${reason} at byte ${this.position}`);
  }

  isAtEnd(): boolean {
    return this.position === this.end;
  }

  byte(): number {
    if (this.position >= this.end) this.fail("unexpected end");
    return this.bytes[this.position++]!;
  }

  /** LEB128 of at most five bytes; `signed` values wrap to the i32 they denote. */
  private leb32(signed: boolean): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      const chunk = byte & 0x7f;
      const isSignExtension = signed && (chunk & 0x78) === 0x78;
      if (shift === 28 && chunk > (signed ? 0x07 : 0x0f) && !isSignExtension) break;
      value |= chunk << shift;
      if ((byte & 0x80) !== 0) continue;
      return signed && shift < 28 && (chunk & 0x40) !== 0 ? value | (-1 << (shift + 7)) : value;
    }
    return this.fail("integer too long");
  }

  u32(): number {
    return this.leb32(false) >>> 0;
  }

  i32(): number {
    return this.leb32(true);
  }

  /** The next `size` bytes as a reader of their own. */
  part(size: number): Reader {
    if (size > this.end - this.position) this.fail(`${size} bytes do not fit`);
    const part = new Reader(this.bytes, this.position, this.position + size);
    this.position += size;
    return part;
  }

  text(): string {
    const part = this.part(this.u32());
    const bytes = this.bytes.subarray(part.position, part.end);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return part.fail("name is not UTF-8");
    }
  }

  list<T>(read: (reader: Reader, index: number) => T): T[] {
    const items: T[] = [];
    for (let remaining = this.u32(); remaining > 0; remaining--) {
      items.push(read(this, items.length));
    }
    return items;
  }

  oneOf<T>(choices: { get(code: number): T | undefined }, what: string): T {
    const choice = choices.get(this.byte());
    if (choice !== undefined) return choice;
    this.position--;
    return this.fail(`unknown ${what}`);
  }

  valueType(): string {
    return this.oneOf(VALUE_TYPES, "value type");
  }

  kind(): ExternalKind {
    return this.oneOf({ get: (code) => KINDS[code] }, "external kind");
  }

  /** Minimum and optional maximum of a table or memory. */
  skipLimits(): void {
    const flags = this.byte();
    this.u32();
    if ((flags & 1) !== 0) this.u32();
  }
}

function readType(reader: Reader): FunctionType {
  if (reader.byte() !== 0x60) reader.fail("not a function type");
  const valueType = (part: Reader) => part.valueType();
  return { params: reader.list(valueType), results: reader.list(valueType) };
}

function readImport(reader: Reader): Import {
  const module = reader.text();
  const name = reader.text();
  const kind = reader.kind();
  let typeIndex = -1;
  if (kind === "function") typeIndex = reader.u32();
  if (kind === "table" || kind === "global") reader.valueType();
  if (kind === "table" || kind === "memory") reader.skipLimits();
  if (kind === "global" || kind === "tag") reader.byte();
  if (kind === "tag") reader.u32();
  return { module, name, kind, typeIndex };
}

function readExport(reader: Reader): Export {
  return { name: reader.text(), kind: reader.kind(), index: reader.u32() };
}

/** Offset expression of an active segment: the constant, or null when it is something else. */
function readOffset(reader: Reader): number | null {
  const opcode = reader.byte();
  let address: number | null = null;
  if (opcode === 0x41) address = reader.i32() >>> 0;
  else if (opcode === 0x23) reader.u32();
  else reader.fail("unknown offset expression");
  if (reader.byte() !== 0x0b) reader.fail("offset expression does not end");
  return address;
}

function readData(reader: Reader, index: number): DataSegment {
  const mode = reader.u32();
  if (mode > 2) reader.fail("unknown mode of a data segment");
  if (mode === 2) reader.u32();
  const address = mode === 1 ? null : readOffset(reader);
  const size = reader.u32();
  return { index, offset: reader.part(size).position, size, address };
}

/** Function names: subsection 1 of the name section; the others are skipped. */
function readFunctionNames(reader: Reader): Map<number, string> {
  const names = new Map<number, string>();
  while (!reader.isAtEnd()) {
    const id = reader.byte();
    const part = reader.part(reader.u32());
    if (id === 1) part.list((entry) => names.set(entry.u32(), entry.text()));
  }
  return names;
}

/** Splits the file into sections; each comes with a reader of its content. */
function readSections(wasm: Uint8Array): { section: Section; content: Reader }[] {
  const reader = new Reader(wasm, 0, wasm.length);
  for (const expected of HEADER) {
    if (reader.byte() !== expected) reader.fail("not a WebAssembly 1 module");
  }
  const found: { section: Section; content: Reader }[] = [];
  while (!reader.isAtEnd()) {
    const id = reader.byte();
    if (id >= SECTION_NAMES.length) reader.fail(`unknown section ${id}`);
    if (id !== 0 && found.some(({ section }) => section.id === id)) {
      reader.fail(`second ${SECTION_NAMES[id]} section`);
    }
    const content = reader.part(reader.u32());
    const { position: offset, end } = content;
    const name = id === 0 ? content.text() : SECTION_NAMES[id]!;
    found.push({ section: { id, name, offset, size: end - offset }, content });
  }
  return found;
}

/** Reads a module; throws an Error with the file position when it is malformed. */
export function readWasm(wasm: Uint8Array): WasmModule {
  const found = readSections(wasm);
  const list = <T>(id: number, read: (reader: Reader, index: number) => T): T[] => {
    const content = found.find(({ section }) => section.id === id)?.content;
    if (content === undefined) return [];
    const items = content.list(read);
    if (!content.isAtEnd()) content.fail(`${SECTION_NAMES[id]} section has bytes left over`);
    return items;
  };
  const imports = list(2, readImport);
  const importCount = imports.filter(({ kind }) => kind === "function").length;
  const functions = list(3, (reader) => reader.u32());
  const bodies = list(10, (reader, index) => {
    const size = reader.u32();
    return { index: importCount + index, offset: reader.part(size).position, size };
  });
  if (functions.length !== bodies.length) {
    throw new Error(`wasm: ${functions.length} functions but ${bodies.length} code bodies`);
  }
  const names = found.find(({ section }) => section.id === 0 && section.name === "name");
  return {
    sections: found.map(({ section }) => section),
    types: list(1, readType),
    imports,
    functions,
    exports: list(7, readExport),
    bodies,
    data: list(11, readData),
    functionNames: names === undefined ? new Map() : readFunctionNames(names.content),
  };
}

/** Type of a function by its index, imports counted; undefined when the module has no such type. */
export function functionType(module: WasmModule, index: number): FunctionType | undefined {
  const imported = module.imports.filter(({ kind }) => kind === "function");
  const typeIndex = imported[index]?.typeIndex ?? module.functions[index - imported.length];
  return typeIndex === undefined ? undefined : module.types[typeIndex];
}
