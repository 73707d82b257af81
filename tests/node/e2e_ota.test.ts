// Updates end to end: a sample application in the Node host, the local cloud, and servers over TLS
// that go wrong. Each test ends with what the cloud says of the job and with what the device runs.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ABI_VERSION, Event, OtaState, RestartScope, Status } from "../../host-node/src/abi.js";
import type { OnRequest, UpdateOptions } from "../../host-node/src/cloud/index.js";
import { claimConfiguration } from "../../host-node/src/demo/stage.js";
import { cleanUp, onCleanUp, temporaryDirectory } from "./cloud_support.js";
import { sampleModule } from "./image_support.js";
import { fastClock } from "./support/e2e_clock.js";
import type { Fault } from "./support/fault_server.js";
import { moduleBytesOf } from "./support/module_cache.js";
import { configurationOf, Desk, THING } from "./support/shadow_jobs_desk.js";
import { FIRST_VERSION, UpdateDesk, type UpdateDeskOptions } from "./support/update_desk.js";

const NEXT_VERSION = "2.0.0";
const CLOCK_FACTOR = 20;
/** Of many chunks, sectors and checkpoints, and not so large that a fast clock runs out. */
const IMAGE_BYTES = 300_000;
const SECTOR_BYTES = 4096;
/** The application's self-test passes while this pin is high (tests/wasm/apps/updater.ts). */
const PASSES_PIN = 1;
const SLOWLY: Fault = { drip: { bytes: 3000, everyMs: 5 } };
const STATES = ["CHECKING", "DOWNLOADING", "VERIFYING", "ACTIVATING", "RESTARTING"];

let module: Uint8Array;
before(async () => {
  module = await moduleBytesOf("release", "updater");
});

afterEach(cleanUp);

async function newDesk(options: UpdateDeskOptions = {}): Promise<UpdateDesk> {
  const desk = await UpdateDesk.set(module, options);
  desk.device.setPin(PASSES_PIN, 1);
  return desk;
}

const imageOf = (desk: UpdateDesk, version = NEXT_VERSION) =>
  desk.image(version, { sizeBytes: IMAGE_BYTES });

/** The job has come to this end, after which the device has begun so many lives. */
async function expectEnd(
  desk: UpdateDesk,
  jobId: string,
  end: { status: string; reason?: string; version: string; lives: number },
): Promise<void> {
  const { status, statusDetails } = await desk.ends(jobId);
  assert.equal(status, end.status, JSON.stringify(statusDetails));
  if (end.reason !== undefined) assert.equal(statusDetails?.reason, end.reason);
  await desk.desk.until(`life ${end.lives}`, () => desk.lives >= end.lives);
  await desk.expectRuns(end.version);
  assert.equal(desk.lives, end.lives);
  desk.desk.expectNothingLost();
}

const expectUpdated = (desk: UpdateDesk, jobId: string): Promise<void> =>
  expectEnd(desk, jobId, { status: "SUCCEEDED", version: NEXT_VERSION, lives: 2 });

/** Nothing was begun, or what was begun came to nothing and the device started anew. */
const expectAsBefore = (
  desk: UpdateDesk,
  jobId: string,
  status: "FAILED" | "REJECTED",
  reason: string,
): Promise<void> => {
  const lives = desk.states.includes("DOWNLOADING") ? 2 : 1;
  return expectEnd(desk, jobId, { status, reason, version: FIRST_VERSION, lives });
};

/** Where the requests begin; all but the first go on at a whole sector. */
function startsOf({ server }: UpdateDesk): number[] {
  const starts = server.requests.map(({ rangeStart }) => rangeStart ?? 0);
  assert.ok(
    starts.every((start) => start % SECTOR_BYTES === 0),
    starts.join(),
  );
  return starts;
}

describe("an update of the firmware", () => {
  it("is downloaded, verified, activated, tried, and confirmed, and the job SUCCEEDED then", async () => {
    const desk = await newDesk();
    const jobId = desk.offer(imageOf(desk), { version: NEXT_VERSION });
    await expectUpdated(desk, jobId);
    assert.deepEqual(desk.states, [...STATES, "SELF_TEST", "CONFIRMED"]);
    assert.equal(desk.server.requests.length, 1);
  });

  it("that fails its self-test is rolled back, and the next one is taken", async () => {
    const desk = await newDesk();
    desk.device.setPin(PASSES_PIN, 0);
    const bad = desk.offer(imageOf(desk, "3.0.0"));
    const reason = "RolledBack:SelfTestFailed";
    await expectEnd(desk, bad, { status: "FAILED", reason, version: FIRST_VERSION, lives: 3 });
    desk.device.setPin(PASSES_PIN, 1);
    const good = desk.offer(imageOf(desk));
    await expectEnd(desk, good, { status: "SUCCEEDED", version: NEXT_VERSION, lives: 4 });
  });
});

