// One client's connection: the packets between its TLS socket and the broker's stream, the windows
// of unacknowledged messages, the throughput and the keep-alive. It parses both directions and
// carries out verdicts; the rules about what a packet may be stand in gate.ts. It ends exactly
// once.

import { randomUUID } from "node:crypto";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { generate, type IPublishPacket, type Packet, parser } from "mqtt-packet";
import { type Clock, TokenBucket } from "./clock.js";
import type { GateConnection } from "./gate.js";
import type { Limits } from "./limits.js";
import { OutboundWindow } from "./outbound_window.js";
import type { Permissions } from "./permissions.js";
import type { DisconnectReason, RuleAction, RuleName } from "./rules.js";

export interface ConnectionListener {
  /** A packet from the client, to be judged. Not called while the connection waits in `hold`. */
  packet(connection: Connection, packet: Packet): void;
  /** The broker has accepted the client; called before the client learns it. */
  opened(connection: Connection): void;
  ended(connection: Connection, reason: DisconnectReason): void;
  rule(connection: Connection, rule: RuleName, action: RuleAction, detail: string): void;
}

/** How long broker and peer may take to see the end before they are cut off, milliseconds. */
const FAREWELL_MS = 5000;
const KEEP_ALIVE_OFF = 0;

export class Connection implements GateConnection {
  /** The end that the broker library reads and writes. */
  readonly stream: Duplex;
  readonly socket: TLSSocket;
  readonly certificateId: string;
  readonly sessionIdentifier = randomUUID();
  readonly ipAddress: string;
  readonly subject: Readonly<Record<string, string | string[]>>;
  /** Null until a CONNECT was accepted by the gate. */
  clientId: string | null = null;
  /** True from the broker's CONNACK to the end. */
  open = false;
  /** Filters with their granted QoS; the gate keeps them. */
  filters = new Map<string, 0 | 1>();
  permissions: Permissions | null = null;
  readonly publishRate: TokenBucket;
  /** Resolves when the broker library has let go of this client. */
  readonly gone: Promise<void>;
  readonly settle: () => void;

  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #listener: ConnectionListener;
  readonly #inbound = parser();
  readonly #outbound = parser();
  readonly #throughput: TokenBucket;
  /** QoS 1 ids from the client that await our PUBACK. */
  readonly #unacknowledgedIn = new Set<number>();
  readonly #window: OutboundWindow;
  /** Packets that came while the connection was held; null when it is not. */
  #held: Packet[] | null = null;
  #unparsedBytes = 0;
  #ended = false;
  #leaving = false;
  #keepAliveMs = KEEP_ALIVE_OFF;
  #cancelKeepAlive = () => {};
  #cancelThrottle = () => {};

