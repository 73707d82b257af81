// What happens to a device, line by line: readable and coloured for people, JSON lines for scripts.
// Used by `iot32 run` and `npm start`. Knows the system events by name and says them in words; an
// event it has no words for is shown by its name.

import pc from "picocolors";
import {
  BleCode,
  BleState,
  Dataset,
  JobStatus,
  LogLevel,
  Mode,
  nameOf,
  OtaState,
  ProvisioningStep,
  RestartScope,
  SetupStep,
  Status,
  statusText,
} from "../abi.js";
import { wordsOfProgress } from "../ble/words.js";
import type { BootReport, Device } from "../device.js";
import type { LogLine, SystemEvent } from "../ports/log.js";

export type Tone = "good" | "bad" | "warning" | "plain" | "faint";

/** One line: who speaks, what is said. */
export interface Saying {
  readonly kind: string;
  readonly tone: Tone;
  readonly text: string;
}

export interface TimelineOptions {
  readonly json?: boolean;
  /** Log lines up to this level are shown. */
  readonly logLevel?: LogLevel;
  readonly write?: (line: string) => void;
  /** Colours; by default when the terminal has them. */
  readonly colour?: boolean;
}

type Say = (event: SystemEvent) => Saying;

const say =
  (kind: string, tone: Tone, words: (value: number, text: string) => string): Say =>
  ({ value, text }) => ({ kind, tone, text: words(value, text) });

const lower = (name: string): string => name.toLowerCase().replaceAll("_", " ");
const dataset = (value: number): string => lower(nameOf(Dataset, value));
const because = (text: string): string => (text === "" ? "" : `: ${text}`);
const status = (value: number): string => statusText(value);
/** A status of ours, or a code of the service. */
const answer = (value: number): string => (value < 0 ? status(value) : `code ${value}`);
const shadow = (name: string): string => (name === "" ? "the classic shadow" : `shadow ${name}`);

const MODE_TONES: Readonly<Record<number, Tone>> = {
  [Mode.IDLE]: "bad",
  [Mode.CONFIGURATION]: "warning",
  [Mode.NORMAL]: "good",
};
const STEP_WORDS: Readonly<Record<number, string>> = {
  [ProvisioningStep.NONE]: "nothing in flight",
  [ProvisioningStep.CONNECTED]: "connected with the claim certificate",
  [ProvisioningStep.KEY_REQUESTED]: "making a key and a signing request",
  [ProvisioningStep.CERTIFICATE_REQUESTED]: "asking for a certificate with the claim",
  [ProvisioningStep.CERTIFICATE_STORED]: "certificate, key and ownership token are in flash",
  [ProvisioningStep.REGISTERING]: "registering the thing",
  [ProvisioningStep.PROBING]: "the token was refused; trying the new certificate",
  [ProvisioningStep.DONE]: "thing certificate is active",
};

const OTA_WORDS: Readonly<Record<number, readonly [tone: Tone, words: string]>> = {
  [OtaState.IDLE]: ["plain", "no update in hand"],
  [OtaState.CHECKING]: ["plain", "an update is asked for; does it suit this device?"],
  [OtaState.DOWNLOADING]: ["plain", "the update is being written to the next slot"],
  [OtaState.WAITING]: ["warning", "the download was broken off and goes on later"],
  [OtaState.VERIFYING]: ["plain", "the update is whole; checking digest and signature"],
  [OtaState.ACTIVATING]: ["good", "the update is good and becomes what starts next"],
  [OtaState.RESTARTING]: ["warning", "the restart into the update is due"],
  [OtaState.SELF_TEST]: ["warning", "the update runs on trial"],
  [OtaState.CONFIRMED]: ["good", "the update stays"],
  [OtaState.FAILED]: ["bad", "the update is given up, nothing has changed"],
  [OtaState.ROLLED_BACK]: ["bad", "the update failed its trial, the one before runs again"],
};

