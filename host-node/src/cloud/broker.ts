// The message broker: a TLS server that wants a registered, active client certificate, a gate for
// the rules, the aedes library for routing, sessions and retained messages, presence events, and
// the dispatch of reserved topics to services. Aedes never sees a packet that AWS IoT would refuse.

import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { Aedes, type AedesPublishPacket, type Client } from "aedes";
import type { IConnectPacket, IPublishPacket, Packet } from "mqtt-packet";
import { certificateIdOf } from "./certificate.js";
import type { Clock } from "./clock.js";
import { Connection, type ConnectionListener } from "./connection.js";
import { arnOf } from "./defaults.js";
import { certificateRefusal, grantedQos, serviceFor, unheardAnswer } from "./dispatch.js";
import { Gate, type Broker as GateBroker } from "./gate.js";
import type { Limits } from "./limits.js";
import { Presence, type PresenceConnected, type PresenceDisconnected } from "./presence.js";
import { thingNameOf } from "./principal.js";
import { type Random, systemRandom } from "./random.js";
import type { DisconnectReason, RuleAction, RuleEvent, RuleName } from "./rules.js";
import type { Service, ServiceConnection } from "./service.js";
import type { Identity, Store } from "./store.js";
import { isBasicIngest } from "./topics.js";

/** A PUBLISH of a client that broke no rule. */
export interface PublishEvent {
  readonly clientId: string;
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

/** Who hears of what happens. */
export interface BrokerListener {
  rule(event: RuleEvent): void;
  connected(event: PresenceConnected): void;
  disconnected(event: PresenceDisconnected): void;
  published(event: PublishEvent): void;
  subscribed(event: { readonly clientId: string; readonly filters: readonly string[] }): void;
}

export interface BrokerOptions {
  readonly server: Identity;
  readonly caPem: string;
  readonly store: Store;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly listener: BrokerListener;
}

/** Who published an answer, in the broker's bookkeeping. */
const ANSWERS = "answers";
/** Aedes's own bound for MQTT 3.1, which the gate refuses anyway. */
const ANY_CLIENT_ID_LENGTH = 65_535;

export class Broker implements GateBroker<Connection>, ConnectionListener {
  readonly random: Random = systemRandom;
  readonly store: Store;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly #listener: BrokerListener;
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #gate: Gate<Connection>;
  readonly #presence: Presence;
  readonly #services: Service[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<Connection>();
  /** The newest connection of each client id. */
  readonly #byClientId = new Map<string, Connection>();
  readonly #byClient = new WeakMap<Client, Connection>();
  /** Answers given so far. */
  #answers = 0;
  readonly #clients = new WeakMap<Connection, Client>();
  /** Filters of clients with persistent sessions, as aedes keeps them too. */
  readonly #sessions = new Map<string, Map<string, 0 | 1>>();
  /** Connections that aedes has registered, and must deregister. */
  readonly #registered = new WeakSet<Connection>();
  /** Connections that wait for their predecessor, and settle themselves after it. */
  readonly #joining = new WeakSet<Connection>();
  #closed = false;

  private constructor(options: BrokerOptions, aedes: Aedes) {
    this.store = options.store;
    this.limits = options.limits;
    this.clock = options.clock;
    this.#listener = options.listener;
    this.#aedes = aedes;
    this.#gate = new Gate(this);
    this.#presence = new Presence(
      (topic, payload) => this.publish(topic, payload),
      options.clock.now,
    );
    this.#server = this.#createServer(options);
    this.#configureAedes();
  }

  static async create(options: BrokerOptions): Promise<Broker> {
    const aedes = await Aedes.createBroker({ maxClientsIdLength: ANY_CLIENT_ID_LENGTH });
    return new Broker(options, aedes);
  }

  /** Listens; answers the port, which differs from `port` when that is 0. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const stopped = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const open = [...this.#connections];
    for (const connection of open) connection.end("SERVER_INITIATED_DISCONNECT");
    await Promise.all(open.map((connection) => connection.gone));
    for (const socket of this.#sockets) socket.destroy();
    await stopped;
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
  }

  addService(service: Service): void {
    this.#services.push(service);
  }

  /** Publishes from the cloud's side, to everybody who subscribed and may receive. */
  publish(topic: string, payload: string | Buffer, qos: 0 | 1 = 0): void {
    this.#aedes.publish(packetOf(topic, payload, qos), () => {});
  }

