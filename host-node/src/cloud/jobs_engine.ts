// The jobs of the account: creates, cancels and deletes them, carries out what devices ask, and
// lets time do its part (rollout by the minute, time-outs) when it is told that the moment has
// come. Every change of a job passes through one function, which stores it and then tells the
// things whose list or next job is another. Waits for nothing: whoever owns it owns the timer.

import {
  byTurn,
  type CreateJobOptions,
  describe,
  describeExecution,
  describeSummary,
  type ExecutionDescription,
  type ExecutionRecord,
  isTerminal,
  type JobDescription,
  type JobRecord,
  type JobStatus,
  type JobSummary,
  type Pending,
} from "./jobs_model.js";
import { checkJob, checkJobId, JobError, type JobRequest, substituted } from "./jobs_rules.js";
import {
  type Cancellation,
  cancelled,
  followed,
  nextWindowOf,
  released,
  settled,
  timedOut,
  timeoutAt,
  withExecution,
} from "./jobs_state.js";
import { JobStore } from "./jobs_store.js";
import type { EngineContext } from "./service.js";

const MINUTE_MS = 60_000;

/** For whom, and for how long, a placeholder is replaced. */
export interface SubstitutionContext {
  readonly jobId: string;
  readonly thingName: string;
  readonly executionNumber: number;
  /** Life of a presigned URL, from the job's presignedUrlConfig. */
  readonly expiresInSeconds: number;
}

/**
 * Replaces one placeholder of a job document, named without `${` and `}`, for instance
 * "aws:iot:s3-presigned-url:https://s3.amazonaws.com/bucket/key". Asked each time a device gets the
 * document. What it throws is an InternalError to the device.
 */
export type Substitute = (placeholder: string, context: SubstitutionContext) => string;

/** Who tells the devices. */
export interface JobsListener {
  /** The list of a thing's pending jobs, or a status in it, has changed. */
  listChanged(thing: string, pending: readonly Pending[]): void;
  /** Another job, or none, is the next one. */
  nextChanged(thing: string, next: Pending | null): void;
  /** `nextMs` may be another. */
  scheduled(nextMs: number): void;
}

export interface JobsEngineOptions {
  readonly substitute: Substitute;
  /** Throws a JobError, when a job is created, for what `substitute` could not replace. */
  readonly checkPlaceholder: (placeholder: string) => void;
  readonly listener: JobsListener;
}

export class JobsEngine {
  readonly #context: EngineContext;
  readonly #options: JobsEngineOptions;
  readonly #jobs: JobStore;
  #nextMs = Number.POSITIVE_INFINITY;

  /** Opens the jobs in `context.files`; or goes on where `original` is, on a copy of its files. */
  constructor(context: EngineContext, options: JobsEngineOptions, original?: JobsEngine) {
    this.#context = context;
    this.#options = options;
    if (original !== undefined) {
      this.#jobs = new JobStore(context.files, original.#jobs);
      this.#nextMs = original.#nextMs;
      return;
    }
    this.#jobs = new JobStore(context.files);
    // Groups may have changed in the moment in which the last process ended.
    this.followGroups();
    this.#schedule();
  }

  /** When `advance` is to be called: the next moment at which time changes a job, or infinite. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /** Carries out what time has brought about by now. */
  advance(): void {
    const { clock, limits } = this.#context;
    const now = clock.now();
    for (const job of this.#jobs.all()) {
      // Too many time-outs abort the job before it reaches more things.
      const judged = settled(timedOut(job, now, limits), now);
      const next = released(judged, now, limits);
      if (next !== job) this.#commit(next, now);
    }
    this.#schedule();
  }

  // --- The cloud's side ---

