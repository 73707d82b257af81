// Presigned URLs as S3 has them: AWS Signature Version 4 in the query ("Authenticating Requests:
// Using Query Parameters" in the Amazon S3 API reference), with a secret of the state directory. A
// URL is good for one object, one method, one host, and a number of seconds. It is as long as a
// real one, because of the session token that URLs from a role carry; here the token also says for
// whom the URL was made. Called by files.ts.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { REGION } from "./defaults.js";
import type { Limits } from "./limits.js";
import { bytesOf, type Random } from "./random.js";
import { S3Error } from "./s3_error.js";

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** For whom a URL was made. */
export interface Recipient {
  readonly thingName: string;
  readonly jobId: string;
}

/** S3 signs the method too: a URL for GET is refused with HEAD, as devices find out at AWS. */
export type PresignedMethod = "GET" | "HEAD";

export interface PresignRequest {
  readonly method: PresignedMethod;
  /** `https://host:port`. */
  readonly origin: string;
  readonly bucket: string;
  readonly key: string;
  readonly seconds: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly recipient?: Recipient | undefined;
}

export interface ArrivedRequest {
  readonly method: string;
  /** The Host header. */
  readonly host: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly now: number;
}

/** What a good URL gives access to. */
export interface Grant {
  readonly bucket: string;
  readonly key: string;
  readonly recipient: Recipient | null;
}

type Query = readonly (readonly [name: string, value: string])[];

const ALGORITHM = "AWS4-HMAC-SHA256";
const SCOPE_END = "aws4_request";
const SIGNATURE = "X-Amz-Signature";
const NEEDED = [
  "X-Amz-Algorithm",
  "X-Amz-Credential",
  SIGNATURE,
  "X-Amz-Date",
  "X-Amz-SignedHeaders",
  "X-Amz-Expires",
];
const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
/** The start that tokens of temporary credentials have in common. */
const TOKEN_START = "IQoJb3JpZ2luX2Vj";
/** Makes a token of about 1,000 characters, which is what roles get. */
const TOKEN_BYTES = 744;

/** A new secret, in the form of temporary credentials. */
export function newCredentials(random: Random): S3Credentials {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const id = [...bytesOf(random, 16)].map((byte) => letters[byte % letters.length]).join("");
  return { accessKeyId: `ASIA${id}`, secretAccessKey: bytesOf(random, 30).toString("base64") };
}

/** Throws S3Error when the life is longer than S3 allows. */
export function presignedUrl(
  request: PresignRequest,
  credentials: S3Credentials,
  limits: Limits,
  random: Random,
): string {
  const { method, origin, bucket, key, seconds, now, recipient } = request;
  checkLife(seconds, limits);
  const date = timeText(now);
  const query: Query = [
    ["X-Amz-Algorithm", ALGORITHM],
    ["X-Amz-Credential", `${credentials.accessKeyId}/${scopeOf(date)}`],
    ["X-Amz-Date", date],
    ["X-Amz-Expires", String(seconds)],
    ["X-Amz-SignedHeaders", "host"],
    ["X-Amz-Security-Token", tokenFor(recipient, random)],
  ];
  const path = pathOf(bucket, key);
  const { host } = new URL(origin);
  const signature = signatureOf({ method, host, path, query }, credentials.secretAccessKey);
  return `${origin}${path}?${queryText(query)}&${SIGNATURE}=${signature}`;
}

function checkLife(seconds: number, { s3PresignedSecondsMax: max }: Limits): void {
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= max) return;
  const message = `X-Amz-Expires must be a whole number of seconds from 1 to ${max}: ${seconds}`;
  throw new S3Error(400, "AuthorizationQueryParametersError", message);
}

/** Throws the S3Error that S3 would answer, unless the URL was made here and is still good. */
export function verifiedGrant(
  request: ArrivedRequest,
  credentials: S3Credentials,
  limits: Limits,
): Grant {
  const { method, host, target, now } = request;
  const [rawPath, query] = parsedTarget(target);
  const { bucket, key } = parsedPath(rawPath);
  const value = (name: string) => query.find(([other]) => other === name)?.[1];
  if (!query.some(([name]) => NEEDED.includes(name))) {
    throw new S3Error(403, "AccessDenied", "Access Denied");
  }
  const missing = NEEDED.filter((name) => value(name) === undefined);
  if (missing.length > 0) throw badQuery(`missing: ${missing.join(", ")}`);
  checkTime(value("X-Amz-Date")!, value("X-Amz-Expires")!, now, limits);
  const expected = signatureOf(
    {
      ...{ method, host, path: pathOf(bucket, key) },
      query: query.filter(([name]) => name !== SIGNATURE),
    },
    credentials.secretAccessKey,
  );
  if (!isSame(value(SIGNATURE)!, expected)) {
    const message =
      "The request signature we calculated does not match the signature you provided. " +
      "Check your key and signing method.";
    throw new S3Error(403, "SignatureDoesNotMatch", message);
  }
  return { bucket, key, recipient: recipientOf(value("X-Amz-Security-Token") ?? "") };
}

