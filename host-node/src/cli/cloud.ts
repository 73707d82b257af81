// `iot32 cloud`: runs the local cloud until it is told to stop. The first line of output says where
// it listens and which files a device needs; with --json it and every following line is a JSON
// object, without it what follows is a log for people. The command is assembled into `iot32` by
// main.ts.

import { Command } from "commander";
import pc from "picocolors";
import { type FileEvent, LocalCloud } from "../cloud/index.js";
import { parsePort } from "./port_option.js";
import { stopSignal } from "./stop_signal.js";

interface CloudOptions {
  readonly dir: string;
  readonly port: number;
  readonly filesPort: number;
  readonly host: string;
  readonly name?: readonly string[];
  readonly template?: string;
  readonly json: boolean;
}

const PAYLOAD_SHOWN_CHARACTERS = 100;

const EXPLANATION = `
An AWS IoT Core for one desk: MQTT 3.1.1 over mutual TLS with a CA of its own, fleet provisioning by
claim (keys made here, or a signing request), policies for each certificate, presence events,
and the quotas of AWS IoT, enforced. When a client breaks a rule, the log names it.

At first start the directory receives a root CA, a claim certificate with its key, and a
provisioning template that makes one thing for each SerialNumber. All state survives a restart.

First line of output (JSON, in both modes):
  endpoint, port            where devices connect
  ca                        file: root certificate that devices trust
  claimCertificate, claimKey  files: what a new device provisions itself with
  templateName              provisioning template for the claim
  filesUrl                  where presigned URLs in job documents lead (HTTPS, the same CA)

Following lines with --json: {"time","event",...}, where event is one of
  connected, disconnected   presence, with AWS's disconnectReason
  publish, subscribe        what clients do within the rules; payload is text, or base64 if not text
  provisioned               a thing got its certificate
  rule                      a rule was broken: rule, action, clientId, detail
  file                      a download: thingName, path, range, status, bytes, complete

Examples:
  iot32 cloud --dir ./cloud                          this machine only, port 8883
  iot32 cloud --dir ./cloud --host 0.0.0.0           devices on the network too
  iot32 cloud --dir ./cloud --port 0 --json          any free port, for a script
`;

/** The command, ready to be added to the program. */
export function cloudCommand(): Command {
  return new Command("cloud")
    .description("run a local AWS IoT Core: broker, fleet provisioning, policies, quotas")
    .requiredOption("-d, --dir <directory>", "where certificates and state are kept")
    .option("-p, --port <number>", "TCP port; 0 takes a free one", parsePort, 8883)
    .option(
      "--files-port <number>",
      "TCP port of the file server; 0 takes that of the last start, or a free one",
      parsePort,
      0,
    )
    .option("-H, --host <address>", "address to listen on; 0.0.0.0 for all", "127.0.0.1")
    .option(
      "-n, --name <host>",
      "further host name or address in the server certificate; the first is the endpoint (repeatable)",
      (name: string, names: readonly string[] = []) => [...names, name],
    )
    .option(
      "-t, --template <name>",
      'provisioning template to make and announce (default: "iot32")',
    )
    .option("--json", "print every event as one line of JSON", false)
    .addHelpText("after", EXPLANATION)
    .action(runCloud);
}

async function runCloud(options: CloudOptions, command: Command): Promise<void> {
  const { dir, port, filesPort, host, name, template } = options;
  const cloud = await LocalCloud.start({
    dir,
    port,
    filesPort,
    host,
    hostNames: name ?? [],
    ...(template === undefined ? {} : { templateName: template }),
  }).catch((error: Error) => command.error(`iot32 cloud cannot start: ${error.message}`));
  // Before the first line: whoever reads it may stop the command or connect at once.
  const stopped = stopSignal();
  if (options.json) logJson(cloud);
  else logText(cloud);
  printLine({
    endpoint: cloud.endpoint,
    port: cloud.port,
    ca: cloud.paths.ca,
    claimCertificate: cloud.paths.claimCertificate,
    claimKey: cloud.paths.claimKey,
    templateName: cloud.templateName,
    filesUrl: cloud.filesUrl,
  });
  await stopped;
  await cloud.close();
}

function logJson(cloud: LocalCloud): void {
  const print = (event: string, facts: object) =>
    printLine({ time: new Date().toISOString(), event, ...facts });
  cloud.on("connected", (facts) => print("connected", facts));
  cloud.on("disconnected", (facts) => print("disconnected", facts));
  cloud.on("provisioned", (facts) => print("provisioned", facts));
  cloud.on("subscribe", (facts) => print("subscribe", facts));
  cloud.on("rule", (facts) => print("rule", facts));
  cloud.on("file", (facts) => print("file", facts));
  cloud.on("publish", ({ payload, ...facts }) =>
    print("publish", { ...facts, ...payloadFacts(payload) }),
  );
}

function payloadFacts(payload: Buffer): object {
  const text = payload.toString("utf8");
  if (Buffer.from(text, "utf8").equals(payload)) return { payload: text };
  return { payloadBase64: payload.toString("base64") };
}

function logText(cloud: LocalCloud): void {
  const print = (mark: string, clientId: string | null, text: string) => {
    const time = pc.dim(new Date().toISOString().slice(11, 23));
    process.stdout.write(
      `${time} ${mark} ${pc.bold(printable(clientId ?? "-"))} ${printable(text)}\n`,
    );
  };
  cloud.on("connected", (event) =>
    print(pc.green("connected   "), event.clientId, event.ipAddress),
  );
  cloud.on("disconnected", (event) =>
    print(pc.yellow("disconnected"), event.clientId, event.disconnectReason),
  );
  cloud.on("provisioned", (event) =>
    print(
      pc.magenta("provisioned "),
      event.clientId,
      `thing ${event.thingName ?? "-"}, certificate ${event.certificateId}`,
    ),
  );
  cloud.on("subscribe", (event) =>
    print(pc.blue("subscribe   "), event.clientId, event.filters.join(", ")),
  );
  cloud.on("publish", (event) =>
    print(pc.cyan("publish     "), event.clientId, `${event.topic} ${preview(event.payload)}`),
  );
  cloud.on("file", (event) =>
    print(pc.cyan("file        "), event.thingName ?? event.ipAddress, fileText(event)),
  );
  cloud.on("rule", (event) =>
    print(
      pc.red("rule        "),
      event.clientId,
      `${event.rule} (${event.action}): ${event.detail}`,
    ),
  );
}

function fileText({ method, path, range, status, code, bytes, complete }: FileEvent): string {
  const what = range === null ? path : `${path} (${range})`;
  const end = complete ? "" : ", cut off";
  return `${method} ${what}: ${status}${code === null ? "" : ` ${code}`}, ${bytes} B${end}`;
}

function preview(payload: Buffer): string {
  const text = payload.toString("utf8", 0, PAYLOAD_SHOWN_CHARACTERS);
  const more = payload.length > PAYLOAD_SHOWN_CHARACTERS ? "..." : "";
  return `${text}${more} (${payload.length} B)`;
}

/** What a device sends must not be able to steer the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "\u00b7");
}

function printLine(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
