// What the tests of the shadow and jobs services share: a device that asks over MQTT and hears
// everything under its own topics, and the official SDK's connection as a thing.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { io, iot, mqtt } from "aws-iot-device-sdk-v2";
import type { MqttClient } from "mqtt";
import type { StreamName, StreamsRequest } from "./cloud_sdk_streams.js";
import { connectMqtt, issue, onCleanUp, type TestCloud, within } from "./cloud_support.js";

/** A parsed message. */
// biome-ignore lint/suspicious/noExplicitAny: each test looks at the fields it is about.
export type Body = any;

interface Message {
  readonly topic: string;
  readonly text: string;
}

/** Longest keep-alive of AWS, so that a test may advance the clock by half an hour. */
const KEEP_ALIVE_SECONDS = 1200;

/** A thing, connected with the `mqtt` package, subscribed to all of its reserved topics. */
export class Thing {
  readonly name: string;
  readonly client: MqttClient;
  readonly certificateId: string;
  readonly #messages: Message[] = [];
  #news = () => {};

  private constructor(name: string, client: MqttClient, certificateId: string) {
    this.name = name;
    this.client = client;
    this.certificateId = certificateId;
    client.on("message", (topic, payload) => {
      this.#messages.push({ topic, text: payload.toString("utf8") });
      this.#news();
    });
  }

  static async connect(
    { cloud }: TestCloud,
    name: string,
    { policies = ["all"], subscribed = true } = {},
  ): Promise<Thing> {
    const keys = await issue(cloud, { thingName: name, policies });
    const options = { clientId: name, keepalive: KEEP_ALIVE_SECONDS };
    const client = await connectMqtt(cloud, keys, options);
    if (subscribed) await client.subscribeAsync(`$aws/things/${name}/#`, { qos: 1 });
    return new Thing(name, client, keys.certificateId);
  }

  topic(suffix: string): string {
    return `$aws/things/${this.name}/${suffix}`;
  }

  /** Sends a request. Text and bytes go as they are, anything else as JSON. */
  async send(suffix: string, payload: string | Buffer | object = ""): Promise<void> {
    const isRaw = typeof payload === "string" || Buffer.isBuffer(payload);
    const bytes = isRaw ? payload : JSON.stringify(payload);
    await this.client.publishAsync(this.topic(suffix), bytes, { qos: 1 });
  }

  /** Sends a request and answers the accepted message; fails on a rejected one. */
  async ask(suffix: string, payload: string | Buffer | object = ""): Promise<Body> {
    const { topic, text } = await this.#exchange(suffix, payload);
    assert.equal(topic, this.topic(`${suffix}/accepted`), text);
    return JSON.parse(text);
  }

  /** Sends a request that must be rejected, and answers the rejection. */
  async refused(suffix: string, payload: string | Buffer | object = ""): Promise<Body> {
    const { topic, text } = await this.#exchange(suffix, payload);
    assert.equal(topic, this.topic(`${suffix}/rejected`), text);
    return JSON.parse(text);
  }

  /** The text of the next message on a topic, taken out of those received. */
  async nextText(suffix: string): Promise<string> {
    return (await this.#next([suffix])).text;
  }

  async next(suffix: string): Promise<Body> {
    return JSON.parse(await this.nextText(suffix));
  }

  /** Forgets what came so far, after a round trip that lets everything arrive. */
  async settle(): Promise<string[]> {
    await this.send("shadow/name/settle/get");
    await this.#next(["shadow/name/settle/get/rejected"]);
    return this.#messages.splice(0).map(({ topic }) => topic.slice(this.topic("").length));
  }

  async #exchange(suffix: string, payload: string | Buffer | object): Promise<Message> {
    await this.send(suffix, payload);
    return this.#next([`${suffix}/accepted`, `${suffix}/rejected`]);
  }

  async #next(suffixes: readonly string[]): Promise<Message> {
    const topics = suffixes.map((suffix) => this.topic(suffix));
    for (;;) {
      const index = this.#messages.findIndex(({ topic }) => topics.includes(topic));
      if (index >= 0) return this.#messages.splice(index, 1)[0]!;
      const news = new Promise<void>((resolve) => {
        this.#news = resolve;
      });
      await within(news, `a message on ${topics.join(" or ")}`);
    }
  }
}

/** The official SDK's MQTT 3.1.1 connection, as a thing with the default device policy. */
export async function connectSdk(
  { cloud }: TestCloud,
  thingName: string,
): Promise<mqtt.MqttClientConnection> {
  const keys = await cloud.issueCertificate({ thingName });
  const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(
    keys.certificatePem,
    keys.privateKeyPem!,
  )
    .with_certificate_authority(readFileSync(cloud.paths.ca, "utf8"))
    .with_endpoint(cloud.endpoint)
    .with_port(cloud.port)
    .with_client_id(thingName)
    .with_clean_session(true)
    .build();
  const connection = new mqtt.MqttClient(new io.ClientBootstrap()).new_connection(config);
  onCleanUp(() => connection.disconnect().catch(() => {}));
  await connection.connect();
  return connection;
}

/** Options of the SDK's service clients. */
export const SDK_OPTIONS = {
  maxRequestResponseSubscriptions: 8,
  maxStreamingSubscriptions: 4,
  operationTimeoutInSeconds: 20,
};

/** What the SDK makes of a `/rejected` answer. */
export async function sdkRefusal<Model>(request: Promise<unknown>): Promise<Model> {
  const error = await request.then(
    () => assert.fail("the request was accepted"),
    (reason: unknown) => reason,
  );
  const modeled = (error as { modeledError?: Model }).modeledError;
  assert.ok(modeled !== undefined, `no modeled error in: ${String(error)}`);
  return modeled;
}

/** Messages of the SDK's streams, by stream, in order. */
export type Streams = Readonly<Record<StreamName, () => Promise<Body>>>;

/**
 * Connects the SDK as a thing, in a process of its own, and opens streams; waits until they are.
 */
export async function openStreams(
  { cloud }: TestCloud,
  target: Pick<StreamsRequest, "thingName" | "shadowName" | "streams">,
): Promise<Streams> {
  const { certificatePem, privateKeyPem } = await cloud.issueCertificate({
    thingName: target.thingName,
  });
  const request: StreamsRequest = {
    endpoint: cloud.endpoint,
    port: cloud.port,
    caPem: readFileSync(cloud.paths.ca, "utf8"),
    certificatePem,
    privateKeyPem: privateKeyPem!,
    ...target,
  };
  const program = fileURLToPath(new URL("./cloud_sdk_streams.js", import.meta.url));
  const argv = [program, JSON.stringify(request)];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  onCleanUp(() => child.kill("SIGKILL"));
  const lines: { stream: StreamName; status?: number; message?: Body }[] = [];
  let news = () => {};
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(JSON.parse(line));
    news();
  });
  const take = async (wanted: (line: (typeof lines)[number]) => boolean, what: string) => {
    for (;;) {
      const index = lines.findIndex(wanted);
      if (index >= 0) return lines.splice(index, 1)[0]!;
      const arrival = new Promise<void>((resolve) => {
        news = resolve;
      });
      await within(arrival, what);
    }
  };
  for (const name of target.streams) {
    const what = `the subscription of the ${name} stream`;
    const { status } = await take(
      (line) => line.stream === name && line.message === undefined,
      what,
    );
    assert.equal(status, 0, what);
  }
  const reader = (name: StreamName) => async () =>
    (await take((line) => line.stream === name && line.message !== undefined, `a ${name}`)).message;
  return Object.fromEntries(target.streams.map((name) => [name, reader(name)])) as Streams;
}
