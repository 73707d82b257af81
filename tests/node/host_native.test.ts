// The portable half of the chip's host with wasm3 on a PC (host-esp32/linux), under sanitizers:
// real modules boot and run, and do call for call what they do in V8; hostile ones end in a
// refusal or in a trap that is recorded, and are followed by the next life as docs/OTA.md says.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  ABI_VERSION,
  EventKind,
  MEMORY_BYTES_MAX,
  nameOf,
  RestartScope,
  Status,
} from "../../host-node/src/abi.js";
import { encodeHeader, MARK, MARK_AT } from "../../host-node/src/boot/module_header.js";
import { FLASH_BYTES } from "../../host-node/src/flash_image.js";
import { ENDPOINT, SSID, thingDocument } from "./support/identities.js";
import { moduleBytesOf, sampleBytesOf } from "./support/module_cache.js";
import { skipWithoutNative, temporaryFolder } from "./support/native.js";
import { NativeDevice, replayInV8 } from "./support/native_device.js";
import {
  callWith,
  constant,
  dispatchIndex,
  forEver,
  helperIndex,
  Op,
  onKind,
  type TinyModule,
  tinyModule,
} from "./support/tiny_module.js";

const WASM_0 = 0x3a0000;
const WASM_1 = 0x3c0000;
const MODULE_AT = 4096;
const PAST_TRAPS_MS = 10_000;
const event = (kind: EventKind, a = 0, b = 0): string =>
  `event ${nameOf(EventKind, kind)} ${a} ${b}`;
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

