// What a job, and a device's request about one, may look like: AWS's limits on ids, documents,
// status details, time-outs, rollouts and abort criteria. Pure; a breach is thrown as a JobError
// whose message names it. Called by the engine for new jobs and by the MQTT service for requests.

import type {
  AbortCriteria,
  CreateJobOptions,
  ExecutionRecord,
  RolloutConfig,
  StatusDetails,
} from "./jobs_model.js";
import type { Limits } from "./limits.js";
import { type Random, uuidOf } from "./random.js";
import { isObject, type JsonObject } from "./shadow_document.js";

/** The `code` of a `/rejected` message. */
export type JobErrorCode =
  | "InvalidTopic"
  | "InvalidJson"
  | "InvalidRequest"
  | "InvalidStateTransition"
  | "ResourceNotFound"
  | "VersionMismatch"
  | "InternalError"
  | "RequestThrottled"
  | "TerminalStateReached"
  // On the cloud's own side only.
  | "ResourceAlreadyExists";

export class JobError extends Error {
  readonly code: JobErrorCode;
  /** The state that the request did not fit. */
  readonly execution: ExecutionRecord | null;

  constructor(code: JobErrorCode, message: string, execution: ExecutionRecord | null = null) {
    super(message);
    this.code = code;
    this.execution = execution;
  }
}

const invalid = (message: string) => new JobError("InvalidRequest", message);

const JOB_ID = /^[a-zA-Z0-9_-]+$/;
const DETAIL_KEY = /^[a-zA-Z0-9:_-]+$/;
const CONTROL_CHARACTER = /\p{C}/u;
const PLACEHOLDER = /\$\{(aws:iot:[^{}]+)\}/g;
const STEP_TIMER_OFF = -1;
const UTF8 = new TextDecoder("utf-8", { fatal: true });

export function checkJobId(jobId: string, limits: Limits): void {
  if (JOB_ID.test(jobId) && jobId.length <= limits.jobIdCharactersMax) return;
  throw invalid(`Job id must be 1 to ${limits.jobIdCharactersMax} of [a-zA-Z0-9_-]: "${jobId}"`);
}

// --- New jobs ---

/** A request to create a job, complete and within the limits. */
export interface CheckedJob {
  readonly jobId: string;
  readonly document: string;
  readonly things: readonly string[];
  readonly groups: readonly string[];
  readonly rollout: RolloutConfig;
  readonly abort: readonly AbortCriteria[];
  readonly inProgressTimeoutInMinutes: number | null;
  readonly presignedUrlSeconds: number;
}

/** `checkPlaceholder` throws a JobError for a placeholder that could not be replaced later. */
export function checkJob(
  options: CreateJobOptions,
  limits: Limits,
  checkPlaceholder: (placeholder: string) => void,
  random: Random,
): CheckedJob {
  const jobId = options.jobId ?? `job-${uuidOf(random)}`;
  checkJobId(jobId, limits);
  const things = [...new Set(options.things ?? [])];
  const groups = [...new Set(options.groups ?? [])];
  const targets = things.length + groups.length;
  if (targets < 1 || targets > limits.jobTargetsMax) {
    throw invalid(`A job needs 1 to ${limits.jobTargetsMax} targets, not ${targets}`);
  }
  checkSelection(options, limits);
  return {
    jobId,
    document: checkDocument(options.document, limits, checkPlaceholder),
    things,
    groups,
    rollout: checkRollout(options.jobExecutionsRolloutConfig ?? {}, limits),
    abort: (options.abortConfig?.criteriaList ?? []).map(checkAbort),
    inProgressTimeoutInMinutes: checkTimeout(options, limits),
    presignedUrlSeconds: checkPresigned(options, limits),
  };
}

function checkSelection({ targetSelection, description }: CreateJobOptions, limits: Limits): void {
  if (targetSelection !== undefined && !["SNAPSHOT", "CONTINUOUS"].includes(targetSelection)) {
    throw invalid(`Target selection must be SNAPSHOT or CONTINUOUS: "${targetSelection}"`);
  }
  const charactersMax = limits.jobDescriptionCharactersMax;
  if ((description ?? "").length > charactersMax) {
    throw invalid(`A description holds ${charactersMax} characters at most`);
  }
}

