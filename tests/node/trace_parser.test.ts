// Traces as text: every kind of line is read and written again as it was, and each fault is named
// with its line.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ABI_VERSION, EventKind, IMPORTS } from "../../host-node/src/abi.js";
import { formatLine, headerLine, TraceError } from "../../host-node/src/trace/lines.js";
import { livesOf } from "../../host-node/src/trace/lives.js";
import { parseLine, parseTrace } from "../../host-node/src/trace/parser.js";

const HEADER = headerLine();
const DIGEST = "5b".repeat(32);
const textOf = (...lines: readonly string[]): string => `${[HEADER, ...lines].join("\n")}\n`;

const LINES = [
  `# iot32 trace 1 abi ${ABI_VERSION}`,
  "# whatever a person writes: 'it' = <",
  "#",
  `~ module ${DIGEST}`,
  "> 1000 BOOT 1 0 0200000000010000ff00",
  "> 4294967295 MQTT_DOWN -11 -1 -",
  "> 0 99 0 0 00*1536",
  "< flash_size = 65536",
  "< flash_read 0 [256]ff*256 = 0",
  "< flash_read 0 [0]- = 0",
  "< flash_read 4294967295 [256]- = -1",
  "< sys_config_read 0 [256]'{}\\n ' = 4",
  "< sys_config_read 256 [256]- = 0",
  "< log_event 1 -5 'it\\'s a \\\\ = [1] @1+2' = 0",
  "< log_event 1 0 - = 0",
  "< mqtt_publish 'topic' @65530+100 1 = -1",
  "< sys_random @4294967295+32 = -1",
  "< wifi_join 'a b c' - = 0",
  "= -1",
  "= 2147483647",
  "!",
  "~ off",
];

for (const text of LINES) {
  test(`line_${text}_is_read_and_written_again_as_it_was`, () => {
    const line = parseLine(text, 7);
    assert.equal(line.line, 7);
    assert.equal(line.text, text);
    assert.equal(formatLine(line).trimEnd(), text);
  });
}

test("every_import_of_the_table_is_read_by_the_types_of_its_parameters", () => {
  const words = { u32: "4294967295", i32: "-2147483648", in: "'some text'", out: "[9]00*9" };
  for (const { name, params, result } of IMPORTS) {
    const given = Object.values(params).map((type) => words[type]);
    const text = ["<", name, ...given, "=", result === "count" ? 9 : 0].join(" ");
    assert.equal(formatLine(parseLine(text, 1)), text);
  }
});

