// Building modules: applications inside and outside the package, and every way in which one can be
// wrong, told in words that name the file.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, test } from "node:test";
import { EXPORTS, IMPORTS } from "../../host-node/src/abi.js";
import { BuildError, type BuildOptions, buildModule } from "../../host-node/src/build.js";
import { packageRoot } from "../../host-node/src/package_root.js";

const LIBRARY = "tests/wasm/library";
const QUIET = join(packageRoot, "tests/wasm/apps/quiet.ts");
let directory: string;

before(() => {
  directory = mkdtempSync(join(tmpdir(), "iot32-build-"));
});
after(() => rmSync(directory, { recursive: true }));

function application(name: string, source: string): string {
  const path = join(directory, name);
  writeFileSync(path, source);
  return path;
}

const build = (entry: string, options: Partial<BuildOptions> = {}) => {
  return buildModule({ entry, target: "debug", library: LIBRARY, ...options });
};

async function messageOf(entry: string, options: Partial<BuildOptions> = {}): Promise<string> {
  const error = await build(entry, options).then(
    () => assert.fail("it was built"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof BuildError, String(error));
  return error.message;
}

test("module_has_the_exports_of_the_abi_and_imports_of_the_abi_only", async () => {
  const { wasm, stats } = await build(QUIET);
  const exported = [...EXPORTS.map(({ name }) => name), "memory"];
  assert.deepEqual(stats.exports.toSorted(), exported.toSorted());
  const known = IMPORTS.map(({ name }) => `host.${name}`);
  assert.deepEqual(
    stats.imports.filter((name) => !known.includes(name)),
    [],
  );
  assert.ok(WebAssembly.validate(new Uint8Array(wasm)));
});

test("esp32_target_has_one_page_few_segments_and_no_custom_section", async () => {
  const { wasm, stats } = await build(QUIET, { target: "esp32" });
  assert.equal(stats.memoryPages, 1);
  assert.equal(stats.dataSegments, 1);
  assert.ok(stats.unlinkedBytes > 0);
  const module = new WebAssembly.Module(new Uint8Array(wasm));
  assert.deepEqual(WebAssembly.Module.customSections(module, "name"), []);
});

test("debug_target_has_names_and_a_source_map_and_text_on_request", async () => {
  const { wasm, sourceMap, text } = await build(QUIET, { text: true, outputName: "quiet.wasm" });
  const module = new WebAssembly.Module(new Uint8Array(wasm));
  assert.equal(WebAssembly.Module.customSections(module, "name").length, 1);
  const [url] = WebAssembly.Module.customSections(module, "sourceMappingURL");
  assert.match(Buffer.from(url!).toString(), /quiet\.wasm\.map$/);
  const map = JSON.parse(sourceMap!) as { sources: string[] };
  assert.ok(map.sources.includes("tests/wasm/library/entry.ts"), map.sources.join());
  assert.match(text!, /^\(module/);
});

test("application_outside_the_package_imports_the_library_by_name", async () => {
  const entry = application(
    "outside.ts",
    'import { say } from "iot32";\nexport function setup(): void { say(utf8("hello"), 5); }\n',
  );
  const { stats, text } = await build(entry, { text: true });
  assert.ok(stats.imports.includes("host.log_write"));
  const copies = text!.match(/\(func \$\S*library\/index\/say/g) ?? [];
  assert.deepEqual(copies, ["(func $tests/wasm/library/index/say"]);
});

test("application_is_found_from_the_working_directory", async () => {
  const entry = application("here.ts", "export function setup(): void {}\n");
  const { stats } = await build(relative(process.cwd(), entry));
  assert.equal(stats.memoryPages, 1);
});

test("compiler_error_names_file_line_column_and_reason", async () => {
  const entry = application(
    "wrong.ts",
    'export function setup(): void {\n  let x: i32 = "a";\n}\n',
  );
  const message = await messageOf(entry);
  const path = relative(process.cwd(), entry);
  assert.ok(message.startsWith(`${path}:2:16: error AS2322: `), message);
  assert.match(message, /is not assignable to type 'i32'/);
  assert.match(message, /let x: i32 = "a";/);
});

test("unknown_name_of_the_library_is_an_error_of_the_application", async () => {
  const entry = application(
    "name.ts",
    'import { no } from "iot32";\nexport function setup(): void { no(); }\n',
  );
  assert.match(await messageOf(entry), /name\.ts:1:10: error AS2305: Module 'iot32' has no/);
});

test("application_without_setup_is_told_what_to_write", async () => {
  const entry = application("none.ts", "export function main(): void {}\n");
  const message = await messageOf(entry);
  assert.match(message, /none\.ts exports no function setup; .*export function setup\(\): void/);
});

test("setup_of_another_form_is_told_what_to_write", async () => {
  const entry = application("form.ts", "export function setup(x: i32): void {}\n");
  assert.match(await messageOf(entry), /form\.ts has a setup of another form; .*setup\(\): void/);
});

test("function_that_no_host_has_is_named", async () => {
  const entry = application("trace.ts", 'export function setup(): void { trace("x"); }\n');
  assert.match(await messageOf(entry), /trace\(\) is not available: use the library's log/);
});

test("export_beside_the_abi_cannot_slip_in", async () => {
  const entry = application(
    "more.ts",
    "export function setup(): void {}\nexport function more(): void {}\n",
  );
  const { stats } = await build(entry);
  assert.ok(!stats.exports.includes("more"));
});

test("missing_file_and_wrong_ending_are_told_apart", async () => {
  assert.match(await messageOf(join(directory, "nowhere.ts")), /cannot read .*nowhere\.ts: ENOENT/);
  assert.match(await messageOf(join(directory, "app.js")), /app\.js is not a \.ts file/);
});
