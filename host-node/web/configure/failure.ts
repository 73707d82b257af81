// Where a failure can be put right: the step, and the field in it. The words are shared with
// `iot32 configure` (src/ble/words.ts); this only says where to go with them.

import { BleCode, SetupStep, Status } from "../../src/abi.js";
import { CentralError } from "../../src/ble/central.js";
import { SetupError } from "../../src/ble/setup.js";
import type { SetupFailure } from "../../src/ble/words.js";
import { wordsOf } from "./troubles.js";

export interface Correction {
  readonly step: "network" | "cloud";
  /** Path in the document. */
  readonly field: string;
}

export interface Failure {
  readonly title: string;
  readonly text: string;
  /** Null: nothing in the form is to blame. */
  readonly correction: Correction | null;
  /** The same document cannot be tried again. */
  readonly isFinal?: boolean;
}

const at = (field: string): Correction => ({
  step: field.startsWith("wifi.") ? "network" : "cloud",
  field,
});

const BY_CODE: Readonly<Partial<Record<BleCode, Correction>>> = {
  [BleCode.WRONG_PASSWORD]: at("wifi.password"),
  [BleCode.WRONG_SSID]: at("wifi.ssid"),
};

const BY_STATUS: Readonly<Partial<Record<Status, Correction>>> = {
  [Status.WRONG_PASSWORD]: at("wifi.password"),
  [Status.NO_SUCH_NETWORK]: at("wifi.ssid"),
  [Status.NAME_NOT_RESOLVED]: at("aws.endpoint"),
  [Status.UNREACHABLE]: at("aws.port"),
  [Status.TLS_SERVER_REFUSED]: at("aws.rootCa"),
  [Status.TLS_CLIENT_REFUSED]: at("certificate"),
  [Status.CREDENTIALS_INVALID]: at("certificate"),
  [Status.MQTT_REFUSED]: at("certificate"),
  [Status.REFUSED]: at("claim.template"),
};

const TITLES: Readonly<Record<SetupStep, string>> = {
  [SetupStep.IDLE]: "The configuration does not work",
  [SetupStep.CHECKING]: "The certificates do not fit",
  [SetupStep.JOINING]: "The device could not join the network",
  [SetupStep.JOINED]: "The device could not join the network",
  [SetupStep.ENDPOINT]: "The device could not connect to AWS",
  [SetupStep.PROVISIONED]: "The device could not connect to AWS",
  [SetupStep.CONNECTED]: "The configuration does not work",
};

function correctionOf({ code, step, status }: SetupFailure): Correction {
  const found = BY_CODE[code];
  if (found !== undefined) return found;
  if (step <= SetupStep.CHECKING) return at("certificate");
  if (step <= SetupStep.JOINED) return BY_STATUS[status] ?? at("wifi.ssid");
  return BY_STATUS[status] ?? at("aws.endpoint");
}

const OF_DOCUMENT: readonly BleCode[] = [
  BleCode.INVALID_JSON,
  BleCode.MISSING_ELEMENTS,
  BleCode.FAILED,
];

/** The device names a field of the document that it refuses. */
function refusedField({ reason, code, text }: CentralError): Correction | null {
  if (reason !== "device" || code === null || !OF_DOCUMENT.includes(code)) return null;
  const field = /\b(?:wifi|aws|thing|claim|ota|ble)\.\w+/.exec(text)?.[0];
  return field === undefined ? null : at(field);
}

export function failureOf(error: unknown): Failure {
  if (error instanceof SetupError) {
    const { failure, message } = error;
    if (failure === null)
      return { title: "It is not known how it went", text: message, correction: null };
    if (failure.code === BleCode.CONFIGURED) {
      return {
        title: "Provisioned, but not online",
        text: message,
        correction: null,
        isFinal: true,
      };
    }
    return { title: TITLES[failure.step], text: message, correction: correctionOf(failure) };
  }
  const text = wordsOf(error);
  const correction = error instanceof CentralError ? refusedField(error) : null;
  if (correction !== null)
    return { title: "The device refuses this configuration", text, correction };
  return { title: "The device could not be set up", text, correction: null };
}
