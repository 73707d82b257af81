// The shadow and jobs services as far as a scripted device meets them: they keep documents,
// versions and executions as AWS does, and answer in virtual time. A test may answer in their
// place, let an answer be lost, choose the order of answer and delta, and where messages are cut
// into fragments.

import assert from "node:assert/strict";
import { THING } from "./identities.js";
import type { Publish } from "./scripted_broker.js";
import type { ScriptedDevice } from "./scripted_host.js";

export type Json = { [key: string]: unknown };
/** What a test says to a request: a message in place of the answer, silence, or "normal". */
export type Reply = "normal" | "silent" | { readonly leaf: string; readonly payload: unknown };

export interface Request {
  readonly atMs: number;
  readonly topic: string;
  readonly body: Json;
}

export const code = (number: number, message = "no"): Reply => ({
  leaf: "rejected",
  payload: { code: number, message },
});

const ANSWER_MS = 20;

abstract class Service {
  requests: Request[] = [];
  onRequest: (request: Request) => Reply = () => "normal";
  sizes: number[] | undefined;

  constructor(protected device: ScriptedDevice) {}

  /** A message to the present connection, if that subscribed to it (or must not have to). */
  send(topic: string, payload: unknown, { delayMs = ANSWER_MS, direct = false } = {}): void {
    const { broker, agenda } = this.device;
    const { connection } = broker;
    const text = typeof payload === "string" ? payload : JSON.stringify(payload);
    const bytes = payload instanceof Uint8Array ? payload : Buffer.from(text);
    const isHeard = () =>
      direct ||
      broker.subscribes.some(
        (entry) => entry.connection === connection && matches(entry.filter, topic),
      );
    agenda.after(delayMs, () => {
      if (broker.connection !== connection || broker.state !== "up" || !isHeard()) return;
      broker.message(topic, bytes, this.sizes);
    });
  }

  protected note(publish: Publish): Request {
    const text = publish.payload.toString();
    assert.ok(!text.includes("\ufffd"), "a request that is not UTF-8");
    const request = { atMs: publish.atMs, topic: publish.topic, body: JSON.parse(text) as Json };
    this.requests.push(request);
    return request;
  }

  protected override(request: Request, direct: boolean): boolean {
    const reply = this.onRequest(request);
    if (reply === "normal") return false;
    if (reply === "silent") return true;
    const { clientToken } = request.body;
    const { payload } = reply;
    const content =
      typeof payload === "object" && !(payload instanceof Uint8Array)
        ? { clientToken, ...payload }
        : payload;
    this.send(`${request.topic}/${reply.leaf}`, content, { direct });
    return true;
  }
}

function matches(filter: string, topic: string): boolean {
  const [names, levels] = [filter.split("/"), topic.split("/")];
  return (
    names.length === levels.length && names.every((name, at) => name === "+" || name === levels[at])
  );
}

// ---- shadows
// -------------------------------------------------------------------------------------

interface Document {
  version: number;
  desired: Json;
  reported: Json;
}

export class ScriptedShadows extends Service {
  readonly documents = new Map<string, Document>();
  /** The delta of an update comes before its answer. */
  deltaFirst = false;

  attach(device: ScriptedDevice): void {
    this.device = device;
    device.broker.onPublish = (publish) => {
      this.answer(publish);
      return "ack";
    };
  }

  static on(device: ScriptedDevice): ScriptedShadows {
    const shadows = new ScriptedShadows(device);
    shadows.attach(device);
    return shadows;
  }

  static base(name: string): string {
    return `$aws/things/${THING}/shadow${name === "" ? "" : `/name/${name}`}`;
  }

  get updates(): Json[] {
    return this.requests.flatMap(({ topic, body }) => (topic.endsWith("/update") ? [body] : []));
  }

  get gets(): number {
    return this.requests.filter(({ topic }) => topic.endsWith("/get")).length;
  }

  of(name: string): Document {
    const document = this.documents.get(name);
    assert.ok(document, `no shadow ${name}`);
    return document;
  }

  put(name: string, desired: Json, reported: Json = {}, version = 1): void {
    this.documents.set(name, { desired, reported, version });
  }

  /** The cloud's own update; its answer goes to every subscriber, as on AWS. */
  update(name: string, state: Json, clientToken?: string): void {
    this.apply(name, { state, clientToken });
  }

