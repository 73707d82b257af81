// Why a central and a device do not understand each other, as an error. Runs in browsers.

import type { BleCode } from "../abi.js";
import { type CentralReason, type CentralTrouble, wordsOfTrouble } from "./words.js";

/** `message` is a sentence for a person; the rest is for programs. */
export class CentralError extends Error implements CentralTrouble {
  readonly seconds: number;
  readonly code: BleCode | null;
  readonly text: string;

  constructor(
    readonly reason: CentralReason,
    { seconds = 0, code = null, text = "" }: Partial<CentralTrouble> = {},
    options?: ErrorOptions,
  ) {
    super(wordsOfTrouble({ reason, seconds, code, text }), options);
    this.name = "CentralError";
    this.seconds = seconds;
    this.code = code;
    this.text = text;
  }
}

export const protocolError = (text: string): CentralError => new CentralError("protocol", { text });
