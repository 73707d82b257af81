// The stage of the publish queue's tests: sessions that are down or silent, and the end of each
// test, when all that was accepted has been accounted for.

import { Event, Status } from "../../../host-node/src/abi.js";
import type { Publish } from "./scripted_broker.js";
import { ScriptedDevice } from "./scripted_host.js";

/** Capacity of the queue, as library/mqtt.ts states it, and the header of an entry. */
export const CAPACITY = 3072;
export const HEADER = 16;
/** Longer than any back-off. */
export const RECONNECT_MS = 600_000;

export const topicsOf = (publishes: Publish[]): string[] => publishes.map(({ topic }) => topic);

/** A device whose session is down, and stays down until the test lets it come up. */
export function offline(): ScriptedDevice {
  const device = new ScriptedDevice();
  device.broker.onConnect = () => Status.UNREACHABLE;
  device.boot().untilEvent(Event.MQTT_DISCONNECTED);
  return device;
}

export function comeUp(device: ScriptedDevice): ScriptedDevice {
  device.broker.onConnect = () => "up";
  device.untilEvent(Event.MQTT_CONNECTED, RECONNECT_MS);
  return device;
}

/** A device that is online, whose broker acknowledges nothing. */
export function silent(): ScriptedDevice {
  const device = new ScriptedDevice().online();
  device.broker.onPublish = () => "silent";
  return device;
}

/** Runs until all is sent and answered, and checks that each accepted publish has ended. */
export function drain(device: ScriptedDevice): ScriptedDevice {
  while (device.state().queueLength > 0) device.runFor(1000);
  device.expectAllAccountedFor();
  return device;
}
