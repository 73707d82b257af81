// The record store's interface on flash that does as it should: values, sizes and places, the
// queue, and what mount answers to partitions of every kind.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NorFlash, SECTOR_BYTES, UNIT_BYTES } from "../../../host-node/src/ports/nor.js";
import { Status, StoreDevice } from "../support/store_device.js";
import {
  crc32,
  DATASETS,
  payload,
  RECORD_BYTES_MAX,
  SIZES,
  seededRandom,
} from "../support/store_workload.js";

const SECTORS = 16;

function mounted(flash = NorFlash.blank(SECTORS)): StoreDevice {
  const device = new StoreDevice(flash);
  assert.ok(device.mount() >= 0);
  device.drain();
  return device;
}

function commit(device: StoreDevice, dataset: number, value: Uint8Array | null): void {
  device.request(dataset, value);
  device.drain();
  assert.deepEqual(device.completions.at(-1), { dataset, status: Status.OK });
}

describe("a value", () => {
  it("of any size comes back as it was, at once and after a restart", () => {
    const random = seededRandom(1);
    const flash = NorFlash.blank(SECTORS);
    const device = mounted(flash);
    for (const size of SIZES) {
      const value = payload(size, random);
      commit(device, 3, value);
      assert.deepEqual(device.value(3), value);
      assert.deepEqual(mounted(flash).value(3), value, `${size} bytes after a restart`);
    }
  });

  it("lies contiguous in the partition where offset says, on a unit", () => {
    const device = mounted();
    const value = payload(1704, seededRandom(2));
    commit(device, 2, value);
    const at = device.store.offset(2);
    assert.equal(at % UNIT_BYTES, 0);
    assert.deepEqual(Uint8Array.from(device.flash.read(at, value.length)), value);
  });

  it("is read in parts, and a part beyond its end is refused", () => {
    const device = mounted();
    commit(
      device,
      7,
      Uint8Array.from({ length: 100 }, (_, i) => i),
    );
    const to = device.store.buffer(0);
    assert.equal(device.store.read(7, 90, to, 10), Status.OK);
    assert.deepEqual(
      [...device.buffer(0).subarray(0, 10)],
      [90, 91, 92, 93, 94, 95, 96, 97, 98, 99],
    );
    assert.equal(device.store.read(7, 100, to, 0), Status.OK);
    for (const [at, bytes] of [
      [91, 10],
      [101, 0],
      [-1, 5],
      [0, -1],
      [50, 0x7fffffff],
    ] as const) {
      assert.equal(device.store.read(7, at, to, bytes), Status.INVALID_ARGUMENT, `${at}, ${bytes}`);
    }
    assert.equal(device.store.read(6, 0, to, 0), Status.NOT_FOUND);
  });

  it("of no bytes is a value, and an erased one is none, also after a restart", () => {
    const flash = NorFlash.blank(SECTORS);
    const device = mounted(flash);
    commit(device, 1, new Uint8Array(0));
    assert.equal(device.store.size(1), 0);
    assert.equal(mounted(flash).store.size(1), 0);
    commit(device, 1, new Uint8Array(9));
    commit(device, 1, null);
    assert.equal(device.store.size(1), -1);
    const again = mounted(flash);
    assert.equal(again.store.size(1), -1);
    assert.equal(again.store.corruptCount(), 0);
  });

  it("stays erased when the sectors of its older records are recycled in any order", () => {
    const flash = NorFlash.blank(16);
    const device = mounted(flash);
    commit(device, 5, payload(500, seededRandom(3)));
    commit(device, 5, null);
    for (let turn = 0; turn < 40; turn++) {
      commit(device, turn % 5, payload(3000, seededRandom(turn)));
      assert.equal(mounted(flash).store.size(5), -1, `after ${turn} more writes`);
    }
  });

  it("larger than a sector holds is refused, and the old one stays", () => {
    const device = mounted();
    commit(device, 0, new Uint8Array(3).fill(7));
    device.store.write(0, device.store.buffer(0), RECORD_BYTES_MAX + 1);
    assert.equal(device.completions.length, 1, "no completion from inside the request");
    device.drain();
    assert.deepEqual(device.completions.at(-1), { dataset: 0, status: Status.TOO_LARGE });
    assert.deepEqual(device.value(0), new Uint8Array(3).fill(7));
    assert.equal(device.store.RECORD_BYTES_MAX.value, RECORD_BYTES_MAX);
  });

  it("is the buffer's content when programming begins", () => {
    const device = mounted();
    commit(device, 0, new Uint8Array(1)); // Opens the first sector.
    device.request(4, new Uint8Array(40).fill(1));
    device.request(5, new Uint8Array(40).fill(1));
    device.buffer(4).fill(2);
    device.buffer(5).fill(3);
    device.drain();
    assert.deepEqual(device.value(4), new Uint8Array(40).fill(1));
    assert.deepEqual(device.value(5), new Uint8Array(40).fill(3));
  });
});

