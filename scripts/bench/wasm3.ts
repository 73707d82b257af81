// Bench `wasm3`: an hour of a device's ordinary work, as a trace that is repeated: in V8, and in wasm3
// with the loop of the chip's host, where compiled code is kept, kept up to the chip's limit, or
// given back before each step (docs/decisions/0008-code-is-a-cache.md). Every run makes the same
// calls, or it fails.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTrace } from "../../host-node/src/trace/parser.js";
import { replayTrace } from "../../host-node/src/trace/replay.js";
import { bytesOf, record } from "../../tests/conformance/adapters.js";
import { CODE_BYTES_MAX, ordinaryHour } from "../../tests/conformance/cost.js";
import { skipWithoutNative } from "../../tests/node/support/native.js";
import { buildReplayForFigures } from "../../tests/node/support/native_replay.js";
import type { Bench, Bout, Contestant } from "./bench.js";

const KEPT = "wasm3, code kept";
const OUTPUT_BYTES_MAX = 2 ** 28;

function inV8(bytes: Uint8Array, trace: string): Contestant {
  const lines = parseTrace(trace);
  const run = async () => {
    const { difference } = replayTrace(lines, () => bytes);
    if (difference !== null) throw new Error(`V8 differs at line ${difference.line}`);
  };
  return { name: "V8", run };
}

async function open(): Promise<Bout> {
  const directory = mkdtempSync(join(tmpdir(), "iot32-bench-"));
  const bytes = await bytesOf("all");
  const trace = record(bytes, ordinaryHour);
  const contestants = [inV8(bytes, trace)];
  const steps = trace.split("\n").filter((line) => line.startsWith(">")).length;
  const notes = [`${steps} steps of the sample all; wasm3: with the start of a process`];
  if (skipWithoutNative === false) {
    const [program, module] = [join(directory, "replay"), join(directory, "module.wasm")];
    buildReplayForFigures(program, { counts: false });
    writeFileSync(module, bytes);
    const wasm3 = (name: string, ...options: string[]): Contestant => ({
      name,
      run: async () => {
        const args = ["--module", module, "--lazy", ...options];
        execFileSync(program, args, { input: trace, maxBuffer: OUTPUT_BYTES_MAX });
      },
    });
    contestants.push(
      wasm3(KEPT),
      wasm3("wasm3, limit of a chip", "--code", String(CODE_BYTES_MAX)),
      wasm3("wasm3, compiled anew", "--code", "1"),
    );
  } else {
    notes.push(skipWithoutNative);
  }
  const reference = contestants.length > 1 ? KEPT : "V8";
  const close = async () => rmSync(directory, { recursive: true });
  return { contestants, reference, notes, close };
}

export const wasm3Bench: Bench = {
  name: "wasm3",
  summary: "an hour of a device in wasm3, with compiled code kept or compiled anew, and in V8",
  open,
};
