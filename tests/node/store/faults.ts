// A host that is busy, fails, or gives back other bytes than it was given: a request is retried
// elsewhere or reported failed, nothing else is harmed, and the store works again when the host
// does.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NorFlash, SECTOR_BYTES } from "../../../host-node/src/ports/nor.js";
import { type HostFaults, Status, StoreDevice } from "../support/store_device.js";
import { DATASETS, isSame, seededRandom, type Value, workload } from "../support/store_workload.js";

const SECTORS = 18;

/** A device with a value in every dataset, in sectors that have been recycled. */
function settled(): { device: StoreDevice; values: Value[] } {
  const device = new StoreDevice(NorFlash.blank(SECTORS));
  device.mount();
  const random = seededRandom(31);
  for (const burst of workload(80, random)) {
    for (const { dataset, value } of burst) device.request(dataset, value ?? new Uint8Array(33));
    device.drain();
  }
  device.completions.length = 0;
  return { device, values: device.values() };
}

function assertKept(device: StoreDevice, values: readonly Value[]): void {
  assert.deepEqual(device.values(), values);
  const again = new StoreDevice(NorFlash.restore(device.flash.snapshot()));
  assert.ok(again.mount() >= 0);
  assert.deepEqual(again.values(), values);
}

const LARGE = 3000;

describe("a host that is busy", () => {
  it("with room for one operation only is waited for", () => {
    const { device, values } = settled();
    device.hostOperations = 1;
    for (let turn = 0; turn < 30; turn++) {
      values[turn % DATASETS] = new Uint8Array(LARGE).fill(turn);
      device.request(turn % DATASETS, values[turn % DATASETS]!);
      device.drain();
    }
    assert.equal(device.completions.length, 30);
    assertKept(device, values);
  });

  it("with nothing of ours under way is asked again at a poll, until it accepts", () => {
    const { device, values } = settled();
    let refusals = 0;
    device.faults = { accept: () => (++refusals % 5 === 0 ? Status.OK : Status.BUSY) };
    for (let turn = 0; turn < 20; turn++) {
      values[turn % DATASETS] = new Uint8Array(LARGE).fill(turn);
      device.request(turn % DATASETS, values[turn % DATASETS]!);
      assert.equal(
        device.due.length === 0,
        device.store.poll() !== 0,
        "polled when nothing is due",
      );
      device.drain();
    }
    assert.ok(refusals > 100);
    assert.ok(device.completions.every(({ status }) => status === Status.OK));
    assertKept(device, values);
  });

  it("between two parts of a payload that changes meanwhile stores one state of it whole", () => {
    const { device, values } = settled();
    device.hostOperations = 2;
    device.request(0, new Uint8Array(100).fill(1));
    device.buffer(0).fill(2, 0, 100);
    device.drain();
    values[0] = new Uint8Array(100).fill(2);
    assert.deepEqual(device.completions, [{ dataset: 0, status: Status.OK }]);
    assertKept(device, values);
  });
});

/** Writes `turns` large values under faults; each ends OK or IO_ERROR and is stored accordingly. */
function writeUnder(
  device: StoreDevice,
  values: Value[],
  faults: HostFaults,
  turns: number,
): number {
  device.faults = faults;
  let failures = 0;
  for (let turn = 0; turn < turns; turn++) {
    const dataset = turn % DATASETS;
    const value = new Uint8Array(LARGE + turn).fill(turn);
    device.request(dataset, value);
    device.drain();
    const { status } = device.completions.at(-1)!;
    if (status === Status.OK) values[dataset] = value;
    else failures++;
    assert.ok(status === Status.OK || status === Status.IO_ERROR);
    assert.equal(device.completions.length, turn + 1, "one completion for each request");
    assert.ok(isSame(device.value(dataset), values[dataset]!));
  }
  device.faults = {};
  return failures;
}

function assertWorksAgain(device: StoreDevice, values: Value[]): void {
  device.completions.length = 0;
  for (let dataset = 0; dataset < DATASETS; dataset++) {
    values[dataset] = new Uint8Array(1200).fill(dataset);
    device.request(dataset, values[dataset]!);
  }
  device.drain();
  assert.deepEqual(
    device.completions,
    values.map((_, dataset) => ({ dataset, status: Status.OK })),
  );
  assertKept(device, values);
}

