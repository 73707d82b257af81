// The Device Shadow service: classic and named shadows over MQTT, and the same operations for the
// cloud's own side, which differ only in how the answer comes. A request waits a moment before it
// is handled, in order of arrival, so that more than ten of one thing can be under way and are
// refused.

import type { Service, ServiceConnection, ServiceContext, ServiceRequest } from "./service.js";
import {
  acceptedOf,
  clientTokenOf,
  deltaOf,
  documentOf,
  documentsOf,
  type JsonObject,
  parseRequest,
  parseUpdate,
  type ShadowAccepted,
  type ShadowDeleted,
  type ShadowDocument,
  ShadowError,
  type ShadowRecord,
  stamp,
  updated,
} from "./shadow_document.js";
import { ShadowStore } from "./shadow_store.js";

/** An update as AWS takes it. */
export interface ShadowUpdateDocument {
  readonly state: { readonly desired?: object | null; readonly reported?: object | null } | null;
  readonly version?: number;
  readonly clientToken?: string;
}

/** One shadow, from the cloud's side. A refusal is thrown as a ShadowError with AWS's code. */
export interface ShadowHandle {
  get(): Promise<ShadowDocument>;
  update(document: ShadowUpdateDocument): Promise<ShadowAccepted>;
  delete(): Promise<ShadowDeleted>;
}

/** A request that a service answered on a `/rejected` topic. */
export interface RefusedEvent {
  readonly service: string;
  readonly clientId: string;
  readonly topic: string;
  readonly code: string;
  readonly message: string;
}

export interface ShadowOptions {
  /** Milliseconds between a request and its handling; 0 is the next turn of the event loop. */
  readonly latencyMs: number;
  readonly refused: (event: RefusedEvent) => void;
}

type Operation = "get" | "update" | "delete";

interface Request {
  readonly thing: string;
  readonly name: string | null;
  readonly operation: Operation;
  readonly payload: Uint8Array;
  /** Null when the request is the cloud's own. */
  readonly connection: ServiceConnection | null;
}

const OPERATIONS: readonly Operation[] = ["get", "update", "delete"];
const PREFIX = "$aws/things";
const SHADOW_NAME = /^[a-zA-Z0-9:_-]+$/;

export class ShadowService implements Service {
  readonly name = "shadow";
  readonly topics = OPERATIONS.flatMap((operation) => [
    `${PREFIX}/+/shadow/${operation}`,
    `${PREFIX}/+/shadow/name/+/${operation}`,
  ]);
  readonly #context: ServiceContext;
  readonly #options: ShadowOptions;
  readonly #shadows: ShadowStore;
  /** How many requests are under way, by thing. */
  readonly #inFlight = new Map<string, number>();

  constructor(context: ServiceContext, options: ShadowOptions) {
    this.#context = context;
    this.#options = options;
    this.#shadows = new ShadowStore(context.directory);
  }

  async handle({ connection, topic, payload }: ServiceRequest): Promise<void> {
    const levels = topic.split("/");
    const operation = levels.at(-1) as Operation;
    const name = levels[4] === "name" ? levels[5]! : null;
    try {
      const request = { thing: levels[2]!, name, operation, payload, connection };
      const answer = await this.#perform(request);
      // Changes are told by those who make them, whoever asked.
      if (operation === "get") this.#publish(`${topic}/accepted`, answer);
    } catch (error) {
      const { code, message } = asShadowError(error);
      const { clock, limits } = this.#context;
      const rejected = { code, message, ...stamp(clock.now(), tokenIn(payload, limits)) };
      this.#publish(`${topic}/rejected`, rejected);
      const { clientId } = connection;
      this.#options.refused({ service: "shadow", clientId, topic, code: String(code), message });
    }
  }

  /**
   * A shadow from the cloud's side. As over HTTPS at AWS, a refusal or a `get` publishes nothing.
   */
  open(thing: string, name: string | null): ShadowHandle {
    const perform = async <Answer>(operation: Operation, payload: Uint8Array): Promise<Answer> => {
      const answer = await this.#perform({ thing, name, operation, payload, connection: null });
      // A copy, as a message is one: what the caller does to it does not touch the shadow.
      return JSON.parse(JSON.stringify(answer)) as Answer;
    };
    const none = new Uint8Array();
    return {
      get: () => perform<ShadowDocument>("get", none),
      update: (document) =>
        perform<ShadowAccepted>("update", Buffer.from(JSON.stringify(document))),
      delete: () => perform<ShadowDeleted>("delete", none),
    };
  }

