// One device through its lives, with a core of a few lines in it: power, restarts, traps, time and
// the one queue. Time is virtual; nothing here waits.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { EventKind, nameOf, ResetReason } from "../../host-node/src/abi.js";
import { CoreError } from "../../host-node/src/core.js";
import { Device, formatMac, parseMac } from "../../host-node/src/device.js";
import { FlashImage } from "../../host-node/src/flash_image.js";
import { buildFixture, FLASH, newBench, REPORT, RESULT, Scenario } from "./device_support.js";

const BOOT = REPORT + EventKind.BOOT;
const TICK = REPORT + EventKind.TICK;
const FLASH_DONE = REPORT + EventKind.FLASH_DONE;
let quiet: Uint8Array;
let early: Uint8Array;

before(async () => {
  quiet = await buildFixture("quiet.ts");
  early = await buildFixture("early.ts");
});

test("power_on_boots_with_reason_and_mac_and_power_off_ends_it", () => {
  const steps: string[] = [];
  const hooks = {
    onStep: ({ kind, a, payload }: { kind: EventKind; a: number; payload: Uint8Array }) => {
      const [mac, software] = [payload.subarray(0, 6), payload.subarray(6)];
      steps.push(`${nameOf(EventKind, kind)} ${a} ${formatMac(mac)} ${software.join(" ")}`);
    },
  };
  const { device, clock, story } = newBench(quiet, Scenario.IDLE, {
    mac: "02:00:00:00:00:2a",
    hooks,
  });
  device.powerOn(ResetReason.BROWNOUT);
  assert.deepEqual(steps, [], "nothing runs before the next turn");
  clock.advance(1000);
  assert.deepEqual(steps, ["BOOT 5 02:00:00:00:00:2a 0 0 255 0"]);
  device.powerOff();
  assert.deepEqual(story, ["boot BROWNOUT", `event ${BOOT} 5`, "off switch"]);
  assert.equal(clock.pending, 0);
});

test("tick_comes_when_dispatch_asked_for_it_and_not_after_it_stopped_asking", () => {
  const times: number[] = [];
  const { device, clock, story } = newBench(quiet, Scenario.TICK);
  device.on("event", ({ event, at }) => void (event === TICK && times.push(at)));
  device.powerOn();
  clock.advance(10_000);
  assert.deepEqual(times, [5, 10, 15]);
  assert.equal(story.length, 5);
  assert.equal(clock.pending, 0);
  device.close();
});

test("power_can_be_switched_any_number_of_times", () => {
  const { device, clock, story } = newBench(quiet, Scenario.IDLE);
  for (let i = 0; i < 3; i++) {
    device.powerOn();
    assert.throws(() => device.powerOn(), /the power is on already/);
    clock.advance(1);
    device.powerOff();
    device.powerOff();
  }
  assert.equal(story.filter((line) => line === "off switch").length, 3);
  assert.equal(story.filter((line) => line === `event ${BOOT} 1`).length, 3);
});

test("restart_ends_the_life_after_the_dispatch_and_begins_another", () => {
  const { device, clock, story } = newBench(quiet, Scenario.RESTART);
  device.powerOn();
  clock.advance(1000);
  assert.deepEqual(story, [
    "boot POWER_ON",
    `event ${BOOT} 1`,
    "restart",
    "boot SOFTWARE",
    `event ${BOOT} 2`,
  ]);
  assert.ok(device.isRunning);
  device.close();
});

test("assertion_is_told_with_its_text_and_the_device_restarts_twice_and_then_gives_up", () => {
  const { device, clock, story } = newBench(quiet, Scenario.PANIC);
  device.powerOn();
  clock.advance(100_000);
  const trap =
    /^trap the core trapped on TICK: boom \(tests\/wasm\/library\/entry\.ts:\d+:\d+\), (.*)$/;
  const delays = story.flatMap((line) => trap.exec(line)?.[1] ?? []);
  assert.deepEqual(delays, ["100", "1000", "null"]);
  assert.deepEqual(
    story.filter((line) => line.startsWith("boot")),
    ["boot POWER_ON", "boot PANIC", "boot PANIC"],
  );
  assert.equal(story.at(-1), "off traps");
  assert.equal(device.isRunning, false);
  assert.equal(clock.pending, 0);
});

test("device_that_gave_up_can_be_switched_on_again", () => {
  const { device, clock, story } = newBench(quiet, Scenario.TRAP);
  for (let i = 0; i < 2; i++) {
    device.powerOn();
    clock.advance(5000);
  }
  assert.equal(story.filter((line) => line === "off traps").length, 2);
});

test("trap_without_a_panic_is_told_in_the_words_of_the_engine", () => {
  const { device, clock, story } = newBench(quiet, Scenario.TRAP);
  device.powerOn();
  clock.advance(10);
  assert.equal(story.at(-1), "trap the core trapped on TICK: unreachable, 100");
  device.close();
});

test("power_off_while_a_trapped_device_waits_keeps_it_off", () => {
  const { device, clock, story } = newBench(quiet, Scenario.TRAP);
  device.powerOn();
  clock.advance(10);
  device.powerOff();
  clock.advance(10_000);
  assert.equal(story.at(-1), "off switch");
  assert.equal(clock.pending, 0);
});

test("flash_operations_of_a_step_are_performed_after_it_in_their_order", () => {
  const { device, clock, story } = newBench(quiet, Scenario.FLASH);
  device.powerOn();
  clock.advance(100);
  const done = story.filter((line) => line === `event ${FLASH_DONE} 0`);
  assert.equal(done.length, 8, "one erase and seven of eight writes were accepted");
  assert.equal(story.filter((line) => line === `event ${RESULT} -2`).length, 1);
  const units = [0, 16, 96].map((offset) => device.flash.records.read(offset, 1)[0]);
  assert.deepEqual(units, [1, 2, 7]);
  device.close();
});

