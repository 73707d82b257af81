// For tests of security 2: the recorded exchanges between Espressif's C device and Python client,
// and that client as a process. It comes with Espressif's esp-rainmaker-cli, which pip installs to
// .cache; ESP_PROV=FOLDER takes it from ESP-IDF's tools/esp_prov instead.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Security2Client } from "../../host-node/src/ble/security2/client.js";
import { Security2Server } from "../../host-node/src/ble/security2/server.js";
import type { RandomBytes } from "../../host-node/src/ble/security2/srp.js";
import { packageRoot } from "../../host-node/src/package_root.js";

const FIXTURE = join(packageRoot, "tests", "fixtures", "security2.json");
const PEER = join(packageRoot, "tests", "node", "ble_security2_peer.py");
const VERSION = "1.14.1";
const DIRECTORY = join(packageRoot, ".cache", `esp-rainmaker-cli-${VERSION}`);
/** Of the tool itself nothing but its client of security 2 is used, which needs these. */
const REQUIREMENTS = [
  `esp-rainmaker-cli==${VERSION}`,
  "protobuf==7.36.2",
  "cryptography==50.0.2",
  "cffi==2.1.1",
  "pycparser==3.12",
];
const INSTALL_TIMEOUT_MS = 180_000;
const RUN_TIMEOUT_MS = 60_000;
const ESP_PROV = process.env["ESP_PROV"] ?? "";

// ---- recorded exchanges ------------------------------------------------------------------------

/** Bytes in hexadecimal, but for names, proofs and titles. */
export interface Exchange {
  readonly title: string;
  readonly username: string;
  readonly proof: string;
  readonly salt: string;
  readonly verifier: string;
  /** What each side draws, in order. */
  readonly clientRandom: string;
  readonly deviceRandom: string;
  readonly command0: string;
  readonly response0: string;
  readonly command1: string;
  readonly response1: string;
  readonly packets: readonly {
    readonly from: "client" | "device";
    readonly plain: string;
    readonly sealed: string;
  }[];
}

export function recordedExchanges(): readonly Exchange[] {
  const { exchanges } = JSON.parse(readFileSync(FIXTURE, "utf8"));
  if (exchanges.length === 0) throw new Error(`${FIXTURE} holds no exchange`);
  return exchanges;
}

export function bytes(hex: string): Buffer {
  return Buffer.from(hex, "hex");
}

export function hex(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}

/** Random bytes that are known beforehand; throws when more are asked for. */
export function randomFrom(known: string): RandomBytes {
  let left = bytes(known);
  return (count) => {
    if (left.length < count) throw new Error("no random bytes are left");
    const taken = left.subarray(0, count);
    left = left.subarray(count);
    return taken;
  };
}

export function serverOf(exchange: Exchange): Security2Server {
  const { salt, verifier, deviceRandom } = exchange;
  return new Security2Server(bytes(salt), bytes(verifier), randomFrom(deviceRandom));
}

export function clientOf({ username, proof, clientRandom }: Exchange): Security2Client {
  return new Security2Client(username, proof, randomFrom(clientRandom));
}

// ---- Espressif's client ------------------------------------------------------------------------

function pythonEnvironment() {
  return { ...process.env, PYTHONPATH: DIRECTORY, PYTHONDONTWRITEBYTECODE: "1" };
}

/** Installs beside, then renames: a directory that is there is complete. */
function install(): string | undefined {
  const fresh = `${DIRECTORY}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  const pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"];
  const result = spawnSync("python3", [...pip, "--target", fresh, ...REQUIREMENTS], {
    timeout: INSTALL_TIMEOUT_MS,
  });
  if (result.status === 0 && !existsSync(DIRECTORY)) renameSync(fresh, DIRECTORY);
  rmSync(fresh, { recursive: true, force: true });
  return result.status === 0 ? undefined : `pip could not install ${REQUIREMENTS.join(", ")}`;
}

/** Why Espressif's client cannot be run, or undefined when it can. */
export function missingPeer(): string | undefined {
  if (ESP_PROV !== "" && !existsSync(join(ESP_PROV, "security", "security2.py"))) {
    return `ESP_PROV=${ESP_PROV} holds no security/security2.py`;
  }
  const python = spawnSync("python3", ["--version"], { timeout: RUN_TIMEOUT_MS });
  if (python.status !== 0) return "needs python3";
  return existsSync(DIRECTORY) ? undefined : install();
}

export class Peer {
  private readonly process: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(username: string, proof: string, random: string) {
    this.process = spawn("python3", [PEER, username, proof, random, ESP_PROV], {
      env: pythonEnvironment(),
      stdio: ["pipe", "pipe", "inherit"],
      timeout: RUN_TIMEOUT_MS,
    });
    this.lines = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
  }

  /** What it answers, in hexadecimal; throws what it threw. */
  async ask(word: string, given = ""): Promise<readonly string[]> {
    this.process.stdin!.write(`${word} ${given}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error("the client ended");
    const [outcome, ...answers] = value.split(" ");
    if (outcome !== "ok") throw new Error(value);
    return answers;
  }

  async close(): Promise<void> {
    this.process.stdin!.end();
    if (this.process.exitCode === null) {
      await new Promise((resolve) => this.process.once("exit", resolve));
    }
  }
}
