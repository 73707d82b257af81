// Commands over BLE (docs/BLE.md): what a session may ask of the device on the characteristic of
// configuration, and the answers. One command at a time. Knows the configuration and the factory
// reset, and nothing of radio or frames. system.ts begins it in Configuration mode.

import { BleCode, bleRead } from "../abi/host";
import * as ble from "../ble/ble";
import * as packets from "../ble/packets";
import { Characteristic } from "../ble/packets";
import * as configuration from "./configuration";
import * as factory from "./factory";
import * as restart from "./restart";

namespace Command {
  export const APPLY: u8 = 1;
  export const RESET: u8 = 4;
}

const ANSWER: u8 = 0x80;
const HEADER_BYTES: i32 = 2;
/** The answer needs a moment before the device goes. */
const FAREWELL_MS: u32 = 1000;

const command: usize = memory.data(1);

/** Advertises by this name, when sessions can be checked. */
export function begin(name: usize, size: i32): void {
  if (!ble.hasVerifier()) return;
  packets.onPacket(onPacket);
  ble.start(name, size);
}

function onPacket(characteristic: i32, size: i32): void {
  if (characteristic != Characteristic.CONFIGURATION) return;
  store<u8>(command, 0);
  bleRead(0, command, 1);
  if (configuration.isBusy() || restart.isPending()) answer(BleCode.BUSY, 0, 0);
  else if (size == 0) answer(BleCode.INVALID_REQUEST, 0, 0);
  else obey();
}

function obey(): void {
  switch (load<u8>(command)) {
    case Command.APPLY:
      configuration.applyOther(document, onApplied);
      break;
    case Command.RESET:
      answer(BleCode.SUCCESS, 0, 0);
      factory.request(FAREWELL_MS);
      break;
    default:
      answer(BleCode.INVALID_REQUEST, 0, 0);
  }
}

/** The document stands behind the command. */
function document(at: u32, to: usize, bytes: i32): i32 {
  return bleRead(at + 1, to, bytes);
}

function onApplied(stored: bool): void {
  if (stored) {
    answer(BleCode.CONFIGURED, 0, 0);
    restart.request(FAREWELL_MS, utf8("configured over BLE"));
  } else {
    answer(BleCode.INVALID_JSON, configuration.errorText, configuration.errorSize);
  }
}

function answer(code: u8, text: usize, size: i32): void {
  store<u8>(packets.plain, load<u8>(command) | ANSWER);
  store<u8>(packets.plain, code, 1);
  memory.copy(packets.plain + HEADER_BYTES, text, size);
  packets.send(Characteristic.CONFIGURATION, HEADER_BYTES + size);
}
