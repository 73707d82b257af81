// Invariants of what a core promises to others, and of what lies in flash before it does: a job's
// progress, an update's confirmation, a download nobody has damaged, a shadow that settles, and a
// back-off that is forgotten.

import { type CallArgument, Dataset, Event, EventKind, Status } from "../../abi.js";
import type { PublishEvent } from "../../cloud/broker.js";
import type { SimDevice } from "../device.js";
import type { CoreEventHappening } from "../happenings.js";
import { recordsOf } from "../records.js";
import type { World } from "../world.js";
import type { Invariant, Report } from "./invariant.js";
import { jobUpdateOf } from "./job_update.js";
import { PerLife } from "./per_life.js";

/** The job in a SYSTEM_STATUS record; the layout is in assembly/aws/progress.ts. */
const JOB_AT = 136;
const JOB_ID_SIZE_AT = JOB_AT + 3;
const JOB_ID_AT = JOB_AT + 8;
const STARTING = 1;
const FINISHING = 3;

interface StoredJob {
  readonly phase: number;
  readonly id: string;
}

function storedJob(device: SimDevice): StoredJob {
  const payload = recordsOf(device.flash).get(Dataset.SYSTEM_STATUS)?.payload ?? NOTHING;
  const idSize = payload[JOB_ID_SIZE_AT] ?? 0;
  const id = Buffer.from(payload.subarray(JOB_ID_AT, JOB_ID_AT + idSize)).toString();
  return { phase: payload[JOB_AT] ?? 0, id };
}

const NOTHING = new Uint8Array();

const textOf = (argument: CallArgument | undefined): string =>
  argument instanceof Uint8Array ? Buffer.from(argument).toString() : "";

/** Flash has refused something so recently that the core may have given a record up. */
const REFUSAL_MS = 10_000;

function hasFlashFailed({ faults, nowMs }: SimDevice): boolean {
  const last = faults.occurred.findLast(({ id }) => id.startsWith("flashFailed/"));
  return last !== undefined && nowMs - last.atMs < REFUSAL_MS;
}

/**
 * What a job has come to is in flash before its effect: before its handler, before its result. But
 * a result that flash refuses is told all the same.
 */
export class JobsAreKept implements Invariant {
  readonly name = "a job in flash before its effect";

  event(device: SimDevice, event: number, _value: number, jobId: string, report: Report): void {
    if (event !== Event.JOB_STARTED) return;
    const { phase, id } = storedJob(device);
    if (id === jobId && phase >= STARTING) return;
    report(device, `begins ${jobId}, and flash has job "${id}" in phase ${phase}`);
  }

  called(
    device: SimDevice,
    name: string,
    args: readonly CallArgument[],
    result: number,
    report: Report,
  ): void {
    if (name !== "mqtt_publish" || result < 0) return;
    const [, payload] = args;
    if (!(payload instanceof Uint8Array)) return;
    const update = jobUpdateOf(textOf(args[0]), payload);
    if (update === null) return;
    const { jobId, status } = update;
    if (status === "IN_PROGRESS") return;
    const { phase, id } = storedJob(device);
    if ((id === jobId && phase >= FINISHING) || hasFlashFailed(device)) return;
    report(device, `tells ${jobId} as ${status}, and flash has job "${id}" in phase ${phase}`);
  }

  copy(): JobsAreKept {
    return this;
  }
}

/** What runs on trial is confirmed when it has reached the cloud, and not before. */
export class ConfirmedConnected implements Invariant {
  readonly name = "no update confirmed before it has connected";

  called(
    device: SimDevice,
    name: string,
    _args: readonly CallArgument[],
    result: number,
    report: Report,
  ): void {
    if (name !== "ota_confirm" || result !== Status.OK || device.isConnected) return;
    report(device, `confirms ${device.version} while its connection is ${device.mqtt.state}`);
  }

  copy(): ConfirmedConnected {
    return this;
  }
}

const DAMAGE = /^(WrongDigest|WrongSignature|ShorterThanAnnounced|LongerThanAnnounced)/;

/** What the server sent, over any number of interruptions, is what lies in the slot. */
export class DownloadsAreWhole implements Invariant {
  readonly name = "a download as its server has it";

