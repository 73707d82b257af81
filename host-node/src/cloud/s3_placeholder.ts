// Placeholders of a job document that stand for a presigned URL, in the forms that AWS IoT Jobs
// takes ("Presigned URLs" in the AWS IoT developer guide). The region is read over: all buckets of
// the local cloud lie on one desk. Called when a job is created, and each time a device gets its
// document.

import type { Substitute } from "./jobs_engine.js";
import { JobError } from "./jobs_rules.js";
import type { Recipient } from "./presign.js";

export interface ObjectName {
  readonly bucket: string;
  readonly key: string;
}

const KIND = /^aws:iot:s3-presigned-url(?:-v2)?:/;
const PATH_STYLE = /^https:\/\/s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com\/([^/?#]+)\/([^?#]+)$/;
const HOST_STYLE =
  /^https:\/\/([a-z0-9][a-z0-9.-]*)\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com\/([^?#]+)$/;
const FORMS = [
  "https://s3.<region>.amazonaws.com/<bucket>/<key>",
  "https://<bucket>.s3.<region>.amazonaws.com/<key>",
];

const OPENING = "$" + "{aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com";

/** Named without `${` and `}`. Throws JobError for every other kind of placeholder. */
export function objectOfPlaceholder(placeholder: string): ObjectName {
  const kind = KIND.exec(placeholder);
  if (kind === null) {
    const message = `The job document has the placeholder "${placeholder}", and nothing here can replace it`;
    throw new JobError("InvalidRequest", message);
  }
  const url = placeholder.slice(kind[0].length);
  const match = PATH_STYLE.exec(url) ?? HOST_STYLE.exec(url);
  const [, bucket, key] = match ?? [];
  if (bucket === undefined || key === undefined) {
    const message = `A placeholder must name an object as ${FORMS.join(" or ")}, not as "${url}"`;
    throw new JobError("InvalidRequest", message);
  }
  try {
    return { bucket: decodeURIComponent(bucket), key: decodeURIComponent(key) };
  } catch {
    throw new JobError("InvalidRequest", `A placeholder's URL has a wrong %-encoding: "${url}"`);
  }
}

/** Makes a URL for one recipient that is good for so many seconds. */
export type Presign = (object: ObjectName, seconds: number, recipient: Recipient) => string;

/** Replaces placeholders by presigned URLs. */
export function substituteBy(presign: Presign): Substitute {
  return (placeholder, { thingName, jobId, expiresInSeconds }) =>
    presign(objectOfPlaceholder(placeholder), expiresInSeconds, { thingName, jobId });
}

/** The placeholder of an object, for a job document. */
export function placeholderOf({ bucket, key }: ObjectName): string {
  return `${OPENING}/${bucket}/${key}}`;
}
