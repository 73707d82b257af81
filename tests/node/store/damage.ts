// Damaged bytes: wherever one of them lies, the store mounts, tells that something is damaged when
// a value is lost by it, loses at most the record that was hit, and goes on working.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NorFlash, type NorSnapshot, SECTOR_BYTES } from "../../../host-node/src/ports/nor.js";
import { Status, StoreDevice } from "../support/store_device.js";
import {
  DATASETS,
  isSame,
  payload,
  RECORD_BYTES_MAX,
  seededRandom,
  type Value,
  workload,
} from "../support/store_workload.js";

const SECTORS = 16;

interface Used {
  readonly flash: NorSnapshot;
  readonly values: Value[];
  /** Every value that each dataset ever had. */
  readonly history: Value[][];
}

/** A partition with a history: sectors recycled, values replaced, some erased. */
function usedPartition(): Used {
  const random = seededRandom(21);
  const flash = NorFlash.blank(SECTORS);
  const device = new StoreDevice(flash);
  const history: Value[][] = Array.from({ length: DATASETS }, () => [null]);
  device.mount();
  for (const burst of workload(160, random, [0, 1, 17, 256, 700, 1200, 1704])) {
    for (const { dataset, value } of burst) {
      device.request(dataset, value);
      history[dataset]!.push(value);
    }
    device.drain();
  }
  assert.ok(Math.min(...flash.erases) > 0, "every sector has been used");
  return { flash: flash.snapshot(), values: device.values(), history };
}

/** Mounts the partition with one byte changed; keeps it between two calls that change nothing. */
class Probe {
  readonly #device: StoreDevice;
  #operations = 0;

  constructor(readonly used: Used) {
    this.#device = new StoreDevice(this.#copy());
  }

