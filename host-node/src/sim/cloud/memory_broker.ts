// The message broker in memory: the gate of the local cloud in front, and behind it what the local
// cloud leaves to a library and a socket: routing by filters, QoS 1 with its window, retained
// messages, wills and keep-alive. Sessions are clean ones. Called by memory_cloud.ts; every effect
// is a call of its listener, in order.

import type { IConnectPacket, IPublishPacket, ISubscribePacket, Packet } from "mqtt-packet";
import type { PublishEvent } from "../../cloud/broker.js";
import { arnOf } from "../../cloud/defaults.js";
import { certificateRefusal, serviceFor, unheardAnswer } from "../../cloud/dispatch.js";
import { Gate, type Broker as GateBroker } from "../../cloud/gate.js";
import type { Limits } from "../../cloud/limits.js";
import { Presence } from "../../cloud/presence.js";
import { thingNameOf } from "../../cloud/principal.js";
import { type Random, uuidOf } from "../../cloud/random.js";
import type { DisconnectReason, RuleAction, RuleEvent, RuleName } from "../../cloud/rules.js";
import type { ServiceConnection, ServiceRequest } from "../../cloud/service.js";
import type { Store } from "../../cloud/store.js";
import { filterMatches, isBasicIngest } from "../../cloud/topics.js";
import { certificateIdIn, isPair } from "./memory_authority.js";
import { type Carrier, MemoryConnection } from "./memory_connection.js";

/** A service that answers at once. */
export interface SyncService {
  readonly topics: readonly string[];
  handle(request: ServiceRequest): void;
}

export interface BrokerListener {
  toClient(connection: number, packet: Packet): void;
  closed(connection: number, reason: DisconnectReason): void;
  rule(event: RuleEvent): void;
  published(event: PublishEvent): void;
}

export interface MemoryBrokerOptions {
  readonly store: Store;
  readonly limits: Limits;
  readonly clock: { now(): number };
  readonly random: Random;
  readonly listener: BrokerListener;
}

/** What is routed: a message without the client's own id. */
interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
}

/** Ends that the client has brought about, and knows of. */
const BY_CLIENT: readonly DisconnectReason[] = ["CLIENT_INITIATED_DISCONNECT", "CONNECTION_LOST"];

export class MemoryBroker implements GateBroker<MemoryConnection>, Carrier {
  readonly store: Store;
  readonly limits: Limits;
  readonly clock: { now(): number };
  readonly random: Random;
  readonly #listener: BrokerListener;
  readonly #gate: Gate<MemoryConnection>;
  readonly #presence: Presence;
  readonly #services: SyncService[] = [];
  /** In the order of their handshakes. */
  readonly #connections: Map<number, MemoryConnection>;
  readonly #byClientId: Map<string, MemoryConnection>;
  readonly #retained: Map<string, Message>;
  /** The request that the packet at hand has turned out to be. */
  #request: { readonly service: SyncService; readonly request: ServiceRequest } | null = null;

  /** With `original` it has the same connections and messages. Services are added in any case. */
  constructor(options: MemoryBrokerOptions, original?: MemoryBroker) {
    this.store = options.store;
    this.limits = options.limits;
    this.clock = options.clock;
    this.random = options.random;
    this.#listener = options.listener;
    const publish = (topic: string, payload: string) => this.publish(topic, payload);
    const { now } = options.clock;
    if (original === undefined) {
      this.#gate = new Gate(this);
      this.#presence = new Presence(publish, now);
      this.#connections = new Map();
      this.#byClientId = new Map();
      this.#retained = new Map();
      return;
    }
    this.#gate = new Gate(this, original.#gate);
    this.#presence = new Presence(publish, now, original.#presence);
    this.#connections = new Map();
    this.#byClientId = new Map();
    for (const connection of original.#connections.values()) {
      const copy = connection.copy(this);
      this.#connections.set(copy.id, copy);
      if (copy.isOpen) this.#byClientId.set(copy.clientId!, copy);
    }
    this.#retained = new Map(original.#retained);
  }

  addService(service: SyncService): void {
    this.#services.push(service);
  }

  // --- From the world ---

