// What time, cancellation, groups and failures do to jobs: time-outs, rollout rates and the abort
// threshold under a clock that the test moves; notifications that go with them; a restart between.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { LocalCloud } from "../../host-node/src/cloud/index.js";
import { Thing } from "./cloud_services_support.js";
import { cleanUp, issue, startCloud } from "./cloud_support.js";

after(cleanUp);

const MINUTE_MS = 60_000;
const document = { action: "blink" };

/** A cloud with things that never connect, all in the group "all". */
async function fleet(count: number) {
  const running = await startCloud();
  const { cloud } = running;
  const things = Array.from({ length: count }, (_, i) => `t${i}`);
  cloud.createGroup("all");
  // One certificate's key pair is enough work for a test: things come from the registry.
  for (const thingName of things) await issue(cloud, { thingName });
  for (const thing of things) cloud.addToGroup(thing, "all");
  return { ...running, things };
}

function counts(cloud: LocalCloud, jobId: string): string {
  const details = cloud.describeJob(jobId).jobProcessDetails;
  return Object.entries(details)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name.slice("numberOf".length, -"Things".length)} ${count}`)
    .join(", ");
}

test("execution times out after its minutes in progress, at AWS's next look, and the device is told", async () => {
  const running = await startCloud();
  const { cloud, clock } = running;
  const device = await Thing.connect(running, "slow");
  cloud.createJob({
    jobId: "limited",
    things: ["slow"],
    document,
    timeoutConfig: { inProgressTimeoutInMinutes: 2 },
  });
  clock.advance(5 * MINUTE_MS + 20_000);
  // Queued is not in progress.
  assert.equal(cloud.listExecutions("limited")[0]!.status, "QUEUED");
  await device.ask("jobs/start-next", { stepTimeoutInMinutes: 10 });
  assert.equal(cloud.listExecutions("limited")[0]!.approximateSecondsBeforeTimedOut, 120);
  await device.settle();
  // Due at 20 s past a minute; AWS's look comes with the full minute.
  clock.advance(2 * MINUTE_MS + 39_999);
  assert.equal(cloud.listExecutions("limited")[0]!.status, "IN_PROGRESS");
  clock.advance(1);
  assert.equal(cloud.listExecutions("limited")[0]!.status, "TIMED_OUT");
  assert.deepEqual((await device.next("jobs/notify")).jobs, {});
  assert.equal((await device.next("jobs/notify-next")).execution, undefined);
  const late = await device.refused("jobs/limited/update", { status: "SUCCEEDED" });
  assert.equal(late.code, "InvalidStateTransition");
  // The service's change is no update by the device: the version is that of the start.
  assert.deepEqual(late.executionState, { status: "TIMED_OUT", versionNumber: 2 });
  assert.equal(cloud.describeJob("limited").status, "COMPLETED");
});

test("step timer is set, set again, left alone and stopped by updates", async () => {
  const running = await startCloud({ limits: { jobTimeoutLatenessMs: 0 } });
  const { cloud, clock } = running;
  const device = await Thing.connect(running, "stepper");
  cloud.createJob({ jobId: "steps", things: ["stepper"], document });
  const status = () => cloud.listExecutions("steps")[0]!.status;
  await device.ask("jobs/start-next", { stepTimeoutInMinutes: 2 });
  const update = (fields: object) =>
    device.ask("jobs/steps/update", { status: "IN_PROGRESS", ...fields });
  clock.advance(MINUTE_MS);
  await update({ stepTimeoutInMinutes: 2 });
  clock.advance(2 * MINUTE_MS - 1);
  await update({});
  assert.equal(status(), "IN_PROGRESS");
  await update({ stepTimeoutInMinutes: -1 });
  clock.advance(10 * MINUTE_MS);
  assert.equal(status(), "IN_PROGRESS");
  await update({ stepTimeoutInMinutes: 1 });
  await device.ask("jobs/start-next", { stepTimeoutInMinutes: 3 });
  clock.advance(3 * MINUTE_MS - 1);
  assert.equal(status(), "IN_PROGRESS");
  clock.advance(1);
  assert.equal(status(), "TIMED_OUT");
});

test("cancellation spares what is under way unless forced, and the device hears of either", async () => {
  const running = await startCloud();
  const { cloud } = running;
  const device = await Thing.connect(running, "worker");
  await issue(cloud, { thingName: "idle" });
  cloud.createJob({ jobId: "first", things: ["worker", "idle"], document });
  await device.ask("jobs/start-next");
  await device.settle();
  assert.equal(cloud.cancelJob("first", { comment: "enough" }).status, "CANCELED");
  assert.equal(counts(cloud, "first"), "InProgress 1, Canceled 1");
  assert.equal(cloud.describeJob("first").comment, "enough");
  assert.deepEqual(await device.settle(), []);
  assert.throws(() => cloud.cancelJob("first"), /CANCELED already/);
  cloud.cancelJob("first", { force: true });
  assert.deepEqual((await device.next("jobs/notify")).jobs, {});
  assert.equal((await device.next("jobs/notify-next")).execution, undefined);
  const refusal = await device.refused("jobs/first/update", { status: "SUCCEEDED" });
  assert.equal(refusal.code, "InvalidStateTransition");
  assert.deepEqual(refusal.executionState, { status: "CANCELED", versionNumber: 2 });
  const forced = cloud.listExecutions("first").map((execution) => execution.forceCanceled);
  assert.deepEqual(forced, [true, false]);
  cloud.createJob({ jobId: "second", things: ["worker"], document });
  await device.ask("jobs/start-next");
  cloud.cancelJob("second");
  // What was spared may end, and the job stays cancelled.
  await device.ask("jobs/second/update", { status: "SUCCEEDED" });
  assert.equal(counts(cloud, "second"), "Succeeded 1");
  assert.equal(cloud.describeJob("second").status, "CANCELED");
});

test("deletion of a running job needs force, takes its executions, and frees its id", async () => {
  const running = await startCloud();
  const { cloud } = running;
  const device = await Thing.connect(running, "deleted");
  cloud.createJob({ jobId: "doomed", things: ["deleted"], document });
  cloud.createJob({ jobId: "heir", things: ["deleted"], document });
  await device.ask("jobs/start-next");
  await device.settle();
  assert.throws(() => cloud.deleteJob("doomed"), /IN_PROGRESS; cancel it first, or force/);
  cloud.deleteJob("doomed", { force: true });
  assert.equal((await device.next("jobs/notify-next")).execution.jobId, "heir");
  const refusal = await device.refused("jobs/doomed/update", { status: "SUCCEEDED" });
  assert.equal(refusal.code, "ResourceNotFound");
  assert.throws(() => cloud.describeJob("doomed"), /does not exist/);
  cloud.createJob({ jobId: "doomed", things: ["deleted"], document });
  assert.equal(cloud.listExecutions("doomed")[0]!.status, "QUEUED");
  cloud.cancelJob("doomed");
  cloud.deleteJob("doomed");
  assert.deepEqual(
    cloud.listJobs().map(({ jobId }) => jobId),
    ["heir"],
  );
});

test("snapshot job reaches the members of its creation, a continuous one those who come and go", async () => {
  const { cloud, things } = await fleet(2);
  await issue(cloud, { thingName: "late" });
  cloud.createJob({ jobId: "snapshot", groups: ["all"], things: ["t0"], document });
  cloud.createJob({
    jobId: "continuous",
    groups: ["all"],
    targetSelection: "CONTINUOUS",
    document,
  });
  cloud.addToGroup("late", "all");
  const reached = (jobId: string) =>
    cloud.listExecutions(jobId).map(({ thingName, status }) => `${thingName} ${status}`);
  assert.deepEqual(reached("snapshot"), ["t0 QUEUED", "t1 QUEUED"]);
  assert.deepEqual(reached("continuous"), ["t0 QUEUED", "t1 QUEUED", "late QUEUED"]);
  cloud.removeFromGroup("t1", "all");
  assert.deepEqual(reached("snapshot"), ["t0 QUEUED", "t1 QUEUED"]);
  assert.deepEqual(reached("continuous"), ["t0 QUEUED", "t1 REMOVED", "late QUEUED"]);
  cloud.addToGroup("t1", "all");
  const again = cloud.listExecutions("continuous").find(({ thingName }) => thingName === "t1")!;
  assert.equal(again.status, "QUEUED");
  assert.equal(again.executionNumber, 2);
  assert.equal(things.length, 2);
});

test("groups are named, listed with their things, and refused when unknown or made twice", async () => {
  const { cloud } = await fleet(1);
  cloud.createGroup("empty");
  assert.deepEqual(
    cloud.groups().map(({ name, things }) => [name, things]),
    [
      ["all", ["t0"]],
      ["empty", []],
    ],
  );
  assert.throws(() => cloud.createGroup("all"), /exists already/);
  assert.throws(() => cloud.createGroup("a b"), /1 to 128/);
  assert.throws(() => cloud.addToGroup("t0", "nowhere"), /Group nowhere/);
  assert.throws(() => cloud.addToGroup("nobody", "all"), /Thing nobody/);
  cloud.createJob({ jobId: "nobody-there", groups: ["empty"], document });
  assert.equal(cloud.describeJob("nobody-there").status, "COMPLETED");
});

test("constant rollout reaches its rate of things each minute, and a restart keeps the pace", async () => {
  const { cloud, clock, dir } = await fleet(5);
  cloud.createJob({
    jobId: "paced",
    groups: ["all"],
    document,
    jobExecutionsRolloutConfig: { maximumPerMinute: 2 },
  });
  assert.equal(counts(cloud, "paced"), "Queued 2, Waiting 3");
  clock.advance(MINUTE_MS - 1);
  assert.equal(counts(cloud, "paced"), "Queued 2, Waiting 3");
  clock.advance(1);
  assert.equal(counts(cloud, "paced"), "Queued 4, Waiting 1");
  await cloud.close();
  const second = await startCloud({ dir });
  // The new process's clock starts where the first one's did: a minute and a half must pass again.
  assert.equal(counts(second.cloud, "paced"), "Queued 4, Waiting 1");
  second.clock.advance(2 * MINUTE_MS);
  assert.equal(counts(second.cloud, "paced"), "Queued 5");
});

test("exponential rollout grows with the things notified, up to its maximum", async () => {
  const { cloud, clock } = await fleet(12);
  cloud.createJob({
    jobId: "growing",
    groups: ["all"],
    document,
    jobExecutionsRolloutConfig: {
      maximumPerMinute: 5,
      exponentialRate: {
        baseRatePerMinute: 1,
        incrementFactor: 2,
        rateIncreaseCriteria: { numberOfNotifiedThings: 1 },
      },
    },
  });
  const reached = [cloud.listExecutions("growing").length];
  for (let minute = 0; minute < 3; minute++) {
    clock.advance(MINUTE_MS);
    reached.push(cloud.listExecutions("growing").length);
  }
  assert.deepEqual(reached, [1, 3, 8, 12]);
});

test("job is aborted when the share of failures reaches the threshold, and not before the minimum", async () => {
  const running = await startCloud();
  const { cloud } = running;
  cloud.createGroup("all");
  const devices: Thing[] = [];
  for (const name of ["a", "b", "c", "d"]) {
    devices.push(await Thing.connect(running, name));
    cloud.addToGroup(name, "all");
  }
  const criteria = { action: "CANCEL", minNumberOfExecutedThings: 4 } as const;
  cloud.createJob({
    jobId: "risky",
    groups: ["all"],
    document,
    abortConfig: {
      criteriaList: [
        { ...criteria, failureType: "REJECTED", thresholdPercentage: 1 },
        { ...criteria, failureType: "FAILED", thresholdPercentage: 50 },
      ],
    },
  });
  await devices[0]!.ask("jobs/risky/update", { status: "FAILED" });
  await devices[1]!.ask("jobs/start-next");
  assert.equal(cloud.describeJob("risky").status, "IN_PROGRESS");
  await devices[2]!.ask("jobs/risky/update", { status: "FAILED" });
  const job = cloud.describeJob("risky");
  assert.equal(job.status, "CANCELED");
  assert.equal(job.reasonCode, "ABORT_THRESHOLD_EXCEEDED");
  assert.match(job.comment!, /50 % FAILED/);
  assert.equal(counts(cloud, "risky"), "InProgress 1, Failed 2, Canceled 1");
  assert.deepEqual((await devices[3]!.ask("jobs/get")).queuedJobs, []);
  await devices[1]!.ask("jobs/risky/update", { status: "SUCCEEDED" });
});

test("abort criteria of all failures stop a rollout before it reaches everybody", async () => {
  const running = await startCloud({ limits: { jobTimeoutLatenessMs: 0 } });
  const { cloud, clock } = running;
  const device = await Thing.connect(running, "canary");
  await issue(cloud, { thingName: "spared" });
  cloud.createJob({
    jobId: "canary-job",
    things: ["canary", "spared"],
    document,
    jobExecutionsRolloutConfig: { maximumPerMinute: 1 },
    timeoutConfig: { inProgressTimeoutInMinutes: 1 },
    abortConfig: {
      criteriaList: [
        {
          failureType: "ALL",
          action: "CANCEL",
          thresholdPercentage: 100,
          minNumberOfExecutedThings: 1,
        },
      ],
    },
  });
  await device.ask("jobs/start-next");
  clock.advance(MINUTE_MS);
  assert.equal(cloud.describeJob("canary-job").status, "CANCELED");
  assert.equal(counts(cloud, "canary-job"), "TimedOut 1");
});

test("jobs, executions, timers and groups survive a restart", async () => {
  const first = await startCloud({ limits: { jobTimeoutLatenessMs: 0 } });
  const device = await Thing.connect(first, "survivor");
  first.cloud.createGroup("kept");
  first.cloud.createJob({
    jobId: "continuous",
    groups: ["kept"],
    targetSelection: "CONTINUOUS",
    document,
  });
  first.cloud.createJob({ jobId: "running", things: ["survivor"], document });
  await device.ask("jobs/start-next", { stepTimeoutInMinutes: 2, statusDetails: { a: "1" } });
  const before = [first.cloud.describeJob("running"), first.cloud.listExecutions("running")];
  await first.cloud.close();
  const second = await startCloud({ dir: first.dir, limits: { jobTimeoutLatenessMs: 0 } });
  const { cloud, clock } = second;
  assert.deepEqual([cloud.describeJob("running"), cloud.listExecutions("running")], before);
  cloud.addToGroup("survivor", "kept");
  assert.equal(cloud.listExecutions("continuous").length, 1);
  clock.advance(2 * MINUTE_MS);
  assert.equal(cloud.listExecutions("running")[0]!.status, "TIMED_OUT");
  assert.equal(cloud.describeJob("running").status, "COMPLETED");
});

test("thing that provisions itself into a group by its template gets the group's continuous jobs", async () => {
  const running = await startCloud();
  const { cloud } = running;
  cloud.createGroup("born");
  cloud.createJob({
    jobId: "welcome",
    groups: ["born"],
    targetSelection: "CONTINUOUS",
    document,
  });
  cloud.putTemplate("grouped", {
    Parameters: { "AWS::IoT::Certificate::Id": { Type: "String" } },
    Resources: {
      thing: {
        Type: "AWS::IoT::Thing",
        Properties: { ThingName: "newborn", ThingGroups: ["born"] },
      },
      certificate: {
        Type: "AWS::IoT::Certificate",
        Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
      },
    },
  });
  const claimant = await Thing.connect(running, "claimant");
  await claimant.client.subscribeAsync("$aws/certificates/#");
  await claimant.client.subscribeAsync("$aws/provisioning-templates/#");
  const answers: string[] = [];
  const provisioned = new Promise<void>((resolve) => {
    cloud.once("provisioned", () => resolve());
  });
  claimant.client.on("message", (topic, payload) => {
    answers.push(topic);
    if (topic !== "$aws/certificates/create/json/accepted") return;
    const { certificateOwnershipToken } = JSON.parse(payload.toString()) as Record<string, string>;
    const request = JSON.stringify({ certificateOwnershipToken, parameters: {} });
    claimant.client.publish("$aws/provisioning-templates/grouped/provision/json", request);
  });
  claimant.client.publish("$aws/certificates/create/json", "");
  await provisioned;
  assert.deepEqual(
    cloud.listExecutions("welcome").map(({ thingName }) => thingName),
    ["newborn"],
  );
});
