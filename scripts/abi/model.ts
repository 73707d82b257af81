// The boundary between core and host as data: assembly/abi/abi.json, read and checked. Every
// generator works from this model only, so a mistake in the table is found here, once, with the
// name of what is wrong, and not as a compile error in one of four languages. A slice ("in" or
// "out") is one parameter in the model and two 32-bit values, pointer and size, on the wire.

export type ParamType = "i32" | "u32" | "in" | "out";
export type ResultType = "i32" | "ptr" | "status" | "count" | "token";

export interface Named {
  readonly name: string;
  readonly doc: string;
}

export interface Limit extends Named {
  readonly value: number;
}

export interface Enum extends Named {
  readonly type: "i32" | "u8";
  readonly values: readonly Limit[];
}

export interface Param extends Named {
  readonly type: ParamType;
  /** The enum whose values this parameter takes, or "". */
  readonly enum: string;
}

export interface Call extends Named {
  readonly params: readonly Param[];
  readonly result: ResultType;
}

export interface EventKind extends Named {
  readonly kind: number;
  readonly a: string;
  readonly b: string;
  readonly payload: string;
}

export interface Abi {
  readonly version: number;
  /** Import module name in the wasm file. */
  readonly module: string;
  readonly doc: string;
  readonly limits: readonly Limit[];
  readonly enums: readonly Enum[];
  readonly exports: readonly Call[];
  readonly events: readonly EventKind[];
  readonly imports: readonly Call[];
}

const CONSTANT_NAME = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/;
const CALL_NAME = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
const TYPE_NAME = /^[A-Z][A-Za-z0-9]*$/;
const RANGES = { i32: [-(2 ** 31), 2 ** 31 - 1], u8: [0, 255] } as const;
const PARAM_TYPES: readonly string[] = ["i32", "u32", "in", "out"];
const IMPORT_RESULTS: readonly string[] = ["status", "count", "token"];

/** A field of the table, with the path that leads to it for the error message. */
class Field {
  constructor(
    readonly value: unknown,
    readonly path: string,
  ) {}

  fail(reason: string): never {
    throw new Error(`abi.json: ${this.path} ${reason}`);
  }

  at(key: string): Field {
    if (typeof this.value !== "object" || this.value === null) this.fail("must be an object");
    return new Field((this.value as Record<string, unknown>)[key], `${this.path}.${key}`);
  }

  list<T extends object>(read: (field: Field) => T): T[] {
    if (!Array.isArray(this.value)) this.fail("must be a list");
    return this.value.map((item: unknown, index) => {
      const name = (item as { name?: unknown } | null)?.name;
      return read(new Field(item, `${this.path}[${typeof name === "string" ? name : index}]`));
    });
  }

  /** One line of prose; it lands in comments of three languages and in Markdown. */
  text(): string {
    const value = this.value;
    if (typeof value !== "string") this.fail("must be a text");
    if (/[\n\r]|\*\/|\/\*/.test(value)) this.fail("must be one line without comment marks");
    return value;
  }

  optionalText(): string {
    return this.value === undefined ? "" : this.text();
  }

  name(pattern: RegExp): string {
    const value = this.text();
    if (!pattern.test(value)) this.fail(`does not match ${pattern}`);
    return value;
  }

  oneOf<T extends string>(choices: readonly string[]): T {
    const value = this.text();
    if (!choices.includes(value)) this.fail(`must be one of ${choices.join(", ")}`);
    return value as T;
  }

  integer(minimum: number, maximum: number): number {
    const value = this.value;
    if (typeof value !== "number" || !Number.isInteger(value)) this.fail("must be an integer");
    if (value < minimum || value > maximum) this.fail(`must be ${minimum} to ${maximum}`);
    return value;
  }
}

function requireUnique<T>(items: readonly T[], key: (item: T) => string | number, what: string) {
  const seen = new Set<string | number>();
  for (const item of items) {
    if (seen.has(key(item))) throw new Error(`abi.json: ${what} ${key(item)} stands there twice`);
    seen.add(key(item));
  }
}

function readLimit(minimum: number, maximum: number) {
  return (field: Field): Limit => ({
    name: field.at("name").name(CONSTANT_NAME),
    value: field.at("value").integer(minimum, maximum),
    doc: field.at("doc").text(),
  });
}

function readEnum(field: Field): Enum {
  const type = field.at("type").oneOf<Enum["type"]>(Object.keys(RANGES));
  const name = field.at("name").name(TYPE_NAME);
  const values = field.at("values").list(readLimit(RANGES[type][0], RANGES[type][1]));
  requireUnique(values, (value) => value.name, `name in ${name}`);
  requireUnique(values, (value) => value.value, `value in ${name}`);
  return { name, type, doc: field.at("doc").text(), values };
}

