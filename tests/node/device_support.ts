// Devices with the small core of tests/wasm in them: the first letter of their configuration says
// what the core does (tests/wasm/library/entry.ts).

import { join } from "node:path";
import { buildModule } from "../../host-node/src/build.js";
import { Device, type DeviceOptions } from "../../host-node/src/device.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { VirtualClock } from "./ports_support.js";

/** Scenarios of the small core. */
export const Scenario = {
  IDLE: "i",
  TICK: "t",
  PANIC: "p",
  TRAP: "u",
  RESTART: "r",
  FLASH: "f",
  WIFI: "w",
  CSR: "c",
  CALLS: "x",
  /** The letter is followed by the URL; the root CA is in flash. */
  HTTP: "h",
} as const;
export type Scenario = (typeof Scenario)[keyof typeof Scenario];

/** Events of the small core: REPORT + kind of an event it saw, what an import returned, flash. */
export const REPORT: number = 100;
export const RESULT: number = 200;
export const FLASH: number = 201;

export async function buildFixture(application: string): Promise<Uint8Array> {
  const entry = join(packageRoot, "tests/wasm/apps", application);
  return (await buildModule({ entry, target: "debug", library: "tests/wasm/library" })).wasm;
}

export interface Bench {
  readonly device: Device;
  readonly clock: VirtualClock;
  /** What happened, in words: "boot POWER_ON", "event 101 1", "trap ...", "off switch". */
  readonly story: string[];
}

/** A device whose time moves when the test says so, and the story of what happens to it. */
export function newBench(
  module: Uint8Array,
  scenario: Scenario,
  options: Partial<DeviceOptions> = {},
): Bench {
  const clock = new VirtualClock();
  const device = new Device({ module, clock, configuration: scenario, ...options });
  const story: string[] = [];
  device.on("boot", ({ name }) => story.push(`boot ${name}`));
  device.on("event", ({ name, value }) => story.push(`event ${name} ${value}`));
  device.on("restart", () => story.push("restart"));
  device.on("trap", ({ error, restartMs }) => story.push(`trap ${error.message}, ${restartMs}`));
  device.on("off", ({ why }) => story.push(`off ${why}`));
  return { device, clock, story };
}
