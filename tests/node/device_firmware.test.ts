// A device and what it runs: flashed like a chip, updated, on trial, rolled back; the module
// restarted alone; a dump that boots. Time is virtual, and the modules are a few bytes.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ABI_VERSION, EventKind, nameOf, RestartScope } from "../../host-node/src/abi.js";
import { BootError, setBootSlot } from "../../host-node/src/boot/bootloader.js";
import {
  activateModule,
  confirmModule,
  firmwareIdOf,
} from "../../host-node/src/boot/module_slots.js";
import { Timeline } from "../../host-node/src/cli/timeline.js";
import { CoreError } from "../../host-node/src/core.js";
import { Device, type DeviceOptions } from "../../host-node/src/device.js";
import { FlashImage, FlashImageError } from "../../host-node/src/flash_image.js";
import {
  decodeImage,
  explain,
  type FlashReport,
  ImageError,
  inspect,
} from "../../host-node/src/image/index.js";
import { encodePartitions, PARTITION_TABLE_OFFSET } from "../../host-node/src/partitions.js";
import {
  type Behaviour,
  dumpFile,
  flashWith,
  scratch,
  smallImage,
  smallModule,
} from "./boot_support.js";
import { VirtualClock } from "./ports_support.js";

const CLI = fileURLToPath(new URL("../../host-node/src/cli/main.js", import.meta.url));
const idle = smallModule("idle", { tag: "first" });
const SLOT_1 = { number: 1, label: "ota_1", size: 1792 * 1024 };

interface Bench {
  readonly device: Device;
  readonly clock: VirtualClock;
  readonly story: string[];
}

function bench(options: DeviceOptions): Bench {
  const clock = new VirtualClock();
  const story: string[] = [];
  const onStep = ({ kind, payload }: { kind: EventKind; payload: Uint8Array }) => {
    const software = kind === EventKind.BOOT ? ` ${payload.subarray(6, 10).join(" ")}` : "";
    story.push(`${nameOf(EventKind, kind)}${software}`);
  };
  const device = new Device({ clock, hooks: { onStep }, ...options });
  device.on("boot", ({ name, firmware, module }) => {
    const trial = (isOnTrial: boolean) => (isOnTrial ? "?" : "");
    const { version, label } = firmware;
    const what = `${version} ${label}${trial(firmware.trial)}, ${module.slot}${trial(module.trial)}`;
    story.push(`boot ${name}: ${what}`);
  });
  device.on("restart", ({ scope }) => story.push(`restart ${nameOf(RestartScope, scope)}`));
  device.on("trap", ({ error, restartMs }) => story.push(`${error.name} ${restartMs}`));
  device.on("off", ({ why, error }) => story.push(`off ${why}${error ? `: ${error.name}` : ""}`));
  return { device, clock, story };
}

/** An update of the firmware, as far as the restart. */
function installFirmware(flash: FlashImage, image: Uint8Array): void {
  flash.flash("ota_1", image);
  setBootSlot(flash, SLOT_1);
}

/** An update of the module in wasm_0, as far as the restart. */
function installModule(flash: FlashImage, module: Uint8Array): void {
  const running = decodeImage(flash.readPartition("ota_0"), { trailing: "allow" });
  const padded = Buffer.alloc(4096 + Math.ceil(module.length / 16) * 16, 0xff);
  padded.set(module, 4096);
  flash.flash("wasm_0", padded);
  const sha256 = createHash("sha256").update(module).digest();
  const firmwareId = firmwareIdOf(running);
  activateModule(flash, { slot: 0, size: module.length, sha256, firmwareId });
}

/** A device that is on, with this module installed beside its firmware and about to restart. */
function withModule(behaviour: Behaviour, abiVersion = ABI_VERSION): Bench {
  const flash = FlashImage.inMemory();
  const made = bench({ module: idle, flash });
  made.device.powerOn();
  made.clock.advance(1);
  installModule(flash, smallModule(behaviour, { abiVersion }));
  made.device.powerOff();
  made.story.length = 0;
  return made;
}

test("module_is_flashed_inside_firmware_and_boots_from_ota_0", () => {
  const { device, clock, story } = bench({ module: idle, version: "1.2.3" });
  assert.deepEqual([device.firmware, device.module], [null, null]);
  device.powerOn();
  clock.advance(1);
  assert.deepEqual(story, ["boot POWER_ON: 1.2.3 ota_0, 255", "BOOT 0 0 255 0"]);
  const firmware = { slot: 0, label: "ota_0", version: "1.2.3", project: "iot32", trial: false };
  assert.deepEqual(device.firmware, firmware);
  assert.deepEqual(device.module, { slot: 255, trial: false });
  device.close();
  assert.equal(device.firmware, null);
});

