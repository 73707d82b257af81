// Jobs: one at a time. The link to the service is a machine; beside it stands the job in hand,
// which goes on while the device is offline. What the job has come to is a record BEFORE the effect
// that depends on it: STARTED before the handler runs, FINISHED with its result before the service
// is told. So a restart inside a job resumes it (at most ATTEMPTS_MAX times) or fails it, never
// loops, and a result is told even if the power failed between the work and the telling. Every
// doubt (a new connection, a notification, a missing answer) is settled by asking start-next, which
// answers with the job in progress first, or without one when the cloud has cancelled it. Source:
// AWS IoT Core developer guide, «Jobs device MQTT API operations».

import { Dataset, Event, Status, sysRandom } from "../abi/host";
import { JsonWriter } from "../codec/json_writer";
import * as records from "../flash/store";
import { nowMs } from "../kernel/clock";
import { emit } from "../kernel/events";
import { Timer, setTimer } from "../kernel/timers";
import { Backoff } from "../util/backoff";
import { endsWithText, equalsText, putDecimal, putText, startsWithText } from "../util/bytes";
import { END, actionOf, findRow, nextOf } from "../util/machine";
import { Client, STRIKES_MAX, add } from "./client";
import * as job from "./job_in_hand";
import { Phase } from "./job_in_hand";
import * as message from "./job_message";
import * as queue from "./publish_queue";
import * as subscriptions from "./subscriptions";
import * as topics from "./topics";

const ANSWER_MS: u32 = 15000;
const RETRY_MS_MIN: u32 = 2000;
const RETRY_MS_MAX: u32 = 300000;
/** A notification that got lost, however that may be, is made good within this time. */
const DOUBT_MS: u32 = 6 * 3600 * 1000;
/** Progress is told at most this often. */
const PROGRESS_MS: u32 = 2000;

namespace State {
  export const OFF: u8 = 0;
  export const SUBSCRIBING: u8 = 1;
  export const ASKING: u8 = 2;
  export const READY: u8 = 3;
  export const REPORTING: u8 = 4;
  export const WAITING: u8 = 5;
}

namespace Input {
  export const UP: u8 = 0;
  export const DOWN: u8 = 1;
  export const SUBSCRIBED: u8 = 2;
  export const ANSWERED: u8 = 3;
  export const ASK: u8 = 4;
  export const REPORT: u8 = 5;
  export const ACCEPTED: u8 = 6;
  export const CONFLICT: u8 = 7;
  export const GONE: u8 = 8;
  export const REJECTED: u8 = 9;
  export const TIMER: u8 = 10;
}

namespace Action {
  export const NONE: u8 = 0;
  export const SUBSCRIBE: u8 = 1;
  export const ASK: u8 = 2;
  export const TAKE: u8 = 3;
  export const REPORT: u8 = 4;
  export const TOLD: u8 = 5;
  export const TAKE_VERSION: u8 = 6;
  export const LOSE_JOB: u8 = 7;
  export const RETRY_LATER: u8 = 8;
}

// machine: jobs
// biome-ignore format: one row a line
const TABLE: usize = memory.data<u8>([
  // state,           input,            action,              next
  State.OFF,          Input.UP,         Action.SUBSCRIBE,    State.SUBSCRIBING,
  State.SUBSCRIBING,  Input.SUBSCRIBED, Action.ASK,          State.ASKING,
  State.SUBSCRIBING,  Input.DOWN,       Action.NONE,         State.OFF,
  State.ASKING,       Input.ANSWERED,   Action.TAKE,         State.READY,
  State.ASKING,       Input.REJECTED,   Action.RETRY_LATER,  State.WAITING,
  State.ASKING,       Input.TIMER,      Action.RETRY_LATER,  State.WAITING,
  State.ASKING,       Input.DOWN,       Action.NONE,         State.OFF,
  State.READY,        Input.REPORT,     Action.REPORT,       State.REPORTING,
  State.READY,        Input.ASK,        Action.ASK,          State.ASKING,
  State.READY,        Input.TIMER,      Action.ASK,          State.ASKING,
  State.READY,        Input.DOWN,       Action.NONE,         State.OFF,
  State.REPORTING,    Input.ACCEPTED,   Action.TOLD,         State.READY,
  State.REPORTING,    Input.CONFLICT,   Action.TAKE_VERSION, State.READY,
  State.REPORTING,    Input.GONE,       Action.LOSE_JOB,     State.READY,
  State.REPORTING,    Input.REJECTED,   Action.RETRY_LATER,  State.WAITING,
  State.REPORTING,    Input.TIMER,      Action.RETRY_LATER,  State.WAITING,
  State.REPORTING,    Input.DOWN,       Action.NONE,         State.OFF,
  State.WAITING,      Input.TIMER,      Action.ASK,          State.ASKING,
  State.WAITING,      Input.DOWN,       Action.NONE,         State.OFF,
  END,
]);

