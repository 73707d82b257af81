// One MQTT connection: TCP, mutual TLS, CONNECT, and what goes over it until it ends. Reports to
// the core through the port's host, and ends exactly once. The mqtt package speaks the protocol;
// this file owns the socket, so that it knows in which phase an error happened.

import { isIP } from "node:net";
import tls from "node:tls";
import type { IClientOptions } from "mqtt";
import { MqttClient } from "mqtt";
import { EventKind, MQTT_TOPIC_BYTES_MAX, Status } from "../abi.js";
import type { TimerHandle } from "../clock.js";
import { endingOf, endingOfClose } from "./mqtt_errors.js";
import { fragmentsOf } from "./mqtt_fragments.js";
import type { PortHost } from "./port_host.js";
import type { Ending, Phase } from "./tls_errors.js";

/** AWS IoT takes MQTT with client certificates on port 443 under this ALPN name. */
const ALPN_PORT = 443;
const ALPN_MQTT = "x-amzn-mqtt-ca";
const MQTT_3_1_1 = 4;
const DISCONNECT_PACKET = Uint8Array.of(0xe0, 0x00);
/** How long a server may take to close after our DISCONNECT. */
const CLOSE_MS = 1000;
const SUBACK_FAILURE = 0x80;
const TOKEN_MAX = 0xffff;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly keepAliveS: number;
  readonly connectTimeoutMs: number;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** What mqtt hands to handleMessage, as far as this file reads it. */
interface IncomingPublish {
  readonly topic?: string | Buffer;
  readonly payload?: string | Buffer;
}

export class MqttConnection {
  private readonly socket: tls.TLSSocket;
  private readonly client: MqttClient;
  private phase: Phase = "resolving";
  private ending: Ending | null = null;
  /** DISCONNECT is on its way. */
  isClosing = false;
  private closeTimer: TimerHandle = null;
  private lastToken = 0;
  /** QoS 1 publishes that wait for their PUBACK. */
  private publishesInFlight = 0;

  constructor(
    private readonly host: PortHost,
    endpoint: Endpoint,
    private readonly onEnd: () => void,
  ) {
    this.socket = this.openSocket(endpoint);
    this.client = new MqttClient(() => this.socket, clientOptions(endpoint));
    this.client.handleMessage = (packet, done) => this.receive(packet as IncomingPublish, done);
    this.client.on("connect", () => this.up());
    this.client.on("error", (error) => this.fail(error));
    this.client.on("close", () => this.end(endingOfClose(this.phase)));
  }

  private openSocket(endpoint: Endpoint): tls.TLSSocket {
    const socket = tls.connect({
      host: endpoint.host,
      port: endpoint.port,
      ca: endpoint.ca,
      cert: endpoint.certificate,
      key: endpoint.key,
      minVersion: "TLSv1.2",
      ...(isIP(endpoint.host) === 0 ? { servername: endpoint.host } : {}),
      ...(endpoint.port === ALPN_PORT ? { ALPNProtocols: [ALPN_MQTT] } : {}),
    });
    // Packets are small, and Nagle's algorithm would hold each back for the ACK of the one before.
    socket.setNoDelay();
    socket.once("connect", () => this.enter("tls"));
    socket.once("secureConnect", () => this.enter("connect"));
    // First of all listeners: the cause must be known before the client reacts.
    socket.on("error", (error) => this.fail(error));
    return socket;
  }

  private enter(phase: Phase): void {
    this.phase = phase;
  }

  private up(): void {
    if (this.ending !== null) return;
    this.enter("up");
    this.host.post(EventKind.MQTT_UP);
  }

  /** CONNACK 0 came, and neither side has ended the connection. */
  get isUp(): boolean {
    return this.phase === "up" && this.ending === null && !this.isClosing;
  }

  get inFlight(): number {
    return this.publishesInFlight;
  }

  /** Bytes that the transport has not taken yet. */
  get bufferedBytes(): number {
    return this.socket.writableLength;
  }

  private fail(error: Error): void {
    // tls names here the reason for which it did not accept the server's certificate.
    const isVerificationError = Boolean(this.socket.authorizationError);
    this.end(endingOf(error, this.phase, isVerificationError));
  }

