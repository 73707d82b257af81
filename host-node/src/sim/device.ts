// One device of a simulated world: its flash, its lives, and its ports. What surrounds it (time,
// the cloud, what goes wrong) it is given by the world. It is copied with everything in it, in the
// middle of a life too, as long as no step runs.

import type { Packet } from "mqtt-packet";
import {
  type CallArgument,
  EventKind,
  type Mode,
  type Ports,
  ResetReason,
  RestartScope,
} from "../abi.js";
import { flashFirmware } from "../boot/flasher.js";
import { Software } from "../boot/software.js";
import { type CoreHooks, CoreTrap, PowerOff } from "../core.js";
import type { CoreSnapshot } from "../core_snapshot.js";
import { FlashImage } from "../flash_image.js";
import { type CutMode, PowerCut } from "../ports/nor.js";
import {
  copyPorts,
  type DevicePorts,
  makePorts,
  portsOf,
  powerOff,
  tearFlash,
} from "./device_ports.js";
import type { Engine, EngineHost, EnginePool } from "./engine.js";
import type { Faults } from "./faults.js";
import type { CoreEventHappening, Happening, PortHappening } from "./happenings.js";
import type { SimBle } from "./ports/ble.js";
import type { SimFlash } from "./ports/flash.js";
import type { Answer, SimHttp } from "./ports/http.js";
import type { SimMqtt, Wire } from "./ports/mqtt.js";
import type { SimOta } from "./ports/ota.js";
import type { SimHost } from "./ports/sim_host.js";
import type { AccessPoint, SimWifi } from "./ports/wifi.js";
import type { Random } from "./random.js";

/** What a device is given by its world. */
export interface Surroundings {
  readonly nowMs: number;
  readonly faults: Faults;
  readonly engines: EnginePool;
  readonly air: readonly AccessPoint[];
  readonly wire: Wire;
  readonly watcher: DeviceWatcher;
  later(ms: number, what: Happening): void;
  fetch(device: SimDevice, url: string, offset: number): Answer | null;
}

/** Hears what a device does, in the order in which it does it. */
export interface DeviceWatcher {
  booted(device: SimDevice): void;
  stepBegins(device: SimDevice, event: CoreEventHappening): void;
  called(device: SimDevice, name: string, args: readonly CallArgument[], result: number): void;
  event(device: SimDevice, event: number, value: number, text: string): void;
  log(device: SimDevice, level: number, text: string): void;
  stepEnded(device: SimDevice): void;
  /** A life is over: the core asked for it, trapped, or lost its power. */
  ended(device: SimDevice, why: "restart" | "trap" | "power", what: string): void;
}

export interface SimDeviceOptions {
  /** Application image in ota_0. */
  readonly firmware: Uint8Array;
  readonly document: string;
  readonly random: Random;
  /** What `now_ms` begins at: it wraps at 2^32. */
  readonly uptimeMs: number;
}

const MAC_HEAD = [0x02, 0x1c, 0x32] as const;

export const macOf = (index: number): Uint8Array =>
  Uint8Array.of(...MAC_HEAD, 0, index >> 8, index & 0xff);

const BOOT_MS = 300;
const RELOAD_MS = 20;
const TRAP_MS = [100, 1000, 60_000] as const;
/** Traps of one module in a row, after which it makes way for another. */
const TRAPS_MAX = 3;