/** What the answer being read answers. */
namespace Reading {
  export const NOTHING: u8 = 0;
  export const NEXT: u8 = 1;
  export const UPDATE: u8 = 2;
  export const REJECTION: u8 = 3;
}

// Made with the first handler, so that an application without jobs pays nothing.
let writer: JsonWriter = changetype<JsonWriter>(0);
let backoff: Backoff = changetype<Backoff>(0);
let isPrepared: bool = false;

let state: u8 = State.OFF;
let token: u32 = 0;
let dueMs: u64 = 0;
let progressMs: u64 = 0;
/** Something changed in the cloud: ask when there is time. */
let mustAsk: bool = false;
/** The update in flight tells the result, not progress. */
let tellsResult: bool = false;
let reading: u8 = Reading.NOTHING;
/** Connections that the broker ended with a request in flight. */
let strikes: u8 = 0;

/** Takes part in the session from now on; called when the first handler is registered. */
export function prepare(): void {
  if (isPrepared) return;
  isPrepared = true;
  writer = new JsonWriter();
  backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX);
  topics.prepare();
  message.prepare();
  job.prepare();
  add(new Jobs());
}

function step(input: u8): void {
  const row = findRow(TABLE, state, input);
  if (row == 0) return;
  state = nextOf(row);
  dueMs = state == State.READY ? nowMs + DOUBT_MS : 0;
  act(actionOf(row));
}

function act(action: u8): void {
  switch (action) {
    case Action.SUBSCRIBE:
      mustAsk = false;
      backoff.reset();
      want(utf8("notify-next"));
      break;
    case Action.ASK:
      ask();
      break;
    case Action.TAKE:
      strikes = 0;
      takeNext();
      break;
    case Action.REPORT:
      report();
      break;
    case Action.TOLD:
      strikes = 0;
      backoff.reset();
      told();
      break;
    case Action.TAKE_VERSION:
      job.setVersion(message.version);
      break;
    case Action.LOSE_JOB:
      lose();
      break;
    case Action.RETRY_LATER:
      sysRandom(topics.token, 4);
      dueMs = nowMs + backoff.next(load<u32>(topics.token));
      break;
  }
}

/** Writes "$aws/things/<thing>/jobs/" and `leaf`; its size. */
function putTopic(leaf: usize): i32 {
  const end = putText(topics.begin(), utf8("jobs/"));
  return <i32>(putText(end, leaf) - topics.topic);
}

function want(leaf: usize): void {
  const size = putTopic(leaf);
  const status = subscriptions.add(topics.topic, size, 1, subscriptions.Owner.JOBS);
  if (status < 0) emit(Event.MQTT_SUBSCRIBE_FAILED, status, topics.topic, size);
}

function beginRequest(): void {
  token++;
  dueMs = nowMs + ANSWER_MS;
  writer.begin(topics.body, topics.BODY_BYTES);
  writer.object();
  writer.key(utf8("clientToken"));
  writer.string(topics.token, <i32>(putDecimal(topics.token, token) - topics.token));
}

function send(topicSize: i32): void {
  writer.end();
  const status = queue.push(topics.topic, topicSize, topics.body, writer.size, queue.INTERNAL_QOS1);
  if (status < 0) dueMs = nowMs + RETRY_MS_MIN; // no room: as if the answer had not come
}

function ask(): void {
  mustAsk = false;
  beginRequest();
  send(putTopic(utf8("start-next")));
}

/** Tells the result, or how far the job is. */
function report(): void {
  tellsResult = job.phase() == Phase.FINISHED;
  progressMs = nowMs + PROGRESS_MS;
  beginRequest();
  writer.key(utf8("status"));
  writer.text(tellsResult ? job.resultText() : utf8("IN_PROGRESS"));
  writer.key(utf8("expectedVersion"));
  writer.integer(job.version());
  job.writeDetails(writer, tellsResult);
  let end = putText(topics.begin(), utf8("jobs/"));
  memory.copy(end, job.id(), job.idSize());
  end = putText(end + job.idSize(), utf8("/update"));
  send(<i32>(end - topics.topic));
}

