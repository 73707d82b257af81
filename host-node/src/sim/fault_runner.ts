// Faults that come by themselves: each kind has its next time in the agenda, for each device or for
// the cloud, and is carried out here.

import { Status } from "../abi.js";
import type { SimDevice } from "./device.js";
import type { FaultRates } from "./faults.js";
import { connectPacket } from "./ports/mqtt.js";
import type { Random } from "./random.js";
import type { World } from "./world.js";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const CALLS_UNTIL_CUT = 40;
const WIFI_OUTAGE_MS = [5 * SECOND_MS, 20 * MINUTE_MS] as const;
const BROKER_OUTAGE_MS = [5 * SECOND_MS, 30 * MINUTE_MS] as const;
const CLOCK_STEP_MS = [SECOND_MS, 120 * MINUTE_MS] as const;
/** How a connection does not open. */
const FAILURES = [
  ...[Status.NAME_NOT_RESOLVED, Status.UNREACHABLE, Status.TIMEOUT, Status.CONNECTION_LOST],
] as const;
/** Connections of neighbours; those of devices count from 1. */
const NEIGHBOUR_FROM = 1_000_000_000;
const NEIGHBOUR_KEEP_ALIVE_S = 60;
const CLOUD = -1;
const OF_CLOUD: readonly (keyof FaultRates)[] = ["brokerOutages", "clockSteps"];
const OF_DEVICE: readonly (keyof FaultRates)[] = [
  ...(["powerCuts", "wifiOutages", "silences"] as const),
  ...(["takeovers", "malformedMessages", "strangers"] as const),
];
const STRANGER_MTU = 185;
const STRANGER_FRAMES_MAX = 6;

export class FaultRunner {
  /** Number of the outage that is under way, by device or CLOUD. */
  private readonly outages = new Map<number, number>();
  private lastOutage = 0;
  private lastNeighbour = NEIGHBOUR_FROM;

  constructor(private readonly world: World) {}

  /** Puts the first fault of each kind into the agenda. */
  begin(): void {
    for (const kind of OF_CLOUD) this.schedule(kind, CLOUD);
    for (const { index } of this.world.devices) {
      for (const kind of OF_DEVICE) this.schedule(kind, index);
    }
  }

  private schedule(kind: keyof FaultRates, device: number): void {
    const ms = this.world.faults.untilNext(kind);
    if (ms < Number.POSITIVE_INFINITY) this.world.later(ms, { what: "fault", kind, device });
  }

  happen(kind: keyof FaultRates, index: number): void {
    const { world } = this;
    this.schedule(kind, index);
    if (!world.faults.areOn || !world.faults.occurs(kind, world.nowMs)) return;
    const stream = world.faults.stream(kind);
    if (kind === "brokerOutages") this.brokerOutage(stream.between(...BROKER_OUTAGE_MS));
    else if (kind === "clockSteps") world.clockAheadMs += stream.between(...CLOCK_STEP_MS);
    else this.befall(kind, world.devices[index]!, stream);
  }

  private befall(kind: keyof FaultRates, device: SimDevice, stream: Random): void {
    switch (kind) {
      case "powerCuts":
        device.cutAtCall = device.calls + 1 + stream.below(CALLS_UNTIL_CUT);
        break;
      case "wifiOutages":
        this.wifiOutage(device, stream.between(...WIFI_OUTAGE_MS));
        break;
      case "silences":
        this.world.silence(device.index);
        break;
      case "takeovers":
        this.takeOver(device);
        break;
      case "malformedMessages":
        this.malform(device, stream);
        break;
      case "strangers":
        this.strange(device, stream);
    }
  }

  // ---- outages ---------------------------------------------------------------------------------

  private beginOutage(device: number, ms: number): void {
    const outage = ++this.lastOutage;
    this.outages.set(device, outage);
    this.world.later(ms, { what: "mended", device, outage });
  }

  /** An outage is over, unless a later one is under way. */
  mend(device: number, outage: number): void {
    if (this.outages.get(device) !== outage) return;
    this.outages.delete(device);
    if (device === CLOUD) this.world.isBrokerDown = false;
    else this.world.devices[device]!.wifi.reach(true);
  }

