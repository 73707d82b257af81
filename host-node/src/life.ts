// One life of a device, from power-on or restart to the next end: an instance of the core, its
// ports, and the one queue through which everything reaches it, one step at a time. Device
// (device.ts) starts lives and hears how they end.

import {
  type BlePort as BleContract,
  EventKind,
  type ResetReason,
  type RestartScope,
} from "./abi.js";
import type { Peripheral } from "./ble/peripheral.js";
import type { Software } from "./boot/software.js";
import type { Clock, TimerHandle } from "./clock.js";
import { Core, type CoreEvent, type CoreHooks, CoreTrap, compileCore, PowerOff } from "./core.js";
import type { FlashImage } from "./flash_image.js";
import { BlePort, NO_BLE } from "./ports/ble.js";
import { CryptoPort } from "./ports/crypto.js";
import { FlashPort } from "./ports/flash.js";
import { GpioPort, type PinChange } from "./ports/gpio.js";
import { HttpPort } from "./ports/http.js";
import { type LogLine, LogPort, type SystemEvent } from "./ports/log.js";
import { MqttPort } from "./ports/mqtt.js";
import { OtaPort } from "./ports/ota.js";
import type { PortHost } from "./ports/port_host.js";
import { SysPort } from "./ports/sys.js";
import { type Air, WifiPort } from "./ports/wifi.js";

export interface LifeHooks extends CoreHooks {
  /** Sees the module of a life before its BOOT, and may look things up as long as it lasts. */
  readonly onModule?: (bytes: Uint8Array, readers: LifeReaders) => void;
}

/** What the ports read: without an effect that the core could notice. */
export interface LifeReaders {
  /** As FlashPort.read. */
  readonly flash: (offset: number, bytes: Uint8Array) => number;
  /** As SysPort.configRead. */
  readonly config: (offset: number, bytes: Uint8Array) => number;
  /** As BlePort.read. */
  readonly packet: (offset: number, bytes: Uint8Array) => number;
}

export interface LifeOptions {
  readonly image: FlashImage;
  readonly configuration: Uint8Array;
  readonly mac: Uint8Array;
  readonly air: Air;
  readonly clock: Clock;
  readonly random: (bytes: Uint8Array) => void;
  readonly hooks: LifeHooks;
  readonly flashOperationMs: number;
  readonly wifiJoinMs: number;
  readonly mqttConnectTimeoutMs: number;
  /** The radio of BLE; null: the device has none. */
  readonly ble: Peripheral | null;
  /** Levels of pins as the outside sets them. */
  readonly pins: ReadonlyMap<number, 0 | 1>;
}

/** How a life ends; the listener may start the next. */
export interface LifeListener {
  onLog(line: LogLine): void;
  onEvent(event: SystemEvent): void;
  onPin(change: PinChange): void;
  onRestart(scope: RestartScope): void;
  onTrap(trap: CoreTrap): void;
  /** A fault of the host itself. */
  onFault(error: unknown): void;
  onPowerCut(): void;
}

interface QueuedEvent extends CoreEvent {
  readonly onDispatched: (() => void) | undefined;
}

const NOTHING = new Uint8Array();
const STEPS_PER_TURN_MAX = 8;

export class Life implements PortHost {
  readonly clock: Clock;
  private readonly core: Core;
  private readonly sys: SysPort;
  private readonly wifi: WifiPort;
  private readonly mqtt: MqttPort;
  private readonly http: HttpPort;
  private readonly ble: BleContract & { close(): void };
  private readonly flash: FlashPort;
  private readonly ota: OtaPort;
  private readonly crypto: CryptoPort;
  private readonly queue: QueuedEvent[] = [];
  /** The next step waits for a turn. */
  private turn: TimerHandle = null;
  /** It follows as soon as what runs now has returned. */
  private isDue = false;
  private isStepping = false;
  private tick: TimerHandle = null;
  private isOver = false;

