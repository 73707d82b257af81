// The Jobs service as devices see it over MQTT: the four requests with their answers, which go to
// the connection that asked and need no subscription, and the two notifications, which go to
// whoever subscribed. What a request means stands in jobs_engine.ts.

import { copiedRates, TokenBucket } from "./clock.js";
import { JobsEngine, type JobsEngineOptions } from "./jobs_engine.js";
import {
  executionOf,
  isTerminal,
  type Pending,
  stateOf,
  summaryOf,
  withDocument,
} from "./jobs_model.js";
import {
  JobError,
  type JobRequest,
  jobTokenOf,
  parseJobPayload,
  parseJobRequest,
} from "./jobs_rules.js";
import type { EngineContext, RefusedEvent, Service, ServiceRequest } from "./service.js";
import { seconds } from "./shadow_document.js";

export interface JobsOptions extends Pick<JobsEngineOptions, "substitute" | "checkPlaceholder"> {
  readonly refused: (event: RefusedEvent) => void;
  /** Hears when `engine.advance` is to be called next. */
  readonly scheduled: (nextMs: number) => void;
}

type Operation = "get" | "start-next" | "describe" | "update";

interface Route {
  readonly operation: Operation;
  readonly thing: string;
  /** Empty for the operations that name no job. */
  readonly jobId: string;
}

const PREFIX = "$aws/things";
const NEXT = "$next";

export class JobsService implements Service {
  readonly name = "jobs";
  /** The whole name space: a topic in it that means nothing is answered with InvalidTopic. */
  readonly topics = [`${PREFIX}/+/jobs/#`];
  readonly engine: JobsEngine;
  readonly #context: EngineContext;
  readonly #options: JobsOptions;
  readonly #rates: Map<Operation, TokenBucket>;
  /** Notifications that wait until a request is answered; null when none is. */
  #held: (() => void)[] | null = null;

  /** Opens the jobs in `context.files`; or goes on where `original` is, on a copy of its files. */
  constructor(context: EngineContext, options: JobsOptions, original?: JobsService) {
    this.#context = context;
    this.#options = options;
    this.#rates = original === undefined ? new Map() : copiedRates(original.#rates);
    const listener = {
      listChanged: (thing: string, pending: readonly Pending[]) =>
        this.#afterAnswer(() => this.#notify(thing, pending)),
      nextChanged: (thing: string, next: Pending | null) =>
        this.#afterAnswer(() => this.#notifyNext(thing, next)),
      scheduled: options.scheduled,
    };
    this.engine = new JobsEngine(context, { ...options, listener }, original?.engine);
  }

  /** The answer goes first, and then what others, or the device itself, are notified of. */
  handle(request: ServiceRequest): void {
    this.#held = [];
    try {
      this.#answer(request);
    } finally {
      const held = this.#held;
      this.#held = null;
      for (const notify of held) notify();
    }
  }

  #afterAnswer(notify: () => void): void {
    if (this.#held === null) notify();
    else this.#held.push(notify);
  }