function told(): void {
  job.setVersion(job.version() + 1);
  if (!tellsResult) {
    job.told();
    return;
  }
  emit(Event.JOB_FINISHED, job.result(), job.id(), job.idSize());
  job.clear();
  mustAsk = true;
}

/** The cloud has given our job up: cancelled, timed out, removed, or ended by somebody else. */
function lose(): void {
  mustAsk = true;
  if (job.phase() == Phase.NONE) return;
  // A result whose acceptance got lost looks the same from here.
  const was = job.phase() == Phase.FINISHED ? Event.JOB_FINISHED : Event.JOB_CANCELED;
  emit(was, job.result(), job.id(), job.idSize());
  job.cancel();
}

/** What start-next answered. */
function takeNext(): void {
  const isOurs = job.is(message.jobId, message.jobIdSize, message.execution);
  if (job.phase() != Phase.NONE && !isOurs) {
    lose();
  } else if (message.jobIdSize > 0) {
    if (isOurs) job.goOn(message.version);
    else job.begin(message.jobId, message.jobIdSize, message.execution, message.version);
  }
}

function onRejected(): void {
  if (equalsText(message.code, message.codeSize, utf8("VersionMismatch"))) {
    step(Input.CONFLICT);
    return;
  }
  emit(Event.JOB_REJECTED, 0, message.code, message.codeSize);
  const gone =
    startsWithText(message.code, message.codeSize, utf8("InvalidState")) ||
    startsWithText(message.code, message.codeSize, utf8("TerminalState")) ||
    startsWithText(message.code, message.codeSize, utf8("ResourceNotFound"));
  step(gone ? Input.GONE : Input.REJECTED);
}

class Jobs extends Client {
  onUp(): void {
    job.settle();
    if (strikes < STRIKES_MAX) step(Input.UP);
  }

  onDown(blamed: bool): void {
    reading = Reading.NOTHING;
    if (blamed && (state == State.ASKING || state == State.REPORTING) && ++strikes == STRIKES_MAX) {
      emit(Event.JOB_REJECTED, Status.REFUSED);
    }
    step(Input.DOWN);
  }

  begin(topic: usize, topicSize: i32, _total: i32): bool {
    const prefix = topics.prefixSize(topic, topicSize);
    const leaf = topic + prefix;
    const size = topicSize - prefix;
    if (prefix < 0 || !startsWithText(leaf, size, utf8("jobs/"))) return false;
    reading = Reading.NOTHING;
    if (equalsText(leaf, size, utf8("jobs/notify-next"))) mustAsk = true;
    else if (equalsText(leaf, size, utf8("jobs/start-next/accepted"))) reading = Reading.NEXT;
    else if (endsWithText(leaf, size, utf8("/rejected"))) reading = Reading.REJECTION;
    else reading = Reading.UPDATE;
    message.begin(reading == Reading.NEXT && !job.hasDocument());
    return true;
  }

  append(from: usize, size: i32, last: bool): void {
    if (reading == Reading.NOTHING) return;
    const good = message.append(from, size, last);
    if (good && !last) return;
    const was = reading;
    reading = Reading.NOTHING;
    if (!good) {
      emit(Event.JOB_REJECTED, Status.MALFORMED, message.jobId, message.jobIdSize);
      // A document that cannot be read ends its job, or it would stand in front of all others.
      step(was == Reading.NEXT && message.jobIdSize > 0 ? Input.ANSWERED : Input.REJECTED);
    } else if (message.token == <i64>token) {
      if (was == Reading.REJECTION) onRejected();
      else step(was == Reading.NEXT ? Input.ANSWERED : Input.ACCEPTED);
    }
  }

  pump(): void {
    if (dueMs != 0 && dueMs <= nowMs) step(Input.TIMER);
    if (state == State.SUBSCRIBING && subscriptions.waiting() == 0 && !job.isHeld) {
      step(Input.SUBSCRIBED);
    }
    const early = nowMs < progressMs && !job.isUrgent;
    if (job.mustReport() || (job.hasProgress() && !early)) step(Input.REPORT);
    if ((mustAsk || job.wantsDocument) && !job.isHeld) step(Input.ASK);
    let wait = dueMs;
    if (early && job.hasProgress() && (wait == 0 || progressMs < wait)) wait = progressMs;
    if (wait != 0) setTimer(Timer.JOBS, wait > nowMs ? <u32>(wait - nowMs) : 0);
  }

  onRecord(dataset: u8, status: i32): void {
    if (dataset == Dataset.SYSTEM_STATUS) job.onRecord(status, records.pending(dataset));
  }

  deliver(): void {
    job.deliver();
  }
}