const FAULTS: readonly [line: string, problem: RegExp][] = [
  ["", /an empty line/],
  [" ", /one space/],
  ["? 1", /\? is none of # ~ > < = !/],
  ["= 1 ", /a space at the end/],
  ["=  1", /one space/],
  ["= ", /a space at the end/],
  ["=", /1 words where there are 2/],
  ["= x", /wait: x is no signed number of 32 bits/],
  ["= 2147483648", /no signed number/],
  ["= 1.5", /no signed number/],
  ["! now", /2 words where there are 1/],
  ["~ on", /neither ~ off nor ~ module/],
  ["~ off now", /neither ~ off nor ~ module/],
  ["~ module", /64 hexadecimal digits/],
  ["~ module 5B", /64 hexadecimal digits/],
  ["> 1 BOOT 1 0", /5 words where there are 6/],
  ["> 1 boot 1 0 -", /boot is no kind of event/],
  ["> -1 BOOT 1 0 -", /now: -1 is no unsigned number/],
  ["> 1 BOOT 4294967295 0 -", /a: 4294967295 is no signed number/],
  ["> 1 BOOT 1 0 0", /payload: half a byte, at character 2 of 0/],
  ["> 1 BOOT 1 0 00*1537", /a payload of 1537 bytes; the inbox has 1536/],
  ["<", /nothing is none of \d+ imports/],
  ["< flash_format = 0", /flash_format is none of \d+ imports/],
  ["< flash_size 0 = 0", /flash_size has 0 arguments, here are 1/],
  ["< flash_erase = 0", /flash_erase has 1 arguments, here are 0/],
  ["< flash_erase 0 0", /a call ends in = RESULT/],
  ["< flash_erase 0 =", /a call ends in = RESULT/],
  ["< flash_erase -1 = 0", /flash_erase, offset: -1 is no unsigned/],
  ["< flash_erase 0 = ok", /result: ok is no signed/],
  ["< log_event 1 2 'abc = 0", /a quoted text has no end/],
  ["< log_event 1 2 'ab\\t' = 0", /log_event, text: after a \\/],
  ["< log_event 1 2 @5 = -1", /log_event, text: not @POINTER\+SIZE/],
  ["< flash_read 0 ff*256 = 0", /flash_read, bytes: not \[SIZE\]BYTES/],
  ["< flash_read 0 [256]ff*255 = 0", /255 bytes where result 0 means 256/],
  ["< flash_read 0 [256]ff*256 = -8", /256 bytes where result -8 means 0/],
  ["< sys_config_read 0 [256]'abcd' = 5", /4 bytes where result 5 means 5/],
  ["# iot32 trace 2 abi 2", /format 2, and this host reads format 1/],
  [
    "# iot32 trace 1 abi 77",
    new RegExp(`version 77 of the ABI, and this host has version ${ABI_VERSION}`),
  ],
  ["# iot32 trace 1", /version undefined of the ABI/],
];

for (const [text, problem] of FAULTS) {
  test(`line_${text}_is_refused_with_its_number`, () => {
    assert.throws(
      () => parseTrace(textOf("# one", text, "# three")),
      (error) => {
        assert.ok(error instanceof TraceError);
        assert.equal(error.line, 3);
        assert.match(error.message, /^line 3: /);
        assert.match(error.problem, problem);
        return true;
      },
    );
  });
}

test("text_without_the_header_is_refused", () => {
  for (const text of ["", "\n", "= -1\n", "# a comment\n", `= -1\n${HEADER}\n`]) {
    assert.throws(() => parseTrace(text), /line 1: a trace begins with/);
  }
});

test("line_that_was_cut_short_at_the_end_is_left_out", () => {
  assert.equal(parseTrace(`${textOf("= -1")}= 12`).length, 2);
});

test("trace_on_a_console_is_read_with_the_line_numbers_of_the_console", () => {
  const noise = ["boot: hello", "I (12) trace: not of a trace", "", "\x1b[0;32mI (5) wifi: up"];
  const lines = [HEADER, "> 1 BOOT 1 0 -", "= -1"].map((line) => `trace: ${line}\r`);
  const stamped = `12:00:01 ${lines[2]}`;
  const text = [...noise, lines[0], ...noise, lines[1], stamped, "rst:0x1", "trace: "].join("\n");
  assert.deepEqual(
    parseTrace(`${text}\n`).map(({ line, what }) => [line, what]),
    [
      [5, "comment"],
      [10, "event"],
      [11, "wait"],
    ],
  );
});

const BOOT = "> 1 BOOT 1 0 -";
const TICK = "> 2 TICK 0 0 -";
const CALL = "< flash_size = 0";

const ORDERS: readonly [what: string, lines: string[], line: number, problem: RegExp][] = [
  ["an event before BOOT", [TICK], 2, /a life begins with BOOT/],
  ["a call before BOOT", [CALL], 2, /belongs to a step/],
  ["a call behind a step", [BOOT, "= 1", CALL], 4, /belongs to a step/],
  ["two ends of a step", [BOOT, "= 1", "= 1"], 4, /belongs to a step/],
  ["an event in a step", [BOOT, CALL, TICK], 4, /the step of line 2 has not ended/],
  ["an event behind a trap", [BOOT, "!", TICK], 4, /begins with BOOT/],
  ["an event without power", [BOOT, "= 1", "~ off", TICK], 5, /begins with BOOT/],
  ["a call without power", [BOOT, "~ off", CALL], 4, /belongs to a step/],
];

for (const [what, lines, line, problem] of ORDERS) {
  test(`trace_with_${what.replaceAll(" ", "_")}_is_refused`, () => {
    assert.throws(
      () => livesOf(parseTrace(textOf(...lines))),
      (error) => error instanceof TraceError && error.line === line && problem.test(error.message),
    );
  });
}

test("trace_is_read_as_lives_and_steps", () => {
  const other = "a0".repeat(32);
  const lines = parseTrace(
    textOf(
      ...[
        BOOT,
        CALL,
        BOOT,
        "= 1",
        `~ module ${DIGEST}`,
        TICK,
        CALL,
        CALL,
        "= -1",
        "# off",
        "~ off",
      ],
      ...[BOOT, "!", `~ module ${other}`, BOOT, CALL],
    ),
  );
  assert.deepEqual(
    livesOf(lines).map(({ digest, steps }) => [
      digest,
      steps.map(({ event, calls, end }) => [event.event.kind, calls.length, end?.what]),
    ]),
    [
      [null, [[EventKind.BOOT, 1, undefined]]],
      [
        null,
        [
          [EventKind.BOOT, 0, "wait"],
          [EventKind.TICK, 2, "wait"],
        ],
      ],
      [DIGEST, [[EventKind.BOOT, 0, "trap"]]],
      [other, [[EventKind.BOOT, 1, undefined]]],
    ],
  );
});
