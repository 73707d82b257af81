// Port mqtt of a simulated device: one connection to the cloud in memory. Packets are the objects
// that a parser would give; how long they take, and which of them get lost, is the world's affair
// (wire.ts). Keeps the contract of docs/ABI.md, pings included.

import type { IPublishPacket, Packet } from "mqtt-packet";
import { EventKind, MQTT_TOPIC_BYTES_MAX, type MqttPort, Status } from "../../abi.js";
import { fragmentsOf } from "../../ports/mqtt_fragments.js";
import { readPem } from "../../ports/records_pem.js";
import type { MqttHappening } from "../happenings.js";
import type { SimHost } from "./sim_host.js";

/** The way to the cloud, given by the world. */
export interface Wire {
  /** A number that no connection has had. */
  open(device: number): number;
  /** Whether root CA, certificate and key are good, and the broker there: OK or how it fails. */
  handshake(connection: number, ca: string, certificate: string, key: string): number;
  send(connection: number, packet: Packet): void;
}

const HANDSHAKE_MS = [300, 1500] as const;
const CONNECT_TIMEOUT_MS = 10_000;
/** How long the broker may take to close after our DISCONNECT. */
const CLOSE_MS = 1000;
const TOKEN_MAX = 0xffff;
const PUBLISHES_IN_FLIGHT_MAX = 32;
const SUBACK_FAILURE = 0x80;
const SECOND_MS = 1000;

/** What a connection is opened with, as it lay in flash when mqtt_connect was called. */
export interface Opening {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  readonly clientId: string;
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

export class SimMqtt implements MqttPort {
  state: "closed" | "opening" | "up" | "closing" = "closed";
  /** Number of the connection, or of the last one. */
  connection = 0;
  /** What the connection, or the last one, was opened with. */
  opening: Opening | null = null;
  private keepAliveS = 0;
  private isPongAwaited = false;
  private lastToken = 0;
  /** QoS 1 publishes that wait for their PUBACK. */
  private unacknowledged = 0;

  constructor(
    private readonly host: SimHost,
    private readonly wire: Wire,
    private readonly device: number,
    private readonly isNetworkUp: () => boolean,
  ) {}

  connect(
    endpoint: Uint8Array,
    port: number,
    clientId: Uint8Array,
    keepAliveS: number,
    ...places: number[]
  ): number {
    const [caAt = 0, caSize = 0, certificateAt = 0, certificateSize = 0, keyAt = 0, keySize = 0] =
      places;
    const read = (offset: number, size: number): string | null =>
      readPem((at, bytes) => this.host.readFlash(at, bytes), offset, size);
    const ca = read(caAt, caSize);
    const certificate = read(certificateAt, certificateSize);
    const key = read(keyAt, keySize);
    if (endpoint.length === 0 || port < 1 || port > 0xffff) return Status.INVALID_ARGUMENT;
    if (ca === null || certificate === null || key === null) return Status.INVALID_ARGUMENT;
    if (this.state !== "closed") return Status.BUSY;
    if (!this.isNetworkUp()) return Status.NOT_READY;
    this.state = "opening";
    this.connection = this.wire.open(this.device);
    this.opening = { ca, certificate, key, clientId: textOf(clientId) };
    this.keepAliveS = keepAliveS;
    this.await("handshake", this.host.random.between(...HANDSHAKE_MS));
    this.await("timeout", CONNECT_TIMEOUT_MS);
    return Status.OK;
  }

  private await(step: MqttHappening["step"], ms: number): void {
    this.host.later(ms, { port: "mqtt", step, connection: this.connection });
  }

  happen({ step, connection }: MqttHappening): void {
    if (connection !== this.connection || this.state === "closed") return;
    if (step === "handshake") {
      if (this.state === "opening") this.handshake();
    } else if (step === "timeout") {
      if (this.state === "opening") this.down(Status.TIMEOUT);
    } else if (step === "ping") this.ping();
    else this.down(Status.CLOSED);
  }

  private handshake(): void {
    const { ca, certificate, key, clientId } = this.opening!;
    const status = this.wire.handshake(this.connection, ca, certificate, key);
    if (status !== Status.OK) {
      this.down(status);
      return;
    }
    this.wire.send(this.connection, connectPacket(clientId, this.keepAliveS));
  }

  private ping(): void {
    if (this.state !== "up") return;
    if (this.isPongAwaited) {
      this.down(Status.KEEP_ALIVE_TIMEOUT);
      return;
    }
    this.isPongAwaited = true;
    this.wire.send(this.connection, { cmd: "pingreq" });
    this.await("ping", this.keepAliveS * SECOND_MS);
  }

  disconnect(): number {
    if (this.state === "closed" || this.state === "closing") return Status.NOT_READY;
    if (this.state === "opening") {
      this.down(Status.CLOSED);
      return Status.OK;
    }
    this.state = "closing";
    this.wire.send(this.connection, { cmd: "disconnect" });
    this.await("closed", CLOSE_MS);
    return Status.OK;
  }

  subscribe(filter: Uint8Array, qos: number): number {
    if (filter.length === 0 || filter.length > MQTT_TOPIC_BYTES_MAX || qos > 1) {
      return Status.INVALID_ARGUMENT;
    }
    if (this.state !== "up") return Status.NOT_READY;
    const messageId = this.nextToken();
    const subscriptions = [{ topic: textOf(filter), qos: qos as 0 | 1 }];
    this.wire.send(this.connection, { cmd: "subscribe", messageId, subscriptions });
    return messageId;
  }