describe("a host that fails", () => {
  it("every now and then, refusing or after accepting, makes the store take another place", () => {
    for (const fault of ["accept", "done"] as const) {
      const { device, values } = settled();
      let calls = 0;
      const failures = writeUnder(
        device,
        values,
        { [fault]: () => (++calls % 23 === 0 ? Status.IO_ERROR : Status.OK) },
        60,
      );
      assert.ok(calls > 200);
      assert.equal(failures, 0);
      assertKept(device, values);
    }
  });

  it("at every program operation fails each request, and harms no value", () => {
    for (const fault of ["accept", "done"] as const) {
      const { device, values } = settled();
      const before = [...values];
      const fail = (kind: string) => (kind === "program" ? Status.IO_ERROR : Status.OK);
      assert.equal(writeUnder(device, values, { [fault]: fail }, 10), 10);
      assert.deepEqual(device.values(), before);
      assertWorksAgain(device, values);
    }
  });

  it("at every erase still writes what fits, then fails, and harms no value", () => {
    for (const fault of ["accept", "done"] as const) {
      const { device, values } = settled();
      const fail = (kind: string) => (kind === "erase" ? Status.IO_ERROR : Status.OK);
      assert.ok(writeUnder(device, values, { [fault]: fail }, 10) >= 8);
      assertKept(device, values);
      assertWorksAgain(device, values);
    }
  });

  it("to vouch for a record whose bytes are all there makes the store take another place", () => {
    const device = new StoreDevice(NorFlash.blank(SECTORS));
    device.mount();
    device.request(1, new Uint8Array(10).fill(1));
    device.drain();
    const sectorOf = (dataset: number) => Math.floor(device.store.offset(dataset) / SECTOR_BYTES);
    const doubtful = sectorOf(1);
    device.faults = {
      carriesOut: true,
      done: (_, offset) =>
        Math.floor(offset / SECTOR_BYTES) === doubtful ? Status.IO_ERROR : Status.OK,
    };
    device.request(2, new Uint8Array(10).fill(2));
    device.drain();
    assert.deepEqual(device.completions.at(-1), { dataset: 2, status: Status.OK });
    assert.notEqual(sectorOf(2), doubtful);
    assertKept(device, device.values());
  });

  it("in two sectors for good leaves the others to work with", () => {
    const { device, values } = settled();
    const bad = (offset: number) => [3, 4].includes(Math.floor(offset / SECTOR_BYTES));
    const faults: HostFaults = { done: (_, offset) => (bad(offset) ? Status.IO_ERROR : Status.OK) };
    // Values that lie in the bad sectors stay there: they can be read, and may not be erased.
    assert.equal(writeUnder(device, values, faults, 60), 0);
    assertKept(device, values);
  });

  it("does not call the listener from inside the request", () => {
    const { device } = settled();
    device.faults = { accept: () => Status.IO_ERROR };
    device.request(1, new Uint8Array(3));
    assert.equal(device.completions.length, 0);
    assert.ok(device.store.pending(1));
    assert.ok(!device.store.poll() || !device.store.busy());
    device.drain();
    assert.deepEqual(device.completions, [{ dataset: 1, status: Status.IO_ERROR }]);
  });
});

describe("flash that gives other bytes than it was given", () => {
  it("in one sector makes a record go elsewhere", () => {
    const { device, values } = settled();
    const sick = 5;
    const faults: HostFaults = {
      tamper: (offset, bytes) => {
        if (Math.floor(offset / SECTOR_BYTES) === sick && bytes.length > 64) bytes[64]! ^= 1;
      },
    };
    // The values that already lie in the sick sector are rewritten first.
    assert.equal(writeUnder(device, values, {}, DATASETS), 0);
    const inSick = values.some(
      (_, dataset) => Math.floor(device.store.offset(dataset) / SECTOR_BYTES) === sick,
    );
    device.completions.length = 0;
    if (!inSick) assert.equal(writeUnder(device, values, faults, 60), 0);
    assertKept(device, values);
  });

  it("everywhere fails each request after three places, and keeps the values of this life", () => {
    const { device, values } = settled();
    const before = [...values];
    const { programs } = device.flash;
    device.faults = {
      tamper: (_, bytes) => {
        for (let i = 0; i < bytes.length; i++) bytes[i]! ^= 1;
      },
    };
    device.request(2, new Uint8Array(100).fill(9));
    device.drain();
    assert.deepEqual(device.completions, [{ dataset: 2, status: Status.IO_ERROR }]);
    assert.ok(device.flash.programs - programs < 60, "bounded");
    device.faults = {};
    assert.deepEqual(device.values(), before);
    assertWorksAgain(device, values);
  });

  it("or cannot be read where a payload of zeros should be fails the request", () => {
    const { device, values } = settled();
    const before = [...values];
    device.faults = {
      read: (offset) => (offset % SECTOR_BYTES < 1024 ? Status.OK : Status.IO_ERROR),
    };
    device.request(2, new Uint8Array(LARGE));
    device.drain();
    assert.deepEqual(device.completions, [{ dataset: 2, status: Status.IO_ERROR }]);
    device.faults = {};
    assert.deepEqual(device.values(), before);
    assertWorksAgain(device, values);
  });

  it("or cannot be read when a record is verified fails the request, not the store", () => {
    const { device, values } = settled();
    const before = [...values];
    device.faults = { read: () => Status.IO_ERROR };
    device.request(2, new Uint8Array(64));
    device.drain();
    assert.deepEqual(device.completions, [{ dataset: 2, status: Status.IO_ERROR }]);
    device.faults = {};
    assert.deepEqual(device.values(), before);
    assertWorksAgain(device, values);
  });
});
