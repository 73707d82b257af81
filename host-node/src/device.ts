// One whole device on a desk: flash with firmware in it, configuration and the networks around it,
// through any number of lives. The power switch is here; so is what the chip's own firmware does
// when the core asks for a restart or traps. Which firmware and which module a life runs is for
// boot/ to say. Everything else is the core's.

import { randomFillSync } from "node:crypto";
import { EventEmitter } from "node:events";
import { Event, Mode, nameOf, ResetReason, RestartScope } from "./abi.js";
import type { Peripheral } from "./ble/peripheral.js";
import { BootError } from "./boot/bootloader.js";
import { firmwareOf, flashFirmware } from "./boot/flasher.js";
import { Software } from "./boot/software.js";
import { type Clock, realClock, type TimerHandle } from "./clock.js";
import { CoreError, CoreTrap } from "./core.js";
import { FlashImage, MAC_BYTES } from "./flash_image.js";
import { Life, type LifeHooks, type LifeListener, type LifeOptions } from "./life.js";
import type { PinChange } from "./ports/gpio.js";
import type { LogLine, SystemEvent } from "./ports/log.js";
import { PowerCut } from "./ports/nor.js";
import { Air } from "./ports/wifi.js";

/** A trap is followed by a restart after these delays; one more within the window is the last. */
const TRAP_RESTART_MS: readonly number[] = [100, 1000];
const TRAP_WINDOW_MS = 60_000;
const FLASH_OPERATION_MS = 0;
const WIFI_JOIN_MS = 20;
const MQTT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_VERSION = "0.0.0";

export interface DeviceOptions {
  /**
   * The module: flashed inside a firmware image that is made for it. With neither module nor
   * firmware, what lies in the flash boots. What was flashed last is not flashed again, so that the
   * same flash keeps what updates have brought.
   */
  readonly module?: Uint8Array;
  /** Version of the firmware that is made for `module`; "0.0.0" by default. */
  readonly version?: string;
  /** A whole application image instead of a module. */
  readonly firmware?: Uint8Array;
  /** The flash chip: an image, the path of a file (made when missing), or in memory. */
  readonly flash?: FlashImage | string;
  /** The configuration document, as the firmware would have it built in. */
  readonly configuration?: Uint8Array | string;
  /** Overrides the MAC address of the flash image: six bytes, or "02:00:00:00:00:01". */
  readonly mac?: Uint8Array | string;
  readonly air?: Air;
  /** The radio of BLE; without one the core is told that there is none. */
  readonly ble?: Peripheral;
  readonly clock?: Clock;
  readonly random?: (bytes: Uint8Array) => void;
  readonly hooks?: LifeHooks;
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

export interface RunningFirmware {
  /** n of ota_n; 255 for a factory application. */
  readonly slot: number;
  /** Label of its partition. */
  readonly label: string;
  readonly version: string;
  readonly project: string;
  /** Given up at the next reset, unless the core confirms it before. */
  readonly trial: boolean;
}

export interface RunningModule {
  /** n of wasm_n; 255 for the one inside the firmware. */
  readonly slot: number;
  readonly trial: boolean;
}

export interface BootReport {
  readonly at: number;
  readonly reason: ResetReason;
  readonly name: string;
  readonly firmware: RunningFirmware;
  readonly module: RunningModule;
}

export interface TrapReport {
  readonly at: number;
  /** A CoreError says that what is on trial does not fit this host. */
  readonly error: CoreTrap | CoreError;
  /** Delay until the next life, or null when the device gives up. */
  readonly restartMs: number | null;
}

export interface DeviceEvents {
  /** A life begins. */
  boot: [BootReport];
  event: [SystemEvent];
  mode: [ModeChange];
  log: [LogLine];
  /** An output pin changed its level. */
  pin: [PinChange];
  /** The core asked for a restart. */
  restart: [{ at: number; scope: RestartScope }];
  trap: [TrapReport];
  /** The power is off. */
  off: [OffReport];
}

export interface OffReport {
  readonly at: number;
  /** The switch, a simulated power cut, too many traps, or a restart after which nothing starts. */
  readonly why: "switch" | "power cut" | "traps" | "nothing boots";
  /** Why nothing boots. */
  readonly error?: BootError | CoreError;
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

/** What to flash, if anything. */
function firmwareFrom({ firmware, module, version }: DeviceOptions): Uint8Array | null {
  if (firmware !== undefined && module !== undefined) {
    throw new Error("a device is flashed with a firmware image or with a module, not with both");
  }
  if (module !== undefined) return firmwareOf(module, version ?? DEFAULT_VERSION);
  return firmware ?? null;
}

/** The flash of a device, with this firmware in it; closed again when it does not take it. */
function openFlash(
  flash: FlashImage | string,
  random: (bytes: Uint8Array) => void,
  firmware: Uint8Array | null,
): FlashImage {
  const image = flash instanceof FlashImage ? flash : FlashImage.open(flash, { random });
  try {
    if (firmware !== null) flashFirmware(image, firmware);
    return image;
  } catch (error) {
    if (image !== flash) image.close();
    throw error;
  }
}

export class Device extends EventEmitter<DeviceEvents> {
  readonly air: Air;
  readonly flash: FlashImage;
  readonly mac: Uint8Array;
  private readonly options: LifeOptions;
  private readonly clock: Clock;
  private readonly pins = new Map<number, 0 | 1>();
  private life: Life | null = null;
  /** What runs, or ran last; the firmware of a restart of the module alone. */
  private software: Software | null = null;
  private currentMode: Mode | null = null;
  private restartTimer: TimerHandle = null;
  private traps: number[] = [];
  /** Identity of the software that trapped. */
  private trapped = "";
  /** For the next life. */
  private trapText = "";