describe("the queue", () => {
  it("completes in the order in which the datasets were first asked for", () => {
    const device = mounted();
    const order = [3, 0, 7, 1, 6, 2, 5, 4];
    for (const dataset of order) device.request(dataset, new Uint8Array([dataset]));
    for (const dataset of [6, 0, 1]) device.request(dataset, new Uint8Array([100 + dataset]));
    device.drain();
    assert.deepEqual(
      device.completions.map(({ dataset }) => dataset),
      order,
    );
    assert.deepEqual(
      device
        .values()
        .slice(0, order.length)
        .map((value) => [...value!]),
      [[100], [101], [2], [3], [4], [5], [106], [7]],
    );
  });

  it("never holds more than one request of a dataset: the last one wins with one completion", () => {
    const device = mounted();
    device.request(0, new Uint8Array(1500));
    const programs = device.flash.programs;
    const others = DATASETS - 1;
    for (let i = 0; i < 1000; i++)
      device.request(1 + (i % others), i % 3 === 0 ? null : new Uint8Array([i & 0xff]));
    assert.equal(device.flash.programs, programs, "nothing more is handed over meanwhile");
    device.drain();
    assert.equal(device.completions.length, DATASETS);
    const expected = Array.from({ length: others }, (_, i) => {
      const last = 999 - ((999 - i) % others);
      return last % 3 === 0 ? null : new Uint8Array([last & 0xff]);
    });
    assert.deepEqual(device.values().slice(1), expected);
  });

  it("writes a dataset again whose write is in progress, with two completions", () => {
    const device = mounted();
    commit(device, 0, new Uint8Array(1)); // Opens the first sector.
    device.request(2, new Uint8Array([1]));
    device.request(2, new Uint8Array([2]));
    device.request(2, new Uint8Array([3]));
    assert.ok(device.store.pending(2));
    const seen: (Uint8Array | null)[] = [];
    device.onComplete = () => seen.push(device.value(2));
    device.drain();
    assert.deepEqual(seen, [new Uint8Array([1]), new Uint8Array([3])]);
    assert.ok(!device.store.pending(2));
  });

  it("replaces a request that has been taken up but waits for a sector to be erased", () => {
    const device = mounted();
    device.request(2, new Uint8Array([1]));
    device.request(2, new Uint8Array([2]));
    device.drain();
    assert.deepEqual(device.completions, [{ dataset: 2, status: Status.OK }]);
    assert.deepEqual(device.value(2), new Uint8Array([2]));
  });

  it("takes requests of the listener itself", () => {
    const device = mounted();
    let left = 20;
    device.onComplete = ({ dataset }) => {
      assert.ok(!device.store.pending(dataset));
      if (left-- > 0) device.request((dataset + 1) % 3, new Uint8Array([left]));
    };
    device.request(0, new Uint8Array(1));
    device.drain();
    assert.equal(device.completions.length, 21);
    assert.ok(device.completions.every(({ status }) => status === Status.OK));
  });

  it("shows what is pending and busy until the completion", () => {
    const device = mounted();
    assert.ok(!device.store.busy());
    device.request(1, new Uint8Array(300));
    device.request(6, null);
    assert.deepEqual(
      [1, 6, 2].map((dataset) => device.store.pending(dataset) !== 0),
      [true, true, false],
    );
    assert.equal(device.store.size(1), -1, "a value counts when it is committed");
    while (device.completions.length === 0) device.deliver();
    assert.ok(!device.store.pending(1) && device.store.pending(6) && device.store.busy());
    device.drain();
    assert.ok(!device.store.pending(6) && !device.store.busy());
  });

  it("traps on a dataset that is none, and on a negative size", () => {
    const device = mounted();
    assert.throws(() => device.store.erase(DATASETS), /panic 10/);
    assert.throws(() => device.store.write(0, 0, -1), /panic 10/);
  });
});

