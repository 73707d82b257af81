// `npm start -- --once --json` as a user's script runs it: a process of its own, one JSON object on
// standard output, an exit code. And a check of the check: an application that never publishes must
// fail, at the step that waits for messages.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { STEPS } from "../../host-node/src/demo/steps.js";
import { packageRoot } from "../../host-node/src/package_root.js";

interface Outcome {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly report: {
    readonly ok: boolean;
    readonly steps: readonly { name: string; ok: boolean; detail: string }[];
  };
}

const LIMIT_MS = 240_000;

async function start(...options: string[]): Promise<Outcome> {
  const script = join(packageRoot, "scripts", "run.mjs");
  const child = spawn(process.execPath, [script, "start", ...options], {
    cwd: packageRoot,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let progress = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    progress += chunk.toString();
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(limit);
  const lines = output.split("\n").filter((line) => line !== "");
  assert.equal(lines.length, 1, `not one line of output: ${output}\n${progress}`);
  return { code, lines, report: JSON.parse(lines[0]!) as Outcome["report"] };
}

test("start once takes a device from blank flash to a second boot, and says so in JSON", async () => {
  const { code, report } = await start("--once", "--json");
  assert.equal(report.ok, true, JSON.stringify(report, null, 2));
  assert.equal(code, 0);
  const names = report.steps.map(({ name }) => name);
  assert.deepEqual(
    names,
    STEPS.map(({ name }) => name),
  );
  for (const name of ["boot", "claim", "connect", "telemetry", "command", "power-off"]) {
    assert.ok(names.includes(name), `no step is called ${name}`);
  }
  for (const step of report.steps) {
    assert.equal(step.ok, true, step.name);
    assert.notEqual(step.detail, "");
  }
});

test("start once fails at the telemetry step for an application that never publishes", async () => {
  const quiet = join(packageRoot, "tests", "wasm", "apps", "quiet.ts");
  const { code, report } = await start("--once", "--json", "--app", quiet, "--deadline", "10");
  assert.equal(code, 1);
  assert.equal(report.ok, false);
  const last = report.steps.at(-1)!;
  assert.equal(last.name, "telemetry");
  assert.equal(last.ok, false);
  assert.match(last.detail, /expected 3 messages of iot32-[0-9a-f]{12} in the cloud/);
  assert.match(last.detail, /s have passed; what had happened/);
  assert.ok(report.steps.slice(0, -1).every(({ ok }) => ok));
});

test("start once fails at the build step for an application that does not compile", async () => {
  const missing = join(packageRoot, "no", "such", "application.ts");
  const { code, report } = await start("--once", "--json", "--app", missing);
  assert.equal(code, 1);
  assert.deepEqual(
    report.steps.map(({ name, ok }) => [name, ok]),
    [["build", false]],
  );
  assert.match(report.steps[0]!.detail, /application\.ts/);
});
