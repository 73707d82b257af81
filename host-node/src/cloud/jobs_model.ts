// Jobs and their executions as records, the order in which a thing works on them, and AWS's shapes
// of them in messages and answers. Records are never changed in place. Times are milliseconds since
// 1970 in records and seconds in messages. Called by the engine, the MQTT service and the library.

import { ACCOUNT, REGION } from "./defaults.js";
import { seconds } from "./shadow_document.js";

export type ExecutionStatus =
  | "QUEUED"
  | "IN_PROGRESS"
  | "SUCCEEDED"
  | "FAILED"
  | "TIMED_OUT"
  | "REJECTED"
  | "CANCELED"
  | "REMOVED";

export type JobStatus = "IN_PROGRESS" | "CANCELED" | "COMPLETED";
export type TargetSelection = "SNAPSHOT" | "CONTINUOUS";
export type StatusDetails = Readonly<Record<string, string>>;

/** A rate that grows as a job is notified to, or succeeds on, so many things. */
export interface ExponentialRate {
  readonly baseRatePerMinute: number;
  readonly incrementFactor: number;
  readonly rateIncreaseCriteria: {
    readonly numberOfNotifiedThings?: number;
    readonly numberOfSucceededThings?: number;
  };
}

export interface RolloutConfig {
  readonly maximumPerMinute?: number;
  readonly exponentialRate?: ExponentialRate;
}

export interface AbortCriteria {
  readonly failureType: "FAILED" | "REJECTED" | "TIMED_OUT" | "ALL";
  readonly action: "CANCEL";
  readonly thresholdPercentage: number;
  readonly minNumberOfExecutedThings: number;
}

/** A new job. Names and meanings are those of AWS's CreateJob. */
export interface CreateJobOptions {
  /** 1 to 64 of `[A-Za-z0-9_-]`; made up when missing. */
  readonly jobId?: string;
  /** Text is kept byte for byte; an object is written as JSON. */
  readonly document: string | object;
  readonly things?: readonly string[];
  readonly groups?: readonly string[];
  /** CONTINUOUS reaches things that join a group later. Default SNAPSHOT. */
  readonly targetSelection?: TargetSelection;
  readonly description?: string;
  readonly jobExecutionsRolloutConfig?: RolloutConfig;
  readonly abortConfig?: { readonly criteriaList: readonly AbortCriteria[] };
  readonly timeoutConfig?: { readonly inProgressTimeoutInMinutes: number };
  readonly presignedUrlConfig?: { readonly expiresInSec: number };
}

export interface ExecutionRecord {
  readonly thing: string;
  readonly status: ExecutionStatus;
  readonly statusDetails: StatusDetails | null;
  readonly queuedAt: number;
  readonly startedAt: number | null;
  readonly lastUpdatedAt: number;
  /** Grows by one with each change that the device makes. */
  readonly versionNumber: number;
  readonly executionNumber: number;
  /** When the device's own step timer ends. */
  readonly stepDeadline: number | null;
  readonly forceCanceled: boolean;
}

export interface JobRecord {
  readonly jobId: string;
  /** Order of creation. */
  readonly sequence: number;
  readonly document: string;
  readonly things: readonly string[];
  readonly groups: readonly string[];
  readonly targetSelection: TargetSelection;
  readonly description: string | null;
  readonly rollout: RolloutConfig;
  readonly abort: readonly AbortCriteria[];
  readonly inProgressTimeoutInMinutes: number | null;
  readonly presignedUrlSeconds: number;
  readonly status: JobStatus;
  readonly forceCanceled: boolean;
  readonly reasonCode: string | null;
  readonly comment: string | null;
  readonly createdAt: number;
  readonly lastUpdatedAt: number;
  readonly completedAt: number | null;
  /** Things that the rollout has not reached. */
  readonly waiting: readonly string[];
  /** The minute of rollout that is under way, and how many things it has reached. */
  readonly window: { readonly startedAt: number; readonly released: number };
  readonly executions: ReadonlyMap<string, ExecutionRecord>;
}

/** A job that waits for a thing, or is under way on it. */
export interface Pending {
  readonly job: JobRecord;
  readonly execution: ExecutionRecord;
}

export function isTerminal(status: ExecutionStatus): boolean {
  return status !== "QUEUED" && status !== "IN_PROGRESS";
}

/** AWS's order: under way first, then as they were queued. */
export function byTurn(a: Pending, b: Pending): number {
  const turn = ({ execution }: Pending) => (execution.status === "IN_PROGRESS" ? 0 : 1);
  return (
    turn(a) - turn(b) ||
    a.execution.queuedAt - b.execution.queuedAt ||
    a.job.sequence - b.job.sequence
  );
}

/** When an execution times out by the job's own limit or by the device's step timer. */
export function deadlineOf(job: JobRecord, execution: ExecutionRecord): number | null {
  if (execution.status !== "IN_PROGRESS") return null;
  const minutes = job.inProgressTimeoutInMinutes;
  const deadlines: number[] = [];
  if (minutes !== null) deadlines.push(execution.startedAt! + minutes * 60_000);
  if (execution.stepDeadline !== null) deadlines.push(execution.stepDeadline);
  return deadlines.length === 0 ? null : Math.min(...deadlines);
}

export function countOf(job: JobRecord, ...statuses: readonly ExecutionStatus[]): number {
  let count = 0;
  for (const { status } of job.executions.values()) if (statuses.includes(status)) count++;
  return count;
}

// --- Messages to devices ---