  /** Throws CoreError when the module does not fit this host; nothing runs then. */
  constructor(
    options: LifeOptions,
    software: Software,
    private readonly listener: LifeListener,
    reason: ResetReason,
    /** What ended the life before, when it was a trap; else empty. */
    trap: string,
  ) {
    this.clock = options.clock;
    this.sys = new SysPort(options);
    this.wifi = new WifiPort(this, {
      air: options.air,
      joinMs: options.wifiJoinMs,
      onDown: () => this.networkLost(),
    });
    this.flash = new FlashPort(this, {
      image: options.image,
      operationMs: options.flashOperationMs,
      onPowerCut: () => listener.onPowerCut(),
    });
    this.ota = new OtaPort(this, {
      image: options.image,
      software,
      operationMs: options.flashOperationMs,
      onPowerCut: () => listener.onPowerCut(),
    });
    const network = {
      readFlash: (offset: number, bytes: Uint8Array) => this.flash.read(offset, bytes),
      isNetworkUp: () => this.wifi.isUp,
    };
    this.mqtt = new MqttPort(this, { ...network, connectTimeoutMs: options.mqttConnectTimeoutMs });
    this.http = new HttpPort(this, network);
    this.crypto = new CryptoPort(this, network.readFlash);
    const { ble: peripheral } = options;
    const { readFlash } = network;
    this.ble = peripheral === null ? NO_BLE : new BlePort(this, { peripheral, readFlash });
    this.core = this.loadCore(options, software.module.bytes);
    const payload = software.bootPayload(options.mac, trap);
    this.queue.push({ kind: EventKind.BOOT, a: reason, b: 0, payload, onDispatched: undefined });
    // Whoever puts the power on has time until then to listen.
    this.stepNextTurn();
  }

  private loadCore(options: LifeOptions, module: Uint8Array): Core {
    const { sys, wifi, mqtt, http, flash, ota, crypto, ble, listener } = this;
    const log = new LogPort(
      this.clock,
      (line) => listener.onLog(line),
      (event) => listener.onEvent(event),
    );
    const gpio = new GpioPort(
      () => this.clock.now(),
      options.pins,
      (change) => listener.onPin(change),
    );
    try {
      const ports = { sys, log, flash, wifi, mqtt, http, ota, gpio, crypto, ble };
      const core = new Core(compileCore(module), ports, options.hooks);
      options.hooks.onModule?.(module, {
        flash: (offset, bytes) => flash.read(offset, bytes),
        config: (offset, bytes) => sys.configRead(offset, bytes),
        packet: (offset, bytes) => ble.read(offset, bytes),
      });
      return core;
    } catch (error) {
      this.closePorts();
      throw error;
    }
  }

  post(
    kind: EventKind,
    a = 0,
    b = 0,
    payload: Uint8Array = NOTHING,
    onDispatched?: () => void,
  ): void {
    if (this.isOver) return;
    this.queue.push({ kind, a, b, payload, onDispatched });
    this.stepSoon();
  }

  /** A turn costs more than most steps, and an update has thousands of them. */
  private stepSoon(): void {
    if (this.isStepping || this.isDue || this.turn !== null) return;
    if (this.clock.soon === undefined) {
      this.stepNextTurn();
      return;
    }
    this.isDue = true;
    this.clock.soon(() => {
      this.isDue = false;
      this.step();
    });
  }

  private stepNextTurn(): void {
    if (this.turn !== null || this.queue.length === 0) return;
    this.turn = this.clock.setTimer(0, () => {
      this.turn = null;
      this.step();
    });
  }

  /**
   * Dispatches the oldest events, one after the other, and what they make happen at once. Called by
   * the clock only: steps never nest. Sockets and timers get their turn after some steps.
   */
  private step(): void {
    this.isStepping = true;
    try {
      for (let left = STEPS_PER_TURN_MAX; left > 0 && this.dispatchNext(); left--) {}
    } catch (error) {
      this.finishBroken(error);
    } finally {
      this.isStepping = false;
    }
    this.stepNextTurn();
  }

  /** False when nothing is left to dispatch. */
  private dispatchNext(): boolean {
    const event = this.queue.shift();
    if (event === undefined || this.isOver) return false;
    const wait = this.core.dispatch(event, Math.floor(this.clock.now()));
    if (this.sys.restartScope !== null) {
      this.restart(this.sys.restartScope);
      return false;
    }
    this.setTick(wait);
    event.onDispatched?.();
    return true;
  }

  private restart(scope: RestartScope): void {
    this.end();
    this.listener.onRestart(scope);
  }

  private finishBroken(error: unknown): void {
    if (error instanceof PowerOff) return;
    this.end();
    if (error instanceof CoreTrap) this.listener.onTrap(error);
    else this.listener.onFault(error);
  }

  /** Every answer of dispatch replaces the one before. */
  private setTick(wait: number): void {
    this.clock.clearTimer(this.tick);
    this.tick = null;
    if (wait < 0) return;
    this.tick = this.clock.setTimer(wait, () => this.post(EventKind.TICK));
  }

  /** Ends this life at once: whatever is in flight is lost, a step under way stops. */
  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.queue.length = 0;
    this.clock.clearTimer(this.turn);
    this.clock.clearTimer(this.tick);
    this.core.kill();
    this.closePorts();
  }

  private networkLost(): void {
    this.mqtt.networkLost();
    this.http.networkLost();
  }

  private closePorts(): void {
    this.mqtt.close();
    this.http.close();
    this.wifi.close();
    this.flash.close();
    this.ota.close();
    this.crypto.close();
    this.ble.close();
  }
}
