// Sample: blinks as a job says: {"action":"blink","count":3,"onTime":250,"offTime":500}, times in
// milliseconds. The handler only begins; a timer does the work, so that nothing waits for it.

import { gpio, JobStatus, jobs, log, system } from "../index";

const LED_PIN: u32 = 2;
const COUNT_MAX: i64 = 100;

let current: jobs.Job | null = null;
let remaining: i32 = 0;
let total: i32 = 0;
let onTimeMs: u32 = 0;
let offTimeMs: u32 = 0;
let timer: i32 = -1;

export function setup(): void {
  system.init("1.0.0");
  gpio.output(LED_PIN);
  jobs.on("blink", begin);
  jobs.onCancel(stop);
}

function begin(job: jobs.Job): u8 {
  const count = job.document.integer("count", 1);
  onTimeMs = <u32>job.document.integer("onTime", 500);
  offTimeMs = <u32>job.document.integer("offTime", 500);
  if (count < 1 || count > COUNT_MAX) {
    job.finish(JobStatus.REJECTED, "count is not from 1 to 100");
    return JobStatus.IN_PROGRESS;
  }
  current = job;
  total = <i32>count;
  remaining = total;
  log.info("blinking " + total.toString() + " times");
  turnOn();
  return JobStatus.IN_PROGRESS;
}

function turnOn(): void {
  gpio.write(LED_PIN, true);
  timer = system.after(onTimeMs, turnOff);
}

function turnOff(): void {
  gpio.write(LED_PIN, false);
  const job = current;
  if (job === null) return;
  if (--remaining > 0) {
    job.progress((total - remaining).toString() + " of " + total.toString());
    timer = system.after(offTimeMs, turnOn);
  } else {
    job.finish(JobStatus.SUCCEEDED);
  }
}

function stop(_job: jobs.Job): void {
  system.cancel(timer);
  gpio.write(LED_PIN, false);
}
