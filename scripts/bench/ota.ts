// Bench ota: an image of 1.5 MB over loopback TLS, by a device that updates itself with it, and by
// curl with sha256sum, from the same URL of the same server. The device is whole: the core's module
// decides, its flash is a file, the job comes from a local cloud. Cloud and server share a process
// of their own; the devices have one each.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ABI_VERSION } from "../../host-node/src/abi.js";
import { buildModule } from "../../host-node/src/build.js";
import { packImage } from "../../host-node/src/image/index.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import type { Bench, Bout, Contestant, Measurement } from "./bench.js";
import { CURL, downloadByCurl, hasCurlAndSha256sum } from "./curl.js";
import type { News } from "./ota_device.js";
import type { Facts, Order } from "./ota_server.js";

const IMAGE_BYTES = 1_500_000 - (1_500_000 % 16);
const THINGS = ["bench-0", "bench-1"];
const BUILT_AT = new Date("2026-01-01T00:00:00Z");
const LIMIT_MS = 60_000;
const AGAIN = "device, its process has updated before";
const FRESH = "device, first update of its process";

const DOWNLOAD = "download and write";
const VERIFY = "digest and signature";
const ACTIVATE = "(then, not counted: the service's answer)";

const programOf = (name: string): string => fileURLToPath(new URL(`${name}.js`, import.meta.url));

/** The first message of a child, or what ended it. */
async function messageOf<Message>(child: ChildProcess): Promise<Message> {
  const stop = new AbortController();
  const { signal } = stop;
  const late = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const gone = once(child, "exit", { signal }).then(([code, reason]) => {
    throw new Error(`the process of a bench ended: ${code ?? reason}`);
  });
  gone.catch(() => {});
  try {
    const [message] = await Promise.race([once(child, "message", { signal }), gone]);
    return message as Message;
  } finally {
    clearTimeout(late);
    stop.abort();
  }
}

/** Files of one device, and what has to be done for an update of it. */
class BenchDevice {
  private child: ChildProcess | null = null;

  constructor(
    private readonly files: readonly string[],
    private readonly order: () => void,
  ) {}

  async start(): Promise<void> {
    this.child = fork(programOf("ota_device"), this.files);
    await this.news("connected");
  }

  /** Power off: the process ends. */
  async stop(): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null) return;
    const gone = once(child, "exit");
    if (child.connected) child.disconnect();
    else child.kill();
    await gone;
  }

  async update(): Promise<Measurement> {
    this.order();
    const { downloadMs, verifyMs, activateMs } = await this.news("updated");
    const parts = { [DOWNLOAD]: downloadMs, [VERIFY]: verifyMs, [ACTIVATE]: activateMs };
    return { ms: downloadMs + verifyMs, parts };
  }

  private async news<Type extends News["type"]>(type: Type): Promise<News & { type: Type }> {
    const news = await messageOf<News>(this.child!);
    if (news.type === type) return news as News & { type: Type };
    throw new Error(`the device says: ${JSON.stringify(news)}`);
  }
}

/** The image that is flashed first, and that each update brings again. */
async function makeImage(directory: string): Promise<string> {
  const entry = join(packageRoot, "assembly", "apps", "all.ts");
  const { wasm: module } = await buildModule({ entry, target: "release" });
  const fields = { module, abiVersion: ABI_VERSION, version: "1.0.0", builtAt: BUILT_AT };
  const path = join(directory, "image.bin");
  writeFileSync(path, packImage({ ...fields, sizeBytes: IMAGE_BYTES }));
  return path;
}

function devicesOf(
  directory: string,
  image: string,
  server: ChildProcess,
  { configurations }: Facts,
): BenchDevice[] {
  return THINGS.map((thing, index) => {
    const configuration = join(directory, `${thing}.json`);
    writeFileSync(configuration, configurations[index]!);
    const order: Order = { thing };
    return new BenchDevice([image, join(directory, `${thing}.bin`), configuration], () => {
      server.send(order);
    });
  });
}

function contestantsOf(again: BenchDevice, fresh: BenchDevice): Contestant[] {
  const runFresh = async (): Promise<Measurement> => {
    await fresh.start();
    try {
      return await fresh.update();
    } finally {
      await fresh.stop();
    }
  };
  return [
    { name: AGAIN, run: () => again.update() },
    { name: FRESH, run: runFresh },
  ];
}

function curlContestant({ url, ca, sha256 }: Facts, directory: string): Contestant {
  const caFile = join(directory, "ca.pem");
  writeFileSync(caFile, ca);
  const run = async () => {
    if ((await downloadByCurl(url, caFile)) !== sha256) throw new Error("curl got other bytes");
  };
  return { name: CURL, run };
}

async function open(): Promise<Bout> {
  const directory = mkdtempSync(join(tmpdir(), "iot32-bench-"));
  const image = await makeImage(directory);
  const server = fork(programOf("ota_server"), [directory, image, ...THINGS]);
  const facts = await messageOf<Facts>(server);
  const [again, fresh] = devicesOf(directory, image, server, facts);
  await again!.start();
  const contestants = contestantsOf(again!, fresh!);
  const notes = [
    `${IMAGE_BYTES} bytes, a new connection each time; cloud and server in one process of their own`,
    "device: from the event OTA_STATE CHECKING (the job has begun, nothing is asked of the server)",
    "  to ACTIVATING (each chunk in the flash file, digest and signature good); then the wait for",
    "  the service's answer, restart and self-test, which must end in SUCCEEDED and are not counted",
    "curl: with the start of its processes, and nothing written",
  ];
  const hasCurl = hasCurlAndSha256sum();
  if (hasCurl) contestants.push(curlContestant(facts, directory));
  else notes.push("curl or sha256sum is missing here: no reference but the device itself");
  const close = async () => {
    await again!.stop();
    const gone = once(server, "exit");
    server.disconnect();
    await gone;
    rmSync(directory, { recursive: true });
  };
  return { contestants, reference: hasCurl ? CURL : AGAIN, notes, close };
}

export const otaBench: Bench = {
  name: "ota",
  summary: "an update over the air: download, write and verification against curl",
  open,
};
