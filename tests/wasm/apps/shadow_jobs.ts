// An application that defines the shadows and job handlers that its host orders, and changes them
// when it is told to: in setup() and on each event it reads orders
// (tests/node/support/shadow_jobs_device.ts writes them). What it hears it says in log lines.

import { logWrite, sysConfigRead } from "../../../assembly/abi/host";
import { JobStatus, jobs, LogLevel, LogModule, shadow, system } from "../../../assembly/index";

const ORDERS_AT: u32 = 0x40000000;
const SETUP: u32 = 0;
const ORDERS_BYTES: i32 = 8192;

namespace Order {
  export const SHADOW: u8 = 1;
  export const ELEMENT: u8 = 2;
  export const SET: u8 = 3;
  export const HANDLERS: u8 = 4;
  export const FINISH: u8 = 5;
  export const PROGRESS: u8 = 6;
}

const orders: usize = memory.data(ORDERS_BYTES);
let at: usize = 0;
let shadows: shadow.Shadow[] = [];
let elements: shadow.Element[] = [];
/** The last two jobs that were begun in this life. */
let begunJobs: jobs.Job[] = [];
let streamed: i32 = 0;
let checksum: i32 = 0;

export function setup(): void {
  system.onEvent(onEvent);
  obey(SETUP);
}

function onEvent(event: u8, _value: i32): void {
  obey(event);
}

function obey(moment: u32): void {
  const bytes = sysConfigRead(ORDERS_AT + moment, orders, ORDERS_BYTES);
  at = orders;
  const last = orders + bytes;
  while (at < last) {
    const order = takeByte();
    const a = takeByte();
    const b = takeByte();
    const number = takeInt();
    const text = takeString();
    carryOut(order, a, b, number, text, takeString());
  }
}

function carryOut(order: u8, a: u8, b: u8, number: i32, text: string, value: string): void {
  switch (order) {
    case Order.SHADOW:
      shadows.push(new shadow.Shadow(text));
      shadows[shadows.length - 1].onChange(onChange);
      break;
    case Order.ELEMENT:
      elements.push(define(shadows[number >> 16], a, b, number & 0xffff, text, value));
      break;
    case Order.SET:
      setValue(elements[a], value);
      break;
    case Order.HANDLERS:
      addHandlers();
      break;
    case Order.FINISH:
      if (begunJobs.length > <i32>b) begunJobs[begunJobs.length - 1 - b].finish(a, text);
      break;
    case Order.PROGRESS:
      if (begunJobs.length > <i32>b) begunJobs[begunJobs.length - 1 - b].progress(text, number);
      break;
    default:
      unreachable();
  }
}

function define(
  owner: shadow.Shadow,
  type: u8,
  options: u8,
  limit: i32,
  key: string,
  initial: string,
): shadow.Element {
  switch (type) {
    case 0:
      return owner.integer(key, I64.parseInt(initial), options);
    case 1:
      return owner.boolean(key, initial == "true", options);
    case 2:
      return owner.string(key, initial, limit, options);
    default:
      return owner.float(key, parseFloat(initial), options);
  }
}

function setValue(element: shadow.Element, value: string): void {
  if (element instanceof shadow.IntegerElement) {
    (element as shadow.IntegerElement).value = I64.parseInt(value);
  } else if (element instanceof shadow.BooleanElement) {
    (element as shadow.BooleanElement).value = value == "true";
  } else if (element instanceof shadow.FloatElement) {
    (element as shadow.FloatElement).value = parseFloat(value);
  } else {
    (element as shadow.StringElement).value = value;
  }
}

function valueOf(element: shadow.Element): string {
  if (element instanceof shadow.IntegerElement) {
    return (element as shadow.IntegerElement).value.toString();
  }
  if (element instanceof shadow.BooleanElement) {
    return (element as shadow.BooleanElement).value ? "true" : "false";
  }
  if (element instanceof shadow.FloatElement) {
    return (element as shadow.FloatElement).value.toString();
  }
  return (element as shadow.StringElement).value;
}

function onChange(element: shadow.Element): void {
  say("changed " + element.shadow.name + "." + element.key + "=" + valueOf(element));
}

function addHandlers(): void {
  jobs.on("ok", (job: jobs.Job): u8 => began(job, JobStatus.SUCCEEDED));
  jobs.on("fail", (job: jobs.Job): u8 => began(job, JobStatus.FAILED));
  jobs.on("reject", (job: jobs.Job): u8 => began(job, JobStatus.REJECTED));
  jobs.on("run", (job: jobs.Job): u8 => began(job, JobStatus.IN_PROGRESS));
  jobs.on("keep", (job: jobs.Job): u8 => began(job, JobStatus.IN_PROGRESS), true);
  jobs.on("timer", (job: jobs.Job): u8 => {
    system.after(300, () =>
      begunJobs[begunJobs.length - 1].finish(JobStatus.SUCCEEDED, "the timer fired"),
    );
    return began(job, JobStatus.IN_PROGRESS);
  });
  jobs.stream("module", onPart);
  jobs.onCancel((job: jobs.Job): void => say("canceled " + job.id));
}

function onPart(part: Uint8Array, last: bool): void {
  for (let i = 0; i < part.length; i++) checksum = checksum * 31 + part[i];
  streamed += part.length;
  if (!last) return;
  say("streamed " + streamed.toString() + " " + (<u32>checksum).toString());
  streamed = 0;
  checksum = 0;
}

function began(job: jobs.Job, status: u8): u8 {
  if (begunJobs.length == 2) begunJobs.shift();
  begunJobs.push(job);
  const url = job.document.string("url");
  say(
    "began " +
      job.id +
      " " +
      job.attempt.toString() +
      " " +
      job.document.integer("number", -1).toString() +
      " " +
      (url === null ? "-" : url),
  );
  return status;
}

function say(line: string): void {
  const bytes = String.UTF8.encode(line);
  logWrite(LogLevel.INFO, LogModule.APPLICATION, changetype<usize>(bytes), bytes.byteLength);
}

// ---- bytes: numbers are little-endian, texts have a u16 size in front ---------------------------

function takeByte(): u8 {
  return load<u8>(at++);
}

function takeInt(): i32 {
  at += 4;
  return load<i32>(at - 4);
}

function takeString(): string {
  const size = <usize>load<u16>(at);
  const text = String.UTF8.decodeUnsafe(at + 2, size);
  at += 2 + size;
  return text;
}
