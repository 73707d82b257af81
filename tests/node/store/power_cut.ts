// Power fails at every program and erase operation of a workload that recycles sectors, in three
// ways; then again in every operation of the recovery. After each cut a new instance mounts what
// is left: every dataset has its old or its new value, never else, and work goes on.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  CUT_MODES,
  type CutMode,
  NorFlash,
  type NorOperation,
  PowerCut,
} from "../../../host-node/src/ports/nor.js";
import { Status, StoreDevice } from "../support/store_device.js";
import {
  DATASETS,
  payload,
  type Request,
  SIZES,
  seededRandom,
  type Value,
  workload,
} from "../support/store_workload.js";

/** The values a dataset may have after a cut: the committed one first, then what is asked for. */
type Allowed = Value[][];

const describeCut = (index: number, operation: NorOperation, mode: string) =>
  `operation ${index}, ${operation.kind} at ${operation.offset}, cut: ${mode}`;

function assertAllowed(device: StoreDevice, allowed: Allowed, what: string): void {
  for (let dataset = 0; dataset < DATASETS; dataset++) {
    const known = allowed[dataset]!.some((value) => device.has(dataset, value));
    assert.ok(known, `dataset ${dataset} has a value it never had after ${what}`);
  }
}

/** Issues the requests of a burst and keeps `allowed` true to what may be in flash. */
function runBurst(device: StoreDevice, burst: readonly Request[], allowed: Allowed): void {
  device.onComplete = ({ dataset, status }) => {
    assert.equal(status, Status.OK);
    allowed[dataset] = [allowed[dataset]!.at(-1)!];
  };
  for (const { dataset, value } of burst) {
    allowed[dataset]!.push(value);
    device.request(dataset, value);
  }
  device.drain();
}

/** Mounts what a cut left, looks at it, lets repairs end, then writes and mounts again. */
function assertRecovers(flash: NorFlash, allowed: Allowed, what: string, seed: number): void {
  const device = new StoreDevice(flash);
  assert.ok(device.mount() >= 0, `mount fails after ${what}`);
  assertAllowed(device, allowed, what);
  const found = device.values();
  device.drain();
  assert.deepEqual(device.values(), found, `repairs change a value after ${what}`);

  const random = seededRandom(seed);
  const size = () => SIZES[Math.floor(random() * SIZES.length)]!;
  const rewritten = found.map(() => payload(size(), random));
  for (const [dataset, value] of rewritten.entries()) device.request(dataset, value);
  device.drain();
  assert.deepEqual(
    device.completions,
    rewritten.map((_, dataset) => ({ dataset, status: Status.OK })),
    `writing again fails after ${what}`,
  );
  const last = new StoreDevice(flash);
  assert.equal(last.mount(), DATASETS);
  assertAllowed(
    last,
    rewritten.map((value) => [value]),
    `${what} and writing again`,
  );
}

const nothing = (): Allowed => Array.from({ length: DATASETS }, () => [null]);

interface Sweep {
  operations: number;
  erases: number;
  cuts: number;
}

/** Runs the workload and cuts the power, on a copy, at each of its operations in each way. */
function sweep(sectors: number, requests: number, seed: number): Sweep {
  const random = seededRandom(seed);
  const flash = NorFlash.blank(sectors);
  const device = new StoreDevice(flash);
  const allowed = nothing();
  const counts = { operations: 0, erases: 0, cuts: 0 };
  flash.onOperation = (operation) => {
    const before = flash.snapshot();
    for (const mode of CUT_MODES) {
      const left = NorFlash.restore(before);
      left.interrupt(operation, mode, random);
      const what = describeCut(counts.operations, operation, mode);
      assertRecovers(left, allowed, what, counts.cuts++);
    }
    counts.operations++;
    if (operation.kind === "erase") counts.erases++;
  };
  assert.equal(device.mount(), 0);
  device.drain();
  for (const burst of workload(requests, random)) runBurst(device, burst, allowed);
  return counts;
}

describe("a power cut", () => {
  for (const [sectors, requests] of [
    [20, 340],
    [16, 280],
  ] as const) {
    it(`at any operation of ${requests} requests on ${sectors} sectors leaves old or new values`, (test) => {
      const { operations, erases, cuts } = sweep(sectors, requests, 32 + sectors);
      test.diagnostic(`${operations} operations, ${erases} erases, ${cuts} cuts`);
      assert.ok(operations > requests);
      assert.ok(erases > 3 * sectors, "sectors are recycled several times");
      assert.equal(cuts, CUT_MODES.length * operations);
    });
  }
});

/** What a device does after a cut: mounts, ends repairs, asks again for what was interrupted. */
function recover(flash: NorFlash, requests: readonly Request[]): void {
  const device = new StoreDevice(flash);
  assert.ok(device.mount() >= 0);
  for (const { dataset, value } of requests) device.request(dataset, value);
  device.drain();
}

/** Operations that recover() takes on a copy. */
function countOperations(flash: NorFlash, requests: readonly Request[]): number {
  let operations = 0;
  const copy = NorFlash.restore(flash.snapshot());
  copy.onOperation = () => operations++;
  recover(copy, requests);
  return operations;
}

/** Cuts every operation of the recovery from what a first cut left; returns how many there were. */
function cutRecovery(
  left: NorFlash,
  allowed: Allowed,
  mode: CutMode,
  what: string,
  seed: number,
): number {
  const random = seededRandom(seed);
  const requests = allowed.flatMap((values, dataset) =>
    values.length > 1 ? [{ dataset, value: values.at(-1)! }] : [],
  );
  const operations = countOperations(left, requests);
  for (let second = 0; second < operations; second++) {
    const again = NorFlash.restore(left.snapshot());
    again.armPowerCut(second, mode, random);
    assert.throws(() => recover(again, requests), PowerCut);
    const both = `${what}, then operation ${second} of the recovery, cut: ${mode}`;
    const device = new StoreDevice(again);
    assert.ok(device.mount() >= 0, `mount fails after ${both}`);
    assertAllowed(device, allowed, both);
    device.drain();
    assertAllowed(device, allowed, `repairs after ${both}`);
  }
  return operations;
}

describe("a second power cut", () => {
  it("at any operation of the recovery from a first one leaves old or new values", (test) => {
    const random = seededRandom(7);
    const flash = NorFlash.blank(16);
    const device = new StoreDevice(flash);
    const allowed = nothing();
    let operations = 0;
    let pairs = 0;
    assert.equal(device.mount(), 0);
    device.drain();
    // Filled first, so that nearly every operation of the rest is near a recycled sector.
    for (const burst of workload(40, random)) runBurst(device, burst, allowed);
    flash.onOperation = (operation) => {
      const before = flash.snapshot();
      for (const [turn, mode] of CUT_MODES.entries()) {
        const left = NorFlash.restore(before);
        left.interrupt(operation, mode, random);
        const what = describeCut(operations, operation, mode);
        const second = CUT_MODES[(turn + operations) % CUT_MODES.length]!;
        pairs += cutRecovery(left, allowed, second, what, pairs);
      }
      operations++;
    };
    for (const burst of workload(50, random)) runBurst(device, burst, allowed);
    test.diagnostic(`${operations} first cuts, ${pairs} pairs`);
    assert.ok(operations > 100 && pairs > operations * CUT_MODES.length);
  });
});
