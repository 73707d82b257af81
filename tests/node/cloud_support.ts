// What the tests of the local cloud share: a clock that stands still until it is advanced, a cloud
// in a directory of its own, and an MQTT client that sends any packet, right or wrong, and says
// what came back. Everything started here is ended by `cleanUp`, so that the test process ends by
// itself.

import "reflect-metadata";
import assert from "node:assert/strict";
import { KeyObject, webcrypto } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { generate, type Packet, type PacketCmd, parser } from "mqtt-packet";
import {
  type Clock,
  type IssueOptions,
  LocalCloud,
  type LocalCloudOptions,
  type RuleEvent,
  type RuleName,
} from "../../host-node/src/cloud/index.js";

const START = Date.UTC(2026, 0, 1);

/** Time that moves when the test says so. Timers fire in order while it moves. */
export class TestClock implements Clock {
  #now = START;
  #timers: { at: number; callback: () => void }[] = [];

  now = (): number => this.#now;

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
    }
    this.#now = end;
  }
}

const cleanups: (() => Promise<unknown> | unknown)[] = [];

/** Ends everything, newest first. Call it in `after`. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

export function onCleanUp(cleanup: () => Promise<unknown> | unknown): void {
  cleanups.push(cleanup);
}

/** Longer than anything here takes, so that what never comes fails a test and does not hang it. */
const PATIENCE_MS = 20_000;

/** The promise, or a failure that names what was waited for. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not happen`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "iot32-cloud-"));
  onCleanUp(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface TestCloud {
  readonly cloud: LocalCloud;
  readonly clock: TestClock;
  readonly dir: string;
  /** Every rule event so far. */
  readonly rules: RuleEvent[];
  /** Waits until a rule was reported (or has been), and answers the event. */
  broken(rule: RuleName, clientId?: string): Promise<RuleEvent>;
}

/** Policy that allows everything: for tests of what is refused in spite of it. */
export const ALLOW_ALL = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow" as const, Action: "iot:*", Resource: "*" }],
};

/**
 * The registry of this process's first cloud: others start from it, and save the making of keys.
 */
let firstRegistry: string | null = null;

export async function startCloud(options: Partial<LocalCloudOptions> = {}): Promise<TestCloud> {
  const clock = new TestClock();
  const dir = options.dir ?? temporaryDirectory();
  const registry = join(dir, "registry.json");
  if (firstRegistry !== null && !existsSync(registry)) writeFileSync(registry, firstRegistry);
  const cloud = await LocalCloud.start({ clock, ...options, dir });
  onCleanUp(() => cloud.close());
  firstRegistry ??= readFileSync(registry, "utf8");
  cloud.putPolicy("all", ALLOW_ALL);
  const rules: RuleEvent[] = [];
  cloud.on("rule", (event) => rules.push(event));
  const broken = async (rule: RuleName, clientId?: string): Promise<RuleEvent> => {
    const wanted = (event: RuleEvent) =>
      event.rule === rule && (clientId === undefined || event.clientId === clientId);
    for (;;) {
      const found = rules.find(wanted);
      if (found !== undefined) return found;
      const news = new Promise<void>((resolve) => {
        cloud.once("rule", () => resolve());
      });
      await within(news, `rule ${rule}`);
    }
  };
  return { cloud, clock, dir, rules, broken };
}

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/**
 * A certificate that may do everything, for an EC key: made faster than the cloud makes RSA keys.
 */
export async function issue(
  cloud: LocalCloud,
  options: IssueOptions = {},
): Promise<Keys & { readonly certificateId: string }> {
  const keys = await webcrypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: "CN=test",
    keys,
    signingAlgorithm: EC,
  });
  const key = KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" });
  const issued = await cloud.issueCertificate({
    policies: ["all"],
    csr: request.toString("pem"),
    ...options,
  });
  return { ...issued, privateKeyPem: key.toString() };
}

export interface Keys {
  readonly certificatePem: string;
  readonly privateKeyPem: string | null;
}

function tlsOptions(cloud: LocalCloud, keys: Keys) {
  return {
    host: cloud.endpoint,
    port: cloud.port,
    servername: cloud.endpoint,
    ca: readFileSync(cloud.paths.ca),
    cert: keys.certificatePem,
    key: keys.privateKeyPem ?? "",
  };
}

/** The `mqtt` package's client, connected. */
export async function connectMqtt(
  cloud: LocalCloud,
  keys: Keys,
  options: IClientOptions,
): Promise<MqttClient> {
  const client = mqtt.connect({
    ...tlsOptions(cloud, keys),
    protocol: "mqtts",
    protocolVersion: 4,
    reconnectPeriod: 0,
    keepalive: 60,
    ...options,
  });
  onCleanUp(() => client.endAsync(true));
  client.on("error", () => {});
  await new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("close", () => reject(new Error("closed before CONNACK")));
  });
  return client;
}

/** A client that sends packets as they are given. */
export class RawClient {
  readonly received: Packet[] = [];
  readonly #closed: Promise<void>;
  readonly #socket: TLSSocket;
  #news = () => {};
  #isClosed = false;

  constructor(cloud: LocalCloud, keys: Keys) {
    this.#socket = tlsConnect(tlsOptions(cloud, keys));
    this.#socket.on("error", () => {});
    onCleanUp(() => this.#socket.destroy());
    const packets = parser();
    packets.on("packet", (packet) => {
      this.received.push(packet);
      this.#news();
    });
    this.#socket.on("data", (chunk: Buffer) => void packets.parse(chunk));
    this.#closed = new Promise((resolve) => {
      this.#socket.on("close", () => {
        this.#isClosed = true;
        resolve();
        this.#news();
      });
    });
  }

  /** Resolves when the connection is closed, by whomever. */
  get closed(): Promise<void> {
    return within(this.#closed, "the end of the connection");
  }

  /** Connects and expects to be let in. */
  static async open(
    cloud: LocalCloud,
    keys: Keys,
    clientId: string,
    connect: object = {},
  ): Promise<RawClient> {
    const client = new RawClient(cloud, keys);
    client.connect(clientId, connect);
    const connack = await client.next("connack");
    assert.equal(connack.cmd === "connack" && connack.returnCode, 0);
    return client;
  }

  connect(clientId: string, connect: object = {}): void {
    this.send({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: 4,
      clean: true,
      keepalive: 60,
      clientId,
      ...connect,
    });
  }

  publish(topic: string, payload: string | Buffer, options: object = {}): void {
    this.send({ cmd: "publish", topic, payload, qos: 0, retain: false, dup: false, ...options });
  }

  subscribe(topics: readonly string[], qos: 0 | 1 | 2 = 0, messageId = 1): void {
    const subscriptions = topics.map((topic) => ({ topic, qos }));
    this.send({ cmd: "subscribe", messageId, subscriptions });
  }

  send(...packets: Packet[]): void {
    this.#socket.write(Buffer.concat(packets.map((packet) => generate(packet))));
  }

  sendBytes(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** The next packet of a kind, taken out of `received`. Fails when the connection closes first. */
  async next(cmd: PacketCmd): Promise<Packet> {
    for (;;) {
      const index = this.received.findIndex((packet) => packet.cmd === cmd);
      if (index >= 0) return this.received.splice(index, 1)[0]!;
      assert.ok(!this.#isClosed, `the connection closed before ${cmd} came`);
      const news = new Promise<void>((resolve) => {
        this.#news = resolve;
      });
      await within(news, cmd);
    }
  }

  /** A round trip: what was sent before it has been judged when it returns. */
  async settled(): Promise<void> {
    this.send({ cmd: "pingreq" });
    await this.next("pingresp");
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
