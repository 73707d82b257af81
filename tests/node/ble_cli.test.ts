// `iot32 verifier` and `iot32 configure` as a person and as a script meet them: processes of their own,
// against a scripted device behind a socket; and `iot32 run --ble`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { BleCode, BleState, Event, SetupStep, Status } from "../../host-node/src/abi.js";
import { SocketPeripheral } from "../../host-node/src/ble/gatt_socket.js";
import { Security2Client } from "../../host-node/src/ble/security2/client.js";
import { Security2Server } from "../../host-node/src/ble/security2/server.js";
import { verifierDocument } from "../../host-node/src/ble/verifier_document.js";
import { configureCommand } from "../../host-node/src/cli/configure.js";
import { describeEvent } from "../../host-node/src/cli/timeline.js";
import { buildFixture } from "./device_support.js";
import { Command, PROOF, SetupPeer } from "./support/setup_peer.js";

const MAIN = fileURLToPath(new URL("../../host-node/src/cli/main.js", import.meta.url));
const WIFI_PASSWORD = "correct horse";
let folder: string;
let path: string;
let radio: SocketPeripheral;
let peer: SetupPeer;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "iot32-ble-cli-"));
  path = join(folder, "ble.sock");
});
after(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  radio = await SocketPeripheral.listen(path);
  peer = new SetupPeer(radio).start();
});
afterEach(() => radio.close());

