// Sample: everything at once. Telemetry, a LED with its colour as a shadow, the blink job, system
// events in the log, a counter of starts in flash, a report of traps, updates with a self-test that
// fails while the boot button is pressed, and configuration over BLE, also by the job "configure", where
// a phone can switch the LED.

import {
  ble,
  BleCode,
  Event,
  flash,
  gpio,
  JobStatus,
  jobs,
  json,
  log,
  Mode,
  PinMode,
  mqtt,
  ota,
  shadow,
  system,
} from "../index";

const LED_PIN: u32 = 2;
const BUTTON_PIN: u32 = 9;
const PERIOD_MS: u32 = 5000;
const STARTS_AT: i32 = 0;

const lamp = new shadow.Shadow("lamp");
const on = lamp.boolean("on", false, shadow.REPORTED | shadow.AT_START);
const colour = lamp.string("colour", "white", 16, shadow.REPORTED | shadow.AT_START);
const body = new json.Builder(128);

let sequence: i32 = 0;
let blinking: jobs.Job | null = null;
let blinks: i32 = 0;
let onTimeMs: u32 = 0;
let offTimeMs: u32 = 0;
let blinkTimer: i32 = -1;

export function setup(): void {
  system.init("1.0.0");
  system.onEvent(onEvent);
  system.every(PERIOD_MS, publishTelemetry);
  gpio.output(LED_PIN);
  lamp.onChange(showLamp);
  jobs.on("blink", beginBlinking);
  jobs.onCancel(stopBlinking);
  gpio.input(BUTTON_PIN, PinMode.INPUT_PULL_UP);
  jobs.on("configure", beginConfiguration);
  ble.enable();
  ble.onPacket("lamp", switchLamp);
  ota.enable();
  ota.onSelfTest(selfTest);
}

function selfTest(): u8 {
  return gpio.read(BUTTON_PIN) ? ota.PASSED : ota.FAILED;
}

function topic(leaf: string): string {
  return "devices/" + system.thingName() + "/" + leaf;
}

function onEvent(event: u8, value: i32): void {
  switch (event) {
    case Event.MODE_CHANGED:
      log.info("mode " + system.modeName());
      if (value == Mode.NORMAL) {
        flash.writeInt(STARTS_AT, flash.readInt(STARTS_AT) + 1);
        mqtt.subscribe(topic("command"), 1);
      }
      break;
    case Event.MQTT_CONNECTED:
      publishTelemetry();
      break;
    case Event.MESSAGE_ARRIVED:
      readMessages();
      break;
    case Event.TRAPPED:
      mqtt.publish(topic("trap"), system.eventText(), 1);
      break;
  }
}

function publishTelemetry(): void {
  body.begin().object();
  body.key("sequence").integer(sequence++);
  body.key("starts").integer(flash.readInt(STARTS_AT));
  body.key("uptimeMs").integer(system.uptimeMs());
  body.end();
  const id = mqtt.publishBytes(topic("telemetry"), body.bytes(), 1);
  if (id < 0) log.warning("telemetry not queued: " + id.toString());
}

function readMessages(): void {
  let message = mqtt.read();
  while (message !== null) {
    log.info("command: " + message.text());
    message = mqtt.read();
  }
}

function showLamp(_element: shadow.Element): void {
  gpio.write(LED_PIN, on.value);
  log.info("LED " + (on.value ? "on, " : "off, ") + colour.value);
}

function beginBlinking(job: jobs.Job): u8 {
  blinks = <i32>job.document.integer("count", 1);
  onTimeMs = <u32>job.document.integer("onTime", 500);
  offTimeMs = <u32>job.document.integer("offTime", 500);
  if (blinks < 1 || blinks > 100) return JobStatus.REJECTED;
  blinking = job;
  turnOn();
  return JobStatus.IN_PROGRESS;
}

function turnOn(): void {
  gpio.write(LED_PIN, true);
  blinkTimer = system.after(onTimeMs, turnOff);
}

function turnOff(): void {
  gpio.write(LED_PIN, false);
  if (--blinks > 0) blinkTimer = system.after(offTimeMs, turnOn);
  else finishBlinking();
}

function finishBlinking(): void {
  const job = blinking;
  if (job !== null) job.finish(JobStatus.SUCCEEDED);
}

function beginConfiguration(_job: jobs.Job): u8 {
  return ble.configure() == 0 ? JobStatus.SUCCEEDED : JobStatus.REJECTED;
}

/** A packet over BLE: "1" is on, everything else off. */
function switchLamp(data: Uint8Array): u8 {
  gpio.write(LED_PIN, data.length > 0 && data[0] == 0x31);
  return BleCode.SUCCESS;
}

function stopBlinking(_job: jobs.Job): void {
  system.cancel(blinkTimer);
  gpio.write(LED_PIN, on.value);
}
