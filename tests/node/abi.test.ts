// The boundary on the desk: generated files are what the table says, a wrong table is refused with
// its reason, the module check finds every kind of difference, the section reader tells where the
// bytes of a real module are, and the Node binder lets no slice outside memory reach a port.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  bindImports,
  type CallHook,
  EventKind,
  EXPORTS,
  IMPORTS,
  nameOf,
  type Ports,
  Status,
  statusText,
} from "../../host-node/src/abi.js";
import { generateAll, staleFiles } from "../../scripts/abi/generate.js";
import { parseAbi } from "../../scripts/abi/model.js";
import { checkModule } from "../../scripts/abi/module_check.js";
import { SOURCE_PATH } from "../../scripts/abi/text.js";
import { functionType, readWasm } from "../../scripts/wasm/sections.js";
import { engine, instantiate } from "./abi_instance.js";
import {
  assemble,
  CHECK_CASES,
  exerciser,
  GOOD_FUNCTIONS,
  GOOD_IMPORTS,
  MEMORY_BYTES,
  pattern,
  ROOT,
  SLICES,
} from "./abi_modules.js";

const GENERATOR = fileURLToPath(new URL("../../scripts/abi/main.js", import.meta.url));
const TABLE_TEXT = readFileSync(join(ROOT, SOURCE_PATH), "utf8");
const GENERATED_PATHS = [...generateAll(ROOT).keys()];

/** A directory with the table and the generated files, removed after the test. */
function copyOfRepository(context: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "abi-"));
  context.after(() => rmSync(root, { recursive: true }));
  for (const path of [SOURCE_PATH, ...GENERATED_PATHS]) cpSync(join(ROOT, path), join(root, path));
  return root;
}

function runGenerator(root: string, ...options: string[]) {
  return spawnSync(process.execPath, [GENERATOR, "--root", root, ...options], { encoding: "utf8" });
}

/** The table as data after a change, as text. */
function changedTable(change: (table: Record<string, never[]>) => void): string {
  const table = JSON.parse(TABLE_TEXT);
  change(table);
  return JSON.stringify(table);
}

describe("generated files", () => {
  test("generated_files_of_this_repository_are_what_the_table_says", () => {
    assert.ok(GENERATED_PATHS.length >= 5);
    assert.deepEqual(staleFiles(ROOT), []);
  });

  for (const path of GENERATED_PATHS) {
    test(`one_changed_byte_in_${path}_is_found_and_left_alone`, (context) => {
      const root = copyOfRepository(context);
      const bytes = readFileSync(join(root, path));
      const middle = bytes.length >> 1;
      bytes[middle] = bytes[middle]! ^ 1;
      writeFileSync(join(root, path), bytes);
      const check = runGenerator(root, "--check");
      assert.equal(check.status, 1);
      assert.equal(check.stderr, `stale: ${path} differs from what ${SOURCE_PATH} says\n`);
      assert.deepEqual(readFileSync(join(root, path)), bytes);
    });
  }

  test("missing_file_is_stale_and_is_written", (context) => {
    const root = copyOfRepository(context);
    const path = GENERATED_PATHS[0]!;
    rmSync(join(root, path));
    assert.equal(runGenerator(root, "--check").status, 1);
    assert.equal(runGenerator(root).stdout, `written: ${path}\n`);
    assert.equal(runGenerator(root, "--check").status, 0);
  });

  test("new_version_of_the_table_makes_every_file_stale", (context) => {
    const root = copyOfRepository(context);
    const text = changedTable((table) => Object.assign(table, { version: 1000 }));
    writeFileSync(join(root, SOURCE_PATH), text);
    const changed = GENERATED_PATHS.filter((path) => !/_(link|ports)\.c$/.test(path));
    assert.deepEqual(staleFiles(root), changed);
  });

  test("every_generated_file_says_so_in_its_first_line", () => {
    for (const text of generateAll(ROOT).values()) {
      assert.match(text.split("\n")[0]!, /Generated from assembly\/abi\/abi\.json by scripts\/abi/);
    }
  });
});

