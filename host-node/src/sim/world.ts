// A simulated world: virtual time, one cloud in memory, devices, what passes between them, and what
// goes wrong. One seed decides everything in it. It is copied whole, which is what a sweep and an
// exploration are made of. What is wanted of it (workloads, invariants, reports) is for others:
// they watch it, and add to its agenda.

import type { Packet } from "mqtt-packet";
import { Status } from "../abi.js";
import { Agenda } from "./agenda.js";
import type { SimCentral } from "./central.js";
import { isPair } from "./cloud/memory_authority.js";
import { type CloudListener, MemoryCloud } from "./cloud/memory_cloud.js";
import { CLOUD_EPOCH_MS, SIM_CA } from "./defaults.js";
import { macOf, SimDevice, type SimDeviceOptions, type Surroundings } from "./device.js";
import type { EnginePool } from "./engine.js";
import { FaultRunner } from "./fault_runner.js";
import type { Faults } from "./faults.js";
import type { Happening } from "./happenings.js";
import type { Answer } from "./ports/http.js";
import type { Wire } from "./ports/mqtt.js";
import type { AccessPoint } from "./ports/wifi.js";
import { Random } from "./random.js";
import type { WorldWatcher } from "./watcher.js";

const UP_MS = [10, 80] as const;
const DOWN_MS = [10, 80] as const;
const LATE_MS = [200, 20_000] as const;
/** Steps at one instant: else a core asks for TICKs in a circle. */
const STEPS_AT_ONE_INSTANT_MAX = 20_000;

export interface WorldOptions {
  readonly seed: number;
  readonly faults: Faults;
  readonly engines: EnginePool;
  readonly watcher: WorldWatcher;
}

/** Both ends of a connection, as the world sees them. */
export interface Link {
  readonly device: number;
  /** Nothing passes any more, and neither side has been told. */
  isSilent: boolean;
  /** When the last packet each way arrives: what is sent later arrives later. */
  upMs: number;
  downMs: number;
}

export class World implements Surroundings {
  nowMs = 0;
  /** Steps of cores. */
  steps = 0;
  readonly air: readonly AccessPoint[] = [{ ssid: "simulated", password: "correct horse" }];
  readonly wire: Wire;
  agenda = new Agenda<Happening>();
  devices: SimDevice[] = [];
  readonly links = new Map<number, Link>();
  cloud!: MemoryCloud;
  faultRunner!: FaultRunner;
  /** Of devices that nobody has configured yet. */
  central: SimCentral | null = null;
  /** The broker is not to be reached. */
  isBrokerDown = false;
  /** The cloud's clock is so far ahead of this world's. */
  clockAheadMs = 0;
  /** Packets that devices have sent, and that have arrived in the cloud; timers of the cloud. */
  private sent = 0;
  private arrived = 0;
  private nextConnection = 1;
  private cloudWakeMs = Number.POSITIVE_INFINITY;
  private random: Random;
  private cloudRandom: Random;
  private instantSteps = 0;

  private constructor(
    readonly seed: number,
    readonly faults: Faults,
    readonly engines: EnginePool,
    readonly watcher: WorldWatcher,
  ) {
    this.random = new Random(seed, "wire");
    this.cloudRandom = new Random(seed, "cloud");
    this.wire = {
      open: (device) => this.openLink(device),
      handshake: (...args) => this.handshake(...args),
      send: (connection, packet) => this.send(connection, packet),
    };
  }

  static make({ seed, faults, engines, watcher }: WorldOptions): World {
    const world = new World(seed, faults, engines, watcher);
    world.cloud = new MemoryCloud({
      now: world.cloudNow,
      random: world.cloudFill,
      listener: world.listener,
    });
    world.faultRunner = new FaultRunner(world);
    return world;
  }

  private readonly cloudNow = (): number => CLOUD_EPOCH_MS + this.nowMs + this.clockAheadMs;
  private readonly cloudFill = (bytes: Uint8Array): void => this.cloudRandom.fill(bytes);

  addDevice(options: Omit<SimDeviceOptions, "random">): SimDevice {
    const index = this.devices.length;
    const random = new Random(this.seed, `device ${index}`);
    const device = SimDevice.make(this, index, { ...options, random });
    this.devices.push(device);
    return device;
  }

  /** Names that devices give themselves, and the template to their things. */
  thingNameOf(index: number): string {
    return `iot32-${Buffer.from(macOf(index)).toString("hex")}`;
  }

  /** The device of a thing, or of a client id; null when it is nobody's. */
  deviceOf(name: string): SimDevice | null {
    return this.devices.find((device) => this.thingNameOf(device.index) === name) ?? null;
  }

