// `npm run firmware`: the module of an application, then the firmware around it with ESP-IDF, into
// build/firmware/<target>. What the command line says goes into a file of defaults beside the
// build; when that file changes, the configuration of the build is made anew. Without ESP-IDF it
// says what to install, after the module has been built and checked.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import pc from "picocolors";
import { buildModule } from "../../host-node/src/build.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { checkModule } from "../abi/module_check.js";

const PROJECT = join(packageRoot, "host-esp32");
const TARGETS = ["esp32", "esp32s3", "esp32c3", "esp32c6"];
const NETWORKS = ["wifi", "openeth"];
const MISSING = `ESP-IDF is not there: idf.py was not found.
  1. Install ESP-IDF 5.3 or newer: https://docs.espressif.com/projects/esp-idf/ ("Get Started")
  2. In this terminal, run its export script:  . <esp-idf>/export.sh
  3. Run this command again.`;

interface Options {
  readonly target: string;
  readonly app: string;
  readonly config?: string;
  readonly network: string;
  readonly ble: boolean;
  readonly release: string;
}

class FirmwareError extends Error {}

/** How idf.py is called, or null when it is not there. */
function findIdf(): readonly string[] | null {
  const idfPath = process.env["IDF_PATH"];
  const candidates = [["idf.py"]];
  if (idfPath !== undefined) candidates.push(["python", join(idfPath, "tools", "idf.py")]);
  const isThere = ([program, ...args]: readonly string[]): boolean =>
    spawnSync(program!, [...args, "--version"], { stdio: "ignore" }).status === 0;
  return candidates.find(isThere) ?? null;
}

async function buildChecked(entry: string, file: string): Promise<void> {
  const { wasm } = await buildModule({ entry: resolve(entry), target: "esp32" });
  const faults = checkModule(wasm);
  if (faults.length > 0) throw new FirmwareError(`${entry}: ${faults.join("; ")}`);
  writeFileSync(file, wasm);
  console.log(`module    ${file}, ${wasm.length} bytes`);
}

/** What the command line says, as defaults of Kconfig. */
function defaultsOf(options: Options, module: string): string {
  const { config, network, ble } = options;
  if (config !== undefined && !existsSync(config)) throw new FirmwareError(`no file ${config}`);
  return [
    `CONFIG_IOT32_MODULE="${module}"`,
    `CONFIG_IOT32_CONFIGURATION="${config === undefined ? "" : resolve(config)}"`,
    `CONFIG_IOT32_NETWORK_${network.toUpperCase()}=y`,
    // As sdkconfig.ble says: here, so that the configuration is made anew when it changes.
    ...(ble ? ["CONFIG_IOT32_BLE=y"] : []),
    "",
  ].join("\n");
}

/** Puts the file in place; what was configured with another content is configured anew. */
function writeDefaults(folder: string, content: string): string {
  const file = join(folder, "sdkconfig.iot32");
  if (!existsSync(file) || readFileSync(file, "utf8") !== content) {
    rmSync(join(folder, "sdkconfig"), { force: true });
    writeFileSync(file, content);
  }
  return file;
}

function runIdf(idf: readonly string[], folder: string, options: Options, defaults: string): void {
  const [program, ...first] = idf as [string, ...string[]];
  const own = ["sdkconfig.defaults", ...(options.ble ? ["sdkconfig.ble"] : [])];
  const lists = [...own.map((file) => join(PROJECT, file)), defaults].join(";");
  const definitions = [
    `IDF_TARGET=${options.target}`,
    `PROJECT_VER=${options.release}`,
    `SDKCONFIG=${join(folder, "sdkconfig")}`,
    `SDKCONFIG_DEFAULTS=${lists}`,
  ].flatMap((definition) => ["-D", definition]);
  const args = [...first, "-B", join(folder, "idf"), ...definitions, "build", "size"];
  const env = {
    ...process.env,
    IDF_TARGET: options.target,
    IOT32_NETWORK: options.network,
    IOT32_BLE: options.ble ? "y" : "n",
  };
  const { status } = spawnSync(program, args, { cwd: PROJECT, stdio: "inherit", env });
  if (status !== 0) throw new FirmwareError("idf.py failed (see above)");
}

async function main(options: Options): Promise<void> {
  const folder = join(packageRoot, "build", "firmware", options.target);
  const module = join(folder, "module.wasm");
  mkdirSync(folder, { recursive: true });
  await buildChecked(options.app, module);
  const idf = findIdf();
  if (idf === null) throw new FirmwareError(MISSING);
  runIdf(idf, folder, options, writeDefaults(folder, defaultsOf(options, module)));
  const image = join(folder, "idf", "iot32.bin");
  console.log(`firmware  ${image}`);
  console.log(`explain   iot32 image inspect ${image}`);
  console.log(`flash     idf.py -B ${join(folder, "idf")} -p PORT flash monitor`);
}

const program = new Command("npm run firmware --")
  .description("build an application into firmware for a chip, with ESP-IDF")
  .addOption(new Option("-t, --target <chip>", "chip").choices(TARGETS).default("esp32c3"))
  .option("-a, --app <file>", "application", join("assembly", "apps", "telemetry.ts"))
  .option("-r, --release <version>", "version of the firmware, at most 31 bytes", "0.0.0")
  .option("-c, --config <file>", "configuration document to build in (docs/CONFIGURATION.md)")
  .addOption(
    new Option("-n, --network <kind>", "wifi, or Ethernet of QEMU")
      .choices(NETWORKS)
      .default("wifi"),
  )
  .option("-b, --ble", "configuration over BLE (docs/BLE.md)", false);

try {
  await main(program.parse().opts());
} catch (error) {
  console.error(pc.red((error as Error).message));
  process.exitCode = 1;
}