  /** Ends the connection at once with this status; the first ending counts. */
  abort(status: Status): void {
    this.end({ status, detail: 0 });
  }

  private end(ending: Ending): void {
    if (this.ending !== null) return;
    this.ending = this.isClosing ? { status: Status.CLOSED, detail: 0 } : ending;
    this.destroy();
    this.host.post(EventKind.MQTT_DOWN, this.ending.status, this.ending.detail);
    this.onEnd();
  }

  /** Releases socket and timers and reports nothing any more: also the power switch. */
  destroy(): void {
    this.ending ??= { status: Status.CLOSED, detail: 0 };
    this.host.clock.clearTimer(this.closeTimer);
    this.socket.destroy();
    this.client.end(true);
  }

  /** DISCONNECT, then the end of our side; the server closes the other. */
  close(): void {
    this.isClosing = true;
    if (this.phase !== "up") {
      this.abort(Status.CLOSED);
      return;
    }
    this.socket.end(DISCONNECT_PACKET);
    const { clock } = this.host;
    this.closeTimer = clock.setTimer(CLOSE_MS, () => this.abort(Status.CLOSED));
  }

  private nextToken(): number {
    this.lastToken = (this.lastToken % TOKEN_MAX) + 1;
    return this.lastToken;
  }

  /** Reports the outcome of a token while the connection lasts; afterwards the token is void. */
  private settle(kind: EventKind, token: number, status: number): void {
    if (this.ending === null) this.host.post(kind, token, status);
  }

  subscribe(filter: string, qos: 0 | 1): number {
    const token = this.nextToken();
    this.client.subscribe(filter, { qos }, (error, granted, packet) => {
      const code = packet?.granted[0] ?? granted?.[0]?.qos;
      if (code === SUBACK_FAILURE) {
        return this.settle(EventKind.MQTT_SUBSCRIBED, token, Status.REFUSED);
      }
      // Without a SUBACK the connection has ended: MQTT_DOWN says so, and voids the token.
      if (error === null && typeof code === "number") {
        this.settle(EventKind.MQTT_SUBSCRIBED, token, code);
      }
    });
    return token;
  }

  unsubscribe(filter: string): number {
    const token = this.nextToken();
    this.client.unsubscribe(filter, (error) => {
      if (!error) this.settle(EventKind.MQTT_UNSUBSCRIBED, token, Status.OK);
    });
    return token;
  }

  /** Returns 0 for QoS 0, a token for QoS 1. */
  publish(topic: string, payload: Buffer, qos: 0 | 1, retain: boolean): number {
    if (qos === 0) {
      this.client.publish(topic, payload, { qos, retain }, () => {});
      return 0;
    }
    const token = this.nextToken();
    this.publishesInFlight++;
    this.client.publish(topic, payload, { qos, retain }, (error) => {
      this.publishesInFlight--;
      if (!error) this.settle(EventKind.MQTT_PUBLISHED, token, Status.OK);
    });
    return token;
  }

  /** Queues all fragments of a message; the message is acknowledged when the core saw the last. */
  private receive(packet: IncomingPublish, done: (error?: Error) => void): void {
    if (this.ending !== null) return;
    const topic = Buffer.from(packet.topic ?? "");
    const payload = Buffer.from(packet.payload ?? "");
    // No broker of AWS sends one; the core cannot take it, and dropping it in silence is not done.
    if (topic.length > MQTT_TOPIC_BYTES_MAX) {
      this.abort(Status.TOO_LARGE);
      return;
    }
    const fragments = fragmentsOf(topic, payload);
    for (const [index, { offset, bytes }] of fragments.entries()) {
      const isLast = index === fragments.length - 1;
      const acknowledge = () => (this.ending === null ? done() : undefined);
      this.host.post(
        EventKind.MQTT_MESSAGE,
        payload.length,
        offset,
        bytes,
        isLast ? acknowledge : undefined,
      );
    }
  }
}

function clientOptions(endpoint: Endpoint): IClientOptions {
  return {
    clientId: endpoint.clientId,
    keepalive: endpoint.keepAliveS,
    connectTimeout: endpoint.connectTimeoutMs,
    protocolVersion: MQTT_3_1_1,
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // Else a connection that only receives would never send, and the server would end it.
    reschedulePings: false,
  };
}