  #copy(): NorFlash {
    const flash = NorFlash.restore(this.used.flash);
    flash.onOperation = () => this.#operations++;
    return flash;
  }

  /** Returns how many values are not the newest ones. */
  mount(at: number, byte: number, goOn: boolean): number {
    const device = this.#device;
    const before = device.flash.bytes[at]!;
    const what = `byte ${at} = ${byte} instead of ${before}`;
    device.flash.bytes[at] = byte;
    assert.ok(device.mount() >= 0, `mount fails: ${what}`);
    const lost = this.#lostValues(what);
    assert.ok(lost.length <= 1, `more than one value is lost: ${what}`);
    for (const dataset of lost) assertReported(device, dataset, what);
    device.drain();
    if (goOn) assertWorks(device, at, what);
    if (this.#operations > 0) device.flash = this.#copy();
    else device.flash.bytes[at] = before;
    this.#operations = 0;
    return lost.length;
  }

  #lostValues(what: string): number[] {
    const { used } = this;
    return used.values.flatMap((value, dataset) => {
      if (this.#device.has(dataset, value)) return [];
      const known = used.history[dataset]!.some((old) => this.#device.has(dataset, old));
      assert.ok(known, `dataset ${dataset} has a value it never had: ${what}`);
      return [dataset];
    });
  }
}

function assertReported(device: StoreDevice, dataset: number, what: string): void {
  const count = device.store.corruptCount();
  const reported = Array.from({ length: count }, (_, index) => device.store.corruptDataset(index));
  assert.ok(reported.includes(dataset) || reported.includes(-1), `not reported: ${what}`);
}

/** Writes every dataset twice, which recycles sectors, and looks at all of them after a restart. */
function assertWorks(device: StoreDevice, seed: number, what: string): void {
  const random = seededRandom(seed);
  const expected: Value[] = [];
  device.completions.length = 0;
  for (let dataset = 0; dataset < 2 * DATASETS; dataset++) {
    expected[dataset % DATASETS] = payload(1700, random);
    device.request(dataset % DATASETS, expected[dataset % DATASETS]!);
    device.drain();
  }
  assert.ok(
    device.completions.every(({ status }) => status === Status.OK),
    what,
  );
  const again = new StoreDevice(device.flash);
  assert.equal(again.mount(), DATASETS);
  assert.deepEqual(again.values(), expected, what);
}

describe("a damaged byte", () => {
  const used = usedPartition();

  it("with one bit flipped, at every place, costs at most the record it is in", (test) => {
    const probe = new Probe(used);
    let lost = 0;
    for (let at = 0; at < used.flash.bytes.length; at++) {
      lost += probe.mount(at, used.flash.bytes[at]! ^ (1 << ((at * 5) % 8)), at % 61 === 0);
    }
    test.diagnostic(`${used.flash.bytes.length} places, ${lost} of them cost a value`);
    const live = used.values.reduce((sum, value) => sum + (value?.length ?? 0), 0);
    assert.ok(lost >= live, "every byte of a value is guarded");
  });

  it("turned into 0x00 or 0xff, in each unit, costs at most the record it is in", () => {
    const probe = new Probe(used);
    for (let at = 3; at < used.flash.bytes.length; at += 15) {
      probe.mount(at, 0x00, at % 13 === 0);
      probe.mount(at, 0xff, at % 17 === 0);
    }
  });

  it("in a value's payload brings the older value back and names the dataset", () => {
    const flash = NorFlash.blank(SECTORS);
    const device = new StoreDevice(flash);
    device.mount();
    for (const fill of [1, 2]) {
      device.request(4, new Uint8Array(50).fill(fill));
      device.drain();
    }
    flash.bytes[device.store.offset(4) + 7]! ^= 0x10;
    const damaged = new StoreDevice(flash);
    assert.equal(damaged.mount(), 1);
    assert.deepEqual(damaged.value(4), new Uint8Array(50).fill(1));
    assert.equal(damaged.store.corruptCount(), 1);
    assert.equal(damaged.store.corruptDataset(0), 4);
    damaged.request(4, new Uint8Array(50).fill(3));
    damaged.drain();
    const repaired = new StoreDevice(flash);
    repaired.mount();
    assert.deepEqual(repaired.value(4), new Uint8Array(50).fill(3));
    assert.equal(repaired.store.corruptCount(), 0, "what has been replaced is no longer reported");
  });
});

describe("a damaged sector header", () => {
  /** A device with these values written in turn, each alone in its sector. */
  function withRecords(values: readonly (readonly [dataset: number, value: Value])[]): StoreDevice {
    const device = new StoreDevice(NorFlash.blank(SECTORS));
    device.mount();
    for (const [dataset, value] of values) {
      device.request(dataset, value);
      device.drain();
    }
    return device;
  }

  it("of the active sector keeps its values, and nothing more is programmed there", () => {
    const device = withRecords([[1, new Uint8Array(10).fill(1)]]);
    device.flash.bytes[5]! ^= 1;
    assert.equal(device.mount(), 1);
    assert.equal(device.store.corruptDataset(0), -1);
    const before = device.flash.bytes.slice(0, SECTOR_BYTES);
    device.onComplete = () =>
      assert.deepEqual(device.flash.bytes.slice(16 + 32, SECTOR_BYTES), before.slice(16 + 32));
    device.request(2, new Uint8Array(10).fill(2));
    device.drain();
    assert.equal(device.completions.length, 2);
    device.mount();
    assert.deepEqual(device.value(1), new Uint8Array(10).fill(1));
    assert.deepEqual(device.value(2), new Uint8Array(10).fill(2));
  });

  it("of a tombstone's sector, which is recycled first, does not raise the dead", () => {
    const full = new Uint8Array(RECORD_BYTES_MAX);
    const device = withRecords([
      [5, full],
      [5, null],
    ]);
    const tombstone = SECTOR_BYTES + 16;
    assert.deepEqual([...device.flash.bytes.subarray(tombstone, tombstone + 2)], [0x52, 0x85]);
    device.flash.bytes[SECTOR_BYTES + 5]! ^= 1;
    device.mount();
    device.drain();
    for (let turn = 0; turn < 3 * SECTORS; turn++) {
      device.request(1, full);
      device.drain();
      const again = new StoreDevice(NorFlash.restore(device.flash.snapshot()));
      again.mount();
      assert.equal(again.store.size(5), -1, `after ${turn + 1} more writes`);
    }
  });
});

describe("a damaged sector", () => {
  it("costs what it held and nothing else, whichever it is", () => {
    const used = usedPartition();
    const random = seededRandom(22);
    for (let sector = 0; sector < SECTORS; sector++) {
      for (const fill of [() => 0, () => 0xff, () => Math.floor(random() * 256)]) {
        const flash = new NorFlash(used.flash.bytes.slice());
        const begin = sector * SECTOR_BYTES;
        for (let at = begin; at < begin + SECTOR_BYTES; at++) flash.bytes[at] = fill();
        const device = new StoreDevice(new NorFlash(flash.bytes));
        assert.ok(device.mount() >= 0);
        for (const [dataset, value] of device.values().entries()) {
          assert.ok(used.history[dataset]!.some((old) => isSame(old, value)));
        }
        assertWorks(device, sector, `sector ${sector} is gone`);
      }
    }
  });
});
