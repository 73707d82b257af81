// The device of host-esp32/linux: the chip's host on a PC, with wasm3 in it. A script goes in, which
// host-esp32/linux/main.c explains; a trace comes out (docs/TRACES.md). replayInV8 runs the same
// events through the same module in V8 and compares every call: what wasm3 did is what a desk does.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { EventKind, IMPORTS, type ImportEntry, type Ports } from "../../../host-node/src/abi.js";
import { Core, compileCore } from "../../../host-node/src/core.js";
import { buildNative, cFiles, HOST_ABI, HOST_LINUX } from "./native.js";
import { bytesOfToken, tokenOf, wordsOf } from "./trace_text.js";

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

/** Ports that expect the calls of a recording, in its order, and answer as it did. */
class ReplayedPorts {
  expected: string[] = [];

  ports(): Ports {
    const ports: Record<string, Record<string, (...args: (number | Uint8Array)[]) => number>> = {};
    for (const entry of IMPORTS) {
      const [capability, ...words] = entry.name.split("_") as [string, ...string[]];
      const method = words.map((word, i) =>
        i === 0 ? word : word[0]!.toUpperCase() + word.slice(1),
      );
      ports[capability] ??= {};
      ports[capability][method.join("")] = (...args) => this.answer(entry, args);
    }
    return ports as unknown as Ports;
  }

  private answer(entry: ImportEntry, args: readonly (number | Uint8Array)[]): number {
    const recorded = wordsOf(this.expected.shift() ?? "no call");
    const types = Object.values(entry.params);
    const made = args.map((arg, i) => {
      if (typeof arg === "number") return String(arg);
      if (types[i] !== "out" || recorded[0] !== entry.name) return tokenOf(arg);
      const filled = bytesOfToken(recorded[i + 1]!.replace(/^\[\d+\]/, ""));
      arg.set(filled);
      return `[${arg.length}]${tokenOf(filled)}`;
    });
    const result = Number(recorded.at(-1));
    assert.equal([entry.name, ...made, "=", result].join(" "), recorded.join(" "));
    return result;
  }
}

/** Every step of these lines again in V8: same calls, same results of dispatch. Gives the steps. */
export function replayInV8(module: Uint8Array, lines: readonly string[]): number {
  const replay = new ReplayedPorts();
  let core: Core | null = null;
  let steps = 0;
  for (let at = 0; at < lines.length; ) {
    const [mark, ...fields] = wordsOf(lines[at++]!);
    if (mark !== ">") continue;
    const kind = EventKind[fields[1] as keyof typeof EventKind];
    const [now, , a, b] = fields.map(Number) as [number, number, number, number];
    if (kind === EventKind.BOOT) core = new Core(compileCore(module), replay.ports());
    while (lines[at]?.startsWith("<")) replay.expected.push(lines[at++]!.slice(2));
    const wait = core!.dispatch({ kind, a, b, payload: bytesOfToken(fields[4]!) }, now);
    assert.deepEqual(replay.expected, [], `V8 did not make calls on line ${at}`);
    if (lines[at]?.startsWith("=")) assert.equal(`= ${wait}`, lines[at]);
    steps++;
  }
  return steps;
}