  /**
   * Throws CoreError for bytes that are no module, ImageError for a firmware that no bootloader
   * starts, FlashImageError for a file that is no flash.
   */
  constructor(options: DeviceOptions) {
    super();
    const { random = (bytes: Uint8Array) => void randomFillSync(bytes) } = options;
    const firmware = firmwareFrom(options);
    const { flash = FlashImage.inMemory({ random }) } = options;
    this.flash = openFlash(flash, random, firmware);
    this.air = options.air ?? new Air();
    this.clock = options.clock ?? realClock;
    this.mac = macOf(options.mac, this.flash);
    this.options = {
      random,
      image: this.flash,
      configuration: Buffer.from(options.configuration ?? ""),
      mac: this.mac,
      air: this.air,
      ble: options.ble ?? null,
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

  /** Firmware of this life, as of now; null while none runs. */
  get firmware(): RunningFirmware | null {
    return this.life === null || this.software === null ? null : firmwareReport(this.software);
  }

  /** Module of this life, as of now; null while none runs. */
  get module(): RunningModule | null {
    return this.life === null || this.software === null ? null : moduleReport(this.software);
  }

  /**
   * Starts a life through the bootloader; the core sees BOOT on the next turn. Throws BootError
   * when nothing boots, CoreError when the module does not fit this host and is not on trial.
   */
  powerOn(reason: ResetReason = ResetReason.POWER_ON): void {
    if (this.life !== null) throw new Error("the power is on already");
    this.begin(reason, () => Software.boot(this.flash));
  }

  private begin(reason: ResetReason, choose: () => Software): void {
    this.clock.clearTimer(this.restartTimer);
    this.restartTimer = null;
    this.currentMode = null;
    try {
      this.software = choose();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.stop("power cut");
      return;
    }
    this.live(reason, this.software);
  }

  private live(reason: ResetReason, software: Software): void {
    const boot = (): void => {
      const parts = { firmware: firmwareReport(software), module: moduleReport(software) };
      const name = nameOf(ResetReason, reason);
      this.emit("boot", { at: this.clock.now(), reason, name, ...parts });
    };
    try {
      this.life = new Life(this.options, software, this.listener, reason, this.trapText);
      this.trapText = "";
    } catch (error) {
      if (!(error instanceof CoreError) || !software.isOnTrial) throw error;
      boot();
      this.onTrap(error);
      return;
    }
    boot();
  }

  /** Cuts the power, at once and in the middle of whatever happens; flash keeps what it has. */
  powerOff(): void {
    const wasOn = this.endLife();
    this.forgetTraps();
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
    onRestart: (scope) => this.onRestart(scope),
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

  private onRestart(scope: RestartScope): void {
    this.life = null;
    this.emit("restart", { at: this.clock.now(), scope });
    this.reviveAfter(0, ResetReason.SOFTWARE, scope);
  }

  private onTrap(error: CoreTrap | CoreError): void {
    this.life = null;
    const at = this.clock.now();
    this.trapText = error instanceof CoreTrap ? error.text : `BOOT: ${error.message}`;
    const restartMs = this.countTrap(at) ?? this.giveUpModule();
    this.emit("trap", { at, error, restartMs });
    if (restartMs === null) this.stop("traps");
    else this.reviveAfter(restartMs, ResetReason.PANIC, RestartScope.DEVICE);
  }

  /** Delay of the restart after a trap, or null. What was put in its place begins at none. */
  private countTrap(at: number): number | null {
    const identity = this.software?.identity ?? "";
    const earlier = identity === this.trapped ? this.traps : [];
    this.trapped = identity;
    this.traps = [...earlier.filter((time) => at - time < TRAP_WINDOW_MS), at];
    return TRAP_RESTART_MS[this.traps.length - 1] ?? null;
  }

  /** The module that trapped for the last time makes way for another; null when it is the last. */
  private giveUpModule(): number | null {
    const isGivenUp = this.software?.giveUpModule(this.flash) ?? false;
    return isGivenUp ? TRAP_RESTART_MS[0]! : null;
  }

  private forgetTraps(): void {
    this.traps = [];
    this.trapText = "";
  }

  private stop(why: OffReport["why"], cause: Pick<OffReport, "error"> = {}): void {
    this.endLife();
    this.forgetTraps();
    this.emit("off", { at: this.clock.now(), why, ...cause });
  }

  private reviveAfter(ms: number, reason: ResetReason, scope: RestartScope): void {
    this.restartTimer = this.clock.setTimer(ms, () => {
      const { software } = this;
      const isModuleOnly = scope === RestartScope.MODULE && software !== null;
      try {
        this.begin(reason, () =>
          isModuleOnly ? software.reloadModule(this.flash) : Software.boot(this.flash),
        );
      } catch (error) {
        if (!(error instanceof BootError || error instanceof CoreError)) throw error;
        this.stop("nothing boots", { error });
      }
    });
  }
}

function firmwareReport({ firmware, firmwareOnTrial }: Software): RunningFirmware {
  const { version, projectName } = firmware.image.description;
  const { number, label } = firmware.slot;
  return { slot: number, label, version, project: projectName, trial: firmwareOnTrial };
}

function moduleReport({ module, moduleOnTrial }: Software): RunningModule {
  return { slot: module.slot, trial: moduleOnTrial };
}