describe("a download", () => {
  /** Faults in their order, the requests that they make, and where the last of them may begin. */
  const cases: [name: string, faults: Fault[], requests: number, lastStart: [number, number]][] = [
    ["cut in the middle of a chunk", [{ cutAfter: 100_001 }], 2, [1, 100_001]],
    ["cut between two chunks", [{ cutAfter: 1536 * 60 }], 2, [1, 1536 * 60]],
    ["cut between two chunks and two sectors", [{ cutAfter: 122_880 }], 2, [1, 122_880]],
    ["cut before its first byte", [{ cutAfter: 0 }], 2, [0, 0]],
    ["cut three times", [1, 2, 3].map(() => ({ cutAfter: 60_000 })), 4, [60_000, 180_000]],
    ["ended in good order too early", [{ endAfter: 100_000 }], 2, [50_000, 100_000]],
    ["that stalls", [{ stallAfter: 100_000 }], 2, [50_000, 100_000]],
    ["that is never answered", [{ isSilent: true }], 2, [0, 0]],
    ["that drips", [SLOWLY], 1, [0, 0]],
    ["in chunks without a length", [{ isChunked: true }], 1, [0, 0]],
    ["answered with 500, then well", [{ status: 500 }], 2, [0, 0]],
    ["answered with 503 when it goes on", [{ cutAfter: 90_000 }, { status: 503 }], 3, [1, 90_000]],
    ["whose server ignores Range", [{ cutAfter: 90_000 }, { ignoreRange: true }], 2, [1, 90_000]],
    [
      "redirected twice",
      [{ location: "/a.bin" }, { location: "/b/c.bin", status: 307 }],
      3,
      [0, 0],
    ],
  ];
  for (const [name, faults, requests, [least, most]] of cases) {
    it(`${name} comes to its end`, async () => {
      const desk = await newDesk();
      desk.server.queue(...faults);
      const jobId = desk.offer(imageOf(desk));
      await expectUpdated(desk, jobId);
      const starts = startsOf(desk);
      // A machine that was away for a second lets a fast clock interrupt it once more.
      assert.ok(starts.length >= requests, starts.join());
      const last = starts[requests - 1]!;
      assert.ok(last >= least && last <= most, starts.join());
    });
  }

  it("redirected to another host and path is fetched there", async () => {
    const desk = await newDesk();
    desk.server.queue({ location: `${desk.server.url("/elsewhere/fw.bin?a=b")}` });
    await expectUpdated(desk, desk.offer(imageOf(desk)));
    const paths = desk.server.requests.map(({ path }) => path);
    assert.deepEqual(paths, ["/image.bin", "/elsewhere/fw.bin?a=b"]);
  });

  it("waits for a server that is away when it begins", async () => {
    const desk = await newDesk();
    await desk.server.goAway();
    const jobId = desk.offer(imageOf(desk));
    await desk.untilState(OtaState.WAITING);
    await desk.server.comeBack();
    await expectUpdated(desk, jobId);
  });

  it("goes on when its server was away for a while", async () => {
    const desk = await newDesk();
    desk.server.queue(SLOWLY);
    const jobId = desk.offer(imageOf(desk));
    await desk.desk.until("a third is here", () => desk.progress >= 33);
    await desk.server.goAway();
    await desk.untilState(OtaState.WAITING, 2);
    await desk.server.comeBack();
    await expectUpdated(desk, jobId);
    assert.ok(startsOf(desk).at(-1)! >= 0.3 * IMAGE_BYTES);
  });

  it("goes on when Wi-Fi was away for a while", async () => {
    const desk = await newDesk();
    desk.server.queue(SLOWLY);
    const jobId = desk.offer(imageOf(desk));
    await desk.desk.until("a third is here", () => desk.progress >= 33);
    desk.desk.setNetwork(false);
    await desk.untilState(OtaState.WAITING);
    desk.desk.setNetwork(true);
    await expectUpdated(desk, jobId);
    assert.ok(startsOf(desk).at(-1)! >= 0.3 * IMAGE_BYTES);
  });
});

