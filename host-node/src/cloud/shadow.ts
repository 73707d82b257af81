// The Device Shadow service of the desk: lets requests take their time. A request waits a moment
// before it is carried out (shadow_engine.ts), in order of arrival, so that more than ten of one
// thing can be under way and are refused. The cloud's own requests wait and count like a device's.

import type { RefusedEvent, Service, ServiceContext, ServiceRequest } from "./service.js";
import {
  type ShadowAccepted,
  type ShadowDeleted,
  type ShadowDocument,
  ShadowError,
} from "./shadow_document.js";
import { ShadowEngine, type ShadowUpdateDocument, thingOfTopic } from "./shadow_engine.js";

export type { ShadowUpdateDocument } from "./shadow_engine.js";

/** One shadow, from the cloud's side. A refusal is thrown as a ShadowError with AWS's code. */
export interface ShadowHandle {
  get(): Promise<ShadowDocument>;
  update(document: ShadowUpdateDocument): Promise<ShadowAccepted>;
  delete(): Promise<ShadowDeleted>;
}

export interface ShadowOptions {
  /** Milliseconds between a request and its handling; 0 is the next turn of the event loop. */
  readonly latencyMs: number;
  readonly refused: (event: RefusedEvent) => void;
}

export class ShadowService implements Service {
  readonly name: string;
  readonly topics: readonly string[];
  readonly #context: ServiceContext;
  readonly #latencyMs: number;
  readonly #engine: ShadowEngine;
  /** How many requests are under way, by thing. */
  readonly #inFlight = new Map<string, number>();

  constructor(context: ServiceContext, { latencyMs, refused }: ShadowOptions) {
    this.#context = context;
    this.#latencyMs = latencyMs;
    this.#engine = new ShadowEngine(context, refused);
    this.name = this.#engine.name;
    this.topics = this.#engine.topics;
  }

  async handle(request: ServiceRequest): Promise<void> {
    try {
      await this.#inTurn(thingOfTopic(request.topic), () => this.#engine.handle(request));
    } catch (error) {
      this.#engine.reject(request, error);
    }
  }

  /** A shadow from the cloud's side. */
  open(thing: string, name: string | null): ShadowHandle {
    const engine = this.#engine;
    return {
      get: () => this.#inTurn(thing, () => engine.get(thing, name)),
      update: (document) => {
        // As it is now, whatever the caller does to it before its turn comes.
        const asked = JSON.parse(JSON.stringify(document)) as ShadowUpdateDocument;
        return this.#inTurn(thing, () => engine.update(thing, name, asked));
      },
      delete: () => this.#inTurn(thing, () => engine.delete(thing, name)),
    };
  }

  /** Counts the request, waits, and carries it out in one step. */
  async #inTurn<Answer>(thing: string, carryOut: () => Answer): Promise<Answer> {
    const count = this.#inFlight.get(thing) ?? 0;
    if (count >= this.#context.limits.shadowRequestsInFlightMax) {
      throw new ShadowError(429, "Too many requests are in flight");
    }
    this.#inFlight.set(thing, count + 1);
    try {
      await this.#delay();
      return carryOut();
    } finally {
      const left = this.#inFlight.get(thing)! - 1;
      if (left === 0) this.#inFlight.delete(thing);
      else this.#inFlight.set(thing, left);
    }
  }

  #delay(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#latencyMs === 0) setImmediate(resolve);
      else this.#context.clock.after(this.#latencyMs, resolve);
    });
  }
}
