// What a person is told when a device is set up over BLE: one sentence for each thing that goes
// wrong, which says what to do. Shared by `iot32 configure` and the web page, so it runs in browsers.

import { BleCode, nameOf, SetupStep, Status } from "../abi.js";

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

/** What the device names when certificate and key were compared, and are no pair. */
const PAIRS: readonly string[] = ["thing.privateKey", "claim.privateKey"];
const NO_PAIR = "Certificate and private key do not belong together, or one of them cannot be read";

const couldNot = (text: string): string =>
  `The device could not do it${text === "" ? "" : `: ${text}`}.`;

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
    case BleCode.FAILED:
      return PAIRS.includes(text)
        ? `${NO_PAIR} (${text}). Take both from the same download of AWS.`
        : couldNot(text);
    default:
      return couldNot(text);
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

// ---- how far it is -----------------------------------------------------------------------------

/** What the setting up is at; "device": what the device says it is at. */
export type Phase = "connect" | "session" | "send" | "device" | "restart" | "reconnect";

const PHASE_WORDS: Readonly<Record<Exclude<Phase, "device">, string>> = {
  connect: "connecting to the device",
  session: "proving that the device is yours",
  send: "sending the configuration",
  restart: "the device has left, and tries the endpoint; this may take five minutes",
  reconnect: "the device is back; asking how it went",
};

function wordsOfStep(step: SetupStep, text: string): string {
  switch (step) {
    case SetupStep.CHECKING:
      return "the device checks the configuration";
    case SetupStep.JOINING:
      return text === "" ? "the device joins the network" : `the device joins "${text}"`;
    case SetupStep.JOINED:
      return `the device is in the network${text === "" ? "" : `, its address is ${text}`}`;
    case SetupStep.ENDPOINT:
      return "the device connects to the endpoint";
    case SetupStep.PROVISIONED:
      return `the claim was accepted${text === "" ? "" : `: the device is the thing ${text}`}`;
    case SetupStep.CONNECTED:
      return `the device is online${text === "" ? "" : ` as the thing ${text}`}`;
    default:
      return "the device waits";
  }
}

export function wordsOfProgress(phase: Phase, step: SetupStep, text: string): string {
  return phase === "device" ? wordsOfStep(step, text) : PHASE_WORDS[phase];
}

// ---- how it failed -----------------------------------------------------------------------------

type Sentences = Readonly<Partial<Record<Status, string>>>;

const WRONG_PASSWORD =
  "The network refuses the password. Check it, and send the configuration again.";
const NO_SUCH_NETWORK =
  "The device finds no network of that name. Check the name, and that it is a network on 2.4 GHz within reach.";

const OF_CHECKING: Sentences = {
  [Status.REFUSED]:
    "Certificate and private key do not belong together. Take both from the same download of AWS.",
  [Status.CREDENTIALS_INVALID]:
    "A certificate or private key cannot be read. Give PEM files, unencrypted, as AWS made them.",
  [Status.NO_SPACE]: "The device has no room for this configuration.",
};

const OF_JOINING: Sentences = {
  [Status.WRONG_PASSWORD]: WRONG_PASSWORD,
  [Status.NO_SUCH_NETWORK]: NO_SUCH_NETWORK,
  [Status.TIMEOUT]:
    "The network does not let the device in, or gives it no address. Look at the access point, or go nearer to it.",
  [Status.REFUSED]:
    "The access point takes no more devices. Restart it, or remove a device from it.",
  [Status.CONNECTION_LOST]:
    "The connection to the network breaks. Bring the device nearer to the access point.",
};

const OF_ENDPOINT: Sentences = {
  ...OF_JOINING,
  [Status.NAME_NOT_RESOLVED]:
    "The endpoint's name has no address. Check how it is written, and that the network leads to the internet.",
  [Status.UNREACHABLE]:
    "The endpoint cannot be reached. A firewall may block its port; port 443 may work instead of 8883.",
  [Status.TLS_SERVER_REFUSED]:
    "The endpoint's certificate does not fit the root CA. Check both; AWS is verified with Amazon Root CA 1.",
  [Status.TLS_CLIENT_REFUSED]:
    "The endpoint refuses the certificate. Check that it is active in AWS IoT, and of this account and region.",
  [Status.CREDENTIALS_INVALID]:
    "Root CA, certificate or private key cannot be used, or certificate and key do not belong together.",
  [Status.MQTT_REFUSED]:
    "The endpoint knows the certificate and refuses the connection. Check that the certificate is active, and its policy: it must allow iot:Connect for this client.",
  [Status.KEEP_ALIVE_TIMEOUT]: "The endpoint stopped answering. Look at the network.",
  [Status.CONNECTION_LOST]:
    "The endpoint ends the connection again and again. Check the policy, and that no other device has this thing name.",
  [Status.TIMEOUT]: "The endpoint does not answer in time. Look at the network and its firewall.",
  [Status.REFUSED]:
    "The provisioning template refuses the device. Check the template, its parameters and its hook.",
};

const OF_CODE: Readonly<Partial<Record<BleCode, string>>> = {
  [BleCode.WRONG_PASSWORD]: WRONG_PASSWORD,
  [BleCode.WRONG_SSID]: NO_SUCH_NETWORK,
};

export interface SetupFailure {
  readonly code: BleCode;
  readonly step: SetupStep;
  readonly status: Status;
  /** What the device says, may be empty. */
  readonly text: string;
}

function sentencesOf(step: SetupStep): Sentences {
  if (step <= SetupStep.CHECKING) return OF_CHECKING;
  return step <= SetupStep.JOINED ? OF_JOINING : OF_ENDPOINT;
}

const WORDS_OFFLINE =
  "The claim was accepted, and the device has a certificate of its own now; but it cannot connect with it.";

/** A document that was tried, and did not do. */
export function wordsOfFailure(failure: SetupFailure): string {
  const words = wordsOfReason(failure);
  return failure.code === BleCode.CONFIGURED ? `${WORDS_OFFLINE} ${words}` : words;
}

function wordsOfReason({ code, step, status, text }: SetupFailure): string {
  const assumed = code === BleCode.TIMEOUT && status === Status.OK ? Status.TIMEOUT : status;
  const known = OF_CODE[code] ?? sentencesOf(step)[assumed];
  const said = text === "" ? "" : ` The device says: ${text}.`;
  if (known !== undefined) return `${known}${said}`;
  if (text !== "") return `The configuration does not work.${said}`;
  return `The configuration does not work (${nameOf(Status, status)}).`;
}

export const WORDS_GONE =
  "The device has not come back to tell how it went. If it is not online, send the configuration again.";
export const WORDS_FORGOTTEN =
  "The device is back, and knows nothing of this configuration. Send it again.";
