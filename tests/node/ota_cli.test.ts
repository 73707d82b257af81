// `iot32 ota create` as a person and as a script meet it: in a process of its own against a cloud,
// with fake devices that download and report. Plain lines, JSON, the progress bar, exit codes,
// refusals and Ctrl-C.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ABI_VERSION } from "../../host-node/src/abi.js";
import { otaCommand } from "../../host-node/src/cli/ota.js";
import { follow, type Snapshot } from "../../host-node/src/cli/ota_follow.js";
import { percentOf, viewOf } from "../../host-node/src/cli/ota_view.js";
import type { ExecutionDescription, JobDescription } from "../../host-node/src/cloud/index.js";
import { makeKeyPair, signatureText, signImage } from "../../host-node/src/image/index.js";
import {
  cleanUp,
  onCleanUp,
  startCloud,
  type TestCloud,
  temporaryDirectory,
  within,
} from "./cloud_support.js";
import { patched, sampleModule } from "./image_support.js";
import { IMAGE, MODULE, UpdatingDevice } from "./ota_support.js";

const MAIN = fileURLToPath(new URL("../../host-node/src/cli/main.js", import.meta.url));
const directory = temporaryDirectory();
const file = (name: string, contents: string | Uint8Array): string => {
  const path = join(directory, name);
  writeFileSync(path, contents);
  return path;
};
const keys = makeKeyPair();
const key = file("key.pem", keys.privateKey);
const firmware = file("fw.bin", IMAGE);
const module = file("app.wasm", MODULE);

let running: TestCloud;
let lamp: UpdatingDevice;

before(async () => {
  running = await startCloud();
  lamp = await UpdatingDevice.connect(running, "lamp");
});
after(cleanUp);

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Started {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** Waits until the output holds a text. */
  said(text: string): Promise<void>;
}

function start(...argv: readonly string[]): Started {
  const environment = { ...process.env, NO_COLOR: "1", IOT32_CLOUD_DIR: running.dir };
  const child = spawn(process.execPath, [MAIN, "ota", "create", ...argv], { env: environment });
  onCleanUp(() => child.kill("SIGKILL"));
  let [out, err] = ["", ""];
  let news = () => {};
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
    news();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const outcome = new Promise<Outcome>((resolve) =>
    child.once("close", (code) => resolve({ code, out, err })),
  );
  const said = async (text: string) => {
    while (!out.includes(text)) {
      const more = new Promise<void>((resolve) => {
        news = resolve;
      });
      await within(more, `"${text}" in the output`);
    }
  };
  return { child, outcome: within(outcome, "the end of iot32 ota create"), said };
}

const run = (...argv: readonly string[]): Promise<Outcome> => start(...argv).outcome;

/** Runs a command that must be refused; answers what it says. */
async function refused(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await run(...argv);
  assert.equal(code, 1, out);
  assert.equal(out, "");
  return err;
}

const linesOf = ({ out }: Outcome) =>
  out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("update that succeeds is told line by line and ends with 0", async () => {
  const started = start("--thing", "lamp", "--image", firmware, "--key", key, "--job-id", "up-1");
  await lamp.update("SUCCEEDED");
  const { code, out, err } = await started.outcome;
  assert.equal(err, "");
  assert.equal(code, 0, out);
  const [what, job, ...lines] = out.trimEnd().split("\n");
  assert.match(
    what!,
    /^fw\.bin {2}iot32 2\.0\.0 for esp32c3, 1800000 bytes, signed, iot32-updates/,
  );
  assert.equal(job, "up-1  IN_PROGRESS: 1 queued");
  assert.equal(lines.at(-2), "lamp  SUCCEEDED  progress=50%");
  assert.equal(lines.at(-1), "up-1  COMPLETED: 1 succeeded");
});

test("update that fails is one line of JSON for each change, and ends with 1", async () => {
  const signature = file("fw.bin.sig", signatureText(signImage(IMAGE, keys.privateKey)));
  const options = ["--image", firmware, "--signature", signature, "--expires", "120", "--force"];
  const started = start("--thing", "lamp", ...options, "--job-id", "up-2", "--json");
  await started.said('"QUEUED"');
  const document = await lamp.update("FAILED", "wrong chip");
  assert.equal(document.force, true);
  const outcome = await started.outcome;
  assert.equal(outcome.code, 1, outcome.err);
  assert.equal(outcome.err, "");
  const [created, ...changes] = linesOf(outcome);
  const ended = changes.pop();
  assert.equal(created.event, "created");
  assert.deepEqual([created.jobId, created.version, created.isSigned], ["up-2", "2.0.0", true]);
  assert.equal(JSON.parse(created.document).action, "OTA");
  for (const { event, jobId, thingName } of changes) {
    assert.deepEqual([event, jobId, thingName], ["execution", "up-2", "lamp"]);
  }
  assert.equal(changes[0].status, "QUEUED");
  assert.equal(changes.at(-1).status, "FAILED");
  assert.deepEqual(changes.at(-1).statusDetails, { reason: "wrong chip" });
  assert.deepEqual([ended.event, ended.status, ended.succeeded], ["ended", "COMPLETED", false]);
  assert.equal(ended.jobProcessDetails.numberOfFailedThings, 1);
});

