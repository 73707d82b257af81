// The ports of one simulated device, together: made with it, switched off with it, copied with it.
// The small ones, which keep no state of their own, are written down here.

import { Event, LogModule, type Mode, type Ports, RestartScope, Status } from "../abi.js";
import type { FlashImage } from "../flash_image.js";
import type { CutMode } from "../ports/nor.js";
import type { SimDevice } from "./device.js";
import { SimBle } from "./ports/ble.js";
import { SimCrypto } from "./ports/crypto.js";
import { SimFlash } from "./ports/flash.js";
import { SimHttp } from "./ports/http.js";
import { SimMqtt } from "./ports/mqtt.js";
import { SimOta } from "./ports/ota.js";
import { SimWifi } from "./ports/wifi.js";

export interface DevicePorts {
  readonly wifi: SimWifi;
  readonly mqtt: SimMqtt;
  readonly http: SimHttp;
  readonly records: SimFlash;
  readonly ota: SimOta;
  readonly ble: SimBle;
}

type NetworkUp = () => boolean;

/** Ports of a device out of the factory. */
export function makePorts(device: SimDevice, flash: FlashImage): DevicePorts {
  const { world, index } = device;
  const wifi = new SimWifi(device, world.air);
  const isUp: NetworkUp = () => wifi.state === "up";
  return connected({
    wifi,
    mqtt: new SimMqtt(device, world.wire, index, isUp),
    http: new SimHttp(device, (...args) => world.fetch(device, ...args), isUp),
    records: new SimFlash(device, flash),
    ota: new SimOta(device, flash),
    ble: new SimBle(device),
  });
}

/** The ports of another device of the same number, as they are, for this one. */
export function copyPorts(device: SimDevice, from: DevicePorts, flash: FlashImage): DevicePorts {
  const { world } = device;
  const wifi = from.wifi.copy(device);
  const isUp: NetworkUp = () => wifi.state === "up";
  return connected({
    wifi,
    mqtt: from.mqtt.copy(device, world.wire, isUp),
    http: from.http.copy(device, (...args) => world.fetch(device, ...args), isUp),
    records: from.records.copy(device, flash),
    ota: from.ota.copy(device, flash, device.software),
    ble: from.ble.copy(device),
  });
}

/** Where Wi-Fi goes, connections go with it. */
function connected(ports: DevicePorts): DevicePorts {
  ports.wifi.onDown = () => {
    ports.mqtt.networkLost();
    ports.http.networkLost();
  };
  return ports;
}

/** The power goes, in the middle of what is being written. */
export function tearFlash(
  { records, ota }: DevicePorts,
  mode: CutMode,
  random: () => number,
): void {
  records.powerOff(mode, random);
  ota.powerOff(mode, random);
}

/** A life is over: whatever was under way on networks is lost. */
export function powerOff({ wifi, mqtt, http, ble }: DevicePorts): void {
  wifi.powerOff();
  mqtt.powerOff();
  http.powerOff();
  ble.powerOff();
}

/** As the core calls them. */
export function portsOf(device: SimDevice, parts: DevicePorts): Ports {
  const { wifi, mqtt, http, records: flash, ota, ble } = parts;
  const { pins, outputs, world } = device;
  const document = Buffer.from(device.options.document);
  return {
    ...{ wifi, mqtt, http, flash, ota, ble, crypto: new SimCrypto(device) },
    sys: {
      restart: (scope) => {
        if (scope > RestartScope.MODULE) return Status.INVALID_ARGUMENT;
        device.restartScope = scope as RestartScope;
        return Status.OK;
      },
      random: (bytes) => {
        device.random.fill(bytes);
        return Status.OK;
      },
      panic: () => Status.OK,
      configRead: (offset, bytes) => {
        const part = document.subarray(offset, offset + bytes.length);
        bytes.set(part);
        return part.length;
      },
    },
    log: {
      write: (level, module, text) => {
        if (module === LogModule.APPLICATION) {
          world.watcher.log(device, level, Buffer.from(text).toString());
        }
        return Status.OK;
      },
      event: (event, value, text) => {
        if (event === Event.MODE_CHANGED) device.mode = value as Mode;
        world.watcher.event(device, event, value, Buffer.from(text).toString());
        return Status.OK;
      },
    },
    gpio: {
      mode: () => Status.OK,
      write: (pin, level) => {
        outputs.set(pin, level);
        return Status.OK;
      },
      read: (pin) => outputs.get(pin) ?? pins.get(pin) ?? 1,
    },
  };
}
