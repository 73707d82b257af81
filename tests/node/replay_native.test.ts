// iot32-replay (host-esp32/linux/replay): what wasm3 did it does again, from the trace alone; and
// whatever is otherwise, in the trace or in the thunks of the host, is found where it stands.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import {
  ABI_VERSION,
  EventKind,
  IMPORTS,
  MEMORY_BYTES_MAX,
  nameOf,
  RestartScope,
  Status,
} from "../../host-node/src/abi.js";
import { crc32 } from "../../host-node/src/crc32.js";
import { thingDocument } from "./support/identities.js";
import { moduleBytesOf, sampleBytesOf } from "./support/module_cache.js";
import { skipWithoutNative, temporaryFolder } from "./support/native.js";
import { NativeDevice } from "./support/native_device.js";
import { NativeReplay, type Replayed } from "./support/native_replay.js";
import { seededRandom } from "./support/seeded_random.js";
import {
  callWith,
  constant,
  Op,
  onKind,
  type TinyModule,
  tinyModule,
} from "./support/tiny_module.js";
import { bytesOfToken, tokenOf, wordsOf } from "./support/trace_text.js";

const I32_MUL = 0x6c;
/** Of thingDocument. */
const PASSWORD = "secret-password";
const event = (kind: EventKind, a = 0, b = 0): string =>
  `event ${nameOf(EventKind, kind)} ${a} ${b}`;
const textOf = (lines: readonly string[]): string => `${lines.join("\n")}\n`;
/** dispatch returns `wait_ms` for this kind of event, and -1 for others. */
const waitAfter = (kind: EventKind, wait_ms: number): TinyModule => ({
  dispatch: [
    ...[Op.LOCAL_GET, 0, ...constant(kind), Op.I32_EQ, ...constant(wait_ms + 1), I32_MUL],
    ...[...constant(-1), Op.I32_ADD],
  ],
  givesWait: true,
});

