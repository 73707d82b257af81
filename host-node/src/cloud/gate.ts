// The rules of the message broker: each packet of a client is judged here before it is routed. A
// verdict is carried out on the connection (forward, answer, end) and every breach is reported with
// the name of its rule. Keeps the subscriptions, which the counts and answers need. Knows no
// socket: each kind of broker passes its own kind of connection through.

import type {
  IConnackPacket,
  IConnectPacket,
  IPublishPacket,
  ISubscribePacket,
  Packet,
} from "mqtt-packet";
import { type Clock, copiedRates, TokenBucket } from "./clock.js";
import { arnOf } from "./defaults.js";
import type { Limits } from "./limits.js";
import { Permissions } from "./permissions.js";
import type { PolicyAction } from "./policy.js";
import type { Principal } from "./principal.js";
import { type Random, uuidOf } from "./random.js";
import type { DisconnectReason, RuleAction, RuleName } from "./rules.js";
import type { Store } from "./store.js";
import { brokenTopicRule, isAwsReserved, isReserved, isValidFilter } from "./topics.js";

/** What the gate asks of a connection. */
export interface GateConnection extends Principal {
  /** Null until a CONNECT was accepted; written by the gate, once. */
  clientId: string | null;
  /** The gate's own: remembered decisions. Null at first; a copy of a connection may share it. */
  permissions: Permissions | null;
  /** Filters with their granted QoS; written by the gate. */
  readonly filters: Map<string, 0 | 1>;
  readonly publishRate: TokenBucket;
  /** QoS 1 messages from the client that were not acknowledged yet. */
  readonly inboundUnacknowledged: number;
  /** Passes a good packet on to be carried out. */
  forward(packet: Packet): void;
  /** The client said DISCONNECT: ends the connection without its will. */
  leave(packet: Packet): void;
  /** Ends the connection, after a last packet if there is one. */
  end(reason: DisconnectReason, farewell?: Packet): void;
  /** Ends the connection after the grace factor times so many seconds of silence. */
  watchKeepAlive(seconds: number): void;
}

/** What the gate asks of the broker behind it. */
export interface Broker<Connection extends GateConnection> {
  readonly store: Store;
  readonly limits: Limits;
  readonly clock: Pick<Clock, "now">;
  readonly random: Random;
  rule(connection: Connection, rule: RuleName, action: RuleAction, detail: string): void;
  /** Lets an admitted client in, when its predecessor with the same client id is gone. */
  join(connection: Connection, packet: IConnectPacket): void;
  /** Takes a PUBLISH to a reserved topic; false when no service answers it. */
  request(connection: Connection, packet: IPublishPacket): boolean;
  /** Hears of every accepted PUBLISH. */
  published(connection: Connection, packet: IPublishPacket): void;
}

const MQTT_3_1_1 = 4;
const CONNACK_PROTOCOL_VERSION = 1;
const CONNACK_IDENTIFIER_REJECTED = 2;
const CONNACK_SERVER_UNAVAILABLE = 3;
/** Buckets of client ids that connected long ago are forgotten when there are more than this. */
const CONNECT_RATES_KEPT = 10_000;

export class Gate<Connection extends GateConnection> {
  readonly #broker: Broker<Connection>;
  readonly #accountConnects: TokenBucket;
  readonly #clientConnects: Map<string, TokenBucket>;

  /** With `original` the rates go on where its are. */
  constructor(broker: Broker<Connection>, original?: Gate<Connection>) {
    this.#broker = broker;
    const { limits, clock } = broker;
    if (original === undefined) {
      this.#accountConnects = new TokenBucket(limits.connectsPerSecondMax, clock.now());
      this.#clientConnects = new Map();
    } else {
      this.#accountConnects = original.#accountConnects.copy();
      this.#clientConnects = copiedRates(original.#clientConnects);
    }
  }

  /** Judges one packet of a client and carries the verdict out. */
  judge(connection: Connection, packet: Packet): void {
    if (connection.clientId === null) {
      if (packet.cmd === "connect") this.#connect(connection, packet);
      else this.#close(connection, "protocol-error", `${packet.cmd} before CONNECT`);
      return;
    }
    switch (packet.cmd) {
      case "connect":
        this.#close(connection, "connect-twice", "a second CONNECT on one connection");
        break;
      case "publish":
        this.#publish(connection, packet);
        break;
      case "subscribe":
        this.#subscribe(connection, packet);
        break;
      case "unsubscribe":
        for (const filter of packet.unsubscriptions) connection.filters.delete(filter);
        connection.forward(packet);
        break;
      case "disconnect":
        connection.leave(packet);
        break;
      case "puback":
      case "pingreq":
        connection.forward(packet);
        break;
      default:
        this.#close(connection, "protocol-error", `${packet.cmd} is not for QoS 0 and 1`);
    }
  }

  /** True when the certificate's policies, as they are now, allow it. */
  allows(connection: Connection, action: PolicyAction, resource: string): boolean {
    const { registry } = this.#broker.store;
    if (connection.permissions?.registry !== registry) {
      connection.permissions = new Permissions(connection, registry);
    }
    return connection.permissions.allows(action, resource);
  }

