// The flash port and its image: the contract of abi.json, what a read sees while operations wait,
// and what is in the file when the power goes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, beforeEach, test } from "node:test";
import {
  EventKind,
  FLASH_SECTOR_BYTES,
  FLASH_UNIT_BYTES,
  Status,
} from "../../host-node/src/abi.js";
import { FLASH_BYTES, FlashImage } from "../../host-node/src/flash_image.js";
import { FlashPort } from "../../host-node/src/ports/flash.js";
import { RecordingHost, VirtualClock } from "./ports_support.js";

const RECORDS_OFFSET = 0x390000;
const RECORDS_BYTES = 65_536;
let directory: string;
let clock: VirtualClock;
let host: RecordingHost;
let image: FlashImage;
let port: FlashPort;

before(() => {
  directory = mkdtempSync(join(tmpdir(), "iot32-flash-"));
});
after(() => rmSync(directory, { recursive: true }));
beforeEach(() => {
  clock = new VirtualClock();
  host = new RecordingHost(clock);
  image = FlashImage.inMemory();
  port = new FlashPort(host, { image });
});

const unit = (fill: number, units = 1): Uint8Array => {
  return new Uint8Array(FLASH_UNIT_BYTES * units).fill(fill);
};

function read(offset: number, size: number): number[] {
  const bytes = new Uint8Array(size);
  assert.equal(port.read(offset, bytes), Status.OK);
  return [...bytes];
}

/** Lets everything happen, and gives the status of each FLASH_DONE. */
function outcomes(): number[] {
  clock.advance(1000);
  const { events } = host;
  assert.ok(events.every(({ kind }) => kind === EventKind.FLASH_DONE));
  return events.splice(0).map(({ a }) => a);
}

test("records_partition_is_64_kib_and_blank", () => {
  assert.equal(port.size(), RECORDS_BYTES);
  assert.ok(read(0, RECORDS_BYTES).every((byte) => byte === 0xff));
});

test("write_is_answered_later_and_seen_by_reads_at_once", () => {
  assert.equal(port.write(16, unit(0x5a)), Status.OK);
  assert.deepEqual(host.events, []);
  assert.deepEqual(read(14, 4), [0xff, 0xff, 0x5a, 0x5a]);
  assert.deepEqual([...image.records.read(16, 2)], [0xff, 0xff]);
  assert.deepEqual(outcomes(), [Status.OK]);
  assert.deepEqual([...image.records.read(16, 2)], [0x5a, 0x5a]);
});

test("write_copies_its_bytes", () => {
  const bytes = unit(1);
  port.write(0, bytes);
  bytes.fill(2);
  outcomes();
  assert.deepEqual(read(0, 1), [1]);
});

test("waiting_erase_and_write_are_seen_in_their_order", () => {
  port.write(0, unit(1, 256));
  outcomes();
  port.erase(0);
  port.write(32, unit(2));
  assert.deepEqual(read(30, 4), [0xff, 0xff, 2, 2]);
  assert.deepEqual(read(4094, 4), [0xff, 0xff, 0xff, 0xff]);
  assert.deepEqual(outcomes(), [Status.OK, Status.OK]);
  assert.deepEqual(read(30, 4), [0xff, 0xff, 2, 2]);
});

test("eight_operations_wait_and_the_ninth_is_busy_until_one_is_done", () => {
  const results = Array.from({ length: 9 }, (_, i) => port.write(i * FLASH_UNIT_BYTES, unit(i)));
  assert.deepEqual(results, [...Array(8).fill(Status.OK), Status.BUSY]);
  assert.equal(outcomes().length, 8);
  assert.equal(port.write(8 * FLASH_UNIT_BYTES, unit(8)), Status.OK);
});

test("second_program_of_a_unit_is_an_io_error_and_changes_nothing", () => {
  port.write(0, unit(0xf0));
  port.write(0, unit(0x0f));
  assert.deepEqual(outcomes(), [Status.OK, Status.IO_ERROR]);
  assert.deepEqual(read(0, 1), [0xf0]);
  port.erase(0);
  port.write(0, unit(0x0f));
  assert.deepEqual(outcomes(), [Status.OK, Status.OK]);
  assert.deepEqual(read(0, 1), [0x0f]);
});

test("operations_outside_the_partition_or_off_their_units_are_invalid", () => {
  const last = RECORDS_BYTES - FLASH_UNIT_BYTES;
  const wrong = [
    port.write(1, unit(0)),
    port.write(0, new Uint8Array(15)),
    port.write(0, new Uint8Array(0)),
    port.write(RECORDS_BYTES, unit(0)),
    port.write(last, unit(0, 2)),
    port.write(0xfffffff0, unit(0, 2)),
    port.erase(FLASH_SECTOR_BYTES - 1),
    port.erase(RECORDS_BYTES),
    port.read(RECORDS_BYTES - 1, new Uint8Array(2)),
    port.read(0xffffffff, new Uint8Array(1)),
  ];
  assert.deepEqual(wrong, Array(wrong.length).fill(Status.INVALID_ARGUMENT));
  assert.equal(port.write(last, unit(0)), Status.OK);
  assert.deepEqual(outcomes(), [Status.OK]);
});

test("power_off_performs_no_more_operations", () => {
  port = new FlashPort(host, { image, operationMs: 10 });
  for (let i = 0; i < 4; i++) port.write(i * FLASH_UNIT_BYTES, unit(i + 1));
  clock.advance(25);
  port.close();
  clock.advance(1000);
  assert.equal(clock.pending, 0);
  assert.equal(host.events.length, 2);
  const next = new FlashPort(host, { image });
  const bytes = new Uint8Array(64);
  next.read(0, bytes);
  const firsts = [0, 16, 32, 48].map((offset) => bytes[offset]);
  assert.deepEqual(firsts, [1, 2, 0xff, 0xff]);
});

