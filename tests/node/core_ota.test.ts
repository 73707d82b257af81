// Updates of the core in virtual time: what is taken and what is refused, how an interrupted
// download goes on, what the job is told and when, and how a trial ends. The slots are the Node
// host's own, on an image in memory; the server and the jobs service are scripted.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ABI_VERSION, Event, Mode, nameOf, OtaState, Status } from "../../host-node/src/abi.js";
import { signatureText, signImage } from "../../host-node/src/image/index.js";
import type { HttpFault } from "./support/scripted_http.js";
import type { Execution } from "./support/shadow_jobs_cloud.js";
import {
  FIRST_VERSION,
  imageOf,
  keys,
  NEXT_VERSION,
  orderOf,
  Pin,
  sha256Of,
  UpdateDevice,
  updater,
} from "./support/update_device.js";

const next = imageOf(NEXT_VERSION);
const CHUNK_BYTES = 1536;

function online(device = new UpdateDevice()): UpdateDevice {
  device.boot().untilEvent(Event.MQTT_CONNECTED);
  return device.settle();
}

/** Offers an image and lives until its job has ended. */
function updated(
  device: UpdateDevice,
  image: Uint8Array = next,
  members: object = {},
): { device: UpdateDevice; execution: Execution } {
  const execution = device.offer(image, members);
  device.untilEnded(execution);
  return { device, execution };
}

/** The device runs this version, is in mode Normal, and nothing is on trial. */
function expectRuns(device: UpdateDevice, version: string): void {
  assert.equal(device.version, version, device.story());
  assert.equal(device.software?.isOnTrial, false);
  assert.equal(device.valuesOf(Event.MODE_CHANGED).at(-1), Mode.NORMAL, device.story());
}

function expectRefused(device: UpdateDevice, execution: Execution, reason: string): void {
  assert.equal(execution.details["reason"], reason, device.story());
  assert.deepEqual(execution.told.slice(-1), ["REJECTED"]);
  expectRuns(device, FIRST_VERSION);
  assert.equal(device.eventsOf(Event.RESTART_PENDING).length, 0);
}

function expectFailed(device: UpdateDevice, execution: Execution, reason: string): void {
  assert.equal(execution.details["reason"], reason, device.story());
  assert.deepEqual(execution.told.slice(-1), ["FAILED"]);
  expectRuns(device, FIRST_VERSION);
}

describe("an update of the firmware", () => {
  it("goes through its states, and its job is SUCCEEDED when it is confirmed, not before", () => {
    const device = online();
    const execution = device.offer(next);
    device.live(() => execution.status === "SUCCEEDED");
    assert.equal(device.version, NEXT_VERSION);
    assert.equal(device.software?.isOnTrial, false);
    assert.deepEqual(device.states, [
      "CHECKING",
      "DOWNLOADING",
      "VERIFYING",
      "ACTIVATING",
      "RESTARTING",
      "SELF_TEST",
      "CONFIRMED",
    ]);
    assert.deepEqual([...new Set(execution.told)], ["IN_PROGRESS", "SUCCEEDED"]);
    expectRuns(device.liveFor(10_000), NEXT_VERSION);
  });

  it("tells its progress in percent, to the application and to the job", () => {
    const { device, execution } = updated(online());
    const percents = device.valuesOf(Event.OTA_PROGRESS);
    assert.equal(percents.at(-1), 100);
    assert.deepEqual(
      percents,
      percents.toSorted((a, b) => a - b),
    );
    assert.equal(execution.details["progress"], "verified");
  });

  it("is done again after it, and again", () => {
    const device = online();
    for (const [index, version] of ["2.0.0", "3.0.0", "4.0.0"].entries()) {
      const execution = device.offer(imageOf(version), {}, `job-${index}`);
      device.untilEnded(execution);
      assert.equal(execution.status, "SUCCEEDED");
      expectRuns(device, version);
    }
  });

  it("leaves mode OTA by the restart only", () => {
    const { device } = updated(online());
    const modes = device.valuesOf(Event.MODE_CHANGED);
    assert.deepEqual(modes, [Mode.INIT, Mode.NORMAL, Mode.OTA, Mode.INIT, Mode.NORMAL]);
  });

  it("waits with its restart as long as the application holds it", () => {
    const device = new UpdateDevice();
    device.pins.set(Pin.HOLDS, 1);
    const execution = online(device).offer(next);
    device.live(() => device.states.at(-1) === "RESTARTING").liveFor(600_000);
    assert.equal(device.version, FIRST_VERSION);
    assert.equal(execution.status, "IN_PROGRESS");
    device.pins.set(Pin.HOLDS, 0);
    device.untilEnded(execution);
    assert.equal(execution.status, "SUCCEEDED");
    expectRuns(device, NEXT_VERSION);
  });

  it("is taken without announcing size, digest and version, when it is signed", () => {
    const members = { size: undefined, sha256: undefined };
    const { device, execution } = updated(online(), next, members);
    assert.equal(execution.status, "SUCCEEDED", device.story());
  });

  it("is taken from a server that does not say how much it sends", () => {
    for (const members of [{}, { size: undefined }]) {
      const device = online();
      device.http.announces = false;
      const { execution } = updated(device, next, members);
      assert.equal(execution.status, "SUCCEEDED", device.story());
    }
  });

  it("whose URL has 2,000 characters is taken", () => {
    const url = `https://files.test/image.bin?token=${"x".repeat(2000)}`;
    const { device, execution } = updated(online(), next, { url });
    assert.equal(execution.status, "SUCCEEDED", device.story());
    assert.equal(device.http.requests[0]?.url, url);
  });
});