  // --- CONNECT ---

  #connect(connection: Connection, packet: IConnectPacket): void {
    const clientId = this.#clientIdOf(connection, packet);
    if (clientId === null) return;
    connection.clientId = clientId;
    if (!this.allows(connection, "iot:Connect", arnOf("client", clientId))) {
      const detail = `the policy does not allow iot:Connect on ${arnOf("client", clientId)}`;
      this.#close(connection, "connect-forbidden", detail, "AUTH_ERROR");
      return;
    }
    if (!this.#connectRatePermits(connection, clientId)) return;
    if (!this.#willPermitted(connection, packet)) return;
    connection.watchKeepAlive(this.#keepAliveSeconds(connection, packet.keepalive ?? 0));
    // Keep-alive is watched here, with AWS's bounds, so the broker library shall not watch it too.
    this.#broker.join(connection, { ...packet, clientId, keepalive: 0 });
  }

  /** The client id to use, or null after a refusal. */
  #clientIdOf(connection: Connection, packet: IConnectPacket): string | null {
    const { protocolVersion, clientId, clean } = packet;
    if (protocolVersion !== MQTT_3_1_1) {
      const detail = `protocol level ${protocolVersion}; the local cloud speaks MQTT 3.1.1 (4)`;
      this.#refuse(connection, "protocol-version", CONNACK_PROTOCOL_VERSION, detail);
      return null;
    }
    const bytes = Buffer.byteLength(clientId);
    const { clientIdBytesMax } = this.#broker.limits;
    if (bytes > clientIdBytesMax) {
      const detail = `${bytes} bytes, ${clientIdBytesMax} allowed`;
      this.#refuse(connection, "client-id-size", CONNACK_IDENTIFIER_REJECTED, detail);
      return null;
    }
    if (bytes > 0) return clientId;
    // MQTT-3.1.3-8: without a name there can be no session to come back to.
    if (clean) return uuidOf(this.#broker.random);
    const detail = "an empty client id needs a clean session";
    this.#refuse(connection, "client-id-empty", CONNACK_IDENTIFIER_REJECTED, detail);
    return null;
  }

  #connectRatePermits(connection: Connection, clientId: string): boolean {
    const { limits, clock } = this.#broker;
    const now = clock.now();
    this.#forgetIdleRates(now);
    const perClient = limits.connectsPerClientIdPerSecondMax;
    const rate = this.#clientConnects.get(clientId) ?? new TokenBucket(perClient, now);
    this.#clientConnects.set(clientId, rate);
    let detail: string;
    if (!rate.take(now)) detail = `more than ${perClient} CONNECT a second for this client id`;
    else if (!this.#accountConnects.take(now)) {
      detail = `more than ${limits.connectsPerSecondMax} CONNECT a second in the account`;
    } else return true;
    this.#refuse(connection, "connect-rate", CONNACK_SERVER_UNAVAILABLE, detail, "THROTTLED");
    return false;
  }

  #forgetIdleRates(now: number): void {
    if (this.#clientConnects.size < CONNECT_RATES_KEPT) return;
    for (const [clientId, rate] of this.#clientConnects) {
      if (rate.idle(now)) this.#clientConnects.delete(clientId);
    }
  }

  #willPermitted(connection: Connection, packet: IConnectPacket): boolean {
    if (packet.will === undefined || packet.will === null) return true;
    const { topic, qos = 0, retain = false } = packet.will;
    const payload = Buffer.from(packet.will.payload);
    const will: IPublishPacket = { cmd: "publish", topic, payload, qos, retain, dup: false };
    if (!this.#publishPermitted(connection, will)) return false;
    if (!isReserved(topic)) return true;
    this.#close(connection, "reserved-topic", `a will on ${topic}`);
    return false;
  }

  #keepAliveSeconds(connection: Connection, asked: number): number {
    const { keepAliveSecondsMin, keepAliveSecondsMax } = this.#broker.limits;
    let seconds = Math.max(asked, keepAliveSecondsMin);
    if (asked === 0 || asked > keepAliveSecondsMax) seconds = keepAliveSecondsMax;
    if (seconds !== asked) {
      const detail = `${asked} s asked, taken as ${seconds} s`;
      this.#broker.rule(connection, "keep-alive-range", "adjusted", detail);
    }
    return seconds;
  }

  // --- PUBLISH ---

  #publish(connection: Connection, packet: IPublishPacket): void {
    if (!this.#publishRatePermits(connection, packet)) return;
    if (!this.#publishPermitted(connection, packet)) return;
    if (isReserved(packet.topic)) {
      if (!this.#broker.request(connection, packet)) {
        this.#close(connection, "reserved-topic", `nothing answers ${packet.topic}`);
        return;
      }
      this.#broker.published(connection, packet);
      return;
    }
    this.#broker.published(connection, packet);
    connection.forward(packet);
  }

  /** The excess is dropped without PUBACK, so that a QoS 1 sender tries again. */
  #publishRatePermits(connection: Connection, packet: IPublishPacket): boolean {
    const { limits, clock } = this.#broker;
    if (!connection.publishRate.take(clock.now())) {
      const detail = `more than ${limits.publishesPerSecondMax} PUBLISH a second: ${packet.topic}`;
      this.#broker.rule(connection, "publish-rate", "discarded", detail);
      return false;
    }
    const windowMax = limits.inboundUnacknowledgedMax;
    if (packet.qos === 1 && connection.inboundUnacknowledged >= windowMax) {
      const detail = `${windowMax} messages are not yet acknowledged: ${packet.topic}`;
      this.#broker.rule(connection, "inbound-unacknowledged", "discarded", detail);
      return false;
    }
    return true;
  }

