// `npm start`: a local cloud and one device on this machine, and a timeline of what they do, until
// Ctrl-C. With --once it is a check: the main job from blank flash to a second boot, step by step;
// the exit code says whether all of it was observed. With --configure the same for a device out of
// its box, which a phone configures over BLE.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { Command } from "commander";
import pc from "picocolors";
import { Event } from "../../host-node/src/abi.js";
import { stopSignal } from "../../host-node/src/cli/stop_signal.js";
import { Timeline } from "../../host-node/src/cli/timeline.js";
import { CONFIGURE_STEPS, PROOF } from "../../host-node/src/demo/configure_steps.js";
import { runSteps, type StepResult } from "../../host-node/src/demo/run_steps.js";
import { Stage } from "../../host-node/src/demo/stage.js";
import { eventsOf } from "../../host-node/src/demo/step.js";
import { STEPS } from "../../host-node/src/demo/steps.js";
import { packageRoot } from "../../host-node/src/package_root.js";

interface Options {
  readonly once: boolean;
  readonly configure: boolean;
  readonly json: boolean;
  readonly dir?: string;
  readonly app: string;
  readonly deadline: number;
}

const DEFAULT_APP = "assembly/apps/all.ts";
const DEFAULT_DIR = ".iot32";
const DEADLINE_S = 30;
const INTERRUPTED = 130;

const EXPLANATION = `
The device is the real core in WebAssembly, with its flash in a file; it speaks MQTT over mutual TLS
to a real broker, and provisions itself with a claim certificate. Its state stays in the state
directory: at the next start it boots provisioned, with the firmware that updates have brought, as
long as the application is the same. Remove the directory for a new device.

It takes updates that are signed with ota-key.pem of the state directory. While npm start runs:
  npm run iot32 -- image pack assembly/apps/all.ts --version 2.0.0 -o fw.bin
  npm run iot32 -- ota create -d .iot32/cloud -t <thing> --image fw.bin --key .iot32/ota-key.pem

With --once: builds, boots a device with blank flash, claims, connects, sends three messages,
receives one on devices/<thing>/command (the application must log it), applies a change of its
shadow, runs a job, loses its power, and boots a second time, which must provision nothing; then it
takes an update to firmware 2.0.0, and gives one to 3.0.0 up, because that fails its self-test. Exit
code 0 when every step was observed, else 1.
With --configure, likewise: a device out of its box, which has only the verifier of a proof of
possession, and a phone: over a socket in place of the radio, the phone opens a session, has the
device scan for networks, sends a document with a wrong password, then one with a claim, and follows
it until the device is online; after a loss of power it still is.
With --json it prints {"ok":true,"steps":[{"name","ok","detail"}...]}, and progress goes to stderr;
without --once or --configure, --json prints the timeline, one object a line.

Examples:
  npm start
  npm start -- --app my-app.ts --dir /tmp/my-device
  npm start -- --once --json
  npm start -- --configure
`;

const toStandardError = (line: string): void => void process.stderr.write(`${line}\n`);
const coloursOnStandardError = (): boolean =>
  process.stderr.isTTY === true || Boolean(process.env.FORCE_COLOR);

function showResult({ name, ok, detail }: StepResult): string {
  return `${ok ? pc.green("✓") : pc.red("✗")} ${pc.bold(name.padEnd(12))} ${detail}`;
}

/** The steps on a stage of their own; the directory is gone afterwards. */
async function once(options: Options): Promise<void> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "iot32-once-"));
  const timeline = options.json
    ? new Timeline({ write: toStandardError, colour: coloursOnStandardError() })
    : new Timeline();
  const proof = options.configure ? { proof: PROOF } : {};
  const stage = new Stage({ dir, application: options.app, timeline, ...proof });
  const steps = options.configure ? CONFIGURE_STEPS : STEPS;
  const run = runSteps(steps, stage, {
    stepMs: options.deadline * 1000,
    onStart: ({ name }) => stage.say({ kind: "step", tone: "faint", text: `${name} ...` }),
    onResult: ({ name, ok, detail }) =>
      stage.say({ kind: "step", tone: ok ? "good" : "bad", text: `${name}: ${detail}` }),
  });
  const results = await Promise.race([run, stopSignal()]);
  await stage.close();
  if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  if (results === undefined) process.exit(INTERRUPTED);
  const ok = results.every((result) => result.ok) && results.length === steps.length;
  if (options.json) console.log(JSON.stringify({ ok, steps: results }));
  else console.log(`\n${results.map(showResult).join("\n")}`);
  process.exit(ok ? 0 : 1);
}

/** Says so when the device needed no provisioning, because nothing else would. */
function announceReturn(stage: Stage): void {
  const stop = stage.journal.listen((observation) => {
    if (observation.type !== "event") return;
    const { event } = observation.event;
    if (event === Event.MQTT_CONNECTED) {
      const text = `provisioned in an earlier run; nothing was provisioned now`;
      stage.say({ kind: "claim", tone: "good", text });
    }
    if (event === Event.MQTT_CONNECTED || event === Event.PROVISIONING) stop();
  });
}

function farewell(stage: Stage, directory: string): string {
  const seen = stage.journal.observations;
  const sent = eventsOf(seen, Event.PUBLISH_SUCCEEDED).length;
  const received = eventsOf(seen, Event.MESSAGE_ARRIVED).length;
  return (
    `${sent} messages sent, ${received} received. The device's flash stays in ` +
    `${join(directory, "device.bin")}; npm start boots it again.`
  );
}

/** Cloud and device until Ctrl-C. */
async function live(options: Options): Promise<void> {
  const dir = resolve(options.dir ?? join(packageRoot, DEFAULT_DIR));
  const shownDir = relative(process.cwd(), dir).startsWith("..") ? dir : relative(".", dir);
  const stage = new Stage({
    dir,
    application: options.app,
    timeline: new Timeline({ json: options.json }),
  });
  const interrupted = stopSignal();
  const note = (text: string): void => stage.say({ kind: "start", tone: "faint", text });
  try {
    note(`building ${relative(process.cwd(), options.app)}, which takes some seconds`);
    const { stats } = await stage.build();
    note(`${stats.bytes} bytes of WebAssembly; state in ${shownDir}`);
    const { endpoint, port } = await stage.startCloud();
    note(`cloud on ${endpoint}:${port}; Ctrl-C switches everything off`);
    if (stage.hasDevice) announceReturn(stage);
    else note("a new device with blank flash");
    stage.startDevice();
    await interrupted;
  } finally {
    await stage.close();
  }
  if (!options.json) console.log(`\n${farewell(stage, shownDir)}`);
}

const program = new Command("npm start --")
  .description("a local cloud and one device, until Ctrl-C")
  .option("--once", "run the main job once, step by step, and exit", false)
  .option("--configure", "a phone configures a new device over BLE, step by step, and exit", false)
  .option("--json", "machine-readable output", false)
  .option(
    "--dir <directory>",
    `state directory (default: ${DEFAULT_DIR}; --once, --configure: a temporary one)`,
  )
  .option("--app <file>", "the application", join(packageRoot, DEFAULT_APP))
  .option(
    "--deadline <seconds>",
    "deadline of each step of --once and --configure",
    Number,
    DEADLINE_S,
  )
  .addHelpText("after", EXPLANATION);

try {
  const options = program.parse().opts<Options>();
  await (options.once || options.configure ? once(options) : live(options));
} catch (error) {
  const { message, stack } = error as Error;
  console.error(pc.red(process.env.IOT32_STACK ? (stack ?? message) : message));
  process.exitCode = 1;
}
