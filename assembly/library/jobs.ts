// Jobs: register a handler for each "action" of a job document. The handler begins the work and
// returns a JobStatus; IN_PROGRESS means that job.finish() will follow, from a timer or a callback.
// One job at a time; the next one comes when its result is with the service.
// A document without an action that has a handler, larger than 1536 bytes, or one that cannot be
// read, makes the job REJECTED, with the reason. Of duplicate keys the first one counts.
//
//   jobs.on("blink", (job: jobs.Job): u8 => { start(job.document.integer("count")); return JobStatus.IN_PROGRESS; });

import { JobStatus } from "../abi/host";
import * as inHand from "../aws/job_in_hand";
import * as message from "../aws/job_message";
import * as core from "../aws/jobs";
import { check, Panic } from "../util/assert";
import * as json from "./json";
import { fromUtf8, textAt, toUtf8 } from "./text";

const HANDLERS_MAX: i32 = 8;

/** What a handler gets. */
export class Job {
  constructor(
    readonly id: string,
    readonly action: string,
    readonly document: json.Document,
    /** 1, or more when the device restarted during the job and the handler survives that. */
    readonly attempt: u8,
  ) {}

  /**
   * The job came to this JobStatus; `reason` (128 bytes) goes into its statusDetails. Only the first
   * result counts, and none counts once the cloud has cancelled the job.
   */
  finish(status: u8, reason: string = ""): void {
    if (current === this) inHand.finishText(status, textAt, max(toUtf8(reason), 0));
  }

  /**
   * How far it is, for its statusDetails: told at most every two seconds. A step timeout in minutes
   * (1 to 10080; -1 takes it back) makes the cloud give the job up when nothing comes.
   */
  progress(text: string, stepTimeoutMinutes: i32 = 0): void {
    if (current !== this) return;
    inHand.setProgress(textAt, max(toUtf8(text), 0), stepTimeoutMinutes, false);
  }
}

class Handler {
  constructor(
    readonly action: string,
    readonly begin: (job: Job) => u8,
    readonly survives: bool,
  ) {}
}

let handlers: StaticArray<Handler> = changetype<StaticArray<Handler>>(0);
let count: i32 = 0;
let current: Job | null = null;
let canceled: (job: Job) => void = (_job: Job) => {};

/**
 * Registers the handler of an action, at most 8. A job during which the device restarts is FAILED,
 * unless its handler `survivesRestart`: then it is begun again, up to three times in all.
 */
export function on(action: string, handler: (job: Job) => u8, survivesRestart: bool = false): void {
  if (count == 0) {
    handlers = changetype<StaticArray<Handler>>(new StaticArray<Handler | null>(HANDLERS_MAX));
    core.prepare();
    inHand.workForApplication(new Handlers());
  }
  check(count < HANDLERS_MAX, Panic.JOB_HANDLERS);
  unchecked((handlers[count++] = new Handler(action, handler, survivesRestart)));
}

/** Calls `handler` when the cloud cancels the job in hand, or gives it up: stop working on it. */
export function onCancel(handler: (job: Job) => void): void {
  canceled = handler;
}

let streamKey: usize = 0;
let streamKeySize: i32 = 0;
let takePart: (part: Uint8Array, last: bool) => void = (_part: Uint8Array, _last: bool) => {};

/**
 * Takes the text of the member `key` of job documents part by part as it arrives, before the handler
 * begins; the document has null in its place. So one member may be as long as AWS allows.
 */
export function stream(key: string, take: (part: Uint8Array, last: bool) => void): void {
  streamKeySize = max(toUtf8(key), 0);
  streamKey = heap.alloc(streamKeySize);
  memory.copy(streamKey, textAt, streamKeySize);
  takePart = take;
  message.watchForApplication(new Stream());
}

class Stream extends message.Watcher {
  begin(): void {}

  wants(key: usize, size: i32, _own: bool): u8 {
    const isIt = size == streamKeySize && memory.compare(key, streamKey, size) == 0;
    return isIt ? message.Wish.STREAM : message.Wish.NOTHING;
  }

  take(from: usize, size: i32, last: bool): void {
    const part = new Uint8Array(size);
    memory.copy(part.dataStart, from, size);
    takePart(part, last);
  }
}

function documentOf(): json.Document {
  return new json.Document(null, message.document, message.documentSize);
}

/** Handler of the document's action, or null. */
function handlerOf(document: json.Document): Handler | null {
  const action = document.string("action");
  if (action === null) return null;
  for (let i = 0; i < count; i++) {
    const handler = unchecked(handlers[i]);
    if (handler.action == action) return handler;
  }
  return null;
}

class Handlers extends inHand.Worker {
  takes(): bool {
    return handlerOf(documentOf()) !== null;
  }

  survives(): bool {
    const handler = handlerOf(documentOf());
    return handler !== null && handler.survives;
  }

  begin(attempt: u8): void {
    const document = documentOf();
    const handler = handlerOf(document);
    if (handler === null) return;
    const id = fromUtf8(inHand.id(), inHand.idSize());
    const job = new Job(id, handler.action, document, attempt);
    current = job;
    const status = handler.begin(job);
    if (status != JobStatus.IN_PROGRESS) inHand.finishText(status, textAt, 0);
  }

  cancel(): void {
    const job = current;
    current = null;
    if (job !== null) canceled(job);
  }
}
