// An update of devices, from a file to a job: reads the image or the module as a device will, puts
// it where a presigned URL finds it (or, a small module, into the document itself), and creates the
// job. The document's fields stand in a fixed order, the action first, because the core reads it as
// a stream. Called by LocalCloud.createUpdate and, for what it can say without a cloud, by cli/ota.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { ABI_VERSION } from "../abi.js";
import {
  decodeImage,
  ImageError,
  markedAbiVersion,
  moduleAbiVersion,
  parseSignature,
  signatureText,
  signImage,
} from "../image/index.js";
import type { CreateJobOptions, JobDescription } from "./jobs_model.js";
import { JobError } from "./jobs_rules.js";
import type { Limits } from "./limits.js";
import { placeholderOf } from "./s3_placeholder.js";

/** Where updates lie. */
export const UPDATE_BUCKET = "iot32-updates";

/** What is to be brought to the devices, and how. Exactly one of `image` and `module`. */
export interface UpdateOptions
  extends Pick<
    CreateJobOptions,
    "jobId" | "things" | "groups" | "targetSelection" | "description" | "timeoutConfig"
  > {
  /** An application image: bytes, or the path of a file. */
  readonly image?: Uint8Array | string;
  /** A module alone: bytes, or the path of a file. */
  readonly module?: Uint8Array | string;
  /** The module travels in the document, which has room for about 24 KB of it. */
  readonly inline?: boolean;
  /** PEM, EC on P-256. */
  readonly privateKeyPem?: string;
  /** Base64, as in a .sig file; instead of a key. */
  readonly signature?: string;
  /** SHA-256 of what the caller saw in the file, in hexadecimal. */
  readonly sha256?: string;
  /** Devices take an image even of an older or the same version. */
  readonly force?: boolean;
  /** Things a minute. */
  readonly ratePerMinute?: number;
  /** Cancels the job when so many of a hundred things have failed, or have timed out. */
  readonly abortPercent?: number;
  /** Life of each presigned URL. */
  readonly urlLifeSeconds?: number;
}

/** What a file is, as far as an update has to know. */
export interface UpdateFile {
  readonly kind: "firmware" | "module";
  readonly sizeBytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Of an image; a module alone has none. */
  readonly version: string | null;
  readonly project: string | null;
  readonly chip: string | null;
  /** Of the module, in the image or alone. */
  readonly abiVersion: number | null;
}

export interface Update extends UpdateFile {
  readonly job: JobDescription;
  /** Where it lies; null when it travels in the document. */
  readonly object: { readonly bucket: string; readonly key: string } | null;
  readonly isSigned: boolean;
  /** Sentences about what will probably not be as it was meant. */
  readonly warnings: readonly string[];
}

/** What an update needs of the cloud. */
export interface UpdateHost {
  putObject(bucket: string, key: string, source: Uint8Array): unknown;
  createJob(options: CreateJobOptions): JobDescription;
}

export const UNSIGNED_WARNING =
  "the update is not signed: devices refuse it unless they were told to take unsigned ones";

const invalid = (message: string) => new JobError("InvalidRequest", message);

const hexSha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Throws ImageError for what a device could not take. */
export function readUpdate(kind: UpdateFile["kind"], bytes: Uint8Array): UpdateFile {
  const common = { kind, sizeBytes: bytes.length, sha256: hexSha256(bytes) };
  if (kind === "module") {
    return { ...common, version: null, project: null, chip: null, abiVersion: moduleAbi(bytes) };
  }
  const { description, chip, module } = decodeImage(bytes);
  const { version, projectName: project } = description;
  const abiVersion = module?.abiVersion ?? null;
  return { ...common, version, project, chip: chip.name, abiVersion };
}

function moduleAbi(bytes: Uint8Array): number {
  const version = moduleAbiVersion(bytes);
  const fail = (why: string): never => {
    throw new ImageError("not-a-module", 0, `the module ${why}: build it again`);
  };
  if (version !== ABI_VERSION) {
    fail(`was built for version ${version} of the ABI, this is version ${ABI_VERSION}`);
  }
  if (markedAbiVersion(bytes) !== version) {
    fail("does not begin with the section by which devices know it");
  }
  return version;
}

/** Base64 of a file's signature by a PEM key. */
export type Signer = (file: Uint8Array, privateKeyPem: string) => string;

const signed: Signer = (file, privateKeyPem) => signatureText(signImage(file, privateKeyPem));