export class SimDevice implements EngineHost, SimHost {
  readonly mac: Uint8Array;
  /** Set for a life that is to be traced. */
  hooks: CoreHooks = {};
  /** Number of the life, from 1; 0 before the first. */
  life = 0;
  isOn = false;
  mode: Mode | null = null;
  /** Calls of cores to their hosts, in all lives. */
  calls = 0;
  /** The power goes before that call. */
  cutAtCall = Number.POSITIVE_INFINITY;
  /** Sees each call of a step before it is answered. */
  onCall: (() => void) | null = null;
  /** When the core wants its TICK; Infinity: it does not. */
  tickMs = Number.POSITIVE_INFINITY;
  /** When the agenda looks after ticks; Infinity: it does not. */
  wakeMs = Number.POSITIVE_INFINITY;
  software: Software | null = null;
  /** Levels of pins from outside. */
  readonly pins = new Map<number, number>();
  /** Levels that the core has written. */
  readonly outputs = new Map<number, number>();
  flash!: FlashImage;
  random!: Random;
  ports!: Ports;
  /** What sys_restart asked for in this step. */
  restartScope: RestartScope | null = null;
  private parts!: DevicePorts;
  private engine: Engine | null = null;
  /** The core of a device that has given its engine back. */
  private parked: CoreSnapshot | null = null;
  private trapText = "";
  private traps = 0;
  private isStepping = false;

  private constructor(
    readonly world: Surroundings,
    readonly index: number,
    readonly options: Pick<SimDeviceOptions, "document" | "uptimeMs">,
  ) {
    this.mac = macOf(index);
  }

  /** Out of the factory: firmware in its flash, power off. */
  static make(world: Surroundings, index: number, options: SimDeviceOptions): SimDevice {
    const device = new SimDevice(world, index, options);
    device.random = options.random;
    device.flash = FlashImage.inMemory({ random: (bytes) => bytes.set(device.mac) });
    flashFirmware(device.flash, options.firmware);
    device.connect(makePorts(device, device.flash));
    return device;
  }

  private connect(parts: DevicePorts): void {
    this.parts = parts;
    this.ports = portsOf(this, parts);
  }

  get wifi(): SimWifi {
    return this.parts.wifi;
  }

  get mqtt(): SimMqtt {
    return this.parts.mqtt;
  }

  get http(): SimHttp {
    return this.parts.http;
  }

  get records(): SimFlash {
    return this.parts.records;
  }

  get ota(): SimOta {
    return this.parts.ota;
  }