describe("table", () => {
  const first = (list: unknown[] | undefined) => list?.[0] as Record<string, unknown>;
  const mistakes: readonly [string, (table: Record<string, never[]>) => void, RegExp][] = [
    ["a name twice", (t) => t["imports"]!.push(t["imports"]![0]!), /import .* stands there twice/],
    [
      "a bad name",
      (t) => Object.assign(first(t["imports"]), { name: "Bad" }),
      /name does not match/,
    ],
    ["a bad result", (t) => Object.assign(first(t["imports"]), { result: "f64" }), /one of status/],
    ["a line break", (t) => Object.assign(first(t["events"]), { doc: "a\nb" }), /must be one line/],
    ["a fraction", (t) => Object.assign(first(t["limits"]), { value: 1.5 }), /must be an integer/],
    ["no text", (t) => Object.assign(first(t["enums"]), { doc: undefined }), /doc must be a text/],
    [
      "an unknown enum",
      (t) =>
        Object.assign(first(t["imports"]), {
          params: [{ name: "a", type: "u32", enum: "Nothing" }],
        }),
      /names unknown enum Nothing/,
    ],
  ];
  for (const [mistake, change, reason] of mistakes) {
    test(`table_with_${mistake.replaceAll(" ", "_")}_is_refused_with_the_reason`, () => {
      assert.throws(() => parseAbi(changedTable(change)), reason);
    });
  }
});

describe("module check", () => {
  for (const [situation, wasm, expected] of CHECK_CASES) {
    test(`module_${situation.replaceAll(" ", "_")}_gets_its_verdict`, () => {
      const differences = checkModule(wasm);
      if (expected === null) assert.deepEqual(differences, []);
      else assert.match(differences.join("\n"), expected);
    });
  }

  test("module_with_three_faults_has_all_of_them_named", () => {
    const functions = [...GOOD_FUNCTIONS.slice(1), { name: "extra", params: 0 }];
    const wasm = assemble([{ module: "env", name: "abort", params: 4 }], functions);
    assert.deepEqual(checkModule(wasm), [
      "import env.abort is not in the table",
      "export extra is not in the table",
      "export abi_version is missing",
    ]);
  });

  test("truncated_module_is_always_a_difference_and_never_an_exception", () => {
    const wasm = assemble(GOOD_IMPORTS, GOOD_FUNCTIONS);
    for (let length = 0; length < wasm.length; length++) {
      assert.notDeepEqual(checkModule(wasm.subarray(0, length)), [], `${length} bytes`);
    }
  });

  test("module_compiled_from_the_generated_declarations_uses_every_import_and_passes", () => {
    const wasm = exerciser();
    assert.deepEqual(checkModule(wasm), []);
    const used = readWasm(wasm).imports.map(({ name }) => name);
    assert.deepEqual(used.sort(), IMPORTS.map(({ name }) => name).sort());
  });
});

