// The file server as a client on the network sees it: what S3 gives for a presigned URL (whole, in
// ranges, under conditions), what it refuses and in which words, and what the cloud keeps over a
// restart. The client is Node's own, which sends paths as they are written; curl is a second one.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { request } from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  type FileEvent,
  type LocalCloud,
  type OnRequest,
  S3Error,
} from "../../host-node/src/cloud/index.js";
import { signatureOf } from "../../host-node/src/cloud/presign.js";
import { cleanUp, startCloud, type TestCloud, temporaryDirectory } from "./cloud_support.js";

const BUCKET = "firmware";
const BYTES = randomBytes(300_000);
const MD5 = `"${createHash("md5").update(BYTES).digest("hex")}"`;

let running: TestCloud;
let cloud: LocalCloud;
let onRequest: OnRequest | null = null;

before(async () => {
  running = await startCloud({
    onRequest: (...parts) => (onRequest === null ? parts[2]() : onRequest(...parts)),
  });
  cloud = running.cloud;
  cloud.putObject(BUCKET, "a/fw.bin", BYTES);
});
after(cleanUp);

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Of S3's error body. */
  readonly code: string | undefined;
}

interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** Instead of the path in the URL; nothing normalises it. */
  readonly path?: string;
}

function ask(url: string, { method = "GET", headers = {}, path }: Ask = {}): Promise<Reply> {
  const { hostname, port, pathname, search } = new URL(url);
  const target = { hostname, port, path: path ?? `${pathname}${search}`, servername: hostname };
  const ca = readFileSync(cloud.paths.ca);
  return new Promise((resolve, reject) => {
    const sent = request({ ...target, method, headers, ca, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const body = Buffer.concat(chunks);
        const code = /<Code>(\w+)<\/Code>/.exec(body.toString("latin1"))?.[1];
        resolve({ status: response.statusCode!, headers: response.headers, body, code });
      });
    });
    sent.on("error", reject);
    sent.end();
  });
}

const good = (key = "a/fw.bin", seconds = 60) => cloud.presign(BUCKET, key, seconds);

test("signature is the one of AWS's own example", () => {
  const query = [
    ["X-Amz-Algorithm", "AWS4-HMAC-SHA256"],
    ["X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"],
    ["X-Amz-Date", "20130524T000000Z"],
    ["X-Amz-Expires", "86400"],
    ["X-Amz-SignedHeaders", "host"],
  ] as const;
  const host = "examplebucket.s3.amazonaws.com";
  const parts = { method: "GET", host, path: "/test.txt", query };
  assert.equal(
    signatureOf(parts, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  );
});

test("presigned URL gives the whole object with its ETag, and is as long as a real one", async () => {
  const url = good();
  assert.ok(url.length > 1_000 && url.length < 2_000, String(url.length));
  assert.ok(
    url.startsWith(`${cloud.filesUrl}/${BUCKET}/a/fw.bin?X-Amz-Algorithm=AWS4-HMAC-SHA256&`),
  );
  const names = [...new URL(url).searchParams.keys()];
  assert.deepEqual(names, [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
  ]);
  const { status, headers, body } = await ask(url);
  assert.equal(status, 200);
  assert.ok(body.equals(BYTES));
  assert.equal(headers.etag, MD5);
  assert.equal(headers["accept-ranges"], "bytes");
  assert.equal(headers["content-length"], String(BYTES.length));
  assert.equal(headers["content-type"], "binary/octet-stream");
});

test("range gives 206 and exactly those bytes, and one behind the end 416", async () => {
  const cases: [string, number, number][] = [
    ["bytes=0-1023", 0, 1024],
    ["bytes=1024-2047", 1024, 2048],
    ["bytes=299000-", 299_000, BYTES.length],
    ["bytes=299000-999999", 299_000, BYTES.length],
    ["bytes=-10", BYTES.length - 10, BYTES.length],
  ];
  for (const [range, from, to] of cases) {
    const { status, headers, body } = await ask(good(), { headers: { range } });
    assert.equal(status, 206, range);
    assert.equal(headers["content-range"], `bytes ${from}-${to - 1}/${BYTES.length}`);
    assert.equal(headers["content-length"], String(to - from));
    assert.ok(body.equals(BYTES.subarray(from, to)), range);
  }
  const beyond = await ask(good(), { headers: { range: "bytes=300000-" } });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.code, "InvalidRange");
  assert.equal(beyond.headers["content-range"], `bytes */${BYTES.length}`);
  assert.equal(beyond.headers.etag, undefined);
});

