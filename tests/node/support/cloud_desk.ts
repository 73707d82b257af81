// A cloud in memory with a clock that the test moves, seeded randomness, and a log of all that came
// out. A desk is copied with its cloud, so that a test may let both go on and compare.

import type { IPublishPacket, Packet } from "mqtt-packet";
import type { DisconnectReason, RuleEvent } from "../../../host-node/src/cloud/rules.js";
import {
  MemoryCloud,
  type MemoryCloudOptions,
} from "../../../host-node/src/sim/cloud/memory_cloud.js";
import { seededRandom } from "./seeded_random.js";

const START = Date.UTC(2026, 0, 1);

/** Bytes that a run can be repeated with, and a generator that can be copied by what it gave. */
class SeededBytes {
  readonly #seed: number;
  #next: () => number;
  #given = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#next = seededRandom(seed);
  }

  fill = (bytes: Uint8Array): void => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.#next() * 256;
    this.#given += bytes.length;
  };

  copy(): SeededBytes {
    const copy = new SeededBytes(this.#seed);
    copy.fill(new Uint8Array(this.#given));
    return copy;
  }
}

export interface Closing {
  readonly connection: number;
  readonly reason: DisconnectReason;
}

export class CloudDesk {
  now = START;
  cloud: MemoryCloud;
  /** Everything that came out, in order, one line each. */
  readonly log: string[] = [];
  readonly rules: RuleEvent[] = [];
  readonly closings: Closing[] = [];
  readonly #received = new Map<number, Packet[]>();
  #random: SeededBytes;

  constructor(options: Partial<MemoryCloudOptions> & { readonly seed?: number } = {}) {
    const { seed = 1, ...more } = options;
    this.#random = new SeededBytes(seed);
    this.cloud = new MemoryCloud({ ...this.#world(), ...more });
  }

  /** A second desk at which the same cloud stands, with an empty log. */
  copy(): CloudDesk {
    const copy = new CloudDesk();
    copy.#take(this);
    return copy;
  }

  #take(original: CloudDesk): void {
    this.now = original.now;
    this.#random = original.#random.copy();
    this.cloud = original.cloud.copy(this.#world());
    this.log.length = 0;
    for (const [connection, packets] of original.#received) {
      this.#received.set(connection, packets);
    }
  }

  #world() {
    const hears = (what: string) => (event: object) => this.log.push(line(what, event));
    return {
      now: () => this.now,
      random: (bytes: Uint8Array) => this.#random.fill(bytes),
      listener: {
        toClient: (connection: number, packet: Packet) => {
          this.log.push(line(`to ${connection}`, packet));
          this.#received.set(connection, [...(this.#received.get(connection) ?? []), packet]);
        },
        closed: (connection: number, reason: DisconnectReason) => {
          this.log.push(line("closed", { connection, reason }));
          this.closings.push({ connection, reason });
        },
        rule: (event: RuleEvent) => {
          hears("rule")(event);
          this.rules.push(event);
        },
        published: hears("published"),
        provisioned: hears("provisioned"),
        refused: hears("refused"),
      },
    };
  }

  /** Moves the clock, stopping wherever the cloud wants to be called. */
  advance(ms: number): void {
    const end = this.now + ms;
    while (this.cloud.nextMs <= end) {
      this.now = Math.max(this.now, this.cloud.nextMs);
      this.cloud.advance();
    }
    this.now = end;
  }

  /** What a connection has received since the last call. */
  take(connection: number): Packet[] {
    const packets = this.#received.get(connection) ?? [];
    this.#received.set(connection, []);
    return packets;
  }

  /** As `take`: messages alone, acknowledged, by topic with the parsed payload. */
  takeMessages(connection: number): { readonly topic: string; readonly body: Body }[] {
    const messages = this.take(connection).filter((packet) => packet.cmd === "publish");
    for (const { qos, messageId } of messages) {
      if (qos === 1) this.cloud.packet(connection, { cmd: "puback", messageId: messageId! });
    }
    return messages.map(({ topic, payload }: IPublishPacket) => {
      const text = payload.toString("utf8");
      return { topic, body: text.startsWith("{") ? JSON.parse(text) : text };
    });
  }

  connect(connection: number, clientId: string, more: object = {}): void {
    const packet = { protocolId: "MQTT", protocolVersion: 4, clean: true, keepalive: 60 } as const;
    this.cloud.packet(connection, { cmd: "connect", ...packet, clientId, ...more });
  }

  subscribe(connection: number, filters: readonly string[], qos: 0 | 1 = 1): void {
    const subscriptions = filters.map((topic) => ({ topic, qos }));
    this.cloud.packet(connection, { cmd: "subscribe", messageId: 1, subscriptions });
  }

  publish(connection: number, topic: string, body: object | string = "", more: object = {}): void {
    const payload = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
    const packet = { cmd: "publish", topic, payload, retain: false, dup: false } as const;
    this.cloud.packet(connection, { ...packet, qos: 1, messageId: 2, ...more });
  }

  /** A thing that is connected and has subscribed to all of its reserved topics. */
  thing(connection: number, name: string): void {
    const { certificatePem, privateKeyPem } = this.cloud.issueThing(name);
    if (!this.cloud.open(connection, certificatePem, privateKeyPem)) throw new Error("not open");
    this.connect(connection, name);
    this.subscribe(connection, [`$aws/things/${name}/#`]);
    this.take(connection);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: each test looks at the fields it is about.
export type Body = any;

function line(what: string, event: object): string {
  return `${what} ${JSON.stringify(event, (_key, value) =>
    value?.type === "Buffer" ? Buffer.from(value.data).toString("latin1") : value,
  )}`;
}