describe("what cannot be right", () => {
  it("is a server with a certificate of another CA: no byte is asked of it", async () => {
    const desk = await newDesk({ server: { certificate: "another-ca" } });
    const jobId = desk.offer(imageOf(desk));
    const reason = `DownloadFailed ${Status.TLS_SERVER_REFUSED}`;
    await expectAsBefore(desk, jobId, "FAILED", reason);
    assert.equal(desk.server.requests.length, 0);
  });

  it("is a redirect to http", async () => {
    const desk = await newDesk();
    desk.server.queue({ location: "http://localhost/image.bin" });
    await expectAsBefore(desk, desk.offer(imageOf(desk)), "REJECTED", "NotHttps");
  });

  it("is a redirect without an end", async () => {
    const desk = await newDesk();
    desk.server.always = { location: "/image.bin" };
    await expectAsBefore(desk, desk.offer(imageOf(desk)), "FAILED", "HttpStatus 302");
  });

  it("is a file that is not there", async () => {
    const desk = await newDesk();
    desk.server.always = { status: 404 };
    await expectAsBefore(desk, desk.offer(imageOf(desk)), "FAILED", "HttpStatus 404");
  });

  it("is a byte that is another", async () => {
    const desk = await newDesk();
    desk.server.always = { corruptAt: 200_000 };
    const jobId = desk.offer(imageOf(desk));
    await desk.untilState(OtaState.VERIFYING);
    await expectAsBefore(desk, jobId, "FAILED", "WrongDigest");
  });

  it("is a signature of another image", async () => {
    const desk = await newDesk();
    const jobId = desk.offer(imageOf(desk), { sha256: undefined }, imageOf(desk, "2.0.1"));
    await desk.untilState(OtaState.VERIFYING);
    await expectAsBefore(desk, jobId, "FAILED", "WrongSignature");
  });

  it("is a body longer than announced", async () => {
    const desk = await newDesk();
    const jobId = desk.offer(imageOf(desk), { size: IMAGE_BYTES - 16 });
    await expectAsBefore(desk, jobId, "FAILED", "LongerThanAnnounced");
  });
});

/** Time of a cloud, and what happens to the requests for its files, by their number. */
class LaterCloud {
  private laterMs = 0;
  private requests = 0;
  readonly statuses: number[] = [];

  constructor(private readonly fates: readonly ((response: ServerResponse) => void)[]) {}

  readonly options = {
    now: () => Date.now() + this.laterMs,
    onRequest: ((_request, response, serve) => {
      this.fates[this.requests++]?.(response);
      serve();
      response.once("close", () => this.statuses.push(response.statusCode));
    }) satisfies OnRequest,
  };

  /** The URLs that were made so far have expired. */
  readonly passMinute = (): void => {
    this.laterMs += 61_000;
  };
}

/** The answer ends after its first piece. */
function cutShort(response: ServerResponse): void {
  const write = response.write.bind(response) as (piece: unknown) => boolean;
  let isFirst = true;
  response.write = ((piece: unknown) => {
    if (!isFirst) return true;
    isFirst = false;
    return write(piece);
  }) as ServerResponse["write"];
}

const orderOf = (desk: UpdateDesk, more: Partial<UpdateOptions> = {}): UpdateOptions => ({
  things: [THING],
  image: imageOf(desk),
  privateKeyPem: desk.keys.privateKey,
  ...more,
});

describe("an update that the cloud rolls out", () => {
  it("is asked for again when its URL has expired before the download", async () => {
    const later: LaterCloud = new LaterCloud([() => later.passMinute()]);
    const desk = await newDesk({ cloud: later.options });
    const { job } = desk.desk.cloud.createUpdate(orderOf(desk, { urlLifeSeconds: 60 }));
    await expectUpdated(desk, job.jobId);
    assert.deepEqual(later.statuses, [403, 200]);
  });

  it("is asked for again when its URL has expired in the middle, and goes on from there", async () => {
    const later: LaterCloud = new LaterCloud([cutShort, () => later.passMinute()]);
    const desk = await newDesk({ cloud: later.options });
    const { job } = desk.desk.cloud.createUpdate(orderOf(desk, { urlLifeSeconds: 60 }));
    await expectUpdated(desk, job.jobId);
    assert.deepEqual(later.statuses, [200, 403, 206]);
  });

  it("reaches every thing of a group", async () => {
    const desk = await newDesk();
    const { cloud } = desk.desk;
    const configuration = await configurationOf(cloud, "desk-2", {
      ota: { publicKey: desk.keys.publicKey },
    });
    const { clock } = desk.options;
    const device = { module, configuration, version: FIRST_VERSION };
    const second = await Desk.on(cloud, { ...device, ...(clock === undefined ? {} : { clock }) });
    second.device.setPin(PASSES_PIN, 1);
    cloud.createGroup("hall");
    for (const thing of [THING, "desk-2"]) cloud.addToGroup(thing, "hall");
    const { job } = cloud.createUpdate({ ...orderOf(desk), things: [], groups: ["hall"] });
    await second.until(
      "the job is over",
      () => cloud.describeJob(job.jobId).status !== "IN_PROGRESS",
    );
    const statuses = cloud.listExecutions(job.jobId).map(({ status }) => status);
    assert.deepEqual(statuses, ["SUCCEEDED", "SUCCEEDED"]);
    await expectUpdated(desk, job.jobId);
    assert.equal(second.device.firmware?.version, NEXT_VERSION);
  });
});