  unsubscribe(filter: Uint8Array): number {
    if (filter.length === 0 || filter.length > MQTT_TOPIC_BYTES_MAX) return Status.INVALID_ARGUMENT;
    if (this.state !== "up") return Status.NOT_READY;
    const messageId = this.nextToken();
    const unsubscriptions = [textOf(filter)];
    this.wire.send(this.connection, { cmd: "unsubscribe", messageId, unsubscriptions });
    return messageId;
  }

  publish(topic: Uint8Array, payload: Uint8Array, flags: number): number {
    if (topic.length === 0 || topic.length > MQTT_TOPIC_BYTES_MAX || flags > 3) {
      return Status.INVALID_ARGUMENT;
    }
    if (this.state !== "up") return Status.NOT_READY;
    const qos = flags & 1;
    if (qos === 1 && this.unacknowledged === PUBLISHES_IN_FLIGHT_MAX) return Status.BUSY;
    const messageId = qos === 1 ? this.nextToken() : 0;
    this.unacknowledged += qos;
    this.wire.send(this.connection, {
      ...{ cmd: "publish", topic: textOf(topic), payload: Buffer.from(payload), dup: false },
      ...{ qos: qos as 0 | 1, retain: (flags & 2) !== 0 },
      ...(qos === 1 ? { messageId } : {}),
    });
    return messageId;
  }

  private nextToken(): number {
    this.lastToken = (this.lastToken % TOKEN_MAX) + 1;
    return this.lastToken;
  }

  // ---- the other side --------------------------------------------------------------------------

  receive(connection: number, packet: Packet): void {
    if (connection !== this.connection || this.state === "closed") return;
    const { host } = this;
    switch (packet.cmd) {
      case "connack":
        this.connack(packet.returnCode ?? 0);
        break;
      case "suback":
        host.post(EventKind.MQTT_SUBSCRIBED, packet.messageId!, granted(packet.granted[0]!));
        break;
      case "unsuback":
        host.post(EventKind.MQTT_UNSUBSCRIBED, packet.messageId!, Status.OK);
        break;
      case "puback":
        this.unacknowledged--;
        host.post(EventKind.MQTT_PUBLISHED, packet.messageId!, Status.OK);
        break;
      case "pingresp":
        this.isPongAwaited = false;
        break;
      case "publish":
        this.message(packet);
        break;
      default:
        throw new Error(`a broker that sends ${packet.cmd}`);
    }
  }

  private connack(returnCode: number): void {
    if (this.state !== "opening") return;
    if (returnCode !== 0) {
      this.down(Status.MQTT_REFUSED);
      return;
    }
    this.state = "up";
    if (this.keepAliveS > 0) this.await("ping", this.keepAliveS * SECOND_MS);
    this.host.post(EventKind.MQTT_UP);
  }

  private message({ topic, payload, qos, messageId }: IPublishPacket): void {
    const bytes = Buffer.from(payload as Buffer);
    const fragments = fragmentsOf(Buffer.from(topic), bytes);
    for (const [index, { offset, bytes: part }] of fragments.entries()) {
      const isLast = index === fragments.length - 1;
      const acknowledges = isLast && qos === 1 ? messageId! : 0;
      this.host.post(EventKind.MQTT_MESSAGE, bytes.length, offset, part, acknowledges);
    }
  }

  /** The core has seen all of a QoS 1 message. */
  acknowledge(messageId: number): void {
    if (this.state !== "up") return;
    this.wire.send(this.connection, { cmd: "puback", messageId });
  }

  /** The broker has closed. */
  hangup(connection: number): void {
    if (connection !== this.connection || this.state === "closed") return;
    const isOpening = this.state === "opening";
    this.down(isOpening ? Status.MQTT_REFUSED : Status.CONNECTION_LOST);
  }

  networkLost(): void {
    if (this.state !== "closed") this.down(Status.CONNECTION_LOST);
  }

  private down(status: number): void {
    const told = this.state === "closing" ? Status.CLOSED : status;
    this.reset();
    this.host.post(EventKind.MQTT_DOWN, told);
  }

  private reset(): void {
    this.state = "closed";
    this.isPongAwaited = false;
    this.unacknowledged = 0;
  }

  powerOff(): void {
    this.reset();
  }

  copy(host: SimHost, wire: Wire, isNetworkUp: () => boolean): SimMqtt {
    const copy = new SimMqtt(host, wire, this.device, isNetworkUp);
    copy.state = this.state;
    copy.connection = this.connection;
    copy.opening = this.opening;
    copy.keepAliveS = this.keepAliveS;
    copy.isPongAwaited = this.isPongAwaited;
    copy.lastToken = this.lastToken;
    copy.unacknowledged = this.unacknowledged;
    return copy;
  }
}

/** CONNECT of MQTT 3.1.1 with a clean session, as every client of this world sends it. */
export function connectPacket(clientId: string, keepAliveS: number): Packet {
  return {
    ...{ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true },
    ...{ clientId, keepalive: keepAliveS },
  } as Packet;
}

function granted(code: number | object): number {
  return code === SUBACK_FAILURE ? Status.REFUSED : (code as number);
}