const BLE_WORDS: Readonly<Record<number, readonly [tone: Tone, words: string]>> = {
  [BleState.OFF]: ["plain", "the radio is off"],
  [BleState.ADVERTISING]: ["plain", "waits for a phone"],
  [BleState.CONNECTED]: ["plain", "a phone is connected"],
  [BleState.AUTHENTICATED]: ["good", "it has proved that it may"],
  [BleState.LOCKED]: ["bad", "locked"],
  [BleState.STOPPING]: ["plain", "the radio is switched off"],
};

/** Words for events, by the event's name in abi.json. */
const WORDS: Readonly<Record<string, Say>> = {
  MODE_CHANGED: ({ value, text }) => ({
    kind: "mode",
    tone: MODE_TONES[value] ?? "plain",
    text: `${lower(nameOf(Mode, value))}${because(text)}`,
  }),
  RESTART_PENDING: say("device", "warning", (ms, text) => `restart in ${ms} ms${because(text)}`),
  STORE_MOUNTED: say("flash", "plain", (count) => `records mounted, ${count} datasets found`),
  STORE_FAILED: say("flash", "bad", (value) => `records cannot be used: ${status(value)}`),
  RECORD_CORRUPT: say("flash", "bad", (value) => {
    return value < 0
      ? "a damaged record was skipped"
      : `the record of ${dataset(value)} is damaged`;
  }),
  CONFIGURATION_APPLIED: say("config", "good", () => "configuration checked and stored"),
  CONFIGURATION_INVALID: say(
    "config",
    "bad",
    (at, text) => `refused at byte ${at}${because(text)}`,
  ),
  CONFIGURATION_MISSING: say("config", "warning", (_, text) => `missing: ${text}`),
  FLASH_WRITTEN: say("flash", "faint", (value) => `${dataset(value)} is in flash`),
  FLASH_FAILED: say("flash", "bad", (value) => `${dataset(value)} could not be written`),
  WIFI_JOINING: say("wifi", "plain", (_, text) => `joining "${text}"`),
  WIFI_CONNECTED: say("wifi", "good", (_, text) => `connected, address ${text}`),
  WIFI_DISCONNECTED: say("wifi", "warning", (value) => `disconnected: ${status(value)}`),
  MQTT_CONNECTING: say("mqtt", "plain", (_, text) => `connecting as ${text}`),
  MQTT_CONNECTED: say("mqtt", "good", (count) => {
    return count === 0 ? "connected" : `connected, ${count} topic filters to subscribe to`;
  }),
  MQTT_DISCONNECTED: say("mqtt", "warning", (value) => `disconnected: ${status(value)}`),
  MQTT_SUBSCRIBED: say("mqtt", "plain", (qos, text) => `subscribed to ${text} (QoS ${qos})`),
  MQTT_SUBSCRIBE_FAILED: say("mqtt", "bad", (value, text) => {
    return `subscription to ${text} given up: ${status(value)}`;
  }),
  PUBLISH_SUCCEEDED: say("message", "plain", (id) => `published, number ${id}`),
  PUBLISH_DROPPED: say("message", "bad", (id, text) => `number ${id} to ${text} was dropped`),
  MESSAGE_ARRIVED: say("message", "good", (bytes, text) => `${bytes} bytes arrived on ${text}`),
  MESSAGE_DROPPED: say("message", "bad", (bytes, text) => {
    return `${bytes} bytes on ${text} were dropped: no room for them`;
  }),
  PROVISIONING: say("claim", "plain", (step) => STEP_WORDS[step] ?? `step ${step}`),
  PROVISIONED: say("claim", "good", (_, text) => `this device is the thing ${text}`),
  PROVISIONING_FAILED: say("claim", "bad", (value, text) => {
    return text === "" ? answer(value) : `${text} (${answer(value)})`;
  }),
  SHADOW_SYNCED: say("shadow", "good", (version, text) => {
    return `${shadow(text)} agrees with the cloud, version ${version}`;
  }),
  SHADOW_CHANGED: say("shadow", "plain", (element, text) => {
    return `the cloud changed ${text} (element ${element})`;
  }),
  SHADOW_MISMATCH: say("shadow", "bad", (element, text) => {
    return `the value desired for ${text} (element ${element}) has another type or is too long`;
  }),
  SHADOW_REJECTED: say("shadow", "bad", (code, text) => `refused, ${answer(code)}${because(text)}`),
  JOB_STARTED: say("job", "plain", (attempt, text) => {
    return attempt > 1 ? `${text} started, attempt ${attempt}` : `${text} started`;
  }),
  JOB_FINISHED: ({ value, text }) => ({
    kind: "job",
    tone: value === JobStatus.SUCCEEDED ? "good" : "bad",
    text: `${text} ${lower(nameOf(JobStatus, value))}`,
  }),
  JOB_CANCELED: say("job", "warning", (_, text) => `${text} was canceled by the cloud`),
  JOB_REJECTED: say("job", "bad", (_, text) => `the service refused a request: ${text}`),
  OTA_STATE: ({ value, text }) => {
    const [tone, words] = OTA_WORDS[value] ?? ["plain", `state ${value}`];
    return { kind: "ota", tone, text: `${words}${because(text)}` };
  },
  OTA_PROGRESS: say("ota", "faint", (percent) => `${percent} % is in flash`),
  BLE_STATE: ({ value, text }) => {
    const [tone, words] = BLE_WORDS[value] ?? ["plain", `state ${value}`];
    return { kind: "ble", tone, text: `${words}${because(text)}` };
  },
  SETUP: ({ value, text }) => ({
    kind: "setup",
    tone: value === SetupStep.CONNECTED ? "good" : "plain",
    text: wordsOfProgress("device", value as SetupStep, text),
  }),
  SETUP_FAILED: say("setup", "bad", (code, text) => {
    return `the configuration does not work, ${lower(nameOf(BleCode, code))}${because(text)}`;
  }),
  BLE_PACKET_TAKEN: say("ble", "plain", (_, text) => `the packet ${text} was fetched`),
  TRAPPED: say("device", "bad", (_, text) => `the life before ended in a trap: ${text}`),
  EVENTS_LOST: say("device", "warning", (count) => `${count} events came too fast and are lost`),
};

