// `iot32 cloud` as a script sees it: the first line, events as JSON lines, a clean end at SIGTERM, and
// a useful help text.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { connect } from "node:tls";
import { cloudCommand } from "../../host-node/src/cli/cloud.js";
import { cleanUp, onCleanUp, temporaryDirectory } from "./cloud_support.js";

const COMMAND_MODULE = new URL("../../host-node/src/cli/cloud.js", import.meta.url).href;
const RUN = `const { cloudCommand } = await import(process.argv[1]);
  await cloudCommand().parseAsync(process.argv.slice(2), { from: "user" });`;

after(cleanUp);

function run(...options: string[]) {
  const argv = ["--input-type=module", "-e", RUN, COMMAND_MODULE, ...options];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  onCleanUp(() => child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value as string;
  return { child, exited, next };
}

test("cloud command announces itself, prints events as JSON lines and ends cleanly at SIGTERM", async () => {
  const dir = temporaryDirectory();
  const { child, exited, next } = run("--dir", dir, "--port", "0", "--json");
  const first = JSON.parse(await next()) as Record<string, string | number>;
  assert.deepEqual(Object.keys(first), [
    "endpoint",
    "port",
    "ca",
    "claimCertificate",
    "claimKey",
    "templateName",
    "filesUrl",
  ]);
  assert.match(String(first.filesUrl), /^https:\/\/localhost:\d+$/);
  assert.equal(first.templateName, "iot32");
  const socket = connect({
    host: String(first.endpoint),
    port: Number(first.port),
    servername: String(first.endpoint),
    ca: readFileSync(String(first.ca)),
    cert: readFileSync(String(first.claimCertificate)),
    key: readFileSync(String(first.claimKey)),
  });
  await once(socket, "secureConnect");
  // A MQTT CONNECT of protocol level 5, which is refused by name.
  socket.write(Buffer.from("100d00044d51545405020000000000", "hex"));
  const event = JSON.parse(await next()) as Record<string, string>;
  assert.equal(event.event, "rule");
  assert.equal(event.rule, "protocol-version");
  socket.destroy();
  child.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
});

test("cloud command without --json still announces itself in JSON, and ends at SIGINT", async () => {
  const { child, exited, next } = run("--dir", temporaryDirectory(), "--port", "0");
  assert.equal(typeof (JSON.parse(await next()) as { port: number }).port, "number");
  child.kill("SIGINT");
  assert.deepEqual(await exited, [0, null]);
});

test("cloud command's help names its options, its first line and its events", () => {
  const text: string[] = [];
  const command = cloudCommand();
  command.configureOutput({ writeOut: (part) => text.push(part) }).exitOverride();
  assert.throws(() => command.parse(["--help"], { from: "user" }));
  for (const word of ["--dir", "--port", "--host", "--json", "claimCertificate", "provisioned"]) {
    assert.ok(text.join("").includes(word), word);
  }
});
