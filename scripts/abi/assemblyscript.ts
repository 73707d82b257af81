// Generates assembly/abi/host.ts: what the core sees of its host. Constants are namespaces and not
// enums, because an AssemblyScript enum is always i32 while a state kept in memory wants its byte.
// The only file of the project with function decorators, which is what `@external` is.

import { type Abi, type Call, callDoc, eventDoc, isSlice } from "./model.js";
import { bracketed, camelCase, docComment, GENERATED, joinLines, lineComment } from "./text.js";

interface Constant {
  readonly name: string;
  readonly value: number;
  readonly doc: string;
}

function namespace(name: string, type: string, doc: string, constants: readonly Constant[]) {
  const body = constants.flatMap((constant) => [
    ...docComment(constant.doc, "  "),
    `  export const ${constant.name}: ${type} = ${constant.value};`,
  ]);
  return ["", ...docComment(doc), `export namespace ${name} {`, ...body, "}"];
}

function parameters(call: Call): string[] {
  return call.params.flatMap((param) => {
    const name = camelCase(param.name);
    return isSlice(param) ? [`${name}: usize`, `${name}Size: u32`] : [`${name}: ${param.type}`];
  });
}

function declaration(module: string, call: Call): string[] {
  const open = `export declare function ${camelCase(call.name)}(`;
  return [
    "",
    ...docComment(callDoc(call)),
    "// @ts-ignore: decorator",
    `@external("${module}", "${call.name}")`,
    ...bracketed(open, parameters(call), "): i32;"),
  ];
}

export function generateAssemblyScript(abi: Abi): string {
  const kinds = abi.events.map((event) => ({
    name: event.name,
    value: event.kind,
    doc: eventDoc(event),
  }));
  const limits = abi.limits.flatMap((limit) => [
    "",
    ...docComment(limit.doc),
    `export const ${limit.name}: i32 = ${limit.value};`,
  ]);
  return joinLines([
    `// ${GENERATED}`,
    "//",
    ...lineComment(abi.doc),
    "",
    ...docComment(
      "Version of the table this file was generated from; the export abi_version returns it.",
    ),
    `export const ABI_VERSION: i32 = ${abi.version};`,
    ...limits,
    ...abi.enums.flatMap((item) => namespace(item.name, item.type, item.doc, item.values)),
    ...namespace("EventKind", "i32", "First argument of dispatch: what happened.", kinds),
    ...abi.imports.flatMap((call) => declaration(abi.module, call)),
  ]);
}
