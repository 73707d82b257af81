// A local cloud and one device on it, with everything they keep in one directory: what `npm start`
// shows. The parts come up one after the other, on request, because in `--once` each is a step that
// may fail. Whatever happens is told to the journal, and to the timeline if there is one.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BuildResult, buildModule } from "../build.js";
import type { Saying, Timeline } from "../cli/timeline.js";
import { LocalCloud } from "../cloud/index.js";
import { Device } from "../device.js";
import { DEFAULT_NETWORKS } from "../ports/wifi.js";
import { Journal } from "./journal.js";
import { describeCloud, watchCloud, watchDevice } from "./observation.js";

export interface StageOptions {
  /** State directory; made when missing. */
  readonly dir: string;
  /** Path of the application's .ts file. */
  readonly application: string;
  readonly timeline?: Timeline;
}

/** The configuration document of a device that is to provision itself with the cloud's claim. */
export function claimConfiguration(cloud: LocalCloud, claim: object = {}): string {
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
  });
}

export class Stage {
  readonly journal = new Journal();
  private module: Uint8Array | null = null;
  private currentCloud: LocalCloud | null = null;
  private currentDevice: Device | null = null;

  constructor(private readonly options: StageOptions) {
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
      this.currentCloud = await LocalCloud.start({ dir: join(dir, "cloud"), port });
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

  /** Puts the power on: a device with nothing but the flash file, which is made when missing. */
  startDevice(): Device {
    if (this.module === null) throw new Error("the application has not been built");
    const device = new Device({
      module: this.module,
      flash: this.flashFile,
      configuration: claimConfiguration(this.cloud),
    });
    this.currentDevice = device;
    // First the line that says what happened, then whatever is concluded from it.
    this.options.timeline?.watch(device);
    watchDevice(device, this.journal.see);
    device.powerOn();
    return device;
  }

  /** Cuts the power; what is left of the device is its flash file. */
  stopDevice(): void {
    this.currentDevice?.close();
    this.currentDevice = null;
  }

  /** Power off and cloud down; the directory stays. */
  async close(): Promise<void> {
    this.stopDevice();
    await this.currentCloud?.close();
    this.currentCloud = null;
  }
}
