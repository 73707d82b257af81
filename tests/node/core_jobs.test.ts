// Jobs of the core against a scripted service that keeps executions as AWS does: each way a job can
// end, every answer that can be wrong or missing, restarts, and power cuts at every host call.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Event, JobStatus, Status } from "../../host-node/src/abi.js";
import { NorFlash } from "../../host-node/src/ports/nor.js";
import { type Execution, ScriptedJobs } from "./support/shadow_jobs_cloud.js";
import { commands, ShadowJobsDevice } from "./support/shadow_jobs_device.js";

const HANDLERS = [commands.handlers()];
const LONG_MS = 900_000;
const SECTORS = 16;

interface Scene {
  readonly device: ShadowJobsDevice;
  readonly cloud: ScriptedJobs;
}

function scene(flash = NorFlash.blank(SECTORS)): Scene {
  const device = new ShadowJobsDevice(HANDLERS, { flash });
  return { device, cloud: ScriptedJobs.on(device) };
}

function online(all = scene()): Scene {
  all.device.online();
  all.device.until(() => all.cloud.starts > 0);
  all.device.runFor(1000);
  return all;
}

function untilEnded({ device }: Scene, execution: Execution): void {
  const open = ["QUEUED", "IN_PROGRESS"];
  device.until(() => !open.includes(execution.status), LONG_MS);
  device.runFor(3000);
}

/** Creates a job and waits until its handler has begun. */
function begun(all: Scene, jobId: string, document: unknown): Execution {
  const execution = all.cloud.create(jobId, document);
  all.device.until(() => all.device.saidOf("began").some((line) => line.startsWith(`${jobId} `)));
  all.device.runFor(100);
  return execution;
}

function began({ device }: Scene): string[] {
  return device.saidOf("began").map((line) => line.split(" ")[0]!);
}

describe("a notification that never came", () => {
  it("is made good within six hours", () => {
    const all = online();
    const notify = all.cloud.notify;
    all.cloud.notify = () => {};
    const execution = all.cloud.create("a-1", { action: "ok", number: 5 });
    all.cloud.notify = notify;
    all.device.runFor(6 * 3600_000 - 60_000);
    assert.equal(execution.status, "QUEUED");
    all.device.runFor(120_000);
    assert.equal(execution.status, "SUCCEEDED");
  });
});

