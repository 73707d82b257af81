// `iot32 run`: one device, from its flash file, until it is told to stop. The same module, options
// and code whether the endpoint in the configuration is the local cloud or AWS IoT.

import { existsSync } from "node:fs";
import { Command, Option } from "commander";
import { LogLevel } from "../abi.js";
import { SocketPeripheral } from "../ble/gatt_socket.js";
import { buildModule, TARGETS, type Target } from "../build.js";
import { Device, type DeviceOptions, formatMac } from "../device.js";
import { Air, DEFAULT_NETWORKS, readNetworks } from "../ports/wifi.js";
import { TraceFile } from "../trace/trace_file.js";
import { readConfiguration } from "./configuration.js";
import { readGiven } from "./read_file.js";
import { Timeline } from "./timeline.js";

interface Options {
  readonly flash?: string;
  readonly config?: string;
  readonly wifi?: string;
  readonly mac?: string;
  readonly target: Target;
  readonly log: string;
  readonly ble?: string;
  readonly trace?: string;
  readonly json: boolean;
}

const PRESENCE_MS = 60_000;

const EXPLANATION = `
Runs the module that a chip would run, with Wi-Fi, flash and restarts played by this machine and
real MQTT over mutual TLS. Ctrl-C is the power switch; killing the process is a power cut.

The application is flashed when it is not the one that was flashed last; so a new build replaces
what is there, and the same one leaves what an update over the air has brought. A .bin is a firmware
image (iot32 image pack). Without an application the device boots what its flash has.

  --flash    4 MB image with ESP-IDF's partition table; made blank when missing. It holds what the
             device knows: certificates, thing name, application data. Without it nothing is kept.
             The dump of a real device will do: esptool read-flash 0 0x400000 dump.bin
  --config   configuration document (docs/CONFIGURATION.md). A certificate or key may be "@file",
             relative to the document.
  --wifi     networks in the air: [{"ssid":"home","password":"..."}]
             (default: "iot32" with password "iot32-local")
  --ble      socket in place of a radio for BLE, for iot32 configure. A device with a verifier
             (iot32 verifier) advertises there while it is not configured.
  --trace    all that passes between the core and its host (docs/TRACES.md), for iot32 replay. Each
             module that ran is put beside it: FILE.<first 8 digits of its SHA-256>.wasm

With --json each line is an object {"at","type",...}; at is milliseconds since the first line, type
is note, boot, event, log, pin, restart, trap or off.

Examples:
  iot32 run app.ts --flash device.bin --config device.json
  iot32 run app.wasm --flash device.bin --config device.json --log debug
  iot32 run app.ts --flash device.bin --trace life.trace && iot32 replay life.trace
  iot32 run app.ts --flash device.bin --config ble.json --ble device.sock
  iot32 run --flash dump.bin
`;

/** What the device is flashed with. */
async function load(
  application: string | undefined,
  { target, flash }: Options,
): Promise<Pick<DeviceOptions, "module" | "firmware">> {
  if (application === undefined) {
    if (flash !== undefined && existsSync(flash)) return {};
    throw new Error("give an application, or with --flash a file that has one in it");
  }
  if (application.endsWith(".bin")) return { firmware: readGiven(application) };
  if (!application.endsWith(".ts")) return { module: readGiven(application) };
  return { module: (await buildModule({ entry: application, target })).wasm };
}

/** Ends with the device: resolves to whether it was switched off, and did not give up. */
function lifetime(device: Device): Promise<boolean> {
  return new Promise((resolve) => {
    const stop = () => device.powerOff();
    // A device that waits for its configuration waits without a timer; the process stays with it.
    const presence = setInterval(() => {}, PRESENCE_MS);
    process.once("SIGINT", stop).once("SIGTERM", stop);
    device.once("off", ({ why }) => {
      clearInterval(presence);
      process.removeListener("SIGINT", stop).removeListener("SIGTERM", stop);
      resolve(why === "switch");
    });
  });
}

interface Assembled {
  readonly device: Device;
  readonly trace: TraceFile | null;
  readonly ble: SocketPeripheral | null;
}

/** The device of these options, with its trace and its socket when they are wanted. */
async function assemble(application: string | undefined, options: Options): Promise<Assembled> {
  const configuration = options.config === undefined ? "" : readConfiguration(options.config);
  const networks = options.wifi === undefined ? DEFAULT_NETWORKS : readNetworks(options.wifi);
  const software = await load(application, options);
  const ble = options.ble === undefined ? null : await SocketPeripheral.listen(options.ble);
  try {
    const trace = options.trace === undefined ? null : new TraceFile(options.trace);
    const device = new Device({
      ...software,
      configuration,
      air: new Air(networks),
      ...(ble === null ? {} : { ble }),
      ...(options.flash === undefined ? {} : { flash: options.flash }),
      ...(options.mac === undefined ? {} : { mac: options.mac }),
      ...(trace === null ? {} : { hooks: trace.hooks }),
    });
    device.on("off", () => trace?.off());
    return { device, trace, ble };
  } catch (error) {
    await ble?.close();
    throw error;
  }
}

async function run(application: string | undefined, options: Options): Promise<void> {
  const { device, trace, ble } = await assemble(application, options);
  const logLevel = LogLevel[options.log.toUpperCase() as keyof typeof LogLevel];
  const timeline = new Timeline({ json: options.json, logLevel });
  const flash = options.flash ?? "in memory";
  const text = `${application ?? "what is flashed"}, flash ${flash}, MAC ${formatMac(device.mac)}`;
  timeline.note(performance.now(), { kind: "device", tone: "faint", text });
  timeline.watch(device);
  try {
    // First: what cannot start must not be waited for.
    device.powerOn();
    if (!(await lifetime(device))) process.exitCode = 1;
  } finally {
    device.close();
    trace?.close();
    await ble?.close();
  }
}

/** The command, ready to be added to the program. */
export function runCommand(): Command {
  const levels = Object.keys(LogLevel).map((name) => name.toLowerCase());
  return new Command("run")
    .description("run one device on this machine, against the local cloud or AWS IoT")
    .argument("[application]", "the application (.ts), a module (.wasm), or firmware (.bin)")
    .option("-f, --flash <file>", "flash image of the device (default: in memory)")
    .option("-c, --config <file>", "configuration document, JSON")
    .option("-w, --wifi <file>", "networks in the air, JSON")
    .option("-m, --mac <address>", "MAC address (default: the flash image's own)")
    .addOption(
      new Option("-t, --target <target>", "how to build a .ts").choices(TARGETS).default("release"),
    )
    .addOption(new Option("-l, --log <level>", "log lines to show").choices(levels).default("info"))
    .option("--ble <socket>", "socket in place of a radio for BLE")
    .option("--trace <file>", "write a trace, for iot32 replay")
    .option("--json", "print every event as one line of JSON", false)
    .addHelpText("after", EXPLANATION)
    .action(run);
}