describe("section reader", () => {
  const wasm = exerciser("--debug");
  const module = readWasm(wasm);

  test("sections_bodies_and_data_lie_where_the_reader_says", () => {
    let position = 8;
    for (const { offset, size } of module.sections) {
      assert.ok(offset >= position + 2, "a section begins with its id and its length");
      assert.ok(offset <= position + 6);
      position = offset + size;
    }
    assert.equal(position, wasm.length);
    const code = module.sections.find(({ name }) => name === "code")!;
    const last = module.bodies.at(-1)!;
    assert.equal(last.offset + last.size, code.offset + code.size);
    for (const { offset, size } of module.bodies) assert.equal(wasm[offset + size - 1], 0x0b);
    assert.equal(module.bodies[0]!.index, module.imports.length);
  });

  test("imports_and_exports_are_those_that_v8_sees", () => {
    const compiled = new engine.Module(wasm);
    const imports = module.imports.map(({ module, name, kind }) => ({ module, name, kind }));
    const exports = module.exports.map(({ name, kind }) => ({ name, kind }));
    assert.deepEqual(imports, engine.Module.imports(compiled));
    assert.deepEqual(exports, engine.Module.exports(compiled));
  });

  test("function_names_and_types_belong_to_the_exports_of_the_same_index", () => {
    for (const { name } of EXPORTS) {
      const { index } = module.exports.find((item) => item.name === name)!;
      assert.match(module.functionNames.get(index)!, new RegExp(`/${name}$`));
    }
    const dispatch = module.exports.find(({ name }) => name === "dispatch")!;
    const type = { params: ["i32", "i32", "i32", "i32", "i32"], results: ["i32"] };
    assert.deepEqual(functionType(module, dispatch.index), type);
    assert.equal(functionType(module, 100_000), undefined);
  });

  test("data_segments_of_each_form_are_placed", () => {
    const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    const active = [0, 0x41, 0x80, 0x80, 0xfc, 0xff, 0x07, 0x0b, 2, 0xaa, 0xbb];
    const segments = [...active, ...[1, 1, 0xcc], ...[2, 0, 0x41, 0x7f, 0x0b, 0]];
    const bytes = [...header, 11, segments.length + 1, 3, ...segments];
    assert.deepEqual(readWasm(Uint8Array.from(bytes)).data, [
      { index: 0, offset: 20, size: 2, address: 0x7fff0000 },
      { index: 1, offset: 24, size: 1, address: null },
      { index: 2, offset: 31, size: 0, address: 0xffffffff },
    ]);
  });

  test("malformed_integers_and_names_are_errors_with_a_position", () => {
    const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    const wrong: readonly [readonly number[], RegExp][] = [
      [[1, 5, 0xff, 0xff, 0xff, 0xff, 0x1f], /integer too long at byte 15/],
      [[1, 6, 0x80, 0x80, 0x80, 0x80, 0x80, 0], /integer too long/],
      [[1, 2, 0, 0], /type section has bytes left over/],
      [[1, 0x7f, 0], /127 bytes do not fit/],
      [[1, 1, 0, 1, 1, 0], /second type section/],
      [[2, 4, 1, 1, 0xff, 0], /name is not UTF-8/],
      [[99, 0], /unknown section 99/],
    ];
    for (const [bytes, reason] of wrong) {
      assert.throws(() => readWasm(Uint8Array.from([...header, ...bytes])), reason);
    }
  });
});

/** Ports that fail the test when they are called, but for those given. */
function portsWith(given: Record<string, Record<string, unknown>>): Ports {
  return new Proxy(given, {
    get: (target, capability: string) =>
      target[capability] ?? assert.fail(`port ${capability} was called`),
  }) as unknown as Ports;
}