function checkDocument(
  source: string | object,
  limits: Limits,
  checkPlaceholder: (placeholder: string) => void,
): string {
  const document = typeof source === "string" ? source : JSON.stringify(source);
  const bytes = Buffer.byteLength(document);
  if (bytes > limits.jobDocumentBytesMax) {
    throw invalid(`Job document has ${bytes} bytes, ${limits.jobDocumentBytesMax} allowed`);
  }
  let value: unknown;
  try {
    value = JSON.parse(document);
  } catch (error) {
    throw invalid(`Job document is not JSON: ${(error as Error).message}`);
  }
  if (!isObject(value)) throw invalid("Job document is not a JSON object");
  const placeholders = [...document.matchAll(PLACEHOLDER)].map(([, placeholder]) => placeholder!);
  if (placeholders.length > limits.jobSubstitutionsMax) {
    const message = `${placeholders.length} placeholders in the job document`;
    throw invalid(`${message}, ${limits.jobSubstitutionsMax} allowed`);
  }
  placeholders.forEach(checkPlaceholder);
  return document;
}

/** The document with each placeholder replaced; what comes in is escaped as JSON text. */
export function substituted(document: string, replace: (placeholder: string) => string): string {
  return document.replace(PLACEHOLDER, (_, placeholder: string) =>
    JSON.stringify(replace(placeholder)).slice(1, -1),
  );
}

function checkRollout(config: RolloutConfig, limits: Limits): RolloutConfig {
  const max = limits.jobRolloutPerMinuteMax;
  const checkRate = (name: string, rate: number) => {
    if (Number.isInteger(rate) && rate >= 1 && rate <= max) return;
    throw invalid(`${name} must be a whole number from 1 to ${max}: ${rate}`);
  };
  const { maximumPerMinute, exponentialRate } = config;
  if (maximumPerMinute !== undefined) checkRate("maximumPerMinute", maximumPerMinute);
  if (exponentialRate === undefined) return config;
  checkRate("baseRatePerMinute", exponentialRate.baseRatePerMinute);
  const { incrementFactor, rateIncreaseCriteria } = exponentialRate;
  const { jobRolloutFactorMin: low, jobRolloutFactorMax: high } = limits;
  if (!(incrementFactor >= low && incrementFactor <= high)) {
    throw invalid(`incrementFactor must be from ${low} to ${high}: ${incrementFactor}`);
  }
  const criteria = Object.values(rateIncreaseCriteria ?? {});
  if (criteria.length !== 1 || !criteria.every((count) => Number.isInteger(count) && count >= 1)) {
    throw invalid("rateIncreaseCriteria must name one positive number of things");
  }
  return config;
}

function checkAbort(criteria: AbortCriteria): AbortCriteria {
  const { failureType, action, thresholdPercentage, minNumberOfExecutedThings } = criteria;
  if (!["FAILED", "REJECTED", "TIMED_OUT", "ALL"].includes(failureType)) {
    throw invalid(`failureType must be FAILED, REJECTED, TIMED_OUT or ALL: "${failureType}"`);
  }
  if (action !== "CANCEL") throw invalid(`action must be CANCEL: "${action}"`);
  if (!(thresholdPercentage > 0 && thresholdPercentage <= 100)) {
    throw invalid(`thresholdPercentage must be above 0 and at most 100: ${thresholdPercentage}`);
  }
  if (!Number.isInteger(minNumberOfExecutedThings) || minNumberOfExecutedThings < 1) {
    throw invalid(`minNumberOfExecutedThings must be at least 1: ${minNumberOfExecutedThings}`);
  }
  return criteria;
}

function checkTimeout({ timeoutConfig }: CreateJobOptions, limits: Limits): number | null {
  const minutes = timeoutConfig?.inProgressTimeoutInMinutes;
  if (minutes === undefined) return null;
  checkMinutes("inProgressTimeoutInMinutes", minutes, limits);
  return minutes;
}

function checkMinutes(name: string, minutes: number, limits: Limits): void {
  const { jobStepTimeoutMinutesMin: low, jobStepTimeoutMinutesMax: high } = limits;
  if (Number.isInteger(minutes) && minutes >= low && minutes <= high) return;
  throw invalid(`${name} must be a whole number from ${low} to ${high}: ${minutes}`);
}

function checkPresigned({ presignedUrlConfig }: CreateJobOptions, limits: Limits): number {
  const { presignedUrlSecondsMin: low, presignedUrlSecondsMax: high } = limits;
  const life = presignedUrlConfig?.expiresInSec ?? high;
  if (Number.isInteger(life) && life >= low && life <= high) return life;
  throw invalid(`expiresInSec must be a whole number from ${low} to ${high}: ${life}`);
}

