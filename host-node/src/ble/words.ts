// What a person is told when a device is set up over BLE: one sentence for each thing that goes
// wrong, which says what to do. Shared by `iot32 configure` and the web page, so it runs in browsers.

import { BleCode } from "../abi.js";

/** Why a central and a device do not understand each other. */
export type CentralReason =
  /** Too many wrong proofs: it hears nobody, for some seconds more. */
  | "locked"
  /** The proof of possession is wrong. */
  | "proof"
  /** The device cannot show that it knows the proof of possession. */
  | "impostor"
  | "timeout"
  | "disconnected"
  /** It says what docs/BLE.md does not allow. */
  | "protocol"
  /** A request that is longer than may be; it was not sent. */
  | "size"
  /** It has answered, and the answer is no: see its code and its text. */
  | "device";

export interface CentralTrouble {
  readonly reason: CentralReason;
  /** How long it stays locked. */
  readonly seconds: number;
  /** Answer of the device; only with "device". */
  readonly code: BleCode | null;
  /** What the device says, or what a programmer wants to know. */
  readonly text: string;
}

const forSeconds = (seconds: number): string =>
  seconds === 1 ? "for 1 second" : `for ${seconds} seconds`;

const inBrackets = (text: string): string => (text === "" ? "" : ` (${text})`);

/** An answer that is no. */
function wordsOfCode(code: BleCode | null, text: string): string {
  switch (code) {
    case BleCode.INVALID_JSON:
      return `The configuration is not valid${text === "" ? "" : `: ${text}`}. Nothing was changed.`;
    case BleCode.MISSING_ELEMENTS:
      return `The configuration is not complete: ${text} is missing.`;
    case BleCode.BUSY:
      return "The device is busy with another configuration. Try again in a moment.";
    case BleCode.INVALID_REQUEST:
      return "The device does not know this request. Its firmware may be older than this program.";
    case BleCode.TOO_LARGE:
      return "The configuration is too large for the device.";
    case BleCode.ACCESS_DENIED:
      return "The device does not allow this. Connect again.";
    default:
      return `The device could not do it${text === "" ? "" : `: ${text}`}.`;
  }
}

export function wordsOfTrouble({ reason, seconds, code, text }: CentralTrouble): string {
  const locked = `locked ${forSeconds(seconds)}`;
  switch (reason) {
    case "locked":
      return `The device is ${locked}: the proof of possession was wrong too often. Wait, then try again.`;
    case "proof":
      return `The proof of possession is wrong.${seconds > 0 ? ` The device is ${locked} now.` : ""}`;
    case "impostor":
      return "This device does not know the proof of possession. It is another one than it says.";
    case "timeout":
      return "The device does not answer. Go nearer to it, and try again.";
    case "disconnected":
      return "The connection to the device is gone. Go nearer to it, and try again.";
    case "protocol":
      return `The device answers in a way that this program does not understand${inBrackets(text)}.`;
    case "size":
      return `It is too large for the device${inBrackets(text)}.`;
    case "device":
      return wordsOfCode(code, text);
  }
}