describe("a document", () => {
  const sign = (bytes: Uint8Array) => signatureText(signImage(bytes, keys.privateKey));
  const cases: [name: string, image: Uint8Array, members: object, reason: string][] = [
    ["with http", next, { url: "http://files.test/image.bin" }, "NotHttps"],
    ["with a word for a url", next, { url: "image" }, "NotHttps"],
    ["with a number for a url", next, { url: 5 }, "NotHttps"],
    ["with a list for a url", next, { url: ["https://files.test/image.bin"] }, "NoSource"],
    ["without a url", next, { url: undefined }, "NoSource"],
    ["without a signature", next, { signature: undefined }, "Unsigned"],
    ["with half a digest", next, { sha256: sha256Of(next).slice(2) }, "BadField"],
    ["with a digest that is none", next, { sha256: "g".repeat(64) }, "BadField"],
    ["with a signature that is too short", next, { signature: "AAAA" }, "BadField"],
    ["with a signature that is not base64", next, { signature: "*".repeat(88) }, "BadField"],
    ["with a size of 0", next, { size: 0 }, "BadField"],
    ["with a size that is no number", next, { size: "many" }, "BadField"],
    ["with another version than the image", next, { version: "2.0.1" }, "OtherVersion"],
    ["with the beginning of the version", next, { version: "2.0" }, "OtherVersion"],
    ["for another chip", imageOf(NEXT_VERSION, { chip: "esp32s3" }), {}, "WrongChip 9"],
    ["for another project", imageOf(NEXT_VERSION, { project: "other" }), {}, "WrongProject"],
    ["for the version that runs", imageOf(FIRST_VERSION), {}, "SameVersion"],
  ];
  for (const [name, image, members, reason] of cases) {
    it(`${name} is refused: ${reason}`, () => {
      const { device, execution } = updated(online(), image, members);
      expectRefused(device, execution, reason);
    });
  }

  it("for an image that is none is refused", () => {
    const rubbish = new Uint8Array(5000).fill(7);
    const { device, execution } = updated(online(), rubbish, { signature: sign(rubbish) });
    expectRefused(device, execution, "NotAnImage");
  });

  it("for an image without a module is refused", () => {
    const image = Uint8Array.from(next);
    image.fill(0, 288, 292);
    const { device, execution } = updated(online(), image);
    expectRefused(device, execution, "NotAnImage");
  });

  it("with an older secure version is refused", () => {
    const device = online();
    updated(device, imageOf("2.0.0", { secureVersion: 3 }));
    const execution = device.offer(imageOf("3.0.0", { secureVersion: 2 }), {}, "older");
    device.untilEnded(execution);
    assert.equal(execution.status, "REJECTED");
    assert.equal(execution.details["reason"], "OlderSecureVersion 2");
    expectRuns(device, "2.0.0");
  });

  it("that is forced installs the version that runs again", () => {
    const again = imageOf(FIRST_VERSION, { sizeBytes: 64 * 1024 });
    const { device, execution } = updated(online(), again, { force: true });
    assert.equal(execution.status, "SUCCEEDED", device.story());
    assert.equal(device.software?.firmware.slot.number, 1);
  });

  it("for an image that is larger than the slot is refused before anything is written", () => {
    const size = 1792 * 1024 + 16;
    const { device, execution } = updated(online(), imageOf(NEXT_VERSION, { sizeBytes: size }));
    expectRefused(device, execution, "TooLarge 1835008");
  });

  it("without a signature is taken where unsigned updates are allowed, loudly", () => {
    const device = online(new UpdateDevice({ ota: { allowUnsigned: true } }));
    const short = { size: undefined, sha256: undefined, signature: undefined };
    const { execution } = updated(device, next, short);
    assert.equal(execution.status, "SUCCEEDED", device.story());
  });

  it("with a signature is refused where the device has no key", () => {
    const { device, execution } = updated(online(new UpdateDevice({ ota: {} })));
    expectRefused(device, execution, "NoPublicKey");
  });
});

