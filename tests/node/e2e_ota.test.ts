// Updates end to end: sample application, Node host, local cloud, and a server over TLS.

import assert from "node:assert/strict";
import { afterEach, before, describe, it } from "node:test";
import { cleanUp } from "./cloud_support.js";
import { buildSample } from "./support/shadow_jobs_desk.js";
import { FIRST_VERSION, UpdateDesk } from "./support/update_desk.js";

let module: Uint8Array;
before(async () => {
  module = (await buildSample("all", "release")).wasm;
});

afterEach(cleanUp);

describe("an update of the firmware", () => {
  it("is downloaded, verified, activated, tried, and confirmed, and the job SUCCEEDED then", async () => {
    const desk = await UpdateDesk.set(module);
    const jobId = desk.offer(desk.image("2.0.0"), { version: "2.0.0" });
    const execution = await desk.ends(jobId);
    assert.equal(execution.status, "SUCCEEDED", JSON.stringify(execution.statusDetails));
    await desk.expectRuns("2.0.0");
    assert.deepEqual(desk.states, [
      "CHECKING",
      "DOWNLOADING",
      "VERIFYING",
      "ACTIVATING",
      "RESTARTING",
      "SELF_TEST",
      "CONFIRMED",
    ]);
    desk.desk.expectNothingLost();
    assert.ok(FIRST_VERSION !== desk.version);
  });
});