test("rollout to a group keeps its rate, and failures abort it before it reaches everybody", async () => {
  const group = ["hall-1", "hall-2", "hall-3"];
  running.cloud.createGroup("hall");
  const devices: UpdatingDevice[] = [];
  for (const name of group) {
    devices.push(await UpdatingDevice.connect(running, name));
    running.cloud.addToGroup(name, "hall");
  }
  const options = ["--image", firmware, "--key", key, "--rate", "1", "--abort", "50%"];
  const started = start("--group", "hall", ...options, "--job-id", "up-3");
  await started.said("up-3  IN_PROGRESS: 1 queued, 2 waiting");
  await devices[0]!.update("SUCCEEDED");
  running.clock.advance(60_000);
  await devices[1]!.update("FAILED", "no space");
  const { code, out } = await started.outcome;
  assert.equal(code, 1);
  assert.match(out, /^hall-2 {2}FAILED {2}reason=no space$/m);
  assert.match(out, /\nup-3 {2}CANCELED \(ABORT_THRESHOLD_EXCEEDED\): 1 succeeded, 1 failed\n$/);
  assert.ok(!out.includes("hall-3"));
});

test("unsigned update is created with a loud warning, and --detach does not wait", async () => {
  const options = ["--thing", "lamp", "--module", module, "--inline", "--detach"];
  const { code, out, err } = await run(...options, "--job-id", "up-4");
  assert.equal(code, 0);
  assert.match(err, /^WARNING: the update is not signed: devices refuse it unless/);
  assert.match(
    out,
    /^app\.wasm {2}module, \d+ bytes, NOT SIGNED, in the document\nup-4 {2}IN_PROG/,
  );
  assert.equal(JSON.parse(running.cloud.describeJob("up-4").document).action, "APP");
  running.cloud.deleteJob("up-4", { force: true });
  await lamp.thing.settle();
});

test("Ctrl-C stops following, says so, and leaves the job alone", async () => {
  const started = start("--thing", "lamp", "--module", module, "--key", key, "--job-id", "up-5");
  await started.said("lamp  QUEUED");
  started.child.kill("SIGINT");
  const { code, out } = await started.outcome;
  assert.equal(code, 130);
  assert.match(
    out,
    /\nup-5 {2}goes on; see: iot32 job describe up-5, or end it: iot32 job cancel up-5\n$/,
  );
  assert.equal(running.cloud.describeJob("up-5").status, "IN_PROGRESS");
  running.cloud.deleteJob("up-5", { force: true });
  await lamp.thing.settle();
});

test("damaged image and other mistakes are refused with a sentence, and no job is made", async () => {
  const count = running.cloud.listJobs().length;
  const damaged = file("damaged.bin", patched(IMAGE, 5000, 0xff, 0x00, 0xff));
  const old = file("old.wasm", sampleModule(1));
  const large = file("large.wasm", sampleModule(ABI_VERSION, 25_000));
  const short = file("short.sig", "AAAA");
  const lampAnd = (...rest: string[]) => refused("--thing", "lamp", ...rest);
  assert.match(
    await lampAnd("--image", damaged, "--key", key),
    /damaged\.bin: .*(checksum|SHA-256)/,
  );
  assert.match(await lampAnd("--module", old, "--key", key), /old\.wasm: .*version 1 of the ABI/);
  assert.match(await lampAnd("--module", large, "--inline"), /32768 allowed; let devices fetch/);
  assert.match(await lampAnd("--image", join(directory, "no.bin")), /no\.bin cannot be read/);
  assert.match(await lampAnd("--image", firmware, "--key", firmware), /fw\.bin: .*key/);
  assert.match(await lampAnd("--image", firmware, "--signature", short), /short\.sig: .*64 bytes/);
  assert.match(await lampAnd("--image", firmware, "--module", module), /cannot be used with/);
  assert.match(await lampAnd("--module", module, "--force"), /cannot be used with/);
  assert.match(await lampAnd("--image", firmware, "--key", key, "--expires", "5"), /60 to 3600/);
  assert.match(await lampAnd("--image", firmware, "--abort", "101%"), /at most 100/);
  assert.match(await lampAnd(), /--image or --module/);
  assert.match(await refused("--image", firmware), /--thing or --group/);
  assert.match(await refused("--thing", "nobody", "--image", firmware), /Thing nobody/);
  const elsewhere = temporaryDirectory();
  const away = await lampAnd("--image", firmware, "--dir", elsewhere);
  assert.match(away, /no cloud runs on .*; start one with/);
  assert.equal(running.cloud.listJobs().length, count);
});