  constructor(
    socket: TLSSocket,
    certificateId: string,
    environment: { limits: Limits; clock: Clock },
    listener: ConnectionListener,
  ) {
    this.socket = socket;
    this.certificateId = certificateId;
    this.ipAddress = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
    // Asked for once: a socket that has ended does not answer any more.
    this.subject = { ...(socket.getPeerCertificate().subject as object) };
    this.#limits = environment.limits;
    this.#clock = environment.clock;
    this.#listener = listener;
    const now = this.#clock.now();
    this.#window = new OutboundWindow(this.#limits.outboundUnacknowledgedMax);
    this.publishRate = new TokenBucket(this.#limits.publishesPerSecondMax, now);
    this.#throughput = new TokenBucket(this.#limits.throughputBytesPerSecondMax, now);
    let settle = () => {};
    this.gone = new Promise((resolve) => {
      settle = resolve;
    });
    this.settle = settle;
    this.stream = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => this.#fromBroker(chunk, done),
    });
    this.#listen();
  }

  get ended(): boolean {
    return this.#ended;
  }

  get inboundUnacknowledged(): number {
    return this.#unacknowledgedIn.size;
  }

  /** Passes a packet on to the broker library. */
  forward(packet: Packet): void {
    if (this.#ended) return;
    if (packet.cmd === "publish" && packet.qos === 1) this.#unacknowledgedIn.add(packet.messageId!);
    try {
      this.stream.push(generate(packet));
    } catch (error) {
      // The parser reads a little more than the writer writes: what cannot be written again is
      // wrong.
      this.#violation(String(error));
    }
  }

  /** Sends a packet to the client, past the broker library. */
  send(packet: Packet): void {
    if (!this.#ended) this.socket.write(generate(packet));
  }

  /** From now on packets wait, until `release`. */
  hold(): void {
    this.#held = [];
    this.socket.pause();
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const packet of held) this.#judge(packet);
    if (!this.#ended) this.socket.resume();
  }

  /** Starts the keep-alive watch: the connection ends after the grace factor times `seconds`. */
  watchKeepAlive(seconds: number): void {
    this.#keepAliveMs = seconds * this.#limits.keepAliveGraceFactor * 1000;
    this.#touch();
  }

  /**
   * The client said DISCONNECT: the broker library must see it first, or it would send the will.
   */
  leave(packet: Packet): void {
    this.#leaving = true;
    this.forward(packet);
    this.stream.push(null);
    this.#clock.after(FAREWELL_MS, () => this.stream.destroy());
  }

  /** Ends the connection, after a last packet if there is one. Later reasons are not heard. */
  end(reason: DisconnectReason, farewell?: Packet): void {
    if (this.#ended) return;
    if (farewell !== undefined) this.send(farewell);
    this.#ended = true;
    this.#cancelKeepAlive();
    this.#cancelThrottle();
    this.#held = null;
    this.#window.clear();
    this.socket.resume();
    this.socket.destroySoon();
    // A peer that does not read would keep its last packets, and the socket, waiting.
    this.#clock.after(FAREWELL_MS, () => this.socket.destroy());
    this.stream.destroy();
    this.#listener.ended(this, reason);
    this.open = false;
  }

  #listen(): void {
    this.socket.on("data", (chunk: Buffer) => this.#fromClient(chunk));
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      if (!this.#leaving) this.end("CONNECTION_LOST");
    });
    this.stream.on("error", () => {});
    // The broker library closes its end after a DISCONNECT, and when a packet makes no sense to it.
    this.stream.on("close", () =>
      this.end(this.#leaving ? "CLIENT_INITIATED_DISCONNECT" : "CLIENT_ERROR"),
    );
    this.#inbound.on("packet", (packet) => {
      this.#unparsedBytes = 0;
      this.#judge(packet);
    });
    this.#inbound.on("error", (error) => this.#violation(error.message));
    this.#outbound.on("packet", (packet) => this.#toClient(packet));
    this.#outbound.on("error", (error) => this.stream.destroy(error));
  }

  #violation(detail: string): void {
    if (this.#ended) return;
    this.#listener.rule(this, "protocol-error", "closed", detail);
    this.end("CLIENT_ERROR");
  }

  #fromClient(chunk: Buffer): void {
    if (this.#ended || this.#leaving) return;
    this.#unparsedBytes += chunk.length;
    try {
      this.#inbound.parse(chunk);
    } catch (error) {
      this.#violation(String(error));
    }
    const { payloadBytesMax, packetOverheadBytesMax } = this.#limits;
    // A chunk may end one packet and begin the next, so the bound is a chunk wider than it says.
    if (this.#unparsedBytes > payloadBytesMax + packetOverheadBytesMax + chunk.length) {
      this.#listener.rule(
        this,
        "payload-size",
        "closed",
        `a packet above ${payloadBytesMax} bytes`,
      );
      this.end("CLIENT_ERROR");
    }
    this.#throttle(chunk.length);
  }

  #judge(packet: Packet): void {
    if (this.#ended || this.#leaving) return;
    if (this.#held !== null) {
      this.#held.push(packet);
      return;
    }
    this.#touch();
    if (packet.cmd === "puback") {
      const next = this.#window.acknowledged(packet.messageId!);
      if (next !== null) this.send(next);
    }
    this.#listener.packet(this, packet);
  }

  #throttle(bytes: number): void {
    const waitMs = this.#throughput.overdraw(bytes, this.#clock.now());
    if (waitMs === 0 || this.#ended) return;
    this.#listener.rule(this, "throughput", "delayed", `reading pauses for ${waitMs} ms`);
    this.socket.pause();
    this.#cancelThrottle();
    this.#cancelThrottle = this.#clock.after(waitMs, () => {
      if (this.#held === null) this.socket.resume();
    });
  }

  #touch(): void {
    if (this.#keepAliveMs === KEEP_ALIVE_OFF) return;
    this.#cancelKeepAlive();
    this.#cancelKeepAlive = this.#clock.after(this.#keepAliveMs, () => {
      const detail = `nothing heard for ${this.#keepAliveMs / 1000} s`;
      this.#listener.rule(this, "keep-alive-timeout", "closed", detail);
      this.end("MQTT_KEEP_ALIVE_TIMEOUT");
    });
  }

  #fromBroker(chunk: Buffer, done: () => void): void {
    this.#outbound.parse(chunk);
    if (this.socket.writableNeedDrain && !this.#ended) this.socket.once("drain", done);
    else done();
  }

  #toClient(packet: Packet): void {
    if (packet.cmd === "connack" && packet.returnCode === 0) {
      this.open = true;
      this.#listener.opened(this);
    }
    if (packet.cmd === "puback") this.#unacknowledgedIn.delete(packet.messageId!);
    if (packet.cmd === "publish" && packet.qos === 1) this.#deliver(packet);
    else this.send(packet);
  }

  #deliver(packet: IPublishPacket): void {
    if (this.#window.admit(packet)) this.send(packet);
    else if (this.#window.waiting === 1) {
      const detail = `${this.#limits.outboundUnacknowledgedMax} messages wait for PUBACK`;
      this.#listener.rule(this, "outbound-unacknowledged", "delayed", detail);
    }
  }
}
