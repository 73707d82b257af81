// The main job, step by step, each judged by what was observed: a device with blank flash boots,
// provisions itself by claim, connects, talks both ways, loses its power, comes back without
// provisioning anything, and takes updates (update_steps.ts). `npm start -- --once` runs this list;
// a new ability adds its step here. The way to configure a device over BLE is in
// configure_steps.ts.

import { isDeepStrictEqual } from "node:util";
import { Event, JobStatus } from "../abi.js";
import type { PinChange } from "../ports/gpio.js";
import { isOwnMessage, type Observation, shortId } from "./observation.js";
import { eventsOf, firstEvent, isNormal, require, type Step, type StepContext } from "./step.js";
import { rollback, update } from "./update_steps.js";

interface ShadowState {
  readonly reported?: object;
  readonly delta?: object;
}

/** What the sample application calls its shadow, and where its LED is. */
const SHADOW = "lamp";
const LED_PIN = 2;
const BLINKS = 3;
/** Telemetry messages that must come through. */
const MESSAGES = 3;

/** Ids of the certificates that a thing may connect with. */
function activeCertificates({ stage, thing }: StepContext): string[] {
  const certificates = stage.cloud.certificates();
  return certificates
    .filter((certificate) => certificate.status === "ACTIVE" && certificate.thing === thing)
    .map((certificate) => certificate.id);
}

export const build: Step = {
  name: "build",
  async run({ stage }) {
    const { stats, warnings } = await stage.build();
    require(warnings.length === 0, warnings.join("; "));
    return `${stats.bytes} bytes, ${stats.imports.length} imports of the host`;
  },
};

export const cloud: Step = {
  name: "cloud",
  async run({ stage }) {
    const { endpoint, port } = await stage.startCloud();
    const [claim, ...others] = stage.cloud.certificates();
    require(claim?.status === "ACTIVE", "the new cloud has no active claim certificate");
    require(others.length === 0, `the new cloud holds ${others.length} certificates too many`);
    return `listens on ${endpoint}:${port}, claim certificate ${shortId(claim!.id)}`;
  },
};

const boot: Step = {
  name: "boot",
  async run({ stage, until }) {
    require(!stage.hasDevice, "the flash is not blank");
    stage.startDevice();
    const mounted = await until("the records to be mounted", (seen) =>
      firstEvent(seen, Event.STORE_MOUNTED),
    );
    require(mounted.value === 0, `blank flash holds ${mounted.value} datasets`);
    await until("the configuration to be stored", (seen) =>
      firstEvent(seen, Event.CONFIGURATION_APPLIED),
    );
    const wifi = await until("Wi-Fi to connect", (seen) => firstEvent(seen, Event.WIFI_CONNECTED));
    return `blank flash, configuration stored, Wi-Fi up with address ${wifi.text}`;
  },
};

const claim: Step = {
  name: "claim",
  async run(context) {
    const { until, stage } = context;
    const told = await until("the device to learn that it is provisioned", (seen) =>
      firstEvent(seen, Event.PROVISIONED),
    );
    const registered = await until("the cloud to register the thing", (seen) =>
      seen.find((item) => item.type === "provisioned"),
    );
    context.thing = told.text;
    const { thingName, certificateId } = registered.thing;
    require(thingName === told.text, `the cloud registered ${thingName}, the device ${told.text}`);
    const active = activeCertificates(context);
    require(active.join() === certificateId, `active certificates: ${active.map(shortId)}`);
    require(stage.cloud.certificates().length === 2, "more than one certificate was made");
    return `thing ${thingName}, one new certificate, ${shortId(certificateId)}`;
  },
};

const connect: Step = {
  name: "connect",
  async run(context) {
    const { until, thing } = context;
    const certificate = activeCertificates(context)[0];
    await until("mode Normal", isNormal, 0);
    await until("the device to connect", (seen) => firstEvent(seen, Event.MQTT_CONNECTED), 0);
    await until(
      `the cloud to see ${thing} with its own certificate`,
      (seen) =>
        seen.some(
          (item) =>
            item.type === "connected" &&
            item.presence.clientId === thing &&
            item.presence.principalIdentifier === certificate,
        ),
      0,
    );
    return `mode Normal, connected as ${thing} with its own certificate`;
  },
};

function ownMessages(seen: readonly Observation[], thing: string) {
  return seen.flatMap((item) =>
    item.type === "publish" && item.message.clientId === thing && isOwnMessage(item.message)
      ? [item.message]
      : [],
  );
}

const telemetry: Step = {
  name: "telemetry",
  async run({ until, thing }) {
    const messages = await until(
      `${MESSAGES} messages of ${thing} in the cloud`,
      (seen) => {
        const own = ownMessages(seen, thing);
        return own.length >= MESSAGES && own;
      },
      0,
    );
    await until(
      `${MESSAGES} acknowledged messages on the device`,
      (seen) => eventsOf(seen, Event.PUBLISH_SUCCEEDED).length >= MESSAGES,
      0,
    );
    const { topic, payload } = messages.at(-1)!;
    return `${messages.length} messages arrived; the last on ${topic}: ${payload}`;
  },
};

