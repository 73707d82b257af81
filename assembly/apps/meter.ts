// Sample: a meter that loses nothing it was not told to lose. A reading each minute with the number
// of the life and of the reading in it, so that whoever receives them sees a gap; what was counted
// is in flash, the period is a setting in a shadow, the job "calibrate" takes two seconds, and
// firmware is updated, and a phone configures it. `npm run sim` lets years pass for it (docs/SIMULATION.md).

import {
  ble,
  Event,
  flash,
  JobStatus,
  jobs,
  json,
  log,
  Mode,
  mqtt,
  ota,
  shadow,
  system,
} from "../index";

const MINUTE_S: i32 = 60;
const PERIOD_MIN_S: i32 = 10;
const PERIOD_MAX_S: i32 = 3600;
const CALIBRATION_MS: u32 = 2000;
const WARM_UP_MS: u32 = 20000;
/** In the application's 256 bytes: how often it has started, and what it has counted. */
const STARTS_AT: i32 = 0;
const COUNTED_AT: i32 = 4;

const settings = new shadow.Shadow("settings");
const period = settings.integer("period", MINUTE_S, shadow.REPORTED | shadow.AT_START);
const body = new json.Builder(96);

let reading: i32 = 0;
let timer: i32 = -1;
let calibration: jobs.Job | null = null;
let calibrationTimer: i32 = -1;

export function setup(): void {
  system.init("1.0.0");
  system.onEvent(onEvent);
  settings.onChange(restartTimer);
  jobs.on("calibrate", calibrate);
  jobs.onCancel(stopCalibrating);
  ble.enable();
  ota.enable();
  ota.onSelfTest(selfTest);
}

function onEvent(event: u8, value: i32): void {
  if (event == Event.MODE_CHANGED && value == Mode.NORMAL) {
    flash.writeInt(STARTS_AT, flash.readInt(STARTS_AT) + 1);
    log.info("start " + flash.readInt(STARTS_AT).toString());
    log.info("counted " + flash.readInt(COUNTED_AT).toString());
    timer = system.after(periodMs(), read);
    mqtt.subscribe(topic("command"), 1);
  } else if (event == Event.MESSAGE_ARRIVED) {
    obey();
  } else if (event == Event.TRAPPED) {
    mqtt.publish(topic("trap"), system.eventText(), 1);
  }
}

function topic(leaf: string): string {
  return "devices/" + system.thingName() + "/" + leaf;
}

/** A meter measures nothing worth having before it is warm. */
function selfTest(): u8 {
  return system.uptimeMs() < WARM_UP_MS ? ota.UNDECIDED : ota.PASSED;
}

function obey(): void {
  let message = mqtt.read();
  while (message !== null) {
    log.info("command " + message.text());
    message = mqtt.read();
  }
}

function periodMs(): u32 {
  const seconds = <i32>period.value;
  return <u32>max(PERIOD_MIN_S, min(PERIOD_MAX_S, seconds)) * 1000;
}

function restartTimer(_element: shadow.Element): void {
  if (timer < 0) return;
  system.cancel(timer);
  timer = system.after(periodMs(), read);
}

/** What does not fit the queue is not counted: its number goes to the next reading. */
function read(): void {
  timer = system.after(periodMs(), read);
  body.begin().object();
  body.key("start").integer(flash.readInt(STARTS_AT));
  body.key("reading").integer(reading + 1);
  body.end();
  const id = mqtt.publishBytes(topic("reading"), body.bytes(), 1);
  if (id < 0) return;
  reading++;
  if (reading % 60 == 0) flash.writeInt(COUNTED_AT, flash.readInt(COUNTED_AT) + 60);
}

function calibrate(job: jobs.Job): u8 {
  calibration = job;
  calibrationTimer = system.after(CALIBRATION_MS, finishCalibration);
  return JobStatus.IN_PROGRESS;
}

function finishCalibration(): void {
  const job = calibration;
  if (job === null) return;
  calibration = null;
  log.info("calibrated " + job.id);
  job.finish(JobStatus.SUCCEEDED);
}

function stopCalibrating(_job: jobs.Job): void {
  calibration = null;
  system.cancel(calibrationTimer);
}
