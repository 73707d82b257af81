// `npm start -- --once --json` as a user's script runs it: a process of its own, one JSON object on
// standard output, an exit code. And a check of the check: an application that never publishes must
// fail, at the step that waits for messages.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
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

/** Runs `npm start` until its device has connected, then presses Ctrl-C. */
async function startUntilConnected(dir: string) {
  const script = join(packageRoot, "scripts", "run.mjs");
  const child = spawn(process.execPath, [script, "start", "--json", "--dir", dir], {
    cwd: packageRoot,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const names: string[] = [];
  const notes: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const { type, name, text } = JSON.parse(line) as Record<string, string>;
    if (type === "event") names.push(name ?? "");
    if (type === "note") notes.push(text ?? "");
    if (name === "PUBLISH_SUCCEEDED") child.kill("SIGINT");
  }
  clearTimeout(limit);
  return { code: await closed, names, notes };
}

test("start keeps its device until the next start, which boots it provisioned and says so", async () => {
  const dir = mkdtempSync(join(tmpdir(), "iot32-start-"));
  try {
    const first = await startUntilConnected(dir);
    assert.equal(first.code, 0);
    assert.ok(first.names.includes("PROVISIONED"));
    const second = await startUntilConnected(dir);
    assert.equal(second.code, 0);
    assert.ok(second.names.includes("MQTT_CONNECTED"));
    assert.ok(!second.names.includes("PROVISIONING"));
    assert.ok(second.notes.some((text) => text.startsWith("provisioned in an earlier run")));
    assert.ok(!first.notes.some((text) => text.startsWith("provisioned in an earlier run")));
  } finally {
    rmSync(dir, { recursive: true, force: true });
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