  /** Hears every message on the broker that matches; answers the way to stop. */
  subscribe(filter: string, handler: (topic: string, payload: Buffer) => void): () => void {
    const deliver = (packet: AedesPublishPacket, done: () => void) => {
      handler(packet.topic, Buffer.from(packet.payload));
      done();
    };
    this.#aedes.subscribe(filter, deliver, () => {});
    return () => this.#aedes.unsubscribe(filter, deliver, () => {});
  }

  /** Ends every connection that was made with a certificate; answers how many. */
  dropCertificate(certificateId: string, detail: string): number {
    const connections = [...this.#connections].filter(
      (each) => each.certificateId === certificateId,
    );
    for (const connection of connections) {
      this.rule(connection, "certificate-deactivated", "closed", detail);
      connection.end("AUTH_ERROR");
    }
    return connections.length;
  }

  // --- For the gate ---

  rule(connection: Connection, rule: RuleName, action: RuleAction, detail: string): void {
    this.#listener.rule({ rule, action, clientId: connection.clientId, detail });
  }

  async join(connection: Connection, packet: IConnectPacket): Promise<void> {
    const clientId = packet.clientId;
    const previous = this.#byClientId.get(clientId);
    this.#byClientId.set(clientId, connection);
    connection.hold();
    this.#joining.add(connection);
    if (previous !== undefined) {
      if (!previous.ended) {
        const detail = `a new connection from ${connection.ipAddress} uses this client id`;
        this.rule(previous, "duplicate-client-id", "closed", detail);
        previous.end("DUPLICATE_CLIENTID");
      }
      await previous.gone;
    }
    this.#joining.delete(connection);
    if (connection.ended) {
      connection.settle();
      return;
    }
    this.#restoreSession(connection, clientId, packet.clean ?? true);
    const client = this.#aedes.handle(connection.stream);
    this.#byClient.set(client, connection);
    this.#clients.set(connection, client);
    connection.forward(packet);
    connection.release();
  }

