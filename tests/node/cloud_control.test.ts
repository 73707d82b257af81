// The control channel and the commands on it: the socket's rights and its end, what happens without
// a cloud or with two, and each command as a person and as a script meets it, in a process of its
// own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { groupCommand, jobCommand, thingCommand } from "../../host-node/src/cli/job.js";
import { shadowCommand } from "../../host-node/src/cli/shadow.js";
import { controlPath } from "../../host-node/src/cloud/control.js";
import { callCloud } from "../../host-node/src/cloud/index.js";
import { Thing } from "./cloud_services_support.js";
import { cleanUp, startCloud, type TestCloud, temporaryDirectory } from "./cloud_support.js";

const MAIN = fileURLToPath(new URL("../../host-node/src/cli/main.js", import.meta.url));

let running: TestCloud;
let device: Thing;

before(async () => {
  running = await startCloud();
  device = await Thing.connect(running, "lamp");
});
after(cleanUp);

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function iot32(...argv: readonly string[]): Promise<Outcome> {
  const environment = { ...process.env, NO_COLOR: "1", IOT32_CLOUD_DIR: running.dir };
  const child = spawn(process.execPath, [MAIN, ...argv], { env: environment });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}

/** Runs a command that must succeed; answers its output. */
async function done(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await iot32(...argv);
  assert.equal(code, 0, err);
  assert.equal(err, "");
  return out;
}

/** Runs a command that must be refused; answers what it says. */
async function refused(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await iot32(...argv);
  assert.equal(code, 1, out);
  assert.equal(out, "");
  return err;
}

test("socket is its owner's alone, answers, and is gone when the cloud is", async () => {
  const { cloud, dir } = await startCloud();
  const path = controlPath(dir);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(await callCloud(dir, "job.list"), []);
  await assert.rejects(callCloud(dir, "job.describe", { jobId: "x" }), {
    code: "ResourceNotFound",
    message: "Job x does not exist",
  });
  await assert.rejects(callCloud(dir, "toString"), { code: "UnknownMethod" });
  await assert.rejects(callCloud(dir, "shadow.get", { thing: 5 }), /thing is missing/);
  await cloud.close();
  assert.equal(existsSync(path), false);
  await assert.rejects(callCloud(dir, "job.list"), { code: "NO_CLOUD" });
});

test("nonsense on the socket is answered as an error and harms nobody", async () => {
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(controlPath(running.dir));
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.once("end", () => resolve(text));
    socket.write("nonsense\n");
  });
  assert.match((JSON.parse(answer) as { error: { message: string } }).error.message, /JSON/);
  assert.ok(Array.isArray(await callCloud(running.dir, "job.list")));
});

test("second cloud on a directory is refused, and the first one goes on", async () => {
  await assert.rejects(startCloud({ dir: running.dir }), /another cloud runs on/);
  assert.ok(Array.isArray(await callCloud(running.dir, "thing.list")));
});

test("socket that a killed process left behind does not keep the next cloud away", async () => {
  const dir = temporaryDirectory();
  const path = controlPath(dir);
  const leave = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  const child = spawn(process.execPath, ["-e", leave]);
  await new Promise((resolve) => child.once("close", resolve));
  assert.ok(existsSync(path), "the killed process left no socket");
  const { cloud } = await startCloud({ dir });
  assert.deepEqual(await callCloud(dir, "job.list"), []);
  await cloud.close();
});

test("directory with a path too long for a socket gets one elsewhere, and works the same", async () => {
  const dir = join(temporaryDirectory(), "d".repeat(120));
  mkdirSync(dir);
  const { cloud } = await startCloud({ dir });
  assert.ok(!controlPath(dir).startsWith(dir));
  assert.equal(statSync(controlPath(dir)).mode & 0o777, 0o600);
  assert.deepEqual(await callCloud(dir, "job.list"), []);
  await cloud.close();
});

test("cloud without a control channel leaves the directory without a socket", async () => {
  const { dir } = await startCloud({ control: false });
  assert.ok(!readdirSync(dir).includes("control.sock"));
});