function file(name: string, contents: string | Uint8Array): string {
  writeFileSync(join(folder, name), contents);
  return join(folder, name);
}

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function iot32(argv: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const env = { ...process.env, NO_COLOR: "1", IOT32_POP: PROOF, ...environment };
  const child = spawn(process.execPath, [MAIN, ...argv], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk;
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}

const configure = (...argv: string[]) => iot32(["configure", "--device", path, ...argv]);

/** The device finds the document good, and is online at once. */
function goOnline(): void {
  peer.afterwards = ({ command }) => {
    if (command !== Command.APPLY) return;
    peer.become({ code: BleCode.CONFIGURED, step: SetupStep.CONNECTED, text: "pump-7" });
  };
}

// ---- verifier ----------------------------------------------------------------------------------

test("verifier_document_lets_in_who_knows_the_proof", () => {
  // The salt is random: so is the length of the number behind it.
  const bytes = Buffer.from(verifierDocument("iot32", PROOF).ble.verifier, "base64");
  assert.equal(bytes.length, 400);
  const server = new Security2Server(bytes.subarray(0, 16), bytes.subarray(16));
  const client = new Security2Client("iot32", PROOF);
  client.finish(server.handle(client.prove(server.handle(client.start()).answer)).answer);
  assert.ok(client.isAuthenticated);
});

test("verifier_command_prints_a_document_and_no_proof", async () => {
  const [given, fromEnvironment, missing] = await Promise.all([
    iot32(["verifier", "--pop", "s3cret-proof"]),
    iot32(["verifier", "--username", "wifiprov"], { IOT32_POP: "s3cret-proof" }),
    iot32(["verifier"], { IOT32_POP: undefined }),
  ]);
  for (const { code, out, err } of [given, fromEnvironment]) {
    assert.equal(code, 0, err);
    assert.equal(Buffer.from(JSON.parse(out).ble.verifier, "base64").length, 400);
    assert.doesNotMatch(out + err, /s3cret/);
  }
  assert.deepEqual([missing.code, missing.out], [1, ""]);
  assert.match(missing.err, /^iot32: give the proof of possession with --pop or IOT32_POP\n$/);
});

// ---- configure ---------------------------------------------------------------------------------

test("document_is_sent_with_its_files_and_what_happens_is_said_without_secrets", async () => {
  file("root.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
  const wifi = { ssid: "home", password: WIFI_PASSWORD };
  const document = file("home.json", JSON.stringify({ wifi, aws: { rootCa: "@root.pem" } }));
  goOnline();
  const { code, out, err } = await configure("--mtu", "100", document);
  assert.deepEqual([code, err], [0, ""]);
  assert.match(out, /ble\s+connecting to the device\n/);
  assert.match(out, /config\s+sending the configuration\n/);
  assert.match(out, /device\s+configured: the device is the thing pump-7\n$/);
  assert.doesNotMatch(out, new RegExp(`${WIFI_PASSWORD}|${PROOF}`));
  assert.deepEqual(JSON.parse(`${peer.requests[0]?.body}`), {
    wifi,
    aws: { rootCa: "-----BEGIN CERTIFICATE-----\nAAAA\n" },
  });
  assert.equal(peer.mtu, 100);
});

test("script_gets_an_object_a_line_and_the_outcome_at_the_end", async () => {
  goOnline();
  const { code, out } = await configure("--json", file("json.json", "{}"));
  const lines = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(code, 0);
  assert.ok(lines.slice(0, -1).every(({ type, text }) => type === "note" && text !== ""));
  assert.deepEqual(lines.at(-1), { type: "outcome", step: "CONNECTED", thingName: "pump-7" });
});

test("failure_is_one_sentence_that_does_not_steer_the_terminal", async () => {
  const text = "not\u001b[2Jauthorized";
  const { MQTT_REFUSED: status } = Status;
  peer.becomeSilently({ code: BleCode.FAILED, step: SetupStep.ENDPOINT, status, text });
  const { code, err } = await configure(file("bad.json", "{}"));
  assert.equal(code, 1);
  assert.match(
    err,
    /^iot32: The endpoint knows the certificate .* The device says: not·\[2Jauthorized\.\n$/,
  );
});

test("wrong_proof_lock_and_absence_are_told", async () => {
  const [wrong, absent] = await Promise.all([
    configure("--pop", "other", "--read"),
    iot32(["configure", "--device", join(folder, "none.sock"), "--scan"]),
  ]);
  assert.match(wrong.err, /^iot32: The proof of possession is wrong\.\n$/);
  peer.lock(45);
  const locked = await configure("--scan");
  assert.match(locked.err, /^iot32: The device is locked for 45 seconds/);
  assert.match(absent.err, /^iot32: no device has the socket .*none\.sock; start one with/);
  assert.deepEqual([wrong.code, locked.code, absent.code], [1, 1, 1]);
});

test("single_requests_are_answered_as_text_and_as_json", async () => {
  const configuration = { wifi: { ssid: "home", password: true } };
  peer.answer = ({ command }) => {
    if (command === Command.READ) {
      return { code: BleCode.SUCCESS, body: JSON.stringify(configuration) };
    }
    if (command !== Command.SCAN) return undefined;
    return { code: BleCode.SUCCESS, body: Buffer.from("d80104686f6d65", "hex") };
  };
  const scanned = await configure("--scan");
  assert.equal(scanned.out, "NETWORK  STRENGTH\nhome     -40 dBm   open\n", scanned.err);
  const read = await configure("--read", "--json");
  assert.equal(read.out, `${JSON.stringify(configuration)}\n`);
  const reset = await configure("--reset");
  assert.deepEqual([reset.code, reset.out], [0, "the device forgets everything, and restarts\n"]);
  assert.deepEqual(
    peer.requests.map(({ command }) => command),
    [Command.SCAN, Command.READ, Command.RESET],
  );
});

/** What the command says to arguments that it does not take. */
async function refusalOf(...argv: string[]): Promise<string> {
  const command = configureCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  const outcome = command.parseAsync(argv, { from: "user" });
  return outcome.then(
    () => "",
    (error: Error) => error.message,
  );
}

test("arguments_that_do_not_go_together_are_named", async () => {
  assert.match(await refusalOf("--scan"), /required option '-d, --device <socket>'/);
  assert.match(
    await refusalOf("-d", path),
    /give a configuration document or one of --scan, --read/,
  );
  assert.match(await refusalOf("-d", path, "--scan", "--read"), /or one of/);
  assert.match(await refusalOf("-d", path, "--leave", "home.json"), /or one of/);
  for (const mtu of ["22", "518", "x", "23.5"]) {
    assert.match(await refusalOf("-d", path, "--scan", "--mtu", mtu), /from 23 to 517/);
  }
  assert.match(await refusalOf("-d", path, "--scan", "--username", ""), /user name is empty/);
  assert.deepEqual(peer.requests, []);
});

// ---- run ---------------------------------------------------------------------------------------

test("device_has_its_socket_as_long_as_it_runs", async () => {
  const wasm = file("quiet.wasm", await buildFixture("quiet.ts"));
  const socket = join(folder, "run.sock");
  const child = spawn(process.execPath, [MAIN, "run", wasm, "--ble", socket, "--json"]);
  const exited = new Promise((resolve) => child.once("close", resolve));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  assert.ok(existsSync(socket));
  const taken = await iot32(["run", wasm, "--ble", socket]);
  assert.deepEqual([taken.code, taken.out], [1, ""]);
  assert.match(taken.err, /^iot32: another device has the socket/);
  child.kill("SIGTERM");
  assert.equal(await exited, 0);
  assert.equal(existsSync(socket), false);
});

// ---- timeline ----------------------------------------------------------------------------------

test("events_of_a_setting_up_are_said_in_words", () => {
  const say = (name: keyof typeof Event, value: number, text: string) =>
    describeEvent({ at: 0, event: Event[name], name, value, text }).text;
  assert.equal(say("BLE_STATE", BleState.LOCKED, "for 30 s"), "locked: for 30 s");
  assert.equal(say("SETUP", SetupStep.JOINING, "home"), 'the device joins "home"');
  assert.equal(
    say("SETUP_FAILED", BleCode.WRONG_PASSWORD, "JOINING"),
    "the configuration does not work, wrong password: JOINING",
  );
  assert.equal(say("BLE_PACKET_TAKEN", 0, "level"), "the packet level was fetched");
});