test("same_module_on_the_same_flash_keeps_an_update_and_another_one_is_flashed_anew", () => {
  const path = join(scratch, "kept.bin");
  const first = bench({ module: idle, flash: path });
  first.device.powerOn();
  first.clock.advance(1);
  installFirmware(first.device.flash, smallImage("2.0.0", smallModule("confirms")));
  installModule(first.device.flash, smallModule());
  first.device.powerOff();
  first.device.powerOn();
  first.clock.advance(1);
  first.device.close();
  const boots = (options: DeviceOptions) => {
    const { device, clock, story } = bench({ flash: path, ...options });
    device.powerOn();
    clock.advance(1);
    device.close();
    return story[0];
  };
  assert.equal(boots({ module: idle }), "boot POWER_ON: 2.0.0 ota_1, 255");
  assert.equal(boots({}), "boot POWER_ON: 2.0.0 ota_1, 255");
  const other = smallModule("idle", { tag: "other" });
  assert.equal(boots({ module: other }), "boot POWER_ON: 0.0.0 ota_0, 255");
  assert.equal(boots({ module: other, version: "0.1.0" }), "boot POWER_ON: 0.1.0 ota_0, 255");
  assert.equal(boots({ module: idle }), "boot POWER_ON: 0.0.0 ota_0, 255", "flashed anew");
  assert.equal(boots({ firmware: smallImage("5.0.0") }), "boot POWER_ON: 5.0.0 ota_0, 255");
});

test("firmware_of_a_layout_with_factory_goes_there", () => {
  const path = dumpFile();
  const { device, clock, story } = bench({ module: idle, flash: path });
  device.powerOn();
  clock.advance(1);
  assert.deepEqual(story, ["boot POWER_ON: 0.0.0 factory, 255", "BOOT 255 0 255 0"]);
  device.close();
});

test("what_cannot_be_flashed_is_refused_with_its_reason", () => {
  const module = Uint8Array.from([1, 2, 3]);
  assert.throws(() => new Device({ module }), CoreError);
  assert.throws(() => new Device({ module: Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0]) }), {
    name: "CoreError",
    message: /no module of iot32/,
  });
  const broken = Buffer.from(smallImage("1.0.0"));
  broken[100]! ^= 1;
  assert.throws(() => new Device({ firmware: broken }), ImageError);
  assert.throws(() => new Device({ firmware: broken, module: idle }), /not with both/);
  const flash = dumpFile("ota_0, app, ota_0, 0x10000, 64K");
  const large = smallImage("1.0.0", Buffer.concat([idle, Buffer.alloc(70_000)]));
  assert.throws(() => new Device({ firmware: large, flash }), FlashImageError);
});

test("blank_flash_without_an_application_does_not_boot", () => {
  const { device, story } = bench({});
  assert.throws(() => device.powerOn(), BootError);
  assert.deepEqual([device.isRunning, story], [false, []]);
});

test("firmware_on_trial_that_confirms_itself_stays", () => {
  const flash = FlashImage.inMemory();
  const { device, clock, story } = bench({ module: idle, flash });
  device.powerOn();
  clock.advance(1);
  installFirmware(flash, smallImage("2.0.0", smallModule("confirms")));
  device.powerOff();
  story.length = 0;
  device.powerOn();
  assert.equal(device.firmware?.trial, true);
  clock.advance(1);
  assert.equal(device.firmware?.trial, false);
  device.powerOff();
  device.powerOn();
  clock.advance(1);
  const kept = ["boot POWER_ON: 2.0.0 ota_1, 255", "BOOT 1 0 255 0", "OTA_DONE"];
  assert.deepEqual(story, [
    ...["boot POWER_ON: 2.0.0 ota_1?, 255", "BOOT 1 1 255 0", "OTA_DONE"],
    ...["off switch", ...kept],
  ]);
});

test("firmware_on_trial_that_traps_rolls_back_at_its_restart", () => {
  const flash = FlashImage.inMemory();
  const { device, clock, story } = bench({ module: idle, flash });
  device.powerOn();
  clock.advance(1);
  installFirmware(flash, smallImage("2.0.0", smallModule("traps")));
  device.powerOff();
  story.length = 0;
  device.powerOn();
  clock.advance(5000);
  assert.deepEqual(story, [
    ...["boot POWER_ON: 2.0.0 ota_1?, 255", "BOOT 1 1 255 0", "CoreTrap 100"],
    ...["boot PANIC: 0.0.0 ota_0, 255", "BOOT 0 0 255 0"],
  ]);
});