test("cloud that ends while a rollout is followed is named, with the job", async () => {
  const brief = await startCloud();
  await UpdatingDevice.connect(brief, "left");
  const options = ["--module", module, "--key", key, "--job-id", "up-6", "--dir", brief.dir];
  const started = start("--thing", "left", ...options);
  await started.said("left  QUEUED");
  await brief.cloud.close();
  const { code, err } = await started.outcome;
  assert.equal(code, 1);
  assert.match(err, /^iot32: .*; job up-6 is no longer followed\n$/);
});

function snapshotOf(status: JobDescription["status"], ...executions: object[]): Snapshot {
  const count = (state: string) =>
    executions.filter((execution) => (execution as ExecutionDescription).status === state).length;
  const jobProcessDetails = {
    numberOfQueuedThings: count("QUEUED"),
    numberOfInProgressThings: count("IN_PROGRESS"),
    numberOfSucceededThings: count("SUCCEEDED"),
    numberOfFailedThings: count("FAILED"),
    numberOfRejectedThings: 0,
    numberOfTimedOutThings: 0,
    numberOfCanceledThings: 0,
    numberOfRemovedThings: 0,
    numberOfWaitingThings: 0,
  };
  return { job: { status, jobProcessDetails }, executions } as unknown as Snapshot;
}

test("terminal gets a bar that moves, and at the end who did not succeed", async () => {
  const one = (thingName: string, status: string, statusDetails?: object) => ({
    ...{ thingName, status, statusDetails, versionNumber: 1, executionNumber: 1 },
  });
  const half = one("a", "IN_PROGRESS", { progress: "50%" });
  const steps = [
    snapshotOf("IN_PROGRESS", half, one("b", "QUEUED")),
    snapshotOf("COMPLETED", one("a", "SUCCEEDED"), one("b", "FAILED", { reason: "x\u0007y" })),
  ];
  assert.equal(percentOf(steps[0]!), 25);
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
  let text = "";
  output.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const look = () => Promise.resolve(steps.shift()!);
  const outcome = await follow(look, viewOf(output, false, "up-7"), new AbortController().signal);
  assert.equal(outcome, "failed");
  assert.match(text, /25%.*1 in progress, 1 queued/);
  assert.match(text, /100%.*1 succeeded, 1 failed/);
  assert.match(text, /\nb {2}FAILED {2}reason=x·y\n.*up-7.*COMPLETED/s);
  assert.ok(text.indexOf("\u001b[?25h") > 0, "the cursor is hidden for ever");
});

test("terminal shows what a single thing says of its progress", async () => {
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
  let text = "";
  output.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const state = { thingName: "a", versionNumber: 1, executionNumber: 1 };
  const view = viewOf(output, false, "up-8");
  view.shown(
    snapshotOf("IN_PROGRESS", {
      ...state,
      status: "IN_PROGRESS",
      statusDetails: { progress: "40" },
    }),
  );
  view.close();
  assert.match(text, /40%.*a {2}IN_PROGRESS {2}progress=40/);
});

test("rollout that reaches nobody has not succeeded", async () => {
  running.cloud.createGroup("empty");
  const { code, out } = await run("--group", "empty", "--image", firmware, "--key", key);
  assert.equal(code, 1);
  assert.match(out, /COMPLETED: no thing to reach\n$/);
});

test("help says what is created, with examples", () => {
  const text: string[] = [];
  const create = otaCommand().commands[0]!;
  create.configureOutput({ writeOut: (part) => text.push(part) }).exitOverride();
  assert.throws(() => create.parse(["--help"], { from: "user" }));
  const help = text.join("");
  for (const word of ["Examples:", "iot32 ota create", "--dir", "--json", "--abort", "Exit code"]) {
    assert.ok(help.includes(word), word);
  }
});
