// Configuration over BLE: an application that calls ble.enable() can be configured by a phone, the
// web page or `iot32 configure` (docs/BLE.md), once the firmware knows how sessions are checked
// (ble.verifier of the configuration document). A device that lacks something waits for a central
// by itself; one that works goes there by ble.configure(). While it is there the application's
// timers stand still, and it can talk to the central in packets of its own:
//
//   ble.enable();
//   ble.onPacket("lamp", (data: Uint8Array): u8 => { show(data[0] != 0); return BleCode.SUCCESS; });

import { Status } from "../abi/host";
import * as packets from "../ble/application_packets";
import * as machine from "../ble/ble";
import { enable as install } from "../system/ble_configurator";
import * as configuration from "../system/configuration";
import { Slot } from "../system/configuration";
import * as setup from "../system/setup";

/** Lets the device be configured over BLE; to be called from setup(). */
export function enable(): void {
  install();
}

/**
 * Restarts into Configuration mode, where the device waits ten minutes for a central and then goes
 * back to what it did. NOT_FOUND without a verifier: no central could open a session.
 */
export function configure(): i32 {
  if (configuration.sizeOf(Slot.VERIFIER) == 0) return Status.NOT_FOUND;
  setup.request();
  return Status.OK;
}

/** BleState. */
export function state(): u8 {
  return machine.state;
}

/**
 * Calls `callback` with the data of each packet of this name (1 to 32 bytes; data up to 8 KB); what
 * it returns, a BleCode, acknowledges the packet. OK, INVALID_ARGUMENT, or NO_SPACE beyond eight
 * names.
 */
export function onPacket(name: string, callback: (data: Uint8Array) => u8): i32 {
  return packets.register(String.UTF8.encode(name), callback);
}

/** In a callback of onPacket(): data to go with its code, up to 1,022 bytes. OK or TOO_LARGE. */
export function reply(data: Uint8Array): i32 {
  return packets.reply(data);
}

/**
 * Offers a packet to the central, which fetches it (Event.BLE_PACKET_TAKEN); name and data up to
 * 1,021 bytes. OK, INVALID_ARGUMENT, TOO_LARGE, or NO_SPACE while another one waits.
 */
export function send(name: string, data: Uint8Array): i32 {
  return packets.offer(String.UTF8.encode(name), data);
}
