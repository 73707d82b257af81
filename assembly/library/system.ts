// The system as the application sees it: settings, modes, events, timers, restart, identity.

import { Mode } from "../abi/host";
import * as events from "../kernel/events";
import { nowMs, startMs } from "../kernel/clock";
import * as application from "../system/application";
import * as factory from "../system/factory";
import * as modes from "../system/modes";
import * as restarts from "../system/restart";
import * as root from "../system/system";
import { fromUtf8, textAt, toUtf8 } from "./text";

let applicationVersion: string = "";

/**
 * Settings, to be called from setup(). `version` is the application's own; devices are called
 * `devicePrefix` (at most 16 bytes) followed by the MAC address, which is also the SerialNumber
 * parameter of provisioning.
 */
export function init(version: string, devicePrefix: string = "iot32-"): void {
  applicationVersion = version;
  root.setDevicePrefix(textAt, toUtf8(devicePrefix));
}

/** The version given to init(). */
export function version(): string {
  return applicationVersion;
}

/** Calls `handler` with each Event and its value, after the step in which it happened. */
export function onEvent(handler: (event: u8, value: i32) => void): void {
  application.onEvent(handler);
}

/** Text of the event whose handler is running; see Event. */
export function eventText(): string {
  return fromUtf8(events.text, events.textSize);
}

/** Present Mode. */
export function mode(): u8 {
  return modes.mode;
}

/** Present Mode in words. */
export function modeName(): string {
  switch (modes.mode) {
    case Mode.INIT:
      return "Init";
    case Mode.IDLE:
      return "Idle";
    case Mode.CONFIGURATION:
      return "Configuration";
    case Mode.NORMAL:
      return "Normal";
    default:
      return "OTA";
  }
}

/** Calls back every `ms` (1 and up) in Normal and OTA mode; the timer's number, or -1 (8 at most). */
export function every(ms: u32, callback: () => void): i32 {
  return application.startTimer(ms, true, callback);
}

/** Calls back once, after `ms`. */
export function after(ms: u32, callback: () => void): i32 {
  return application.startTimer(ms, false, callback);
}

/** Stops a timer. */
export function cancel(timer: i32): void {
  application.stopTimer(timer);
}

/** Milliseconds since this life began. */
export function uptimeMs(): u64 {
  return nowMs - startMs;
}

/** Restarts after `delayMs`, with the session closed and all flash operations finished. */
export function restart(delayMs: u32 = 0): void {
  restarts.request(delayMs, utf8("asked for by the application"));
}

/**
 * Forgets everything: configuration, certificates, keys, the thing's name, what is in flight, and the
 * application's bytes; and overwrites them, which takes some seconds of flash. Restarts for it, and
 * again behind it. A document that the host was built with is then applied anew. A power cut does
 * not stop it. The thing and its certificate stay in the cloud.
 */
export function factoryReset(): void {
  factory.request(0);
}

export function isWaitingForRestart(): bool {
  return restarts.isPending();
}

/** ResetReason of this life. */
export function resetReason(): u8 {
  return root.resetReason;
}

/** Prefix and MAC address, e.g. "iot32-a1b2c3d4e5f6"; complete after setup(). */
export function deviceName(): string {
  return fromUtf8(root.deviceName, root.deviceNameSize);
}

/** AWS thing name; empty until the device is provisioned. */
export function thingName(): string {
  return fromUtf8(root.thingName(), root.thingNameSize());
}

/** Six bytes. */
export function macAddress(): Uint8Array {
  const bytes = new Uint8Array(6);
  memory.copy(bytes.dataStart, root.mac, 6);
  return bytes;
}
