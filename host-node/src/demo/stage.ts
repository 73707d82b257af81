// A local cloud and one device on it, with everything they keep in one directory: what `npm start`
// shows. The parts come up one after the other, on request, because in `--once` each is a step that
// may fail. Whatever happens is told to the journal, and to the timeline if there is one.

import { createPublicKey } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { USERNAME } from "../ble/central.js";
import { SocketPeripheral } from "../ble/gatt_socket.js";
import { SocketGatt } from "../ble/gatt_socket_client.js";
import { verifierDocument } from "../ble/verifier_document.js";
import { firmwareOf } from "../boot/flasher.js";
import { type BuildResult, buildModule } from "../build.js";
import type { Saying, Timeline } from "../cli/timeline.js";
import { LocalCloud, type Update } from "../cloud/index.js";
import { Device } from "../device.js";
import { type KeyPairPem, makeKeyPair } from "../image/index.js";
import { DEFAULT_NETWORKS } from "../ports/wifi.js";
import { Journal } from "./journal.js";
import { describeCloud, watchCloud, watchDevice } from "./observation.js";

export interface StageOptions {
  /** State directory; made when missing. */
  readonly dir: string;
  /** Path of the application's .ts file. */
  readonly application: string;
  readonly timeline?: Timeline;
  /**
   * A proof of possession: the device comes out of its box, with the verifier of this one and no
   * other configuration, and is to be configured over its socket.
   */
  readonly proof?: string;
}

/** Version of the firmware that the device comes with; updates bring others. */
export const FIRST_VERSION = "1.0.0";
const OWNER_ONLY = 0o600;

/**
 * The configuration document of a device that is to provision itself with the cloud's claim.
 * `claim` replaces members of its claim, `more` brings members of the document.
 */
export function claimConfiguration(
  cloud: LocalCloud,
  claim: object = {},
  more: object = {},
): string {
  const [network] = DEFAULT_NETWORKS;
  return JSON.stringify({
    wifi: { ssid: network?.ssid, password: network?.password },
    aws: {
      endpoint: cloud.endpoint,
      port: cloud.port,
      rootCa: readFileSync(cloud.paths.ca, "utf8"),
    },
    claim: {
      template: cloud.templateName,
      certificate: readFileSync(cloud.paths.claimCertificate, "utf8"),
      privateKey: readFileSync(cloud.paths.claimKey, "utf8"),
      ...claim,
    },
    ...more,
  });
}

/** The keys of a directory's updates; the same each time, because its device was told the public
 * one. The file is what `iot32 ota create --key` takes. */
function keysIn(file: string): KeyPairPem {
  if (!existsSync(file)) writeFileSync(file, makeKeyPair().privateKey, { mode: OWNER_ONLY });
  const privateKey = readFileSync(file, "utf8");
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "pem" });
  return { privateKey, publicKey: publicKey.toString() };
}

export class Stage {
  readonly journal: Journal;
  private module: Uint8Array | null = null;
  private currentCloud: LocalCloud | null = null;
  private currentDevice: Device | null = null;
  private radio: SocketPeripheral | null = null;
  /** Made once: a salt of its own makes each another document. */
  private factoryDocument: string | null = null;

  constructor(private readonly options: StageOptions) {
    this.journal = new Journal(options.proof !== undefined);
    mkdirSync(options.dir, { recursive: true });
    const { timeline } = options;
    if (timeline === undefined) return;
    this.journal.listen((observation) => {
      const saying = describeCloud(observation);
      if (saying !== null) timeline.note(performance.now(), saying);
    });
  }

  get cloud(): LocalCloud {
    if (this.currentCloud === null) throw new Error("the cloud has not been started");
    return this.currentCloud;
  }

  get device(): Device {
    if (this.currentDevice === null) throw new Error("no device has been started");
    return this.currentDevice;
  }

  /** The device's flash chip. */
  get flashFile(): string {
    return join(this.options.dir, "device.bin");
  }

  /** Private key, PEM: the device takes updates that are signed with it, and no others. */
  get keyFile(): string {
    return join(this.options.dir, "ota-key.pem");
  }

  /** State directory of the cloud. */
  get cloudDirectory(): string {
    return join(this.options.dir, "cloud");
  }

  /** Whether an earlier run left a device in the directory. */
  get hasDevice(): boolean {
    return existsSync(this.flashFile);
  }

  say(saying: Saying): void {
    this.options.timeline?.note(performance.now(), saying);
  }

  /** Compiles the application; throws BuildError when its sources are at fault. */
  async build(): Promise<BuildResult> {
    const result = await buildModule({ entry: this.options.application });
    this.module = result.wasm;
    return result;
  }

  /**
   * Starts the cloud on the port of the run before, because the device was told that one. The port
   * is a lock as well: two clouds must not share a directory.
   */
  async startCloud(): Promise<LocalCloud> {
    const { dir } = this.options;
    const portFile = join(dir, "port");
    const port = existsSync(portFile) ? Number(readFileSync(portFile, "utf8")) : 0;
    try {
      this.currentCloud = await LocalCloud.start({ dir: this.cloudDirectory, port });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      throw new Error(
        `port ${port} is taken: does another one run in ${dir}? If not, remove ${portFile}`,
      );
    }
    writeFileSync(portFile, String(this.currentCloud.port));
    watchCloud(this.currentCloud, this.journal.see);
    return this.currentCloud;
  }

  /** Puts the socket up that the device has in place of a radio. */
  async startRadio(): Promise<void> {
    this.radio = await SocketPeripheral.listen(this.socket);
  }

  /** A phone connects to the device. */
  connectPhone(): Promise<SocketGatt> {
    return SocketGatt.connect(this.socket);
  }

  private get socket(): string {
    return join(this.options.dir, "device.sock");
  }

  /** What the factory has built into the device. */
  private get configuration(): string {
    const { publicKey } = keysIn(this.keyFile);
    const { proof } = this.options;
    if (proof === undefined) return claimConfiguration(this.cloud, {}, { ota: { publicKey } });
    this.factoryDocument ??= JSON.stringify({
      ...verifierDocument(USERNAME, proof),
      ota: { publicKey },
    });
    return this.factoryDocument;
  }

  private get builtModule(): Uint8Array {
    if (this.module === null) throw new Error("the application has not been built");
    return this.module;
  }

  /**
   * Puts the power on: a device with nothing but the flash file, which is made when missing. What
   * updates have brought to it stays, as long as the application is the same.
   */
  startDevice(): Device {
    const device = new Device({
      module: this.builtModule,
      version: FIRST_VERSION,
      flash: this.flashFile,
      configuration: this.configuration,
      ...(this.radio && { ble: this.radio }),
    });
    this.currentDevice = device;
    // First the line that says what happened, then whatever is concluded from it.
    this.options.timeline?.watch(device);
    watchDevice(device, this.journal.see);
    device.powerOn();
    return device;
  }

  /** Rolls the same application out to a thing, as firmware of another version. */
  rollOut(version: string, thing: string): Update {
    return this.cloud.createUpdate({
      things: [thing],
      image: firmwareOf(this.builtModule, version),
      privateKeyPem: keysIn(this.keyFile).privateKey,
    });
  }

  /** Cuts the power; what is left of the device is its flash file. */
  stopDevice(): void {
    this.currentDevice?.close();
    this.currentDevice = null;
  }

  /** Power off and cloud down; the directory stays. */
  async close(): Promise<void> {
    this.stopDevice();
    await this.radio?.close();
    await this.currentCloud?.close();
    this.currentCloud = null;
  }
}
