// `iot32 configure`: sets a device up as a phone does, over the socket of `iot32 run --ble`. What is said
// comes from ble/words.ts; what a device says must not steer the terminal.

import { Command, InvalidArgumentError } from "commander";
import { nameOf, SetupStep } from "../abi.js";
import { MTU_MAX, MTU_MIN } from "../ble/att.js";
import { Central, USERNAME } from "../ble/central.js";
import { SocketGatt } from "../ble/gatt_socket_client.js";
import { configure, type Progress } from "../ble/setup.js";
import { printable, table } from "./cloud_client.js";
import { readConfiguration } from "./configuration.js";
import { PROOF_NOTES, proofOf } from "./proof.js";
import { Timeline } from "./timeline.js";

interface Options {
  readonly device: string;
  readonly pop?: string;
  readonly username: string;
  readonly mtu: number;
  readonly scan: boolean;
  readonly read: boolean;
  readonly reset: boolean;
  readonly leave: boolean;
  readonly json: boolean;
}

const WISHES = ["scan", "read", "reset", "leave"] as const;
type Wish = (typeof WISHES)[number];

const EXPLANATION = `
SOCKET is that of a device on this machine: iot32 run app.ts --ble SOCKET. The device must
advertise: it has a verifier (iot32 verifier) and is not configured, or its application asked for
BLE.

With a document (docs/CONFIGURATION.md; a certificate or key may be "@file", relative to it) the
device joins its network with BLE still there, restarts to try the endpoint, restarts to tell, and
goes online. This takes up to five minutes. A document that does not work leaves everything as it
was.

  --scan     networks that the device hears
  --read     its configuration; certificates, keys and passwords are only "true"
  --reset    factory reset: it forgets everything but what it was built with
  --leave    it stops waiting for us and restarts with the configuration that it has

With --json: one object a line, {"at","type":"note","kind","text"} on the way and
{"type":"outcome","step","thingName"} at its end; the answer alone with --scan and --read.
${PROOF_NOTES}
Exit code: 0 when the device is online, or has done what was asked; else 1, and one sentence says
why.

Examples:
  iot32 configure --device device.sock --pop abcd1234 home.json
  IOT32_POP=abcd1234 iot32 configure --device device.sock --scan
  iot32 configure --device device.sock --read --json
`;

function parseMtu(text: string): number {
  const mtu = Number(text);
  if (Number.isInteger(mtu) && mtu >= MTU_MIN && mtu <= MTU_MAX) return mtu;
  throw new InvalidArgumentError(`it must be a whole number from ${MTU_MIN} to ${MTU_MAX}`);
}

/** The one thing that is to be done. */
function wishOf(document: string | undefined, options: Options): Wish | "document" {
  const wishes = WISHES.filter((wish) => options[wish]);
  const [first = "document"] = wishes;
  if (wishes.length + Number(document !== undefined) === 1) return first;
  const list = WISHES.map((wish) => `--${wish}`).join(", ");
  throw new Error(`give a configuration document or one of ${list}`);
}

// ---- a document --------------------------------------------------------------------------------

const KINDS: Readonly<Partial<Record<SetupStep, string>>> = {
  [SetupStep.CHECKING]: "config",
  [SetupStep.JOINING]: "wifi",
  [SetupStep.JOINED]: "wifi",
  [SetupStep.ENDPOINT]: "mqtt",
  [SetupStep.PROVISIONED]: "claim",
};

function kindOf({ phase, step }: Progress): string {
  if (phase === "device") return KINDS[step] ?? "device";
  return phase === "send" ? "config" : "ble";
}

/** Ends with Ctrl-C; the device goes on by itself. */
function interruption(): { signal: AbortSignal; forget: () => void } {
  const controller = new AbortController();
  const stop = () =>
    controller.abort(new Error("given up; a device that has left goes on by itself"));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const forget = () => void process.off("SIGINT", stop).off("SIGTERM", stop);
  return { signal: controller.signal, forget };
}

async function send(path: string, proof: string, options: Options): Promise<void> {
  const { device, username, mtu, json } = options;
  const document = readConfiguration(path);
  const timeline = new Timeline({ json });
  const say = (kind: string, tone: "plain" | "good", text: string) =>
    timeline.note(performance.now(), { kind, tone, text });
  const { signal, forget } = interruption();
  try {
    const { step, thingName } = await configure({
      connect: () => SocketGatt.connect(device, { mtu }),
      proof,
      username,
      document,
      signal,
      onProgress: (progress) => say(kindOf(progress), "plain", progress.text),
    });
    if (json) print({ type: "outcome", step: nameOf(SetupStep, step), thingName });
    else say("device", "good", `configured: the device is the thing ${thingName}`);
  } finally {
    forget();
  }
}

// ---- one request -------------------------------------------------------------------------------

function print(result: unknown): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

function sayLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function scan(central: Central, json: boolean): Promise<void> {
  const networks = await central.scan();
  if (json) return print(networks);
  const rows = networks.map(({ ssid, rssi_dbm, isOpen }) => {
    return [ssid, `${rssi_dbm} dBm`, isOpen ? "open" : ""];
  });
  sayLine(table(["NETWORK", "STRENGTH", ""], rows));
}

async function read(central: Central, json: boolean): Promise<void> {
  const configuration = await central.read();
  if (json) return print(configuration);
  const lines = JSON.stringify(configuration, null, 2).split("\n");
  sayLine(lines.map(printable).join("\n"));
}

const ACTIONS: Readonly<Record<Wish, (central: Central, json: boolean) => Promise<void>>> = {
  scan,
  read,
  reset: async (central, json) => {
    await central.reset();
    if (json) print({ type: "outcome", done: "reset" });
    else sayLine("the device forgets everything, and restarts");
  },
  leave: async (central, json) => {
    await central.leave();
    if (json) print({ type: "outcome", done: "leave" });
    else sayLine("the device restarts with the configuration that it has");
  },
};

async function request(wish: Wish, proof: string, options: Options): Promise<void> {
  const { device, username, mtu, json } = options;
  const gatt = await SocketGatt.connect(device, { mtu });
  const central = await Central.open(gatt, { proof, username });
  try {
    await ACTIONS[wish](central, json);
  } finally {
    await central.close();
  }
}

async function run(document: string | undefined, options: Options): Promise<void> {
  const wish = wishOf(document, options);
  if (options.username === "") throw new Error("the user name is empty");
  const proof = await proofOf(options.pop);
  try {
    if (wish === "document") await send(document!, proof, options);
    else await request(wish, proof, options);
  } catch (error) {
    throw new Error(printable((error as Error).message), { cause: error });
  }
}

/** The command, ready to be added to the program. */
export function configureCommand(): Command {
  return new Command("configure")
    .description("set a device up over BLE: a device of iot32 run --ble")
    .argument("[document]", "configuration document, JSON")
    .requiredOption("-d, --device <socket>", "socket of the device")
    .option("--pop <proof>", "proof of possession")
    .option("--username <name>", "user name that its verifier was made with", USERNAME)
    .option("--mtu <bytes>", "ATT MTU that we can do", parseMtu, MTU_MAX)
    .option("--scan", "list the networks that it hears", false)
    .option("--read", "print its configuration", false)
    .option("--reset", "factory reset", false)
    .option("--leave", "restart it with what it has", false)
    .option("--json", "print JSON, an object a line", false)
    .addHelpText("after", EXPLANATION)
    .action(run);
}