  private answer(publish: Publish): void {
    const [, name = "", leaf = ""] =
      /^\$aws\/things\/[^/]+\/shadow(?:\/name\/([^/]+))?\/(get|update)$/.exec(publish.topic) ?? [];
    if (leaf === "") return;
    const request = this.note(publish);
    if (this.override(request, false)) return;
    if (leaf === "get") this.get(name, request);
    else this.apply(name, request.body);
  }

  private get(name: string, { topic, body }: Request): void {
    const { clientToken } = body;
    const document = this.documents.get(name);
    if (document === undefined) {
      this.send(`${topic}/rejected`, { code: 404, message: "No shadow exists", clientToken });
      return;
    }
    const { desired, reported, version } = document;
    const delta = difference(desired, reported);
    const state = {
      ...(Object.keys(desired).length > 0 ? { desired } : {}),
      ...(Object.keys(reported).length > 0 ? { reported } : {}),
      ...(Object.keys(delta).length > 0 ? { delta } : {}),
    };
    const metadata = { desired: stamps(desired), reported: stamps(reported) };
    this.send(`${topic}/accepted`, { state, metadata, version, timestamp: 1, clientToken });
  }

  private apply(name: string, body: Json): void {
    const topic = `${ScriptedShadows.base(name)}/update`;
    const { clientToken } = body;
    const document = this.documents.get(name) ?? { desired: {}, reported: {}, version: 0 };
    if (body["version"] !== undefined && body["version"] !== document.version) {
      this.send(`${topic}/rejected`, { code: 409, message: "Version conflict", clientToken });
      return;
    }
    const state = body["state"] as { desired?: Json; reported?: Json };
    Object.assign(document.desired, state.desired);
    Object.assign(document.reported, state.reported);
    document.version++;
    this.documents.set(name, document);
    const { version } = document;
    const tell = () =>
      this.send(`${topic}/accepted`, { state, metadata: {}, version, timestamp: 1, clientToken });
    if (!this.deltaFirst) tell();
    this.sendDelta(name, clientToken);
    if (this.deltaFirst) tell();
  }

  sendDelta(name: string, clientToken?: unknown): void {
    const { desired, reported, version } = this.of(name);
    const delta = difference(desired, reported);
    if (Object.keys(delta).length === 0) return;
    const metadata = stamps(delta);
    this.send(`${ScriptedShadows.base(name)}/update/delta`, {
      version,
      timestamp: 1,
      state: delta,
      metadata,
      clientToken,
    });
  }
}

function difference(desired: Json, reported: Json): Json {
  return Object.fromEntries(
    Object.entries(desired).filter(
      ([key, value]) => JSON.stringify(value) !== JSON.stringify(reported[key]),
    ),
  );
}

function stamps(state: Json): Json {
  return Object.fromEntries(Object.keys(state).map((key) => [key, { timestamp: 1 }]));
}

// ---- jobs
// ----------------------------------------------------------------------------------------

const ENDED = ["SUCCEEDED", "FAILED", "REJECTED", "CANCELED", "TIMED_OUT", "REMOVED"];
const MINE = ["IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"];

export interface Execution {
  readonly jobId: string;
  /** Content, or JSON as it is. */
  readonly document: unknown;
  readonly number: number;
  status: string;
  version: number;
  details: Json;
  /** Every status that a device set, in order. */
  readonly told: string[];
  stepTimeout?: unknown;
}

const JOBS = `$aws/things/${THING}/jobs`;

export class ScriptedJobs extends Service {
  readonly executions: Execution[] = [];
  private announced: string | undefined;

  static on(device: ScriptedDevice): ScriptedJobs {
    const jobs = new ScriptedJobs(device);
    jobs.attach(device);
    return jobs;
  }

  /** The same cloud for another device, or another life of it. */
  attach(device: ScriptedDevice): void {
    this.device = device;
    device.broker.onPublish = (publish) => {
      this.answer(publish);
      return "ack";
    };
  }

  create(jobId: string, document: unknown): Execution {
    const number = 1;
    const told: string[] = [];
    const base = { jobId, document, number, told };
    const execution = { ...base, status: "QUEUED", version: 1, details: {} };
    this.executions.push(execution);
    this.notify();
    return execution;
  }

