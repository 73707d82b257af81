// The program iot32-replay (host-esp32/linux/replay): repeats a trace with the loop, the queue and
// the thunks of the chip's host. It can be built with other thunks, to see that they are found out.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  buildForFigures,
  buildNative,
  cFiles,
  compileObjects,
  HOST_ABI,
  HOST_LINUX,
} from "./native.js";

const THUNKS = join(HOST_ABI, "host_abi_link.c");
const SHARED = ["hash.c", "os.c", "trace_words.c"].map((name) => join(HOST_LINUX, name));
/** As in host-esp32/linux/CMakeLists.txt. */
const WRAP = "-Wl,--wrap=host_sys_restart,--wrap=host_sys_panic";

const portable = cFiles(HOST_ABI).filter((file) => file !== THUNKS);
const sources = [...portable, ...SHARED, ...cFiles(join(HOST_LINUX, "replay"))];

/** Builds a fast program, or one that counts what the interpreter does, for its option --usage. */
export function buildReplayForFigures(program: string, { counts }: { counts: boolean }): void {
  buildForFigures(program, [THUNKS, ...sources], [WRAP], counts);
}

export interface Replayed {
  readonly status: number | null;
  /** The trace that resulted. */
  readonly trace: string;
  /** What it says of a difference, or of a trace that is no good. */
  readonly report: string;
}

export class NativeReplay {
  private readonly program: string;
  private readonly objects: readonly string[];

  /** Compiles it in this folder, where its files go too. */
  constructor(private readonly folder: string) {
    this.objects = compileObjects(join(folder, "replay-objects"), sources);
    this.program = join(folder, "iot32-replay");
    buildNative(this.program, [THUNKS, ...this.objects], [WRAP]);
  }

  /** The program with thunks in which this text, which stands there `times`, is another. */
  private broken(from: string, to: string, times: number): string {
    const parts = readFileSync(THUNKS, "utf8").split(from);
    assert.equal(parts.length - 1, times, `${from} stands there otherwise`);
    const thunks = join(this.folder, "broken_link.c");
    writeFileSync(thunks, parts.join(to));
    const program = join(this.folder, "iot32-replay-broken");
    buildNative(program, [thunks, ...this.objects], [WRAP]);
    return program;
  }

  run(
    trace: string | Uint8Array,
    modules: readonly Uint8Array[],
    options: readonly string[] = [],
  ): Replayed {
    return this.runProgram(this.program, trace, modules, options);
  }

  /** The same with thunks that are no good. */
  runBroken(
    [from, to, times = 1]: readonly [from: string, to: string, times?: number],
    trace: string,
    modules: readonly Uint8Array[],
  ): Replayed {
    return this.runProgram(this.broken(from, to, times), trace, modules, []);
  }

  /** Fails on anything that a sanitizer says, and on a crash. */
  private runProgram(
    program: string,
    trace: string | Uint8Array,
    modules: readonly Uint8Array[],
    options: readonly string[],
  ): Replayed {
    const named = modules.flatMap((bytes, i) => {
      const path = join(this.folder, `replayed-${i}.wasm`);
      writeFileSync(path, bytes);
      return ["--module", path];
    });
    const run = spawnSync(program, [...named, ...options], {
      input: trace,
      encoding: "latin1",
      maxBuffer: 2 ** 28,
    });
    assert.ok(!/Sanitizer|runtime error/.test(run.stderr), run.stderr);
    assert.ok([0, 1, 2].includes(run.status ?? -1), `ended with ${run.status ?? run.signal}`);
    assert.equal(run.stderr === "", run.status === 0, run.stderr);
    return { status: run.status, trace: run.stdout, report: run.stderr };
  }
}