describe("an image that is not what was announced", () => {
  it("because of its digest fails", () => {
    const { device, execution } = updated(online(), next, { sha256: "0".repeat(64) });
    expectFailed(device, execution, "WrongDigest");
  });

  it("because of its signature fails", () => {
    const other = imageOf("2.0.1");
    const signature = signatureText(signImage(other, keys.privateKey));
    const { device, execution } = updated(online(), next, { signature });
    expectFailed(device, execution, "WrongSignature");
  });

  it("because it is longer or shorter is refused with the first answer", () => {
    for (const [difference, reason] of [
      [-16, "LongerThanAnnounced"],
      [16, "ShorterThanAnnounced"],
    ] as const) {
      const { device, execution } = updated(online(), next, { size: next.length + difference });
      assert.equal(execution.details["reason"], reason);
      expectRuns(device, FIRST_VERSION);
    }
  });

  it("because it is longer or shorter than the server could say fails", () => {
    for (const [difference, reason] of [
      [-16, "LongerThanAnnounced"],
      [16, "ShorterThanAnnounced"],
    ] as const) {
      const device = online();
      device.http.announces = false;
      const { execution } = updated(device, next, { size: next.length + difference });
      expectFailed(device, execution, reason);
    }
  });

  it("because the bootloader would not start it fails", () => {
    const image = Uint8Array.from(next);
    image[image.length - 1]! ^= 1;
    const { device, execution } = updated(online(), image);
    expectFailed(device, execution, `NotBootable ${Status.CORRUPT}`);
  });

  it("because the server corrupts a byte fails", () => {
    const device = online();
    device.http.faults = [{ kind: "corrupt", at: 9000 }];
    const { execution } = updated(device);
    expectFailed(device, execution, "WrongDigest");
  });
});