  // ---- time ------------------------------------------------------------------------------------

  later(ms: number, what: Happening): void {
    this.agenda.add(this.nowMs + ms, what);
  }

  /** The next thing that happens, up to this time; false when nothing does. */
  step(limitMs = Number.POSITIVE_INFINITY): boolean {
    this.wakeCloud();
    if (this.agenda.nextMs > limitMs) return false;
    const { dueMs, what } = this.agenda.take();
    this.instantSteps = dueMs === this.nowMs ? this.instantSteps + 1 : 0;
    if (this.instantSteps > STEPS_AT_ONE_INSTANT_MAX) {
      throw new Error(`time stands still at ${dueMs} ms: ${JSON.stringify(what).slice(0, 200)}`);
    }
    this.nowMs = dueMs;
    this.happen(what);
    this.watcher.worldStepped(this);
    return true;
  }

  /** Everything up to this time, which is then now. */
  runUntil(timeMs: number): void {
    while (this.step(timeMs)) {}
    this.nowMs = Math.max(this.nowMs, timeMs);
  }

  private happen(what: Happening): void {
    switch (what.what) {
      case "event":
        this.steps++;
        this.devices[what.device]!.dispatch(what);
        break;
      case "tick":
        this.steps++;
        this.devices[what.device]!.tick();
        break;
      case "port":
        this.devices[what.device]!.happen(what.life, what.it);
        break;
      case "uplink":
        this.arrived++;
        this.cloud.packet(what.connection, what.packet);
        break;
      case "downlink":
        this.devices[what.device]!.receive(what.connection, what.packet);
        break;
      case "hangup":
        this.devices[what.device]!.mqtt.hangup(what.connection);
        this.links.delete(what.connection);
        break;
      case "boot":
        this.bootDue(what.device, what.life, what);
        break;
      case "cloud":
        this.cloudWakeMs = Number.POSITIVE_INFINITY;
        if (this.cloud.nextMs <= this.cloudNow()) {
          this.arrived++;
          this.cloud.advance();
        }
        break;
      case "fault":
        this.faultRunner.happen(what.kind, what.device);
        break;
      case "mended":
        this.faultRunner.mend(what.device, what.outage);
        break;
      case "central":
        this.central?.turn(this, this.devices[what.device]!);
        break;
      case "workload":
        this.watcher.workloadDue(this, what.name);
    }
  }

  /** A restart is due, unless somebody has switched the device on meanwhile. */
  private bootDue(index: number, life: number, how: Extract<Happening, { what: "boot" }>): void {
    const device = this.devices[index]!;
    if (device.isOn || device.life !== life) return;
    device.boot(how.reason, how.scope);
  }

  /** Has the agenda look after the cloud's next timer. */
  private wakeCloud(): void {
    const dueMs = this.cloud.nextMs - CLOUD_EPOCH_MS - this.clockAheadMs;
    if (dueMs >= this.cloudWakeMs || dueMs === Number.POSITIVE_INFINITY) return;
    this.cloudWakeMs = Math.max(dueMs, this.nowMs);
    this.agenda.add(this.cloudWakeMs, { what: "cloud" });
  }

  /** The connection of a device, when there is one. */
  private linkOf(index: number): Link | undefined {
    const { mqtt } = this.devices[index]!;
    return mqtt.state === "up" ? this.links.get(mqtt.connection) : undefined;
  }

  /** Nothing passes any more over the connection of a device, and neither side is told. */
  silence(index: number): void {
    const link = this.linkOf(index);
    if (link !== undefined) link.isSilent = true;
  }

  isSilent(index: number): boolean {
    return this.linkOf(index)?.isSilent ?? false;
  }

  // ---- the wire --------------------------------------------------------------------------------

  private openLink(device: number): number {
    const connection = this.nextConnection++;
    this.links.set(connection, { device, isSilent: false, upMs: 0, downMs: 0 });
    return connection;
  }

  private handshake(connection: number, ca: string, certificate: string, key: string): number {
    const failure = this.faultRunner.handshakeFailure();
    if (failure !== Status.OK) return failure;
    if (!isPair(certificate, key)) return Status.CREDENTIALS_INVALID;
    if (ca !== SIM_CA) return Status.TLS_SERVER_REFUSED;
    return this.cloud.open(connection, certificate, key) ? Status.OK : Status.TLS_CLIENT_REFUSED;
  }

