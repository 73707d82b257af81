// What a scenario runs on. V8 plays it against the world and records; wasm3, with the loop, the
// queue and the thunks of the chip's host, repeats the recording: it makes the same calls with the
// same arguments at the same time, or the run fails. Twice, because a chip compiles functions when
// they are called, and may have to give them back and compile them again.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NO_REDACTION } from "../../host-node/src/trace/redactor.js";
import { TraceWriter } from "../../host-node/src/trace/writer.js";
import { moduleBytesOf, sampleBytesOf } from "../node/support/module_cache.js";
import { NativeReplay } from "../node/support/native_replay.js";
import { type Application, Stage } from "./scenario.js";

const DEBUG_MEMORY = ["--memory", "65536"];

/** The bytes under test: the sample as it is shipped to a chip, the obedient one with checks. */
export function bytesOf(application: Application): Promise<Uint8Array> {
  if (application === "all") return sampleBytesOf("esp32", application);
  return moduleBytesOf("debug", application);
}

/** Plays in V8; the lines of the trace. Nothing is hidden: the secrets of tests are none. */
export function record(bytes: Uint8Array, play: (stage: Stage) => void): string {
  const lines: string[] = [];
  const writer = new TraceWriter((line) => lines.push(line), NO_REDACTION);
  writer.hooks.onModule(bytes);
  play(new Stage(bytes, writer.hooks));
  return `${lines.join("\n")}\n`;
}

export interface Outcome {
  readonly trace: string;
  /** Empty, or what the adapter says about the first difference. */
  readonly report: string;
}

export interface Adapter {
  readonly name: string;
  /** Repeats a trace of this module. */
  replay(trace: string, bytes: Uint8Array): Outcome;
}

const WAYS = {
  "wasm3, compiled at load": [],
  "wasm3, compiled when called": ["--lazy"],
  "wasm3, compiled anew in each step": ["--lazy", "--code", "1"],
} as const;

/** The three ways of wasm3, built in a folder of its own; close() removes it. */
export class Wasm3Adapters {
  private readonly folder = mkdtempSync(join(tmpdir(), "iot32-conformance-"));
  private readonly program = new NativeReplay(this.folder);

  readonly all: readonly Adapter[] = Object.entries(WAYS).map(([name, options]) => ({
    name,
    replay: (trace, bytes) => {
      const run = this.program.run(trace, [bytes], [...DEBUG_MEMORY, ...options]);
      return { trace: run.trace, report: run.status === 0 ? "" : run.report };
    },
  }));

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