  cancel(execution: Execution, status = "CANCELED"): void {
    execution.status = status;
    execution.version++;
    this.notify();
  }

  get updates(): Json[] {
    return this.requests.flatMap(({ topic, body }) => (topic.endsWith("/update") ? [body] : []));
  }

  get starts(): number {
    return this.requests.filter(({ topic }) => topic.endsWith("/start-next")).length;
  }

  private next(): Execution | undefined {
    const open = this.executions.filter(({ status }) => !ENDED.includes(status));
    return open.find(({ status }) => status === "IN_PROGRESS") ?? open[0];
  }

  /** notify-next, when the next job is another one. */
  notify(): void {
    const next = this.next();
    if (next?.jobId === this.announced) return;
    this.announced = next?.jobId;
    const execution = next === undefined ? {} : { execution: describe(next) };
    this.send(`${JOBS}/notify-next`, text({ timestamp: 1, ...execution }));
  }

  private answer(publish: Publish): void {
    const [, leaf = "", jobId = ""] =
      /^\$aws\/things\/[^/]+\/jobs\/(start-next|([^/]+)\/update)$/.exec(publish.topic) ?? [];
    if (leaf === "") return;
    const request = this.note(publish);
    if (this.override(request, true)) return;
    if (leaf === "start-next") this.startNext(request);
    else this.update(request, jobId);
  }

  private startNext({ topic, body }: Request): void {
    const next = this.next();
    if (next?.status === "QUEUED") {
      next.status = "IN_PROGRESS";
      next.version++;
    }
    const { clientToken } = body;
    const execution = next === undefined ? {} : { execution: describe(next) };
    const content = text({ clientToken, timestamp: 1, ...execution });
    this.send(`${topic}/accepted`, content, { direct: true });
  }

  private update(request: Request, jobId: string): void {
    const { topic, body } = request;
    const { clientToken } = body;
    const execution = this.executions.find((entry) => entry.jobId === jobId);
    const refuse = (name: string) => {
      const state = execution && {
        executionState: { status: execution.status, versionNumber: execution.version },
      };
      const content = { code: name, message: "no", clientToken, timestamp: 1, ...state };
      this.send(`${topic}/rejected`, content, { direct: true });
    };
    if (execution === undefined) refuse("ResourceNotFound");
    else if (ENDED.includes(execution.status)) refuse("InvalidStateTransition");
    else if (body["expectedVersion"] !== execution.version) refuse("VersionMismatch");
    else this.accept(request, execution);
  }

  private accept({ topic, body }: Request, execution: Execution): void {
    const { clientToken } = body;
    assert.ok(MINE.includes(body["status"] as string), "a status that a device may not set");
    execution.status = body["status"] as string;
    execution.told.push(execution.status);
    execution.version++;
    execution.stepTimeout = body["stepTimeoutInMinutes"];
    Object.assign(execution.details, body["statusDetails"]);
    this.send(`${topic}/accepted`, { clientToken, timestamp: 1 }, { direct: true });
    this.notify();
  }
}

/** jobDocument as it is where the test gave its text. */
const PLACE = "the document stands here";

function describe({ jobId, document, status, version, number }: Execution): Json {
  const times = { queuedAt: 1, lastUpdatedAt: 1, startedAt: 1 };
  const raw = typeof document === "string" || document instanceof Uint8Array;
  const jobDocument = raw
    ? { [PLACE]: Buffer.from(document as string).toString("latin1") }
    : document;
  return {
    jobId,
    thingName: THING,
    status,
    statusDetails: { jobId: "a trap", code: "x", versionNumber: "7" },
    ...times,
    jobDocument,
    versionNumber: version,
    executionNumber: number,
  };
}

function text(content: Json): Uint8Array {
  const plain = JSON.stringify(content);
  const found = new RegExp(`\\{"${PLACE}":"((?:[^"\\\\]|\\\\.)*)"\\}`).exec(plain);
  if (found === null) return Buffer.from(plain);
  const raw = Buffer.from(JSON.parse(`"${found[1]}"`) as string, "latin1");
  const [head, tail] = [plain.slice(0, found.index), plain.slice(found.index + found[0].length)];
  return Buffer.concat([Buffer.from(head), raw, Buffer.from(tail)]);
}