describe("a download", () => {
  const lost = (at: number): HttpFault => ({ kind: "lost", at });

  it("that is interrupted goes on by Range from a whole sector", () => {
    const device = online();
    device.http.faults = [lost(6000), lost(6000), lost(20_000)];
    const { execution } = updated(device);
    assert.equal(execution.status, "SUCCEEDED", device.story());
    const offsets = device.http.requests.map(({ offset }) => offset);
    assert.deepEqual(offsets, [0, 4096, 4096, 16_384]);
  });

  it("that stalls is given up after 30 seconds and goes on", () => {
    const device = online();
    device.http.faults = [{ kind: "stall", at: 10_000 }];
    const { execution } = updated(device);
    assert.equal(execution.status, "SUCCEEDED", device.story());
    assert.equal(device.http.requests.length, 2);
  });

  it("that makes no headway is given up, and the device restarts from what it has", () => {
    const device = online();
    device.http.faults = Array.from({ length: 40 }, () => lost(5000));
    const { execution } = updated(device);
    expectFailed(device, execution, `DownloadFailed ${Status.CONNECTION_LOST}`);
    assert.equal(device.http.requests.length, 9);
    assert.equal(device.eventsOf(Event.RESTART_PENDING).length, 1);
  });

  it("that always makes headway is given up after half an hour", () => {
    const device = online();
    device.http.chunkMs = 29_000 * 4;
    device.http.latencyMs = 1;
    const { execution } = updated(device, imageOf(NEXT_VERSION, { sizeBytes: 256 * 1024 }));
    assert.notEqual(execution.status, "SUCCEEDED");
    expectRuns(device, FIRST_VERSION);
  });

  it("slower than an hour but never silent is given up in time", () => {
    const device = online();
    device.http.chunkMs = 20_000;
    const { execution } = updated(device, imageOf(NEXT_VERSION, { sizeBytes: 256 * 1024 }));
    expectFailed(device, execution, "TooLate");
  });

  for (const [code, reason] of [
    [404, "HttpStatus 404"],
    [400, "HttpStatus 400"],
    [410, "HttpStatus 410"],
  ] as const) {
    it(`answered with ${code} is refused at once`, () => {
      const device = online();
      device.http.faults = [{ kind: "status", code }];
      const { execution } = updated(device);
      assert.equal(execution.details["reason"], reason);
      assert.equal(execution.status, "FAILED");
      assert.equal(device.http.requests.length, 1);
      assert.equal(device.eventsOf(Event.RESTART_PENDING).length, 0);
    });
  }

  it("answered with 500 or 503 is tried again", () => {
    const device = online();
    device.http.faults = [
      { kind: "status", code: 500 },
      { kind: "status", code: 503 },
    ];
    const { execution } = updated(device);
    assert.equal(execution.status, "SUCCEEDED", device.story());
  });

  it("whose URL has expired gets the document again, and goes on with the new URL", () => {
    const device = online();
    const bytes = imageOf(NEXT_VERSION);
    device.http.resource = bytes;
    const document = orderOf("OTA", bytes) as { url: string };
    const execution = device.jobs.create("fresh", document);
    device.http.faults = [lost(9000), { kind: "status", code: 403 }];
    device.http.onRequest = () => {
      document.url = `https://files.test/image.bin?number=${device.http.requests.length}`;
    };
    device.untilEnded(execution);
    assert.equal(execution.status, "SUCCEEDED", device.story());
    assert.match(device.http.requests.at(-1)!.url, /number=2$/);
    assert.equal(device.http.requests.at(-1)!.offset, 4096);
  });

  it("that is forbidden again and again is given up with that code", () => {
    const device = online();
    device.http.faults = Array.from({ length: 40 }, () => ({ kind: "status", code: 403 }));
    const { execution } = updated(device);
    assert.equal(execution.details["reason"], "HttpStatus 403");
    expectRuns(device, FIRST_VERSION);
  });

  it("that is redirected follows, three times at the most, and never to http", () => {
    for (const [count, status] of [
      [1, "SUCCEEDED"],
      [3, "SUCCEEDED"],
      [4, "FAILED"],
    ] as const) {
      const device = online();
      device.http.faults = Array.from({ length: count }, () => ({ kind: "redirect" }));
      assert.equal(updated(device).execution.status, status);
    }
    const device = online();
    device.http.faults = [{ kind: "insecure-redirect" }];
    const { execution } = updated(device);
    expectRefused(device, execution, "NotHttps");
  });

  it("from a server that is not trusted is given up at once", () => {
    const device = online();
    device.http.faults = [{ kind: "refused" }];
    const { execution } = updated(device);
    assert.equal(execution.details["reason"], `DownloadFailed ${Status.TLS_SERVER_REFUSED}`);
    assert.equal(device.http.requests.length, 1);
  });

  it("from a server that knows no ranges begins anew", () => {
    const device = online();
    device.http.faults = [lost(20_000), { kind: "ignore-range" }];
    const { execution } = updated(device);
    assert.equal(execution.status, "SUCCEEDED", device.story());
  });

  it("outlives the loss of Wi-Fi", () => {
    const device = online();
    const execution = device.offer(next);
    device.live(() => device.valuesOf(Event.OTA_PROGRESS).length > 5);
    device.loseWifi();
    device.untilEnded(execution);
    assert.equal(execution.status, "SUCCEEDED", device.story());
    assert.ok(device.http.requests.at(-1)!.offset > 0);
  });

  it("goes on after a power cut from its checkpoint", () => {
    const large = imageOf(NEXT_VERSION, { sizeBytes: 256 * 1024 });
    const device = online();
    const execution = device.offer(large);
    device.live(() => (device.valuesOf(Event.OTA_PROGRESS).at(-1) ?? 0) > 60);
    device.powerOff();
    device.untilEnded(execution);
    assert.equal(execution.status, "SUCCEEDED", device.story());
    const offset = device.http.requests.at(-1)!.offset;
    assert.ok(offset >= 128 * 1024 && offset % 4096 === 0, `${offset}`);
  });

  it("of another update does not go on where the first one was", () => {
    const large = imageOf(NEXT_VERSION, { sizeBytes: 256 * 1024 });
    const other = imageOf("3.0.0", { sizeBytes: 256 * 1024 });
    const device = online();
    const execution = device.offer(large);
    device.live(() => (device.valuesOf(Event.OTA_PROGRESS).at(-1) ?? 0) > 60);
    device.powerOff();
    device.jobs.cancel(execution);
    const second = device.offer(other, {}, "second");
    device.untilEnded(second);
    assert.equal(second.status, "SUCCEEDED", device.story());
    assert.equal(device.http.requests.at(-1)!.offset, 0);
    expectRuns(device, "3.0.0");
  });

  it("reads chunks of the stated size", () => {
    const device = online();
    const { execution } = updated(device);
    assert.equal(execution.status, "SUCCEEDED");
    const percents = device.valuesOf(Event.OTA_PROGRESS).length;
    assert.ok(percents <= Math.ceil(next.length / CHUNK_BYTES));
  });
});

