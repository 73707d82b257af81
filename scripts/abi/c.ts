// Generates the C side for wasm3: host_abi.h, what a port implements and what the host calls, and
// host_abi_link.c, one thunk per import with its argument unpacking and bounds checks. They are
// generated because wasm3 believes the signature string it is given: a thunk that unpacks something
// else links without complaint and reads garbage.

import {
  type Abi,
  byCapability,
  type Call,
  callDoc,
  eventDoc,
  isSlice,
  type Limit,
  wasmArity,
} from "./model.js";
import { bracketed, GENERATED, joinLines, lineComment, upperSnake, wrapWords } from "./text.js";

/** A comment in C style, wrapped; every line of it is the whole of its line. */
function cComment(text: string, indent = ""): string[] {
  const lines = wrapWords(text, 97 - indent.length - 3);
  if (lines.length === 1) return [`${indent}/* ${lines[0]} */`];
  const last = lines.length - 1;
  return lines.map((line, index) => {
    const start = index === 0 ? "/* " : " * ";
    return `${indent}${start}${line}${index === last ? " */" : ""}`;
  });
}

function cEnum(name: string, doc: string, values: readonly Limit[]): string[] {
  const prefix = `HOST_${upperSnake(name)}`;
  const members = values.flatMap((value) => [
    ...cComment(value.doc, "  "),
    `  ${prefix}_${value.name} = ${value.value},`,
  ]);
  return ["", ...cComment(doc), `enum ${prefix.toLowerCase()} {`, ...members, "};"];
}

export function cParameters(call: Call): string[] {
  const params = call.params.flatMap((param) => {
    if (!isSlice(param)) return [`${param.type === "u32" ? "uint32_t" : "int32_t"} ${param.name}`];
    const constness = param.type === "in" ? "const " : "";
    return [`${constness}uint8_t *${param.name}`, `uint32_t ${param.name}_size`];
  });
  return params.length === 0 ? ["void"] : params;
}

function prototype(call: Call): string[] {
  const open = `int32_t host_${call.name}(`;
  return ["", ...cComment(callDoc(call)), ...bracketed(open, cParameters(call), ");", "", "")];
}

/** Signature in the notation of wasm3: result, then parameters. */
function signature(call: Call): string {
  return `i(${"i".repeat(wasmArity(call))})`;
}

/** One letter a parameter: u, i, and for slices < (in) and > (out), which are two wire values. */
function parameterKinds(call: Call): string {
  const letters = { u32: "u", i32: "i", in: "<", out: ">" };
  return call.params.map((param) => letters[param.type]).join("");
}

/** A letter for what the result is; exports give plain values. */
const RESULTS = { status: "s", count: "c", token: "t", i32: "v", ptr: "v" } as const;

function entry(call: Call, pointer: string): string {
  const texts = `"${call.name}", "${signature(call)}", "${parameterKinds(call)}"`;
  return `  {${texts}, '${RESULTS[call.result]}', ${pointer}},`;
}

function thunk(call: Call): string[] {
  const wire = call.params.flatMap((param) => {
    if (!isSlice(param)) {
      return [`  m3ApiGetArg(${param.type === "u32" ? "uint32_t" : "int32_t"}, ${param.name})`];
    }
    return [
      `  m3ApiGetArg(uint32_t, ${param.name})`,
      `  m3ApiGetArg(uint32_t, ${param.name}_size)`,
    ];
  });
  const slices = call.params.filter(isSlice);
  const checks = slices.flatMap(({ name }) => [
    `  if (!is_in_memory(runtime, ${name}, ${name}_size)) {`,
    "    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)",
    "  }",
  ]);
  const args = call.params.flatMap((param) =>
    isSlice(param) ? [`(uint8_t *)_mem + ${param.name}`, `${param.name}_size`] : [param.name],
  );
  const unused = ["(void)_ctx;", ...(slices.length === 0 ? ["(void)runtime;", "(void)_mem;"] : [])];
  return [
    "",
    `static m3ApiRawFunction(call_${call.name}) {`,
    "  m3ApiReturnType(int32_t)",
    ...wire,
    `  ${unused.join(" ")}`,
    ...checks,
    ...bracketed(`m3ApiReturn(host_${call.name}(`, args, "))", "  ", ""),
    "}",
  ];
}

const CHECK_DOC =
  "Compares the imports and exports of a module with the table, before wasm3 sees it: every " +
  "import is in the table with its signature, the exports are the functions of the table and " +
  "memory, all are there, and nothing else. Returns NULL, or a text that names what is wrong " +
  "(valid until the next call). wasm3 itself finds an import that nobody links only when the " +
  "call is compiled, which may be hours after boot, and never looks at names it is not asked for.";

const LINK_DOC =
  "Links the imports that the module uses. Call it after m3_LoadModule and before any function " +
  "of the module runs. An import that the module does not use is skipped; a signature that " +
  "differs, or memory that runs out, is returned as wasm3 reports it. With a gate every import is " +
  "linked to it instead: its user data is the entry, whose function it calls, or not.";

const SLICE_RULES =
  "What a port implements, by capability. A slice (pointer and size) was checked to lie wholly " +
  "in linear memory; it ends with the call, so a port copies what it keeps. With size 0 the " +
  "pointer may be one past the end of memory: do not read through it.";