describe("host of the chip on a PC", { skip: skipWithoutNative }, () => {
  let folder = "";
  let device!: NativeDevice;

  before(() => {
    folder = temporaryFolder();
    device = new NativeDevice(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  describe("real modules", () => {
    const configuration = JSON.stringify(thingDocument());
    /** An hour with a session, a loss of it, and a restart of everything on the same flash. */
    const life = [
      ...["boot", "time 500", event(EventKind.MQTT_UP), "time 2000"],
      ...[event(EventKind.MQTT_SUBSCRIBED, 1, 1), event(EventKind.MQTT_SUBSCRIBED, 2, 1)],
      ...["time 60000", event(EventKind.MQTT_DOWN, Status.CONNECTION_LOST), "time 600000"],
      ...[event(EventKind.WIFI_DOWN, Status.CONNECTION_LOST), "time 3000000"],
    ];
    /** What a module of the target "debug" takes. */
    const DEBUG_MEMORY = ["--memory", "65536"];
    /** With room for no compiled code: all of it is given back before each step. */
    const LAZY_AGAIN = ["--lazy", "--code", "1"];
    const modules: readonly (readonly [string, () => Promise<Uint8Array>])[] = [
      ["all", () => sampleBytesOf("esp32", "all")],
      ["telemetry", () => sampleBytesOf("esp32", "telemetry")],
      ["puppet", () => moduleBytesOf("debug", "puppet")],
      ["updater", () => moduleBytesOf("release", "updater")],
    ];
    for (const [name, bytes] of modules) {
      const ways = { at_load: [], when_called: ["--lazy"], anew_in_each_step: LAZY_AGAIN };
      for (const [compiled, way] of Object.entries(ways)) {
        test(`application_${name}_compiled_${compiled}_does_on_wasm3_what_it_does_in_v8`, async () => {
          const module = await bytes();
          const options = [...DEBUG_MEMORY, ...way];
          const lines = device.run(module, life, { configuration, options });
          const connect = lines.find((line) => line.startsWith("< mqtt_connect"));
          assert.match(connect ?? "", new RegExp(`^< mqtt_connect '${ENDPOINT}' 8883 .* = 0$`));
          assert.ok(lines.some((line) => line.startsWith(`< wifi_join '${SSID}' `)));
          assert.ok(!lines.includes("!"), "a trap");
          assert.ok(replayInV8(module, lines) > 50, "too few steps");
        });
      }
    }

    test("the_same_script_gives_the_same_lines", async () => {
      const module = await moduleBytesOf("debug", "puppet");
      const options = DEBUG_MEMORY;
      const first = device.run(module, life, { configuration, options });
      assert.deepEqual(device.run(module, life, { configuration, options }), first);
    });

    test("a_second_life_on_the_same_flash_file_finds_its_records", async () => {
      const module = await moduleBytesOf("debug", "puppet");
      const options = [...DEBUG_MEMORY, "--flash", join(folder, "records.bin")];
      device.run(module, life, { configuration, options });
      const again = device.run(module, ["boot", "time 1000"], { configuration, options });
      assert.ok(again.some((line) => line.startsWith("< mqtt_connect")));
      assert.ok(!again.some((line) => /^< flash_(write|erase)/.test(line)), "stored again");
    });
  });

  describe("hostile modules", () => {
    const LOG_WRITE = ["log_write", 4] as const;
    /** Boots once, without the restarts that follow a trap. */
    const bootOf = (options: TinyModule, more: readonly string[] = []): string[] =>
      device.run(tinyModule(options), ["boot"], { options: more });
    const firstOf = (lines: readonly string[]): string | undefined =>
      lines.find((line) => line.startsWith("# trap"));
    /** Behind the first line, the module, and BOOT. */
    const insideOf = (lines: readonly string[]): string[] => lines.slice(3);

    test("slices_outside_memory_or_with_lengths_that_wrap_are_refused", () => {
      const slices = [
        [0xffffffff, 2],
        [100, 0xffffffff],
        [MEMORY_BYTES_MAX - 1, 2],
        [MEMORY_BYTES_MAX + 1, 0],
        [0x80000000, 0x80000000],
      ] as const;
      const dispatch = slices.flatMap(([at, size]) => callWith(0, 1, 0, at, size));
      const lines = bootOf({ imports: [LOG_WRITE], dispatch });
      const calls = slices.map(([at, size]) => `< log_write 1 0 @${at}+${size} = -1`);
      assert.deepEqual(insideOf(lines), [...calls, "= -1"]);
    });

    test("a_slice_up_to_the_end_of_memory_is_good", () => {
      const lines = bootOf({
        imports: [LOG_WRITE],
        dispatch: callWith(0, 1, 0, MEMORY_BYTES_MAX - 2, 2),
      });
      assert.equal(insideOf(lines)[0], "< log_write 1 0 0000 = 0");
    });

    const refusals: readonly (readonly [string, TinyModule, RegExp])[] = [
      ["without dispatch", { without: ["dispatch"] }, /export dispatch is missing/],
      ["without memory", { without: ["memory"] }, /export memory is missing/],
      ["of another abi version", { abiVersion: 1 }, /speaks version 1 of the ABI/],
      [
        "with an unknown import",
        { imports: [["sys_format", 1]] },
        /sys_format is not in the table/,
      ],
      ["with an inbox outside memory", { inbox: MEMORY_BYTES_MAX - 1535 }, /inbox is outside/],
      ["with a negative inbox", { inbox: -1 }, /inbox is outside/],
      ["with data outside memory", { dataAt: MEMORY_BYTES_MAX }, /data segment out of bounds/],
      ["with data at a negative address", { dataAt: -1 }, /data segment out of bounds/],
      ["without memory pages", { pages: 0 }, /inbox is outside/],
      ["whose start function traps", { start: [Op.UNREACHABLE] }, /unreachable/],
      [
        "whose start function calls its host",
        { imports: [["sys_restart", 1]], start: callWith(0, 0) },
        /sys_restart is called before BOOT/,
      ],
    ];
    for (const [situation, module, problem] of refusals) {
      test(`module_${situation.replaceAll(" ", "_")}_is_refused`, () => {
        const lines = bootOf(module);
        assert.match(firstOf(lines) ?? "", problem);
        assert.ok(!lines.some((line) => line.startsWith(">")), "it was dispatched to");
      });
    }

    const self = [...[0, 1, 2, 3, 4].flatMap((i) => [Op.LOCAL_GET, i]), Op.CALL, dispatchIndex(0)];
    const traps: readonly (readonly [string, TinyModule, RegExp])[] = [
      ["endless recursion", { dispatch: self, givesWait: true }, /stack overflow/],
      [
        "a read behind the memory that a chip gives",
        { dispatch: [...constant(MEMORY_BYTES_MAX - 3), Op.I32_LOAD, 2, 0, Op.DROP] },
        /out of bounds memory access/,
      ],
      ["unreachable", { dispatch: [Op.UNREACHABLE] }, /unreachable/],
    ];
    for (const [situation, module, message] of traps) {
      test(`${situation.replaceAll(" ", "_")}_is_a_trap_that_is_recorded`, () => {
        const lines = bootOf(module);
        assert.match(firstOf(lines) ?? "", message);
        assert.match(firstOf(lines) ?? "", /^# trap 1 BOOT 100 /);
        assert.equal(insideOf(lines)[0], "!");
      });
    }

    test("memory_never_grows_however_often_it_is_asked_for", () => {
      const grow = [...constant(1), Op.MEMORY_GROW, 0, ...constant(-1), Op.I32_EQ, Op.BR_IF, 1];
      const dispatch = [
        ...[...constant(-1), Op.MEMORY_GROW, 0, Op.DROP, ...forEver(grow)],
        ...[Op.MEMORY_SIZE, 0],
      ];
      assert.equal(bootOf({ dispatch, givesWait: true }).at(-1), "= 1");
    });

    /** More values on the stack at once than wasm3 compiles. */
    const tooDeep = [
      ...Array.from({ length: 5000 }, () => constant(1)).flat(),
      ...Array.from({ length: 5000 }, () => Op.DROP),
    ];

    test("function_that_cannot_be_compiled_is_refused_at_load", () => {
      const lines = bootOf({ dispatch: tooDeep });
      assert.match(firstOf(lines) ?? "", /stack height limit/);
      assert.ok(!lines.some((line) => line.startsWith(">")));
    });

    test("function_that_fails_to_compile_when_called_ends_each_life_without_a_crash", () => {
      const dispatch = onKind(EventKind.MQTT_UP, [Op.CALL, helperIndex(0)]);
      const script = ["boot", event(EventKind.MQTT_UP), event(EventKind.MQTT_UP)];
      const module = tinyModule({ dispatch, helper: tooDeep });
      const lines = device.run(module, script, { options: ["--lazy"] });
      const counted = lines.filter((line) => line.startsWith("# trap"));
      assert.deepEqual(
        counted.map((line) => line.split(" ").slice(2, 5).join(" ")),
        ["1 MQTT_UP 100", "2 MQTT_UP 1000"],
      );
      assert.match(counted[0]!, /stack height limit/);
    });

    test("panic_of_an_assertion_is_the_text_of_the_trap", () => {
      const imports = [["sys_panic", 6]] as const;
      const dispatch = [...callWith(0, 0, 0, 0, 0, 17, 0), Op.UNREACHABLE];
      assert.equal(firstOf(bootOf({ imports, dispatch })), "# trap 1 BOOT 100 assertion 17");
    });

    test("module_that_traps_on_boot_three_times_is_the_end_of_a_device_without_another", () => {
      const module = tinyModule({ dispatch: [Op.UNREACHABLE] });
      const message = "[trap] unreachable executed";
      const boot = (now: number) => `> ${now} BOOT 1 0 0200000000010000ff00`;
      const again = (now: number) => `> ${now} BOOT 3 0 0200000000010000ff00+'BOOT: ${message}'`;
      assert.deepEqual(device.run(module, ["boot"]), [
        `# iot32 trace 1 abi ${ABI_VERSION}`,
        `~ module ${sha256(module).toString("hex")}`,
        ...[boot(0), "!", `# trap 1 BOOT 100 ${message}`, "# restart"],
        ...[again(100), "!", `# trap 2 BOOT 1000 ${message}`, "# restart"],
        ...[again(1100), "!", `# trap 3 BOOT 60000 ${message}`, "# restart"],
        "# the end",
      ]);
    });

    test("traps_more_than_a_minute_apart_are_not_in_a_row", () => {
      const dispatch = onKind(EventKind.MQTT_UP, [Op.UNREACHABLE]);
      const trapLater = ["time 61000", event(EventKind.MQTT_UP)];
      const script = ["boot", ...[0, 1, 2, 3].flatMap(() => trapLater)];
      const lines = device.run(tinyModule({ dispatch }), script);
      const counts = lines
        .filter((line) => line.startsWith("# trap"))
        .map((line) => line.split(" ")[2]);
      assert.deepEqual(counts, ["1", "1", "1", "1"]);
    });
  });

  describe("module slots", () => {
    const embedded = tinyModule({ tag: "embedded" });

    /** A flash file with modules in slots, as updates under the embedded module leave them. */
    function flashWith(
      slots: Record<number, { module: Uint8Array; marks?: ("attempted" | "confirmed")[] }>,
    ) {
      const path = join(folder, "slots.bin");
      const bytes = Buffer.alloc(FLASH_BYTES, 0xff);
      for (const [slot, { module, marks = [] }] of Object.entries(slots)) {
        const at = slot === "0" ? WASM_0 : WASM_1;
        const header = { sequence: 1 + Number(slot), size: module.length, sha256: sha256(module) };
        bytes.set(encodeHeader({ ...header, firmwareId: sha256(embedded) }), at);
        bytes.set(module, at + MODULE_AT);
        for (const mark of marks) bytes.set(MARK, at + MARK_AT[mark]);
      }
      writeFileSync(path, bytes);
      return path;
    }

    const bootsOf = (lines: readonly string[]) =>
      lines
        .filter((line) => line.startsWith(">") && line.split(" ")[2] === "BOOT")
        .map((line) => line.replace(/\+'.*/, "").slice(-4));

    test("module_on_trial_that_traps_is_given_up_by_the_restart", () => {
      const module = tinyModule({ dispatch: [Op.UNREACHABLE], tag: "bad" });
      const path = flashWith({ 0: { module } });
      const lines = device.run(embedded, ["boot"], { options: ["--flash", path] });
      assert.deepEqual(bootsOf(lines), ["0001", "ff00"]);
      assert.equal(lines.at(-1), "= -1");
    });

    test("module_that_is_refused_on_trial_is_given_up_too", () => {
      const module = tinyModule({ abiVersion: 1, tag: "old" });
      const lines = device.run(embedded, ["boot"], {
        options: ["--flash", flashWith({ 1: { module } })],
      });
      assert.deepEqual(bootsOf(lines), ["ff00"]);
    });

    test("confirmed_module_that_traps_three_times_makes_way_for_the_one_before", () => {
      const bad = tinyModule({ dispatch: [Op.UNREACHABLE], tag: "bad" });
      const good = tinyModule({ tag: "good" });
      const path = flashWith({
        0: { module: good, marks: ["attempted", "confirmed"] },
        1: { module: bad, marks: ["attempted", "confirmed"] },
      });
      const lines = device.run(embedded, ["boot"], { options: ["--flash", path] });
      assert.deepEqual(bootsOf(lines), ["0100", "0100", "0100", "0000"]);
      const invalid = readFileSync(path).subarray(
        WASM_1 + MARK_AT.invalid,
        WASM_1 + MARK_AT.invalid + 16,
      );
      assert.ok(invalid.equals(Buffer.from(MARK)));
    });

    test("restart_of_the_module_alone_boots_again_without_the_bootloader", () => {
      const imports = [["sys_restart", 1]] as const;
      const restarts = onKind(EventKind.MQTT_UP, callWith(0, RestartScope.MODULE));
      const lines = device.run(tinyModule({ imports, dispatch: restarts }), [
        ...["boot", event(EventKind.MQTT_UP), `time ${PAST_TRAPS_MS}`],
      ]);
      assert.ok(!lines.includes("# restart"));
      assert.deepEqual(
        lines
          .filter((line) => line.startsWith(">"))
          .map((line) => line.split(" ").slice(2, 4).join(" ")),
        ["BOOT 1", "MQTT_UP 0", "BOOT 2"],
      );
    });
  });
});
