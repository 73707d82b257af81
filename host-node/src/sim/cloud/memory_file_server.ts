// Amazon S3 in memory: objects behind presigned URLs, signed and verified as the local cloud's file
// server does (../../cloud/presign.ts), given whole or from an offset. Called by the world for each
// HTTP request of a device, and by the cloud in memory for updates.

import type { Limits } from "../../cloud/limits.js";
import { checkObjectName, noSuchBucket, noSuchKey } from "../../cloud/object_names.js";
import {
  newCredentials,
  presignedUrl,
  type Recipient,
  type S3Credentials,
  verifiedGrant,
} from "../../cloud/presign.js";
import type { Random } from "../../cloud/random.js";
import { S3Error, type S3ErrorCode } from "../../cloud/s3_error.js";
import type { ObjectName } from "../../cloud/s3_placeholder.js";

/** An answer, as S3 gives it. */
export interface FileAnswer {
  /** 200, or 206 with an offset above 0; refused: 400, 403, 404 or 416. */
  readonly status: number;
  /** Null unless refused. */
  readonly code: S3ErrorCode | null;
  /** What lies from the offset to the end; a view, not to be written to. Only with 200 and 206. */
  readonly body?: Uint8Array;
  /** Offset of the first byte of the body. */
  readonly at: number;
  /** Bytes of the whole object; 0 when the answer does not say. */
  readonly size: number;
}

interface FilesContext {
  readonly limits: Limits;
  readonly clock: { now(): number };
  readonly random: Random;
}

/** Path style, as the placeholders of job documents have it; see s3_placeholder.ts. */
const ORIGIN = "https://s3.us-east-1.amazonaws.com";
const URL_PARTS = /^https:\/\/([^/?#]+)(\/[^#]*)$/;

export class MemoryFileServer {
  readonly #context: FilesContext;
  readonly #credentials: S3Credentials;
  /** By bucket and key. The bytes are never changed. */
  readonly #objects: Map<string, Uint8Array>;

  /** With `original` it has the same objects, and takes the same URLs. */
  constructor(context: FilesContext, original?: MemoryFileServer) {
    this.#context = context;
    if (original === undefined) {
      this.#credentials = newCredentials(context.random);
      this.#objects = new Map();
    } else {
      this.#credentials = original.#credentials;
      this.#objects = new Map(original.#objects);
    }
  }

  /** The bytes must not change afterwards. Throws S3Error for a name that cannot be. */
  put(bucket: string, key: string, bytes: Uint8Array): void {
    checkObjectName({ bucket, key }, this.#context.limits);
    this.#objects.set(pathOf(bucket, key), bytes);
  }

  /** A URL for GET, whether the object is there or not. */
  presign({ bucket, key }: ObjectName, seconds: number, recipient?: Recipient): string {
    const { limits, clock, random } = this.#context;
    const place = { method: "GET" as const, origin: ORIGIN, bucket, key };
    const request = { ...place, seconds, now: clock.now(), recipient };
    return presignedUrl(request, this.#credentials, limits, random);
  }

  /** GET; an offset above 0 is `Range: bytes=<offset>-`. */
  get(url: string, offset: number): FileAnswer {
    let bytes: Uint8Array;
    try {
      bytes = this.#find(url);
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      return { status: error.status, code: error.code, at: 0, size: 0 };
    }
    const size = bytes.length;
    if (offset > 0 && offset >= size) return { status: 416, code: "InvalidRange", at: 0, size };
    const status = offset > 0 ? 206 : 200;
    return { status, code: null, body: bytes.subarray(offset), at: offset, size };
  }

  #find(url: string): Uint8Array {
    const { limits, clock } = this.#context;
    const [, host, target] = URL_PARTS.exec(url) ?? [];
    if (host === undefined || target === undefined) {
      throw new S3Error(400, "InvalidURI", "Couldn't parse the specified URI.");
    }
    const arrived = { method: "GET", host, target, now: clock.now() };
    const { bucket, key } = verifiedGrant(arrived, this.#credentials, limits);
    const bytes = this.#objects.get(pathOf(bucket, key));
    if (bytes !== undefined) return bytes;
    const start = pathOf(bucket, "");
    const isBucket = [...this.#objects.keys()].some((path) => path.startsWith(start));
    throw isBucket ? noSuchKey(key) : noSuchBucket(bucket);
  }
}

/** Distinct, because a bucket's name has no slash. */
const pathOf = (bucket: string, key: string): string => `${bucket}/${key}`;