/** Refusals are thrown as JobError, ImageError or S3Error; then no device hears of anything. */
export function createUpdate(
  host: UpdateHost,
  options: UpdateOptions,
  limits: Limits,
  signer: Signer = signed,
): Update {
  const { kind, bytes } = contentOf(options);
  const file = readUpdate(kind, bytes);
  checkOptions(options, file);
  const signature = signatureOf(options, bytes, signer);
  const isInline = options.inline === true;
  const key = `${file.sha256}.${kind === "module" ? "wasm" : "bin"}`;
  const object = isInline ? null : { bucket: UPDATE_BUCKET, key };
  const document = isInline
    ? inlineDocument(file, bytes, signature, limits)
    : documentOf(file, placeholderOf(object!), signature, options.force === true);
  if (object !== null) host.putObject(object.bucket, object.key, bytes);
  const job = host.createJob(jobOf(options, document));
  const isSigned = signature !== null;
  return { ...file, job, object, isSigned, warnings: warningsOf(file, isSigned) };
}

function contentOf({ image, module }: UpdateOptions): Pick<UpdateFile, "kind"> & {
  readonly bytes: Uint8Array;
} {
  if ((image === undefined) === (module === undefined)) {
    throw invalid("An update is either an image or a module: give exactly one of them");
  }
  const source = image ?? module!;
  const bytes = typeof source === "string" ? readFileSync(source) : source;
  return { kind: image === undefined ? "module" : "firmware", bytes };
}

function checkOptions(options: UpdateOptions, { kind, sha256 }: UpdateFile): void {
  if (kind === "firmware" && options.inline === true) {
    throw invalid("Only a module can travel in the job document; an image is too large for it");
  }
  if (kind === "module" && options.force === true) {
    throw invalid("A module alone has no version to compare, and nothing to force");
  }
  if (options.privateKeyPem !== undefined && options.signature !== undefined) {
    throw invalid("An update is signed with a key or comes with a signature, not both");
  }
  if (options.sha256 === undefined || options.sha256 === sha256) return;
  throw invalid(`The file has changed: its SHA-256 is ${sha256}, not ${options.sha256}`);
}

function signatureOf(
  { privateKeyPem, signature }: UpdateOptions,
  bytes: Uint8Array,
  signer: Signer,
): string | null {
  if (privateKeyPem !== undefined) return signer(bytes, privateKeyPem);
  return signature === undefined ? null : signatureText(parseSignature(signature));
}

function documentOf(
  { kind, sizeBytes, sha256, version }: UpdateFile,
  url: string,
  signature: string | null,
  force: boolean,
): string {
  return JSON.stringify({
    action: kind === "module" ? "APP" : "OTA",
    url,
    size: sizeBytes,
    sha256,
    ...(signature === null ? {} : { signature }),
    ...(version === null ? {} : { version }),
    ...(force ? { force } : {}),
  });
}

/** The signature stands before the module: it is known before the long text begins. */
function inlineDocument(
  { sizeBytes, sha256 }: UpdateFile,
  bytes: Uint8Array,
  signature: string | null,
  { jobDocumentBytesMax: max }: Limits,
): string {
  const document = JSON.stringify({
    action: "APP",
    ...(signature === null ? {} : { signature }),
    size: sizeBytes,
    sha256,
    module: Buffer.from(bytes).toString("base64"),
  });
  if (document.length <= max) return document;
  const message = `The module of ${sizeBytes} bytes makes a job document of ${document.length}`;
  throw invalid(`${message} bytes, ${max} allowed; let devices fetch it by URL instead`);
}

function jobOf(options: UpdateOptions, document: string): CreateJobOptions {
  const { jobId, things, groups, targetSelection, description, timeoutConfig } = options;
  const { ratePerMinute, abortPercent, urlLifeSeconds } = options;
  return {
    document,
    ...(jobId === undefined ? {} : { jobId }),
    ...(things === undefined ? {} : { things }),
    ...(groups === undefined ? {} : { groups }),
    ...(targetSelection === undefined ? {} : { targetSelection }),
    ...(description === undefined ? {} : { description }),
    ...(timeoutConfig === undefined ? {} : { timeoutConfig }),
    ...(ratePerMinute === undefined
      ? {}
      : { jobExecutionsRolloutConfig: { maximumPerMinute: ratePerMinute } }),
    ...(abortPercent === undefined ? {} : { abortConfig: abortConfigOf(abortPercent) }),
    ...(urlLifeSeconds === undefined
      ? {}
      : { presignedUrlConfig: { expiresInSec: urlLifeSeconds } }),
  };
}

function abortConfigOf(thresholdPercentage: number): NonNullable<CreateJobOptions["abortConfig"]> {
  const criteria = { action: "CANCEL", thresholdPercentage, minNumberOfExecutedThings: 1 } as const;
  return {
    criteriaList: (["FAILED", "TIMED_OUT"] as const).map((failureType) => ({
      failureType,
      ...criteria,
    })),
  };
}

function warningsOf({ kind, abiVersion }: UpdateFile, isSigned: boolean): string[] {
  return [
    ...(isSigned ? [] : [UNSIGNED_WARNING]),
    ...(kind === "firmware" && abiVersion === null
      ? ["the image has no module of iot32 inside: a device that starts it can do nothing more"]
      : []),
  ];
}
