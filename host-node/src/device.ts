// One whole device on a desk: module, flash, configuration and the networks around it, through any
// number of lives. The power switch is here; so is what the chip's own firmware does when the core
// asks for a restart or traps. Everything else is the core's.

import { randomFillSync } from "node:crypto";
import { EventEmitter } from "node:events";
import { Event, Mode, nameOf, ResetReason } from "./abi.js";
import { type Clock, realClock, type TimerHandle } from "./clock.js";
import { type CoreHooks, type CoreTrap, compileCore } from "./core.js";
import { FlashImage, MAC_BYTES } from "./flash_image.js";
import { Life, type LifeListener, type LifeOptions } from "./life.js";
import type { PinChange } from "./ports/gpio.js";
import type { LogLine, SystemEvent } from "./ports/log.js";
import { Air } from "./ports/wifi.js";

/** A trap is followed by a restart after these delays; one more within the window is the last. */
const TRAP_RESTART_MS: readonly number[] = [100, 1000];
const TRAP_WINDOW_MS = 60_000;
const FLASH_OPERATION_MS = 0;
const WIFI_JOIN_MS = 20;
const MQTT_CONNECT_TIMEOUT_MS = 10_000;

export interface DeviceOptions {
  /** The module, or bytes of it. */
  readonly module: Uint8Array | WebAssembly.Module;
  /** The flash chip: an image, the path of a file (made when missing), or in memory. */
  readonly flash?: FlashImage | string;
  /** The configuration document, as the firmware would have it built in. */
  readonly configuration?: Uint8Array | string;
  /** Overrides the MAC address of the flash image: six bytes, or "02:00:00:00:00:01". */
  readonly mac?: Uint8Array | string;
  readonly air?: Air;
  readonly clock?: Clock;
  readonly random?: (bytes: Uint8Array) => void;
  readonly hooks?: CoreHooks;
  readonly flashOperationMs?: number;
  readonly wifiJoinMs?: number;
  readonly mqttConnectTimeoutMs?: number;
}

export interface ModeChange {
  readonly at: number;
  readonly mode: Mode;
  readonly name: string;
  /** Reason, in words; may be empty. */
  readonly text: string;
}

export interface TrapReport {
  readonly at: number;
  readonly error: CoreTrap;
  /** Delay until the next life, or null when the device gives up. */
  readonly restartMs: number | null;
}

export interface DeviceEvents {
  /** A life begins. */
  boot: [{ at: number; reason: ResetReason; name: string }];
  event: [SystemEvent];
  mode: [ModeChange];
  log: [LogLine];
  /** An output pin changed its level. */
  pin: [PinChange];
  /** The core asked for a restart. */
  restart: [{ at: number }];
  trap: [TrapReport];
  /** The power is off: the switch, a simulated power cut, or too many traps. */
  off: [{ at: number; why: "switch" | "power cut" | "traps" }];
}