  published(world: World, { clientId, topic, payload }: PublishEvent, report: Report): void {
    const update = jobUpdateOf(topic, payload);
    if (update?.status !== "FAILED" || !DAMAGE.test(update.reason)) return;
    if (world.faults.occurred.some(({ id }) => id.startsWith("downloadDamaged/"))) return;
    report(world.deviceOf(clientId), `fails an undamaged update: ${update.reason}`);
  }

  copy(): DownloadsAreWhole {
    return this;
  }
}

const REQUEST = /^\$aws\//;

/** Each request to a service is a JSON document, or empty. */
export class RequestsAreJson implements Invariant {
  readonly name = "requests of the core as JSON";

  called(
    device: SimDevice,
    name: string,
    args: readonly CallArgument[],
    result: number,
    report: Report,
  ): void {
    if (name !== "mqtt_publish" || result < 0) return;
    const topic = textOf(args[0]);
    const text = textOf(args[1]);
    if (!REQUEST.test(topic) || text === "") return;
    try {
      JSON.parse(text);
    } catch {
      report(device, `sends to ${topic} what is no JSON: ${text.slice(0, 80)}`);
    }
  }

  copy(): RequestsAreJson {
    return this;
  }
}

/**
 * When all is calm, what is desired of a thing is what it has reported, where it reports at all. A
 * delta that got lost is made good by the next connection, and not before: it is excused.
 */
export class ShadowsSettle implements Invariant {
  readonly name = "a shadow without a delta";
  private readonly upMs = new Map<number, number>();

  constructor(private readonly shadows: readonly (string | null)[] = ["settings"]) {}

  stepBegins(device: SimDevice, { kind }: CoreEventHappening): void {
    if (kind === EventKind.MQTT_UP) this.upMs.set(device.index, device.nowMs);
  }

  atRest(world: World, report: Report): void {
    const lost = world.faults.occurred.findLast(({ id }) => id.startsWith("messageLost/"));
    for (const device of world.devices) {
      if ((lost?.atMs ?? 0) > (this.upMs.get(device.index) ?? 0)) continue;
      for (const shadow of this.shadows) this.check(world, device, shadow, report);
    }
  }

  private check(world: World, device: SimDevice, shadow: string | null, report: Report): void {
    const thing = world.thingNameOf(device.index);
    if (!device.isConnected || !world.cloud.registry.things.has(thing)) return;
    const { desired = {}, reported = {} } = stateOf(world, thing, shadow);
    for (const [key, value] of Object.entries(desired)) {
      if (!(key in reported)) continue;
      const has = JSON.stringify(reported[key]);
      const wants = JSON.stringify(value);
      if (has !== wants) report(device, `reports ${key} as ${has}, and ${wants} is desired`);
    }
  }

  copy(): ShadowsSettle {
    const copy = new ShadowsSettle(this.shadows);
    for (const [device, ms] of this.upMs) copy.upMs.set(device, ms);
    return copy;
  }
}

interface ShadowState {
  readonly desired?: Record<string, unknown>;
  readonly reported?: Record<string, unknown>;
}

function stateOf({ cloud }: World, thing: string, shadow: string | null): ShadowState {
  try {
    return cloud.shadowGet(thing, shadow).state as ShadowState;
  } catch {
    return {}; // nobody has made one
  }
}

/** AWS discards what exceeds 100 publishes a second on a connection. */
const PUBLISHES_APART_MS = 10;

/** Publishes keep below AWS's rate, also when many have waited. */
export class PublishesPaced implements Invariant {
  readonly name = "publishes at AWS's pace";
  private readonly last = new Map<number, number>();

  called(
    device: SimDevice,
    name: string,
    _args: readonly CallArgument[],
    result: number,
    report: Report,
  ): void {
    if (name !== "mqtt_publish" || result < 0) return;
    const ms = device.nowMs - (this.last.get(device.index) ?? Number.NEGATIVE_INFINITY);
    this.last.set(device.index, device.nowMs);
    if (ms < PUBLISHES_APART_MS) report(device, `publishes ${ms} ms behind its last publish`);
  }

  copy(): PublishesPaced {
    const copy = new PublishesPaced();
    for (const [device, ms] of this.last) copy.last.set(device, ms);
    return copy;
  }
}