  request(connection: Connection, packet: IPublishPacket): boolean {
    const { topic } = packet;
    const service = serviceFor(this.#services, topic);
    if (service === undefined && !isBasicIngest(topic)) return false;
    // AWS acknowledges the receipt of a request, not its success.
    if (packet.qos === 1) connection.send({ cmd: "puback", messageId: packet.messageId! });
    if (service !== undefined) void this.#serve(service, connection, packet);
    return true;
  }

  published(connection: Connection, { topic, payload, qos, retain }: IPublishPacket): void {
    this.#listener.published({
      clientId: connection.clientId!,
      topic,
      payload: Buffer.from(payload),
      qos: qos === 1 ? 1 : 0,
      retain,
    });
  }

  // --- For the connections ---

  packet(connection: Connection, packet: Packet): void {
    this.#gate.judge(connection, packet);
    if (packet.cmd === "subscribe" && !connection.ended) {
      const filters = packet.subscriptions.map(({ topic }) => topic);
      this.#listener.subscribed({ clientId: connection.clientId!, filters });
    }
  }

  opened(connection: Connection): void {
    this.#listener.connected(this.#presence.connected(sessionOf(connection)));
  }

  ended(connection: Connection, reason: DisconnectReason): void {
    this.#connections.delete(connection);
    if (connection.open) {
      this.#listener.disconnected(this.#presence.disconnected(sessionOf(connection), reason));
    }
    const { clientId } = connection;
    // Aedes says when it lets a registered client go; before that there is nothing to wait for.
    const waits = this.#registered.has(connection) || this.#joining.has(connection);
    if (!waits) setImmediate(connection.settle);
    void connection.gone.then(() => {
      if (this.#byClientId.get(clientId ?? "") === connection) this.#byClientId.delete(clientId!);
    });
  }

  // --- Inside ---

  #createServer({ server, caPem }: BrokerOptions): Server {
    const tls = createServer({
      key: server.privateKeyPem,
      cert: server.certificatePem,
      ca: caPem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      // Packets are small, and Nagle's algorithm would hold each back for the ACK of the one before.
      noDelay: true,
      // A resumed session would not show the client's certificate again.
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
    tls.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    tls.on("secureConnection", (socket) => this.#accept(socket));
    tls.on("tlsClientError", (error) =>
      this.#listener.rule({
        rule: "tls-handshake",
        action: "refused",
        clientId: null,
        detail: `${error.message}; a certificate of this cloud's CA is needed`,
      }),
    );
    return tls;
  }

  #accept(socket: TLSSocket): void {
    const certificateId = certificateIdOf(socket.getPeerCertificate().raw);
    const refusal = certificateRefusal(this.store.registry, certificateId);
    if (refusal !== null || this.#closed) {
      if (refusal !== null) this.#listener.rule(refusal);
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    this.#connections.add(new Connection(socket, certificateId, this, this));
  }

  #configureAedes(): void {
    const aedes = this.#aedes;
    // The gate has judged already, wills at CONNECT; what is left is who may receive.
    aedes.authorizePublish = (_client, _packet, done) => done(null);
    aedes.authorizeForward = (client, packet) => this.#forwardTo(client, packet);
    aedes.on("client", (client) => {
      const connection = this.#byClient.get(client);
      if (connection !== undefined) this.#registered.add(connection);
    });
    aedes.on("clientDisconnect", (client) => this.#byClient.get(client)?.settle());
    aedes.on("clientError", () => {});
    aedes.on("connectionError", () => {});
  }

  #forwardTo(client: Client, packet: AedesPublishPacket): AedesPublishPacket | null {
    const connection = this.#byClient.get(client);
    if (connection === undefined) return null;
    const resource = arnOf("topic", packet.topic);
    if (this.#gate.allows(connection, "iot:Receive", resource)) return packet;
    const detail = `the policy does not allow iot:Receive on ${resource}`;
    this.rule(connection, "receive-forbidden", "withheld", detail);
    return null;
  }

  /** A persistent session brings its subscriptions back; a clean one forgets them. */
  #restoreSession(connection: Connection, clientId: string, clean: boolean): void {
    if (clean) {
      this.#sessions.delete(clientId);
      return;
    }
    const filters = this.#sessions.get(clientId) ?? new Map<string, 0 | 1>();
    this.#sessions.set(clientId, filters);
    connection.filters = filters;
  }

  async #serve(service: Service, connection: Connection, packet: IPublishPacket): Promise<void> {
    const { topic } = packet;
    try {
      const asking = this.#serviceConnection(connection, packet.qos === 1 ? 1 : 0);
      await service.handle({ connection: asking, topic, payload: Buffer.from(packet.payload) });
    } catch (error) {
      const detail = `${service.name} failed on ${topic}: ${String(error)}`;
      this.rule(connection, "protocol-error", "closed", detail);
      connection.end("SERVER_ERROR");
    }
  }

  #serviceConnection(connection: Connection, qos: 0 | 1): ServiceConnection {
    return {
      clientId: connection.clientId!,
      certificateId: connection.certificateId,
      thingName: thingNameOf(connection, this.store.registry),
      respond: (topic, payload, when) => {
        const granted = grantedQos(connection.filters, topic);
        if (granted === null && when === "only-if-subscribed") {
          this.rule(connection, "response-not-subscribed", "withheld", unheardAnswer(topic));
          return;
        }
        const client = this.#clients.get(connection);
        if (connection.ended || client === undefined) return;
        // A number of its own: the client's would overtake messages that are queued for it already,
        // and those would then be dropped as duplicates.
        const packet = { ...packetOf(topic, payload, granted ?? qos), brokerId: ANSWERS };
        const numbered = { ...packet, brokerCounter: ++this.#answers } as Parameters<
          typeof client.publish
        >[0];
        client.publish(numbered, () => {});
      },
    };
  }
}

function packetOf(topic: string, payload: string | Buffer, qos: 0 | 1) {
  return {
    cmd: "publish" as const,
    topic,
    payload: Buffer.from(payload),
    qos,
    retain: false,
    dup: false,
  };
}

function sessionOf(connection: Connection) {
  const { certificateId, sessionIdentifier, ipAddress } = connection;
  return { clientId: connection.clientId!, certificateId, sessionIdentifier, ipAddress };
}
