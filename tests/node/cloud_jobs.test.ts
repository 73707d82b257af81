// The jobs service over plain MQTT: who hears an answer, every rejection code, every field and its
// limits, documents byte for byte, and the substitution of placeholders. The SDK judges the rest.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type CreateJobOptions, JobError } from "../../host-node/src/cloud/index.js";
import { Thing } from "./cloud_services_support.js";
import { cleanUp, startCloud, type TestCloud } from "./cloud_support.js";

let running: TestCloud;
let made = 0;

before(async () => {
  running = await startCloud();
});
after(cleanUp);

const newThing = () => Thing.connect(running, `jobs-${++made}`);
const document = { action: "blink" };

/** A thing with one queued job. */
async function withJob(options: Partial<CreateJobOptions> = {}) {
  const device = await newThing();
  const { jobId } = running.cloud.createJob({ document, things: [device.name], ...options });
  return { device, jobId };
}

test("answer reaches the client that asked without a subscription, and nobody else", async () => {
  const { device, jobId } = await withJob();
  const silent = await Thing.connect(running, `silent-${made}`, { subscribed: false });
  const asked = new Promise<string>((resolve) => {
    silent.client.once("message", (topic) => resolve(topic));
  });
  silent.client.publish(device.topic("jobs/start-next"), "{}");
  assert.equal(await asked, device.topic("jobs/start-next/accepted"));
  const topics = await device.settle();
  assert.ok(topics.includes("jobs/notify"), String(topics));
  assert.ok(!topics.some((topic) => topic.includes("accepted")), String(topics));
  assert.equal(running.cloud.listExecutions(jobId)[0]!.status, "IN_PROGRESS");
});

test("requests that make no sense are rejected with AWS's codes", async () => {
  const { device, jobId } = await withJob();
  const cases: [string, string | Buffer | object, string, RegExp][] = [
    ["jobs/stop", {}, "InvalidTopic", /jobs\/stop/],
    [`jobs/${jobId}/delete`, {}, "InvalidTopic", /delete/],
    [`jobs/${jobId}/get/more`, {}, "InvalidTopic", /more/],
    ["jobs/notify", {}, "InvalidTopic", /notify/],
    ["jobs/get", "{", "InvalidJson", /JSON/],
    ["jobs/start-next", Buffer.from('{"clientToken":"\xff"}', "latin1"), "InvalidJson", /UTF-8/],
    ["jobs/get", "[]", "InvalidRequest", /object/],
    ["jobs/get", { clientToken: 1 }, "InvalidRequest", /clientToken/],
    [`jobs/${jobId}/update`, {}, "InvalidRequest", /status is missing/],
    [`jobs/${jobId}/update`, { status: "QUEUED" }, "InvalidRequest", /QUEUED/],
    [`jobs/${jobId}/update`, { status: "TIMED_OUT" }, "InvalidRequest", /TIMED_OUT/],
    [`jobs/${jobId}/update`, { status: 1 }, "InvalidRequest", /status/],
    ["jobs/$next/update", { status: "FAILED" }, "InvalidRequest", /\$next/],
    [`jobs/${"j".repeat(65)}/get`, {}, "InvalidRequest", /1 to 64/],
    ["jobs/a.b/get", {}, "InvalidRequest", /a\.b/],
    ["jobs/absent/get", {}, "ResourceNotFound", /absent/],
    ["jobs/absent/update", { status: "FAILED" }, "ResourceNotFound", /absent/],
    [`jobs/${jobId}/get`, { executionNumber: 2 }, "ResourceNotFound", /number 2/],
    [`jobs/${jobId}/get`, { executionNumber: "1" }, "InvalidRequest", /executionNumber/],
    [`jobs/${jobId}/get`, { includeJobDocument: 1 }, "InvalidRequest", /includeJobDocument/],
  ];
  for (const [suffix, payload, code, message] of cases) {
    const refusal = await device.refused(suffix, payload);
    assert.equal(refusal.code, code, suffix);
    assert.match(refusal.message, message);
    assert.equal(refusal.timestamp, running.clock.now() / 1000);
    assert.equal(refusal.executionState, undefined);
  }
  assert.equal(running.cloud.listExecutions(jobId)[0]!.versionNumber, 1);
});