describe("a job", () => {
  for (const [action, status] of [
    ["ok", "SUCCEEDED"],
    ["fail", "FAILED"],
    ["reject", "REJECTED"],
    ["timer", "SUCCEEDED"],
  ] as const) {
    it(`with action "${action}" ends ${status}, once`, () => {
      const all = online();
      const execution = all.cloud.create("a-1", { action, number: 5 });
      untilEnded(all, execution);
      assert.deepEqual(execution.told, [status]);
      assert.deepEqual(all.device.saidOf("began"), ["a-1 1 5 -"]);
      assert.deepEqual(all.device.textsOf(Event.JOB_STARTED), ["a-1"]);
      assert.deepEqual(all.device.textsOf(Event.JOB_FINISHED), ["a-1"]);
      const byName = { SUCCEEDED: 1, FAILED: 2, REJECTED: 3 };
      assert.deepEqual(all.device.valuesOf(Event.JOB_FINISHED), [byName[status]]);
      assert.deepEqual(all.device.valuesOf(Event.JOB_REJECTED), []);
    });
  }

  it("that waits from before the connection is found", () => {
    const all = scene();
    const execution = all.cloud.create("early", { action: "ok" });
    all.device.boot();
    untilEnded(all, execution);
    assert.equal(execution.status, "SUCCEEDED");
  });

  it("tells its reason and its progress, at most every two seconds, the last of them", () => {
    const all = online();
    const execution = begun(all, "p", { action: "run" });
    const { device, cloud } = all;
    for (let step = 1; step <= 40; step++) {
      device.order(commands.progress(`${step} of 40`, 9));
      device.runFor(250);
    }
    device.runFor(3000);
    assert.equal(execution.details["progress"], "40 of 40");
    assert.equal(execution.stepTimeout, 9);
    const progress = cloud.requests.filter(({ topic }) => topic.endsWith("/p/update"));
    assert.ok(progress.length >= 5 && progress.length <= 7, `${progress.length}`);
    for (let at = 1; at < progress.length; at++)
      assert.ok(progress[at]!.atMs - progress[at - 1]!.atMs >= 2000);
    device.order(commands.finish(JobStatus.FAILED, 'it "broke"'));
    untilEnded(all, execution);
    assert.equal(execution.status, "FAILED");
    assert.equal(execution.details["reason"], 'it "broke"');
  });

  for (const reason of [
    "ä".repeat(200),
    "€".repeat(150),
    "😀".repeat(120),
    "\u0001\n".repeat(200),
    '"\\'.repeat(200),
  ]) {
    it(`tells a reason that is too long (${JSON.stringify(reason).slice(1, 4)}) in valid JSON`, () => {
      const all = online();
      const execution = begun(all, "r", { action: "run" });
      all.device.order(commands.progress(reason));
      all.device.runFor(3000);
      all.device.order(commands.finish(JobStatus.SUCCEEDED, reason));
      untilEnded(all, execution);
      assert.deepEqual(execution.told, ["IN_PROGRESS", "SUCCEEDED"]);
      const told = execution.details["reason"] as string;
      assert.ok(Buffer.from(told).length > 120 && Buffer.from(told).length <= 128, told);
      assert.equal(execution.details["progress"], told);
    });
  }

  it("follows the one before, and each is executed exactly once, in order", () => {
    const all = online();
    const actions = ["ok", "timer", "fail", "reject", "ok", "timer"];
    const executions = actions.map((action, at) => all.cloud.create(`job-${at}`, { action }));
    untilEnded(all, executions.at(-1)!);
    assert.deepEqual(began(all), ["job-0", "job-1", "job-2", "job-3", "job-4", "job-5"]);
    for (const { told } of executions) assert.equal(told.length, 1);
  });

  it("ends the same whatever it is called", () => {
    const all = online();
    for (const jobId of ["notify-1", "rejected", "start-next", "update", "get", "a".repeat(64)]) {
      const execution = all.cloud.create(jobId, { action: "ok" });
      const start = all.device.nowMs;
      all.device.until(() => all.device.textsOf(Event.JOB_FINISHED).includes(jobId), LONG_MS);
      assert.ok(all.device.nowMs - start < 2000, jobId);
      assert.deepEqual(execution.told, ["SUCCEEDED"]);
    }
    assert.deepEqual(all.device.valuesOf(Event.JOB_REJECTED), []);
  });

  it("goes on while the device is offline, and its result is told later", () => {
    const all = online();
    const execution = begun(all, "o", { action: "run" });
    all.device.loseWifi();
    all.device.runFor(50);
    all.device.order(commands.progress("half"));
    all.device.order(commands.finish(JobStatus.SUCCEEDED, "offline"));
    untilEnded(all, execution);
    assert.deepEqual(execution.told, ["SUCCEEDED"]);
    assert.equal(execution.details["reason"], "offline");
    assert.equal(began(all).length, 1);
  });
});