export function summaryOf({ job, execution }: Pending): object {
  return {
    jobId: job.jobId,
    queuedAt: seconds(execution.queuedAt),
    ...startedOf(execution),
    lastUpdatedAt: seconds(execution.lastUpdatedAt),
    versionNumber: execution.versionNumber,
    executionNumber: execution.executionNumber,
  };
}

/** A JobExecution of AWS, without the document. */
export function executionOf({ job, execution }: Pending): object {
  const { jobId, ...summary } = summaryOf({ job, execution }) as { jobId: string };
  return { jobId, thingName: execution.thing, ...stateOf(execution, false), ...summary };
}

/** A JobExecutionState of AWS. */
export function stateOf(execution: ExecutionRecord, withVersion = true): object {
  const { status, statusDetails, versionNumber } = execution;
  return {
    status,
    ...(statusDetails === null ? {} : { statusDetails }),
    ...(withVersion ? { versionNumber } : {}),
  };
}

function startedOf({ startedAt }: ExecutionRecord): object {
  return startedAt === null ? {} : { startedAt: seconds(startedAt) };
}

/** JSON of an object with the document in it as the very text it was given. */
export function withDocument(object: object, document: string): string {
  const text = JSON.stringify(object);
  const separator = text === "{}" ? "" : ",";
  return `${text.slice(0, -1)}${separator}"jobDocument":${document}}`;
}

// --- Answers to the cloud's own side ---

export interface JobProcessDetails {
  readonly numberOfQueuedThings: number;
  readonly numberOfInProgressThings: number;
  readonly numberOfSucceededThings: number;
  readonly numberOfFailedThings: number;
  readonly numberOfRejectedThings: number;
  readonly numberOfTimedOutThings: number;
  readonly numberOfCanceledThings: number;
  readonly numberOfRemovedThings: number;
  /** Ours: things that the rollout has not reached. */
  readonly numberOfWaitingThings: number;
}

export interface JobSummary {
  readonly jobId: string;
  readonly status: JobStatus;
  readonly targetSelection: TargetSelection;
  /** Seconds since 1970, as all times of AWS's API. */
  readonly createdAt: number;
  readonly lastUpdatedAt: number;
  readonly completedAt?: number;
  readonly jobProcessDetails: JobProcessDetails;
}

export interface JobDescription extends JobSummary {
  readonly jobArn: string;
  readonly targets: readonly string[];
  readonly description?: string;
  readonly forceCanceled: boolean;
  readonly reasonCode?: string;
  readonly comment?: string;
  readonly jobExecutionsRolloutConfig: RolloutConfig;
  readonly abortConfig?: { readonly criteriaList: readonly AbortCriteria[] };
  readonly timeoutConfig?: { readonly inProgressTimeoutInMinutes: number };
  readonly document: string;
}

export interface ExecutionDescription {
  readonly jobId: string;
  readonly thingName: string;
  readonly status: ExecutionStatus;
  readonly statusDetails?: StatusDetails;
  readonly queuedAt: number;
  readonly startedAt?: number;
  readonly lastUpdatedAt: number;
  readonly versionNumber: number;
  readonly executionNumber: number;
  readonly forceCanceled: boolean;
  readonly approximateSecondsBeforeTimedOut?: number;
}

export function describeSummary(job: JobRecord): JobSummary {
  const { jobId, status, targetSelection, createdAt, lastUpdatedAt, completedAt } = job;
  return {
    jobId,
    status,
    targetSelection,
    createdAt: seconds(createdAt),
    lastUpdatedAt: seconds(lastUpdatedAt),
    ...(completedAt === null ? {} : { completedAt: seconds(completedAt) }),
    jobProcessDetails: {
      numberOfQueuedThings: countOf(job, "QUEUED"),
      numberOfInProgressThings: countOf(job, "IN_PROGRESS"),
      numberOfSucceededThings: countOf(job, "SUCCEEDED"),
      numberOfFailedThings: countOf(job, "FAILED"),
      numberOfRejectedThings: countOf(job, "REJECTED"),
      numberOfTimedOutThings: countOf(job, "TIMED_OUT"),
      numberOfCanceledThings: countOf(job, "CANCELED"),
      numberOfRemovedThings: countOf(job, "REMOVED"),
      numberOfWaitingThings: job.waiting.length,
    },
  };
}

const arn = (kind: string, name: string) => `arn:aws:iot:${REGION}:${ACCOUNT}:${kind}/${name}`;

export function describe(job: JobRecord): JobDescription {
  const { description, reasonCode, comment, inProgressTimeoutInMinutes } = job;
  return {
    jobArn: arn("job", job.jobId),
    ...describeSummary(job),
    targets: [
      ...job.things.map((name) => arn("thing", name)),
      ...job.groups.map((name) => arn("thinggroup", name)),
    ],
    ...(description === null ? {} : { description }),
    forceCanceled: job.forceCanceled,
    ...(reasonCode === null ? {} : { reasonCode }),
    ...(comment === null ? {} : { comment }),
    jobExecutionsRolloutConfig: job.rollout,
    ...(job.abort.length === 0 ? {} : { abortConfig: { criteriaList: job.abort } }),
    ...(inProgressTimeoutInMinutes === null
      ? {}
      : { timeoutConfig: { inProgressTimeoutInMinutes } }),
    document: job.document,
  };
}

export function describeExecution(
  job: JobRecord,
  execution: ExecutionRecord,
  now: number,
): ExecutionDescription {
  const deadline = deadlineOf(job, execution);
  const left = deadline === null ? null : Math.max(0, seconds(deadline - now));
  return {
    ...(executionOf({ job, execution }) as ExecutionDescription),
    forceCanceled: execution.forceCanceled,
    ...(left === null ? {} : { approximateSecondsBeforeTimedOut: left }),
  };
}