describe("mount", () => {
  it("of a blank partition finds nothing and makes one reserve", () => {
    const device = new StoreDevice(NorFlash.blank(SECTORS));
    assert.equal(device.mount(), 0);
    assert.ok(device.store.busy());
    device.drain();
    assert.equal(device.store.corruptCount(), 0);
    assert.deepEqual([...device.flash.erases], [1, ...new Array(SECTORS - 1).fill(0)]);
    assert.deepEqual(device.completions, []);
  });

  it("does nothing to a partition that is in order", () => {
    const flash = NorFlash.blank(SECTORS);
    commit(mounted(flash), 0, payload(700, seededRandom(4)));
    const before = flash.snapshot();
    const device = new StoreDevice(flash);
    assert.equal(device.mount(), 1);
    assert.ok(!device.store.busy());
    assert.deepEqual(flash.snapshot(), before);
  });

  it("of foreign garbage finds nothing, reports it, and the store works", () => {
    const random = seededRandom(5);
    for (const fill of [() => 0, () => Math.floor(random() * 256), () => 0x52]) {
      const bytes = new Uint8Array(SECTORS * SECTOR_BYTES).map(fill);
      const flash = new NorFlash(bytes);
      const device = new StoreDevice(flash);
      assert.equal(device.mount(), 0);
      assert.ok(device.store.corruptCount() > 0);
      assert.equal(device.store.corruptDataset(0), -1);
      device.drain();
      commit(device, 3, new Uint8Array(2000).fill(5));
      assert.deepEqual(mounted(flash).value(3), new Uint8Array(2000).fill(5));
    }
  });

  it("of a partition of any size from sixteen sectors works, of a smaller one says so", () => {
    for (const sectors of [16, 17, 64, 70]) {
      const flash = NorFlash.blank(sectors);
      const device = mounted(flash);
      for (let turn = 0; turn < 3 * sectors; turn++)
        commit(device, turn % 8, new Uint8Array(RECORD_BYTES_MAX).fill(turn));
      assert.deepEqual(mounted(flash).values(), device.values());
    }
    const small = new StoreDevice(NorFlash.blank(15));
    assert.equal(small.mount(), Status.NO_SPACE);
    small.request(1, new Uint8Array(1));
    small.drain();
    assert.deepEqual(small.completions, [{ dataset: 1, status: Status.NOT_READY }]);
    assert.equal(small.flash.programs, 0);
  });

  it("before the first one, every request fails with NOT_READY", () => {
    const device = new StoreDevice(NorFlash.blank(SECTORS));
    device.request(0, new Uint8Array(1));
    device.drain();
    assert.deepEqual(device.completions, [{ dataset: 0, status: Status.NOT_READY }]);
  });

  it("of a newer format touches nothing and says UNSUPPORTED", () => {
    const flash = NorFlash.blank(SECTORS);
    commit(mounted(flash), 0, new Uint8Array(10));
    // The header of sector 5 as format version 2 would have it, with its checksum made right.
    flash.bytes.set(sectorHeader(5 * SECTOR_BYTES, 2), 5 * SECTOR_BYTES);
    const before = flash.bytes.slice();
    const device = new StoreDevice(flash);
    assert.equal(device.mount(), Status.UNSUPPORTED);
    assert.ok(!device.store.busy());
    assert.deepEqual(device.values(), new Array(DATASETS).fill(null));
    assert.deepEqual(flash.bytes, before);
  });

  it("passes on what flash_size and flash_read answer, and succeeds when they do", () => {
    const flash = NorFlash.blank(SECTORS);
    commit(mounted(flash), 6, new Uint8Array(10));
    const device = new StoreDevice(flash);
    device.faults = { size: () => Status.NOT_FOUND };
    assert.equal(device.mount(), Status.NOT_FOUND);
    device.faults = {
      read: (offset) => (offset >= 9 * SECTOR_BYTES ? Status.IO_ERROR : Status.OK),
    };
    assert.equal(device.mount(), Status.IO_ERROR);
    assert.equal(device.store.size(6), -1);
    device.faults = {};
    assert.equal(device.mount(), 1);
    assert.equal(device.store.size(6), 10);
  });

  it("while an operation is in progress says BUSY and changes nothing", () => {
    const device = mounted();
    device.request(0, new Uint8Array(10));
    assert.equal(device.mount(), Status.BUSY);
    device.drain();
    assert.equal(device.store.size(0), 10);
  });
});

/** A sector header, built from docs/FLASH.md and not from the store's code. */
function sectorHeader(offset: number, version: number): Uint8Array {
  const header = Buffer.alloc(UNIT_BYTES, 0xff);
  header.write("S", 0);
  header.writeUInt8(version, 1);
  header.writeUInt32LE(1, 4);
  header.writeUInt32LE(crc32(offset, header.subarray(0, 12)), 12);
  return header;
}

describe("the format", () => {
  it("is the one that docs/FLASH.md draws, bit by bit", () => {
    const device = mounted();
    const value = Uint8Array.from({ length: 20 }, (_, i) => 0xa0 + i);
    commit(device, 6, value);
    commit(device, 6, null);
    const expected = Buffer.alloc(SECTOR_BYTES, 0xff);
    expected.set(sectorHeader(0, 1), 0);
    const record = (at: number, tag: number, sequence: number, bytes: Uint8Array) => {
      expected.write("R", at);
      expected.writeUInt8(tag, at + 1);
      expected.writeUInt16LE(bytes.length, at + 2);
      expected.writeUInt32LE(sequence, at + 4);
      expected.writeUInt32LE(crc32(0, bytes), at + 8);
      expected.writeUInt32LE(crc32(at, expected.subarray(at, at + 12)), at + 12);
      expected.set(bytes, at + 16);
    };
    record(16, 6, 1, value);
    record(16 + 16 + 32, 0x86, 2, new Uint8Array(0));
    assert.deepEqual(Buffer.from(device.flash.read(0, SECTOR_BYTES)), expected);
    assert.deepEqual(
      Buffer.from(device.flash.read(SECTOR_BYTES, UNIT_BYTES)),
      Buffer.from(sectorHeader(SECTOR_BYTES, 1)),
    );
  });
});