  get ble(): SimBle {
    return this.parts.ble;
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  get faults(): Faults {
    return this.world.faults;
  }

  /** An operation on flash is under way, which a power cut may tear. */
  get isWriting(): boolean {
    return this.records.pending.length + this.ota.pending.length > 0;
  }

  get isConnected(): boolean {
    return this.isOn && this.mqtt.state === "up";
  }

  get version(): string {
    return this.software?.firmware.image.description.version ?? "";
  }

  // ---- lives -----------------------------------------------------------------------------------

  /** Power on, or the restart that is due. */
  boot(reason: ResetReason, scope: RestartScope = RestartScope.DEVICE): void {
    if (this.isOn) throw new Error(`device ${this.index} is on already`);
    const isModuleOnly = scope === RestartScope.MODULE && this.software !== null;
    try {
      const { software, flash } = this;
      this.software = isModuleOnly ? software!.reloadModule(flash) : Software.boot(flash);
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.flash.disarmPowerCut();
      this.restartLater(BOOT_MS, ResetReason.POWER_ON, RestartScope.DEVICE);
      return;
    }
    this.life++;
    this.isOn = true;
    this.mode = null;
    this.restartScope = null;
    this.tickMs = Number.POSITIVE_INFINITY;
    this.ota.start(this.software);
    this.engine = this.world.engines.take(this.software.module, this);
    this.engine.core.restore(this.engine.pristine);
    const payload = this.software.bootPayload(this.mac, this.trapText);
    this.trapText = "";
    this.world.watcher.booted(this);
    this.post(EventKind.BOOT, reason, 0, payload);
  }

  private restartLater(ms: number, reason: ResetReason, scope: RestartScope): void {
    const { index: device, life } = this;
    this.world.later(ms, { what: "boot", device, life, reason, scope });
  }

  /** Ends the life; a restart is the caller's affair. */
  private end(): void {
    this.isOn = false;
    this.mode = null;
    this.tickMs = Number.POSITIVE_INFINITY;
    this.outputs.clear();
    powerOff(this.parts);
    if (this.engine !== null && !this.isStepping) this.world.engines.give(this.engine);
    this.engine = null;
    this.parked = null;
  }

  /**
   * The power goes, in the middle of whatever is under way in flash, and comes back after `offMs`;
   * Infinity: it stays off.
   */
  powerCut(mode: CutMode, offMs: number, random: () => number): void {
    this.cutAtCall = Number.POSITIVE_INFINITY;
    if (!this.isOn) return;
    tearFlash(this.parts, mode, random);
    this.traps = 0;
    this.trapText = "";
    this.end();
    this.world.watcher.ended(this, "power", mode);
    if (offMs < Number.POSITIVE_INFINITY) {
      this.restartLater(offMs, ResetReason.POWER_ON, RestartScope.DEVICE);
    }
  }

  // ---- steps -----------------------------------------------------------------------------------

  /** One step of the core. Throws what its ports throw: a rule of flash that it broke, say. */
  dispatch(happening: CoreEventHappening): void {
    if (!this.isOn || happening.life !== this.life) return;
    const { world } = this;
    const engine = this.attached();
    this.isStepping = true;
    world.watcher.stepBegins(this, happening);
    try {
      const waitMs = engine.core.dispatch(happening, (this.nowMs + this.options.uptimeMs) >>> 0);
      this.tickMs = waitMs < 0 ? Number.POSITIVE_INFINITY : this.nowMs + this.lateBy() + waitMs;
    } catch (error) {
      this.isStepping = false;
      this.broken(error, engine);
      return;
    }
    this.isStepping = false;
    if (happening.acknowledges > 0) this.mqtt.acknowledge(happening.acknowledges);
    if (this.restartScope === null) this.wake();
    else this.restart(this.restartScope);
    world.watcher.stepEnded(this);
  }

  private lateBy(): number {
    const { faults } = this;
    const isLate = faults.hits("tickLate", this.nowMs);
    return isLate ? faults.stream("tickLate").below(3000) : 0;
  }

  /** Has the agenda look after the next TICK, unless it looks earlier already. */
  private wake(): void {
    if (this.tickMs >= this.wakeMs || this.tickMs === Number.POSITIVE_INFINITY) return;
    this.wakeMs = this.tickMs;
    this.world.later(this.tickMs - this.nowMs, { what: "tick", device: this.index });
  }

  /** The agenda looks whether a TICK is due. */
  tick(): void {
    if (this.wakeMs > this.nowMs) return;
    this.wakeMs = Number.POSITIVE_INFINITY;
    if (!this.isOn || this.tickMs > this.nowMs) {
      this.wake();
      return;
    }
    this.dispatch(this.happening(EventKind.TICK, 0, 0, NOTHING, 0));
  }

  private broken(error: unknown, engine: Engine): void {
    const { world } = this;
    if (error instanceof PowerOff) {
      // The call at which the power went has ended this life already.
      world.engines.give(engine);
      return;
    }
    this.end();
    world.engines.give(engine);
    if (!(error instanceof CoreTrap)) throw error;
    this.trapText = error.text;
    this.traps++;
    const ms = TRAP_MS[Math.min(this.traps, TRAP_MS.length) - 1]!;
    if (this.traps >= TRAPS_MAX) this.software?.giveUpModule(this.flash);
    this.restartLater(ms, ResetReason.PANIC, RestartScope.DEVICE);
    world.watcher.ended(this, "trap", error.text);
  }

  private restart(scope: RestartScope): void {
    this.end();
    const ms = scope === RestartScope.MODULE ? RELOAD_MS : BOOT_MS;
    this.restartLater(ms, ResetReason.SOFTWARE, scope);
    this.world.watcher.ended(this, "restart", "");
  }

  beforeCall(): void {
    this.calls++;
    if (this.calls < this.cutAtCall && this.onCall === null) return;
    this.onCall?.();
    if (this.calls < this.cutAtCall) return;
    const stream = this.faults.stream("powerCuts");
    this.powerCut(cutMode(stream), stream.between(...OFF_MS), stream.fraction);
    throw new PowerOff("the power is off");
  }

  afterCall(name: string, args: readonly CallArgument[], result: number): void {
    this.world.watcher.called(this, name, args, result);
    this.hooks.onCall?.(name, args, result);
  }

  // ---- engines ---------------------------------------------------------------------------------

  private attached(): Engine {
    if (this.engine !== null) return this.engine;
    this.engine = this.world.engines.take(this.software!.module, this);
    if (this.parked !== null) this.engine.core.restore(this.parked);
    this.parked = null;
    return this.engine;
  }

  /** The core as it is between two steps; null while the power is off. */
  get core(): CoreSnapshot | null {
    return this.engine?.core.snapshot() ?? this.parked;
  }

  /** One of CoreSnapshot.globals of the core; null while the power is off. */
  globalAt(place: number): number | bigint | null {
    return this.engine?.core.globalAt(place) ?? this.parked?.globals[place] ?? null;
  }

  /** Gives the engine back, so that another world can have it. */
  park(): void {
    if (this.engine === null) return;
    this.parked = this.engine.core.snapshot();
    this.world.engines.give(this.engine);
    this.engine = null;
  }

  /** Gives the engine back for good: this device is not needed any more. */
  release(): void {
    if (this.engine !== null) this.world.engines.give(this.engine);
    this.engine = null;
  }

  // ---- what happens ----------------------------------------------------------------------------

  later(ms: number, it: PortHappening): void {
    const { index: device, life } = this;
    this.world.later(ms, { what: "port", device, life, it });
  }

  post(kind: EventKind, a = 0, b = 0, payload: Uint8Array = NOTHING, acknowledges = 0): void {
    this.world.later(0, this.happening(kind, a, b, payload, acknowledges));
  }

  private happening(
    kind: EventKind,
    a: number,
    b: number,
    payload: Uint8Array,
    acknowledges: number,
  ): CoreEventHappening {
    const { index: device, life } = this;
    return { what: "event", device, life, kind, a, b, payload, acknowledges };
  }

  happen(life: number, it: PortHappening): void {
    if (!this.isOn || life !== this.life) return;
    switch (it.port) {
      case "wifi":
        this.wifi.happen(it);
        break;
      case "mqtt":
        this.mqtt.happen(it);
        break;
      case "http":
        this.http.happen(it);
        break;
      case "flash":
        this.records.happen();
        break;
      case "ota":
        this.ota.happen();
    }
  }

  receive(connection: number, packet: Packet): void {
    if (this.isOn) this.mqtt.receive(connection, packet);
  }

  readFlash(offset: number, bytes: Uint8Array): number {
    return this.records.read(offset, bytes);
  }

  // ---- copies ----------------------------------------------------------------------------------

  /** The same device in another world. In the middle of a step its power must be cut at once. */
  copy(world: Surroundings): SimDevice {
    const copy = new SimDevice(world, this.index, this.options);
    copy.random = this.random.copy();
    copy.flash = this.flash.copy();
    copy.life = this.life;
    copy.isOn = this.isOn;
    copy.mode = this.mode;
    copy.calls = this.calls;
    copy.cutAtCall = this.cutAtCall;
    copy.tickMs = this.tickMs;
    copy.wakeMs = this.wakeMs;
    copy.software = this.software?.copy() ?? null;
    copy.restartScope = this.restartScope;
    copy.trapText = this.trapText;
    copy.traps = this.traps;
    copy.parked = this.isStepping ? null : this.core;
    for (const [pin, level] of this.pins) copy.pins.set(pin, level);
    for (const [pin, level] of this.outputs) copy.outputs.set(pin, level);
    copy.connect(copyPorts(copy, this.parts, copy.flash));
    return copy;
  }
}

const NOTHING = new Uint8Array();
const OFF_MS = [50, 20_000] as const;

/** Of three cuts one tears what is being written, one leaves any bytes there. */
function cutMode(random: Random): CutMode {
  return (["nothing", "half", "garbage"] as const)[random.below(3)]!;
}