test("power_off_in_the_middle_of_flash_operations_keeps_the_first_ones_only", () => {
  const flash = FlashImage.inMemory();
  const { device, clock } = newBench(quiet, Scenario.FLASH, { flash, flashOperationMs: 10 });
  device.powerOn();
  clock.advance(35);
  device.powerOff();
  clock.advance(1000);
  const units = [0, 16, 32].map((offset) => flash.records.read(offset, 1)[0]);
  assert.deepEqual(units, [1, 2, 0xff], "erase and two writes in 35 ms");
  assert.equal(clock.pending, 0);
});

test("simulated_power_cut_switches_off_and_flash_survives_to_the_next_life", () => {
  const flash = FlashImage.inMemory();
  const { device, clock, story } = newBench(quiet, Scenario.FLASH, { flash });
  flash.records.armPowerCut(2, "nothing", Math.random);
  device.powerOn();
  clock.advance(100);
  assert.equal(story.at(-1), "off power cut");
  const units = [0, 16].map((offset) => flash.records.read(offset, 1)[0]);
  assert.deepEqual(units, [1, 0xff]);
  device.powerOn();
  clock.advance(100);
  assert.equal(flash.records.read(96, 1)[0], 7);
  device.close();
});

test("power_off_inside_a_step_stops_it_at_its_next_call", () => {
  const { device, clock, story } = newBench(quiet, Scenario.FLASH);
  device.on("event", ({ event }) => void (event === BOOT && device.powerOff()));
  device.powerOn();
  clock.advance(100);
  assert.deepEqual(story, ["boot POWER_ON", `event ${BOOT} 1`, "off switch"]);
  assert.equal(clock.pending, 0);
});

test("read_inside_the_step_that_wrote_sees_what_was_written", () => {
  const { device, clock } = newBench(quiet, Scenario.FLASH);
  const texts: string[] = [];
  device.on("event", ({ event, text }) => void (event === FLASH && texts.push(text)));
  device.powerOn();
  clock.advance(0);
  assert.equal(texts[0]?.slice(0, 17), `${"\x01".repeat(16)}\x02`);
  device.close();
});

test("slices_outside_memory_and_offsets_that_wrap_are_refused_and_harm_nothing", () => {
  const random = (bytes: Uint8Array) => void bytes.fill(0x41);
  const { device, clock, story } = newBench(quiet, Scenario.CALLS, { random });
  const lines: string[] = [];
  device.on("log", ({ levelName, moduleName, text }) =>
    lines.push(`${levelName} ${moduleName} ${text}`),
  );
  device.powerOn();
  clock.advance(10);
  assert.deepEqual(lines, ["INFO APPLICATION AAAAAAAA"]);
  assert.equal(story.filter((line) => line === `event ${RESULT} -1`).length, 2);
  device.close();
});

test("wifi_of_the_device_comes_up_and_goes_with_its_network", () => {
  const { device, clock, story } = newBench(quiet, Scenario.WIFI, { wifiJoinMs: 300 });
  device.powerOn();
  clock.advance(300);
  assert.equal(story.at(-1), `event ${REPORT + EventKind.WIFI_UP} -55`);
  device.air.setNetwork("iot32", false);
  clock.advance(1);
  assert.equal(story.at(-1), `event ${REPORT + EventKind.WIFI_DOWN} -11`);
  device.close();
});

test("host_call_in_top_level_code_is_told_where_it_belongs", () => {
  const { device, clock, story } = newBench(early, Scenario.IDLE);
  assert.throws(
    () => device.powerOn(),
    (error: unknown) =>
      error instanceof CoreError && /log_write .* move this into setup\(\)/.test(error.message),
  );
  clock.advance(100);
  assert.deepEqual(story, []);
  assert.equal(device.isRunning, false);
  assert.equal(clock.pending, 0);
});

test("bytes_that_are_no_module_are_refused", () => {
  const module = Uint8Array.from([1, 2, 3]);
  assert.throws(() => new Device({ module }), /not a WebAssembly module/);
});

test("error_in_a_listener_surfaces_and_ends_the_life", () => {
  const { device, clock } = newBench(quiet, Scenario.IDLE);
  device.on("event", () => {
    throw new Error("listener");
  });
  device.powerOn();
  assert.throws(() => clock.advance(10), /listener/);
  assert.equal(device.isRunning, false);
});

test("same_clock_and_randomness_give_the_same_calls", () => {
  const run = () => {
    const calls: string[] = [];
    const hooks = {
      onCall: (name: string, args: readonly unknown[], result: number) => {
        calls.push(`${name} ${args.map(String).join()} ${result}`);
      },
    };
    const random = (bytes: Uint8Array) => void bytes.fill(7);
    const { device, clock } = newBench(quiet, Scenario.CALLS, { hooks, random });
    device.powerOn();
    clock.advance(100);
    device.close();
    return calls;
  };
  const first = run();
  assert.ok(first.length >= 5);
  assert.deepEqual(run(), first);
});

test("mac_address_is_read_and_written_as_people_do", () => {
  assert.deepEqual([...parseMac("02:00:5e-10-00-Ff")], [2, 0, 0x5e, 0x10, 0, 0xff]);
  assert.equal(formatMac(parseMac("02:00:5e:10:00:ff")), "02:00:5e:10:00:ff");
  for (const wrong of ["", "02:00:5e:10:00", "02:00:5e:10:00:fg", "02:00:5e:10:00:ff:00"]) {
    assert.throws(() => parseMac(wrong), /is not a MAC address/);
  }
});
