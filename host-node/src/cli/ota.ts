// `iot32 ota create`: from a file to a rollout. The file is read, judged and signed here, so that the
// key stays in this process and a damaged image is refused at once; the cloud, on the same machine,
// reads it again from its path. Then the rollout is followed to its end (ota_follow.ts).

import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { Command, Option } from "commander";
import pc from "picocolors";
import { callCloud } from "../cloud/control.js";
import type { ExecutionDescription, JobDescription, Update } from "../cloud/index.js";
import { readUpdate, type UpdateFile, type UpdateOptions } from "../cloud/updates.js";
import { parseSignature, signatureText, signImage } from "../image/index.js";
import {
  CLIENT_NOTES,
  type ClientOptions,
  clientOptions,
  collect,
  percentage,
  wholeNumber,
} from "./cloud_client.js";
import { countsText, follow, type Snapshot } from "./ota_follow.js";
import { viewOf } from "./ota_view.js";

interface CreateOptions extends ClientOptions {
  readonly thing?: readonly string[];
  readonly group?: readonly string[];
  readonly image?: string;
  readonly module?: string;
  readonly inline: boolean;
  readonly key?: string;
  readonly signature?: string;
  readonly rate?: number;
  readonly abort?: number;
  readonly expires?: number;
  readonly force: boolean;
  readonly jobId?: string;
  readonly detach: boolean;
}

interface SignedFile extends UpdateFile {
  readonly path: string;
  readonly signature: string | null;
}

const INTERRUPTED = 130;

const CREATE_HELP = `
FILE is checked as a device would check it, put into the cloud's files, and a job is created: with
--image one whose action is "OTA", with --module one whose action is "APP". Devices download from a
presigned URL, which is made anew each time a device asks for the document. With --inline the module
travels in the document itself, which has room for about 24 KB of it.

Devices refuse what is not signed, unless they were told otherwise: give --key, or the --signature
that "iot32 image sign" made.

The rollout is followed until the job ends, with --detach it is not. With --json each line is an
object with an "event": created, then execution for each change, at last ended (or left, at Ctrl-C).

Exit code of a rollout: 0 when every thing SUCCEEDED, 1 when not, 130 at Ctrl-C; then the job goes
on.

Examples:
  iot32 ota create --thing lamp --image fw.bin --key key.pem
  iot32 ota create --group hall --image fw.bin --signature fw.bin.sig --rate 50 --abort 10%
  iot32 ota create --thing lamp --module app.wasm --key key.pem --inline --detach
${CLIENT_NOTES}`;

/** The command, ready to be added to the program. */
export function otaCommand(): Command {
  return new Command("ota")
    .description("bring firmware and modules to the devices of a running cloud")
    .addCommand(createCommand());
}

function createCommand(): Command {
  return clientOptions(new Command("create").description("create an update and follow it"))
    .option("-t, --thing <name>", "a thing to reach (repeatable)", collect)
    .option("-g, --group <name>", "a group of things to reach (repeatable)", collect)
    .option("-f, --image <file>", "application image")
    .addOption(
      new Option("-m, --module <file>", "module alone (.wasm)").conflicts(["image", "force"]),
    )
    .addOption(
      new Option("--inline", "carry the module in the document").default(false).conflicts("image"),
    )
    .option("-k, --key <file>", "private key to sign with, PEM")
    .addOption(new Option("-s, --signature <file>", "signature, base64").conflicts("key"))
    .option("--rate <things>", "reach so many things a minute at most", wholeNumber)
    .option("--abort <percent>", "cancel when so many of a hundred fail or time out", percentage)
    .option("--expires <seconds>", "life of each URL, 60 to 3600", wholeNumber)
    .option("--force", "devices take an older or the same version, too", false)
    .option("-i, --job-id <id>", "1 to 64 of [A-Za-z0-9_-] (default: made up)")
    .option("--detach", "do not follow the rollout", false)
    .addHelpText("after", CREATE_HELP)
    .action(create);
}

async function create(options: CreateOptions): Promise<void> {
  const { thing, group, image, module, json } = options;
  if (thing === undefined && group === undefined) {
    throw new Error("nobody to update: give --thing or --group");
  }
  if (image === undefined && module === undefined) {
    throw new Error("nothing to bring: give --image or --module");
  }
  const file = signedFile(options);
  const update = updateOf(options, file);
  const created = (await callCloud(options.dir, "update.create", { update })) as Update;
  for (const warning of created.warnings) console.error(pc.yellow(pc.bold(`WARNING: ${warning}`)));
  const { job, ...facts } = created;
  const { jobId, document } = job;
  const text = json
    ? JSON.stringify({ event: "created", jobId, ...facts, document })
    : createdText(created, file.path);
  process.stdout.write(`${text}\n`);
  if (!options.detach) await followJob(options, job);
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Names the file that a refusal is about. */
function about<Result>(path: string, judge: () => Result): Result {
  try {
    return judge();
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`);
  }
}

function signedFile({ image, module, key, signature }: CreateOptions): SignedFile {
  const path = resolve(image ?? module!);
  const bytes = read(path);
  const facts = about(path, () => readUpdate(image === undefined ? "module" : "firmware", bytes));
  const text = (name: string) => read(name).toString("utf8");
  const signed = (): Uint8Array | null => {
    if (key !== undefined) return about(key, () => signImage(bytes, text(key)));
    return signature === undefined ? null : about(signature, () => parseSignature(text(signature)));
  };
  const seal = signed();
  return { ...facts, path, signature: seal === null ? null : signatureText(seal) };
}

function updateOf(options: CreateOptions, file: SignedFile): UpdateOptions {
  const { thing, group, inline, rate, abort, expires, force, jobId } = options;
  return {
    ...(file.kind === "module" ? { module: file.path } : { image: file.path }),
    ...{ sha256: file.sha256, things: thing ?? [], groups: group ?? [], inline, force },
    ...(file.signature === null ? {} : { signature: file.signature }),
    ...(rate === undefined ? {} : { ratePerMinute: rate }),
    ...(abort === undefined ? {} : { abortPercent: abort }),
    ...(expires === undefined ? {} : { urlLifeSeconds: expires }),
    ...(jobId === undefined ? {} : { jobId }),
  };
}

function createdText(update: Update, path: string): string {
  const { kind, version, project, chip, sizeBytes, isSigned, object, job } = update;
  const what = kind === "module" ? "module" : `${project} ${version} for ${chip}`;
  const where = object === null ? "in the document" : `${object.bucket}/${object.key}`;
  const seal = isSigned ? "signed" : "NOT SIGNED";
  const file = `${pc.bold(basename(path))}  ${what}, ${sizeBytes} bytes, ${seal}, ${where}`;
  return `${file}\n${pc.bold(job.jobId)}  ${job.status}: ${countsText(job)}`;
}

async function followJob({ dir, json }: CreateOptions, { jobId }: JobDescription): Promise<void> {
  // The job first: when it has ended, the executions read after it have ended too.
  const look = async (): Promise<Snapshot> => ({
    job: (await callCloud(dir, "job.describe", { jobId })) as JobDescription,
    executions: (await callCloud(dir, "job.executions", { jobId })) as ExecutionDescription[],
  });
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt);
  try {
    const outcome = await follow(look, viewOf(process.stdout, json, jobId), stop.signal);
    if (outcome === "left") process.exitCode = INTERRUPTED;
    else process.exitCode = outcome === "succeeded" ? 0 : 1;
  } catch (error) {
    throw new Error(`${(error as Error).message}; job ${jobId} is no longer followed`);
  } finally {
    process.off("SIGINT", interrupt);
  }
}