/** Names of the values of events that carry one of an enumeration. */
const VALUE_NAMES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  MODE_CHANGED: Mode,
  STORE_FAILED: Status,
  RECORD_CORRUPT: Dataset,
  FLASH_WRITTEN: Dataset,
  FLASH_FAILED: Dataset,
  WIFI_DISCONNECTED: Status,
  MQTT_DISCONNECTED: Status,
  MQTT_SUBSCRIBE_FAILED: Status,
  PROVISIONING: ProvisioningStep,
  PROVISIONING_FAILED: Status,
  SHADOW_REJECTED: Status,
  JOB_FINISHED: JobStatus,
  OTA_STATE: OtaState,
  BLE_STATE: BleState,
  SETUP: SetupStep,
  SETUP_FAILED: BleCode,
};

const EMBEDDED_MODULE = 255;

/** "boot, power on: iot32 1.1.0 in ota_1 (on trial), module in wasm_0". */
export function bootWords({ name, firmware, module }: BootReport): string {
  const trial = (isOnTrial: boolean): string => (isOnTrial ? " (on trial)" : "");
  const { project, version, label } = firmware;
  const words = `boot, ${lower(name)}: ${project} ${version} in ${label}${trial(firmware.trial)}`;
  if (module.slot === EMBEDDED_MODULE) return words;
  return `${words}, module in wasm_${module.slot}${trial(module.trial)}`;
}

/** A system event in words. */
export function describeEvent(event: SystemEvent): Saying {
  const words = WORDS[event.name];
  if (words !== undefined) return words(event);
  return {
    kind: "event",
    tone: "plain",
    text: `${lower(event.name)} ${event.value}${because(event.text)}`,
  };
}

