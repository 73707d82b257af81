// One event, one step: which machine hears it, which timer is whose, and what is done at the end
// of every step. This is the whole event loop of the device.

import { EventKind } from "../abi/host";
import * as clients from "../aws/client";
import * as provisioning from "../aws/provisioning";
import * as queue from "../aws/publish_queue";
import * as session from "../aws/session";
import * as subscriptions from "../aws/subscriptions";
import * as trial from "../ota/trial";
import * as records from "../flash/store";
import { nowMs, setNow, startClock } from "../kernel/clock";
import { eventsWait } from "../kernel/events";
import { Timer, setTimer, slotsFor, takeDue, waitMs } from "../kernel/timers";
import * as wifi from "../wifi/wifi";
import * as application from "./application";
import { configurator } from "./configurator";
import * as modes from "./modes";
import * as restart from "./restart";
import * as system from "./system";

/** FLASH_DONE drives the store; this is for a host that said BUSY with nothing under way. */
const STORE_POLL_MS: u32 = 100;

let setup: () => void = () => {};

/** The application's entry point; called in BOOT. */
export function setSetup(entry: () => void): void {
  setup = entry;
}

/** See dispatch in abi.json; the payload is at `payload`. */
export function dispatch(kind: i32, now: u32, a: i32, b: i32, payload: usize, size: i32): i32 {
  if (kind == EventKind.BOOT) startClock(now);
  setNow(now);
  route(kind, a, b, payload, size);
  fireTimers();
  settle();
  return eventsWait() ? 0 : waitMs(slotsFor(modes.applicationRuns()));
}

function route(kind: i32, a: i32, b: i32, payload: usize, size: i32): void {
  switch (kind) {
    case EventKind.BOOT:
      system.begin(<u8>a, payload, size);
      setup();
      system.mount();
      break;
    case EventKind.FLASH_DONE:
      records.onFlashDone(a);
      break;
    case EventKind.WIFI_UP:
      wifi.onUp(payload);
      break;
    case EventKind.WIFI_DOWN:
      wifi.onDown(a, b);
      break;
    case EventKind.MQTT_UP:
      session.onUp();
      break;
    case EventKind.MQTT_DOWN:
      session.onDown(a, b);
      break;
    case EventKind.MQTT_SUBSCRIBED:
      subscriptions.onSubscribed(a, b);
      break;
    case EventKind.MQTT_UNSUBSCRIBED:
      subscriptions.onUnsubscribed(a);
      break;
    case EventKind.MQTT_PUBLISHED:
      queue.onPublished(a, b);
      break;
    case EventKind.MQTT_MESSAGE:
      system.onMessage(a, b, payload, size);
      break;
    case EventKind.CRYPTO_CSR:
      provisioning.onCsr(a, b, payload, size);
      break;
    case EventKind.OTA_DONE:
      if (!trial.onDone(a)) clients.hostEvent(kind, a, b, payload, size);
      break;
    case EventKind.HTTP_RESPONSE:
    case EventKind.HTTP_BODY:
    case EventKind.HTTP_DOWN:
    case EventKind.CRYPTO_VERIFIED:
      clients.hostEvent(kind, a, b, payload, size);
      break;
    default:
      configurator().onHostEvent(kind, a, payload, size);
  }
}

/** Fires what is due, each slot at most once a step: a timer set to 0 waits for the next step. */
function fireTimers(): void {
  const slots = slotsFor(modes.applicationRuns());
  for (let i = 0; i < slots; i++) {
    const timer = takeDue(i, slots);
    if (timer < 0) return;
    i = timer;
    fire(timer);
  }
}

function fire(timer: i32): void {
  switch (timer) {
    case Timer.WIFI:
      wifi.onTimer();
      break;
    case Timer.SESSION:
      session.onTimer();
      break;
    case Timer.SESSION_STABLE:
      session.onStableTimer();
      break;
    case Timer.SUBSCRIBE:
      subscriptions.onTimer();
      break;
    case Timer.PROVISIONING:
      provisioning.onTimer();
      break;
    case Timer.RESTART:
      restart.onTimer();
      break;
    case Timer.OTA:
      if (!trial.onTimer()) clients.hostEvent(EventKind.TICK, 0, 0, 0, 0);
      break;
    case Timer.TRIAL:
      trial.onAskAgain();
      break;
    case Timer.BLE:
    case Timer.BLE_PACKET:
    case Timer.SETUP:
      configurator().onTimer(timer);
      break;
    case Timer.PUBLISH:
    case Timer.STORE:
    case Timer.SHADOW:
    case Timer.JOBS:
      break; // pump() at the end of the step does what is to be done
    default:
      application.onTimer(timer - Timer.APPLICATION);
  }
}

/** The end of every step: first the application, then what it and the machines want sent. */
function settle(): void {
  application.deliver();
  trial.deliver();
  configurator().deliver();
  clients.run();
  subscriptions.pump();
  provisioning.pump();
  queue.pump();
  if (records.poll()) setTimer(Timer.STORE, STORE_POLL_MS);
  restart.pump();
}