describe("node binder", () => {
  const memory = { buffer: new ArrayBuffer(MEMORY_BYTES) };

  test("slice_at_each_edge_reaches_the_port_only_when_it_lies_in_memory", () => {
    for (const [pointer, size, isInMemory] of SLICES) {
      const seen: Uint8Array[] = [];
      const random = (bytes: Uint8Array) => seen.push(bytes);
      const { host } = bindImports(portsWith({ sys: { random } }), () => memory);
      // A module hands over signed numbers; both spellings of a pointer mean the same.
      for (const [p, s] of [
        [pointer, size],
        [pointer | 0, size | 0],
      ]) {
        const result = host["sys_random"]!(p!, s!);
        assert.equal(result < 0, !isInMemory, `pointer ${p}, size ${s}`);
        if (!isInMemory) assert.equal(result, Status.INVALID_ARGUMENT);
      }
      const views = seen.map((view) => [view.byteOffset, view.byteLength]);
      assert.deepEqual(views, isInMemory ? [views[0], [pointer, size]] : []);
    }
  });

  test("one_bad_slice_of_two_refuses_the_call", () => {
    const { host } = bindImports(portsWith({}), () => memory);
    const bad = [MEMORY_BYTES, 1];
    assert.equal(host["wifi_join"]!(0, 4, ...bad), Status.INVALID_ARGUMENT);
    assert.equal(host["wifi_join"]!(...bad, 0, 4), Status.INVALID_ARGUMENT);
  });

  test("numbers_reach_the_port_with_the_sign_the_table_gives_them", () => {
    const seen: unknown[] = [];
    const erase = (...args: unknown[]) => seen.push(...args);
    const event = (...args: unknown[]) => seen.push(...args.slice(0, 2));
    const { host } = bindImports(portsWith({ flash: { erase }, log: { event } }), () => memory);
    host["flash_erase"]!(-1);
    host["log_event"]!(-2, -3, 0, 0);
    assert.deepEqual(seen, [0xffffffff, 0xfffffffe, -3]);
  });

  test("memory_that_grew_is_seen_at_the_next_call", () => {
    let current = memory;
    const ports = portsWith({ sys: { random: () => Status.OK } });
    const { host } = bindImports(ports, () => current);
    assert.equal(host["sys_random"]!(MEMORY_BYTES, 1), Status.INVALID_ARGUMENT);
    current = { buffer: new ArrayBuffer(2 * MEMORY_BYTES) };
    assert.equal(host["sys_random"]!(MEMORY_BYTES, 1), Status.OK);
  });

  test("hook_sees_filled_slices_of_answered_calls_and_which_slice_a_call_was_refused_for", () => {
    const calls: unknown[] = [];
    const random = (bytes: Uint8Array) => {
      for (const index of bytes.keys()) bytes[index] = pattern(index);
      return Status.OK;
    };
    const hook: CallHook = (name, args, result) =>
      calls.push([name, args.map((arg) => (arg instanceof Uint8Array ? [...arg] : arg)), result]);
    const { host } = bindImports(portsWith({ sys: { random } }), () => memory, hook);
    host["sys_random"]!(8, 3);
    host["sys_random"]!(-1, 3);
    host["mqtt_publish"]!(8, 2, MEMORY_BYTES, 4, -1);
    const far = { pointer: 0xffffffff, size: 3 };
    const behind = { pointer: MEMORY_BYTES, size: 4 };
    assert.deepEqual(calls, [
      ["sys_random", [[1, 8, 15]], Status.OK],
      ["sys_random", [far], Status.INVALID_ARGUMENT],
      ["mqtt_publish", [[1, 8], behind, 0xffffffff], Status.INVALID_ARGUMENT],
    ]);
  });

  test("port_that_returns_no_integer_is_a_programmer_error_and_not_ok", () => {
    for (const wrong of [undefined, Number.NaN, 2 ** 31, 0.5, Promise.resolve(0)]) {
      const { host } = bindImports(portsWith({ flash: { size: () => wrong } }), () => memory);
      assert.throws(() => host["flash_size"]!(), /flash_size returned .*, not an i32/);
    }
  });

  test("out_slice_filled_by_a_port_is_what_the_module_reads", () => {
    const random = (bytes: Uint8Array) => bytes.fill(0x5a).length;
    const { core, dispatch } = instantiate(exerciser(), portsWith({ sys: { random } }));
    const call = IMPORTS.findIndex(({ name }) => name === "sys_random");
    assert.equal(dispatch(call, [MEMORY_BYTES - 2, 2]), 2);
    assert.deepEqual([...new Uint8Array(core.memory.buffer).slice(-3)], [0, 0x5a, 0x5a]);
  });

  test("names_and_texts_of_values_are_found_and_unknown_ones_stay_numbers", () => {
    assert.equal(nameOf(Status, Status.BUSY), "BUSY");
    assert.equal(nameOf(EventKind, EventKind.BOOT), "BOOT");
    assert.equal(nameOf(Status, -1000), "-1000");
    for (const status of Object.values(Status)) assert.doesNotMatch(statusText(status), /unknown/);
    assert.equal(statusText(-1000), "unknown status -1000");
  });
});