/** Declarations of the tables that host_abi_link.c has. */
function tables(abi: Abi): string[] {
  return [
    ...cComment(
      "One call of the table. Every wire value, and the result, is an i32; the signature is in " +
        "the notation of wasm3, and function is NULL in the table of exports. parameters has one " +
        "letter for each: u and i are one wire value, unsigned or signed; < (in) and > (out) are " +
        "slices of memory, which are two, pointer and size. result is s for a status, c for a count " +
        "(of an out slice: of the bytes in it), t for a token, v for the value of an export.",
    ),
    "struct host_abi_entry {",
    "  const char *name;",
    "  const char *signature;",
    "  const char *parameters;",
    "  char result;",
    "  M3RawCall function;",
    "};",
    "",
    `#define HOST_ABI_IMPORT_COUNT ${abi.imports.length}`,
    `#define HOST_ABI_EXPORT_COUNT ${abi.exports.length}`,
    "extern const struct host_abi_entry host_abi_imports[HOST_ABI_IMPORT_COUNT];",
    "extern const struct host_abi_entry host_abi_exports[HOST_ABI_EXPORT_COUNT];",
    "",
    ...cComment("Names of the kinds of events, as traces have them."),
    "struct host_abi_event {",
    "  uint32_t kind;",
    "  const char *name;",
    "};",
    "",
    `#define HOST_ABI_EVENT_COUNT ${abi.events.length}`,
    "extern const struct host_abi_event host_abi_events[HOST_ABI_EVENT_COUNT];",
    "",
    ...cComment("Name of a kind; NULL when there is no such kind."),
    "const char *host_abi_event_name(uint32_t kind);",
  ];
}

export function generateHeader(abi: Abi): string {
  const kinds = abi.events.map((event) => ({
    name: event.name,
    value: event.kind,
    doc: eventDoc(event),
  }));
  const limits = abi.limits.flatMap((limit) => [
    ...cComment(limit.doc),
    `#define HOST_${limit.name} ${limit.value}`,
  ]);
  const prototypes = [...byCapability(abi)].flatMap(([, calls]) => calls.flatMap(prototype));
  return joinLines([
    `// ${GENERATED}`,
    "//",
    ...lineComment(abi.doc),
    "",
    "#ifndef HOST_ABI_H",
    "#define HOST_ABI_H",
    "",
    "#include <stdint.h>",
    "",
    '#include "wasm3.h"',
    "",
    ...cComment("A module whose abi_version differs is refused before any other call."),
    `#define HOST_ABI_VERSION ${abi.version}`,
    ...cComment("Module name of every import."),
    `#define HOST_ABI_MODULE "${abi.module}"`,
    "",
    ...limits,
    ...abi.enums.flatMap((item) => cEnum(item.name, item.doc, item.values)),
    ...cEnum("EventKind", "First argument of dispatch: what happened.", kinds),
    "",
    ...cComment(SLICE_RULES),
    ...prototypes,
    "",
    ...tables(abi),
    "",
    ...cComment(CHECK_DOC),
    "const char *host_abi_check(const uint8_t *wasm, uint32_t wasm_size);",
    "",
    ...cComment(LINK_DOC),
    "M3Result host_abi_link(IM3Module module, M3RawCall gate);",
    "",
    "#endif",
  ]);
}

export function generateLinkTable(abi: Abi): string {
  const imports = abi.imports.map((call) => entry(call, `call_${call.name}`));
  const exported = abi.exports.map((call) => entry(call, "NULL"));
  return joinLines([
    `// ${GENERATED}`,
    "//",
    ...lineComment(
      "One thunk per import: it takes the wire values off the stack of wasm3, checks that each " +
        "slice lies wholly in linear memory, and calls the port. A slice that does not is answered " +
        "with INVALID_ARGUMENT and the port is not called.",
    ),
    "",
    "#include <stdbool.h>",
    "#include <stddef.h>",
    "",
    '#include "host_abi.h"',
    "",
    ...cComment(
      "Whether size bytes from pointer are memory. The subtraction cannot wrap because the first " +
        "comparison has passed; a sum could.",
    ),
    "static bool is_in_memory(IM3Runtime runtime, uint32_t pointer, uint32_t size) {",
    "  const uint32_t memory_size = m3_GetMemorySize(runtime);",
    "  return pointer <= memory_size && size <= memory_size - pointer;",
    "}",
    ...abi.imports.flatMap(thunk),
    "",
    "const struct host_abi_entry host_abi_imports[HOST_ABI_IMPORT_COUNT] = {",
    ...imports,
    "};",
    "",
    "const struct host_abi_entry host_abi_exports[HOST_ABI_EXPORT_COUNT] = {",
    ...exported,
    "};",
    "",
    "const struct host_abi_event host_abi_events[HOST_ABI_EVENT_COUNT] = {",
    ...abi.events.map((event) => `  {HOST_EVENT_KIND_${event.name}, "${event.name}"},`),
    "};",
    "",
    "const char *host_abi_event_name(uint32_t kind) {",
    "  for (size_t i = 0; i < HOST_ABI_EVENT_COUNT; i++) {",
    "    if (host_abi_events[i].kind == kind) {",
    "      return host_abi_events[i].name;",
    "    }",
    "  }",
    "  return NULL;",
    "}",
    "",
    "M3Result host_abi_link(IM3Module module, M3RawCall gate) {",
    "  for (size_t i = 0; i < HOST_ABI_IMPORT_COUNT; i++) {",
    "    const struct host_abi_entry *entry = &host_abi_imports[i];",
    "    const M3RawCall function = gate != NULL ? gate : entry->function;",
    "    const M3Result result = m3_LinkRawFunctionEx(module, HOST_ABI_MODULE, entry->name,",
    "                                                 entry->signature, function, entry);",
    "    if (result != m3Err_none && result != m3Err_functionLookupFailed) {",
    "      return result;",
    "    }",
    "  }",
    "  return m3Err_none;",
    "}",
  ]);
}