test("firmware_that_was_rolled_back_to_has_a_clean_count_of_traps", () => {
  const flash = FlashImage.inMemory();
  const { device, clock, story } = bench({ module: smallModule("traps"), flash });
  device.powerOn();
  clock.advance(1);
  installFirmware(flash, smallImage("2.0.0", smallModule("traps", { tag: "2" })));
  device.powerOff();
  story.length = 0;
  device.powerOn();
  clock.advance(100_000);
  const traps = story.filter((line) => line.startsWith("CoreTrap"));
  const own = ["CoreTrap 100", "CoreTrap 1000", "CoreTrap null"];
  assert.deepEqual(traps, ["CoreTrap 100", ...own]);
  assert.equal(story.at(-1), "off traps");
});

test("module_on_trial_that_traps_rolls_back", () => {
  const { device, clock, story } = withModule("traps");
  device.powerOn();
  clock.advance(5000);
  assert.deepEqual(story, [
    ...["boot POWER_ON: 0.0.0 ota_0, 0?", "BOOT 0 0 0 1", "CoreTrap 100"],
    ...["boot PANIC: 0.0.0 ota_0, 255", "BOOT 0 0 255 0"],
  ]);
});

test("confirmed_module_that_traps_three_times_makes_way_for_the_one_before", () => {
  const { device, clock, story } = withModule("traps");
  confirmModule(device.flash, 0);
  device.powerOn();
  clock.advance(5000);
  const boot = "BOOT 0 0 0 0";
  assert.deepEqual(
    story.filter((line) => !line.startsWith("boot")),
    [boot, "CoreTrap 100", boot, "CoreTrap 1000", boot, "CoreTrap 100", "BOOT 0 0 255 0"],
  );
});

test("life_after_a_trap_is_told_what_it_was_and_the_one_after_a_power_cut_is_not", () => {
  const texts: string[] = [];
  const onStep = ({ kind, payload }: { kind: EventKind; payload: Uint8Array }) => {
    if (kind === EventKind.BOOT) texts.push(Buffer.from(payload.subarray(10)).toString());
  };
  const clock = new VirtualClock();
  const device = new Device({ clock, hooks: { onStep }, module: smallModule("traps") });
  device.powerOn();
  clock.advance(1050);
  device.powerOff();
  device.powerOn();
  clock.advance(1);
  assert.deepEqual(texts, ["", "BOOT: unreachable", ""]);
});

test("module_on_trial_that_restarts_itself_alone_unconfirmed_is_given_up", () => {
  const { device, clock, story } = withModule("restarts the module");
  const entries = device.flash.readPartition("otadata");
  device.powerOn();
  clock.advance(5000);
  assert.deepEqual(story, [
    ...["boot POWER_ON: 0.0.0 ota_0, 0?", "BOOT 0 0 0 1", "restart MODULE"],
    ...["boot SOFTWARE: 0.0.0 ota_0, 255", "BOOT 0 0 255 0"],
  ]);
  assert.deepEqual(device.flash.readPartition("otadata"), entries, "no bootloader ran");
});

test("module_restart_goes_on_with_firmware_on_trial", () => {
  const flash = FlashImage.inMemory();
  const { device, clock, story } = bench({ module: idle, flash });
  device.powerOn();
  clock.advance(1);
  installFirmware(flash, smallImage("2.0.0", smallModule("restarts the module")));
  device.powerOff();
  story.length = 0;
  device.powerOn();
  clock.advance(1);
  assert.deepEqual(story, [
    ...["boot POWER_ON: 2.0.0 ota_1?, 255", "BOOT 1 1 255 0", "restart MODULE"],
    ...["boot SOFTWARE: 2.0.0 ota_1?, 255", "BOOT 1 1 255 0"],
  ]);
});

test("module_of_another_abi_on_trial_counts_as_a_trap_and_rolls_back", () => {
  const { device, clock, story } = withModule("idle", ABI_VERSION + 1);
  device.powerOn();
  assert.equal(device.isRunning, false);
  clock.advance(5000);
  assert.deepEqual(story, [
    ...["boot POWER_ON: 0.0.0 ota_0, 0?", "CoreError 100"],
    ...["boot PANIC: 0.0.0 ota_0, 255", "BOOT 0 0 255 0"],
  ]);
});

test("module_of_another_abi_that_is_not_on_trial_is_refused_by_the_switch", () => {
  const module = smallModule("idle", { abiVersion: ABI_VERSION + 1 });
  const { device, story } = bench({ module });
  assert.throws(() => device.powerOn(), /build it again/);
  assert.deepEqual([device.isRunning, story], [false, []]);
});