test("fields of an update are taken at their limits, and refused beyond with the field's name", async () => {
  const { device, jobId } = await withJob();
  const pairs = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, "v"]));
  const good: object[] = [
    { statusDetails: pairs(1) },
    { statusDetails: pairs(10) },
    { statusDetails: { [`${"k".repeat(124)}:_-9`]: "v".repeat(1024) } },
    { stepTimeoutInMinutes: 1 },
    { stepTimeoutInMinutes: 10080 },
    { stepTimeoutInMinutes: -1 },
  ];
  for (const fields of good) {
    await device.ask(`jobs/${jobId}/update`, { status: "IN_PROGRESS", ...fields });
  }
  const bad: [object, RegExp][] = [
    [{ statusDetails: {} }, /1 to 10 pairs/],
    [{ statusDetails: pairs(11) }, /11/],
    [{ statusDetails: [] }, /statusDetails/],
    [{ statusDetails: { ["k".repeat(129)]: "v" } }, /1 to 128/],
    [{ statusDetails: { "a b": "v" } }, /a b/],
    [{ statusDetails: { "": "v" } }, /key/],
    [{ statusDetails: { k: 1 } }, /"k" must be a string/],
    [{ statusDetails: { k: "v".repeat(1025) } }, /1 to 1024/],
    [{ statusDetails: { k: "" } }, /1 to 1024/],
    [{ statusDetails: { k: "a\nb" } }, /control/],
    [{ stepTimeoutInMinutes: 0 }, /1 to 10080/],
    [{ stepTimeoutInMinutes: 10081 }, /10081/],
    [{ stepTimeoutInMinutes: -2 }, /-2/],
    [{ stepTimeoutInMinutes: 1.5 }, /whole/],
    [{ expectedVersion: "1" }, /expectedVersion/],
    [{ includeJobExecutionState: "yes" }, /includeJobExecutionState/],
  ];
  for (const [fields, message] of bad) {
    const refusal = await device.refused(`jobs/${jobId}/update`, {
      status: "IN_PROGRESS",
      ...fields,
    });
    assert.equal(refusal.code, "InvalidRequest");
    assert.match(refusal.message, message);
  }
  assert.equal(running.cloud.listExecutions(jobId)[0]!.versionNumber, 1 + good.length);
});

test("update answers what was asked for: nothing, the state, the document, or both", async () => {
  const { device, jobId } = await withJob();
  const timestamp = running.clock.now() / 1000;
  const update = (fields: object) =>
    device.ask(`jobs/${jobId}/update`, { status: "IN_PROGRESS", clientToken: "u", ...fields });
  const tail = { clientToken: "u", timestamp };
  assert.deepEqual(await update({}), tail);
  assert.deepEqual(await update({ includeJobExecutionState: true }), {
    executionState: { status: "IN_PROGRESS", versionNumber: 3 },
    ...tail,
  });
  assert.deepEqual(await update({ includeJobDocument: true }), { jobDocument: document, ...tail });
  const statusDetails = { progress: "50" };
  const both = await update({
    statusDetails,
    includeJobExecutionState: true,
    includeJobDocument: true,
    executionNumber: 1,
    expectedVersion: 4,
  });
  const executionState = { status: "IN_PROGRESS", statusDetails, versionNumber: 5 };
  assert.deepEqual(both, { executionState, jobDocument: document, ...tail });
  // Details that an update does not name stay.
  const last = await update({ includeJobExecutionState: true });
  assert.deepEqual(last.executionState.statusDetails, statusDetails);
});

test("describe shows the next job, one without its document, and nothing when none is pending", async () => {
  const { device, jobId } = await withJob();
  const timestamp = running.clock.now() / 1000;
  const execution = {
    jobId,
    thingName: device.name,
    status: "QUEUED",
    queuedAt: timestamp,
    lastUpdatedAt: timestamp,
    versionNumber: 1,
    executionNumber: 1,
  };
  const next = await device.ask("jobs/$next/get", { clientToken: "n" });
  const jobDocument = document;
  assert.deepEqual(next, { execution: { ...execution, jobDocument }, clientToken: "n", timestamp });
  const without = await device.ask(`jobs/${jobId}/get`, { includeJobDocument: false });
  assert.deepEqual(without, { execution, timestamp });
  await device.ask(`jobs/${jobId}/update`, { status: "REJECTED" });
  assert.deepEqual(await device.ask("jobs/$next/get"), { timestamp });
  assert.deepEqual(await device.ask("jobs/start-next"), { timestamp });
  const ended = await device.refused(`jobs/${jobId}/get`);
  assert.equal(ended.code, "TerminalStateReached");
});