test("command without a cloud says how to start one", async () => {
  const dir = temporaryDirectory();
  for (const argv of [
    ["shadow", "get", "--thing", "lamp"],
    ["job", "list"],
    ["thing", "list"],
  ]) {
    const said = await refused(...argv, "--dir", dir);
    assert.equal(
      said,
      `iot32: no cloud runs on ${dir}; start one with: iot32 cloud --dir ${dir}\n`,
    );
  }
});

test("shadow commands change, show and delete a shadow, and the device hears of it", async () => {
  const updated = await done(
    ...["shadow", "update", "-t", "lamp", "-n", "cli"],
    ...[
      "--desired",
      '{"led":{"on":true,"name":"a\\u001b[31m"}}',
      "--reported",
      '{"led":{"on":false}}',
    ],
  );
  assert.equal(updated, "lamp, shadow cli  is now version 1\n");
  const delta = await device.next("shadow/name/cli/update/delta");
  assert.equal(delta.state.led.on, true);
  const shown = await done("shadow", "get", "-t", "lamp", "-n", "cli");
  assert.deepEqual(shown.split("\n"), [
    "lamp, shadow cli  version 1",
    "KEY       DESIRED        REPORTED  DELTA    CHANGED",
    'led.name  "a\\u001b[31m"  -         differs  2026-01-01 00:00:00',
    "led.on    true           false     differs  2026-01-01 00:00:00",
    "",
  ]);
  const json = JSON.parse(await done("shadow", "get", "-t", "lamp", "-n", "cli", "--json"));
  assert.deepEqual(
    json,
    JSON.parse(JSON.stringify(await running.cloud.shadow("lamp", "cli").get())),
  );
  const file = join(temporaryDirectory(), "update.json");
  writeFileSync(file, '{"state":{"desired":{"led":null}}}');
  await done(
    "shadow",
    "update",
    "-t",
    "lamp",
    "-n",
    "cli",
    "--document",
    file,
    "--if-version",
    "1",
  );
  const stale = ["--desired", "{}", "--if-version", "1"];
  const conflict = await refused("shadow", "update", "-t", "lamp", "-n", "cli", ...stale);
  assert.equal(conflict, "iot32: Version conflict\n");
  assert.match(
    await done("shadow", "delete", "-t", "lamp", "-n", "cli"),
    /deleted; it had version 2/,
  );
  assert.match(await refused("shadow", "get", "-t", "lamp", "-n", "cli"), /lamp~cli/);
});

test("shadow commands name what is wrong with their arguments", async () => {
  const update = ["shadow", "update", "-t", "lamp"];
  assert.match(await refused(...update), /nothing to change/);
  assert.match(await refused(...update, "--desired", "{"), /--desired is not JSON/);
  assert.match(await refused(...update, "--desired", "absent.json"), /absent\.json/);
  assert.match(await refused(...update, "--document", "{}", "--desired", "{}"), /already holds/);
  assert.match(await refused(...update, "--if-version", "x", "--desired", "{}"), /whole number/);
  assert.match(await refused("shadow", "get"), /--thing/);
  assert.match(await refused("shadow", "get", "-t", "nobody"), /Thing not found/);
});