test("power_cut_in_the_bootloader_switches_off_and_the_next_start_has_the_old_or_the_new", () => {
  for (const operation of [0, 1]) {
    const flash = flashWith({ ota_0: smallImage("1.0.0") });
    const { device, clock, story } = bench({ flash });
    device.powerOn();
    clock.advance(1);
    device.powerOff();
    installFirmware(flash, smallImage("2.0.0"));
    story.length = 0;
    flash.region("otadata").nor.armPowerCut(operation, "nothing", Math.random);
    device.powerOn();
    assert.deepEqual([story, device.isRunning], [["off power cut"], false]);
    device.powerOn();
    const label = operation === 0 ? "2.0.0 ota_1?" : "1.0.0 ota_0";
    assert.equal(story[1], `boot POWER_ON: ${label}, 255`);
    device.close();
  }
});

test("restart_after_which_nothing_boots_switches_off_and_says_why", () => {
  const { device, clock, story } = bench({ module: smallModule("traps") });
  device.powerOn();
  clock.advance(1);
  device.flash.flash("ota_0", new Uint8Array(4096));
  clock.advance(1000);
  assert.equal(story.at(-1), "off nothing boots: BootError");
  assert.equal(device.isRunning, false);
});

test("timeline_names_firmware_and_module_and_what_is_on_trial", () => {
  const { device, clock } = withModule("restarts the module");
  const lines: string[] = [];
  new Timeline({ colour: false, write: (line) => lines.push(line.slice(12)) }).watch(device);
  device.powerOn();
  clock.advance(10);
  device.close();
  assert.deepEqual(lines, [
    "device   boot, power on: iot32 0.0.0 in ota_0, module in wasm_0 (on trial)",
    "device   restart of the module",
    "device   boot, software: iot32 0.0.0 in ota_0",
    "device   power off: switch",
  ]);
});

test("inspect_of_a_dump_says_what_the_next_start_does", () => {
  const { device } = withModule("idle");
  installFirmware(device.flash, smallImage("2.0.0"));
  const whole = Buffer.alloc(4 * 1024 * 1024, 0xff);
  whole.set(encodePartitions(device.flash.partitions), PARTITION_TABLE_OFFSET);
  for (const { label, offset } of device.flash.partitions) {
    whole.set(device.flash.readPartition(label), offset);
  }
  const report = inspect(whole) as FlashReport;
  assert.deepEqual(
    report.start?.otadata?.map(({ slot, state, crcGood }) => [slot, state, crcGood]),
    [
      ["ota_0", "VALID", true],
      ["ota_1", "NEW", true],
    ],
  );
  assert.deepEqual([report.start?.boots, report.start?.bootsOnTrial], ["ota_1", true]);
  assert.deepEqual([report.start?.runs, report.start?.runsOnTrial], ["firmware", false]);
  const text = explain(report, "dump.bin");
  assert.match(text, /otadata 1 +sequence 2: ota_1, NEW, CRC right/);
  assert.match(text, /wasm_0 +sequence 1, \d+ bytes, SHA-256 right, not started yet/);
  assert.match(text, /wasm_1 +blank/);
  assert.match(text, /Boots +ota_1, on trial\n/);
});

test("run_without_an_application_boots_the_dump_and_a_flash_without_firmware_is_told", () => {
  const path = dumpFile();
  const image = FlashImage.open(path);
  image.flash("factory", smallImage("7.1.0", smallModule("traps")));
  image.close();
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [CLI, "run", ...args], {
      encoding: "utf8",
      timeout: 30_000,
      env: { ...process.env, NO_COLOR: "1" },
    });
  const booted = run("--json", "--flash", path);
  const boot = booted.stdout.split("\n").find((line) => line.includes('"boot"'));
  const { firmware, module } = JSON.parse(boot ?? "{}") as Record<string, unknown>;
  const expected = {
    slot: 255,
    label: "factory",
    version: "7.1.0",
    project: "iot32",
    trial: false,
  };
  assert.deepEqual(firmware, expected, booted.stderr);
  assert.deepEqual(module, { slot: 255, trial: false });
  const blank = run("--flash", dumpFile());
  assert.equal(blank.status, 1);
  assert.match(blank.stderr, /^iot32: nothing boots from the flash [^\n]+\n$/);
  const nothing = run("--flash", join(scratch, "none.bin"));
  assert.match(nothing.stderr, /give an application, or with --flash a file that has one in it/);
});
