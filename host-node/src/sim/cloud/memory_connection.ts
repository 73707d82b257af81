// One client's connection to the broker in memory: its state and nothing else. What the gate asks
// of it goes on to the broker (memory_broker.ts), which made it and alone uses it.

import type { IPublishPacket, Packet } from "mqtt-packet";
import { TokenBucket } from "../../cloud/clock.js";
import { grantedQos } from "../../cloud/dispatch.js";
import type { GateConnection } from "../../cloud/gate.js";
import type { Limits } from "../../cloud/limits.js";
import { OutboundWindow } from "../../cloud/outbound_window.js";
import type { Permissions } from "../../cloud/permissions.js";
import type { DisconnectReason } from "../../cloud/rules.js";

/** The broker, as its connections see it. */
export interface Carrier {
  readonly limits: Limits;
  readonly clock: { now(): number };
  carryOut(connection: MemoryConnection, packet: Packet): void;
  end(connection: MemoryConnection, reason: DisconnectReason, farewell?: Packet): void;
}

/** What is known of a connection when the TLS handshake is over. */
export interface Handshake {
  readonly id: number;
  readonly certificateId: string;
  readonly sessionIdentifier: string;
}

const MESSAGE_ID_MAX = 0xffff;
/** A client may publish to any number of topics; routes are then forgotten and found again. */
const ROUTES_KEPT = 1000;

export class MemoryConnection implements GateConnection {
  /** The number that the world gave it. */
  readonly id: number;
  readonly certificateId: string;
  readonly sessionIdentifier: string;
  readonly ipAddress = "127.0.0.1";
  readonly subject = {};
  /** PUBACK is given at receipt. */
  readonly inboundUnacknowledged = 0;
  clientId: string | null = null;
  permissions: Permissions | null = null;
  readonly filters: Map<string, 0 | 1>;
  readonly publishRate: TokenBucket;
  readonly window: OutboundWindow;
  will: IPublishPacket | null = null;
  /** True from CONNACK to the end. */
  isOpen = false;
  isEnded = false;
  /** When silence ends it. */
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly #carrier: Carrier;
  #silenceMsMax = Number.POSITIVE_INFINITY;
  #lastMessageId = 0;
  /** QoS by topic, as the filters grant it; shared by copies, and replaced when filters change. */
  #routes = new Map<string, 0 | 1 | null>();

  /** With `original` it is the same connection, of another broker. */
  constructor(
    carrier: Carrier,
    { id, certificateId, sessionIdentifier }: Handshake,
    original?: MemoryConnection,
  ) {
    this.#carrier = carrier;
    this.id = id;
    this.certificateId = certificateId;
    this.sessionIdentifier = sessionIdentifier;
    if (original === undefined) {
      const { limits, clock } = carrier;
      this.filters = new Map();
      this.publishRate = new TokenBucket(limits.publishesPerSecondMax, clock.now());
      this.window = new OutboundWindow(limits.outboundUnacknowledgedMax);
      return;
    }
    this.filters = new Map(original.filters);
    this.publishRate = original.publishRate.copy();
    this.window = original.window.copy();
    this.clientId = original.clientId;
    this.permissions = original.permissions;
    this.will = original.will;
    this.isOpen = original.isOpen;
    this.deadlineMs = original.deadlineMs;
    this.#silenceMsMax = original.#silenceMsMax;
    this.#lastMessageId = original.#lastMessageId;
    this.#routes = original.#routes;
  }

  copy(carrier: Carrier): MemoryConnection {
    return new MemoryConnection(carrier, this, this);
  }

  // --- For the gate ---

  forward(packet: Packet): void {
    if (!this.isEnded) this.#carrier.carryOut(this, packet);
  }

  leave(_packet: Packet): void {
    this.end("CLIENT_INITIATED_DISCONNECT");
  }

  end(reason: DisconnectReason, farewell?: Packet): void {
    if (!this.isEnded) this.#carrier.end(this, reason, farewell);
  }

  watchKeepAlive(seconds: number): void {
    this.#silenceMsMax = seconds * this.#carrier.limits.keepAliveGraceFactor * 1000;
    this.touch();
  }

  // --- For the broker ---

  get silenceMsMax(): number {
    return this.#silenceMsMax;
  }

  /** The client was heard. */
  touch(): void {
    this.deadlineMs = this.#carrier.clock.now() + this.#silenceMsMax;
  }

  /** To be called when the gate has changed the filters. */
  filtersChanged(): void {
    this.#routes = new Map();
  }

  /** The QoS with which it hears a topic, or null. */
  routeOf(topic: string): 0 | 1 | null {
    const known = this.#routes.get(topic);
    if (known !== undefined) return known;
    if (this.#routes.size >= ROUTES_KEPT) this.#routes.clear();
    const qos = grantedQos(this.filters, topic);
    this.#routes.set(topic, qos);
    return qos;
  }

  /** One that no message on its way has. */
  nextMessageId(): number {
    do {
      this.#lastMessageId = (this.#lastMessageId % MESSAGE_ID_MAX) + 1;
    } while (this.window.isUnacknowledged(this.#lastMessageId));
    return this.#lastMessageId;
  }
}