describe("a job document", () => {
  const url = `https://bucket.test/${"u".repeat(980)}`;
  const nested = `${'{"a":'.repeat(30)}1${"}".repeat(30)}`;
  const size = (bytes: number) => {
    const head = '{"action":"ok","pad":"';
    return `${head}${"x".repeat(bytes - head.length - 2)}"}`;
  };
  const cases: [string, unknown, string, string?][] = [
    ["with a URL of 1,000 characters", { action: "ok", url }, "SUCCEEDED"],
    ["of 1,536 bytes", size(1536), "SUCCEEDED"],
    ["of 1,537 bytes", size(1537), "REJECTED", "the document is larger than 1536 bytes"],
    ["of 32,768 bytes", size(32_768), "REJECTED", "the document is larger than 1536 bytes"],
    [
      "with an unknown action",
      { action: "fly" },
      "REJECTED",
      "this device has no handler for the action",
    ],
    ["without an action", { number: 1 }, "REJECTED", "the document has no action"],
    ["that is empty", {}, "REJECTED", "the document has no action"],
    ["with an action that is a number", { action: 5 }, "REJECTED", "the document has no action"],
    [
      "with an action that is an object",
      { action: { a: 1 } },
      "REJECTED",
      "the document has no action",
    ],
    ["with an action inside", { a: { action: "ok" } }, "REJECTED", "the document has no action"],
    ["that is an array", '[{"action":"ok"}]', "REJECTED", "the document has no action"],
    ["that is a text", '"action"', "REJECTED", "the document has no action"],
    ["that is a number", "5", "REJECTED", "the document has no action"],
    ["that is null", "null", "REJECTED", "the document has no action"],
    [
      "with the members of an execution",
      '{"jobId":"x","versionNumber":9,"execution":{"a":1},"action":"ok"}',
      "SUCCEEDED",
    ],
    ["with duplicate keys: the first one counts", '{"action":"ok","action":"fail"}', "SUCCEEDED"],
    ["with escapes in its action", '{"\\u0061ction":"\\u006fk"}', "SUCCEEDED"],
    [
      "with invalid UTF-8",
      Buffer.from('{"action":"ok","a":"\xff"}', "latin1"),
      "REJECTED",
      "the document cannot be read",
    ],
    ["nested deeper than the reader reads", nested, "REJECTED", "the document cannot be read"],
    [
      "with a number of 100 digits",
      `{"action":"ok","n":${"9".repeat(100)}}`,
      "REJECTED",
      "the document cannot be read",
    ],
  ];
  for (const [name, document, status, reason] of cases) {
    it(`${name} makes the job ${status}, and the next one runs`, () => {
      const all = online();
      const execution = all.cloud.create("d", document);
      const next = all.cloud.create("next", { action: "ok" });
      untilEnded(all, next);
      assert.deepEqual(execution.told, [status]);
      assert.equal(execution.details["reason"], reason);
      assert.equal(next.status, "SUCCEEDED");
      if (name.includes("URL")) assert.equal(all.device.saidOf("began")[0], `d 1 -1 ${url}`);
    });
  }

  it("too large is rejected even when notifications come while the record is written", () => {
    const all = online();
    all.device.flash.operationMs = 200;
    const execution = all.cloud.create("d", size(9000));
    all.device.until(() => execution.status === "IN_PROGRESS");
    all.device.runFor(60);
    all.device.broker.message(`$aws/things/thing-1/jobs/notify-next`, '{"timestamp":1}');
    untilEnded(all, execution);
    assert.equal(execution.details["reason"], "the document is larger than 1536 bytes");
  });

  it("is read wherever the answer is cut into fragments", () => {
    const all = online();
    for (let at = 1; at < 330; at += 3) {
      all.cloud.sizes = [at, ...Array(900).fill(1)];
      const execution = all.cloud.create(`f${at}`, { action: "ok", number: at, url: '€"😀' });
      untilEnded(all, execution);
      assert.equal(execution.status, "SUCCEEDED");
      assert.equal(all.device.saidOf("began").at(-1), `f${at} 1 ${at} €"😀`);
    }
  });
});