function badQuery(what: string): S3Error {
  const message = `Query-string authentication version 4 requires ${NEEDED.join(", ")}: ${what}`;
  return new S3Error(400, "AuthorizationQueryParametersError", message);
}

function checkTime(date: string, expires: string, now: number, limits: Limits): void {
  const parts = TIME.exec(date);
  if (parts === null) throw badQuery(`X-Amz-Date is "${date}"`);
  if (!/^\d{1,9}$/.test(expires)) throw badQuery(`X-Amz-Expires is "${expires}"`);
  checkLife(Number(expires), limits);
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number);
  const issued = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!);
  const end = issued + Number(expires) * 1000;
  if (now < end) return;
  throw new S3Error(403, "AccessDenied", "Request has expired", {
    "X-Amz-Expires": expires,
    Expires: new Date(end).toISOString(),
    ServerTime: new Date(now).toISOString(),
  });
}

// --- The signature ---

export interface SignedParts {
  readonly method: string;
  readonly host: string;
  /** In S3's own encoding. */
  readonly path: string;
  /** Everything but the signature. */
  readonly query: Query;
}

/** 64 hexadecimal digits. The date and the scope are those of the query. */
export function signatureOf({ method, host, path, query }: SignedParts, secret: string): string {
  const value = (name: string) => query.find(([other]) => other === name)?.[1] ?? "";
  const scope = value("X-Amz-Credential").split("/").slice(1);
  const canonical = [
    ...[method, path, queryText(sorted(query)), `host:${host}`, "", "host"],
    "UNSIGNED-PAYLOAD",
  ].join("\n");
  const digest = createHash("sha256").update(canonical).digest("hex");
  const text = [ALGORITHM, value("X-Amz-Date"), scope.join("/"), digest].join("\n");
  const hmac = (key: string | Buffer, data: string) =>
    createHmac("sha256", key).update(data).digest();
  const key = scope.reduce<string | Buffer>((last, part) => hmac(last, part), `AWS4${secret}`);
  return hmac(key, text).toString("hex");
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const scopeOf = (date: string): string => `${date.slice(0, 8)}/${REGION}/s3/${SCOPE_END}`;

const timeText = (now: number): string => new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, "");

/** RFC 3986: what encodeURIComponent does, and five characters more. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** The path of an object as it is signed and sent. */
export const pathOf = (bucket: string, key: string): string =>
  `/${[bucket, ...key.split("/")].map(encoded).join("/")}`;

const queryText = (query: Query): string =>
  query.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&");

const compared = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const sorted = (query: Query): Query =>
  [...query].sort((a, b) => compared(a[0], b[0]) || compared(a[1], b[1]));

// --- Reading a request ---

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error(400, "InvalidURI", "Couldn't parse the specified URI.");
  }
}

function parsedTarget(target: string): [path: string, query: Query] {
  const at = target.indexOf("?");
  if (at < 0) return [target, []];
  const pairs = target
    .slice(at + 1)
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair): [string, string] => {
      const [name = "", ...value] = pair.split("=");
      return [decoded(name), decoded(value.join("="))];
    });
  return [target.slice(0, at), pairs];
}

/** Nothing is normalised: `..` is a part of a key like any other, and no object has it. */
function parsedPath(path: string): { bucket: string; key: string } {
  const match = /^\/([^/]*)\/?(.*)$/s.exec(path);
  if (match === null) throw new S3Error(400, "InvalidURI", "Couldn't parse the specified URI.");
  return { bucket: decoded(match[1]!), key: match[2]!.split("/").map(decoded).join("/") };
}

// --- The token ---

/** Text about the recipient, a NUL, and random bytes; so no two URLs are the same. */
function tokenFor(recipient: Recipient | undefined, random: Random): string {
  const text = Buffer.from(`${recipient === undefined ? "" : JSON.stringify(recipient)}\0`);
  const fill = bytesOf(random, Math.max(0, TOKEN_BYTES - text.length));
  return TOKEN_START + Buffer.concat([text, fill]).toString("base64");
}

/** Of a token whose signature was found good. */
function recipientOf(token: string): Recipient | null {
  const bytes = Buffer.from(token.slice(TOKEN_START.length), "base64");
  const end = bytes.indexOf(0);
  return end <= 0 ? null : (JSON.parse(bytes.toString("utf8", 0, end)) as Recipient);
}
