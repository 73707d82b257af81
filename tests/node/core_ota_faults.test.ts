// No fault, and no two of them, brick a device: each fault of power, network and server at every
// chunk boundary and in the middle of every chunk of an update, power cuts at every call of the
// core to its host and in every operation on flash, and pairs of all these. Whatever happens the
// device ends connected on the old or the new firmware, off trial, and the job says which.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Event, Mode } from "../../host-node/src/abi.js";
import { CUT_MODES, type CutMode } from "../../host-node/src/ports/nor.js";
import { seededRandom } from "./support/seeded_random.js";
import type { Execution } from "./support/shadow_jobs_cloud.js";
import { imageOf, NEXT_VERSION, orderOf, UpdateDevice, updater } from "./support/update_device.js";

const next = imageOf(NEXT_VERSION);
const CHUNK_BYTES = 1536;
const LONG_MS = 6 * 3600_000;
/** Pairs that are tried; chosen by a seed. */
const PAIRS = Number(process.env["IOT32_OTA_PAIRS"] ?? 1000);
const SEED = Number(process.env["IOT32_OTA_SEED"] ?? 20_261_124);

/** A fault to be, in a device that is about to be offered an update. */
interface Fault {
  readonly name: string;
  arm(device: UpdateDevice): void;
}

/** Boundaries and middles of all chunks. */
const positions = Array.from({ length: Math.ceil(next.length / CHUNK_BYTES) }, (_, chunk) => [
  chunk * CHUNK_BYTES,
  Math.min(chunk * CHUNK_BYTES + CHUNK_BYTES / 2, next.length - 1),
]).flat();

/** Happens once, when the byte at the position is about to be served. */
function when(device: UpdateDevice, position: number, happen: () => void): void {
  const before = device.http.onServe;
  let isDone = false;
  device.http.onServe = (at, end) => {
    before(at, end);
    if (isDone || position < at || position >= end) return;
    isDone = true;
    happen();
  };
}

/** What goes wrong at a position of the image. */
const atPosition: Record<string, (device: UpdateDevice, position: number) => void> = {
  "the power fails": (device, at) =>
    when(device, at, () => {
      device.powerOff();
    }),
  "Wi-Fi is lost": (device, at) =>
    when(device, at, () => {
      device.loseWifi();
    }),
  "the connection is lost": (device, at) => device.http.faults.push({ kind: "lost", at }),
  "the body is truncated": (device, at) => device.http.faults.push({ kind: "truncate", at }),
  "the server stalls": (device, at) => device.http.faults.push({ kind: "stall", at }),
  "the server drips": (device, at) =>
    when(device, at, () => {
      device.http.chunkMs = 20_000;
      device.agenda.after(120_000, () => {
        device.http.chunkMs = 1;
      });
    }),
  "a byte is corrupted": (device, at) => device.http.faults.push({ kind: "corrupt", at }),
  "the server fails after a loss": (device, at) =>
    device.http.faults.push({ kind: "lost", at }, { kind: "status", code: 500 }),
  "the URL expires after a loss": (device, at) =>
    device.http.faults.push({ kind: "lost", at }, { kind: "status", code: 403 }),
  "a redirect follows a loss": (device, at) =>
    device.http.faults.push({ kind: "lost", at }, { kind: "redirect" }),
  "TLS is refused after a loss": (device, at) =>
    device.http.faults.push({ kind: "lost", at }, { kind: "refused" }),
  "the server forgets its ranges after a loss": (device, at) =>
    device.http.faults.push({ kind: "lost", at }, { kind: "ignore-range" }),
};

const positional: readonly Fault[] = Object.entries(atPosition).flatMap(([name, arm]) =>
  positions.map((at) => ({ name: `${name} at byte ${at}`, arm: (device) => arm(device, at) })),
);

function online(update: Update): UpdateDevice {
  const device = new UpdateDevice();
  device.boot().untilEvent(Event.MQTT_CONNECTED);
  device.settle();
  device.switch.calls = 0;
  // SUCCEEDED is said by the new firmware, when nothing can bring the old one back.
  device.jobs.onRequest = ({ body }) => {
    if (body["status"] === "SUCCEEDED") {
      assert.ok(update.isIn(device));
      assert.equal(device.software?.isOnTrial, false);
    }
    return "normal";
  };
  return device;
}

/** An update that is offered, and whether what runs is what it brings. */
interface Update {
  offer(device: UpdateDevice): Execution;
  isIn(device: UpdateDevice): boolean;
}

const ofFirmware: Update = {
  offer: (device) => device.offer(next),
  isIn: (device) => device.version === NEXT_VERSION,
};

/** The same code with one more custom section. */
const otherModule = Uint8Array.from([...updater, 0, 5, 4, ...Buffer.from("more")]);

const ofModule: Update = {
  offer: (device) => {
    device.http.resource = otherModule;
    return device.jobs.create("app", orderOf("APP", otherModule));
  },
  isIn: (device) => device.software?.module.slot === 0,
};

const inDocument: Update = {
  offer: (device) =>
    device.jobs.create("app", {
      ...orderOf("APP", otherModule, { url: undefined }),
      module: Buffer.from(otherModule).toString("base64"),
    }),
  isIn: ofModule.isIn,
};