const STABLE_MS = 60_000;
/** Floor and first ceiling of the session's back-off, and a TICK that comes late. */
const FIRST_DELAY_MS_MAX = 1250 + 2500 + 3000;

interface Held {
  upMs: number;
  /** When a connection that had held long enough ended; NaN: none has, or Wi-Fi went since. */
  endedMs: number;
}

/** Behind a connection that held, the first attempt comes soon. */
export class BackoffForgotten implements Invariant {
  readonly name = "a back-off that is forgotten";
  private held = new PerLife<Held>(() => ({ upMs: Number.NaN, endedMs: Number.NaN }));

  stepBegins(device: SimDevice, { kind, a }: CoreEventHappening): void {
    const held = this.held.of(device);
    if (kind === EventKind.MQTT_UP) held.upMs = device.nowMs;
    else if (kind === EventKind.WIFI_DOWN) held.endedMs = Number.NaN;
    else if (kind === EventKind.MQTT_DOWN) {
      const hasHeld = a !== Status.CLOSED && device.nowMs - held.upMs > STABLE_MS + 5000;
      held.endedMs = hasHeld && device.wifi.state === "up" ? device.nowMs : Number.NaN;
      held.upMs = Number.NaN;
    }
  }

  called(
    device: SimDevice,
    name: string,
    _args: readonly CallArgument[],
    _result: number,
    report: Report,
  ): void {
    if (name !== "mqtt_connect") return;
    const held = this.held.of(device);
    const ms = device.nowMs - held.endedMs;
    held.endedMs = Number.NaN;
    if (ms <= FIRST_DELAY_MS_MAX || Number.isNaN(ms)) return;
    report(device, `waits ${ms} ms behind a connection that had held for a minute`);
  }

  copy(): BackoffForgotten {
    const copy = new BackoffForgotten();
    copy.held = this.held.copy();
    return copy;
  }
}

/** For a session; after it the device has some seconds to send who has none away. */
const SESSION_MS = 30_000 + 10_000;

interface Visit {
  readonly life: number;
  readonly sinceMs: number;
  hasSession: boolean;
}

/** Who connects over BLE and does not prove who he is, is sent away. */
export class StrangersLeave implements Invariant {
  readonly name = "a stranger sent away";
  private readonly visits = new Map<number, Visit>();
  private isRefusal = false;

  stepBegins(device: SimDevice, { kind, a }: CoreEventHappening): void {
    const { index, life, nowMs } = device;
    const visit = this.visits.get(index);
    this.isRefusal = kind === EventKind.BLE_SESSION && a === Status.REFUSED;
    if (kind === EventKind.BLE_DISCONNECTED) this.visits.delete(index);
    else if (kind === EventKind.BLE_CONNECTED) {
      this.visits.set(index, { life, sinceMs: nowMs, hasSession: false });
    } else if (kind === EventKind.BLE_SESSION && visit !== undefined && a >= Status.OK) {
      visit.hasSession = true;
    }
  }

  /** Who guesses too often is told that the device is locked, and has time to read it. */
  called(_device: SimDevice, name: string): void {
    if (name === "ble_lock") this.isRefusal = false;
  }

  stepEnded(device: SimDevice, report: Report): void {
    const visit = this.visits.get(device.index);
    if (visit === undefined || !device.ble.isConnected) return;
    if (this.isRefusal) report(device, "does not send away who had a wrong proof of possession");
    const ms = device.nowMs - visit.sinceMs;
    if (visit.life !== device.life || visit.hasSession || ms <= SESSION_MS) return;
    report(device, `has had a stranger connected for ${ms} ms`);
  }

  copy(): StrangersLeave {
    const copy = new StrangersLeave();
    for (const [device, visit] of this.visits) copy.visits.set(device, { ...visit });
    copy.isRefusal = this.isRefusal;
    return copy;
  }
}

/** All of them, fresh: each simulation needs its own. */
export const promises = (): Invariant[] => [
  ...[new JobsAreKept(), new ConfirmedConnected(), new DownloadsAreWhole()],
  ...[new RequestsAreJson(), new ShadowsSettle(), new BackoffForgotten()],
  ...[new StrangersLeave(), new PublishesPaced()],
];
