// What a module costs in wasm3, counted and not timed: operations of the interpreter for each kind
// of event, functions that are compiled, bytes of compiled code and of heap. The interpreter is
// wasm3 on a machine of 64 bits, where compiled code takes twice the bytes that it takes on a chip;
// the limit of compiled code (host_module.h, code_bytes_max) is therefore twice the chip's, too.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildReplayForFigures } from "../node/support/native_replay.js";
import { record } from "./adapters.js";
import { rest, type Stage } from "./scenario.js";
import { meetEverything } from "./statuses.js";

/** CONFIG_IOT32_CODE_BYTES of a chip, on a machine with pointers of 8 bytes. */
export const CODE_BYTES_MAX = 2 * 49_152;
const HOUR_MS = 3_600_000;

export interface EventCost {
  readonly count: number;
  readonly mean: number;
  readonly most: number;
}

export interface Cost {
  /** By kind of event, in the order of first appearance. */
  readonly operations: ReadonlyMap<string, EventCost>;
  /** At rest in Normal mode, an hour after a start from flash, with shadow, jobs and telemetry. */
  readonly functionsCompiled: number;
  readonly codeBytes: number;
  /** All that the module takes then: linear memory, code, parsing, environment. */
  readonly heapBytes: number;
  /** The same with every function compiled. */
  readonly codeBytesWhole: number;
}

interface Usage {
  readonly kind: string;
  readonly operations: number;
  readonly functions: number;
  readonly codeBytes: number;
  readonly heapBytes: number;
}

function readUsage(trace: string): Usage[] {
  return [...trace.matchAll(/^# usage (\S+) (\d+) (\d+) (\d+) (\d+)$/gm)].map((match) => {
    const [kind, ...numbers] = match.slice(1) as [string, ...string[]];
    const [operations, functions, codeBytes, heapBytes] = numbers.map(Number);
    return {
      kind,
      operations: operations!,
      functions: functions!,
      codeBytes: codeBytes!,
      heapBytes: heapBytes!,
    };
  });
}

/** A device that was configured in an earlier life, and an hour of ordinary work. */
export function ordinaryHour(stage: Stage): void {
  const world = stage.online();
  world.powerOff();
  rest(world.boot());
  world.shadows.update("lamp", { desired: { on: true, colour: "blue" } });
  world.jobs.create("blink-1", { action: "blink", count: 2, onTime: 100, offTime: 50 });
  world.runFor(HOUR_MS);
}

export function measureCost(bytes: Uint8Array): Cost {
  const folder = mkdtempSync(join(tmpdir(), "iot32-cost-"));
  try {
    const program = join(folder, "replay");
    buildReplayForFigures(program, { counts: true });
    const module = join(folder, "module.wasm");
    writeFileSync(module, bytes);
    const run = (play: (stage: Stage) => void, options: readonly string[]): Usage[] => {
      const args = ["--module", module, "--usage", ...options];
      const input = record(bytes, play);
      return readUsage(execFileSync(program, args, { input, maxBuffer: 2 ** 28 }).toString());
    };
    const everything = run(meetEverything, []);
    const atRest = run(ordinaryHour, ["--lazy", "--code", String(CODE_BYTES_MAX)]).at(-1)!;
    return {
      operations: summed(everything),
      functionsCompiled: atRest.functions,
      codeBytes: atRest.codeBytes,
      heapBytes: atRest.heapBytes,
      codeBytesWhole: everything.at(-1)!.codeBytes,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function summed(usage: readonly Usage[]): Map<string, EventCost> {
  const byKind = new Map<string, number[]>();
  for (const { kind, operations } of usage) {
    byKind.set(kind, [...(byKind.get(kind) ?? []), operations]);
  }
  return new Map(
    [...byKind].map(([kind, each]) => {
      const sum = each.reduce((total, operations) => total + operations, 0);
      const mean = Math.round(sum / each.length);
      return [kind, { count: each.length, mean, most: Math.max(...each) }];
    }),
  );
}
