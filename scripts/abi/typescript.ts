// Generates host-node/src/abi.ts: constants, one interface per capability that a port implements,
// the binder that turns wire values into the arguments of a port, and the table as data. The binder
// is spelled out call by call, not driven by the table at run time, so that the compiler checks
// every port against it.

import {
  type Abi,
  byCapability,
  type Call,
  callDoc,
  type Enum,
  eventDoc,
  isSlice,
  type Limit,
  type Param,
} from "./model.js";
import {
  bracketed,
  camelCase,
  capitalized,
  docComment,
  GENERATED,
  joinLines,
  lineComment,
} from "./text.js";
import { BINDER_HELPERS, NAME_FUNCTIONS, TABLE_TYPES } from "./typescript_parts.js";

const STATUS_ENUM = "Status";

function constantObject(name: string, doc: string, values: readonly Limit[]): string[] {
  return [
    "",
    ...docComment(doc),
    `export const ${name} = {`,
    ...values.flatMap((value) => [
      ...docComment(value.doc, "  "),
      `  ${value.name}: ${value.value},`,
    ]),
    "} as const;",
    `export type ${name} = (typeof ${name})[keyof typeof ${name}];`,
  ];
}

function statusTexts(item: Enum): string[] {
  const entries = item.values.flatMap((value) => {
    const entry = `  [Status.${value.name}]: ${JSON.stringify(value.doc)},`;
    if (entry.length <= 100) return [entry];
    return [`  [Status.${value.name}]:`, `    ${JSON.stringify(value.doc)},`];
  });
  return ["", "const STATUS_TEXTS: Readonly<Record<number, string>> = {", ...entries, "};"];
}

/** Name of a call inside its port: flash_read is read of FlashPort. */
function methodName(call: Call): string {
  return camelCase(call.name.slice(call.name.indexOf("_") + 1));
}

function portParameter(param: Param): string {
  return `${camelCase(param.name)}: ${isSlice(param) ? "Uint8Array" : "number"}`;
}

function portInterface(capability: string, calls: readonly Call[]): string[] {
  const methods = calls.flatMap((call) => [
    ...docComment(callDoc(call), "  "),
    ...bracketed(`${methodName(call)}(`, call.params.map(portParameter), "): number;", "  "),
  ]);
  return ["", `export interface ${capitalized(capability)}Port {`, ...methods, "}"];
}

function wireNames(call: Call): string[] {
  return call.params.flatMap((param) => {
    const name = camelCase(param.name);
    return isSlice(param) ? [name, `${name}Size`] : [name];
  });
}

function portArgument(param: Param): string {
  const name = camelCase(param.name);
  if (isSlice(param)) return `${name}View`;
  return param.type === "u32" ? `${name} >>> 0` : `${name} | 0`;
}

/** An argument as the hook sees it when a slice of the call, `isOnly` or one of several, is bad. */
function refusedArgument(param: Param, isOnly: boolean): string {
  const name = camelCase(param.name);
  if (!isSlice(param)) return portArgument(param);
  const outside = `outside(${name}, ${name}Size)`;
  return isOnly ? outside : `${name}View ?? ${outside}`;
}

/** One property of the import object: slices checked, numbers given their sign, port called. */
function binding(capability: string, call: Call): string[] {
  const slices = call.params.filter(isSlice).map((param) => camelCase(param.name));
  const views = slices.map((name) => `      const ${name}View = slice(${name}, ${name}Size);`);
  const isBad = slices.map((name) => `${name}View === null`).join(" || ");
  const refused = call.params.map((param) => refusedArgument(param, slices.length === 1));
  const refusal = bracketed(`return refused("${call.name}", [`, refused, "]);", "        ");
  const guard = slices.length === 0 ? [] : [`      if (${isBad}) {`, ...refusal, "      }"];
  const target = `ports.${capability}.${methodName(call)}`;
  return [
    ...bracketed(`${call.name}: (`, wireNames(call), ") => {", "    "),
    ...views,
    ...guard,
    ...bracketed("const args = [", call.params.map(portArgument), "] as const;", "      "),
    `      return finished("${call.name}", args, ${target}(...args));`,
    "    },",
  ];
}