describe("replay of traces by the host of the chip", { skip: skipWithoutNative }, () => {
  let folder = "";
  let device!: NativeDevice;
  let replay!: NativeReplay;
  let puppet!: Uint8Array;
  /** Two lives of it, with a session and a loss of it, and a power cut between them. */
  let life: readonly string[] = [];

  const DEBUG_MEMORY = ["--memory", "65536"];
  const configuration = JSON.stringify(thingDocument());
  const script = [
    ...["boot", "time 500", event(EventKind.MQTT_UP), "time 2000"],
    ...[event(EventKind.MQTT_SUBSCRIBED, 1, 1), event(EventKind.MQTT_SUBSCRIBED, 2, 1)],
    ...["time 60000", event(EventKind.MQTT_DOWN, Status.CONNECTION_LOST), "time 600000"],
    ...[event(EventKind.WIFI_DOWN, Status.CONNECTION_LOST), "time 30000", "off", "boot"],
    ...["time 20000"],
  ];

  before(async () => {
    folder = temporaryFolder();
    device = new NativeDevice(folder);
    replay = new NativeReplay(folder);
    puppet = await moduleBytesOf("debug", "puppet");
    life = device.run(puppet, script, { configuration, options: DEBUG_MEMORY });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function assertSame(
    lines: readonly string[],
    modules: readonly Uint8Array[],
    options: readonly string[] = [],
  ): void {
    for (const more of [[], ["--lazy"]]) {
      const { status, trace, report } = replay.run(textOf(lines), modules, [...options, ...more]);
      assert.equal(report, "");
      assert.equal(status, 0);
      assert.equal(trace, textOf(lines));
    }
  }

  const replayLife = (lines: readonly string[]): Replayed =>
    replay.run(textOf(lines), [puppet], DEBUG_MEMORY);

  /** Number of the line at which a report says that it differs. */
  const lineOf = ({ status, report }: Replayed): number => {
    assert.equal(status, 1, report);
    return Number(/^# difference at line (\d+): expected /.exec(report)?.[1]);
  };
  const withLine = (index: number, ...lines: readonly string[]): string[] => [
    ...life.slice(0, index),
    ...lines,
    ...life.slice(index + 1),
  ];
  const indexOf = (pattern: RegExp, from = 0): number => {
    const index = life.findIndex((line, i) => i >= from && pattern.test(line));
    assert.ok(index >= 0, `no line ${pattern}`);
    return index;
  };

  describe("same again", () => {
    const modules: readonly (readonly [string, () => Promise<Uint8Array>])[] = [
      ["all", () => sampleBytesOf("esp32", "all")],
      ["telemetry", () => sampleBytesOf("esp32", "telemetry")],
      ["puppet", () => moduleBytesOf("debug", "puppet")],
      ["updater", () => moduleBytesOf("release", "updater")],
    ];
    for (const [name, bytes] of modules) {
      test(`trace_of_application_${name}_comes_out_byte_for_byte`, async () => {
        const module = await bytes();
        const lines = device.run(module, script, { configuration, options: DEBUG_MEMORY });
        assert.ok(lines.filter((line) => line.startsWith(">")).length > 30, "too few steps");
        assertSame(lines, [puppet, module], DEBUG_MEMORY);
      });
    }

    const situations: readonly (readonly [string, TinyModule, readonly string[]])[] = [
      [
        "restarts_of_the_device",
        {
          imports: [["sys_restart", 1]],
          dispatch: onKind(EventKind.MQTT_UP, callWith(0, RestartScope.DEVICE)),
        },
        ["boot", event(EventKind.MQTT_UP), "time 1000", event(EventKind.MQTT_UP)],
      ],
      [
        "restarts_of_the_module",
        {
          imports: [["sys_restart", 1]],
          dispatch: onKind(EventKind.MQTT_UP, callWith(0, RestartScope.MODULE)),
        },
        ["boot", event(EventKind.MQTT_UP), "time 1000", event(EventKind.MQTT_UP), "off", "boot 5"],
      ],
      [
        "traps_and_what_follows_them",
        { dispatch: onKind(EventKind.MQTT_UP, [Op.UNREACHABLE]) },
        ["boot", event(EventKind.MQTT_UP), event(EventKind.MQTT_UP), "off", "boot 1", "off"],
      ],
      [
        "traps_on_boot_until_the_end",
        {
          imports: [["sys_panic", 6]],
          dispatch: [...callWith(0, 0, 4, 4, 4, 17, 3), Op.UNREACHABLE],
        },
        ["boot"],
      ],
      [
        "slices_outside_memory",
        {
          imports: [["log_write", 4]],
          dispatch: [
            ...callWith(0, 1, 0, 0xffffffff, 2),
            ...callWith(0, 1, 0, MEMORY_BYTES_MAX, 0),
          ],
        },
        ["boot", "event 99 -2147483648 2147483647 00*1536"],
      ],
      [
        "time_that_wraps",
        waitAfter(EventKind.MQTT_UP, 1000),
        [
          ...["boot", "time 4294967000", event(EventKind.MQTT_UP), "time 295"],
          ...[
            event(EventKind.MQTT_DOWN),
            event(EventKind.MQTT_UP),
            "time 1",
            event(EventKind.WIFI_UP),
          ],
          ...[event(EventKind.MQTT_UP), "time 2000"],
        ],
      ],
    ];
    for (const [situation, options, steps] of situations) {
      test(`${situation}_come_out_byte_for_byte`, () => {
        const module = tinyModule(options);
        const lines = device.run(module, steps);
        assert.ok(lines.length > 4);
        assertSame(lines, [module]);
      });
    }

    test("time_that_wraps_is_in_a_trace_of_the_test_before", () => {
      const steps = situations.find(([name]) => name === "time_that_wraps")![2];
      const lines = device.run(tinyModule(waitAfter(EventKind.MQTT_UP, 1000)), steps);
      const times = lines.filter((line) => line.startsWith(">")).map((line) => line.split(" ")[1]);
      assert.deepEqual(
        [...new Set(times)],
        ["0", "4294967000", "4294967295", "0", "1000"].filter((t, i, all) => all.indexOf(t) === i),
      );
      assert.ok(lines.includes("> 1000 TICK 0 0 -"));
    });

    test("lives_of_several_modules_in_one_trace_come_out_byte_for_byte", () => {
      const others = [tinyModule({ tag: "one" }), tinyModule({ tag: "two" })];
      const lines = [...others, others[0]!].flatMap((module, i) => {
        const one = device.run(module, ["boot", event(EventKind.MQTT_UP)]);
        return i === 0 ? one : one.slice(1);
      });
      assertSame(lines, others);
    });

    test("power_that_goes_at_any_call_ends_the_step_there", () => {
      const second = life.slice(indexOf(/^~ off/) + 1);
      const calls = life.flatMap((line, i) => (line.startsWith("<") ? [i] : []));
      for (let at = 0; at < calls.length; at += Math.ceil(calls.length / 8)) {
        const begun = life.slice(0, calls[at]);
        assertSame([...begun, "~ off", ...second], [puppet], DEBUG_MEMORY);
        assertSame([...begun, ...second], [puppet], DEBUG_MEMORY);
        assertSame(begun, [puppet], DEBUG_MEMORY);
      }
    });

    test("bytes_in_another_division_are_the_same_bytes", () => {
      const boot = indexOf(/ BOOT /);
      const words = life[boot]!.split(" ");
      const parts = words[5]!.match(/../g)!;
      const divided = withLine(boot, [...words.slice(0, 5), parts.join("+")].join(" "));
      const { status, trace } = replayLife(divided);
      assert.equal(status, 0);
      assert.equal(trace, textOf(life));
    });
  });

  describe("traces without secrets", () => {
    const masked = (text: string): string => text.replaceAll(PASSWORD, "p".repeat(PASSWORD.length));
    /** As the CONFIGURATION record keeps it, to know the document again. */
    const documentChecksum = (document: string): string => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(crc32(Buffer.from(document)));
      return bytes.toString("latin1");
    };

    /**
     * Zeros where a good record header has its checksums, p for the password, and the checksum that
     * the document has without it.
     */
    function hide(offset: number | null, bytes: Buffer): Buffer {
      const text = masked(bytes.toString("latin1")).replaceAll(
        documentChecksum(configuration),
        documentChecksum(masked(configuration)),
      );
      const hidden = Buffer.from(text, "latin1");
      for (let at = 0; offset !== null && at + 16 <= bytes.length; at += 16) {
        const isHeader =
          bytes[at] === 0x52 &&
          bytes.readUInt32LE(at + 12) === crc32(bytes.subarray(at, at + 12), offset + at);
        if (isHeader) hidden.fill(0, at + 8, at + 16);
      }
      return hidden;
    }

    function hidden(line: string): string {
      if (!line.startsWith("< ")) return line;
      const words = wordsOf(line);
      const entry = IMPORTS.find(({ name }) => name === words[1])!;
      const offset = entry.name.startsWith("flash_") ? Number(words[2]) : null;
      for (const [i, type] of Object.values(entry.params).entries()) {
        if (type !== "in" && type !== "out") continue;
        const [, room, token] = /^(\[\d+\])?(.*)$/s.exec(words[i + 2]!)!;
        words[i + 2] = `${room ?? ""}${tokenOf(hide(offset, bytesOfToken(token!)))}`;
      }
      return words.join(" ");
    }

    test("checksums_that_are_hidden_are_put_in_again_and_not_compared", () => {
      const lines = life.map(hidden);
      const changed = lines.filter((line, i) => line !== life[i]);
      for (const name of ["flash_write", "flash_read", "sys_config_read", "wifi_join"]) {
        assert.ok(
          changed.some((line) => line.startsWith(`< ${name} `)),
          name,
        );
      }
      assert.ok(!lines.some((line) => line.includes(PASSWORD)));
      assertSame(lines, [puppet], DEBUG_MEMORY);
    });

    test("a_flash_that_nobody_has_seen_being_written_is_read_as_it_is_shown_later", () => {
      const lines = life.map(hidden);
      const second = [...lines.slice(0, 2), ...lines.slice(lines.indexOf("~ off") + 1)];
      assert.ok(second.some((line) => /^< wifi_join /.test(line)));
      assertSame(second, [puppet], DEBUG_MEMORY);
    });

    test("a_header_that_is_written_otherwise_is_still_a_difference", () => {
      const at = life.findIndex((line) => /^< flash_write \d+ 52/.test(line));
      const lines = life.map(hidden);
      const changed = lines.with(at, lines[at]!.replace(/ 52../, " 5207"));
      assert.notEqual(changed[at], lines[at]);
      assert.equal(lineOf(replayLife(changed)), at + 1);
    });
  });

  describe("differences", () => {
    test("two_calls_in_another_order_are_found", () => {
      const first = indexOf(/^< wifi_join/) - 1;
      assert.match(life[first]!, /^</);
      const swapped = withLine(first, life[first + 1]!, life[first]!);
      swapped.splice(first + 2, 1);
      assert.equal(lineOf(replayLife(swapped)), first + 1);
    });

    test("a_changed_wait_is_found", () => {
      const at = indexOf(/^= \d+$/);
      const changed = withLine(at, `= ${Number(life[at]!.slice(2)) + 1}`);
      assert.equal(lineOf(replayLife(changed)), at + 1);
    });

    test("a_tick_that_comes_too_early_is_found_unless_it_is_allowed", () => {
      const module = tinyModule(waitAfter(EventKind.MQTT_UP, 1000));
      const lines = device.run(module, ["boot", event(EventKind.MQTT_UP), "time 1000"]);
      const early = lines.map((line) => line.replace("> 1000 TICK", "> 999 TICK"));
      const found = replay.run(textOf(early), [module]);
      assert.equal(lineOf(found), early.length - 1);
      assert.match(found.report, /the next TICK is due in 1 ms/);
      assert.equal(replay.run(textOf(early), [module], ["--early-ticks"]).status, 0);
    });

    test("a_changed_byte_that_the_core_reads_is_found_where_it_reacts", () => {
      const at = indexOf(/^< sys_config_read 0 \[\d+\]'/);
      const changed = withLine(at, life[at]!.replace(/"ssid":"./, '"ssid":"~'));
      assert.notEqual(changed[at], life[at]);
      const found = replayLife(changed);
      assert.ok(lineOf(found) > at + 1);
      assert.match(found.report, /^# difference at line \d+: expected < /);
    });

    test("a_boot_that_the_loop_would_not_make_is_found", () => {
      const boot = life[2]!.replace("> 0 BOOT 1 0 ", "> 0 BOOT 1 7 ");
      assert.equal(lineOf(replayLife(withLine(2, boot))), 3);
    });

    test("a_trap_that_does_not_happen_and_one_that_is_not_told_are_found", () => {
      const at = indexOf(/^=/);
      assert.equal(lineOf(replayLife(withLine(at, "!"))), at + 1);
      const module = tinyModule({ dispatch: [Op.UNREACHABLE] });
      const lines = device.run(module, ["boot"]);
      const told = lines.with(lines.indexOf("!"), "= -1");
      const found = replay.run(textOf(told), [module]);
      assert.equal(lineOf(found), 4);
      assert.match(found.report, /came: ! \[trap\] unreachable executed/);
    });

    test("a_line_that_is_missing_is_found_where_it_is_missing", () => {
      const random = seededRandom(7);
      let tried = 0;
      while (tried < 40) {
        const at = Math.floor(random() * (life.length - 2));
        const [line, next] = [life[at]!, life[at + 1]!];
        if (line.startsWith("#") || line === next || /^~ off| BOOT /.test(`${line}${next}`))
          continue;
        const { status, report } = replayLife(life.toSpliced(at, 1));
        assert.notEqual(status, 0, line);
        assert.match(report, new RegExp(`line ${at + 1}:`), line);
        tried++;
      }
    });

    test("a_module_that_is_refused_is_a_difference", () => {
      const module = tinyModule({ abiVersion: 1 });
      const good = tinyModule();
      const lines = device.run(good, ["boot"]);
      const digest = replay.run(textOf(lines), [module]);
      assert.match(digest.report, /line 2: no --module has this digest/);
      const tooLarge = replay.run(textOf(lines), [good], ["--memory", "1024"]);
      assert.equal(lineOf(tooLarge), 3);
      assert.match(tooLarge.report, /the module is refused: /);
    });
  });

  describe("broken thunks", () => {
    const imports = [
      ["log_event", 4],
      ["flash_read", 3],
      ["flash_size", 0],
      ["wifi_join", 4],
      ["ota_begin", 2],
      ["sys_panic", 6],
      ["sys_restart", 1],
    ] as const;
    const dispatch = [
      callWith(0, 3, -5, 0xffffffff, 2),
      callWith(0, 0xfffffffe, -5, MEMORY_BYTES_MAX - 2, 2),
      callWith(1, 16, 4096, 32),
      callWith(2),
      callWith(3, 200, 4, 300, 8),
      callWith(4, 1, 4096),
      callWith(5, 512, 4, 512, 4, 17, 3),
      callWith(6, RestartScope.MODULE),
    ].flat();
    const module = tinyModule({
      imports,
      dispatch: onKind(EventKind.MQTT_UP, dispatch),
      dataAt: 200,
    });
    const checked = (port: string, slice: string): string =>
      `  if (!is_in_memory(runtime, ${slice}, ${slice}_size)) {\n` +
      `    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)\n  }\n  m3ApiReturn(host_${port}(`;
    const signedRange =
      "static bool is_in_memory(IM3Runtime runtime, int32_t pointer, int32_t size) {\n" +
      "  const int32_t memory_size = (int32_t)m3_GetMemorySize(runtime);";

    type Break = readonly [string, string, number?];
    const breaks: readonly (readonly [string, Break, RegExp])[] = [
      [
        "two numbers swapped",
        ["host_ota_begin(target, offset)", "host_ota_begin(offset, target)"],
        /ota_begin 1 4096.*the port has target 4096 instead of 1/s,
      ],
      [
        "numbers of panic swapped",
        ["    line,\n    column\n", "    column,\n    line\n"],
        /sys_panic.*the port has line 3 instead of 17/s,
      ],
      [
        "a bounds check removed",
        [checked("log_event", "text"), "  m3ApiReturn(host_log_event("],
        /log_event 3 -5 @4294967295\+2.*the port is called with text/s,
      ],
      [
        "bounds taken as signed",
        [
          "static bool is_in_memory(IM3Runtime runtime, uint32_t pointer, uint32_t size) {\n" +
            "  const uint32_t memory_size = m3_GetMemorySize(runtime);",
          signedRange,
        ],
        /log_event 3 -5 @4294967295\+2.*the port is called with text/s,
      ],
      [
        "bounds one byte too strict",
        ["size <= memory_size - pointer", "size < memory_size - pointer"],
        /log_event 4294967294 -5 0000.*the port is not called/s,
      ],
      [
        "a number of another width",
        ["m3ApiGetArg(int32_t, value)", "m3ApiGetArg(uint16_t, value)"],
        /the port has value 65531 instead of -5/,
      ],
      [
        "a size that is one too small",
        [
          "host_flash_read(offset, (uint8_t *)_mem + bytes, bytes_size)",
          "host_flash_read(offset, (uint8_t *)_mem + bytes, bytes_size - 1)",
        ],
        /the port may fill 31 bytes of bytes instead of 32/,
      ],
      [
        "a slice that is filled elsewhere",
        [
          "host_flash_read(offset, (uint8_t *)_mem + bytes, bytes_size)",
          "host_flash_read(offset, (uint8_t *)_mem + bytes + 1, bytes_size)",
        ],
        /flash_read 16 \[32\]ff\*32.*came: < flash_read 16 \[32\]00/s,
      ],
      [
        "two slices swapped",
        [
          "_mem + ssid,\n    ssid_size,\n    (uint8_t *)_mem + password,\n    password_size",
          "_mem + password,\n    password_size,\n    (uint8_t *)_mem + ssid,\n    ssid_size",
        ],
        /the port has 8 bytes of ssid instead of 4/,
      ],
      [
        "a slice with the size of the other",
        ["_mem + ssid,\n    ssid_size,", "_mem + ssid,\n    password_size,"],
        /the port has 8 bytes of ssid instead of 4/,
      ],
      [
        "the port of another import",
        ["m3ApiReturn(host_flash_size())", "m3ApiReturn(host_http_redirect())"],
        /host_http_redirect is called by the thunk of flash_size/,
      ],
      [
        "a result cut off",
        ["m3ApiReturn(host_flash_size())", "m3ApiReturn((int16_t)host_flash_size())"],
        /flash_size = 65536\n# came: < flash_size = 0/,
      ],
      [
        "an argument that is always the same",
        ["m3ApiReturn(host_sys_restart(scope))", "m3ApiReturn(host_sys_restart(scope & 0))"],
        /the port has scope 0 instead of 1/,
      ],
      [
        "no port at all",
        ["m3ApiReturn(host_flash_size())", "m3ApiReturn(65536)"],
        /the port is not called/,
      ],
    ];

    const trace = (): string => textOf(device.run(module, ["boot", event(EventKind.MQTT_UP)]));

    test("good_thunks_pass", () => {
      const { status, report } = replay.run(trace(), [module]);
      assert.equal(report, "");
      assert.equal(status, 0);
    });

    for (const [situation, change, expected] of breaks) {
      test(`thunk_with_${situation.replaceAll(" ", "_")}_is_caught`, () => {
        const caught = replay.runBroken(change, trace(), [module]);
        assert.ok(lineOf(caught) > 3);
        assert.match(caught.report, expected);
      });
    }
  });

  describe("traces that are no good", () => {
    const FIRST = `# iot32 trace 1 abi ${ABI_VERSION}`;
    const module = tinyModule();
    const good = (): string[] => device.run(module, ["boot", `${event(EventKind.MQTT_UP)} 'a b'`]);
    const refused = (lines: readonly string[]): string => {
      const { status, report } = replay.run(textOf(lines), [module]);
      assert.equal(status, 2, report);
      assert.match(report, /^iot32-replay: [^\n]+\n$/);
      return report;
    };

    test("an_empty_trace_and_one_without_a_step_are_errors", () => {
      assert.match(replay.run("", [module]).report, /the trace is empty/);
      assert.match(refused([FIRST]), /no step/);
      assert.match(refused(good().slice(0, 2)), /no step/);
      assert.match(refused([FIRST, "~ off"]), /no step/);
    });

    const lines: readonly (readonly [string, RegExp])[] = [
      ["> 0 BOOT 1 0", /line 4: not understood from column 13/],
      ["> 0 BOOT 1 0  -", /column 14/],
      ["> 4294967296 BOOT 1 0 -", /column 12/],
      ["> 0 NOTHING 1 0 -", /column 5/],
      ["> 0 BOOT 2147483648 0 -", /column/],
      ["> 0 BOOT 1 0 02", /not that of a BOOT/],
      ["> 0 BOOT 1 0 0200000000010002ff00", /not that of a BOOT/],
      ["> 0 TICK 0 0 00*1537", /not understood/],
      ["> 0 TICK 0 0 00*4294967295", /not understood/],
      ["> 0 TICK 0 0 00*99999999999999999999", /not understood/],
      ["> 0 TICK 0 0 'abc", /not understood/],
      ["> 0 TICK 0 0 '\\x'", /not understood/],
      ["> 0 TICK 0 0 0", /not understood/],
      ["> 0 TICK 0 0 0A", /not understood/],
      ["> 0 TICK 0 0 00+", /not understood/],
      ["< flash_format 0 = 0", /column/],
      ["< flash_read 0 [4]00 = 0", /not filled as the result says/],
      ["< flash_read 0 [4]00000000 = -1", /not filled as the result says/],
      ["< sys_config_read 0 [4]000000 = 2", /not filled as the result says/],
      ["< flash_read 0 [300000]00*300000 = 0", /not understood/],
      [`< ${"x".repeat(100_000)}`, /column/],
      ["~ module 00", /column/],
      [`~ module ${"00".repeat(32)}`, /no --module has this digest/],
      ["= ", /column/],
      ["=", /column/],
      ["", /column 1/],
      ["~ off ", /column/],
      ["> 0 TICK 0 0 -\r", /column/],
    ];
    for (const [line, expected] of lines) {
      const name = line.length > 60 ? `${line.slice(0, 20)}...` : line;
      test(`line_${JSON.stringify(name)}_is_refused_with_its_number`, () => {
        const report = refused([...good().slice(0, 2), "# comment", line]);
        assert.match(report, /line 4: /);
        assert.match(report, expected);
      });
    }

    test("a_first_line_of_something_else_is_refused", () => {
      assert.match(refused(["# iot32 trace 2 abi 2"]), /line 1: .* first line/);
      assert.match(refused([FIRST.replace(/\d+$/, "1")]), /line 1: .* version of the ABI/);
      assert.match(replay.run(FIRST, [module]).report, /line 1: the line has no end/);
    });

    test("events_without_a_life_or_a_module_are_refused", () => {
      assert.match(refused([...good(), "~ off", "> 0 TICK 0 0 -"]), /while nothing runs/);
      assert.match(refused([FIRST, good()[2]!]), /no module was named/);
    });

    test("a_long_trace_that_is_damaged_anywhere_ends_in_a_clean_message_or_is_the_same", () => {
      const text = textOf(life);
      const random = seededRandom(13);
      for (let i = 0; i < 20; i++) {
        const copy = Buffer.from(text, "latin1");
        for (let n = 0; n < 3; n++) {
          copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
        }
        replay.run(copy, [puppet], DEBUG_MEMORY);
      }
    });

    test("a_trace_cut_or_damaged_anywhere_ends_in_a_clean_message_or_is_the_same", () => {
      const bytes = Buffer.from(textOf(good()), "latin1");
      const random = seededRandom(11);
      for (let i = 0; i < 150; i++) {
        const copy = Buffer.from(bytes);
        const at = Math.floor(random() * bytes.length);
        if (i % 3 === 0) {
          replay.run(copy.subarray(0, at), [module]);
        } else {
          copy[at] = Math.floor(random() * 256);
          replay.run(copy, [module]);
        }
      }
    });
  });
});