test("power_cut_in_an_operation_leaves_the_same_bytes_in_the_file", () => {
  const path = join(directory, "cut.bin");
  const file = FlashImage.open(path);
  let cuts = 0;
  const cutPort = new FlashPort(host, { image: file, onPowerCut: () => cuts++ });
  file.records.armPowerCut(1, "garbage", () => 0.5);
  cutPort.write(0, unit(1));
  cutPort.write(16, unit(2, 4));
  clock.advance(1000);
  assert.equal(cuts, 1);
  assert.deepEqual(outcomes(), [Status.OK]);
  const inMemory = Buffer.from(file.records.bytes);
  file.close();
  assert.ok(
    readFileSync(path)
      .subarray(RECORDS_OFFSET, RECORDS_OFFSET + RECORDS_BYTES)
      .equals(inMemory),
  );
  assert.notDeepEqual([...inMemory.subarray(16, 80)], Array(64).fill(0xff));
});

test("image_is_4_mib_with_the_partition_table_and_survives_closing", () => {
  const path = join(directory, "device.bin");
  const first = FlashImage.open(path);
  const filePort = new FlashPort(host, { image: first });
  filePort.write(0, unit(7));
  assert.deepEqual(outcomes(), [Status.OK]);
  const { mac } = first;
  first.close();
  assert.equal(statSync(path).size, FLASH_BYTES);
  const bytes = readFileSync(path);
  assert.equal(bytes.readUInt16LE(0x8000), 0x50aa);
  assert.ok(bytes.subarray(0x9000, RECORDS_OFFSET).every((byte) => byte === 0xff));
  assert.equal(bytes[RECORDS_OFFSET], 7);
  const second = FlashImage.open(path);
  assert.deepEqual([...second.mac], [...mac]);
  assert.equal(second.records.read(0, 1)[0], 7);
  assert.equal(second.readPartition("records")[0], 7);
  second.close();
});

test("mac_is_local_and_unicast_and_differs_between_devices", () => {
  const macs = Array.from({ length: 20 }, () => FlashImage.inMemory().mac);
  assert.ok(macs.every(([first]) => (first! & 0x03) === 0x02));
  assert.equal(new Set(macs.map(String)).size, macs.length);
});

test("image_that_came_from_a_chip_has_a_mac_address_of_its_path", () => {
  const path = join(directory, "dump.bin");
  FlashImage.open(path).close();
  const fd = openSync(path, "r+");
  writeSync(fd, Buffer.alloc(4096, 0xff), 0, 4096, FLASH_BYTES - 4096);
  closeSync(fd);
  const macs = [1, 2].map(() => {
    const opened = FlashImage.open(path);
    opened.close();
    return opened.mac;
  });
  assert.deepEqual(macs[0], macs[1]);
  assert.equal(macs[0]![0]! & 0x03, 0x02);
});

test("file_of_another_size_is_refused_with_its_path", () => {
  const path = join(directory, "small.bin");
  FlashImage.open(path).close();
  const fd = openSync(path, "r+");
  ftruncateSync(fd, 1000);
  closeSync(fd);
  assert.throws(
    () => FlashImage.open(path),
    /small\.bin cannot be .*: 1000 bytes instead of 4194304/,
  );
  assert.equal(statSync(path).size, 1000);
});

test("file_without_a_partition_table_is_refused_and_left_alone", () => {
  const path = join(directory, "zero.bin");
  writeFileSync(path, Buffer.alloc(FLASH_BYTES));
  assert.throws(() => FlashImage.open(path), /zero\.bin cannot be .*there is no partition table/);
  assert.ok(readFileSync(path).every((byte) => byte === 0));
});

test("directory_that_does_not_exist_is_refused_with_the_path", () => {
  assert.throws(() => FlashImage.open(join(directory, "no", "x.bin")), /x\.bin cannot be .*ENOENT/);
});

test("process_killed_at_any_moment_leaves_every_answered_write_in_the_file", async () => {
  const path = join(directory, "killed.bin");
  const program = join(import.meta.dirname, "ports_flash_writer.js");
  let start = 0;
  for (const kills of [50, 333, 700]) {
    const child = spawn(process.execPath, [program, path, String(start)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    let answered = start;
    for await (const line of createInterface({ input: child.stdout })) {
      answered = Number(line) + 1;
      if (answered >= start + kills) child.kill("SIGKILL");
    }
    await exited;
    assert.ok(answered >= start + kills, `${answered} writes`);
    start = checkUnits(path, answered);
  }
});

/** Units 0.. hold their own number, whole, up to the first blank one; gives its number. */
function checkUnits(path: string, answered: number): number {
  const opened = FlashImage.open(path);
  const units = opened.records.bytes.length / FLASH_UNIT_BYTES;
  let count = 0;
  for (let i = 0; i < units; i++) {
    const bytes = opened.records.read(i * FLASH_UNIT_BYTES, FLASH_UNIT_BYTES);
    const isBlank = bytes.every((byte) => byte === 0xff);
    if (i < answered) assert.ok(!isBlank, `unit ${i} was answered and is not there`);
    if (isBlank) continue;
    assert.equal(i, count, `unit ${i} is there before unit ${count}`);
    const expected = Buffer.alloc(FLASH_UNIT_BYTES, i & 0x7f);
    assert.ok(expected.equals(bytes), `unit ${i} is half there`);
    count++;
  }
  opened.close();
  return count;
}
