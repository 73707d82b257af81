// The judge of the jobs service: the official AWS IoT Device SDK's jobs client against the local cloud.
// A job from its notification to its end, each refusal in AWS's shape, and both streams.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { iotjobs } from "aws-iot-device-sdk-v2";
import { connectSdk, openStreams, SDK_OPTIONS, sdkRefusal } from "./cloud_services_support.js";
import { cleanUp, onCleanUp, startCloud, type TestCloud } from "./cloud_support.js";

const { JobStatus } = iotjobs.model;
type Refusal = iotjobs.model.V2ErrorResponse;

let running: TestCloud;

before(async () => {
  running = await startCloud();
});
after(cleanUp);

async function jobsClient(thingName: string): Promise<iotjobs.IotJobsClientv2> {
  const connection = await connectSdk(running, thingName);
  const client = iotjobs.IotJobsClientv2.newFromMqtt311(connection, SDK_OPTIONS);
  onCleanUp(() => client.close());
  return client;
}

const document = { action: "blink", count: 3 };

test("sdk jobs client takes two jobs in the order of their creation, from pending to SUCCEEDED", async () => {
  const thingName = "sdk-jobs";
  const client = await jobsClient(thingName);
  const nothing = await client.startNextPendingJobExecution({ thingName });
  assert.equal(nothing.execution, undefined);
  running.cloud.createJob({ jobId: "order-2nd", things: [thingName], document });
  running.cloud.createJob({ jobId: "order-1st", things: [thingName], document });
  const pending = await client.getPendingJobExecutions({ thingName });
  assert.deepEqual(
    pending.queuedJobs!.map(({ jobId }) => jobId),
    ["order-2nd", "order-1st"],
  );
  assert.deepEqual(pending.inProgressJobs, []);
  const { execution } = await client.startNextPendingJobExecution({
    thingName,
    statusDetails: { step: "started" },
  });
  assert.equal(execution!.jobId, "order-2nd");
  assert.equal(execution!.status, "IN_PROGRESS");
  assert.equal(execution!.versionNumber, 2);
  assert.deepEqual(execution!.jobDocument, document);
  const described = await client.describeJobExecution({
    thingName,
    jobId: "order-2nd",
    includeJobDocument: true,
  });
  assert.equal(described.execution!.thingName, thingName);
  assert.deepEqual(described.execution!.statusDetails, { step: "started" });
  const updated = await client.updateJobExecution({
    thingName,
    jobId: "order-2nd",
    status: JobStatus.SUCCEEDED,
    statusDetails: { step: "done" },
    expectedVersion: 2,
    includeJobExecutionState: true,
    includeJobDocument: true,
  });
  assert.equal(updated.executionState!.status, "SUCCEEDED");
  assert.equal(updated.executionState!.versionNumber, 3);
  assert.deepEqual(updated.jobDocument, document);
  const next = await client.startNextPendingJobExecution({ thingName });
  assert.equal(next.execution!.jobId, "order-1st");
  assert.equal(running.cloud.describeJob("order-2nd").status, "COMPLETED");
  assert.equal(running.cloud.describeJob("order-1st").status, "IN_PROGRESS");
});

test("sdk jobs client is refused for a wrong version, a wrong transition and an unknown job", async () => {
  const thingName = "sdk-jobs-refused";
  const client = await jobsClient(thingName);
  running.cloud.createJob({ jobId: "refused", things: [thingName], document });
  const request = { thingName, jobId: "refused", status: JobStatus.IN_PROGRESS };
  const mismatch = await sdkRefusal<Refusal>(
    client.updateJobExecution({ ...request, expectedVersion: 7 }),
  );
  assert.equal(mismatch.code, "VersionMismatch");
  assert.deepEqual(mismatch.executionState, { status: "QUEUED", versionNumber: 1 });
  await client.updateJobExecution({ ...request, status: JobStatus.FAILED, expectedVersion: 1 });
  const transition = await sdkRefusal<Refusal>(client.updateJobExecution(request));
  assert.equal(transition.code, "InvalidStateTransition");
  assert.deepEqual(transition.executionState, { status: JobStatus.FAILED, versionNumber: 2 });
  const ended = await sdkRefusal<Refusal>(
    client.describeJobExecution({ thingName, jobId: "refused" }),
  );
  assert.equal(ended.code, "TerminalStateReached");
  const absent = await sdkRefusal<Refusal>(
    client.describeJobExecution({ thingName, jobId: "absent" }),
  );
  assert.equal(absent.code, "ResourceNotFound");
  const invalid = await sdkRefusal<Refusal>(
    client.updateJobExecution({ ...request, status: JobStatus.CANCELED }),
  );
  assert.equal(invalid.code, "InvalidRequest");
  assert.match(invalid.message!, /CANCELED/);
});

test("sdk jobs client's streams bring every change of the list, and only changes of the next job", async () => {
  const thingName = "sdk-jobs-streams";
  const { list, next } = await openStreams(running, { thingName, streams: ["list", "next"] });
  const { cloud } = running;
  cloud.createJob({ jobId: "stream-1", things: [thingName], document });
  const first = await next();
  assert.equal(first.execution.jobId, "stream-1");
  assert.deepEqual(first.execution.jobDocument, document);
  assert.deepEqual(Object.keys((await list()).jobs), ["QUEUED"]);
  cloud.createJob({ jobId: "stream-2", things: [thingName], document });
  assert.equal((await list()).jobs.QUEUED.length, 2);
  cloud.cancelJob("stream-1");
  // The second job did not change which job is next, its predecessor's end does.
  assert.equal((await next()).execution.jobId, "stream-2");
  assert.equal((await list()).jobs.QUEUED.length, 1);
  cloud.cancelJob("stream-2");
  assert.deepEqual((await list()).jobs, {});
  assert.equal((await next()).execution, undefined);
});