test("range with If-Range is given of the same object only, and other conditions hold too", async () => {
  cloud.putObject(BUCKET, "changing.bin", BYTES.subarray(0, 5000));
  const url = good("changing.bin");
  const { etag = "" } = (await ask(url)).headers;
  const resume = { range: "bytes=4000-", "if-range": etag };
  assert.equal((await ask(url, { headers: resume })).status, 206);
  cloud.putObject(BUCKET, "changing.bin", BYTES.subarray(1, 5001));
  const anew = await ask(url, { headers: resume });
  assert.equal(anew.status, 200);
  assert.equal(anew.body.length, 5000);
  assert.notEqual(anew.headers.etag, etag);
  const unchanged = { "if-none-match": anew.headers.etag! };
  assert.equal((await ask(url, { headers: unchanged })).status, 304);
  const failed = await ask(url, { headers: { "if-match": etag } });
  assert.equal(failed.status, 412);
  assert.equal(failed.code, "PreconditionFailed");
});

test("HEAD needs a URL of its own, as at S3, and answers without a body", async () => {
  const head = await ask(cloud.presign(BUCKET, "a/fw.bin", 60, "HEAD"), { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(head.headers["content-length"], String(BYTES.length));
  assert.equal(head.headers.etag, MD5);
  assert.equal(head.body.length, 0);
  const wrong = await ask(good(), { method: "HEAD" });
  assert.equal(wrong.status, 403);
  assert.equal(wrong.body.length, 0);
  for (const method of ["PUT", "POST", "DELETE", "OPTIONS"]) {
    const { status, code, headers } = await ask(good(), { method });
    assert.deepEqual([status, code, headers.allow], [405, "MethodNotAllowed", "GET, HEAD"], method);
  }
});

test("URL is good for its seconds by the cloud's clock, and then says that it has expired", async () => {
  const url = good("a/fw.bin", 60);
  running.clock.advance(59_999);
  assert.equal((await ask(url)).status, 200);
  running.clock.advance(1);
  const late = await ask(url);
  assert.equal(late.status, 403);
  assert.equal(late.code, "AccessDenied");
  const body = late.body.toString();
  assert.match(body, /<Message>Request has expired<\/Message><X-Amz-Expires>60<\/X-Amz-Expires>/);
  assert.match(body, /<Expires>2026-01-01T00:01:00.000Z<\/Expires>/);
  for (const seconds of [0, 604_801, 1.5]) {
    assert.throws(() => good("a/fw.bin", seconds), S3Error, String(seconds));
  }
});

test("changed URL is refused, whatever was changed", async () => {
  cloud.putObject(BUCKET, "a/other.bin", BYTES);
  const url = good();
  const signature = /X-Amz-Signature=(\w+)/.exec(url)![1]!;
  const flipped = (signature[0] === "0" ? "1" : "0") + signature.slice(1);
  const changes: [string, string][] = [
    [signature, flipped],
    [signature, signature.slice(1)],
    [signature, ""],
    ["fw.bin", "other.bin"],
    ["X-Amz-Expires=60", "X-Amz-Expires=3600"],
    ["X-Amz-Date=2026", "X-Amz-Date=2027"],
    ["aws4_request", "aws5_request"],
    ["X-Amz-Security-Token=I", "X-Amz-Security-Token=J"],
    ["?", "?x=1&"],
  ];
  for (const [old, changed] of changes) {
    const { status, code } = await ask(url.replace(old, changed));
    assert.deepEqual([status, code], [403, "SignatureDoesNotMatch"], `${old} to ${changed}`);
  }
  const elsewhere = await ask(url, { headers: { host: "example.org" } });
  assert.equal(elsewhere.code, "SignatureDoesNotMatch");
});

test("request without a signature, or with half of one, gets nothing", async () => {
  const plain = `${cloud.filesUrl}/${BUCKET}/a/fw.bin`;
  for (const url of [plain, `${plain}?x=1`, cloud.filesUrl, `${cloud.filesUrl}/${BUCKET}`]) {
    const { status, code } = await ask(url);
    assert.deepEqual([status, code], [403, "AccessDenied"], url);
  }
  for (const name of ["Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires"]) {
    const url = good().replace(new RegExp(`X-Amz-${name}=[^&]*`), "");
    const { status, code, body } = await ask(url);
    assert.deepEqual([status, code], [400, "AuthorizationQueryParametersError"], name);
    assert.match(body.toString(), new RegExp(`missing: X-Amz-${name}`));
  }
  for (const [old, changed] of [
    [/X-Amz-Date=\w+/, "X-Amz-Date=today"],
    [/X-Amz-Expires=\d+/, "X-Amz-Expires=-1"],
    [/X-Amz-Expires=\d+/, "X-Amz-Expires=700000"],
  ] as const) {
    assert.equal((await ask(good().replace(old, changed))).status, 400, changed);
  }
  for (const path of [`/${BUCKET}/%zz`, `/${BUCKET}/a?%zz=1`, "*"]) {
    const { status, code } = await ask(plain, { path });
    assert.deepEqual([status, code], [400, "InvalidURI"], path);
  }
});

test("no path leads out of a bucket, signed or not", async () => {
  writeFileSync(join(running.dir, "secret.bin"), "secret");
  mkdirSync(join(running.dir, "files", BUCKET, "directory"), { recursive: true });
  const { search } = new URL(good());
  for (const way of ["/../../secret.bin", "/..%2f..%2fsecret.bin", "/a/../../../secret.bin"]) {
    const reply = await ask(good(), { path: `/${BUCKET}${way}${search}` });
    assert.equal(reply.status, 403, way);
  }
  for (const key of [
    "../../secret.bin",
    "..",
    ".",
    "",
    "a//fw.bin",
    "a\\fw.bin",
    "directory",
    "a",
  ]) {
    const url = cloud.presign(BUCKET, key, 60);
    const { pathname } = /https:\/\/[^/]+(?<pathname>\/[^?]*)/.exec(url)!.groups!;
    const path = `${pathname}${url.slice(url.indexOf("?"))}`;
    const { status, code } = await ask(cloud.filesUrl, { path });
    assert.deepEqual([status, code], [404, "NoSuchKey"], key);
  }
  const bucket = await ask(cloud.filesUrl, {
    path: cloud.presign("..", "registry.json", 60).slice(cloud.filesUrl.length),
  });
  assert.deepEqual([bucket.status, bucket.code], [404, "NoSuchBucket"]);
});

test("object that is not there gets a URL all the same, and 404 later", async () => {
  const key = "absent & <gone>.bin";
  const { status, code, body } = await ask(good(key));
  assert.deepEqual([status, code], [404, "NoSuchKey"]);
  assert.match(body.toString(), /<Key>absent &amp; &lt;gone&gt;\.bin<\/Key>/);
  const elsewhere = await ask(cloud.presign("no-such-bucket", "key", 60));
  assert.deepEqual([elsewhere.status, elsewhere.code], [404, "NoSuchBucket"]);
});

test("objects are copied from bytes and from files, under any name that a file can have", async () => {
  const path = join(temporaryDirectory(), "file.bin");
  writeFileSync(path, BYTES);
  const { sizeBytes, etag } = cloud.putObject(BUCKET, "copy.bin", path);
  assert.deepEqual([sizeBytes, etag], [BYTES.length, MD5]);
  assert.equal((await ask(good("copy.bin"))).headers.etag, MD5);
  for (const key of ["ein Bär (2)+'!'*.bin", ".hidden", "100%.bin", "a=b&c.bin"]) {
    cloud.putObject(BUCKET, key, Buffer.from(key));
    const { status, body } = await ask(good(key));
    assert.deepEqual([status, body.toString()], [200, key]);
  }
  const refusals: [string, string, string][] = [
    ["Upper", "k", "InvalidBucketName"],
    ["..", "k", "InvalidBucketName"],
    ["a..b", "k", "InvalidBucketName"],
    ["ab", "k", "InvalidBucketName"],
    ["b".repeat(64), "k", "InvalidBucketName"],
    [BUCKET, "../k", "InvalidRequest"],
    [BUCKET, "", "InvalidRequest"],
    [BUCKET, "k/", "InvalidRequest"],
    [BUCKET, "k".repeat(256), "InvalidRequest"],
    [BUCKET, "a/fw.bin/more", "InvalidRequest"],
    [BUCKET, "a", "InvalidRequest"],
    [BUCKET, "k/".repeat(600), "KeyTooLongError"],
  ];
  for (const [bucket, key, code] of refusals) {
    assert.throws(() => cloud.putObject(bucket, key, BYTES), { code }, `${bucket}/${key}`);
  }
  assert.throws(() => cloud.putObject(BUCKET, "k", "/no/such/file"), { code: "ENOENT" });
  const buckets = readdirSync(join(running.dir, "files"));
  assert.deepEqual(buckets, [BUCKET]);
});

test("each request is an event, with the path but never with the signature", async () => {
  const events: FileEvent[] = [];
  const listener = (event: FileEvent) => events.push(event);
  cloud.on("file", listener);
  await ask(good(), { headers: { range: "bytes=0-9" } });
  await ask(`${cloud.filesUrl}/${BUCKET}/a/fw.bin?X-Amz-Signature=0`);
  while (events.length < 2) await once(cloud, "file");
  cloud.off("file", listener);
  const common = { thingName: null, jobId: null, method: "GET", path: `/${BUCKET}/a/fw.bin` };
  assert.deepEqual(
    events.map(({ ipAddress, ...event }) => event),
    [
      { ...common, range: "bytes=0-9", status: 206, code: null, bytes: 10, complete: true },
      {
        ...{ ...common, range: null, status: 400, code: "AuthorizationQueryParametersError" },
        ...{ bytes: 0, complete: true },
      },
    ],
  );
  assert.match(events[0]!.ipAddress, /127\.0\.0\.1|::1/);
});

/** Lets only so many bytes of the body out, and then ends the connection. */
function cutAfter(response: ServerResponse, bytesMax: number): void {
  const write = response.write.bind(response);
  let left = bytesMax;
  response.write = (chunk: Buffer) => {
    const isWritten = write(chunk.subarray(0, left));
    left -= chunk.length;
    if (left <= 0) setImmediate(() => response.destroy());
    return isWritten;
  };
}

test("hook can delay, cut, corrupt and redirect answers", async () => {
  try {
    onRequest = (_, response) => response.writeHead(302, { location: good("a/fw.bin") }).end();
    const redirect = await ask(good("elsewhere.bin"));
    onRequest = (_request, response, serve) => {
      cutAfter(response, 1000);
      serve();
    };
    const cut = once(cloud, "file");
    await assert.rejects(ask(good()), /aborted|ECONNRESET|socket hang up/);
    assert.equal((await cut)[0].complete, false);
    onRequest = (_request, response, serve) => {
      const write = response.write.bind(response);
      response.write = (chunk: Buffer) => write(Buffer.from(chunk).fill(0, 0, 1));
      setTimeout(serve, 5);
    };
    const corrupt = await ask(good());
    assert.equal(corrupt.body.length, BYTES.length);
    assert.ok(!corrupt.body.equals(BYTES));
    onRequest = null;
    assert.equal(redirect.status, 302);
    assert.ok((await ask(redirect.headers.location!)).body.equals(BYTES));
  } finally {
    onRequest = null;
  }
});

test("client that does not trust the CA is named as a broken rule", async () => {
  const refused = new Promise((resolve) => {
    request(good(), { agent: false }).on("error", resolve).end();
  });
  assert.match(String(await refused), /certificate/i);
  const { detail } = await running.broken("tls-handshake");
  assert.match(detail, /file server: .*trust/);
});

test("port and secret outlive a restart, and a port that is taken is replaced", async () => {
  const dir = temporaryDirectory();
  const first = await startCloud({ dir });
  first.cloud.putObject(BUCKET, "kept.bin", BYTES);
  const url = first.cloud.presign(BUCKET, "kept.bin", 3600);
  const { filesPort } = first.cloud;
  await first.cloud.close();
  assert.equal(statSync(join(dir, "files.json")).mode & 0o777, 0o600);
  const second = await startCloud({ dir });
  assert.equal(second.cloud.filesPort, filesPort);
  cloud = second.cloud;
  assert.ok((await ask(url)).body.equals(BYTES));
  await second.cloud.close();
  const squatter = createServer().listen(filesPort, "127.0.0.1");
  await once(squatter, "listening");
  const third = await startCloud({ dir });
  assert.notEqual(third.cloud.filesPort, filesPort);
  await third.cloud.close();
  await assert.rejects(startCloud({ dir, filesPort }), { code: "EADDRINUSE" });
  squatter.close();
  await once(squatter, "close");
  const fourth = await startCloud({ dir, filesPort });
  assert.equal(fourth.cloud.filesPort, filesPort);
  cloud = running.cloud;
});

test("second cloud on a directory that is refused does not change the port of the first", async () => {
  const state = readFileSync(join(running.dir, "files.json"), "utf8");
  await assert.rejects(startCloud({ dir: running.dir }), /another cloud runs on/);
  assert.equal(readFileSync(join(running.dir, "files.json"), "utf8"), state);
});

const hasCurl = ["/usr/bin/curl", "/bin/curl", "/usr/local/bin/curl"].some(existsSync);
const skip = hasCurl || process.env.CI ? false : "curl is not installed";

test("curl downloads with a presigned URL, and resumes", { skip }, async () => {
  const output = join(temporaryDirectory(), "out.bin");
  writeFileSync(output, BYTES.subarray(0, 123_456));
  const common = ["--silent", "--show-error", "--fail", "--cacert", cloud.paths.ca];
  const argv = [...common, "--continue-at", "-", "--output", output, good()];
  await new Promise<void>((resolve, reject) => {
    execFile("curl", argv, (error) => (error === null ? resolve() : reject(error)));
  });
  assert.ok(readFileSync(output).equals(BYTES));
});
