// Sample: counts its starts in flash, publishes a small JSON document every five seconds, answers
// to messages on its command topic, and reports what it trapped on.

import { Event, flash, json, log, Mode, mqtt, system } from "../index";

const PERIOD_MS: u32 = 5000;
const STARTS_AT: i32 = 0;

const body = new json.Builder(128);
let sequence: i32 = 0;

export function setup(): void {
  system.init("1.0.0");
  system.onEvent(onEvent);
  system.every(PERIOD_MS, publishTelemetry);
}

function topic(leaf: string): string {
  return "devices/" + system.thingName() + "/" + leaf;
}

function onEvent(event: u8, value: i32): void {
  if (event == Event.MODE_CHANGED && value == Mode.NORMAL) {
    flash.writeInt(STARTS_AT, flash.readInt(STARTS_AT) + 1);
    mqtt.subscribe(topic("command"), 1);
  } else if (event == Event.MESSAGE_ARRIVED) {
    readMessages();
  } else if (event == Event.MQTT_CONNECTED) {
    publishTelemetry();
  } else if (event == Event.TRAPPED) {
    mqtt.publish(topic("trap"), system.eventText(), 1);
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
