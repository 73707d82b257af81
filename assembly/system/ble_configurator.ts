// BLE, wired: what the radio, the scan and the application send goes to the machine of BLE, to
// setup.ts or to the packets of the application. Made by ble.enable() of the library.

import { BleState, EventKind } from "../abi/host";
import * as progress from "../aws/progress";
import * as applicationPackets from "../ble/application_packets";
import * as ble from "../ble/ble";
import * as packets from "../ble/packets";
import { Characteristic } from "../ble/packets";
import { Timer } from "../kernel/timers";
import * as commands from "./ble_commands";
import * as configuration from "./configuration";
import { Slot } from "./configuration";
import { Configurator, install } from "./configurator";
import * as outcome from "./outcome";
import * as setup from "./setup";
import * as root from "./system";

class BleConfigurator extends Configurator {
  begin(): u8 {
    return setup.begin();
  }

  start(): void {
    setup.start();
    if (configuration.sizeOf(Slot.VERIFIER) == 0) return;
    ble.start(
      root.deviceName,
      root.deviceNameSize,
      configuration.verifierOffset,
      progress.proofsFailed(),
    );
  }

  onNetwork(up: bool): void {
    setup.onNetwork(up);
  }

  onSession(change: u8): void {
    setup.onSession(change);
  }

  onProvisioned(): void {
    setup.onProvisioned();
  }

  onRecord(place: u8, status: i32): void {
    setup.onRecord(place, status);
  }

  onHostEvent(kind: i32, a: i32, payload: usize, size: i32): void {
    switch (kind) {
      case EventKind.BLE_CONNECTED:
        ble.onConnected(a);
        break;
      case EventKind.BLE_MTU:
        packets.setMtu(a);
        break;
      case EventKind.BLE_SESSION:
        ble.onSession(a);
        break;
      case EventKind.BLE_WRITE:
        ble.onWrite(a, payload, size);
        break;
      case EventKind.BLE_SENT:
        packets.onSent(a);
        break;
      case EventKind.BLE_DISCONNECTED:
        ble.onDisconnected();
        applicationPackets.reset();
        setup.onCentralGone();
        break;
      case EventKind.BLE_STOPPED:
        ble.onStopped();
        break;
      case EventKind.WIFI_SCANNED:
        commands.onScanned(a, payload, size);
        break;
      case EventKind.CRYPTO_PAIRED:
        setup.onPaired(a);
        break;
    }
  }

  onTimer(timer: i32): void {
    if (timer == Timer.BLE) ble.onTimer();
    else if (timer == Timer.BLE_PACKET) packets.onTimer();
    else setup.onTimer();
  }

  deliver(): void {
    applicationPackets.deliver();
  }

  close(): void {
    ble.stop();
  }

  isClosed(): bool {
    return ble.state == BleState.OFF;
  }
}

function onPacket(characteristic: i32, size: i32): void {
  setup.stay();
  if (characteristic == Characteristic.APPLICATION) applicationPackets.onPacket(size);
  else commands.onCommand(characteristic == Characteristic.CONFIGURATION ? size : 0);
}

/** From setup() on, the device can be configured over BLE. */
export function enable(): void {
  install(new BleConfigurator());
  packets.prepare(onPacket);
  commands.prepare();
  ble.onFailures(progress.setProofsFailed);
  outcome.onChange(ble.change);
  setup.prepare(commands.onJudged);
}
