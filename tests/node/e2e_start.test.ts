// `npm start -- --once --json` as a user's script runs it: a process of its own, one JSON object on
// standard output, an exit code. And a check of the check: an application that never publishes must
// fail, at the step that waits for messages.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { promisify } from "node:util";
import { firmwareOf } from "../../host-node/src/boot/flasher.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { buildSample } from "./support/shadow_jobs_desk.js";

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

test("start once takes a device from blank flash to an update and a rollback, and says so in JSON", async () => {
  const { code, report } = await start("--once", "--json");
  assert.equal(report.ok, true, JSON.stringify(report, null, 2));
  assert.equal(code, 0);
  const names = report.steps.map(({ name }) => name);
  assert.deepEqual(names, [
    "build",
    "cloud",
    "boot",
    "claim",
    "connect",
    "telemetry",
    "command",
    "shadow",
    "job",
    "power-off",
    "second-boot",
    "update",
    "rollback",
  ]);
  for (const step of report.steps) {
    assert.equal(step.ok, true, step.name);
    assert.notEqual(step.detail, "");
  }
  const detailOf = (name: string) => report.steps.find((step) => step.name === name)?.detail ?? "";
  assert.match(detailOf("update"), /firmware 1\.0\.0 became 2\.0\.0.*SUCCEEDED/);
  assert.match(detailOf("rollback"), /2\.0\.0 is back.*FAILED, RolledBack:SelfTestFailed/);
});

test("start configure takes a device out of its box online over BLE, and says so in JSON", async () => {
  const { code, report } = await start("--configure", "--json");
  assert.equal(report.ok, true, JSON.stringify(report, null, 2));
  assert.equal(code, 0);
  const names = report.steps.map(({ name }) => name);
  const walk = ["unbox", "scan", "wrong", "configure", "online", "power-off", "second-boot"];
  assert.deepEqual(names, ["build", "cloud", ...walk]);
  const detailOf = (name: string) => report.steps.find((step) => step.name === name)?.detail ?? "";
  assert.match(detailOf("wrong"), /refuses the password/);
  assert.match(detailOf("configure"), /one active certificate/);
});

interface Line {
  readonly type: string;
  readonly name?: string;
  readonly valueName?: string;
  readonly text?: string;
  readonly firmware?: { readonly version: string; readonly trial: boolean };
}

/** Runs `npm start` until a line of its timeline is the one that is waited for, then Ctrl-C. */
async function startUntil(
  dir: string,
  isLast: (line: Line) => boolean,
  onLine: (line: Line) => void = () => {},
) {
  const script = join(packageRoot, "scripts", "run.mjs");
  const child = spawn(process.execPath, [script, "start", "--json", "--dir", dir], {
    cwd: packageRoot,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const lines: Line[] = [];
  let isDone = false;
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    onLine(line);
    if (!isDone && isLast(line)) {
      isDone = true;
      child.kill("SIGINT");
    }
  }
  clearTimeout(limit);
  const names = lines.flatMap(({ type, name }) => (type === "event" ? [name] : []));
  const notes = lines.flatMap(({ type, text }) => (type === "note" ? [text ?? ""] : []));
  const firmware = lines.flatMap(({ firmware }) =>
    firmware === undefined ? [] : [`${firmware.version}${firmware.trial ? " on trial" : ""}`],
  );
  const states = lines.flatMap(({ name, valueName }) => (name === "OTA_STATE" ? [valueName] : []));
  return { code: await closed, names, notes, firmware, states };
}

/** What a person does in a second terminal: firmware 2.0.0 to the device that `npm start` shows. */
function orderUpdate(dir: string, image: string, thing: string): Promise<unknown> {
  const cli = join(packageRoot, "scripts", "run.mjs");
  const options = ["--thing", thing, "--image", image, "--key", join(dir, "ota-key.pem")];
  const args = [cli, "iot32", "ota", "create", "--dir", join(dir, "cloud"), ...options, "--detach"];
  return promisify(execFile)(process.execPath, args);
}

test("start keeps its device until the next start, with what an update has brought meanwhile", async () => {
  const dir = mkdtempSync(join(tmpdir(), "iot32-start-"));
  try {
    const image = join(dir, "fw.bin");
    writeFileSync(image, firmwareOf((await buildSample("all", "release")).wasm, "2.0.0"));
    let ordered: Promise<unknown> | undefined;
    const order = ({ text = "" }: Line): void => {
      const thing = /^thing (\S+), certificate/.exec(text)?.[1];
      if (thing !== undefined) ordered ??= orderUpdate(dir, image, thing);
    };
    const first = await startUntil(dir, ({ name }) => name === "JOB_FINISHED", order);
    await ordered;
    assert.equal(first.code, 0);
    assert.ok(first.names.includes("PROVISIONED"));
    assert.ok(!first.notes.some((text) => text.startsWith("provisioned in an earlier run")));
    assert.deepEqual(first.firmware, ["1.0.0", "2.0.0 on trial"]);
    assert.equal(first.states.at(-1), "CONFIRMED");
    const second = await startUntil(dir, ({ name }) => name === "PUBLISH_SUCCEEDED");
    assert.equal(second.code, 0);
    assert.ok(second.names.includes("MQTT_CONNECTED"));
    assert.ok(!second.names.includes("PROVISIONING"));
    assert.ok(second.notes.some((text) => text.startsWith("provisioned in an earlier run")));
    assert.deepEqual(second.firmware, ["2.0.0"]);
    assert.deepEqual(second.states, []);
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