describe("a life that has provisioned itself", () => {
  it("is updated in the same life", async () => {
    const desk = await newDesk();
    const { cloud } = desk.desk;
    const configuration = claimConfiguration(
      cloud,
      {},
      {
        ota: { publicKey: desk.keys.publicKey },
      },
    );
    const device = { module, configuration, version: FIRST_VERSION };
    const claimed = await Desk.on(cloud, { ...device, clock: fastClock(CLOCK_FACTOR) });
    claimed.device.setPin(PASSES_PIN, 1);
    const scopes: RestartScope[] = [];
    claimed.device.on("restart", ({ scope }) => scopes.push(scope));
    const [thing] = claimed.textsOf(Event.PROVISIONED);
    const { job } = cloud.createUpdate({ ...orderOf(desk), things: [thing!] });
    const execution = await claimed.untilJobEnds(job.jobId);
    assert.equal(execution.status, "SUCCEEDED", JSON.stringify(execution.statusDetails));
    assert.deepEqual(scopes, [RestartScope.DEVICE]);
    assert.equal(claimed.device.firmware?.version, NEXT_VERSION);
  });
});

/** What an update of the module alone has left: another module, under the firmware that was. */
async function expectModule(desk: UpdateDesk, jobId: string): Promise<void> {
  await expectEnd(desk, jobId, { status: "SUCCEEDED", version: FIRST_VERSION, lives: 2 });
  assert.deepEqual(desk.device.module, { slot: 0, trial: false });
  assert.deepEqual(desk.states.slice(-2), ["SELF_TEST", "CONFIRMED"]);
}

const moduleOrder = (desk: UpdateDesk, inline: boolean, bytes = module): UpdateOptions => ({
  things: [THING],
  module: bytes,
  inline,
  privateKeyPem: desk.keys.privateKey,
});

describe("an update of the module alone", () => {
  it("comes by URL", async () => {
    const desk = await newDesk();
    const { job } = desk.desk.cloud.createUpdate(moduleOrder(desk, false));
    await expectModule(desk, job.jobId);
  });

  it("comes inside a document, which for this module must be larger than AWS allows", async () => {
    const desk = await newDesk({ cloud: { limits: { jobDocumentBytesMax: 65_536 } } });
    const { job } = desk.desk.cloud.createUpdate(moduleOrder(desk, true));
    assert.ok(job.document.length > 32_768);
    await expectModule(desk, job.jobId);
  });

  it("that no host can run, inside a document of AWS's size, is given up for the one before", async () => {
    const desk = await newDesk();
    const broken = sampleModule(ABI_VERSION, 20_000);
    const { job } = desk.desk.cloud.createUpdate(moduleOrder(desk, true, broken));
    const { status, statusDetails } = await desk.ends(job.jobId);
    assert.equal(status, "FAILED");
    assert.match(statusDetails?.reason ?? "", /^RolledBack:NotConfirmed/);
    await desk.expectRuns(FIRST_VERSION);
    assert.equal(desk.device.module?.slot, 255);
  });
});

const PROGRAM = fileURLToPath(new URL("./support/e2e_device_process.js", import.meta.url));
const CHILD_CLOCK_FACTOR = "1";

/** A device in a process of its own, killed when it has told this percentage. */
async function killAt(percent: number, files: readonly string[]): Promise<void> {
  const args = [PROGRAM, ...files, CHILD_CLOCK_FACTOR, FIRST_VERSION];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  onCleanUp(() => child.kill("SIGKILL"));
  const gone = new Promise((resolve) => child.once("exit", resolve));
  let told = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    told = Number(/^OTA_PROGRESS (\d+)$/.exec(line)?.[1] ?? told);
    if (told >= percent) child.kill("SIGKILL");
  }
  await gone;
  assert.ok(told >= percent && told < 100, `${told} % were told`);
}

describe("a process", () => {
  it("killed in the middle of a download leaves a flash file with which the next one goes on", async () => {
    const directory = temporaryDirectory();
    const [wasm, flash, document] = ["app.wasm", "device.bin", "device.json"].map((name) =>
      join(directory, name),
    ) as [string, string, string];
    const desk = await newDesk({ device: { flash } });
    desk.device.close();
    writeFileSync(wasm, module);
    writeFileSync(document, desk.options.configuration!);
    desk.server.queue(SLOWLY);
    const jobId = desk.offer(imageOf(desk));
    await killAt(50, [wasm, flash, document]);
    const revived = await desk.revived();
    revived.device.setPin(PASSES_PIN, 1);
    await expectUpdated(revived, jobId);
    const [first, second] = startsOf(desk);
    assert.ok(first === 0 && second! >= 65_536 && second! <= 0.6 * IMAGE_BYTES, `${second}`);
  });
});
