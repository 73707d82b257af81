// The mqtt port on a desk of its own: credentials in a piece of flash, a recording queue, and
// brokers of two kinds: aedes, and one that does to each packet what the test says.

import assert from "node:assert/strict";
import type net from "node:net";
import type tls from "node:tls";
import { Aedes } from "aedes";
import { generate, type Packet, parser } from "mqtt-packet";
import { Status } from "../../host-node/src/abi.js";
import { MqttPort } from "../../host-node/src/ports/mqtt.js";
import { type Identity, listen, RecordingHost, TestCa, tlsServer } from "./ports_support.js";

const FLASH_BYTES = 16_384;
const KEEP_ALIVE_S = 60;

export interface Pems {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export interface ConnectOptions {
  readonly host?: string;
  readonly keepAliveS?: number;
  readonly clientId?: string;
  readonly pems?: Partial<Pems>;
}

/** What all tests share: made once, as keys take their time. */
export class Pki {
  private constructor(
    readonly ca: TestCa,
    readonly server: Identity,
    readonly client: Identity,
  ) {}

  static async create(): Promise<Pki> {
    const ca = await TestCa.create("test root");
    return new Pki(ca, await ca.issue("server", ["localhost"]), await ca.issue("device"));
  }

  get pems(): Pems {
    const { certificate, key } = this.client;
    return { ca: this.ca.certificate, certificate, key };
  }
}

/** One port with its queue; `isNetworkUp` is the test's. */
export class Desk {
  readonly host = new RecordingHost();
  readonly port: MqttPort;
  isNetworkUp = true;
  private readonly flash = new Uint8Array(FLASH_BYTES);

  constructor(
    private readonly pems: Pems,
    connectTimeoutMs = 10_000,
  ) {
    this.port = new MqttPort(this.host, {
      connectTimeoutMs,
      isNetworkUp: () => this.isNetworkUp,
      readFlash: (offset, bytes) => {
        if (offset + bytes.length > FLASH_BYTES) return Status.INVALID_ARGUMENT;
        bytes.set(this.flash.subarray(offset, offset + bytes.length));
        return Status.OK;
      },
    });
  }

  /** Puts the PEMs into flash, one after the other, and connects. */
  connect(port: number, options: ConnectOptions = {}): number {
    const { ca, certificate, key } = { ...this.pems, ...options.pems };
    const places: number[] = [];
    let end = 16;
    for (const pem of [ca, certificate, key]) {
      const bytes = Buffer.from(pem);
      this.flash.set(bytes, end);
      places.push(end, bytes.length);
      end += bytes.length;
    }
    const [caAt, caSize, certificateAt, certificateSize, keyAt, keySize] = places as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const result = this.port.connect(
      Buffer.from(options.host ?? "localhost"),
      port,
      Buffer.from(options.clientId ?? "device"),
      options.keepAliveS ?? KEEP_ALIVE_S,
      caAt,
      caSize,
      certificateAt,
      certificateSize,
      keyAt,
      keySize,
    );
    this.flash.fill(0);
    return result;
  }

  subscribe(filter: string, qos = 0): number {
    return this.port.subscribe(Buffer.from(filter), qos);
  }

  publish(topic: string, payload: string | Buffer, flags = 0): number {
    return this.port.publish(Buffer.from(topic), Buffer.from(payload), flags);
  }
}

/** A real broker; gives it and its port. */
export async function startAedes(
  pki: Pki,
  options: tls.TlsOptions = {},
): Promise<{ aedes: Aedes; port: number }> {
  const aedes = await Aedes.createBroker();
  aedes.on("clientError", () => {}).on("connectionError", () => {});
  const server = tlsServer(pki.ca, pki.server, options, (socket) => void aedes.handle(socket));
  server.on("close", () => aedes.close());
  return { aedes, port: await listen(server) };
}

export interface ScriptedClient {
  readonly socket: tls.TLSSocket;
  readonly received: Packet[];
  send(packet: Packet): void;
}

/** A broker that answers CONNECT with success and hands every later packet to the test. */
export async function startScripted(
  pki: Pki,
  onPacket: (packet: Packet, client: ScriptedClient) => void = () => {},
  options: { tls?: tls.TlsOptions; port?: number } = {},
): Promise<{ port: number; clients: ScriptedClient[]; server: net.Server }> {
  const clients: ScriptedClient[] = [];
  const server = tlsServer(pki.ca, pki.server, options.tls ?? {}, (socket) => {
    const send = (packet: Packet) => void socket.write(generate(packet));
    const client: ScriptedClient = { socket, received: [], send };
    clients.push(client);
    const reader = parser();
    reader.on("packet", (packet) => {
      client.received.push(packet);
      if (packet.cmd === "connect") {
        send({ cmd: "connack", returnCode: 0, sessionPresent: false });
      } else {
        onPacket(packet, client);
      }
    });
    socket.on("data", (chunk) => void reader.parse(chunk));
  });
  return { port: await listen(server, options.port), clients, server };
}

/** The packets of one kind that a client has sent. */
export function packetsOf(client: ScriptedClient | undefined, cmd: Packet["cmd"]): Packet[] {
  assert.ok(client !== undefined, "no client has connected");
  return client.received.filter((packet) => packet.cmd === cmd);
}