/** The device lives on until it is at rest: connected, and its job over. */
function judge(device: UpdateDevice, execution: Execution, update: Update): string {
  const open = ["QUEUED", "IN_PROGRESS"];
  device.live(() => !open.includes(execution.status), LONG_MS).liveFor(60_000);
  device.live(() => device.isConnected, LONG_MS).liveFor(10_000);
  const isIn = execution.status === "SUCCEEDED";
  assert.equal(update.isIn(device), isIn, `the job is ${execution.status}`);
  assert.equal(device.software?.isOnTrial, false);
  assert.equal(device.valuesOf(Event.MODE_CHANGED).at(-1), Mode.NORMAL);
  return execution.status;
}

/** What comes of an update of the firmware with these faults. */
const outcome = (...faults: readonly Fault[]): string => outcomeOf(ofFirmware, ...faults);

function outcomeOf(update: Update, ...faults: readonly Fault[]): string {
  const device = online(update);
  for (const fault of faults) fault.arm(device);
  try {
    return judge(device, update.offer(device), update);
  } catch (error) {
    const names = faults.map(({ name }) => name).join("; then ");
    (error as Error).message = `${names}: ${(error as Error).message}\n${device.story()}`;
    throw error;
  }
}

function count(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of outcomes) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}

/** Calls of the core to its host, from the offer to the job's end. */
function callsOf(update: Update): number {
  const device = online(update);
  const execution = update.offer(device);
  let calls = 0;
  device.live(() => {
    calls = Math.max(calls, device.switch.calls);
    return execution.status === "SUCCEEDED";
  });
  return calls;
}

const calls = callsOf(ofFirmware);
const cutAtCall = (call: number, isPerformed: boolean): Fault => ({
  name: `the power fails ${isPerformed ? "behind" : "before"} call ${call}`,
  arm: (device) => {
    device.switch.cutAt = { call, isPerformed };
  },
});

const cutInFlash = (label: string, operation: number, mode: CutMode): Fault => ({
  name: `the power fails in operation ${operation} on ${label}, leaving ${mode}`,
  arm: (device) => {
    device.image.region(label).nor.armPowerCut(operation, mode, seededRandom(operation + 1));
  },
});

/** Operations of an update on each partition; more than there are does no harm. */
const flashCuts: readonly Fault[] = [
  ...CUT_MODES.flatMap((mode) =>
    Array.from({ length: 6 }, (_, operation) => cutInFlash("otadata", operation, mode)),
  ),
  ...CUT_MODES.flatMap((mode) =>
    Array.from({ length: 44 }, (_, operation) => cutInFlash("ota_1", operation, mode)),
  ),
];

describe("a fault during an update", () => {
  for (const name of Object.keys(atPosition)) {
    it(`"${name}", wherever it is, leaves the device on the old or the new firmware`, () => {
      const faults = positional.filter((fault) => fault.name.startsWith(`${name} at`));
      const outcomes = faults.map((fault) => outcome(fault));
      const isFinal = name === "a byte is corrupted" || name.startsWith("TLS is refused");
      const succeeded = outcomes.filter((status) => status === "SUCCEEDED").length;
      assert.equal(succeeded, isFinal ? 0 : faults.length, JSON.stringify(count(outcomes)));
    });
  }

  it("that is a power cut at any call of the core leaves it so", () => {
    assert.ok(calls > 150, `${calls} calls`);
    for (let call = 1; call <= calls; call++) {
      outcome(cutAtCall(call, false));
      outcome(cutAtCall(call, true));
    }
  });

  it("that is a power cut in any operation on flash leaves it so", () => {
    for (const fault of flashCuts) outcome(fault);
  });
});

describe("a power cut around a checkpoint", () => {
  const large = imageOf(NEXT_VERSION, { sizeBytes: 160 * 1024 });
  const ofLarge: Update = { ...ofFirmware, offer: (device) => device.offer(large) };

  it("goes on with nothing missing", () => {
    for (let at = 60_000; at < 80_000; at += CHUNK_BYTES / 2) {
      const cut: Fault = {
        name: `the power fails at byte ${at}`,
        arm: (device) => atPosition["the power fails"]!(device, at),
      };
      assert.equal(outcomeOf(ofLarge, cut), "SUCCEEDED", cut.name);
    }
  });
});

describe("a power cut during an update of the module alone", () => {
  for (const [name, update] of Object.entries({ "by url": ofModule, inline: inDocument })) {
    it(`${name}, at any call of the core, leaves the old or the new module`, () => {
      const last = callsOf(update);
      assert.ok(last > 60, `${last} calls`);
      for (let call = 1; call <= last; call++) {
        outcomeOf(update, cutAtCall(call, false));
        outcomeOf(update, cutAtCall(call, true));
      }
    });

    it(`${name}, in any operation on flash, leaves the old or the new module`, () => {
      for (const mode of CUT_MODES) {
        for (let operation = 0; operation < 48; operation++) {
          outcomeOf(update, cutInFlash("wasm_0", operation, mode));
        }
      }
    });
  }
});

describe("two faults during an update", () => {
  it("leave the device on the old or the new firmware", () => {
    const random = seededRandom(SEED);
    const pick = <Item>(items: readonly Item[]): Item =>
      items[Math.floor(random() * items.length)]!;
    const someCut = (): Fault => cutAtCall(1 + Math.floor(random() * calls), random() < 0.5);
    const some = (): Fault => {
      const kind = random();
      if (kind < 0.6) return pick(positional);
      return kind < 0.8 ? pick(flashCuts) : someCut();
    };
    const outcomes = Array.from({ length: PAIRS }, () => outcome(some(), some()));
    const counts = count(outcomes);
    assert.ok(counts["SUCCEEDED"]! > PAIRS / 4 && counts["FAILED"]! > 10, JSON.stringify(counts));
  });
});
