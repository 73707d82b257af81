// Invariants of what a device does on networks: it waits before it tries again, keeps AWS's rules,
// and each publish ends as it is told.

import { type CallArgument, Event, EventKind, Status } from "../../abi.js";
import type { RuleEvent, RuleName } from "../../cloud/rules.js";
import type { SimDevice } from "../device.js";
import type { CoreEventHappening } from "../happenings.js";
import type { World } from "../world.js";
import type { Invariant, Report } from "./invariant.js";
import { PerLife } from "./per_life.js";

/** Floors of the back-offs (docs/ARCHITECTURE.md, "Policies with numbers"), and AWS's own. */
const WIFI_FLOOR_MS = 500;
const SESSION_FLOOR_MS = 1250;
const CONNECTS_APART_MS = 1000;

interface Attempts {
  wifiDownMs: number;
  mqttDownMs: number;
  connectMs: number;
}

const blank = (): Attempts => {
  const never = Number.NEGATIVE_INFINITY;
  return { wifiDownMs: never, mqttDownMs: never, connectMs: never };
};

/** No attempt sooner after a failure than the floor of its back-off. */
export class BackoffFloor implements Invariant {
  readonly name = "back-off at its floor or above";
  private attempts = new PerLife(blank);

  stepBegins(device: SimDevice, { kind, a }: CoreEventHappening): void {
    if (a === Status.CLOSED) return;
    if (kind === EventKind.WIFI_DOWN) this.attempts.of(device).wifiDownMs = device.nowMs;
    else if (kind === EventKind.MQTT_DOWN) this.attempts.of(device).mqttDownMs = device.nowMs;
  }

  called(
    device: SimDevice,
    name: string,
    _args: readonly CallArgument[],
    result: number,
    report: Report,
  ): void {
    if (result !== Status.OK) return;
    if (name === "wifi_join") {
      const ms = device.nowMs - this.attempts.of(device).wifiDownMs;
      if (ms < WIFI_FLOOR_MS) report(device, `joins again ${ms} ms after it lost Wi-Fi`);
    } else if (name === "mqtt_connect") {
      const attempts = this.attempts.of(device);
      const sinceDown = device.nowMs - attempts.mqttDownMs;
      const sinceConnect = device.nowMs - attempts.connectMs;
      attempts.connectMs = device.nowMs;
      if (sinceDown < SESSION_FLOOR_MS) {
        report(device, `connects again ${sinceDown} ms after its connection ended`);
      }
      if (sinceConnect < CONNECTS_APART_MS) {
        report(device, `connects twice within ${sinceConnect} ms`);
      }
    }
  }

  copy(): BackoffFloor {
    const copy = new BackoffFloor();
    copy.attempts = this.attempts.copy();
    return copy;
  }
}

/** Breaches that faults bring about, whatever the device does. */
const EXCUSED: readonly RuleName[] = [
  ...(["duplicate-client-id", "keep-alive-timeout", "connect-rate"] as const),
  ...(["certificate-unknown", "certificate-not-active", "certificate-deactivated"] as const),
  ...(["provisioning-refused", "certificate-expired-unused"] as const),
];

/** The device breaks no rule of AWS IoT by itself. */
export class AwsRules implements Invariant {
  readonly name = "no rule of AWS broken";

  rule(_world: World, { rule, detail, clientId }: RuleEvent, report: Report): void {
    if (!EXCUSED.includes(rule))
      report(null, `${clientId ?? "a device"} breaks ${rule}: ${detail}`);
  }

  copy(): AwsRules {
    return this;
  }
}

interface Queue {
  /** Ids that have ended in this life, but for those of long ago. */
  readonly ended: Set<number>;
  /** What can still be told as succeeded in this step. */
  acknowledged: number;
}

const ENDED_KEPT = 2000;

/** Each accepted publish ends once; it is told as arrived only when the broker has taken it. */
export class PublishesEnd implements Invariant {
  readonly name = "each publish ends once, and as it is told";
  private queues = new PerLife<Queue>(
    () => ({ ended: new Set(), acknowledged: 0 }),
    (queue) => ({ ...queue, ended: new Set(queue.ended) }),
  );

  stepBegins(device: SimDevice, { kind, b }: CoreEventHappening): void {
    const isAcknowledgement = kind === EventKind.MQTT_PUBLISHED && b === Status.OK;
    this.queues.of(device).acknowledged = isAcknowledgement ? 1 : 0;
  }

  called(device: SimDevice, name: string, args: readonly CallArgument[], result: number): void {
    const isQos0 = name === "mqtt_publish" && result === 0 && (Number(args[2]) & 1) === 0;
    if (isQos0) this.queues.of(device).acknowledged++;
  }

  event(device: SimDevice, event: number, id: number, _text: string, report: Report): void {
    if (event !== Event.PUBLISH_SUCCEEDED && event !== Event.PUBLISH_DROPPED) return;
    const queue = this.queues.of(device);
    if (queue.ended.has(id)) report(device, `publish ${id} has ended twice`);
    queue.ended.add(id);
    if (queue.ended.size > ENDED_KEPT) queue.ended.delete(queue.ended.values().next().value!);
    if (event === Event.PUBLISH_DROPPED) return;
    if (queue.acknowledged-- <= 0) {
      report(device, `publish ${id} is told as arrived, and nothing was acknowledged`);
    }
  }

  copy(): PublishesEnd {
    const copy = new PublishesEnd();
    copy.queues = this.queues.copy();
    return copy;
  }
}