  /** The TLS handshake. */
  open(id: number, certificatePem: string, privateKeyPem: string): boolean {
    if (this.#connections.has(id)) throw new Error(`connection ${id} is open already`);
    const certificateId = certificateIdIn(certificatePem) ?? "";
    let refusal = certificateRefusal(this.store.registry, certificateId);
    if (refusal === null && !isPair(certificatePem, privateKeyPem)) {
      const detail = `the key is not that of certificate ${certificateId}`;
      refusal = { rule: "tls-handshake", action: "refused", clientId: null, detail };
    }
    if (refusal !== null) {
      this.#listener.rule(refusal);
      return false;
    }
    const handshake = { id, certificateId, sessionIdentifier: uuidOf(this.random) };
    this.#connections.set(id, new MemoryConnection(this, handshake));
    return true;
  }

  packet(id: number, packet: Packet): void {
    const connection = this.#connections.get(id);
    // It was on its way when the connection ended.
    if (connection === undefined) return;
    connection.touch();
    if (packet.cmd === "puback") {
      const next = connection.window.acknowledged(packet.messageId!);
      if (next !== null) this.#listener.toClient(id, next);
    }
    const isText = packet.cmd === "publish" && !Buffer.isBuffer(packet.payload);
    this.#gate.judge(connection, isText ? withBuffer(packet) : packet);
    const due = this.#request;
    this.#request = null;
    due?.service.handle(due.request);
  }

  lost(id: number): void {
    this.#connections.get(id)?.end("CONNECTION_LOST");
  }

  publish(topic: string, payload: string | Buffer, qos: 0 | 1 = 0): void {
    this.#route({ topic, payload: bufferOf(payload), qos }, false);
  }

  /** Ends all connections at once, so that none hears of the others' ends. */
  restart(): void {
    const connections = [...this.#connections.values()];
    this.#connections.clear();
    for (const connection of connections) {
      connection.will = null;
      connection.end("SERVER_INITIATED_DISCONNECT");
    }
  }

  /** Ends every connection that was made with a certificate. */
  dropCertificate(certificateId: string, detail: string): void {
    for (const connection of [...this.#connections.values()]) {
      if (connection.certificateId !== certificateId) continue;
      this.rule(connection, "certificate-deactivated", "closed", detail);
      connection.end("AUTH_ERROR");
    }
  }

  /** When `advance` is to be called: the end of the first silence. */
  get nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { deadlineMs } of this.#connections.values()) next = Math.min(next, deadlineMs);
    return next;
  }

  advance(): void {
    const now = this.clock.now();
    const silent = [...this.#connections.values()].filter(({ deadlineMs }) => deadlineMs <= now);
    for (const connection of silent.sort((a, b) => a.deadlineMs - b.deadlineMs)) {
      const detail = `nothing heard for ${connection.silenceMsMax / 1000} s`;
      this.rule(connection, "keep-alive-timeout", "closed", detail);
      connection.end("MQTT_KEEP_ALIVE_TIMEOUT");
    }
  }

  // --- For the gate ---

  rule(connection: MemoryConnection, rule: RuleName, action: RuleAction, detail: string): void {
    this.#listener.rule({ rule, action, clientId: connection.clientId, detail });
  }

  join(connection: MemoryConnection, packet: IConnectPacket): void {
    const { clientId, will } = packet;
    if (packet.clean === false) throw new Error("the cloud in memory has clean sessions only");
    const previous = this.#byClientId.get(clientId);
    if (previous !== undefined) {
      const detail = `a new connection from ${connection.ipAddress} uses this client id`;
      this.rule(previous, "duplicate-client-id", "closed", detail);
      previous.end("DUPLICATE_CLIENTID");
    }
    this.#byClientId.set(clientId, connection);
    connection.will = will ? willOf(will) : null;
    connection.isOpen = true;
    this.#presence.connected({ ...sessionOf(connection), clientId });
    const connack = { cmd: "connack" as const, returnCode: 0, sessionPresent: false };
    this.#listener.toClient(connection.id, connack);
  }

  request(connection: MemoryConnection, packet: IPublishPacket): boolean {
    const { topic } = packet;
    const service = serviceFor(this.#services, topic);
    if (service === undefined && !isBasicIngest(topic)) return false;
    // AWS acknowledges the receipt of a request, not its success.
    if (packet.qos === 1) this.#acknowledge(connection, packet);
    if (service !== undefined) {
      const asking = this.#serviceConnection(connection, packet.qos === 1 ? 1 : 0);
      const payload = packet.payload as Buffer;
      // Carried out when the packet is judged, as the local cloud does it a moment later.
      this.#request = { service, request: { connection: asking, topic, payload } };
    }
    return true;
  }

  published(connection: MemoryConnection, { topic, payload, qos, retain }: IPublishPacket): void {
    this.#listener.published({
      clientId: connection.clientId!,
      topic,
      payload: payload as Buffer,
      qos: qos === 1 ? 1 : 0,
      retain,
    });
  }

  // --- For the connections ---

  carryOut(connection: MemoryConnection, packet: Packet): void {
    const { id } = connection;
    switch (packet.cmd) {
      case "publish": {
        if (packet.qos === 1) this.#acknowledge(connection, packet);
        const { topic, payload, qos, retain } = packet;
        this.#route({ topic, payload: payload as Buffer, qos: qos === 1 ? 1 : 0 }, retain);
        break;
      }
      case "subscribe":
        this.#subscribed(connection, packet);
        break;
      case "unsubscribe":
        connection.filtersChanged();
        this.#listener.toClient(id, { cmd: "unsuback", messageId: packet.messageId! } as Packet);
        break;
      case "pingreq":
        this.#listener.toClient(id, { cmd: "pingresp" });
        break;
    }
  }

  end(connection: MemoryConnection, reason: DisconnectReason, farewell?: Packet): void {
    const { id, clientId, will } = connection;
    if (farewell !== undefined) this.#listener.toClient(id, farewell);
    connection.isEnded = true;
    this.#connections.delete(id);
    if (!BY_CLIENT.includes(reason)) this.#listener.closed(id, reason);
    if (!connection.isOpen) return;
    connection.isOpen = false;
    this.#byClientId.delete(clientId!);
    this.#presence.disconnected({ ...sessionOf(connection), clientId: clientId! }, reason);
    if (will === null || reason === "CLIENT_INITIATED_DISCONNECT") return;
    const { topic, payload, qos, retain } = will;
    this.#route({ topic, payload: payload as Buffer, qos: qos === 1 ? 1 : 0 }, retain);
  }

  // --- Inside ---

  #acknowledge({ id }: MemoryConnection, { messageId }: IPublishPacket): void {
    this.#listener.toClient(id, { cmd: "puback", messageId: messageId! });
  }

  #subscribed(connection: MemoryConnection, packet: ISubscribePacket): void {
    connection.filtersChanged();
    const granted = packet.subscriptions.map(({ qos }) => qos);
    const suback = { cmd: "suback" as const, messageId: packet.messageId!, granted };
    this.#listener.toClient(connection.id, suback);
    const filters = packet.subscriptions.map(({ topic }) => topic);
    for (const message of this.#retained.values()) {
      if (!filters.some((filter) => filterMatches(filter, message.topic))) continue;
      this.#forward(connection, message, connection.routeOf(message.topic)!, true);
    }
  }

