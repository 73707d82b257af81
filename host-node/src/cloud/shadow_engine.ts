// What a request to the Device Shadow service does, at once and as a whole: reads or changes one
// shadow, and publishes the answer, the delta and the documents. Waits for nothing; when a request's
// turn comes is decided by its callers, shadow.ts at the desk and the cloud in memory.

import type { EngineContext, RefusedEvent, ServiceConnection, ServiceRequest } from "./service.js";
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

export type ShadowOperation = "get" | "update" | "delete";

interface Request {
  readonly thing: string;
  readonly name: string | null;
  readonly operation: ShadowOperation;
  readonly payload: Uint8Array;
  /** Null when the request is the cloud's own. */
  readonly connection: ServiceConnection | null;
}

const OPERATIONS: readonly ShadowOperation[] = ["get", "update", "delete"];
const PREFIX = "$aws/things";
const SHADOW_NAME = /^[a-zA-Z0-9:_-]+$/;

/** Filters of the requests. */
export const SHADOW_TOPICS = OPERATIONS.flatMap((operation) => [
  `${PREFIX}/+/shadow/${operation}`,
  `${PREFIX}/+/shadow/name/+/${operation}`,
]);

/** The thing that a request is about. */
export const thingOfTopic = (topic: string): string => topic.split("/")[2]!;

export class ShadowEngine {
  readonly name = "shadow";
  readonly topics = SHADOW_TOPICS;
  readonly #context: EngineContext;
  readonly #refused: (event: RefusedEvent) => void;
  readonly #shadows: ShadowStore;

  /** Opens the shadows in `context.files`; or those of `original`, on a copy of its files. */
  constructor(
    context: EngineContext,
    refused: (event: RefusedEvent) => void,
    original?: ShadowEngine,
  ) {
    this.#context = context;
    this.#refused = refused;
    const shadows = original === undefined ? undefined : original.#shadows;
    this.#shadows = new ShadowStore(context.files, shadows);
  }

  handle(request: ServiceRequest): void {
    const { connection, topic, payload } = request;
    const levels = topic.split("/");
    const operation = levels.at(-1) as ShadowOperation;
    const name = levels[4] === "name" ? levels[5]! : null;
    try {
      const answer = this.#execute({ thing: levels[2]!, name, operation, payload, connection });
      // Changes are told by those who make them, whoever asked.
      if (operation === "get") this.#publish(`${topic}/accepted`, answer);
    } catch (error) {
      this.reject(request, error);
    }
  }

  /** Answers a request that is not carried out. */
  reject({ connection, topic, payload }: ServiceRequest, error: unknown): void {
    const { code, message } = asShadowError(error);
    const { clock, limits } = this.#context;
    const rejected = { code, message, ...stamp(clock.now(), tokenIn(payload, limits)) };
    this.#publish(`${topic}/rejected`, rejected);
    const { clientId } = connection;
    this.#refused({ service: this.name, clientId, topic, code: String(code), message });
  }

  // --- The cloud's side: as over HTTPS at AWS, a refusal or a `get` publishes nothing ---

  /** Refusals, here and below, are thrown as ShadowError. */
  get(thing: string, name: string | null): ShadowDocument {
    return this.#ask(thing, name, "get");
  }

  update(thing: string, name: string | null, document: ShadowUpdateDocument): ShadowAccepted {
    return this.#ask(thing, name, "update", JSON.stringify(document));
  }

  delete(thing: string, name: string | null): ShadowDeleted {
    return this.#ask(thing, name, "delete");
  }

  #ask<Answer>(thing: string, name: string | null, operation: ShadowOperation, text = ""): Answer {
    const payload = Buffer.from(text);
    const answer = this.#execute({ thing, name, operation, payload, connection: null });
    // A copy, as a message is one: what the caller does to it does not touch the shadow.
    return JSON.parse(JSON.stringify(answer)) as Answer;
  }

  // --- Inside ---

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

function topicOf({ thing, name }: ShadowRecord, operation: ShadowOperation): string {
  return `${PREFIX}/${thing}/shadow${name === null ? "" : `/name/${name}`}/${operation}`;
}

function asShadowError(error: unknown): ShadowError {
  return error instanceof ShadowError ? error : new ShadowError(500, "Internal service failure");
}

/** The token of a request that was refused, if it can be read at all. */
function tokenIn(payload: Uint8Array, limits: EngineContext["limits"]): string | undefined {
  try {
    return clientTokenOf(parseRequest(payload, true), limits);
  } catch {
    return undefined;
  }
}
