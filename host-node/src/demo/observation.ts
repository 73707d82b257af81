// What is seen of a device and of its cloud, as one kind of thing, so that a journal can keep it in
// order, a step can look for it, and a person can read it. The device's side in words is the
// timeline's; the cloud's side is here. Used by journal.ts, stage.ts and `npm start`.

import { Event, Mode, nameOf } from "../abi.js";
import { bootWords, describeEvent, type Saying } from "../cli/timeline.js";
import type {
  LocalCloud,
  PresenceConnected,
  PresenceDisconnected,
  ProvisionedEvent,
  PublishEvent,
  RuleEvent,
} from "../cloud/index.js";
import type { BootReport, Device, TrapReport } from "../device.js";
import type { PinChange } from "../ports/gpio.js";
import type { LogLine, SystemEvent } from "../ports/log.js";

export type Observation =
  | { readonly type: "boot"; readonly report: BootReport }
  | { readonly type: "event"; readonly event: SystemEvent }
  | { readonly type: "log"; readonly line: LogLine }
  | { readonly type: "pin"; readonly change: PinChange }
  | { readonly type: "trap"; readonly trap: TrapReport }
  | { readonly type: "off"; readonly why: string }
  | { readonly type: "connected"; readonly presence: PresenceConnected }
  | { readonly type: "disconnected"; readonly presence: PresenceDisconnected }
  | { readonly type: "publish"; readonly message: PublishEvent }
  | { readonly type: "provisioned"; readonly thing: ProvisionedEvent }
  | { readonly type: "rule"; readonly rule: RuleEvent };

type See = (observation: Observation) => void;

export function watchDevice(device: Device, see: See): void {
  device.on("boot", (report) => see({ type: "boot", report }));
  device.on("event", (event) => see({ type: "event", event }));
  device.on("log", (line) => see({ type: "log", line }));
  device.on("pin", (change) => see({ type: "pin", change }));
  device.on("trap", (trap) => see({ type: "trap", trap }));
  device.on("off", ({ why }) => see({ type: "off", why }));
}

export function watchCloud(cloud: LocalCloud, see: See): void {
  cloud.on("connected", (presence) => see({ type: "connected", presence }));
  cloud.on("disconnected", (presence) => see({ type: "disconnected", presence }));
  cloud.on("publish", (message) => see({ type: "publish", message }));
  cloud.on("provisioned", (thing) => see({ type: "provisioned", thing }));
  cloud.on("rule", (rule) => see({ type: "rule", rule }));
}

const PAYLOAD_SHOWN_CHARACTERS = 72;
/** Requests on these topics may carry secrets (ownership tokens), and are long. */
const RESERVED = "$aws/";

/** A message of the device's own, not a request to a service of AWS. */
export function isOwnMessage(message: PublishEvent): boolean {
  return !message.topic.startsWith(RESERVED);
}

function shownPayload({ topic, payload }: PublishEvent): string {
  if (topic.startsWith(RESERVED)) return `${payload.length} bytes`;
  const text = payload.toString();
  return text.length > PAYLOAD_SHOWN_CHARACTERS
    ? `${text.slice(0, PAYLOAD_SHOWN_CHARACTERS)}… (${payload.length} bytes)`
    : text;
}

const SHORT_ID_DIGITS = 8;

/** Enough of a certificate's id to tell it from another. */
export function shortId(certificateId: string): string {
  return certificateId.slice(0, SHORT_ID_DIGITS);
}

const lowerWords = (name: string): string => name.toLowerCase().replaceAll("_", " ");

/** What the cloud saw, in words; null for an observation of the device. */
export function describeCloud(observation: Observation): Saying | null {
  const say = (tone: Saying["tone"], text: string): Saying => ({ kind: "cloud", tone, text });
  switch (observation.type) {
    case "connected": {
      const { clientId, principalIdentifier } = observation.presence;
      return say("plain", `${clientId} came, certificate ${shortId(principalIdentifier)}`);
    }
    case "disconnected": {
      const { clientId, disconnectReason } = observation.presence;
      return say("faint", `${clientId} left: ${lowerWords(disconnectReason)}`);
    }
    case "publish": {
      const { topic } = observation.message;
      return say("plain", `${topic}  ${shownPayload(observation.message)}`);
    }
    case "provisioned": {
      const { thingName, certificateId } = observation.thing;
      return say("good", `thing ${thingName}, certificate ${shortId(certificateId)} is active`);
    }
    case "rule": {
      const { rule, action, detail } = observation.rule;
      return say("warning", `${action}, rule ${rule}: ${detail}`);
    }
    default:
      return null;
  }
}

/** One observation in a few words, for a report of what had happened. */
export function inShort(observation: Observation): string {
  switch (observation.type) {
    case "boot":
      return bootWords(observation.report);
    case "event": {
      const { kind, text } = describeEvent(observation.event);
      return `${kind} ${text}`;
    }
    case "log":
      return `log ${observation.line.text}`;
    case "pin":
      return `pin ${observation.change.pin} is ${observation.change.level}`;
    case "trap":
      return observation.trap.error.message;
    case "off":
      return `power off: ${observation.why}`;
    default:
      return `cloud ${describeCloud(observation)?.text}`;
  }
}

/** Why the device will not go on, by itself or by being configured, or null when it may. */
export function whyStuck(observation: Observation, isConfigurable: boolean): string | null {
  if (observation.type === "off" && observation.why !== "switch") {
    return `the device is off: ${observation.why}`;
  }
  if (observation.type !== "event") return null;
  const { event, value, text } = observation.event;
  const isStuck = value === Mode.IDLE || (value === Mode.CONFIGURATION && !isConfigurable);
  if (event !== Event.MODE_CHANGED || !isStuck) return null;
  return `the device stays in mode ${lowerWords(nameOf(Mode, value))}: ${text}`;
}