/** Reads "02:00:00:00:00:01"; throws when it is no MAC address. */
export function parseMac(text: string): Uint8Array {
  const pairs = text.split(/[:-]/);
  const isMac = pairs.length === MAC_BYTES && pairs.every((pair) => /^[0-9a-f]{2}$/i.test(pair));
  if (!isMac) throw new Error(`"${text}" is not a MAC address like 02:00:00:00:00:01`);
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

export function formatMac(mac: Uint8Array): string {
  return [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

function macOf(mac: Uint8Array | string | undefined, image: FlashImage): Uint8Array {
  if (mac === undefined) return image.mac;
  if (typeof mac === "string") return parseMac(mac);
  if (mac.length !== MAC_BYTES) throw new Error(`a MAC address has ${MAC_BYTES} bytes`);
  return mac;
}

export class Device extends EventEmitter<DeviceEvents> {
  readonly air: Air;
  readonly flash: FlashImage;
  readonly mac: Uint8Array;
  private readonly options: LifeOptions;
  private readonly clock: Clock;
  private readonly pins = new Map<number, 0 | 1>();
  private life: Life | null = null;
  private currentMode: Mode | null = null;
  private restartTimer: TimerHandle = null;
  private traps: number[] = [];

  /** Throws CoreError for bytes that are no module, FlashImageError for a file that is no flash. */
  constructor(options: DeviceOptions) {
    super();
    const { random = (bytes: Uint8Array) => void randomFillSync(bytes) } = options;
    const module = compileCore(options.module);
    const { flash } = options;
    if (flash instanceof FlashImage) this.flash = flash;
    else if (flash === undefined) this.flash = FlashImage.inMemory({ random });
    else this.flash = FlashImage.open(flash, { random });
    this.air = options.air ?? new Air();
    this.clock = options.clock ?? realClock;
    this.mac = macOf(options.mac, this.flash);
    this.options = {
      module,
      random,
      image: this.flash,
      configuration: Buffer.from(options.configuration ?? ""),
      mac: this.mac,
      air: this.air,
      clock: this.clock,
      hooks: options.hooks ?? {},
      flashOperationMs: options.flashOperationMs ?? FLASH_OPERATION_MS,
      wifiJoinMs: options.wifiJoinMs ?? WIFI_JOIN_MS,
      mqttConnectTimeoutMs: options.mqttConnectTimeoutMs ?? MQTT_CONNECT_TIMEOUT_MS,
      pins: this.pins,
    };
  }

  /** Whether a life runs; between a restart or trap and the next life it does not. */
  get isRunning(): boolean {
    return this.life !== null;
  }

  /** Mode that the core reported last in this life. */
  get mode(): Mode | null {
    return this.currentMode;
  }

  /** Starts a life; the core sees BOOT on the next turn. Throws CoreError when it cannot. */
  powerOn(reason: ResetReason = ResetReason.POWER_ON): void {
    if (this.life !== null) throw new Error("the power is on already");
    this.clock.clearTimer(this.restartTimer);
    this.currentMode = null;
    this.life = new Life(this.options, this.listener, reason);
    const name = nameOf(ResetReason, reason);
    this.emit("boot", { at: this.clock.now(), reason, name });
  }

  /** Cuts the power, at once and in the middle of whatever happens; flash keeps what it has. */
  powerOff(): void {
    const wasOn = this.endLife();
    this.traps = [];
    if (wasOn) this.emit("off", { at: this.clock.now(), why: "switch" });
  }

  /** Power off, and the flash file is closed: the end of this object. */
  close(): void {
    this.powerOff();
    this.flash.close();
  }

  /** Pulls an input pin to a level from outside; null lets go of it. */
  setPin(pin: number, level: 0 | 1 | null): void {
    if (level === null) this.pins.delete(pin);
    else this.pins.set(pin, level);
  }

  private endLife(): boolean {
    const wasOn = this.life !== null || this.restartTimer !== null;
    this.clock.clearTimer(this.restartTimer);
    this.restartTimer = null;
    this.life?.end();
    this.life = null;
    return wasOn;
  }

  private readonly listener: LifeListener = {
    onLog: (line) => void this.emit("log", line),
    onEvent: (event) => this.onEvent(event),
    onPin: (change) => void this.emit("pin", change),
    onRestart: () => this.onRestart(),
    onTrap: (trap) => this.onTrap(trap),
    onPowerCut: () => this.stop("power cut"),
    onFault: (error) => {
      this.endLife();
      throw error;
    },
  };

  private onEvent(event: SystemEvent): void {
    this.emit("event", event);
    if (event.event !== Event.MODE_CHANGED) return;
    const mode = event.value as Mode;
    this.currentMode = mode;
    this.emit("mode", { at: event.at, mode, name: nameOf(Mode, mode), text: event.text });
  }

  private onRestart(): void {
    this.life = null;
    this.emit("restart", { at: this.clock.now() });
    this.reviveAfter(0, ResetReason.SOFTWARE);
  }

  private onTrap(error: CoreTrap): void {
    this.life = null;
    const at = this.clock.now();
    this.traps = [...this.traps.filter((time) => at - time < TRAP_WINDOW_MS), at];
    const restartMs = TRAP_RESTART_MS[this.traps.length - 1] ?? null;
    this.emit("trap", { at, error, restartMs });
    if (restartMs === null) this.stop("traps");
    else this.reviveAfter(restartMs, ResetReason.PANIC);
  }

  private stop(why: "power cut" | "traps"): void {
    this.endLife();
    this.traps = [];
    this.emit("off", { at: this.clock.now(), why });
  }

  private reviveAfter(ms: number, reason: ResetReason): void {
    this.restartTimer = this.clock.setTimer(ms, () => {
      this.restartTimer = null;
      this.powerOn(reason);
    });
  }
}