describe("answers of the service", () => {
  it("VersionMismatch: the result is told again with the right version", () => {
    const all = online();
    const execution = begun(all, "v", { action: "run" });
    execution.version = 40;
    all.device.order(commands.finish(JobStatus.SUCCEEDED));
    untilEnded(all, execution);
    assert.deepEqual(execution.told, ["SUCCEEDED"]);
    assert.equal(all.cloud.updates.length, 2);
  });

  for (const name of ["InvalidStateTransition", "TerminalStateReached", "ResourceNotFound"]) {
    it(`${name}: the job is out of hand, and the next one runs`, () => {
      const all = online();
      const execution = begun(all, "g", { action: "run" });
      all.cloud.onRequest = ({ topic }) => {
        if (!topic.endsWith("/g/update")) return "normal";
        execution.status = "TIMED_OUT";
        return { leaf: "rejected", payload: { code: name, message: "no" } };
      };
      all.device.order(commands.finish(JobStatus.SUCCEEDED));
      all.device.runFor(60_000);
      assert.equal(all.cloud.updates.length, 1);
      const next = all.cloud.create("next", { action: "ok" });
      untilEnded(all, next);
      assert.equal(next.status, "SUCCEEDED");
    });
  }

  for (const name of ["RequestThrottled", "InternalError", "InvalidRequest"]) {
    it(`${name}: asked again, later and later, until it is taken`, () => {
      const all = online();
      const execution = begun(all, "t", { action: "run" });
      const refuse = { leaf: "rejected", payload: { code: name, message: "no" } };
      all.cloud.onRequest = ({ topic }) =>
        topic.endsWith("/update") && all.cloud.updates.length < 8 ? refuse : "normal";
      const start = all.device.nowMs;
      all.device.order(commands.finish(JobStatus.SUCCEEDED));
      untilEnded(all, execution);
      assert.deepEqual(execution.told, ["SUCCEEDED"]);
      assert.equal(all.cloud.updates.length, 8);
      assert.ok(all.device.nowMs - start > 20_000);
      assert.equal(began(all).length, 1);
    });
  }

  it("that do not come are asked for again, and nothing is executed twice", () => {
    const all = online();
    let count = 0;
    all.cloud.onRequest = () => ((count++ * 7) % 5 < 2 ? "silent" : "normal");
    const executions = ["ok", "timer", "ok"].map((action, at) =>
      all.cloud.create(`n${at}`, { action }),
    );
    untilEnded(all, executions.at(-1)!);
    assert.deepEqual(began(all), ["n0", "n1", "n2"]);
    for (const { told } of executions) assert.deepEqual(told, ["SUCCEEDED"]);
  });

  it("whose update was taken, but the answer lost, count", () => {
    const all = online();
    const normal = all.device.broker.onPublish;
    let once = true;
    all.device.broker.onPublish = (publish) => {
      const answer = normal(publish);
      if (!publish.topic.endsWith("/update") || !once) return answer;
      once = false;
      return "close";
    };
    const execution = all.cloud.create("l", { action: "ok" });
    untilEnded(all, execution);
    all.device.runFor(60_000);
    assert.deepEqual(execution.told, ["SUCCEEDED"]);
    const next = all.cloud.create("next", { action: "ok" });
    untilEnded(all, next);
    assert.deepEqual(began(all), ["l", "next"]);
  });

  it("that are no JSON are asked for again", () => {
    const all = scene();
    const execution = all.cloud.create("m", { action: "ok" });
    all.cloud.onRequest = () =>
      all.cloud.requests.length > 1 ? "normal" : { leaf: "accepted", payload: "{{" };
    all.device.boot();
    untilEnded(all, execution);
    assert.deepEqual(all.device.valuesOf(Event.JOB_REJECTED), [Status.MALFORMED]);
    assert.deepEqual(execution.told, ["SUCCEEDED"]);
  });
});

describe("a policy that forbids the request, so that the broker ends the connection", () => {
  it("costs three connections, is told, and leaves the rest of the device in peace", () => {
    const all = scene();
    all.cloud.onRequest = () => {
      all.device.broker.drop();
      return "silent";
    };
    all.device.boot();
    all.device.until(
      () => all.device.valuesOf(Event.JOB_REJECTED).includes(Status.REFUSED),
      LONG_MS,
    );
    assert.equal(all.cloud.starts, 3);
    all.device.runFor(LONG_MS);
    assert.equal(all.cloud.starts, 3);
    assert.equal(all.device.broker.state, "up");
  });
});

describe("a member that the application streams", () => {
  const checksum = (text: string): number =>
    Buffer.from(text).reduce((sum, byte) => (Math.imul(sum, 31) + byte) >>> 0, 0);

  for (const length of [0, 1, 100, 30_000]) {
    it(`of ${length} characters arrives whole, and the rest of the document with it`, () => {
      const all = online();
      const text = Array.from({ length }, (_, at) => String.fromCharCode(65 + (at % 26))).join("");
      const execution = all.cloud.create("s", { number: 7, module: text, action: "ok" });
      untilEnded(all, execution);
      assert.deepEqual(execution.told, ["SUCCEEDED"]);
      assert.deepEqual(all.device.saidOf("streamed"), [`${length} ${checksum(text)}`]);
      assert.deepEqual(all.device.saidOf("began"), ["s 1 7 -"]);
    });
  }

  it("with escapes arrives unescaped", () => {
    const all = online();
    const text = 'a"\\\n/€😀'.repeat(300);
    const execution = all.cloud.create("s", { module: text, action: "ok" });
    untilEnded(all, execution);
    const bytes = Buffer.byteLength(text);
    assert.deepEqual(all.device.saidOf("streamed"), [`${bytes} ${checksum(text)}`]);
  });
});

