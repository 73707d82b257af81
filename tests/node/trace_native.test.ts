// The writer of traces in C (host-esp32/components/host_abi/trace.c) against the rule as it stands
// in docs/TRACES.md: bytes of every kind, pieces for a redactor, and what is written of a slice.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { MEMORY_BYTES_MAX } from "../../host-node/src/abi.js";
import { buildNative, HOST_ABI, skipWithoutNative, temporaryFolder } from "./support/native.js";
import { NativeDevice } from "./support/native_device.js";
import { seededRandom } from "./support/seeded_random.js";
import { callWith, Op, tinyModule } from "./support/tiny_module.js";
import { bytesOfToken, tokenOf } from "./support/trace_text.js";

/** Byte strings with rows, texts and other bytes, of lengths around every border of the rule. */
function samples(seed: number, count: number): Buffer[] {
  const random = seededRandom(seed);
  const upTo = (max: number): number => Math.floor(random() * (max + 1));
  const pieces = [
    () => Buffer.alloc(upTo(12), upTo(255)),
    () => Buffer.alloc(upTo(12), "a"),
    () => Buffer.from("'\\\n\"{}[]: +*-@#".slice(upTo(4), 4 + upTo(12))),
    () => Buffer.from("some text".slice(0, upTo(9))),
    () => Buffer.from([upTo(255), upTo(255), upTo(255)].slice(0, upTo(3))),
    () => Buffer.from([0x1f, 0x20, 0x7e, 0x7f, 0x0a, 0x0d, 0x00].slice(upTo(6))),
    () => Buffer.alloc(upTo(400), 0xff),
  ];
  return Array.from({ length: count }, () =>
    Buffer.concat(Array.from({ length: upTo(8) }, () => pieces[upTo(pieces.length - 1)]!())),
  );
}

describe("writer of traces in C", { skip: skipWithoutNative }, () => {
  let folder = "";
  let program = "";
  let device!: NativeDevice;

  before(() => {
    folder = temporaryFolder();
    program = join(folder, "writer");
    buildNative(program, [resolve("tests/node/trace_native.c"), join(HOST_ABI, "trace.c")]);
    device = new NativeDevice(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function tokensOf(payloads: readonly Uint8Array[], ...options: readonly string[]): string[] {
    const input = payloads.map((bytes) => `${Buffer.from(bytes).toString("hex")}\n`).join("");
    const run = spawnSync(program, options, { input, encoding: "utf8", maxBuffer: 2 ** 28 });
    assert.equal(run.stderr, "");
    assert.equal(run.status, 0);
    const [first, ...lines] = run.stdout.trimEnd().split("\n");
    assert.match(first!, /^# iot32 trace 1 abi \d+$/);
    return lines.map((line) => {
      assert.ok(line.startsWith("> 4294967295 BOOT 7 -2 "));
      return line.slice("> 4294967295 BOOT 7 -2 ".length);
    });
  }

  const VECTORS: readonly (readonly [string, string])[] = [
    ["", "-"],
    ["00", "00"],
    ["20", "20"],
    ["616263", "616263"],
    ["61626364", "'abcd'"],
    ["6162630064", "6162630064"],
    ["616263640a", "'abcd\\n'"],
    ["275c0a27", "'\\'\\\\\\n\\''"],
    ["ff".repeat(7), "ff".repeat(7)],
    ["ff".repeat(8), "ff*8"],
    ["61".repeat(7), "'aaaaaaa'"],
    ["61".repeat(8), "61*8"],
    [`62${"61".repeat(7)}`, "'baaaaaaa'"],
    [`626364${"61".repeat(8)}`, "626364+61*8"],
    [`62636465${"61".repeat(8)}62636465`, "'bcde'+61*8+'bcde'"],
    [`${"00".repeat(8)}${"01".repeat(9)}`, "00*8+01*9"],
    [`00${"00".repeat(200)}`, "00*201"],
    ["7f7e7d7c7b80", "7f+'~}|{'+80"],
    ["ff61626364ff616263ff", "ff+'abcd'+ff616263ff"],
  ];

  test("bytes_at_every_border_of_the_rule_are_written_as_a_person_would", () => {
    const payloads = VECTORS.map(([hex]) => Buffer.from(hex, "hex"));
    const expected = VECTORS.map(([, token]) => token);
    assert.deepEqual(tokensOf(payloads), expected);
    assert.deepEqual(payloads.map(tokenOf), expected);
    assert.deepEqual(expected.map(bytesOfToken), payloads);
  });

  test("thousands_of_random_byte_strings_are_written_by_the_rule", () => {
    const payloads = samples(1, 4000);
    assert.ok(payloads.some((bytes) => bytes.length > 512));
    const tokens = tokensOf(payloads);
    for (const [i, bytes] of payloads.entries()) {
      assert.equal(tokens[i], tokenOf(bytes), bytes.toString("hex"));
      assert.deepEqual(bytesOfToken(tokens[i]!), bytes);
    }
  });

  test("a_redactor_sees_each_byte_once_in_order_and_what_it_replaces_is_written", () => {
    const payloads = samples(2, 1000);
    const expected = payloads.map((bytes) =>
      tokenOf(bytes.map((byte, at) => (at % 3 === 0 ? 0x6b : byte))),
    );
    assert.deepEqual(tokensOf(payloads, "mask"), expected);
  });

  test("a_slice_that_the_host_fills_is_written_as_far_as_it_was_filled", () => {
    const imports = [
      ["sys_config_read", 3],
      ["flash_read", 3],
      ["log_event", 4],
    ] as const;
    const calls = [
      callWith(0, 0, 2048, 50),
      callWith(0, 1, 2048, 3),
      callWith(0, 1000, 2048, 50),
      callWith(0, 0, MEMORY_BYTES_MAX - 8, 9),
      callWith(1, 0, 2048, 16),
      callWith(1, 65530, 2048, 16),
      callWith(1, 65536, MEMORY_BYTES_MAX, 0),
      callWith(1, 0, 0xffffffff, 0xffffffff),
      callWith(2, 0xffffffff, 0xffffffff, 4096, 0),
    ];
    const module = tinyModule({ imports, dispatch: [...calls.flat(), Op.UNREACHABLE] });
    const lines = device.run(module, ["boot"], { configuration: '{"a":1}' });
    assert.deepEqual(lines.slice(3, lines.indexOf("!")), [
      `< sys_config_read 0 [50]'{"a":1}' = 7`,
      `< sys_config_read 1 [3]226122 = 3`,
      "< sys_config_read 1000 [50]- = 0",
      `< sys_config_read 0 @${MEMORY_BYTES_MAX - 8}+9 = -1`,
      "< flash_read 0 [16]ff*16 = 0",
      "< flash_read 65530 [16]- = -1",
      "< flash_read 65536 [0]- = 0",
      "< flash_read 0 @4294967295+4294967295 = -1",
      "< log_event 4294967295 -1 - = 0",
    ]);
  });

  test("names_numbers_and_any_division_of_bytes_are_taken_in_a_script", () => {
    const script = [
      "boot",
      "event 5 0 0",
      "event MQTT_UP -1 2147483647 61+'b c'+00*2",
      "event 99 0 0",
    ];
    const lines = device.run(tinyModule(), script);
    assert.deepEqual(lines.filter((line) => line.startsWith(">")).slice(1), [
      "> 0 MQTT_UP 0 0 -",
      "> 0 MQTT_UP -1 2147483647 'ab c'+0000",
      "> 0 99 0 0 -",
    ]);
  });
});