  create(options: CreateJobOptions): JobDescription {
    const { limits, clock, random } = this.#context;
    const checked = checkJob(options, limits, this.#options.checkPlaceholder, random);
    if (this.#jobs.get(checked.jobId) !== undefined) {
      throw new JobError("ResourceAlreadyExists", `Job ${checked.jobId} exists already`);
    }
    this.#checkTargets(checked.things, checked.groups);
    const now = clock.now();
    const blank: JobRecord = {
      ...checked,
      sequence: this.#jobs.nextSequence(),
      targetSelection: options.targetSelection ?? "SNAPSHOT",
      description: options.description ?? null,
      status: "IN_PROGRESS",
      forceCanceled: false,
      reasonCode: null,
      comment: null,
      createdAt: now,
      lastUpdatedAt: now,
      completedAt: null,
      waiting: [],
      window: { startedAt: now, released: 0 },
      executions: new Map(),
    };
    const job = { ...blank, waiting: this.#membersOf(blank) };
    this.#commit(released(job, now, limits), now);
    return this.describe(job.jobId);
  }

  describe(jobId: string): JobDescription {
    return describe(this.#job(jobId));
  }

  list(status?: JobStatus): JobSummary[] {
    const jobs = this.#jobs.all().filter((job) => status === undefined || job.status === status);
    return jobs.map(describeSummary);
  }

  executions(jobId: string): ExecutionDescription[] {
    const job = this.#job(jobId);
    const now = this.#context.clock.now();
    return [...job.executions.values()].map((record) => describeExecution(job, record, now));
  }

  cancel(jobId: string, cancellation: Cancellation): JobDescription {
    const job = this.#job(jobId);
    // A second cancellation may add the force that the first one lacked.
    const again = job.status === "CANCELED" && cancellation.force;
    if (job.status !== "IN_PROGRESS" && !again) {
      throw new JobError("InvalidStateTransition", `Job ${jobId} is ${job.status} already`);
    }
    const now = this.#context.clock.now();
    this.#commit(cancelled(job, cancellation, now), now);
    return this.describe(jobId);
  }

  delete(jobId: string, { force }: { readonly force: boolean }): void {
    const job = this.#job(jobId);
    if (job.status === "IN_PROGRESS" && !force) {
      const hint = "cancel it first, or force the deletion";
      throw new JobError("InvalidStateTransition", `Job ${jobId} is ${job.status}; ${hint}`);
    }
    const pending = [...job.executions.values()].filter(({ status }) => !isTerminal(status));
    this.#change(
      pending.map(({ thing }) => thing),
      () => this.#jobs.delete(jobId),
    );
  }

  /** To be called when a thing has joined or left a group. */
  followGroups(): void {
    const { clock, limits } = this.#context;
    const now = clock.now();
    for (const job of this.#jobs.all()) {
      const next = followed(job, this.#membersOf(job), now);
      if (next !== job) this.#commit(released(next, now, limits), now);
    }
  }

  // --- The devices' side ---

  /** What waits for a thing, in AWS's order. */
  pending(thing: string): Pending[] {
    const pending: Pending[] = [];
    for (const job of this.#jobs.all()) {
      const execution = job.executions.get(thing);
      if (execution !== undefined && !isTerminal(execution.status)) {
        pending.push({ job, execution });
      }
    }
    return pending.sort(byTurn);
  }

  next(thing: string): Pending | null {
    return this.pending(thing)[0] ?? null;
  }

  /** A device's execution of a job. */
  find(thing: string, jobId: string, executionNumber: number | undefined): Pending {
    checkJobId(jobId, this.#context.limits);
    const job = this.#jobs.get(jobId);
    const execution = job?.executions.get(thing);
    const other = executionNumber !== undefined && executionNumber !== execution?.executionNumber;
    if (job === undefined || execution === undefined || other) {
      const number = executionNumber === undefined ? "" : ` number ${executionNumber}`;
      throw new JobError("ResourceNotFound", `${thing} has no execution${number} of job ${jobId}`);
    }
    return { job, execution };
  }

  /** Starts the next job, or finds it under way. Null when nothing is pending. */
  startNext(thing: string, request: JobRequest): Pending | null {
    const next = this.next(thing);
    if (next === null) return null;
    const now = this.#context.clock.now();
    const { job, execution } = next;
    const stepDeadline = stepDeadlineOf(execution, request, now);
    if (execution.status === "IN_PROGRESS" && stepDeadline === execution.stepDeadline) return next;
    // What is under way keeps its details and version; only the step timer may start again.
    const started: ExecutionRecord =
      execution.status === "IN_PROGRESS"
        ? { ...execution, stepDeadline }
        : {
            ...execution,
            status: "IN_PROGRESS",
            statusDetails: request.statusDetails ?? execution.statusDetails,
            startedAt: now,
            lastUpdatedAt: now,
            versionNumber: execution.versionNumber + 1,
            stepDeadline,
          };
    this.#commit(withExecution(job, started), now);
    return this.find(thing, job.jobId, undefined);
  }

  update(thing: string, jobId: string, request: JobRequest): Pending {
    const { job, execution } = this.find(thing, jobId, request.executionNumber);
    const { status, statusDetails, expectedVersion } = request;
    if (status === undefined) throw new JobError("InvalidRequest", "status is missing");
    const { versionNumber } = execution;
    if (expectedVersion !== undefined && expectedVersion !== versionNumber) {
      const message = `Version ${expectedVersion} is expected, the execution has ${versionNumber}`;
      throw new JobError("VersionMismatch", message, execution);
    }
    if (isTerminal(execution.status)) {
      const message = `An execution that is ${execution.status} cannot become ${status}`;
      throw new JobError("InvalidStateTransition", message, execution);
    }
    const now = this.#context.clock.now();
    const updated: ExecutionRecord = {
      ...execution,
      status,
      statusDetails: statusDetails ?? execution.statusDetails,
      startedAt: execution.startedAt ?? now,
      lastUpdatedAt: now,
      versionNumber: versionNumber + 1,
      stepDeadline: status === "IN_PROGRESS" ? stepDeadlineOf(execution, request, now) : null,
    };
    this.#commit(withExecution(job, updated), now);
    return this.find(thing, jobId, undefined);
  }

  /** The document as a device gets it, its placeholders replaced. */
  documentFor({ job, execution }: Pending): string {
    const context: SubstitutionContext = {
      jobId: job.jobId,
      thingName: execution.thing,
      executionNumber: execution.executionNumber,
      expiresInSeconds: job.presignedUrlSeconds,
    };
    return substituted(job.document, (placeholder) =>
      this.#options.substitute(placeholder, context),
    );
  }

  // --- Inside ---

  #job(jobId: string): JobRecord {
    const job = this.#jobs.get(jobId);
    if (job === undefined) throw new JobError("ResourceNotFound", `Job ${jobId} does not exist`);
    return job;
  }

  #checkTargets(things: readonly string[], groups: readonly string[]): void {
    const { registry } = this.#context.store;
    for (const thing of things) {
      if (!registry.things.has(thing)) {
        throw new JobError("ResourceNotFound", `Thing ${thing} does not exist`);
      }
    }
    const used = new Set([...registry.things.values()].flatMap((thing) => thing.groups));
    for (const group of groups) {
      if (!registry.groups.has(group) && !used.has(group)) {
        throw new JobError("ResourceNotFound", `Group ${group} does not exist`);
      }
    }
  }

  #membersOf({ things, groups }: JobRecord): string[] {
    const members = new Set(things);
    for (const thing of this.#context.store.registry.things.values()) {
      if (thing.groups.some((group) => groups.includes(group))) members.add(thing.name);
    }
    return [...members];
  }

  /** Stores a job as it has become, with the consequences, and tells the things concerned. */
  #commit(next: JobRecord, now: number): void {
    const before = this.#jobs.get(next.jobId)?.executions;
    const job = { ...settled(next, now), lastUpdatedAt: now };
    const touched = [...job.executions.values()].filter(({ thing, status }) => {
      const old = before?.get(thing);
      return old === undefined ? !isTerminal(status) : old.status !== status;
    });
    this.#change(
      touched.map(({ thing }) => thing),
      () => this.#jobs.put(job),
    );
  }

  /** Lets a change happen and tells the things, each of its own new list. */
  #change(things: readonly string[], change: () => void): void {
    const before = new Map(things.map((thing) => [thing, identityOf(this.next(thing))]));
    change();
    this.#schedule();
    const { listener } = this.#options;
    for (const [thing, identity] of before) {
      const pending = this.pending(thing);
      const next = pending[0] ?? null;
      listener.listChanged(thing, pending);
      if (identityOf(next) !== identity) listener.nextChanged(thing, next);
    }
  }

  #schedule(): void {
    const { limits } = this.#context;
    let next = Number.POSITIVE_INFINITY;
    for (const job of this.#jobs.all()) {
      if (job.waiting.length > 0) next = Math.min(next, nextWindowOf(job));
      for (const execution of job.executions.values()) {
        next = Math.min(next, timeoutAt(job, execution, limits) ?? next);
      }
    }
    this.#nextMs = next;
    this.#options.listener.scheduled(next);
  }
}

/** Which execution it is, whatever its state. */
function identityOf(pending: Pending | null): string {
  return pending === null ? "" : `${pending.job.jobId}/${pending.execution.executionNumber}`;
}

/** A request sets the step timer, stops it with -1, or leaves it alone. */
function stepDeadlineOf(
  execution: ExecutionRecord,
  { stepTimeoutInMinutes: minutes }: JobRequest,
  now: number,
): number | null {
  if (minutes === undefined) return execution.stepDeadline;
  return minutes < 0 ? null : now + minutes * MINUTE_MS;
}
