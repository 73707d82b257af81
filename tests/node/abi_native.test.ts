// The generated wasm3 binding against the generated Node binding: the same module makes the same
// calls with the same hostile values on both, and both must answer and hand to their ports the
// same things. Needs gcc and wasm3 (support/native.ts).

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { IMPORTS, type ImportEntry, type Ports } from "../../host-node/src/abi.js";
import { checkModule } from "../../scripts/abi/module_check.js";
import { instantiate } from "./abi_instance.js";
import {
  assemble,
  CHECK_CASES,
  checksum,
  exerciser,
  GOOD_FUNCTIONS,
  GOOD_IMPORTS,
  pattern,
  ROOT,
  wireCases,
} from "./abi_modules.js";
import { buildNative, HOST_ABI, skipWithoutNative, temporaryFolder } from "./support/native.js";

/** Result number n of a port: of either sign, and never the same twice in a row. */
function portResult(n: number): number {
  return Math.imul(n, 0x9e3779b1);
}

/** What the recording ports in C do is what these do; both print the same lines. */
function recordingPorts(log: string[]): Ports {
  const ports: Record<string, Record<string, (...args: (number | Uint8Array)[]) => number>> = {};
  let calls = 0;
  for (const entry of IMPORTS) {
    const [capability, ...words] = entry.name.split("_") as [string, ...string[]];
    const method = words.map((word, i) =>
      i === 0 ? word : word[0]!.toUpperCase() + word.slice(1),
    );
    ports[capability] ??= {};
    ports[capability][method.join("")] = (...args) => {
      log.push([entry.name, ...args.map((arg, i) => describeArg(entry, arg, i))].join(" "));
      return portResult(++calls);
    };
  }
  return ports as unknown as Ports;
}

function describeArg(entry: ImportEntry, arg: number | Uint8Array, index: number): string {
  if (typeof arg === "number") return String(arg);
  if (Object.values(entry.params)[index] === "out") for (const i of arg.keys()) arg[i] = pattern(i);
  return `${arg.length}:${checksum(arg)}`;
}

/** The same ports in C, against the prototypes of host_abi.h. */
function portSource(): string {
  const bodies = IMPORTS.map((entry) => {
    const params = Object.entries(entry.params);
    const types = { i32: "int32_t", u32: "uint32_t", in: "const uint8_t *", out: "uint8_t *" };
    const declared = params.flatMap(([name, type]) => {
      const declaration = `${types[type]} ${name}`;
      return type === "in" || type === "out"
        ? [declaration, `uint32_t ${name}Size`]
        : [declaration];
    });
    const prints = params.map(([name, type]) => {
      if (type === "i32") return `printf(" %" PRId32, ${name});`;
      if (type === "u32") return `printf(" %" PRIu32, ${name});`;
      const fill = type === "out" ? `fill(${name}, ${name}Size); ` : "";
      return `${fill}print_slice(${name}, ${name}Size);`;
    });
    return `int32_t host_${entry.name}(${declared.join(", ") || "void"}) {
  printf("${entry.name}");
  ${prints.join("\n  ")}
  printf("\\n");
  return (int32_t)(++calls * 0x9e3779b1u);
}`;
  });
  return `#include <inttypes.h>
#include <stdio.h>
#include "host_abi.h"
static uint32_t calls;
static void fill(uint8_t *bytes, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) bytes[i] = (uint8_t)(i * 7 + 1);
}
static void print_slice(const uint8_t *bytes, uint32_t size) {
  uint32_t hash = 0x811c9dc5u;
  for (uint32_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x01000193u;
  printf(" %" PRIu32 ":%" PRIu32, size, hash);
}
${bodies.join("\n")}
`;
}

/** Compiles runner, ports, binding and wasm3 to one program. */
function buildRunner(folder: string): string {
  const ports = join(folder, "ports.c");
  writeFileSync(ports, portSource());
  const program = join(folder, "runner");
  buildNative(program, [
    ports,
    resolve(ROOT, "tests/node/abi_native.c"),
    join(HOST_ABI, "host_abi_link.c"),
    join(HOST_ABI, "host_abi_check.c"),
  ]);
  return program;
}

describe("wasm3 binding", { skip: skipWithoutNative }, () => {
  let folder = "";
  let program = "";

  before(() => {
    folder = temporaryFolder();
    program = buildRunner(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const execute = (mode: string, wasm: Uint8Array, input = ""): string[] => {
    const path = join(folder, "module.wasm");
    writeFileSync(path, wasm);
    const run = spawnSync(program, [mode, path], { input, encoding: "utf8", maxBuffer: 2 ** 26 });
    assert.equal(run.status, 0, `${mode} ended with ${run.status ?? run.signal}: ${run.stderr}`);
    return run.stdout.trimEnd().split("\n");
  };

  test("hostile_wire_values_get_the_same_answer_on_wasm3_and_in_node", () => {
    const wasm = exerciser();
    const cases = wireCases();
    const input = cases.map(({ call, wire }) => `${[call, ...wire].join(" ")}\n`).join("");
    const log: string[] = ["linked", "version matches"];
    const { dispatch } = instantiate(wasm, recordingPorts(log));
    for (const { call, wire } of cases) log.push(`= ${dispatch(call, wire)}`);
    const native = execute("run", wasm, input);
    assert.ok(cases.length > 300, `only ${cases.length} cases`);
    assert.ok(log.filter((line) => line === "= -1").length > 100, "too few were refused");
    assert.deepEqual(native, log);
  });

  for (const [situation, wasm, expected] of CHECK_CASES) {
    test(`module_${situation.replaceAll(" ", "_")}_gets_the_verdict_of_the_desk_on_a_chip`, () => {
      const [verdict] = execute("check", wasm) as [string];
      if (expected === null) assert.equal(verdict, "good");
      else assert.match(verdict, expected);
    });
  }

  test("import_with_a_wrong_signature_is_refused_by_link_too", () => {
    const wrong = [{ module: "host", name: "flash_erase", params: 2 }];
    const [verdict] = execute("link", assemble(wrong, GOOD_FUNCTIONS)) as [string];
    assert.match(verdict, /^link: .*signature/);
  });

  test("imports_that_a_module_does_not_use_are_skipped_by_link", () => {
    assert.deepEqual(execute("link", assemble([], GOOD_FUNCTIONS)), ["linked"]);
  });

  test("damaged_module_is_never_read_past_its_end_nor_refused_where_the_desk_accepts", () => {
    const wasm = assemble(GOOD_IMPORTS, GOOD_FUNCTIONS);
    const [verdicts] = execute("damage", wasm) as [string];
    const copies = [...damagedCopies(wasm)];
    assert.equal(verdicts.length, copies.length);
    const falselyRefused = copies.filter(
      (copy, i) => verdicts[i] === "R" && checkModule(copy).length === 0,
    );
    assert.deepEqual(falselyRefused, []);
    assert.ok(!verdicts.slice(0, wasm.length).includes("A"), "a truncated module was accepted");
  });
});

/** The copies that abi_native.c makes, in its order. */
function* damagedCopies(wasm: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < wasm.length; length++) yield wasm.slice(0, length);
  for (const [i, good] of wasm.entries()) {
    for (let variant = 0; variant < 10; variant++) {
      const copy = wasm.slice();
      copy[i] = variant < 8 ? good ^ (1 << variant) : variant === 8 ? 0xff : 0x00;
      yield copy;
    }
  }
}
