// The scripted device with firmware in its flash: the real bootloader, module slots and port ota on
// an image in memory, a scripted server, and the application tests/wasm/apps/updater.ts. Restarts,
// traps and power cuts are followed by the next life, as on the chip. All in virtual time.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  ABI_VERSION,
  Event,
  nameOf,
  OtaState,
  type Ports,
  ResetReason,
  RestartScope,
  Status,
} from "../../../host-node/src/abi.js";
import { flashFirmware } from "../../../host-node/src/boot/flasher.js";
import { Software } from "../../../host-node/src/boot/software.js";
import type { Clock } from "../../../host-node/src/clock.js";
import { CoreTrap, compileCore } from "../../../host-node/src/core.js";
import { FlashImage } from "../../../host-node/src/flash_image.js";
import { type PackOptions, packImage } from "../../../host-node/src/image/index.js";
import { CryptoPort } from "../../../host-node/src/ports/crypto.js";
import { PowerCut } from "../../../host-node/src/ports/nor.js";
import { OtaPort } from "../../../host-node/src/ports/ota.js";
import { signDeterministically } from "../../../host-node/src/sim/cloud/deterministic_signature.js";
import { identities, thingDocument } from "./identities.js";
import { moduleBytesOf } from "./module_cache.js";
import { counting, PowerSwitch } from "./power_switch.js";
import { type DeviceOptions, MAC, ScriptedDevice } from "./scripted_host.js";
import { ScriptedHttp } from "./scripted_http.js";
import { type Execution, ScriptedJobs } from "./shadow_jobs_cloud.js";

export const Pin = { PASSES: 1, UNDECIDED: 2, HOLDS: 3, TRAPS: 4 } as const;
export const FIRST_VERSION = "1.0.0";
export const NEXT_VERSION = "2.0.0";
const BUILT_AT = new Date("2026-01-01T00:00:00Z");
const URL = "https://files.test/image.bin?X-Amz-Signature=0123456789abcdef";

export const keys = identities.update;
export const updater: Uint8Array = await moduleBytesOf("release", "updater");

/** An image around the application, or another module. */
export function imageOf(version: string, more: Partial<PackOptions> = {}): Uint8Array {
  const fields = { module: updater, abiVersion: ABI_VERSION, builtAt: BUILT_AT };
  return packImage({ ...fields, version, ...more });
}