  #answer({ connection, topic, payload }: ServiceRequest): void {
    let clientToken: string | undefined;
    const tail = () => ({
      ...(clientToken === undefined ? {} : { clientToken }),
      timestamp: seconds(this.#context.clock.now()),
    });
    try {
      const route = this.#route(topic);
      this.#throttle(route.operation);
      const body = parseJobPayload(payload);
      clientToken = jobTokenOf(body);
      const request = parseJobRequest(body, this.#context.limits);
      const accepted = this.#perform(route, request, tail());
      connection.respond(`${topic}/accepted`, accepted, "always");
    } catch (error) {
      const { code, message, execution } = asJobError(error);
      const state = execution === null ? {} : { executionState: stateOf(execution) };
      const rejected = JSON.stringify({ code, message, ...tail(), ...state });
      connection.respond(`${topic}/rejected`, rejected, "always");
      this.#options.refused({
        service: this.name,
        clientId: connection.clientId,
        topic,
        code,
        message,
      });
    }
  }

  #route(topic: string): Route {
    const [, , thing = "", , ...levels] = topic.split("/");
    const [first = "", second] = levels;
    const { things } = this.#context.store.registry;
    const operation = operationOf(levels);
    if (operation === null) {
      throw new JobError("InvalidTopic", `${topic} is not the topic of a request`);
    }
    if (!things.has(thing)) throw new JobError("ResourceNotFound", `Thing ${thing} does not exist`);
    return { operation, thing, jobId: second === undefined ? "" : first };
  }

  #throttle(operation: Operation): void {
    const { clock, limits } = this.#context;
    const now = clock.now();
    const perSecond = limits.jobRequestsPerSecondMax;
    const rate = this.#rates.get(operation) ?? new TokenBucket(perSecond, now);
    this.#rates.set(operation, rate);
    if (rate.take(now)) return;
    const message = `More than ${perSecond} requests of this kind a second`;
    throw new JobError("RequestThrottled", message);
  }

  /** The JSON of the answer, which ends with `tail`. */
  #perform({ operation, thing, jobId }: Route, request: JobRequest, tail: object): string {
    switch (operation) {
      case "get":
        return JSON.stringify({ ...this.#lists(this.engine.pending(thing)), ...tail });
      case "start-next":
        return this.#execution(this.engine.startNext(thing, request), true, tail);
      case "describe": {
        const wanted = request.includeJobDocument ?? true;
        return this.#execution(this.#describe(thing, jobId, request), wanted, tail);
      }
      case "update": {
        const updated = this.engine.update(thing, jobId, request);
        const state = request.includeJobExecutionState
          ? { executionState: stateOf(updated.execution) }
          : {};
        const answer = { ...state, ...tail };
        if (!request.includeJobDocument) return JSON.stringify(answer);
        return withDocument(answer, this.engine.documentFor(updated));
      }
    }
  }

  #describe(thing: string, jobId: string, request: JobRequest): Pending | null {
    if (jobId === NEXT) return this.engine.next(thing);
    const found = this.engine.find(thing, jobId, request.executionNumber);
    if (!isTerminal(found.execution.status)) return found;
    const message = `Job ${jobId} has ended on ${thing}: ${found.execution.status}`;
    throw new JobError("TerminalStateReached", message);
  }

  /** `{"execution": ...}`, or without it when there is none. */
  #execution(pending: Pending | null, documentWanted: boolean, tail: object): string {
    if (pending === null) return JSON.stringify(tail);
    const execution = executionOf(pending);
    const text = documentWanted
      ? withDocument(execution, this.engine.documentFor(pending))
      : JSON.stringify(execution);
    return `{"execution":${text},${JSON.stringify(tail).slice(1)}`;
  }

  /** The first of the pending list, by state. */
  #split(pending: readonly Pending[]): { inProgress: object[]; queued: object[] } {
    const listed = pending.slice(0, this.#context.limits.jobPendingListMax);
    const inState = (status: string) =>
      listed.filter(({ execution }) => execution.status === status).map(summaryOf);
    return { inProgress: inState("IN_PROGRESS"), queued: inState("QUEUED") };
  }

  #lists(pending: readonly Pending[]): object {
    const { inProgress, queued } = this.#split(pending);
    return { inProgressJobs: inProgress, queuedJobs: queued };
  }

  #notify(thing: string, pending: readonly Pending[]): void {
    const { inProgress, queued } = this.#split(pending);
    const jobs = {
      ...(inProgress.length === 0 ? {} : { IN_PROGRESS: inProgress }),
      ...(queued.length === 0 ? {} : { QUEUED: queued }),
    };
    const timestamp = seconds(this.#context.clock.now());
    this.#publish(`${PREFIX}/${thing}/jobs/notify`, JSON.stringify({ timestamp, jobs }));
  }

  #notifyNext(thing: string, next: Pending | null): void {
    const topic = `${PREFIX}/${thing}/jobs/notify-next`;
    const tail = { timestamp: seconds(this.#context.clock.now()) };
    let text: string;
    try {
      text = this.#execution(next, true, tail);
    } catch (error) {
      // The device will ask for the document itself, and hear of the failure then.
      const { code, message } = asJobError(error);
      this.#options.refused({ service: this.name, clientId: thing, topic, code, message });
      text = this.#execution(next, false, tail);
    }
    this.#publish(topic, text);
  }

  #publish(topic: string, text: string): void {
    this.#context.publish(topic, text, 1);
  }
}

function operationOf(levels: readonly string[]): Operation | null {
  const [first, second] = levels;
  if (levels.length === 1 && (first === "get" || first === "start-next")) return first;
  if (levels.length !== 2 || first === "") return null;
  if (second === "get") return "describe";
  return second === "update" ? "update" : null;
}

function asJobError(error: unknown): JobError {
  if (error instanceof JobError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new JobError("InternalError", `Internal error: ${reason}`);
}
