// The generated wasm3 binding against the generated Node binding: the same module makes the same
// calls with the same hostile values on both, and both must answer and hand to their ports the same
// things. Needs gcc and the source of wasm3: WASM3_SOURCE names the directory of wasm3.h, otherwise
// the source distribution pywasm3-0.5.0.tar.gz in .cache is unpacked. Without them the tests are
// skipped with a line that says what is missing; where CI is set they fail instead.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
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

const ARCHIVE = ".cache/pywasm3-0.5.0.tar.gz";
const COMPONENT = resolve(ROOT, "host-esp32/components/host_abi");
const WARNINGS = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror"];
const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

const hasCompiler = spawnSync("gcc", ["--version"]).status === 0;
const given = process.env["WASM3_SOURCE"];
const isMissing = !hasCompiler || (given === undefined && !existsSync(resolve(ROOT, ARCHIVE)));
const missing = `needs gcc, and wasm3 in WASM3_SOURCE or ${ARCHIVE}`;
const skip = isMissing && process.env["CI"] === undefined ? missing : false;

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

/** Compiles runner, ports, binding and wasm3 to one program; our files with every warning. */
function buildRunner(folder: string): string {
  let source = given;
  if (source === undefined) {
    execFileSync("tar", ["xzf", resolve(ROOT, ARCHIVE), "-C", folder]);
    source = join(folder, "pywasm3-0.5.0", "wasm3");
  }
  const objects = join(folder, "objects");
  mkdirSync(objects);
  const wasm3 = readdirSync(source).filter((name) => /^m3_(?!api_).*\.c$/.test(name));
  const quiet = ["-std=gnu11", "-O0", "-w", "-fsanitize=address", "-I", source, "-c"];
  const paths = wasm3.map((name) => join(source, name));
  execFileSync("gcc", [...quiet, ...paths], { cwd: objects, stdio: "pipe" });
  const ports = join(folder, "ports.c");
  writeFileSync(ports, portSource());
  const ours = [
    ports,
    resolve(ROOT, "tests/node/abi_native.c"),
    join(COMPONENT, "host_abi_link.c"),
    join(COMPONENT, "host_abi_check.c"),
  ];
  const program = join(folder, "runner");
  const includes = ["-isystem", source, "-I", join(COMPONENT, "include")];
  const linked = readdirSync(objects).map((name) => join(objects, name));
  const options = [...WARNINGS, ...SANITIZERS, ...includes];
  execFileSync("gcc", [...options, ...ours, ...linked, "-lm", "-o", program], { stdio: "pipe" });
  return program;
}

describe("wasm3 binding", { skip }, () => {
  let folder = "";
  let program = "";

  before(() => {
    assert.ok(!isMissing, missing);
    folder = mkdtempSync(join(tmpdir(), "abi-native-"));
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