const LOG_TONES: Readonly<Record<number, Tone>> = {
  [LogLevel.ERROR]: "bad",
  [LogLevel.WARNING]: "warning",
  [LogLevel.DEBUG]: "faint",
};
const KIND_WIDTH = 8;

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(3).padStart(9)}s`;
}

/** What text from outside must not do to a terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "·");
}

export class Timeline {
  private readonly colours: ReturnType<typeof pc.createColors>;
  private readonly write: (line: string) => void;
  private start: number | null = null;

  constructor(private readonly options: TimelineOptions = {}) {
    this.colours = options.colour === undefined ? pc : pc.createColors(options.colour);
    this.write = options.write ?? ((line) => void process.stdout.write(`${line}\n`));
  }

  /** Shows everything of a device from now on; time counts from the first line. */
  watch(device: Device): void {
    device.on("boot", (report) => {
      const { at, name, firmware, module } = report;
      const tone = firmware.trial || module.trial ? "warning" : "plain";
      const said = { kind: "device", tone, text: bootWords(report) } as const;
      this.line(at, said, "boot", { name, firmware, module });
    });
    device.on("event", (event) => this.event(event));
    device.on("log", (line) => this.log(line));
    device.on("pin", ({ at, pin, level }) => {
      const text = `pin ${pin} is ${level === 1 ? "high" : "low"}`;
      this.line(at, { kind: "pin", tone: "plain", text }, "pin", { pin, level });
    });
    device.on("restart", ({ at, scope }) => {
      const text = scope === RestartScope.MODULE ? "restart of the module" : "restart";
      const name = nameOf(RestartScope, scope);
      this.line(at, { kind: "device", tone: "warning", text }, "restart", { scope: name });
    });
    device.on("trap", ({ at, error, restartMs }) => {
      const next = restartMs === null ? "too many traps, giving up" : `restart in ${restartMs} ms`;
      const text = `${error.message}; ${next}`;
      this.line(at, { kind: "device", tone: "bad", text }, "trap", {
        text: error.message,
        restartMs,
      });
    });
    device.on("off", ({ at, why, error }) => {
      const tone = why === "traps" || error !== undefined ? "bad" : "plain";
      const text = `power off: ${why}${because(error?.message ?? "")}`;
      const reason = error === undefined ? {} : { text: error.message };
      this.line(at, { kind: "device", tone, text }, "off", { why, ...reason });
    });
  }

  event(event: SystemEvent): void {
    const { name, value, text } = event;
    const names = VALUE_NAMES[name];
    const valueName = names === undefined ? {} : { valueName: nameOf(names, value) };
    this.line(event.at, describeEvent(event), "event", { name, value, ...valueName, text });
  }

  log(line: LogLine): void {
    if (line.level > (this.options.logLevel ?? LogLevel.INFO)) return;
    const tone = LOG_TONES[line.level] ?? "plain";
    const said = { kind: "log", tone, text: `${lower(line.moduleName)}: ${line.text}` };
    const { levelName: level, moduleName: module, text } = line;
    this.line(line.at, said, "log", { level, module, text });
  }

  /** A line of whoever runs the device, at the clock's time `at`. */
  note(at: number, saying: Saying): void {
    this.line(at, saying, "note", { kind: saying.kind, text: saying.text });
  }

  private line(at: number, saying: Saying, type: string, fields: object): void {
    this.start ??= at;
    const ms = at - this.start;
    if (this.options.json) {
      this.write(JSON.stringify({ at: Math.round(ms), type, ...fields }));
      return;
    }
    const { gray, bold } = this.colours;
    const kind = bold(saying.kind.padEnd(KIND_WIDTH));
    this.write(
      `${gray(inSeconds(ms))}  ${kind} ${this.paint(saying.tone, printable(saying.text))}`,
    );
  }

  private paint(tone: Tone, text: string): string {
    const { green, red, yellow, gray } = this.colours;
    const paints = { good: green, bad: red, warning: yellow, faint: gray, plain: String };
    return paints[tone](text);
  }
}