describe("a job that is cancelled during its update", () => {
  for (const state of [OtaState.CHECKING, OtaState.DOWNLOADING, OtaState.ACTIVATING]) {
    it(`in state ${nameOf(OtaState, state)} leaves the device with what it had`, () => {
      const device = online();
      if (state === OtaState.CHECKING) device.http.faults = [{ kind: "stall", at: 0 }];
      const execution = device.offer(next);
      device.live(() => device.valuesOf(Event.OTA_STATE).at(-1) === state);
      device.jobs.cancel(execution);
      device.live(() => device.states.at(-1) === "FAILED").liveFor(60_000);
      assert.deepEqual(
        execution.told.filter((status) => status !== "IN_PROGRESS"),
        [],
      );
      device.live(() => device.isConnected);
      expectRuns(device, FIRST_VERSION);
    });
  }

  it("is not activated when the service could not be asked", () => {
    const device = online();
    const execution = device.offer(next);
    device.live(() => device.states.at(-1) === "VERIFYING");
    device.broker.onConnect = () => Status.UNREACHABLE;
    device.loseWifi();
    device.liveFor(600_000);
    assert.equal(device.states.at(-1), "ACTIVATING");
    assert.equal(device.version, FIRST_VERSION);
    device.broker.onConnect = () => "up";
    device.untilEnded(execution);
    assert.equal(execution.status, "SUCCEEDED", device.story());
  });
});

