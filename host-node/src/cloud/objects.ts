// The objects of the local cloud's S3: files in `<directory>/<bucket>/<key>`, each wholly old or
// wholly new. A name that does not stay inside its bucket, or that a file system cannot hold, is
// refused when an object is put and is no object when one is asked for. Called by files.ts.

import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, readFileSync, rmSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { replaceFile } from "./atomic_file.js";
import type { Limits } from "./limits.js";
import {
  checkObjectName,
  isBucketName,
  noSuchBucket,
  noSuchKey,
  problemOfKey,
} from "./object_names.js";
import { S3Error } from "./s3_error.js";

/** An object as it lies there. */
export interface StoredObject {
  readonly bucket: string;
  readonly key: string;
  readonly sizeBytes: number;
  /** As S3 gives it: the MD5 of the content, in quotation marks. */
  readonly etag: string;
}

/** Where the bytes of an object are. */
export interface FoundObject extends StoredObject {
  /** The bucket's directory. */
  readonly root: string;
}

/** No bucket can have this name. */
const INCOMING = ".incoming";
const PRIVATE_DIRECTORY_MODE = 0o700;

const etagOf = (md5: string): string => `"${md5}"`;

export class ObjectStore {
  readonly directory: string;
  readonly #limits: Limits;
  /** By path; of the file with this identity. */
  readonly #etags = new Map<string, { readonly identity: string; readonly etag: string }>();

  constructor(directory: string, limits: Limits) {
    this.directory = directory;
    this.#limits = limits;
  }

  /** Bytes, or the path of a file to copy. After a return they survive any crash. */
  put(bucket: string, key: string, source: Uint8Array | string): StoredObject {
    checkObjectName({ bucket, key }, this.#limits);
    const bytes = typeof source === "string" ? readFileSync(source) : source;
    const path = join(this.directory, bucket, key);
    const temporary = join(this.directory, INCOMING);
    try {
      mkdirSync(dirname(path), { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
      replaceFile(path, bytes, { temporary });
    } catch (error) {
      rmSync(temporary, { force: true });
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!["EEXIST", "ENOTDIR", "EISDIR"].includes(code)) throw error;
      const what = `${bucket}/${key} would have to be a file and a directory at once`;
      throw new S3Error(400, "InvalidRequest", what);
    }
    const etag = etagOf(createHash("md5").update(bytes).digest("hex"));
    return { bucket, key, sizeBytes: bytes.length, etag };
  }

  /** Throws S3Error NoSuchBucket or NoSuchKey. */
  async find(bucket: string, key: string): Promise<FoundObject> {
    const root = join(this.directory, bucket);
    if (!isBucketName(bucket, this.#limits) || !(statOf(root)?.isDirectory() ?? false)) {
      throw noSuchBucket(bucket);
    }
    const path = join(root, key);
    const stats = problemOfKey(key) === null ? statOf(path) : null;
    if (stats === null || !stats.isFile()) throw noSuchKey(key);
    return { bucket, key, root, sizeBytes: stats.size, etag: await this.#etag(path, stats) };
  }

  /** A file is read once for its ETag, as long as it stays the same file. */
  async #etag(path: string, stats: Stats): Promise<string> {
    const identity = `${stats.ino}/${stats.size}/${stats.mtimeMs}`;
    const known = this.#etags.get(path);
    if (known?.identity === identity) return known.etag;
    const hash = createHash("md5");
    await pipeline(createReadStream(path), hash);
    const etag = etagOf(hash.digest("hex"));
    this.#etags.set(path, { identity, etag });
    return etag;
  }
}

/** Null when nothing can be there. */
function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(code)) return null;
    throw error;
  }
}