  private send(connection: number, packet: Packet): void {
    const link = this.links.get(connection);
    if (link === undefined || link.isSilent) return;
    const { nowMs, faults } = this;
    const isPublish = packet.cmd === "publish";
    this.sent++;
    if (isPublish && faults.hits("publishLost", nowMs)) return;
    let dueMs = Math.max(link.upMs, nowMs + this.random.between(...UP_MS));
    if (isPublish && faults.hits("messageDelayed", nowMs)) {
      dueMs += faults.stream("messageDelayed").between(...LATE_MS);
    } else link.upMs = dueMs;
    this.agenda.add(dueMs, { what: "uplink", connection, packet });
  }

  private readonly listener: CloudListener = {
    toClient: (connection, packet) => this.toClient(connection, packet),
    closed: (connection, reason) => {
      this.watcher.cloudClosed(this, connection, reason);
      const link = this.links.get(connection);
      if (link === undefined || link.isSilent) return;
      const { device } = link;
      const dueMs = Math.max(link.downMs, this.nowMs + this.random.between(...DOWN_MS));
      this.agenda.add(dueMs, { what: "hangup", device, connection });
    },
    rule: (event) => this.watcher.rule(this, event),
    published: (event) => this.watcher.published(this, event),
    provisioned: (event) => this.watcher.provisioned(this, event),
    refused: (event) => this.watcher.refused(this, event),
  };

  private toClient(connection: number, packet: Packet): void {
    const link = this.links.get(connection);
    if (link === undefined || link.isSilent) return;
    const { faults, nowMs } = this;
    const isAcknowledgement = ["puback", "suback", "unsuback"].includes(packet.cmd);
    if (isAcknowledgement && faults.hits("acknowledgementLost", nowMs)) return;
    let dueMs = Math.max(link.downMs, nowMs + this.random.between(...DOWN_MS));
    const happening = { what: "downlink", device: link.device, connection, packet } as const;
    if (packet.cmd === "publish") {
      if (faults.hits("messageLost", nowMs)) return;
      if (faults.hits("messageDelayed", nowMs)) {
        dueMs += faults.stream("messageDelayed").between(...LATE_MS);
        this.agenda.add(dueMs, happening);
        return;
      }
      if (packet.qos === 1 && faults.hits("messageDuplicated", nowMs)) {
        const laterMs = dueMs + faults.stream("messageDuplicated").between(0, 2000);
        this.agenda.add(laterMs, happening);
      }
    }
    link.downMs = dueMs;
    this.agenda.add(dueMs, happening);
  }

  fetch(device: SimDevice, url: string, offset: number): Answer | null {
    if (this.isBrokerDown || device.wifi.state !== "up") return null;
    const { status, body, at, size } = this.cloud.files.get(url, offset);
    return { status, body: body ?? NOTHING, at, size };
  }

  /**
   * What of this world outlives the power of its devices, as a text that changes with it: flash,
   * the cloud, and what is on its way there. Equal texts in one run are equal worlds, but for
   * the time.
   */
  get effects(): string {
    const flash = this.devices.map(({ records, ota, isWriting }) => {
      return `${records.version}/${ota.version}/${isWriting}`;
    });
    return `${flash.join()} ${this.sent} ${this.arrived}`;
  }

  /** Gives engines back: this world is not needed any more. */
  release(): void {
    for (const device of this.devices) device.release();
  }

  // ---- copies ----------------------------------------------------------------------------------

  /** The same world, watched by somebody else. Its devices must be parked, or cut off at once. */
  copy(watcher: WorldWatcher, faults = this.faults.copy()): World {
    const copy = new World(this.seed, faults, this.engines, watcher);
    copy.nowMs = this.nowMs;
    copy.steps = this.steps;
    copy.agenda = this.agenda.copy();
    copy.isBrokerDown = this.isBrokerDown;
    copy.clockAheadMs = this.clockAheadMs;
    copy.sent = this.sent;
    copy.arrived = this.arrived;
    copy.nextConnection = this.nextConnection;
    copy.cloudWakeMs = this.cloudWakeMs;
    copy.random = this.random.copy();
    copy.cloudRandom = this.cloudRandom.copy();
    for (const [connection, link] of this.links) copy.links.set(connection, { ...link });
    copy.cloud = this.cloud.copy({
      now: copy.cloudNow,
      random: copy.cloudFill,
      listener: copy.listener,
    });
    copy.faultRunner = this.faultRunner.copy(copy);
    copy.central = this.central?.copy() ?? null;
    copy.devices = this.devices.map((device) => device.copy(copy));
    return copy;
  }
}

const NOTHING = new Uint8Array();
