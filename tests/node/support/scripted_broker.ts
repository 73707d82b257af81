// Port mqtt of the scripted device: a broker that answers as the test says, and by itself as a
// friendly one. It watches, in every test, what AWS would punish: CONNECTs less than a second
// apart, more than one SUBSCRIBE or UNSUBSCRIBE under way, publishes faster than 100 a second, more
// than eight unacknowledged QoS 1 publishes; an offence throws out of the core's call.

import assert from "node:assert/strict";
import { EventKind, INBOX_BYTES, type MqttPort, Status } from "../../../host-node/src/abi.js";
import type { Agenda } from "./agenda.js";
import { identities } from "./identities.js";

export interface Connect {
  readonly atMs: number;
  readonly endpoint: string;
  readonly port: number;
  readonly clientId: string;
  readonly keepAliveS: number;
  readonly rootCa: string;
  readonly certificate: string;
  readonly privateKey: string;
}

export interface Subscribe {
  readonly atMs: number;
  readonly connection: number;
  readonly token: number;
  readonly filter: string;
  readonly qos: number;
}

export interface Publish {
  readonly atMs: number;
  readonly connection: number;
  /** 0 for QoS 0. */
  readonly token: number;
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: number;
  readonly retain: boolean;
}

/** "silent": no answer; "close": the broker closes the connection. */
export type Silence = "silent" | "close";

const CONNECT_APART_MS = 1000;
const PUBLISH_APART_MS = 10;
const IN_FLIGHT_MAX = 8;
const SUBACK_WAIT_MS = 15_000;
const PUBACK_WAIT_MS = 20_000;

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

export class ScriptedBroker implements MqttPort {
  connectMs = 50;
  answerMs = 10;
  /** MQTT_UP, a Status for MQTT_DOWN, or nothing. */
  onConnect: (connect: Connect) => "up" | "silent" | number = () => "up";
  /** Granted QoS or a Status. */
  onSubscribe: (subscribe: Subscribe) => number | Silence = ({ qos }) => qos;
  onUnsubscribe: (subscribe: Subscribe) => number | Silence = () => Status.OK;
  onPublish: (publish: Publish) => "ack" | Silence = () => "ack";
  /** What the import itself answers, when that is negative. */
  acceptsConnect: () => number = () => Status.OK;
  acceptsSubscribe: (filter: string) => number = () => Status.OK;
  acceptsPublish: (topic: string) => number = () => Status.OK;
  /** Whether it answers DISCONNECT by closing. */
  closes = true;

  connects: Connect[] = [];
  subscribes: Subscribe[] = [];
  unsubscribes: Subscribe[] = [];
  publishes: Publish[] = [];
  state: "closed" | "opening" | "up" | "closing" = "closed";
  /** Number of the present connection; 0 before the first. */
  connection = 0;

