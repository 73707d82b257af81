// Generates docs/ABI.md, the reference page of the boundary. The prose that holds for every call
// (how a step works, what a pointer means) stands here, the rest comes from the table.

import {
  type Abi,
  byCapability,
  type Call,
  callDoc,
  type Enum,
  type EventKind,
  type Limit,
} from "./model.js";
import { GENERATED, joinLines } from "./text.js";

/** Text inside a table cell: a bar would end the cell, an angle bracket would start a tag. */
function cell(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return ["", line(head), line(head.map(() => "---")), ...rows.map(line)];
}

function constants(values: readonly Limit[], meaning: string): string[] {
  return table(
    ["Name", "Value", meaning],
    values.map((value) => [`\`${value.name}\``, String(value.value), cell(value.doc)]),
  );
}

function signature(call: Call): string {
  const params = call.params.map((param) => `${param.name}: ${param.type}`);
  return `\`${call.name}(${params.join(", ")})\``;
}

function calls(members: readonly Call[]): string[] {
  const rows = members.map((call) => [signature(call), call.result, cell(callDoc(call))]);
  return table(["Call", "Result", "Contract"], rows);
}

function events(members: readonly EventKind[]): string[] {
  const rows = members.map((event) => [
    String(event.kind),
    `\`${event.name}\``,
    cell(event.a),
    cell(event.b),
    cell(event.payload),
    cell(event.doc),
  ]);
  return table(["Kind", "Event", "a", "b", "Payload", "Contract"], rows);
}

function enumSection(item: Enum): string[] {
  return ["", `### ${item.name}`, "", item.doc, ...constants(item.values, "Meaning")];
}

const HOW_A_CALL_WORKS = `
## How a step works

1. Something happens: a timer runs out, a message arrives, a write completes. The host puts it in
   its queue. One task takes events from that queue, one at a time.
2. The host copies the payload, at most \`INBOX_BYTES\`, to the address that \`inbox()\` gave once after
   loading, and calls \`dispatch(kind, now_ms, a, b, size)\`.
3. The core changes its memory and calls imports. An import starts something and returns at once;
   it never waits and never calls back into the module.
4. \`dispatch\` returns the milliseconds until the core wants a \`TICK\`, or -1. Any event dispatched
   before then replaces that wish with its own result.
5. The outcome of what an import started comes later, as an event of its own.

Before the first event the host calls \`abi_version()\` and refuses a module whose answer is not its
own version. After a trap the instance is thrown away and the module is loaded anew; its next event
is \`BOOT\`.

## Values and pointers

- Every value on the wire is a WebAssembly \`i32\`. \`i32\` is read as signed, \`u32\` as unsigned.
- \`in\` and \`out\` are slices of linear memory. Each is **two** wire values, the pointer and the size
  in bytes, in this order; tables below show it as one parameter. The core fills an \`in\` slice, the
  host fills an \`out\` slice.
- The host checks every slice before it acts: pointer + size, added without wrapping, must not
  exceed the size of memory. A slice that fails is answered with \`INVALID_ARGUMENT\`, and the call has
  no other effect. It does not trap. When a call has several slices, one bad slice refuses it.
- A slice of size 0 is good with any pointer up to and including the end of memory. Beyond the end
  it is refused like any other.
- A slice ends when the call returns. A port copies what it keeps; the core may reuse the bytes.
- A result below 0 is a \`Status\`. A result of 0 or more means: \`status\`, accepted (\`OK\`); \`count\`, a
  number of bytes; \`token\`, a number that the event of the outcome carries.

## What a module must look like

It exports \`memory\` and the functions below, and nothing else. It imports functions of the module
\`host\` only, each by a name and with the signature below; it need not import all of them. The tests
check this for every module they build, and a chip checks it before it loads one.`.split("\n");

export function generateMarkdown(abi: Abi): string {
  const capabilities = [...byCapability(abi)].flatMap(([capability, members]) => [
    "",
    `### ${capability}`,
    ...calls(members),
  ]);
  return joinLines([
    `<!-- ${GENERATED} -->`,
    "",
    `# ABI, version ${abi.version}`,
    "",
    abi.doc,
    ...HOW_A_CALL_WORKS,
    "",
    "## Exports",
    ...calls(abi.exports),
    "",
    "## Events",
    ...events(abi.events),
    "",
    "## Imports",
    "",
    "The capability is the part of the name before the first underscore. `flash_write` here is",
    "`flashWrite` in AssemblyScript, `host_flash_write` in C, and `write` of `FlashPort` in TypeScript.",
    ...capabilities,
    "",
    "## Limits",
    ...constants(abi.limits, "Meaning"),
    "",
    "## Constants",
    ...abi.enums.flatMap(enumSection),
  ]);
}