describe("a trial", () => {
  function rolledBack(prepare: (device: UpdateDevice) => void): {
    device: UpdateDevice;
    execution: Execution;
  } {
    const device = online();
    const execution = device.offer(next);
    device.live(() => device.states.at(-1) === "RESTARTING");
    prepare(device);
    device.untilEnded(execution);
    assert.equal(execution.status, "FAILED", device.story());
    expectRuns(device, FIRST_VERSION);
    assert.equal(device.states.at(-1), "ROLLED_BACK");
    return { device, execution };
  }

  it("that fails the application's self-test rolls back, and the job says so", () => {
    const { execution } = rolledBack((device) => device.pins.set(Pin.PASSES, 0));
    assert.equal(execution.details["reason"], "RolledBack:SelfTestFailed");
  });

  it("without a connection rolls back after five minutes", () => {
    const { device, execution } = rolledBack((one) => {
      one.broker.onConnect = () => (one.version === NEXT_VERSION ? Status.UNREACHABLE : "up");
    });
    assert.equal(execution.details["reason"], "RolledBack:NotConnected");
    const times = device.eventsOf(Event.OTA_STATE);
    const begun = times.find(({ value }) => value === OtaState.SELF_TEST)!.atMs;
    const ended = times.findLast(({ value }) => value === OtaState.RESTARTING)!.atMs;
    assert.equal(ended - begun, 300_000);
  });

  it("that traps rolls back", () => {
    const { device, execution } = rolledBack((one) => {
      one.trialPins.set(Pin.TRAPS, 1);
    });
    assert.match(String(execution.details["reason"]), /^RolledBack:NotConfirmed/);
    assert.equal(device.traps.length, 1);
  });

  it("that loses its power rolls back", () => {
    const { execution } = rolledBack((one) => {
      one.pins.set(Pin.UNDECIDED, 1);
      one.live(() => one.states.at(-1) === "SELF_TEST").liveFor(5000);
      one.powerOff();
      one.pins.set(Pin.UNDECIDED, 0);
    });
    assert.match(String(execution.details["reason"]), /^RolledBack:NotConfirmed/);
  });

  it("of an application that takes no updates rolls back", async () => {
    const { moduleBytesOf } = await import("./support/module_cache.js");
    const module = await moduleBytesOf("release", "quiet_application");
    const device = online();
    const execution = device.offer(imageOf(NEXT_VERSION, { module }));
    device.untilEnded(execution);
    assert.equal(execution.details["reason"], "RolledBack:NoUpdates", device.story());
    expectRuns(device, FIRST_VERSION);
  });

  it("of an application that stays undecided rolls back after five minutes", () => {
    const { execution } = rolledBack((one) => one.trialPins.set(Pin.UNDECIDED, 1));
    assert.equal(execution.details["reason"], "RolledBack:SelfTestFailed");
  });

  it("whose outcome could not be told before a restart is told with its reason", () => {
    const device = online();
    const execution = device.offer(next);
    device.live(() => device.states.at(-1) === "RESTARTING");
    device.pins.set(Pin.PASSES, 0);
    device.live(() => device.states.at(-1) === "ROLLED_BACK");
    device.pins.set(Pin.PASSES, 1);
    // The result is in flash, and the answer to it is lost again and again.
    device.jobs.onRequest = ({ body }) => (body["status"] === "FAILED" ? "silent" : "normal");
    device.live(() => device.jobs.updates.some(({ status }) => status === "FAILED")).liveFor(5000);
    device.powerOff();
    device.jobs.onRequest = () => "normal";
    device.untilEnded(execution);
    assert.equal(execution.status, "FAILED");
    assert.equal(execution.details["reason"], "RolledBack:SelfTestFailed");
  });

  it("leaves nothing behind that the next job could be told with", () => {
    const { device } = rolledBack((one) => one.pins.set(Pin.PASSES, 0));
    device.pins.set(Pin.PASSES, 1);
    const other = device.jobs.create("other", { action: "unknown" });
    device.untilEnded(other);
    assert.equal(other.details["reason"], "this device has no handler for the action");
    const again = device.offer(imageOf("3.0.0"), {}, "again");
    device.untilEnded(again);
    assert.equal(again.status, "SUCCEEDED");
    assert.equal(again.details["reason"], undefined);
  });

  it("waits for an application that is undecided, and no job comes meanwhile", () => {
    const device = online();
    const execution = device.offer(next);
    device.live(() => device.states.at(-1) === "RESTARTING");
    device.pins.set(Pin.UNDECIDED, 1);
    device.live(() => device.states.at(-1) === "SELF_TEST").liveFor(100_000);
    assert.equal(device.states.at(-1), "SELF_TEST");
    assert.equal(execution.status, "IN_PROGRESS");
    device.pins.set(Pin.UNDECIDED, 0);
    device.untilEnded(execution);
    assert.equal(execution.status, "SUCCEEDED");
    expectRuns(device, NEXT_VERSION);
  });
});

