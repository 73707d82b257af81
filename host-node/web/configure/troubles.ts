// What a person is told when the browser or its Bluetooth does not play along, and what to do then.
// The words for what the device answers are shared with `iot32 configure`: src/ble/words.ts.

import { CentralError } from "../../src/ble/central.js";
import { type BluetoothReason, BluetoothTrouble } from "./web_bluetooth.js";

const WORDS: Record<BluetoothReason, string> = {
  unsupported:
    "This browser has no Web Bluetooth. Use Chrome or Edge on a computer or an Android phone. On an iPhone or iPad, use an app that brings Web Bluetooth along, such as Bluefy. In Chromium on Linux it has to be switched on: chrome://flags/#enable-web-bluetooth.",
  insecure:
    "Browsers allow Bluetooth only to pages that came over https, or from this computer itself. Open this page at an address that begins with https:// or with http://localhost.",
  off: "Bluetooth is off on this computer or phone, or it has none. Switch it on, then try again.",
  cancelled:
    "No device was chosen. If yours was not in the list, check that it has power, is near, and is waiting to be set up.",
  forbidden:
    "Bluetooth is not allowed to this page. Allow it in the settings of the browser, and of the system, then try again.",
  unreachable:
    "The device does not answer. Go nearer to it, check that it has power, then try again.",
  stranger: "This device does not offer what is needed to set it up. Choose another one.",
};

export const wordsOfBluetooth = (reason: BluetoothReason): string => WORDS[reason];

export function wordsOf(error: unknown): string {
  if (error instanceof BluetoothTrouble) return WORDS[error.reason];
  if (error instanceof CentralError) return error.message;
  const text = error instanceof Error ? error.message : String(error);
  return `This should not have happened: ${text}. Reload the page, and begin again.`;
}
