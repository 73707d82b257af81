// The rewriter of WebAssembly sections on modules made by hand, byte by byte: the rewritten module
// leaves the same bytes in memory, and what must not be touched is not.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  link,
  moduleStats,
  readDataSegments,
  readImports,
  readSections,
  SectionId,
  WasmFormatError,
} from "../../host-node/src/wasm_link.js";

type Bytes = readonly number[];

const PREAMBLE = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const section = (id: number, body: Bytes): number[] => {
  assert.ok(body.length < 0x80, "the helper writes one length byte");
  return [id, body.length, ...body];
};
const module = (...sections: Bytes[]): Uint8Array => {
  return Uint8Array.from([...PREAMBLE, ...sections.flat()]);
};
const custom = (name: string, body: Bytes = []): number[] => section(0, [...text(name), ...body]);

/** i32.const as the compiler writes it; 16,384 and -1 exercise the signed encoding. */
const CONST: Readonly<Record<number, Bytes>> = {
  [-1]: [0x7f],
  63: [0x3f],
  64: [0xc0, 0x00],
  16384: [0x80, 0x80, 0x01],
  65530: [0xfa, 0xff, 0x03],
};
const constant = (value: number): Bytes =>
  CONST[value] ?? (value < 64 ? [value] : [(value & 0x7f) | 0x80, value >> 7]);
const active = (offset: number, bytes: Bytes): number[] => {
  return [0, 0x41, ...constant(offset), 0x0b, bytes.length, ...bytes];
};

const ONE_PAGE = section(SectionId.MEMORY, [1, 0, 1]);
const EXPORT_MEMORY = section(SectionId.EXPORT, [1, ...text("memory"), 2, 0]);
const data = (...segments: Bytes[]): number[] => {
  return section(SectionId.DATA, [segments.length, ...segments.flat()]);
};

function memoryOf(wasm: Uint8Array, imports: WebAssembly.Imports = {}): Buffer {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(wasm)), imports);
  return Buffer.from((instance.exports.memory as WebAssembly.Memory).buffer);
}

function segmentsOf(wasm: Uint8Array): [offset: number, bytes: number[]][] {
  const body = readSections(wasm).find(({ id }) => id === SectionId.DATA)!.body;
  return readDataSegments(body)!.map(({ offset, bytes }) => [offset, [...bytes]]);
}

test("segments_up_to_16_bytes_apart_become_one_and_memory_is_the_same", () => {
  const before = module(
    ONE_PAGE,
    EXPORT_MEMORY,
    data(
      active(63, [1]),
      active(64, [2, 3]),
      active(82, [4]),
      active(100, [5]),
      active(16384, [6]),
    ),
  );
  const after = link(before);
  assert.deepEqual(segmentsOf(after), [
    [63, [1, 2, 3, ...Array(16).fill(0), 4]],
    [100, [5]],
    [16384, [6]],
  ]);
  assert.ok(memoryOf(before).equals(memoryOf(after)));
});

test("gap_is_bounded_by_the_option", () => {
  const before = module(ONE_PAGE, EXPORT_MEMORY, data(active(10, [1]), active(13, [2])));
  assert.equal(segmentsOf(link(before, { gapBytesMax: 1 })).length, 2);
  assert.equal(segmentsOf(link(before, { gapBytesMax: 2 })).length, 1);
});

test("segments_out_of_order_are_put_in_order", () => {
  const before = module(ONE_PAGE, EXPORT_MEMORY, data(active(20, [2]), active(10, [1])));
  const after = link(before);
  assert.deepEqual(segmentsOf(after), [[10, [1, ...Array(9).fill(0), 2]]]);
  assert.ok(memoryOf(before).equals(memoryOf(after)));
});

test("overlapping_segments_stay_as_they_are_because_the_last_one_wins", () => {
  const before = module(
    ONE_PAGE,
    EXPORT_MEMORY,
    data(active(10, [1, 1, 1]), active(11, [2]), active(12, [3, 3])),
  );
  const after = link(before);
  assert.deepEqual([...after], [...before]);
  assert.deepEqual([...memoryOf(after).subarray(10, 14)], [1, 2, 3, 3]);
});