test("start-next of a job under way keeps its details and version", async () => {
  const { device } = await withJob();
  const first = await device.ask("jobs/start-next", { statusDetails: { a: "1" } });
  running.clock.advance(3000);
  const again = await device.ask("jobs/start-next", { statusDetails: { a: "2" } });
  assert.deepEqual(again.execution, first.execution);
  assert.equal(first.execution.startedAt, first.execution.queuedAt);
});

test("every end refuses every further update, and names the state that it is in", async () => {
  for (const status of ["SUCCEEDED", "FAILED", "REJECTED"]) {
    const { device, jobId } = await withJob();
    await device.ask(`jobs/${jobId}/update`, { status, statusDetails: { why: "x" } });
    for (const next of ["IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"]) {
      const refusal = await device.refused(`jobs/${jobId}/update`, { status: next });
      assert.equal(refusal.code, "InvalidStateTransition");
      const executionState = { status, statusDetails: { why: "x" }, versionNumber: 2 };
      assert.deepEqual(refusal.executionState, executionState);
    }
  }
});

test("list of pending jobs holds ten, those under way first, then as they were queued", async () => {
  const { device } = await withJob({ jobId: `list-${made}-0` });
  for (let i = 1; i <= 11; i++) {
    running.cloud.createJob({ jobId: `list-${made}-${i}`, things: [device.name], document });
  }
  await device.ask(`jobs/list-${made}-11/update`, { status: "IN_PROGRESS" });
  const pending = await device.ask("jobs/get");
  const ids = (jobs: { jobId: string }[]) => jobs.map(({ jobId }) => Number(jobId.split("-")[2]));
  assert.deepEqual(ids(pending.inProgressJobs), [11]);
  assert.deepEqual(ids(pending.queuedJobs), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal((await device.ask("jobs/$next/get")).execution.jobId, `list-${made}-11`);
});

test("document is delivered byte for byte up to 32,768 bytes, and refused at 32,769", async () => {
  const device = await newThing();
  const sized = (bytes: number) => `{ "a": 1, "a" : 2, "t" : "${"é".repeat((bytes - 28) / 2)}"}`;
  const text = sized(32_768);
  assert.equal(Buffer.byteLength(text), 32_768);
  const jobId = "largest";
  const next = device.nextText("jobs/notify-next");
  running.cloud.createJob({ jobId, things: [device.name], document: text });
  assert.ok((await next).includes(`"jobDocument":${text}`));
  await device.send("jobs/start-next", {});
  assert.ok((await device.nextText("jobs/start-next/accepted")).includes(`"jobDocument":${text}`));
  assert.throws(
    () => running.cloud.createJob({ things: [device.name], document: `${text} ` }),
    /32769 bytes, 32768 allowed/,
  );
});

test("job that AWS would refuse is refused with the name of what is wrong", async () => {
  const device = await newThing();
  const good = { things: [device.name], document };
  running.cloud.createJob({ ...good, jobId: "taken" });
  const rate = (fields: object) => ({ jobExecutionsRolloutConfig: fields });
  const abort = (fields: object) => ({
    abortConfig: {
      criteriaList: [
        {
          failureType: "FAILED",
          action: "CANCEL",
          thresholdPercentage: 10,
          minNumberOfExecutedThings: 1,
          ...fields,
        },
      ],
    },
  });
  const placeholder = "$" + "{aws:iot:s3-presigned-url:https://s3/b/k}";
  const other = "$" + "{aws:iot:code-sign-signature:https://s3.us-east-1.amazonaws.com/b/k}";
  const cases: [object, RegExp][] = [
    [{ jobId: "" }, /1 to 64/],
    [{ jobId: "j".repeat(65) }, /1 to 64/],
    [{ jobId: "a b" }, /a b/],
    [{ jobId: "taken" }, /taken exists already/],
    [{ document: "{" }, /not JSON/],
    [{ document: "[]" }, /not a JSON object/],
    [{ document: { url: placeholder } }, /must name an object as .*not as "https:\/\/s3\/b\/k"/],
    [{ document: { seal: other } }, /code-sign-signature.*nothing here can replace/],
    [{ document: { urls: Array(11).fill(placeholder) } }, /11 placeholders/],
    [{ things: [] }, /1 to 100 targets/],
    [{ things: ["nobody"] }, /Thing nobody/],
    [{ groups: ["nowhere"] }, /Group nowhere/],
    [{ targetSelection: "ALL" }, /ALL/],
    [{ description: "x".repeat(2029) }, /2028/],
    [{ timeoutConfig: { inProgressTimeoutInMinutes: 0 } }, /inProgressTimeoutInMinutes/],
    [{ timeoutConfig: { inProgressTimeoutInMinutes: 10081 } }, /10081/],
    [{ presignedUrlConfig: { expiresInSec: 59 } }, /expiresInSec/],
    [{ presignedUrlConfig: { expiresInSec: 3601 } }, /3601/],
    [rate({ maximumPerMinute: 0 }), /maximumPerMinute/],
    [rate({ maximumPerMinute: 1001 }), /1001/],
    [rate({ exponentialRate: { baseRatePerMinute: 0 } }), /baseRatePerMinute/],
    [rate({ exponentialRate: { baseRatePerMinute: 1, incrementFactor: 1 } }), /incrementFactor/],
    [
      rate({
        exponentialRate: { baseRatePerMinute: 1, incrementFactor: 2, rateIncreaseCriteria: {} },
      }),
      /rateIncreaseCriteria/,
    ],
    [abort({ failureType: "LATE" }), /LATE/],
    [abort({ action: "STOP" }), /STOP/],
    [abort({ thresholdPercentage: 0 }), /thresholdPercentage/],
    [abort({ thresholdPercentage: 101 }), /101/],
    [abort({ minNumberOfExecutedThings: 0 }), /minNumberOfExecutedThings/],
  ];
  const count = running.cloud.listJobs().length;
  for (const [fields, message] of cases) {
    assert.throws(
      () => running.cloud.createJob({ ...good, ...fields }),
      (error: unknown) => error instanceof JobError && message.test(error.message),
      String(message),
    );
  }
  assert.equal(running.cloud.listJobs().length, count);
});

test("placeholders are replaced each time the document is asked for, and a failure is an InternalError", async () => {
  let calls = 0;
  let broken = false;
  const substituting = await startCloud({
    substitute: (placeholder, context) => {
      if (broken) throw new Error("no key");
      const query = `?${context.thingName}&${context.jobId}&${context.expiresInSeconds}&${++calls}`;
      return `${placeholder.split("s3-presigned-url:")[1]}${query}"`;
    },
  });
  const device = await Thing.connect(substituting, "fetcher");
  const url = "$" + "{aws:iot:s3-presigned-url:https://s3/b/k}";
  substituting.cloud.createJob({
    jobId: "fetch",
    things: ["fetcher"],
    document: { url, plain: "$" + "{other}" },
    presignedUrlConfig: { expiresInSec: 60 },
  });
  const told = await device.next("jobs/notify-next");
  assert.deepEqual(told.execution.jobDocument, {
    url: 'https://s3/b/k?fetcher&fetch&60&1"',
    plain: "$" + "{other}",
  });
  const asked = await device.ask("jobs/fetch/get");
  assert.match(asked.execution.jobDocument.url, /&2"$/);
  assert.equal(substituting.cloud.describeJob("fetch").document.includes(url), true);
  broken = true;
  const refusal = await device.refused("jobs/$next/get", { clientToken: "x" });
  assert.equal(refusal.code, "InternalError");
  assert.match(refusal.message, /no key/);
  assert.equal(refusal.clientToken, "x");
  await device.ask("jobs/fetch/get", { includeJobDocument: false });
});

test("requests above the rate are throttled, by kind, until time passes", async () => {
  const strict = await startCloud({ limits: { jobRequestsPerSecondMax: 2 } });
  const device = await Thing.connect(strict, "eager");
  await device.ask("jobs/get");
  await device.ask("jobs/get");
  assert.equal((await device.refused("jobs/get")).code, "RequestThrottled");
  await device.ask("jobs/start-next");
  strict.clock.advance(500);
  await device.ask("jobs/get");
});

test("update that cannot be stored is an InternalError, and the execution stays as it was", async () => {
  const { device, jobId } = await withJob({ jobId: "unstored" });
  const directory = join(running.dir, "jobs");
  const file = readdirSync(directory).find((name) => name.startsWith(`${jobId}.`))!;
  mkdirSync(join(directory, `${file}.tmp`));
  const refusal = await device.refused(`jobs/${jobId}/update`, { status: "SUCCEEDED" });
  assert.equal(refusal.code, "InternalError");
  const described = await device.ask(`jobs/${jobId}/get`);
  assert.equal(described.execution.status, "QUEUED");
  assert.equal(described.execution.versionNumber, 1);
});