  brokerOutage(ms: number): void {
    this.world.isBrokerDown = true;
    this.world.cloud.restart();
    this.beginOutage(CLOUD, ms);
  }

  wifiOutage(device: SimDevice, ms: number): void {
    device.wifi.reach(false);
    this.beginOutage(device.index, ms);
  }

  /** Everything works again, and nothing more goes wrong. */
  calm(): void {
    this.world.faults.areOn = false;
    for (const [device, outage] of [...this.outages]) this.mend(device, outage);
    for (const device of this.world.devices) device.cutAtCall = Number.POSITIVE_INFINITY;
  }

  // ---- connections -----------------------------------------------------------------------------

  /** How a handshake fails by itself; OK: it does not. */
  handshakeFailure(): number {
    const { faults, nowMs, isBrokerDown } = this.world;
    if (isBrokerDown) return Status.UNREACHABLE;
    if (!faults.hits("connectFailed", nowMs)) return Status.OK;
    return FAILURES[faults.stream("connectFailed").below(FAILURES.length)]!;
  }

  // ---- neighbours ------------------------------------------------------------------------------

  /** Somebody has a copy of the device's credentials, connects, and goes. */
  takeOver(device: SimDevice): void {
    const { cloud } = this.world;
    const { opening } = device.mqtt;
    if (opening === null || this.world.isBrokerDown) return;
    const connection = ++this.lastNeighbour;
    const { certificate, key, clientId } = opening;
    if (!cloud.open(connection, certificate, key)) return;
    cloud.packet(connection, connectPacket(clientId, NEIGHBOUR_KEEP_ALIVE_S));
    cloud.packet(connection, { cmd: "disconnect" });
  }

  /** What no service would send, where the device listens. */
  private malform({ mqtt }: SimDevice, stream: Random): void {
    const thing = mqtt.opening?.clientId;
    if (thing === undefined) return;
    const topics = [
      `$aws/things/${thing}/jobs/notify`,
      `$aws/things/${thing}/jobs/notify-next`,
      `$aws/things/${thing}/jobs/start-next/accepted`,
      `$aws/things/${thing}/shadow/update/delta`,
      `$aws/things/${thing}/shadow/name/settings/update/delta`,
      `$aws/things/${thing}/shadow/name/settings/get/accepted`,
      `devices/${thing}/command`,
    ];
    const payload = MALFORMED[stream.below(MALFORMED.length)]!(stream);
    this.world.cloud.publish(topics[stream.below(topics.length)]!, payload, 1);
  }

  private strange({ ble }: SimDevice, stream: Random): void {
    if (!ble.connect(STRANGER_MTU) || stream.chance(1 / 3)) return;
    for (let frames = stream.below(STRANGER_FRAMES_MAX); frames > 0; frames--) {
      const frame = new Uint8Array(1 + stream.below(STRANGER_MTU - 3));
      stream.fill(frame);
      ble.write(2 + stream.below(3), frame);
    }
    ble.handshake(false);
    if (stream.chance(0.5)) ble.leave();
  }

  copy(world: World): FaultRunner {
    const copy = new FaultRunner(world);
    for (const [device, outage] of this.outages) copy.outages.set(device, outage);
    copy.lastOutage = this.lastOutage;
    copy.lastNeighbour = this.lastNeighbour;
    return copy;
  }
}

const garbage = (stream: Random): Buffer => {
  const bytes = Buffer.alloc(stream.below(300));
  stream.fill(bytes);
  return bytes;
};

/** Ways of being no message that a service would send. */
const MALFORMED: readonly ((stream: Random) => string | Buffer)[] = [
  () => "",
  () => "{",
  () => "null",
  () => "[]",
  garbage,
  () => `{"execution":{"jobId":"${"x".repeat(70)}","status":"QUEUED","jobDocument":{}}}`,
  () => `{"execution":{"jobId":7,"versionNumber":"one","jobDocument":{"action":{}}}}`,
  () => `{"state":{"on":"yes","colour":7},"version":-1}`,
  () => `{"state":${"[".repeat(200)}`,
  (stream) => `{"version":${stream.uint32()},"timestamp":1e400,"state":{"desired":null}}`,
  () => Buffer.alloc(6000, 0x20),
];