test("gap_is_not_filled_in_memory_that_comes_from_outside", () => {
  const importMemory = section(SectionId.IMPORT, [1, ...text("e"), ...text("m"), 2, 0, 1]);
  const before = module(importMemory, EXPORT_MEMORY, data(active(10, [1]), active(12, [2])));
  const run = (wasm: Uint8Array): number[] => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    new Uint8Array(memory.buffer).fill(9);
    return [...memoryOf(wasm, { e: { m: memory } }).subarray(9, 14)];
  };
  assert.deepEqual(run(before), [9, 1, 9, 2, 9]);
  assert.deepEqual(run(link(before)), [9, 1, 9, 2, 9]);
});

test("segment_that_ends_with_the_page_stays_in_memory", () => {
  const before = module(ONE_PAGE, EXPORT_MEMORY, data(active(65530, [1, 2, 3, 4, 5, 6])));
  assert.ok(memoryOf(link(before)).equals(memoryOf(before)));
});

test("passive_segment_is_left_alone", () => {
  const before = module(ONE_PAGE, EXPORT_MEMORY, data([1, 1, 7], active(10, [1]), active(11, [2])));
  assert.deepEqual([...link(before)], [...before]);
});

const VOID_TYPE = section(1, [1, 0x60, 0, 0]);
const ONE_FUNCTION = section(3, [1, 0]);
const code = (body: Bytes): number[] =>
  section(SectionId.CODE, [1, body.length + 2, 0, ...body, 0x0b]);
const COUNT = section(SectionId.DATA_COUNT, [2]);

test("data_count_goes_when_no_code_needs_it", () => {
  const NOP = 0x01;
  const segments = data(active(10, [1]), active(11, [2]));
  const before = module(
    VOID_TYPE,
    ONE_FUNCTION,
    ONE_PAGE,
    EXPORT_MEMORY,
    COUNT,
    code([NOP]),
    segments,
  );
  const after = link(before);
  assert.equal(
    readSections(after).some(({ id }) => id === SectionId.DATA_COUNT),
    false,
  );
  assert.deepEqual(segmentsOf(after), [[10, [1, 2]]]);
  assert.ok(memoryOf(before).equals(memoryOf(after)));
});

test("segments_that_code_names_by_number_keep_their_numbers", () => {
  const dropSecond = [0xfc, 0x09, 0x01];
  const segments = data(active(10, [1]), active(11, [2]));
  const before = module(
    VOID_TYPE,
    ONE_FUNCTION,
    ONE_PAGE,
    EXPORT_MEMORY,
    COUNT,
    code(dropSecond),
    segments,
  );
  assert.ok(WebAssembly.validate(new Uint8Array(before)));
  assert.deepEqual([...link(before)], [...before]);
});

test("custom_sections_go_and_debug_ones_stay_on_request", () => {
  const before = module(
    custom("producers"),
    ONE_PAGE,
    EXPORT_MEMORY,
    custom("name", [0]),
    custom("sourceMappingURL", text("a.map")),
  );
  const customs = (wasm: Uint8Array) => readSections(wasm).filter(({ id }) => id === 0).length;
  assert.equal(customs(before), 3);
  assert.equal(customs(link(before)), 0);
  assert.equal(customs(link(before, { keepDebug: true })), 2);
});

test("stats_tell_what_a_module_costs", () => {
  const imports = section(SectionId.IMPORT, [
    2,
    ...text("host"),
    ...text("sys_restart"),
    0,
    0,
    ...text("e"),
    ...text("g"),
    3,
    0x7f,
    0,
  ]);
  const wasm = module(
    VOID_TYPE,
    imports,
    ONE_FUNCTION,
    ONE_PAGE,
    EXPORT_MEMORY,
    code([0x01]),
    data(active(10, [1, 2])),
  );
  assert.deepEqual(moduleStats(wasm), {
    bytes: wasm.length,
    codeBytes: 5,
    functions: 1,
    dataSegments: 1,
    dataBytes: 2,
    dataEnd: 12,
    memoryPages: 1,
    imports: ["host.sys_restart", "e.g"],
    exports: ["memory"],
  });
  assert.deepEqual(
    readImports(readSections(wasm)).map(({ kind }) => kind),
    [0, 3],
  );
});

test("bytes_that_are_no_module_or_end_early_are_refused", () => {
  assert.throws(() => link(Uint8Array.from([1, 2, 3])), /not a WebAssembly 1.0 module/);
  const whole = module(ONE_PAGE, EXPORT_MEMORY, data(active(10, [1, 2])));
  for (let size = PREAMBLE.length + 1; size < whole.length; size++) {
    const isSectionEnd = [13, 25].includes(size);
    if (isSectionEnd) continue;
    assert.throws(() => link(whole.subarray(0, size)), WasmFormatError, `${size} bytes`);
  }
});
