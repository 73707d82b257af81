// What every build does to the compiler, as-pect's builds too.
//
// Compile-time UTF-8 literals: `utf8("text")` becomes the address of a static, NUL-terminated run
// of UTF-8 bytes. A String literal costs a 20-byte header and two bytes a character, in flash and
// in linear memory. The declaration for editors stands in assembly/util/utf8.d.ts.
//
// The minimal runtime is ours, assembly/runtime/index.ts. The compiler would take another one by
// its path, but then it reserves 32 KB for a shadow stack, which only its incremental collector
// needs.

import { readFileSync } from "node:fs";
import * as ast from "assemblyscript";
import { libraryFiles } from "assemblyscript/asc";
import { Transform } from "assemblyscript/transform";

const runtime = new URL("../assembly/runtime/index.ts", import.meta.url);
libraryFiles["rt/iot32"] = readFileSync(runtime, "utf8");
// What an entry file exports becomes an export of the module: the entry only imports.
libraryFiles["rt/index-minimal"] = 'import "./iot32";';

const NAME = "utf8";

/** The text of a `utf8("...")` call, or null when the node is something else. */
function literalOf(node) {
  if (node?.kind !== ast.NodeKind.Call) return null;
  if (node.expression.kind !== ast.NodeKind.Identifier || node.expression.text !== NAME)
    return null;
  const [argument] = node.args;
  if (
    node.args.length !== 1 ||
    argument.kind !== ast.NodeKind.Literal ||
    argument.value === undefined
  ) {
    throw new Error(`${node.range.source.normalizedPath}: utf8() takes one string literal`);
  }
  return argument.value;
}

/** `memory.data<u8>([...bytes, 0])` as a syntax tree that carries the range of the call. */
function dataCall(text, range) {
  const bytes = [...Buffer.from(text, "utf8"), 0];
  const type = ast.Node.createNamedType(
    ast.Node.createSimpleTypeName("u8", range),
    null,
    false,
    range,
  );
  const elements = bytes.map((byte) =>
    ast.Node.createIntegerLiteralExpression(globalThis.i64_new(byte), range),
  );
  return ast.Node.createCallExpression(
    ast.Node.createPropertyAccessExpression(
      ast.Node.createIdentifierExpression("memory", range),
      ast.Node.createIdentifierExpression("data", range),
      range,
    ),
    [type],
    [ast.Node.createArrayLiteralExpression(elements, range)],
    range,
  );
}

export default class Utf8Literals extends Transform {
  afterParse(parser) {
    for (const source of parser.sources) {
      if (source.text.includes(`${NAME}(`)) this.visit(source.statements, new Set());
    }
  }

  /**
   * Replaces the calls in every child of `node`; nodes link back to their parents, hence `seen`.
   */
  visit(node, seen) {
    if (seen.has(node)) return;
    seen.add(node);
    for (const key of Object.keys(node)) {
      const child = node[key];
      if (child === null || typeof child !== "object" || key === "range") continue;
      const text = literalOf(child);
      if (text !== null) node[key] = dataCall(text, child.range);
      else this.visit(child, seen);
    }
  }
}