export const sha256Of = (bytes: Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex");

/** The document of a job that updates to `file`; members that are undefined are left out. */
export function orderOf(action: "OTA" | "APP", file: Uint8Array, members: object = {}): object {
  const signature = signDeterministically(file, keys.privateKey);
  const url = URL;
  return { action, url, size: file.length, sha256: sha256Of(file), signature, ...members };
}

const firstImage = imageOf(FIRST_VERSION);

export interface UpdateDeviceOptions extends DeviceOptions {
  /** Member "ota" of the configuration. */
  readonly ota?: Record<string, unknown>;
  /** Flashed in place of FIRST_VERSION of the updater. */
  readonly firmware?: Uint8Array;
}

export class UpdateDevice extends ScriptedDevice {
  readonly image = FlashImage.inMemory();
  readonly http: ScriptedHttp;
  readonly jobs: ScriptedJobs;
  readonly pins = new Map<number, 0 | 1>([[Pin.PASSES, 1]]);
  /** Levels that are read in their place while something is on trial. */
  readonly trialPins = new Map<number, 0 | 1>();
  readonly switch = new PowerSwitch();
  /** Traps of all lives. */
  readonly traps: CoreTrap[] = [];
  software: Software | null = null;
  /** An operation on a slot takes so long. */
  slotOperationMs = 0;
  private otaPort: OtaPort | null = null;
  private cryptoPort: CryptoPort | null = null;
  private reason: number = ResetReason.POWER_ON;

  constructor(options: UpdateDeviceOptions = {}) {
    const { ota = { publicKey: keys.publicKey } } = options;
    super({ document: { ...thingDocument(), ota }, ...options });
    flashFirmware(this.image, options.firmware ?? firstImage);
    this.http = new ScriptedHttp(this.agenda, () => this.isWifiUp, new Uint8Array());
    this.jobs = ScriptedJobs.on(this);
  }

  get version(): string {
    return this.software?.firmware.image.description.version ?? "none";
  }

  get states(): string[] {
    return this.valuesOf(Event.OTA_STATE).map((state) => nameOf(OtaState, state));
  }

  override boot(reason: number = this.reason): this {
    const isModuleOnly = this.restartScope === RestartScope.MODULE && this.software !== null;
    const { image, software } = this;
    this.software = isModuleOnly ? software!.reloadModule(image) : Software.boot(image);
    this.restartScope = RestartScope.DEVICE;
    this.reason = ResetReason.POWER_ON;
    const host = { clock: this.clock, post: this.agenda.post.bind(this.agenda) };
    const onPowerCut = () => void this.powerOff();
    const operationMs = this.slotOperationMs;
    this.otaPort = new OtaPort(host, { image, software: this.software, operationMs, onPowerCut });
    this.cryptoPort = new CryptoPort(host, (offset, bytes) => this.flash.read(offset, bytes));
    return super.boot(reason);
  }

  protected override currentModule(): WebAssembly.Module {
    return compileCore(this.software!.module.bytes);
  }

  protected override bootPayload(): Uint8Array {
    return this.software!.bootPayload(MAC, this.trapText);
  }

  protected override ports(): Ports {
    const ports: Ports = {
      ...super.ports(),
      http: this.http,
      ota: this.otaPort!,
      gpio: {
        mode: () => Status.OK,
        write: () => Status.OK,
        read: (pin) => this.level(pin),
      },
      crypto: this.cryptoPort!,
    };
    return counting(ports, this.switch);
  }

  private level(pin: number): 0 | 1 {
    const onTrial = this.software?.isOnTrial === true ? this.trialPins.get(pin) : undefined;
    return onTrial ?? this.pins.get(pin) ?? 0;
  }

  /** Timers of ports, in virtual time. */
  private readonly clock: Clock = {
    now: () => this.nowMs,
    setTimer: (ms, fire) => {
      const timer = { isSet: true };
      this.agenda.after(ms, () => timer.isSet && fire());
      return timer;
    },
    clearTimer: (handle) => {
      if (handle !== null) (handle as { isSet: boolean }).isSet = false;
    },
  };

  override powerOff(): this {
    this.http.powerOff();
    this.otaPort?.close();
    this.cryptoPort?.close();
    if (this.isRestarting) this.reason = ResetReason.SOFTWARE;
    else this.restartScope = RestartScope.DEVICE;
    return super.powerOff();
  }

  override loseWifi(status?: number): void {
    super.loseWifi(status);
    this.http.networkLost();
  }

  /** One thing that happens; a trap or a power cut ends the life. Boots where none runs. */
  private liveOn(limitMs: number): boolean {
    if (!this.isOn && !this.bootAgain()) return true;
    try {
      return this.step(limitMs);
    } catch (error) {
      if (error instanceof CoreTrap) {
        this.traps.push(error);
        this.reason = ResetReason.PANIC;
      } else if (!(error instanceof PowerCut)) {
        throw error;
      }
      this.powerOff();
      return true;
    }
  }

  /** Power may fail in the bootloader, too: false then. */
  private bootAgain(): boolean {
    try {
      this.boot();
      return true;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.restartScope = RestartScope.DEVICE;
      return false;
    }
  }

  /** Lives on, through restarts, until it holds; fails when it does not in this virtual time. */
  live(holds: () => boolean, withinMs = 4 * 3600_000): this {
    const limitMs = this.nowMs + withinMs;
    while (!holds()) {
      const goesOn = this.liveOn(limitMs);
      assert.ok(goesOn, `it does not happen:\n${this.story()}`);
    }
    return this;
  }

  liveFor(ms: number): this {
    const limitMs = this.nowMs + ms;
    while (this.liveOn(limitMs)) {}
    this.agenda.nowMs = Math.max(this.nowMs, limitMs);
    return this;
  }

  /** Offers an image on the server, by a job. */
  offer(image: Uint8Array, members: object = {}, jobId = "update-1"): Execution {
    this.http.resource = image;
    return this.jobs.create(jobId, orderOf("OTA", image, members));
  }

  get isConnected(): boolean {
    return this.isOn && this.broker.state === "up";
  }

  /** Lives until the job has ended, and the device is at rest after it. */
  untilEnded(execution: Execution): this {
    const open = ["QUEUED", "IN_PROGRESS"];
    this.live(() => !open.includes(execution.status));
    return this.liveFor(30_000).live(() => this.isConnected);
  }
}
