// Updates through the library: every form of placeholder becomes a presigned URL, anew each time,
// and createUpdate makes the file, the document and the job that a device is to find.

import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ABI_VERSION } from "../../host-node/src/abi.js";
import type { FileEvent, LocalCloud, UpdateOptions } from "../../host-node/src/cloud/index.js";
import { UNSIGNED_WARNING } from "../../host-node/src/cloud/updates.js";
import { makeKeyPair, parseSignature, verifyImage } from "../../host-node/src/image/index.js";
import { Thing } from "./cloud_services_support.js";
import { cleanUp, startCloud, type TestCloud, temporaryDirectory } from "./cloud_support.js";
import { patched, sampleModule } from "./image_support.js";
import { download, IMAGE, MODULE, sha256, UpdatingDevice } from "./ota_support.js";

let running: TestCloud;
let cloud: LocalCloud;
let made = 0;
const keys = makeKeyPair();

before(async () => {
  running = await startCloud();
  cloud = running.cloud;
});
after(cleanUp);

const newThing = () => Thing.connect(running, `update-${++made}`);
const placeholder = (text: string) => `${"$"}{aws:iot:${text}}`;

test("each form of a placeholder becomes a URL that gives the object, another one each time", async () => {
  cloud.putObject("my-bucket", "some/fw.bin", Buffer.from("object"));
  const device = await newThing();
  const forms = [
    "s3-presigned-url:https://s3.eu-west-1.amazonaws.com/my-bucket/some/fw.bin",
    "s3-presigned-url:https://s3.amazonaws.com/my-bucket/some/fw.bin",
    "s3-presigned-url:https://s3-us-west-2.amazonaws.com/my-bucket/some/fw.bin",
    "s3-presigned-url:https://my-bucket.s3.eu-west-1.amazonaws.com/some/fw.bin",
    "s3-presigned-url:https://my-bucket.s3.amazonaws.com/some/fw.bin",
    "s3-presigned-url-v2:https://my-bucket.s3.eu-west-1.amazonaws.com/some/fw.bin",
    "s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/my-bucket/some/fw%2Ebin",
  ];
  const document = { urls: forms.map(placeholder) };
  const { jobId } = cloud.createJob({ things: [device.name], document });
  const urlsOf = async (): Promise<string[]> =>
    (await device.ask(`jobs/${jobId}/get`)).execution.jobDocument.urls;
  const first = await urlsOf();
  for (const url of first) {
    assert.ok(url.startsWith(`${cloud.filesUrl}/my-bucket/some/fw.bin?`), url);
    assert.equal(new URL(url).searchParams.get("X-Amz-Expires"), "3600");
    assert.equal((await download(cloud, url)).body.toString(), "object");
  }
  const all = [...first, ...(await urlsOf())];
  assert.equal(new Set(all).size, all.length);
});

test("URL lives as long as the job says, from the moment at which the device asks", async () => {
  cloud.putObject("my-bucket", "fw.bin", Buffer.from("object"));
  const device = await newThing();
  const url = placeholder("s3-presigned-url:https://s3.us-east-1.amazonaws.com/my-bucket/fw.bin");
  const presignedUrlConfig = { expiresInSec: 90 };
  const { jobId } = cloud.createJob({
    ...{ things: [device.name], document: { url }, presignedUrlConfig },
  });
  const asked = async () => (await device.ask(`jobs/${jobId}/get`)).execution.jobDocument.url;
  const old = await asked();
  running.clock.advance(90_000);
  assert.equal((await download(cloud, old)).status, 403);
  assert.equal((await download(cloud, await asked())).status, 200);
});

test("object that is missing when the job is created may come later, and the event names the thing", async () => {
  const device = await newThing();
  const url = placeholder("s3-presigned-url:https://s3.us-east-1.amazonaws.com/new-bucket/new.bin");
  const { jobId } = cloud.createJob({ things: [device.name], document: { url } });
  const { jobDocument } = (await device.ask(`jobs/${jobId}/get`)).execution;
  const event = new Promise<FileEvent>((resolve) => cloud.once("file", resolve));
  assert.equal((await download(cloud, jobDocument.url)).status, 404);
  const { thingName, jobId: itsJob, path, status, code } = await event;
  assert.deepEqual([thingName, itsJob], [device.name, jobId]);
  assert.deepEqual([path, status, code], ["/new-bucket/new.bin", 404, "NoSuchBucket"]);
  cloud.putObject("new-bucket", "new.bin", Buffer.from("late"));
  assert.equal((await download(cloud, jobDocument.url)).body.toString(), "late");
});

test("limit of a document counts it as it was given, not the URLs that replace placeholders", async () => {
  const device = await newThing();
  const url = placeholder("s3-presigned-url:https://s3.us-east-1.amazonaws.com/my-bucket/fw.bin");
  const urls = Array(10).fill(url);
  const bare = JSON.stringify({ urls, fill: "" }).length;
  const sized = (bytes: number) => ({ urls, fill: "x".repeat(bytes - bare) });
  const things = [device.name];
  assert.throws(() => cloud.createJob({ things, document: sized(32_769) }), /32769 bytes, 32768/);
  const { jobId } = cloud.createJob({ things, document: sized(32_768) });
  const { jobDocument } = (await device.ask(`jobs/${jobId}/get`)).execution;
  assert.ok(JSON.stringify(jobDocument).length > 40_000);
});