describe("an update of the module alone", () => {
  const module = updater;
  /** The same code with one more custom section: another module that does the same. */
  const other = Uint8Array.from([...module, 0, 5, 4, ...Buffer.from("more")]);

  for (const kind of ["url", "inline"] as const) {
    const order = (bytes: Uint8Array, members: object = {}): object => {
      const full = orderOf("APP", bytes, members);
      if (kind === "url") return full;
      return { ...full, url: undefined, module: Buffer.from(bytes).toString("base64"), ...members };
    };
    /** A module inside a document must be small enough for one. */
    const fits = kind === "url" || (other.length * 4) / 3 < 200_000;

    it(`by ${kind} runs in its slot, without touching the firmware`, () => {
      assert.ok(fits);
      const device = online();
      const before = device.image.readPartition("ota_1");
      device.http.resource = other;
      const execution = device.jobs.create("app", order(other));
      device.untilEnded(execution);
      assert.equal(execution.status, "SUCCEEDED", device.story());
      assert.equal(device.software?.module.slot, 0);
      assert.equal(device.software?.isOnTrial, false);
      assert.deepEqual(Buffer.from(device.software!.module.bytes), Buffer.from(other));
      assert.deepEqual(device.image.readPartition("ota_1"), before);
      expectRuns(device, FIRST_VERSION);
    });

    it(`by ${kind} that fails its self-test brings the module before it back`, () => {
      const device = online();
      device.http.resource = other;
      const execution = device.jobs.create("app", order(other));
      device.live(() => device.states.at(-1) === "RESTARTING");
      device.pins.set(Pin.PASSES, 0);
      device.untilEnded(execution);
      assert.equal(execution.details["reason"], "RolledBack:SelfTestFailed", device.story());
      assert.equal(device.software?.module.slot, 255);
      expectRuns(device, FIRST_VERSION);
    });

    it(`by ${kind} for another version of the ABI is refused before it is written`, () => {
      const device = online();
      const before = device.image.readPartition("wasm_0");
      const wrong = Uint8Array.from(other);
      wrong[16] = ABI_VERSION + 1;
      device.http.resource = wrong;
      const execution = device.jobs.create("app", order(wrong));
      device.untilEnded(execution);
      expectRefused(device, execution, `WrongAbiVersion ${ABI_VERSION + 1}`);
      assert.deepEqual(device.image.readPartition("wasm_0"), before);
    });

    it(`by ${kind} with a wrong signature fails`, () => {
      const device = online();
      device.http.resource = other;
      const signature = signatureText(signImage(module, keys.privateKey));
      const execution = device.jobs.create("app", order(other, { signature }));
      device.untilEnded(execution);
      expectFailed(device, execution, "WrongSignature");
      assert.equal(device.software?.module.slot, 255);
    });
  }

  it("inline that is not base64 fails", () => {
    const device = online();
    const text = Buffer.from(other).toString("base64");
    const spoilt = `${text.slice(0, 5000)}!${text.slice(5001)}`;
    const execution = device.jobs.create("app", {
      ...orderOf("APP", other, { url: undefined }),
      module: spoilt,
    });
    device.untilEnded(execution);
    expectFailed(device, execution, "NotBase64");
  });

  it("whose action stands behind the module is refused", () => {
    const device = online();
    const { action, ...rest } = orderOf("APP", other, { url: undefined }) as { action: string };
    const execution = device.jobs.create("app", {
      ...rest,
      module: Buffer.from(other).toString("base64"),
      action,
    });
    device.untilEnded(execution);
    expectRefused(device, execution, "NoSource");
  });

  it("is given up by an update of the firmware, which brings its own", () => {
    const device = online();
    device.http.resource = other;
    device.untilEnded(device.jobs.create("app", orderOf("APP", other)));
    assert.equal(device.software?.module.slot, 0);
    const execution = device.offer(next, {}, "firmware");
    device.untilEnded(execution);
    assert.equal(execution.status, "SUCCEEDED", device.story());
    assert.equal(device.software?.module.slot, 255);
    expectRuns(device, NEXT_VERSION);
  });
});
