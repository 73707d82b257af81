// The device of host-esp32/linux: the chip's host on a PC, with wasm3 in it. A script goes in, which
// host-esp32/linux/main.c explains; a trace comes out (docs/TRACES.md). replayInV8 runs the same
// events through the same module in V8 and compares every call: what wasm3 did is what a desk does.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildNative, cFiles, HOST_ABI, HOST_LINUX } from "./native.js";
import { replay } from "./traced_device.js";

export class NativeDevice {
  private readonly program: string;

  /** Compiles it in this folder, where its files go too. */
  constructor(private readonly folder: string) {
    this.program = join(folder, "iot32-linux");
    const sources = [HOST_ABI, HOST_LINUX, join(HOST_LINUX, "ports")].flatMap(cFiles);
    buildNative(this.program, sources);
  }

  /** The lines of a run. Fails on anything that a sanitizer says, and on a crash. */
  run(
    module: Uint8Array,
    script: readonly string[],
    { configuration = "", options = [] as readonly string[] } = {},
  ): string[] {
    const path = join(this.folder, "module.wasm");
    const config = join(this.folder, "device.json");
    writeFileSync(path, module);
    writeFileSync(config, configuration);
    const run = spawnSync(this.program, [path, "--config", config, ...options], {
      input: `${script.join("\n")}\n`,
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    assert.equal(run.stderr, "");
    assert.equal(run.status, 0, `ended with ${run.status ?? run.signal}`);
    return run.stdout.trimEnd().split("\n");
  }
}

/** Every step of these lines again in V8, without a difference. Gives the steps. */
export function replayInV8(module: Uint8Array, lines: readonly string[]): number {
  const { difference, steps } = replay(lines, module);
  assert.equal(difference, null, JSON.stringify(difference, null, 2));
  return steps;
}