function readParam(field: Field): Param {
  return {
    name: field.at("name").name(CALL_NAME),
    type: field.at("type").oneOf<ParamType>(PARAM_TYPES),
    enum: field.at("enum").optionalText(),
    doc: field.at("doc").optionalText(),
  };
}

function readCall(results: readonly string[]) {
  return (field: Field): Call => {
    const name = field.at("name").name(CALL_NAME);
    const params = field.at("params").list(readParam);
    requireUnique(params, (param) => param.name, `parameter of ${name}`);
    const result = field.at("result").oneOf<ResultType>(results);
    return { name, params, result, doc: field.at("doc").text() };
  };
}

function readEvent(field: Field): EventKind {
  return {
    name: field.at("name").name(CONSTANT_NAME),
    kind: field.at("kind").integer(0, 2 ** 31 - 1),
    a: field.at("a").text(),
    b: field.at("b").text(),
    payload: field.at("payload").text(),
    doc: field.at("doc").text(),
  };
}

/** Checks that hold between parts of the table. */
function checkAbi(abi: Abi): void {
  requireUnique(abi.limits, (limit) => limit.name, "limit");
  requireUnique(abi.enums, (item) => item.name, "enum");
  requireUnique(abi.events, (event) => event.name, "event");
  requireUnique(abi.events, (event) => event.kind, "event kind");
  requireUnique(abi.exports, (call) => call.name, "export");
  requireUnique(abi.imports, (call) => call.name, "import");
  const status = abi.enums.find((item) => item.name === "Status");
  const invalid = status?.values.find((value) => value.name === "INVALID_ARGUMENT");
  if (invalid === undefined || invalid.value >= 0) {
    throw new Error(
      "abi.json: Status needs a negative INVALID_ARGUMENT, the answer to a bad slice",
    );
  }
  for (const call of abi.imports) {
    if (!call.name.includes("_")) throw new Error(`abi.json: ${call.name} names no capability`);
    for (const param of call.params) {
      if (param.enum !== "" && !abi.enums.some((item) => item.name === param.enum)) {
        throw new Error(`abi.json: ${call.name}(${param.name}) names unknown enum ${param.enum}`);
      }
    }
  }
}

/** Reads and checks the text of abi.json; throws an Error that names the field at fault. */
export function parseAbi(text: string): Abi {
  const root = new Field(JSON.parse(text), "table");
  const abi: Abi = {
    version: root.at("version").integer(1, 2 ** 31 - 1),
    module: root.at("module").name(CALL_NAME),
    doc: root.at("doc").text(),
    limits: root.at("limits").list(readLimit(0, 2 ** 31 - 1)),
    enums: root.at("enums").list(readEnum),
    exports: root.at("exports").list(readCall(["i32", "ptr"])),
    events: root.at("events").list(readEvent),
    imports: root.at("imports").list(readCall(IMPORT_RESULTS)),
  };
  checkAbi(abi);
  return abi;
}

/** Whether a parameter is a slice of linear memory: two wasm values, pointer and size. */
export function isSlice(param: Param): boolean {
  return param.type === "in" || param.type === "out";
}

/** Number of 32-bit wasm values a call takes; every one of them is an i32 in the module. */
export function wasmArity(call: Call): number {
  return call.params.reduce((count, param) => count + (isSlice(param) ? 2 : 1), 0);
}

/** Imports by capability, the part of the name before the first underscore, in table order. */
export function byCapability(abi: Abi): Map<string, Call[]> {
  const groups = new Map<string, Call[]>();
  for (const call of abi.imports) {
    const capability = capabilityOf(call);
    groups.set(capability, [...(groups.get(capability) ?? []), call]);
  }
  return groups;
}

export function capabilityOf(call: Call): string {
  return call.name.slice(0, call.name.indexOf("_"));
}

/** The contract sentences of a call with those of its parameters appended. */
export function callDoc(call: Call): string {
  const notes = call.params.flatMap((param) => {
    const meaning = [param.enum === "" ? "" : `see ${param.enum}`, param.doc].filter(Boolean);
    return meaning.length === 0 ? [] : [`${param.name}: ${meaning.join("; ")}.`];
  });
  return [call.doc, ...notes].join(" ");
}

/** The contract sentences of an event with the meaning of its arguments appended. */
export function eventDoc(event: EventKind): string {
  const notes = (["a", "b", "payload"] as const).filter((field) => event[field] !== "");
  return [event.doc, ...notes.map((field) => `${field}: ${event[field]}.`)].join(" ");
}