  /** Counts the request, waits, and carries it out. */
  async #perform(request: Request): Promise<object> {
    const { thing } = request;
    const count = this.#inFlight.get(thing) ?? 0;
    if (count >= this.#context.limits.shadowRequestsInFlightMax) {
      throw new ShadowError(429, "Too many requests are in flight");
    }
    this.#inFlight.set(thing, count + 1);
    try {
      await this.#delay();
      return this.#execute(request);
    } finally {
      const left = this.#inFlight.get(thing)! - 1;
      if (left === 0) this.#inFlight.delete(thing);
      else this.#inFlight.set(thing, left);
    }
  }

  #delay(): Promise<void> {
    const { latencyMs } = this.#options;
    return new Promise((resolve) => {
      if (latencyMs === 0) setImmediate(resolve);
      else this.#context.clock.after(latencyMs, resolve);
    });
  }

  /** One step, without a wait in it: what it reads is what it changes. */
  #execute(request: Request): object {
    this.#authorise(request.connection);
    this.#checkNames(request);
    const body = parseRequest(request.payload, request.operation !== "update");
    if (request.operation === "update") return this.#update(request, body);
    const clientToken = clientTokenOf(body, this.#context.limits);
    const record = this.#record(request);
    if (record.state === null) {
      const { thing, name } = request;
      const full = name === null ? thing : `${thing}~${name}`;
      throw new ShadowError(404, `No shadow exists with name: '${full}'`);
    }
    if (request.operation === "get") {
      return documentOf(record, this.#context.clock.now(), clientToken);
    }
    return this.#delete(record, clientToken);
  }

  /** The broker has asked the policy; the certificate may have lost its rights since. */
  #authorise(connection: ServiceConnection | null): void {
    if (connection === null) return;
    const { certificates } = this.#context.store.registry;
    const status = certificates.get(connection.certificateId)?.status;
    if (status !== "ACTIVE") throw new ShadowError(403, "Forbidden");
  }

  #checkNames({ thing, name }: Request): void {
    const { limits, store } = this.#context;
    if (!store.registry.things.has(thing)) throw new ShadowError(404, "Thing not found");
    if (name === null) return;
    if (!SHADOW_NAME.test(name) || Buffer.byteLength(name) > limits.shadowNameBytesMax) {
      throw new ShadowError(400, "Invalid shadow name");
    }
  }

  /** The stored shadow. One that was deleted long ago is forgotten, and its version with it. */
  #record({ thing, name }: Request): ShadowRecord {
    const { clock, limits } = this.#context;
    const record = this.#shadows.get(thing, name);
    const expired = clock.now() - record.changed >= limits.shadowVersionKeptMs;
    return record.state === null && expired ? { ...record, version: 0 } : record;
  }

  #update(request: Request, body: JsonObject): ShadowAccepted {
    const { clock, limits } = this.#context;
    const update = parseUpdate(body, limits);
    const before = this.#record(request);
    const after = updated(before, update, clock.now(), limits);
    this.#shadows.put(after);
    const accepted = acceptedOf(after, update);
    const topic = topicOf(after, "update");
    this.#publish(`${topic}/accepted`, accepted);
    const delta = deltaOf(after);
    if (delta !== null) {
      const { version, changed } = after;
      this.#publish(`${topic}/delta`, { version, ...stamp(changed, update.clientToken), ...delta });
    }
    this.#publish(`${topic}/documents`, documentsOf(before, after, update.clientToken));
    return accepted;
  }

  #delete(record: ShadowRecord, clientToken: string | undefined): ShadowDeleted {
    const changed = this.#context.clock.now();
    this.#shadows.put({ ...record, state: null, metadata: {}, changed });
    const deleted = { version: record.version, ...stamp(changed, clientToken) };
    this.#publish(`${topicOf(record, "delete")}/accepted`, deleted);
    return deleted;
  }

  #publish(topic: string, message: object): void {
    this.#context.publish(topic, JSON.stringify(message), 1);
  }
}

function topicOf({ thing, name }: ShadowRecord, operation: Operation): string {
  return `${PREFIX}/${thing}/shadow${name === null ? "" : `/name/${name}`}/${operation}`;
}

function asShadowError(error: unknown): ShadowError {
  return error instanceof ShadowError ? error : new ShadowError(500, "Internal service failure");
}

/** The token of a request that was refused, if it can be read at all. */
function tokenIn(payload: Uint8Array, limits: ServiceContext["limits"]): string | undefined {
  try {
    return clientTokenOf(parseRequest(payload, true), limits);
  } catch {
    return undefined;
  }
}
