// What happens to one job, as functions from record to record: the rollout releases things, devices
// and time change executions, the abort criteria and a cancellation end it. Pure: the engine stores
// the result and tells the devices.

import {
  type AbortCriteria,
  countOf,
  deadlineOf,
  type ExecutionRecord,
  type ExecutionStatus,
  isTerminal,
  type JobRecord,
} from "./jobs_model.js";
import type { Limits } from "./limits.js";

const MINUTE_MS = 60_000;
const ABORTED = "ABORT_THRESHOLD_EXCEEDED";

export function withExecution(job: JobRecord, execution: ExecutionRecord): JobRecord {
  return { ...job, executions: new Map(job.executions).set(execution.thing, execution) };
}

// --- Rollout ---

/** How many things the job may reach in the present minute. */
function rateOf(job: JobRecord, limits: Limits): number {
  const { maximumPerMinute = limits.jobRolloutPerMinuteMax, exponentialRate } = job.rollout;
  if (exponentialRate === undefined) return maximumPerMinute;
  const { baseRatePerMinute, incrementFactor, rateIncreaseCriteria } = exponentialRate;
  const { numberOfNotifiedThings: notified, numberOfSucceededThings: succeeded } =
    rateIncreaseCriteria;
  const steps =
    notified === undefined
      ? countOf(job, "SUCCEEDED") / (succeeded ?? Number.POSITIVE_INFINITY)
      : job.executions.size / notified;
  const rate = Math.floor(baseRatePerMinute * incrementFactor ** Math.floor(steps));
  return Math.min(rate, maximumPerMinute);
}

/** Queues as many of the waiting things as the rate allows now. */
export function released(job: JobRecord, now: number, limits: Limits): JobRecord {
  if (job.status !== "IN_PROGRESS" || job.waiting.length === 0) return job;
  const fresh = now >= nextWindowOf(job);
  const window = fresh ? { startedAt: now, released: 0 } : job.window;
  const things = job.waiting.slice(0, Math.max(0, rateOf(job, limits) - window.released));
  if (things.length === 0) return job;
  const executions = new Map(job.executions);
  for (const thing of things) executions.set(thing, queued(thing, executions.get(thing), now));
  return {
    ...job,
    executions,
    waiting: job.waiting.slice(things.length),
    window: { ...window, released: window.released + things.length },
  };
}

export function nextWindowOf(job: JobRecord): number {
  return job.window.startedAt + MINUTE_MS;
}

/** A first execution, or one more for a thing that came back. */
function queued(thing: string, before: ExecutionRecord | undefined, now: number): ExecutionRecord {
  return {
    thing,
    status: "QUEUED",
    statusDetails: null,
    queuedAt: now,
    startedAt: null,
    lastUpdatedAt: now,
    versionNumber: 1,
    executionNumber: (before?.executionNumber ?? 0) + 1,
    stepDeadline: null,
    forceCanceled: false,
  };
}

/** A continuous job follows its groups: who joins is reached, who leaves is let go. */
export function followed(job: JobRecord, members: readonly string[], now: number): JobRecord {
  if (job.targetSelection !== "CONTINUOUS" || job.status !== "IN_PROGRESS") return job;
  const inside = new Set(members);
  const staying = job.waiting.filter((thing) => inside.has(thing));
  const known = new Set(staying);
  const joining = members.filter((thing) => {
    const status = job.executions.get(thing)?.status;
    return !known.has(thing) && (status === undefined || status === "REMOVED");
  });
  const leaves = ({ thing, status }: ExecutionRecord) => !inside.has(thing) && !isTerminal(status);
  const left = ended(job, leaves, "REMOVED", now);
  if (left === job && joining.length === 0 && staying.length === job.waiting.length) return job;
  return { ...left, waiting: [...staying, ...joining] };
}

// --- Ends ---

function ended(
  job: JobRecord,
  which: (execution: ExecutionRecord) => boolean,
  status: ExecutionStatus,
  now: number,
): JobRecord {
  const chosen = [...job.executions.values()].filter(which);
  if (chosen.length === 0) return job;
  const executions = new Map(job.executions);
  for (const execution of chosen) {
    executions.set(execution.thing, {
      ...execution,
      status,
      lastUpdatedAt: now,
      stepDeadline: null,
      forceCanceled: status === "CANCELED" && execution.status === "IN_PROGRESS",
    });
  }
  return { ...job, executions };
}

/** When TIMED_OUT comes: AWS looks once in so many milliseconds, so that it may come late. */
export function timeoutAt(
  job: JobRecord,
  execution: ExecutionRecord,
  limits: Limits,
): number | null {
  const deadline = deadlineOf(job, execution);
  const intervalMs = limits.jobTimeoutLatenessMs;
  if (deadline === null || intervalMs === 0) return deadline;
  return Math.ceil(deadline / intervalMs) * intervalMs;
}

export function timedOut(job: JobRecord, now: number, limits: Limits): JobRecord {
  const late = (execution: ExecutionRecord) => {
    const at = timeoutAt(job, execution, limits);
    return at !== null && at <= now;
  };
  return ended(job, late, "TIMED_OUT", now);
}

export interface Cancellation {
  /** Executions under way are cancelled too. */
  readonly force: boolean;
  readonly reasonCode?: string | undefined;
  readonly comment?: string | undefined;
}

export function cancelled(job: JobRecord, cancellation: Cancellation, now: number): JobRecord {
  const { force, reasonCode = null, comment = null } = cancellation;
  const which = ({ status }: ExecutionRecord) =>
    status === "QUEUED" || (force && status === "IN_PROGRESS");
  return {
    ...ended(job, which, "CANCELED", now),
    status: "CANCELED",
    forceCanceled: job.forceCanceled || force,
    reasonCode,
    comment,
    completedAt: job.completedAt ?? now,
    waiting: [],
  };
}

/** The consequences of a change: too many failures abort the job, and its last end completes it. */
export function settled(job: JobRecord, now: number): JobRecord {
  if (job.status !== "IN_PROGRESS") return job;
  const broken = job.abort.find((criteria) => holds(criteria, job));
  if (broken !== undefined) {
    const { failureType, thresholdPercentage, minNumberOfExecutedThings } = broken;
    const comment = `${thresholdPercentage} % ${failureType} of at least ${minNumberOfExecutedThings}`;
    return cancelled(job, { force: false, reasonCode: ABORTED, comment }, now);
  }
  const executions = [...job.executions.values()];
  const over = job.waiting.length === 0 && executions.every(({ status }) => isTerminal(status));
  if (!over || job.targetSelection === "CONTINUOUS") return job;
  return { ...job, status: "COMPLETED", completedAt: now };
}

/** AWS counts the things that were notified, and the failures among them. */
function holds(criteria: AbortCriteria, job: JobRecord): boolean {
  const { failureType, thresholdPercentage, minNumberOfExecutedThings } = criteria;
  const notified = job.executions.size;
  const failures =
    failureType === "ALL"
      ? countOf(job, "FAILED", "REJECTED", "TIMED_OUT")
      : countOf(job, failureType);
  return (
    notified >= minNumberOfExecutedThings &&
    failures > 0 &&
    (failures / notified) * 100 >= thresholdPercentage
  );
}
