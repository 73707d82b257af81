// Names of objects in the local cloud's S3: what a bucket and a key may be called, and the refusals
// for those that are not there. Pure; used by each kind of object store.

import type { Limits } from "./limits.js";
import { S3Error } from "./s3_error.js";
import type { ObjectName } from "./s3_placeholder.js";

/** "General purpose bucket naming rules", without the lengths. */
const BUCKET = /^[a-z0-9][a-z0-9.-]*[a-z0-9]$/;
/** What the common file systems allow in one name. */
const NAME_BYTES_MAX = 255;

/** Throws S3Error for a name that no object can be put under. */
export function checkObjectName({ bucket, key }: ObjectName, limits: Limits): void {
  if (!isBucketName(bucket, limits)) {
    const { s3BucketCharactersMin: min, s3BucketCharactersMax: max } = limits;
    const rule = `${min} to ${max} of [a-z0-9.-], from a letter or digit to a letter or digit`;
    throw new S3Error(400, "InvalidBucketName", `A bucket's name is ${rule}: "${bucket}"`);
  }
  if (Buffer.byteLength(key) > limits.s3KeyBytesMax) {
    throw new S3Error(400, "KeyTooLongError", `A key has at most ${limits.s3KeyBytesMax} bytes`);
  }
  const problem = problemOfKey(key);
  if (problem === null) return;
  const message = `The key "${key}" cannot be a file's name: ${problem}`;
  throw new S3Error(400, "InvalidRequest", message);
}

export function isBucketName(bucket: string, limits: Limits): boolean {
  const { s3BucketCharactersMin: min, s3BucketCharactersMax: max } = limits;
  const { length } = bucket;
  return BUCKET.test(bucket) && !bucket.includes("..") && length >= min && length <= max;
}

/** S3 itself takes nearly any key; here a key is a path, and must not leave its bucket. */
export function problemOfKey(key: string): string | null {
  for (const name of key.split("/")) {
    if (name === "") return "a name between two slashes is missing";
    if (name === "." || name === "..") return `"${name}" is a way, not a name`;
    if (/[\0\\]/.test(name)) return "it holds a backslash or a NUL";
    if (Buffer.byteLength(name) > NAME_BYTES_MAX) return `a name has over ${NAME_BYTES_MAX} bytes`;
  }
  return null;
}

export function noSuchBucket(bucket: string): S3Error {
  const message = "The specified bucket does not exist";
  return new S3Error(404, "NoSuchBucket", message, { BucketName: bucket });
}

export function noSuchKey(key: string): S3Error {
  return new S3Error(404, "NoSuchKey", "The specified key does not exist.", { Key: key });
}