// --- Requests of devices ---

/** The fields of any request; a request uses those that its operation knows. */
export interface JobRequest {
  readonly status: DeviceStatus | undefined;
  readonly statusDetails: StatusDetails | undefined;
  readonly expectedVersion: number | undefined;
  readonly executionNumber: number | undefined;
  readonly includeJobExecutionState: boolean | undefined;
  readonly includeJobDocument: boolean | undefined;
  /** Minutes, or -1 to stop the timer. */
  readonly stepTimeoutInMinutes: number | undefined;
}

/** What a device may say; the other states belong to the service. */
export type DeviceStatus = (typeof DEVICE_STATUSES)[number];
const DEVICE_STATUSES = ["IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"] as const;

/** The payload as an object; an empty one is a request without fields. */
export function parseJobPayload(payload: Uint8Array): JsonObject {
  if (payload.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(payload));
  } catch {
    throw new JobError("InvalidJson", "The payload is not UTF-8 encoded JSON");
  }
  if (!isObject(value)) throw invalid("The payload is not a JSON object");
  return value;
}

/** The token of a request, when it is text. */
export function jobTokenOf(body: JsonObject): string | undefined {
  return typeof body.clientToken === "string" ? body.clientToken : undefined;
}

export function parseJobRequest(body: JsonObject, limits: Limits): JobRequest {
  if (body.clientToken !== undefined && typeof body.clientToken !== "string") {
    throw invalid("clientToken must be a string");
  }
  return {
    status: statusOf(body),
    statusDetails: detailsOf(body.statusDetails, limits),
    expectedVersion: wholeNumber(body, "expectedVersion"),
    executionNumber: wholeNumber(body, "executionNumber"),
    includeJobExecutionState: flag(body, "includeJobExecutionState"),
    includeJobDocument: flag(body, "includeJobDocument"),
    stepTimeoutInMinutes: stepTimeoutOf(body, limits),
  };
}

function statusOf({ status }: JsonObject): DeviceStatus | undefined {
  if (status === undefined) return undefined;
  const known = DEVICE_STATUSES.find((name) => name === status);
  if (known !== undefined) return known;
  throw invalid(`status must be one of ${DEVICE_STATUSES.join(", ")}: ${JSON.stringify(status)}`);
}

function wholeNumber(body: JsonObject, name: string): number | undefined {
  const value = body[name];
  if (value === undefined || Number.isSafeInteger(value)) return value as number | undefined;
  throw invalid(`${name} must be a whole number: ${JSON.stringify(value)}`);
}

function flag(body: JsonObject, name: string): boolean | undefined {
  const value = body[name];
  if (value === undefined || typeof value === "boolean") return value;
  throw invalid(`${name} must be true or false: ${JSON.stringify(value)}`);
}

function stepTimeoutOf(body: JsonObject, limits: Limits): number | undefined {
  const minutes = wholeNumber(body, "stepTimeoutInMinutes");
  if (minutes !== undefined && minutes !== STEP_TIMER_OFF) {
    checkMinutes("stepTimeoutInMinutes", minutes, limits);
  }
  return minutes;
}

function detailsOf(value: unknown, limits: Limits): StatusDetails | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) throw invalid("statusDetails must be an object");
  const pairs = Object.entries(value);
  const pairsMax = limits.jobStatusDetailsPairsMax;
  if (pairs.length < 1 || pairs.length > pairsMax) {
    throw invalid(`statusDetails must hold 1 to ${pairsMax} pairs, not ${pairs.length}`);
  }
  for (const [key, detail] of pairs) checkDetail(key, detail, limits);
  return value as StatusDetails;
}

function checkDetail(key: string, value: unknown, limits: Limits): void {
  const keyMax = limits.jobStatusDetailsKeyCharactersMax;
  if (!DETAIL_KEY.test(key) || key.length > keyMax) {
    throw invalid(`A key of statusDetails must be 1 to ${keyMax} of [a-zA-Z0-9:_-]: "${key}"`);
  }
  const valueMax = limits.jobStatusDetailsValueCharactersMax;
  if (typeof value !== "string") throw invalid(`statusDetails "${key}" must be a string`);
  if (value.length < 1 || value.length > valueMax || CONTROL_CHARACTER.test(value)) {
    const rule = `must be 1 to ${valueMax} characters without control characters`;
    throw invalid(`statusDetails "${key}" ${rule}`);
  }
}