describe("a job cancelled by the cloud", () => {
  it("cannot end the job that comes after it", () => {
    const all = online();
    const execution = begun(all, "c", { action: "run" });
    all.cloud.cancel(execution);
    const next = begun(all, "next", { action: "run" });
    all.device.order(commands.finish(JobStatus.FAILED, "too late", 1));
    all.device.runFor(10_000);
    assert.deepEqual(next.told, []);
    all.device.order(commands.finish(JobStatus.SUCCEEDED));
    untilEnded(all, next);
    assert.deepEqual(next.told, ["SUCCEEDED"]);
    assert.deepEqual(execution.told, []);
  });

  it("reaches its handler, and what the handler finishes later changes nothing", () => {
    const all = online();
    const execution = begun(all, "c", { action: "run" });
    all.cloud.cancel(execution);
    all.device.runFor(1000);
    assert.deepEqual(all.device.saidOf("canceled"), ["c"]);
    assert.deepEqual(all.device.textsOf(Event.JOB_CANCELED), ["c"]);
    all.device.order(commands.finish(JobStatus.SUCCEEDED), commands.progress("late"));
    all.device.runFor(60_000);
    assert.deepEqual(execution.told, []);
    assert.equal(all.cloud.updates.length, 0);
    const next = all.cloud.create("next", { action: "ok" });
    untilEnded(all, next);
    assert.deepEqual(next.told, ["SUCCEEDED"]);
  });

  it("makes room for the next one", () => {
    const all = online();
    const execution = begun(all, "c", { action: "run" });
    const next = all.cloud.create("next", { action: "timer" });
    all.device.runFor(1000);
    assert.equal(next.status, "QUEUED");
    all.cloud.cancel(execution);
    untilEnded(all, next);
    assert.deepEqual(began(all), ["c", "next"]);
    assert.deepEqual(next.told, ["SUCCEEDED"]);
  });

  it("while the device is offline is heard of on the next connection", () => {
    const all = online();
    const execution = begun(all, "c", { action: "run" });
    all.device.loseWifi();
    all.device.runFor(10);
    all.cloud.cancel(execution, "REMOVED");
    all.device.untilEvent(Event.JOB_CANCELED, LONG_MS);
    all.device.runFor(1000);
    assert.deepEqual(all.device.saidOf("canceled"), ["c"]);
  });
});