test("firmware update puts the image, and a document with its fields in order", async () => {
  const device = await UpdatingDevice.connect(running, `update-${++made}`);
  const path = join(temporaryDirectory(), "fw.bin");
  writeFileSync(path, IMAGE);
  const update = cloud.createUpdate({
    ...{ things: [device.thing.name], image: path, privateKeyPem: keys.privateKey },
    ...{ force: true, ratePerMinute: 7, abortPercent: 20, urlLifeSeconds: 600 },
  });
  const { job, object, warnings, ...facts } = update;
  assert.deepEqual(facts, {
    ...{ kind: "firmware", sizeBytes: IMAGE.length, sha256: sha256(IMAGE), isSigned: true },
    ...{ version: "2.0.0", project: "iot32", chip: "esp32c3", abiVersion: 1 },
  });
  assert.deepEqual(object, { bucket: "iot32-updates", key: `${sha256(IMAGE)}.bin` });
  assert.deepEqual(warnings, []);
  const parsed = JSON.parse(job.document);
  const names = ["action", "url", "size", "sha256", "signature", "version", "force"];
  assert.deepEqual(Object.keys(parsed), names);
  const { bucket, key } = object!;
  const url = `https://s3.us-east-1.amazonaws.com/${bucket}/${key}`;
  assert.equal(parsed.url, placeholder(`s3-presigned-url:${url}`));
  verifyImage(IMAGE, parseSignature(parsed.signature), keys.publicKey);
  assert.deepEqual(job.jobExecutionsRolloutConfig, { maximumPerMinute: 7 });
  const criteria = { action: "CANCEL", thresholdPercentage: 20, minNumberOfExecutedThings: 1 };
  assert.deepEqual(job.abortConfig?.criteriaList, [
    { failureType: "FAILED", ...criteria },
    { failureType: "TIMED_OUT", ...criteria },
  ]);
  const { url: given, ...document } = await device.update("SUCCEEDED");
  const { url: _, ...created } = parsed;
  assert.deepEqual(document, created);
  assert.equal(new URL(given).searchParams.get("X-Amz-Expires"), "600");
  assert.equal(cloud.describeJob(job.jobId).status, "COMPLETED");
});

test("module travels by URL or in the document, unsigned with a warning", async () => {
  const device = await newThing();
  const things = [device.name];
  const byUrl = cloud.createUpdate({ things, module: MODULE });
  assert.deepEqual(byUrl.warnings, [UNSIGNED_WARNING]);
  assert.equal(byUrl.object!.key, `${sha256(MODULE)}.wasm`);
  assert.deepEqual(Object.keys(JSON.parse(byUrl.job.document)), [
    "action",
    "url",
    "size",
    "sha256",
  ]);
  const inline = cloud.createUpdate({
    ...{ things, module: MODULE, inline: true, privateKeyPem: keys.privateKey },
  });
  assert.equal(inline.object, null);
  const { jobDocument } = (await device.ask(`jobs/${inline.job.jobId}/get`)).execution;
  const names = ["action", "signature", "size", "sha256", "module"];
  assert.deepEqual(Object.keys(jobDocument), names);
  assert.equal(jobDocument.action, "APP");
  assert.ok(Buffer.from(jobDocument.module, "base64").equals(Buffer.from(MODULE)));
  verifyImage(MODULE, parseSignature(jobDocument.signature), keys.publicKey);
});

test("update that cannot be right is refused, and nothing is uploaded", async () => {
  const device = await newThing();
  const strict = { things: [device.name] };
  const image = patched(IMAGE, 5000, 0xff, 0x00, 0xff);
  const objects = () => readdirSync(join(running.dir, "files", "iot32-updates"));
  const before = objects();
  const large = sampleModule(ABI_VERSION, 25_000);
  const old = sampleModule(1, 501);
  // The mark is 18 bytes of head; a tool that drops custom sections drops it.
  const unmarked = Buffer.concat([MODULE.subarray(0, 8), MODULE.subarray(18)]);
  const other = sampleModule(ABI_VERSION, 502);
  const signature = "A".repeat(86);
  const cases: [UpdateOptions, RegExp][] = [
    [{ image }, /checksum|SHA-256/],
    [{ image: MODULE }, /not 0xe9/],
    [{ module: IMAGE }, /no module of iot32/],
    [{ module: unmarked }, /does not begin with the section by which devices know it/],
    [{ module: old }, /version 1 of the ABI, this is version 3/],
    [
      { module: large, inline: true },
      /25\d{3} bytes makes a job document of \d+ bytes, 32768 allo/,
    ],
    [{}, /either an image or a module/],
    [{ image: IMAGE, module: MODULE }, /either an image or a module/],
    [{ image: IMAGE, inline: true }, /Only a module/],
    [{ module: other, force: true }, /nothing to force/],
    [{ module: other, sha256: "00" }, /has changed/],
    [{ module: other, privateKeyPem: "no key" }, /key/],
    [{ module: other, signature: "AAAA" }, /64 bytes/],
    [{ module: other, signature, privateKeyPem: keys.privateKey }, /not both/],
    [{ module: "/no/such/file" }, /ENOENT/],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => cloud.createUpdate({ ...strict, ...options }), message, String(message));
  }
  assert.deepEqual(objects(), before);
  assert.deepEqual(await device.settle(), []);
  const good = { module: other, privateKeyPem: keys.privateKey };
  const refusals: [UpdateOptions, RegExp][] = [
    [{ ...good, things: ["nobody"] }, /Thing nobody/],
    [{ ...good, ...strict, urlLifeSeconds: 59 }, /60 to 3600/],
    [{ ...good, ...strict, ratePerMinute: 1001 }, /1 to 1000/],
  ];
  for (const [options, message] of refusals) {
    assert.throws(() => cloud.createUpdate(options), message, String(message));
  }
});