  #route(message: Message, retain: boolean): void {
    const { topic } = message;
    if (retain && message.payload.length === 0) this.#retained.delete(topic);
    else if (retain) this.#retained.set(topic, message);
    for (const connection of this.#connections.values()) {
      const granted = connection.routeOf(topic);
      if (granted !== null) this.#forward(connection, message, granted, false);
    }
  }

  /** Sends a message to one client, unless its policy forbids it. */
  #forward(
    connection: MemoryConnection,
    { topic, payload, qos }: Message,
    granted: 0 | 1,
    retain: boolean,
  ): void {
    const resource = arnOf("topic", topic);
    if (!this.#gate.allows(connection, "iot:Receive", resource)) {
      const detail = `the policy does not allow iot:Receive on ${resource}`;
      this.rule(connection, "receive-forbidden", "withheld", detail);
      return;
    }
    const common = { cmd: "publish", topic, payload, retain, dup: false } as const;
    if (qos === 0 || granted === 0) {
      this.#listener.toClient(connection.id, { ...common, qos: 0 });
      return;
    }
    const { window } = connection;
    const packet: Packet = { ...common, qos: 1, messageId: connection.nextMessageId() };
    if (window.admit(packet)) this.#listener.toClient(connection.id, packet);
    else if (window.waiting === 1) {
      const detail = `${this.limits.outboundUnacknowledgedMax} messages wait for PUBACK`;
      this.rule(connection, "outbound-unacknowledged", "delayed", detail);
    }
  }

  #serviceConnection(connection: MemoryConnection, qos: 0 | 1): ServiceConnection {
    return {
      clientId: connection.clientId!,
      certificateId: connection.certificateId,
      thingName: thingNameOf(connection, this.store.registry),
      respond: (topic, payload, when) => {
        const granted = connection.routeOf(topic);
        if (granted === null && when === "only-if-subscribed") {
          this.rule(connection, "response-not-subscribed", "withheld", unheardAnswer(topic));
          return;
        }
        if (connection.isEnded) return;
        const asked = granted ?? qos;
        this.#forward(connection, { topic, payload: bufferOf(payload), qos: asked }, asked, false);
      },
    };
  }
}

function bufferOf(payload: string | Uint8Array): Buffer {
  if (Buffer.isBuffer(payload)) return payload;
  if (typeof payload === "string") return Buffer.from(payload);
  return Buffer.from(payload.buffer, payload.byteOffset, payload.length);
}

function withBuffer(packet: Packet): Packet {
  return packet.cmd === "publish" ? { ...packet, payload: bufferOf(packet.payload) } : packet;
}

function willOf(will: NonNullable<IConnectPacket["will"]>): IPublishPacket {
  const { topic, payload, qos = 0, retain = false } = will;
  return { cmd: "publish", topic, payload: bufferOf(payload), qos, retain, dup: false };
}

function sessionOf({ certificateId, sessionIdentifier, ipAddress }: MemoryConnection) {
  return { certificateId, sessionIdentifier, ipAddress };
}