test("job commands create, list, describe, cancel and delete, in tables and in JSON", async () => {
  await done("group", "create", "hall");
  assert.equal(await done("group", "add", "hall", "lamp"), "lamp  joined hall\n");
  assert.match(await done("group", "list"), /^GROUP {2}THINGS\nhall {3}lamp\n$/);
  const created = await done(
    ...["job", "create", "--group", "hall", "--document", '{"action":"blink"}', "--id", "blink-1"],
    ...["--rate", "10", "--abort", "25%", "--abort-after", "4", "--timeout", "30"],
  );
  assert.equal(created, "blink-1  IN_PROGRESS: 1 queued, 0 waiting\n");
  assert.equal((await device.next("jobs/notify-next")).execution.jobId, "blink-1");
  const job = running.cloud.describeJob("blink-1");
  assert.deepEqual(job.jobExecutionsRolloutConfig, { maximumPerMinute: 10 });
  assert.deepEqual(job.timeoutConfig, { inProgressTimeoutInMinutes: 30 });
  const [criteria] = job.abortConfig!.criteriaList;
  assert.equal(criteria!.thresholdPercentage, 25);
  assert.equal(criteria!.minNumberOfExecutedThings, 4);
  await device.ask("jobs/start-next", { statusDetails: { step: "on" } });
  const [head, row] = (await done("job", "list")).split("\n");
  assert.match(head!, /^JOB +STATUS +QUEUED +RUNNING +SUCCEEDED +FAILED +ENDED +WAITING +CREATED/);
  assert.match(row!, /^blink-1 +IN_PROGRESS +0 +1 +0 +0 +0 +0 +2026-01-01 00:00:00$/);
  const described = await done("job", "describe", "blink-1");
  assert.match(described, /document +\{"action":"blink"\}/);
  assert.match(described, /targets +thinggroup\/hall/);
  assert.match(described, /lamp +IN_PROGRESS +2 .* step=on/);
  const json = JSON.parse(await done("job", "describe", "blink-1", "--json"));
  assert.equal(json.executions[0].status, "IN_PROGRESS");
  assert.equal(json.jobArn, job.jobArn);
  assert.match(await done("job", "cancel", "blink-1"), /CANCELED; 1 executions IN_PROGRESS go on/);
  assert.equal(await done("job", "cancel", "blink-1", "--force"), "blink-1  CANCELED\n");
  const cancelled = JSON.parse(await done("job", "list", "--status", "CANCELED", "--json"));
  assert.equal(cancelled.length, 1);
  assert.equal(await done("job", "list", "--status", "COMPLETED"), "There are no jobs.\n");
  assert.equal(await done("job", "delete", "blink-1"), "blink-1  deleted\n");
  assert.match(await refused("job", "describe", "blink-1"), /Job blink-1 does not exist/);
});

test("job and group commands name what is wrong with their arguments", async () => {
  const create = ["job", "create", "--document", "{}"];
  assert.match(await refused(...create), /--thing or --group/);
  assert.match(await refused(...create, "--thing", "nobody"), /Thing nobody does not exist/);
  assert.match(await refused(...create, "--thing", "lamp", "--abort", "0%"), /at most 100/);
  assert.match(await refused(...create, "--thing", "lamp", "--timeout", "99999"), /1 to 10080/);
  assert.match(
    await refused("job", "create", "--thing", "lamp", "--document", "no.json"),
    /no\.json/,
  );
  assert.match(await refused("job", "list", "--status", "DONE"), /DONE/);
  assert.match(await refused("group", "add", "nowhere", "lamp"), /Group nowhere/);
});

test("thing list shows who is connected, in a table and in JSON", async () => {
  assert.match(await done("thing", "list"), /^THING +CONNECTED +GROUPS[^\n]+\nlamp +yes +hall +1 /);
  const [lamp] = JSON.parse(await done("thing", "list", "--json"));
  assert.equal(lamp.connected, true);
  assert.deepEqual(lamp.groups, ["hall"]);
});

test("help of each command says what it does, with an example", () => {
  const check = (command: Command, path: string) => {
    for (const child of command.commands) check(child, `${path} ${child.name()}`);
    if (command.commands.length > 0) return;
    const text: string[] = [];
    command.configureOutput({ writeOut: (part) => text.push(part) }).exitOverride();
    assert.throws(() => command.parse(["--help"], { from: "user" }));
    const help = text.join("");
    assert.match(help, new RegExp(`Examples?:[^]*${path.split(" ")[0]}`), path);
    for (const word of ["--dir", "--json", "Exit code"]) assert.ok(help.includes(word), path);
  };
  for (const make of [shadowCommand, jobCommand, thingCommand, groupCommand]) {
    const command = make();
    check(command, `iot32 ${command.name()}`);
  }
});

test("another program's socket in the place of the cloud's is not taken for a cloud that can be removed", async () => {
  const dir = temporaryDirectory();
  const squatter = createServer(() => {}).listen(controlPath(dir));
  await new Promise((resolve) => squatter.once("listening", resolve));
  await assert.rejects(startCloud({ dir }), /another cloud runs on/);
  assert.ok(existsSync(controlPath(dir)));
  await new Promise((resolve) => squatter.close(resolve));
});
