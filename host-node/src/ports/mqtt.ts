// Port mqtt: MQTT 3.1.1 over mutual TLS. Checks arguments, reads the credentials from the records
// partition, and holds the one connection; that one is in mqtt_connection.ts. Does not connect
// again, subscribe again or send again by itself: the core decides.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { type MqttPort as Contract, EventKind, MQTT_TOPIC_BYTES_MAX, Status } from "../abi.js";
import { type Endpoint, MqttConnection } from "./mqtt_connection.js";
import type { PortHost } from "./port_host.js";
import { type ReadFlash, readPem } from "./records_pem.js";

const CONNECT_TIMEOUT_MS = 10_000;
/** AWS IoT quota. */
const CLIENT_ID_BYTES_MAX = 128;
const HOST_BYTES_MAX = 253;
const PORT_MAX = 65_535;
const KEEP_ALIVE_S_MAX = 65_535;
/** QoS 1 publishes under way at once; AWS IoT takes 100. */
const IN_FLIGHT_MAX = 16;
/** What may wait for the transport before the core is told to wait. */
const BUFFERED_BYTES_MAX = 64 * 1024;

const Flag = { QOS_1: 1, RETAIN: 2 } as const;
const FLAGS_ALL = Flag.QOS_1 | Flag.RETAIN;

export interface MqttOptions {
  readonly readFlash: ReadFlash;
  readonly isNetworkUp: () => boolean;
  readonly connectTimeoutMs?: number;
}

const strict = new TextDecoder("utf-8", { fatal: true });

/** The text, or null when it is not UTF-8 or not 1 to `bytesMax` bytes. */
function textOf(bytes: Uint8Array, bytesMax: number): string | null {
  if (bytes.length === 0 || bytes.length > bytesMax) return null;
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

/** MQTT 3.1.1, section 4.7.1: + is a whole level, # the last one. */
function isFilter(text: string): boolean {
  const levels = text.split("/");
  return levels.every((level, index) => {
    if (level === "+") return true;
    if (level === "#") return index === levels.length - 1;
    return !/[+#\0]/.test(level);
  });
}

function isTopic(text: string): boolean {
  return !/[+#\0]/.test(text);
}

/** Whether these PEMs can open a connection: all readable, certificate and key a pair. */
function areUsable(endpoint: Pick<Endpoint, "ca" | "certificate" | "key">): boolean {
  try {
    new X509Certificate(endpoint.ca);
    return new X509Certificate(endpoint.certificate).checkPrivateKey(
      createPrivateKey(endpoint.key),
    );
  } catch {
    return false;
  }
}

export class MqttPort implements Contract {
  private connection: MqttConnection | null = null;
  /** Set while a connect that cannot succeed waits for its answer. */
  private refusal: unknown = null;

  constructor(
    private readonly host: PortHost,
    private readonly options: MqttOptions,
  ) {}

  connect(
    endpoint: Uint8Array,
    port: number,
    clientId: Uint8Array,
    keepAliveS: number,
    caOffset: number,
    caSize: number,
    certificateOffset: number,
    certificateSize: number,
    keyOffset: number,
    keySize: number,
  ): number {
    const name = textOf(endpoint, HOST_BYTES_MAX);
    const id = textOf(clientId, CLIENT_ID_BYTES_MAX);
    const { readFlash } = this.options;
    const ca = readPem(readFlash, caOffset, caSize);
    const certificate = readPem(readFlash, certificateOffset, certificateSize);
    const key = readPem(readFlash, keyOffset, keySize);
    if (name === null || id === null) return Status.INVALID_ARGUMENT;
    if (ca === null || certificate === null || key === null) return Status.INVALID_ARGUMENT;
    if (port === 0 || port > PORT_MAX || keepAliveS > KEEP_ALIVE_S_MAX) {
      return Status.INVALID_ARGUMENT;
    }
    if (this.connection !== null || this.refusal !== null) return Status.BUSY;
    if (!this.options.isNetworkUp()) return Status.NOT_READY;
    const connectTimeoutMs = this.options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.open({
      host: name,
      port,
      clientId: id,
      keepAliveS,
      connectTimeoutMs,
      ca,
      certificate,
      key,
    });
    return Status.OK;
  }

  private open(endpoint: Endpoint): void {
    if (areUsable(endpoint)) {
      this.connection = new MqttConnection(this.host, endpoint, () => {
        this.connection = null;
      });
      return;
    }
    this.refusal = this.host.clock.setTimer(0, () => this.refuse(Status.CREDENTIALS_INVALID));
  }

  private refuse(status: Status): void {
    this.refusal = null;
    this.host.post(EventKind.MQTT_DOWN, status);
  }

  disconnect(): number {
    if (this.refusal !== null) {
      this.host.clock.clearTimer(this.refusal);
      this.refuse(Status.CLOSED);
      return Status.OK;
    }
    if (this.connection === null || this.connection.isClosing) return Status.NOT_READY;
    this.connection.close();
    return Status.OK;
  }

  subscribe(filter: Uint8Array, qos: number): number {
    const text = textOf(filter, MQTT_TOPIC_BYTES_MAX);
    if (text === null || !isFilter(text) || qos > 1) return Status.INVALID_ARGUMENT;
    if (!this.connection?.isUp) return Status.NOT_READY;
    return this.connection.subscribe(text, qos === 1 ? 1 : 0);
  }

  unsubscribe(filter: Uint8Array): number {
    const text = textOf(filter, MQTT_TOPIC_BYTES_MAX);
    if (text === null || !isFilter(text)) return Status.INVALID_ARGUMENT;
    if (!this.connection?.isUp) return Status.NOT_READY;
    return this.connection.unsubscribe(text);
  }

  publish(topic: Uint8Array, payload: Uint8Array, flags: number): number {
    const text = textOf(topic, MQTT_TOPIC_BYTES_MAX);
    if (text === null || !isTopic(text) || flags > FLAGS_ALL) return Status.INVALID_ARGUMENT;
    const { connection } = this;
    if (!connection?.isUp) return Status.NOT_READY;
    const isQos1 = (flags & Flag.QOS_1) !== 0;
    if (connection.bufferedBytes > BUFFERED_BYTES_MAX) return Status.BUSY;
    if (isQos1 && connection.inFlight >= IN_FLIGHT_MAX) return Status.BUSY;
    return connection.publish(
      text,
      Buffer.from(payload),
      isQos1 ? 1 : 0,
      (flags & Flag.RETAIN) !== 0,
    );
  }

  /** The network is gone, and every socket with it. */
  networkLost(): void {
    this.connection?.abort(Status.CONNECTION_LOST);
  }

  /** Power off: the socket is destroyed, and nothing is reported. */
  close(): void {
    this.host.clock.clearTimer(this.refusal);
    this.connection?.destroy();
    this.connection = null;
  }
}