  private lastConnectMs = Number.NEGATIVE_INFINITY;
  private lastToken = 0;
  private asked: Subscribe | null = null;
  private readonly inFlight = new Map<number, number>();
  private lastPublishMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly agenda: Agenda,
    private readonly readFlash: (offset: number, bytes: Uint8Array) => number,
    private readonly isNetworkUp: () => boolean,
  ) {}

  /** Forgets what was recorded, for tests with very many events. */
  forget(): void {
    this.connects.splice(0, this.connects.length - 1);
    this.subscribes.length = 0;
    this.unsubscribes.length = 0;
    this.publishes.length = 0;
  }

  private text(offset: number, size: number): string {
    const bytes = new Uint8Array(size);
    assert.equal(this.readFlash(offset, bytes), Status.OK);
    return textOf(bytes);
  }

  connect(
    endpoint: Uint8Array,
    port: number,
    clientId: Uint8Array,
    keepAliveS: number,
    ...places: number[]
  ): number {
    const refusal = this.acceptsConnect();
    if (refusal < 0) return refusal;
    if (this.state !== "closed") return Status.BUSY;
    if (!this.isNetworkUp()) return Status.NOT_READY;
    const [ca = 0, caSize = 0, certificate = 0, certificateSize = 0, key = 0, keySize = 0] = places;
    const connect: Connect = {
      atMs: this.agenda.nowMs,
      endpoint: textOf(endpoint),
      port,
      clientId: textOf(clientId),
      keepAliveS,
      rootCa: this.text(ca, caSize),
      certificate: this.text(certificate, certificateSize),
      privateKey: this.text(key, keySize),
    };
    assert.ok(connect.atMs - this.lastConnectMs > CONNECT_APART_MS, "CONNECTs too close together");
    this.lastConnectMs = connect.atMs;
    this.connects.push(connect);
    this.state = "opening";
    this.connection++;
    this.whileConnected(this.connectMs, () => this.answerConnect(this.onConnect(connect)));
    return Status.OK;
  }

  private answerConnect(answer: "up" | "silent" | number): void {
    if (answer === "silent" || this.state !== "opening") return;
    if (answer !== "up") {
      this.drop(answer);
      return;
    }
    this.state = "up";
    this.agenda.post(EventKind.MQTT_UP);
  }

  /** Happens unless the connection has ended by then. */
  private whileConnected(delayMs: number, happen: () => void): void {
    const { connection } = this;
    this.agenda.after(delayMs, () => {
      if (this.connection === connection && this.state !== "closed") happen();
    });
  }

  /** The connection ends; the core hears it as the next event. */
  drop(status: number = Status.CONNECTION_LOST): void {
    assert.notEqual(this.state, "closed", "no connection to drop");
    this.state = "closed";
    this.asked = null;
    this.inFlight.clear();
    this.agenda.post(EventKind.MQTT_DOWN, status);
  }

  networkLost(): void {
    if (this.state !== "closed") this.drop(Status.CONNECTION_LOST);
  }

  /** The device lost its power; what it may do is counted anew. */
  powerOff(): void {
    this.lastConnectMs = Number.NEGATIVE_INFINITY;
    this.lastPublishMs = Number.NEGATIVE_INFINITY;
    this.state = "closed";
    this.asked = null;
    this.inFlight.clear();
  }

  disconnect(): number {
    if (this.state === "closed" || this.state === "closing") return Status.NOT_READY;
    this.state = "closing";
    if (this.closes) this.whileConnected(this.answerMs, () => this.drop(Status.CLOSED));
    return Status.OK;
  }

  private nextToken(): number {
    this.lastToken = (this.lastToken % 0xffff) + 1;
    return this.lastToken;
  }

  private ask(filter: Uint8Array, qos: number, record: Subscribe[]): Subscribe | number {
    if (this.state !== "up") return Status.NOT_READY;
    const refusal = this.acceptsSubscribe(textOf(filter));
    if (refusal < 0) return refusal;
    const { nowMs: atMs } = this.agenda;
    const isFree = this.asked === null || atMs - this.asked.atMs >= SUBACK_WAIT_MS;
    assert.ok(isFree, "a SUBSCRIBE while another is under way");
    const { connection } = this;
    this.asked = { atMs, connection, token: this.nextToken(), filter: textOf(filter), qos };
    record.push(this.asked);
    return this.asked;
  }

  subscribe(filter: Uint8Array, qos: number): number {
    const asked = this.ask(filter, qos, this.subscribes);
    if (typeof asked === "number") return asked;
    this.reply(this.onSubscribe(asked), (granted) => this.suback(asked, granted as number));
    return asked.token;
  }

  unsubscribe(filter: Uint8Array): number {
    const asked = this.ask(filter, 0, this.unsubscribes);
    if (typeof asked === "number") return asked;
    this.reply(this.onUnsubscribe(asked), (status) => {
      this.answered(asked);
      this.agenda.post(EventKind.MQTT_UNSUBSCRIBED, asked.token, status as number);
    });
    return asked.token;
  }

  private reply<Answer>(answer: Answer | Silence, say: (answer: Answer) => void): void {
    if (answer === "silent") return;
    this.whileConnected(this.answerMs, () => {
      if (answer === "close") this.drop();
      else say(answer as Answer);
    });
  }

  private answered(asked: Subscribe): void {
    if (this.asked === asked) this.asked = null;
  }

  suback(asked: Subscribe, granted: number): void {
    this.answered(asked);
    this.agenda.post(EventKind.MQTT_SUBSCRIBED, asked.token, granted);
  }

  publish(topic: Uint8Array, payload: Uint8Array, flags: number): number {
    if (this.state !== "up") return Status.NOT_READY;
    const refusal = this.acceptsPublish(textOf(topic));
    if (refusal < 0) return refusal;
    const publish: Publish = {
      atMs: this.agenda.nowMs,
      connection: this.connection,
      token: (flags & 1) === 0 ? 0 : this.nextToken(),
      topic: textOf(topic),
      payload: Buffer.from(payload),
      qos: flags & 1,
      retain: (flags & 2) !== 0,
    };
    this.watch(publish);
    this.publishes.push(publish);
    const answer = this.onPublish(publish);
    if (answer === "close" || publish.qos === 1) this.reply(answer, () => this.puback(publish));
    return publish.token;
  }

  private watch({ atMs, token }: Publish): void {
    const apartMs = atMs - this.lastPublishMs;
    assert.ok(apartMs > PUBLISH_APART_MS, `publishes ${apartMs} ms apart`);
    this.lastPublishMs = atMs;
    if (token === 0) return;
    for (const [old, sentMs] of this.inFlight) {
      if (atMs - sentMs >= PUBACK_WAIT_MS) this.inFlight.delete(old);
    }
    this.inFlight.set(token, atMs);
    assert.ok(this.inFlight.size <= IN_FLIGHT_MAX, "too many QoS 1 publishes in flight");
  }

  puback({ token }: Publish, status: number = Status.OK): void {
    this.inFlight.delete(token);
    this.agenda.post(EventKind.MQTT_PUBLISHED, token, status);
  }

  /** A message for the device, in fragments of these sizes, else as large as the inbox holds. */
  message(topic: string, payload: string | Uint8Array, sizes?: readonly number[]): void {
    const bytes = Buffer.from(payload as string);
    let offset = 0;
    for (let index = 0; offset < bytes.length || index === 0; index++) {
      const name = Buffer.from(offset === 0 && index === 0 ? topic : "");
      const room = INBOX_BYTES - 2 - name.length;
      const part = bytes.subarray(offset, offset + Math.min(sizes?.[index] ?? room, room));
      this.fragment(name, bytes.length, offset, part);
      offset += part.length;
    }
  }

  /** One fragment by itself. */
  fragment(topic: string | Uint8Array, total: number, offset: number, part: Uint8Array): void {
    const name = Buffer.from(topic as string);
    const head = Buffer.alloc(2);
    head.writeUInt16LE(name.length);
    this.agenda.post(EventKind.MQTT_MESSAGE, total, offset, Buffer.concat([head, name, part]));
  }
}

/** Whose certificate a connection uses. */
export function identityOf({ certificate }: Connect): "thing" | "claim" | "issued" | "unknown" {
  for (const name of ["thing", "claim", "issued"] as const) {
    if (identities[name].certificate === certificate) return name;
  }
  return "unknown";
}