  /** Checks that a PUBLISH and a will share. Ends the connection when one fails. */
  #publishPermitted(connection: Connection, packet: IPublishPacket): boolean {
    const { limits } = this.#broker;
    const { topic, qos, retain } = packet;
    const resource = arnOf("topic", topic);
    const bytes = packet.payload.length;
    const broken = brokenTopicRule(topic, limits);
    let breach: [RuleName, string, DisconnectReason?] | null = null;
    if (qos === 2) breach = ["publish-qos2", `QoS 2 is not supported: ${topic}`];
    else if (topic === "" || /[+#\0]/.test(topic)) breach = ["topic-wildcard", `"${topic}"`];
    else if (broken !== null) breach = [broken.rule, broken.detail];
    else if (bytes > limits.payloadBytesMax) {
      breach = ["payload-size", `${bytes} bytes, ${limits.payloadBytesMax} allowed: ${topic}`];
    } else if (isReserved(topic) && !isAwsReserved(topic)) breach = ["reserved-topic", topic];
    else if (retain && isReserved(topic)) breach = ["retain-reserved-topic", topic];
    else if (!this.allows(connection, "iot:Publish", resource)) {
      const detail = `the policy does not allow iot:Publish on ${resource}`;
      breach = ["publish-forbidden", detail, "AUTH_ERROR"];
    } else if (retain && !this.allows(connection, "iot:RetainPublish", resource)) {
      const detail = `the policy does not allow iot:RetainPublish on ${resource}`;
      breach = ["retain-forbidden", detail, "AUTH_ERROR"];
    }
    if (breach !== null) this.#close(connection, ...breach);
    return breach === null;
  }

  // --- SUBSCRIBE ---

  #subscribe(connection: Connection, packet: ISubscribePacket): void {
    const { limits } = this.#broker;
    const count = packet.subscriptions.length;
    if (count > limits.filtersPerSubscribeMax) {
      const detail = `${count} filters, ${limits.filtersPerSubscribeMax} allowed`;
      this.#close(connection, "filters-per-subscribe", detail);
      return;
    }
    for (const { topic } of packet.subscriptions) {
      if (!this.#subscribePermitted(connection, topic)) return;
    }
    const names = new Set([...connection.filters.keys()]);
    for (const { topic } of packet.subscriptions) names.add(topic);
    if (names.size > limits.subscriptionsPerConnectionMax) {
      const detail = `${names.size} filters, ${limits.subscriptionsPerConnectionMax} allowed`;
      this.#close(connection, "subscriptions-per-connection", detail);
      return;
    }
    for (const subscription of packet.subscriptions) {
      if (subscription.qos === 2) {
        const detail = `QoS 2 asked, 1 granted: ${subscription.topic}`;
        this.#broker.rule(connection, "subscribe-qos2", "adjusted", detail);
        subscription.qos = 1;
      }
      connection.filters.set(subscription.topic, subscription.qos === 0 ? 0 : 1);
    }
    connection.forward(packet);
  }

  #subscribePermitted(connection: Connection, filter: string): boolean {
    const resource = arnOf("topicfilter", filter);
    const broken = brokenTopicRule(filter, this.#broker.limits);
    if (!isValidFilter(filter)) {
      this.#close(connection, "topic-wildcard", `"${filter}" is not a topic filter`);
    } else if (broken !== null) {
      this.#close(connection, broken.rule, broken.detail);
    } else if (isReserved(filter) && !isAwsReserved(filter)) {
      this.#close(connection, "reserved-topic", filter);
    } else if (!this.allows(connection, "iot:Subscribe", resource)) {
      const detail = `the policy does not allow iot:Subscribe on ${resource}`;
      this.#close(connection, "subscribe-forbidden", detail, "AUTH_ERROR");
    } else return true;
    return false;
  }

  // --- Verdicts ---

  #close(
    connection: Connection,
    rule: RuleName,
    detail: string,
    reason: DisconnectReason = "CLIENT_ERROR",
  ): void {
    this.#broker.rule(connection, rule, "closed", detail);
    connection.end(reason);
  }

  #refuse(
    connection: Connection,
    rule: RuleName,
    returnCode: number,
    detail: string,
    reason: DisconnectReason = "CLIENT_ERROR",
  ): void {
    this.#broker.rule(connection, rule, "refused", detail);
    const connack: IConnackPacket = { cmd: "connack", returnCode, sessionPresent: false };
    connection.end(reason, connack);
  }
}
