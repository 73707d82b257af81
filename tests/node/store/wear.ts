// Wear of the record store over ten thousand writes: no sector is erased more than twice as often
// as another one, whatever part of the data never changes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NorFlash, SECTOR_BYTES } from "../../../host-node/src/ports/nor.js";
import { Status, StoreDevice } from "../support/store_device.js";
import { crc32, DATASETS, RECORD_BYTES_MAX, seededRandom } from "../support/store_workload.js";

const WRITES = 10_000;
/** One for each dataset, and two to move in. */
const SECTORS_MIN = DATASETS + 2;
/** One for a sector that a still record leaves, one for the sector the write goes to. */
const ERASES_A_WRITE_MAX = 2;

interface Load {
  readonly name: string;
  readonly sectors: number;
  /** Sizes of the datasets that are written once and then stay. */
  readonly still: Readonly<Record<number, number>>;
  /** Sizes of the datasets that are written again and again, in turn. */
  readonly busy: Readonly<Record<number, readonly number[]>>;
}

function largest(...datasets: readonly number[]): Record<number, number> {
  return Object.fromEntries(datasets.map((dataset) => [dataset, RECORD_BYTES_MAX]));
}

const LOADS: readonly Load[] = [
  {
    name: "a device in service: certificates stay, status and application data change",
    sectors: 16,
    still: { 0: 700, 2: 1188, 3: 1224, 4: 1704, 5: 1224, 6: 1704 },
    busy: { 1: [96, 300, 1100], 7: [256] },
  },
  {
    name: "large records beside which no certificate fits into a sector",
    sectors: 16,
    still: { 2: 1188, 4: 1704 },
    busy: { 1: [4000, RECORD_BYTES_MAX], 7: [3900] },
  },
  {
    name: "the smallest partition, all records as large as can be, half of them still",
    sectors: SECTORS_MIN,
    still: largest(2, 3, 4, 5, 8, 9, 10),
    busy: Object.fromEntries(
      [0, 1, 6, 7, 11, 12, 13].map((dataset) => [dataset, [RECORD_BYTES_MAX]]),
    ),
  },
];

function run(
  { sectors, still, busy }: Load,
  flash = NorFlash.blank(sectors),
  writes = WRITES,
): {
  device: StoreDevice;
  expected: (Uint8Array | null)[];
  bytes: number;
} {
  const random = seededRandom(9);
  const device = new StoreDevice(flash);
  const expected: (Uint8Array | null)[] = new Array(DATASETS).fill(null);
  let bytes = 0;
  const write = (dataset: number, size: number, fill: number) => {
    expected[dataset] = new Uint8Array(size).fill(fill);
    bytes += size;
    device.request(dataset, expected[dataset]);
    const before = device.flash.erases.reduce((sum, count) => sum + count, 0);
    device.drain();
    const erases = device.flash.erases.reduce((sum, count) => sum + count, 0) - before;
    assert.ok(erases <= ERASES_A_WRITE_MAX, `${erases} erases for one write`);
  };
  device.mount();
  device.drain();
  for (const [dataset, size] of Object.entries(still)) write(Number(dataset), size, 0x11);
  const writers = Object.entries(busy);
  for (let turn = 0; turn < writes; turn++) {
    const [dataset, sizes] = writers[turn % writers.length]!;
    write(Number(dataset), sizes[Math.floor(random() * sizes.length)]!, turn & 0xff);
  }
  return { device, expected, bytes };
}

describe("wear over ten thousand writes", () => {
  for (const load of LOADS) {
    it(`${load.name}: erases differ by less than a factor of two`, (test) => {
      const { device, expected, bytes } = run(load);
      const erases = [...device.flash.erases];
      const least = Math.min(...erases);
      const most = Math.max(...erases);
      const total = erases.reduce((sum, count) => sum + count, 0);
      const factor = ((total * SECTOR_BYTES) / bytes).toFixed(2);
      test.diagnostic(`${least} to ${most} erases a sector, ${factor} bytes erased a byte stored`);
      assert.ok(least > 10, "every sector takes part");
      assert.ok(most <= 2 * least, `${erases}`);
      assert.ok(device.completions.every(({ status }) => status === Status.OK));
      assert.deepEqual(device.values(), expected);
      const again = new StoreDevice(device.flash);
      again.mount();
      assert.deepEqual(again.values(), expected);
    });
  }
});

describe("a partition of which one sector is worn more than the others", () => {
  it("rests that sector until the others have caught up", () => {
    const load = { name: "", sectors: SECTORS_MIN, still: {}, busy: { 7: [RECORD_BYTES_MAX] } };
    const { device } = run(load, NorFlash.blank(load.sectors), 2000);
    const flash = NorFlash.restore(device.flash.snapshot());
    const begin = flash.erases[4]!;
    assert.ok(begin > 100);
    // As if the sector had come from another life: its own header says so.
    setErases(flash, 4, 2 * begin);
    flash.erases.fill(0);
    run(load, flash, 4000);
    const [worn, ...others] = [flash.erases[4]!, ...flash.erases.filter((_, i) => i !== 4)];
    assert.ok(Math.max(...others) - Math.min(...others) <= 2);
    assert.ok(Math.abs(worn + begin - Math.min(...others)) <= 3, `${flash.erases}`);
  });
});

/** Writes an erase count into a sector's header, with its checksum made right. */
function setErases(flash: NorFlash, sector: number, erases: number): void {
  const header = Buffer.from(
    flash.bytes.buffer,
    flash.bytes.byteOffset + sector * SECTOR_BYTES,
    16,
  );
  header.writeUInt32LE(erases, 4);
  header.writeUInt32LE(crc32(sector * SECTOR_BYTES, header.subarray(0, 12)), 12);
}