describe("a restart inside a job", () => {
  function revive({ device, cloud }: Scene): Scene {
    const flash = device.flash.nor;
    device.powerOff();
    const all = scene(flash);
    cloud.attach(all.device);
    const next = { device: all.device, cloud };
    next.device.boot();
    return next;
  }

  it("makes it FAILED, with a reason", () => {
    const first = online();
    const execution = begun(first, "r", { action: "run" });
    const second = revive(first);
    untilEnded(second, execution);
    assert.deepEqual(execution.told, ["FAILED"]);
    assert.equal(execution.details["reason"], "the device restarted during the job");
    assert.deepEqual(began(second), []);
  });

  it("begins one that survives it again, three times in all", () => {
    let all = online();
    const execution = begun(all, "k", { action: "keep", number: 4 });
    assert.deepEqual(all.device.saidOf("began"), ["k 1 4 -"]);
    for (const attempt of [2, 3]) {
      all = revive(all);
      all.device.until(() => began(all).length > 0);
      all.device.runFor(100);
      assert.deepEqual(all.device.saidOf("began"), [`k ${attempt} 4 -`]);
    }
    all = revive(all);
    untilEnded(all, execution);
    assert.deepEqual(execution.told, ["FAILED"]);
    assert.deepEqual(began(all), []);
  });

  it("lets one that survives it succeed in its second life", () => {
    const first = online();
    const execution = begun(first, "k", { action: "keep" });
    const second = revive(first);
    second.device.until(() => began(second).length > 0);
    second.device.runFor(100);
    second.device.order(commands.finish(JobStatus.SUCCEEDED));
    untilEnded(second, execution);
    assert.deepEqual(execution.told, ["SUCCEEDED"]);
  });

  it("tells a result that was recorded and not told, and begins nothing", () => {
    const first = online();
    const execution = begun(first, "u", { action: "run" });
    first.device.loseWifi();
    first.device.runFor(1);
    first.device.order(commands.finish(JobStatus.REJECTED));
    first.device.settle();
    const second = revive(first);
    untilEnded(second, execution);
    assert.deepEqual(execution.told, ["REJECTED"]);
    assert.deepEqual(began(second), []);
  });

  it("of one that the cloud has cancelled since leaves nothing in hand", () => {
    const first = online();
    const execution = begun(first, "x", { action: "keep" });
    first.device.loseWifi();
    first.device.runFor(1);
    first.cloud.cancel(execution);
    const second = revive(first);
    const next = second.cloud.create("next", { action: "ok" });
    untilEnded(second, next);
    assert.deepEqual(began(second), ["next"]);
    assert.deepEqual(execution.told, []);
  });

  for (const action of ["ok", "timer", "keep", "run"]) {
    it(`ends "${action}" exactly once wherever the power fails`, () => {
      const blank = online();
      const before = blank.device.flash.nor.snapshot();
      blank.device.powerOff();
      const { calls, arrival } = lifeWithCut(before, action, null);
      assert.ok(calls - arrival > 20, `${calls - arrival} host calls`);
      let cuts = 0;
      for (let call = arrival; call <= calls; call++) {
        for (const isPerformed of [false, true]) {
          const {
            execution,
            began: begins,
            isCut,
          } = lifeWithCut(before, action, { call, isPerformed });
          cuts += isCut ? 1 : 0;
          const where = `${action}, call ${call}${isPerformed ? " performed" : ""}`;
          assert.equal(execution.told.length, 1, `${where}: ${execution.told.join()}`);
          assert.ok(["SUCCEEDED", "FAILED"].includes(execution.status), where);
          assert.ok(begins <= (action === "keep" ? 2 : 1), `${where}: begun ${begins} times`);
          if (action === "keep") assert.equal(execution.status, "SUCCEEDED", where);
        }
      }
      assert.equal(cuts, 2 * (calls - arrival + 1));
    });
  }
});

type Cut = { call: number; isPerformed: boolean } | null;

/** One job from boot to its end, with the power failing once. */
function lifeWithCut(before: ReturnType<NorFlash["snapshot"]>, action: string, cut: Cut) {
  const all = scene(NorFlash.restore(before));
  const { device, cloud } = all;
  const execution = cloud.create("p", { action });
  device.switch.cutAt = cut;
  let arrival = 0;
  cloud.onRequest = () => {
    if (arrival === 0) arrival = device.switch.calls;
    return "normal";
  };
  const isOver = () => execution.told.length > 0 && device.eventsOf(Event.JOB_FINISHED).length > 0;
  const work = (until: () => boolean) => {
    const before = began(all).length;
    if (action === "run" || action === "keep") {
      device.until(() => until() || began(all).length > before, LONG_MS);
      if (!until()) device.order(commands.finish(JobStatus.SUCCEEDED));
    }
    device.until(until, LONG_MS);
    device.runFor(500);
  };
  const isCut = !device.survives(() => {
    device.boot();
    work(isOver);
  });
  const { calls } = device.switch;
  device.switch.cutAt = null;
  if (isCut) {
    device.boot();
    work(() => execution.told.length > 0);
    device.runFor(60_000);
  }
  device.powerOff();
  return { execution, began: began(all).length, isCut, calls, arrival };
}

describe("flash that cannot be written", () => {
  it("makes a job FAILED without running it", () => {
    const all = online();
    all.device.flash.works = () => false;
    const execution = all.cloud.create("w", { action: "ok" });
    untilEnded(all, execution);
    assert.deepEqual(execution.told, ["FAILED"]);
    assert.equal(execution.details["reason"], "the flash cannot be written");
    assert.deepEqual(began(all), []);
  });
});