const command: Step = {
  name: "command",
  async run({ stage, until, thing }) {
    const topic = `devices/${thing}/command`;
    await until(
      `a subscription to ${topic}`,
      (seen) => eventsOf(seen, Event.MQTT_SUBSCRIBED).some((event) => event.text === topic),
      0,
    );
    const words = `blink ${Math.floor(Math.random() * 1e6)} times`;
    stage.cloud.publish(topic, words, 1);
    const arrived = await until(`the message on ${topic} in the ring buffer`, (seen) =>
      eventsOf(seen, Event.MESSAGE_ARRIVED).find((event) => event.text === topic),
    );
    const bytes = Buffer.byteLength(words);
    require(arrived.value === bytes, `${arrived.value} of ${bytes} bytes arrived`);
    const line = await until(`the application to log "${words}"`, (seen) =>
      seen.find((item) => item.type === "log" && item.line.text.includes(words)),
    );
    return `the application read it: ${line.type === "log" ? line.line.text : ""}`;
  },
};

const pinChanges = (seen: readonly Observation[]): PinChange[] =>
  seen.flatMap((item) => (item.type === "pin" && item.change.pin === LED_PIN ? [item.change] : []));

const shadow: Step = {
  name: "shadow",
  async run({ stage, until, thing }) {
    const handle = stage.cloud.shadow(thing, SHADOW);
    const desired = { on: true, colour: "green" };
    await until(
      "the device to have its shadow in step",
      (seen) => firstEvent(seen, Event.SHADOW_SYNCED),
      0,
    );
    await handle.update({ state: { desired } });
    await until("the LED to be switched on", (seen) => pinChanges(seen).at(-1)?.level === 1);
    const topic = `$aws/things/${thing}/shadow/name/${SHADOW}/update`;
    await until("the device to report it", (seen) =>
      seen.some(
        (item) =>
          item.type === "publish" &&
          item.message.topic === topic &&
          item.message.payload.includes(`"colour":"${desired.colour}"`),
      ),
    );
    // The cloud's own document is the judge: what is desired is reported, and nothing is left over.
    const { state } = (await handle.get()) as { state: ShadowState };
    require(isDeepStrictEqual(state.reported, desired), `reported: ${JSON.stringify(state)}`);
    require(state.delta === undefined, `a delta is left: ${JSON.stringify(state.delta)}`);
    return `desired ${JSON.stringify(desired)}, applied, reported, no delta left`;
  },
};

const job: Step = {
  name: "job",
  async run({ stage, until, thing }) {
    const document = { action: "blink", count: BLINKS, onTime: 60, offTime: 40 };
    const jobId = `blink-${Math.floor(Math.random() * 1e6)}`;
    await stage.cloud.createJob({ jobId, things: [thing], document });
    const finished = await until(`the device to finish job ${jobId}`, (seen) =>
      eventsOf(seen, Event.JOB_FINISHED).find((event) => event.text === jobId),
    );
    require(finished.value === JobStatus.SUCCEEDED, `the device says ${finished.value}`);
    const [execution] = stage.cloud.listExecutions(jobId);
    require(execution?.status === "SUCCEEDED", `the cloud says ${execution?.status}`);
    const flashes = await until(`${BLINKS} flashes of the LED`, (seen) => {
      const ends = pinChanges(seen).filter((change) => change.level === 0);
      return ends.length >= BLINKS && ends;
    });
    require(flashes.length === BLINKS, `the LED went out ${flashes.length} times`);
    return `${jobId} SUCCEEDED in the cloud, version ${execution!.versionNumber}`;
  },
};

export const powerOff: Step = {
  name: "power-off",
  async run({ stage, until, thing }) {
    stage.stopDevice();
    const left = await until(`the cloud to miss ${thing}`, (seen) =>
      seen.find((item) => item.type === "disconnected" && item.presence.clientId === thing),
    );
    const reason = left.type === "disconnected" ? left.presence.disconnectReason : "";
    require(reason === "CONNECTION_LOST", `the device said goodbye: ${reason}`);
    return "power cut without a goodbye; the cloud lost the connection";
  },
};

export const secondBoot: Step = {
  name: "second-boot",
  async run(context) {
    const { stage, until, mark, thing } = context;
    const ids = () => stage.cloud.certificates().map((certificate) => certificate.id);
    const before = ids();
    stage.startDevice();
    await until("mode Normal", isNormal);
    await until("the device to connect", (seen) => firstEvent(seen, Event.MQTT_CONNECTED));
    await until(`a message of ${thing}`, (seen) => ownMessages(seen, thing).length > 0);
    const steps = eventsOf(stage.journal.since(mark), Event.PROVISIONING);
    require(steps.length === 0, `${steps.length} steps of provisioning were taken again`);
    require(ids().join() === before.join(), "the cloud's certificates have changed");
    const connected = stage.journal
      .since(mark)
      .flatMap((item) => (item.type === "connected" ? [item.presence.principalIdentifier] : []));
    const active = activeCertificates(context);
    require(connected.join() === active.join(), `it connected with ${connected.map(shortId)}`);
    return `mode Normal and connected as ${thing}; nothing was provisioned`;
  },
};

export const STEPS: readonly Step[] = [
  build,
  cloud,
  boot,
  claim,
  connect,
  telemetry,
  command,
  shadow,
  job,
  powerOff,
  secondBoot,
  update,
  rollback,
];