function binder(abi: Abi, groups: ReadonlyMap<string, readonly Call[]>): string[] {
  const calls = [...groups].flatMap(([capability, members]) =>
    members.flatMap((call) => binding(capability, call)),
  );
  return [...BINDER_HELPERS, `  const ${abi.module}: HostImports = {`, ...calls, "  };"];
}

function tableEntry(call: Call): string[] {
  const params = call.params.map((param) => `${camelCase(param.name)}: "${param.type}"`);
  const object = params.length === 0 ? "{}" : `{ ${params.join(", ")} }`;
  const single = `  { name: "${call.name}", params: ${object}, result: "${call.result}" },`;
  if (single.length <= 100) return [single];
  const inner = `    params: ${object},`;
  const broken = ["    params: {", ...params.map((param) => `      ${param},`), "    },"];
  return [
    "  {",
    `    name: "${call.name}",`,
    ...(inner.length <= 100 ? [inner] : broken),
    `    result: "${call.result}",`,
    "  },",
  ];
}

function table(name: string, type: string, doc: string, calls: readonly Call[]): string[] {
  const open = `export const ${name}: readonly ${type}[] = [`;
  return ["", ...docComment(doc), open, ...calls.flatMap(tableEntry), "];"];
}

function coreExports(abi: Abi): string[] {
  const methods = abi.exports.flatMap((call) => [
    ...docComment(callDoc(call), "  "),
    ...bracketed(`${call.name}(`, call.params.map(portParameter), "): number;", "  "),
  ]);
  const memory = ["  /** Linear memory; its buffer is replaced when it grows. */"];
  return [
    "",
    "/** What a module offers. It exports these and nothing else. */",
    "export interface CoreExports {",
    ...memory,
    "  readonly memory: WasmMemory;",
    ...methods,
    "}",
  ];
}

export function generateTypeScript(abi: Abi): string {
  const groups = byCapability(abi);
  const kinds = abi.events.map((event) => ({
    name: event.name,
    value: event.kind,
    doc: eventDoc(event),
  }));
  const status = abi.enums.find((item) => item.name === STATUS_ENUM)!;
  const ports = [...groups.keys()].map((name) => `  readonly ${name}: ${capitalized(name)}Port;`);
  const limits = abi.limits.flatMap((limit) => [
    "",
    ...docComment(limit.doc),
    `export const ${limit.name} = ${limit.value};`,
  ]);
  return joinLines([
    `// ${GENERATED}`,
    "//",
    ...lineComment(abi.doc),
    "",
    "/** Version of the table this file was generated from; a module of another one is refused. */",
    `export const ABI_VERSION = ${abi.version};`,
    "",
    "/** Module name of every import. */",
    `export const IMPORT_MODULE = "${abi.module}";`,
    ...limits,
    ...abi.enums.flatMap((item) => constantObject(item.name, item.doc, item.values)),
    ...constantObject("EventKind", "First argument of dispatch: what happened.", kinds),
    ...statusTexts(status),
    ...NAME_FUNCTIONS,
    ...[...groups].flatMap(([capability, calls]) => portInterface(capability, calls)),
    "",
    "/** One port for each capability; a method returns a Status, a count or a token at once. */",
    "export interface Ports {",
    ...ports,
    "}",
    ...coreExports(abi),
    ...TABLE_TYPES,
    ...table("IMPORTS", "ImportEntry", "Every import a module may use.", abi.imports),
    ...table("EXPORTS", "ExportEntry", "Every function a module exports.", abi.exports),
    ...binder(abi, groups),
    `  return { ${abi.module} };`,
    "}",
  ]);
}
