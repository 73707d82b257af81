// A trace in which secrets of the flash are hidden, and the checksums that would betray them, is
// replayed as if they were there: the core finds its records whole where the device did, and
// damaged where it did.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { Dataset } from "../../host-node/src/abi.js";
import { crc32 } from "../../host-node/src/crc32.js";
import { encodeBytes } from "../../host-node/src/trace/bytes.js";
import { parseLine } from "../../host-node/src/trace/parser.js";
import { isSameWrite, ReplayFlash } from "../../host-node/src/trace/replay_flash.js";
import { thingDocument } from "./support/identities.js";
import { MaskedTrace } from "./support/masked_trace.js";
import { moduleBytesOf } from "./support/module_cache.js";
import { orders } from "./support/orders.js";
import { ScriptedDevice } from "./support/scripted_host.js";
import { replay, Trace } from "./support/traced_device.js";

const content = thingDocument();
const secrets = {
  document: JSON.stringify(content),
  password: content.wifi["password"] as string,
};
/** A line of each private key that must not be in a trace. */
const KEY_LINE = (content.thing["privateKey"] as string).split("\n")[1]!.slice(0, 32);
let module: Uint8Array;

before(async () => {
  module = await moduleBytesOf("debug", "puppet");
});

function newDevice(trace: Trace, flash?: ScriptedDevice["flash"]["nor"]): ScriptedDevice {
  const { hooks } = trace.writer;
  const document = secrets.document;
  return new ScriptedDevice({ hooks, document, ...(flash === undefined ? {} : { flash }) });
}

/** Secrets hidden; sure that they are. */
function hide({ lines }: Trace): { text: string[]; hidden: number } {
  const trace = new MaskedTrace(lines, secrets);
  const text = trace.text();
  assert.ok(lines.some((line) => line.includes(secrets.password)));
  for (const line of text) {
    assert.ok(!line.includes(secrets.password) && !line.includes(KEY_LINE), line);
  }
  assert.ok(trace.hidden > 0);
  return { text, hidden: trace.hidden };
}

function expectReplay(trace: Trace): void {
  const { difference } = replay(hide(trace).text, module);
  assert.equal(difference, null, JSON.stringify(difference, null, 2));
}

describe("a trace with hidden records is replayed", () => {
  test("when_the_device_wrote_them_in_it", () => {
    const trace = new Trace();
    newDevice(trace).online();
    expectReplay(trace);
  });

  test("when_another_life_of_it_reads_them", () => {
    const trace = new Trace();
    newDevice(trace).online().powerOff().online().powerOff().online();
    expectReplay(trace);
  });

  test("when_they_were_written_before_it_begins", () => {
    const device = newDevice(new Trace()).online();
    const later = new Trace();
    newDevice(later, device.flash.nor).online();
    assert.ok(!later.lines.some((line) => line.startsWith("< flash_write")));
    expectReplay(later);
  });

  test("when_they_are_copied_to_other_sectors_time_and_again", () => {
    const trace = new Trace();
    const device = newDevice(trace).online();
    for (let round = 0; round < 500; round++) {
      device.order(orders.flashWrite(0, `${round}`.padEnd(250, "x")));
      device.settle();
    }
    device.powerOff().online();
    const { text, hidden } = hide(trace);
    assert.ok(hidden > 4, `${hidden} hidden records, with their copies`);
    assert.ok(text.filter((line) => line.startsWith("< flash_erase")).length > 10);
    assert.equal(replay(text, module).difference, null);
  });

  test("and_differs_where_one_that_is_shown_was_changed", () => {
    const trace = new Trace();
    newDevice(trace).online();
    const { text } = hide(trace);
    const index = text.findIndex((line) => /^< flash_write .*BEGIN PRIVATE KEY/.test(line));
    const spoiled = text.with(index, text[index]!.replace("PRIVATE", "PRIVATF"));
    assert.equal(replay(spoiled, module).difference?.line, index + 1);
  });
});

// ---- header by header --------------------------------------------------------------------------

const SECTOR = 4096;
const HEADER_AT = 2 * SECTOR + 16;

/** A header of THING_KEY, sealed for its place, or with zeros for its checksums. */
function header(at: number, payload: Uint8Array, isSealed = true, tag: number = Dataset.THING_KEY) {
  const bytes = Buffer.alloc(16);
  bytes.set([0x52, tag]);
  bytes.writeUInt16LE(payload.length, 2);
  bytes.writeUInt32LE(17, 4);
  if (!isSealed) return bytes;
  bytes.writeUInt32LE(crc32(payload), 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12), at), 12);
  return bytes;
}

const read = (line: number, offset: number, bytes: Uint8Array, result = 0) => {
  const filled = result < 0 ? "-" : encodeBytes(bytes);
  return parseLine(`< flash_read ${offset} [${bytes.length}]${filled} = ${result}`, line);
};
const erase = (line: number, offset: number, result = 0) =>
  parseLine(`< flash_erase ${offset} = ${result}`, line);

const PAYLOAD = Buffer.from("-----BEGIN kkkk-----\n".repeat(20));

describe("a header that is read gets checksums of the payload", () => {
  const hidden = header(HEADER_AT, PAYLOAD, false);
  const good = header(HEADER_AT, PAYLOAD);

  test("from_the_same_answer", () => {
    const flash = new ReplayFlash([]);
    const answer = flash.answer(1, HEADER_AT, Buffer.concat([hidden, PAYLOAD]));
    assert.deepEqual(Buffer.from(answer), Buffer.concat([good, PAYLOAD]));
  });

  test("from_what_was_read_and_written_before", () => {
    const flash = new ReplayFlash([]);
    const part = PAYLOAD.subarray(0, 160);
    flash.written(HEADER_AT + 16, part, part);
    flash.answer(1, HEADER_AT + 176, PAYLOAD.subarray(160));
    assert.deepEqual(Buffer.from(flash.answer(2, HEADER_AT, hidden)), good);
  });

  test("from_what_is_read_later_but_not_after_an_erase", () => {
    const later = [
      read(1, HEADER_AT, hidden),
      read(2, HEADER_AT + 16, Buffer.alloc(PAYLOAD.length), -8),
      erase(3, 2 * SECTOR, -2),
      erase(4, 3 * SECTOR),
      read(5, HEADER_AT + 16 + 100, PAYLOAD.subarray(100)),
      read(6, HEADER_AT, Buffer.concat([hidden, PAYLOAD.subarray(0, 120)])),
      erase(7, 2 * SECTOR),
      read(8, HEADER_AT, Buffer.alloc(512, 0xff)),
    ];
    assert.deepEqual(Buffer.from(new ReplayFlash(later).answer(1, HEADER_AT, hidden)), good);
    const erased = new ReplayFlash(later.toSpliced(4, 2));
    assert.notDeepEqual(Buffer.from(erased.answer(1, HEADER_AT, hidden)), good);
  });

  test("that_do_not_fit_where_the_payload_was_damaged", () => {
    const damaged = Buffer.from(hidden);
    damaged.fill(0xff, 8, 12);
    const answer = new ReplayFlash([]).answer(1, HEADER_AT, Buffer.concat([damaged, PAYLOAD]));
    const shown = Buffer.from(answer);
    assert.deepEqual(shown.subarray(0, 8), good.subarray(0, 8));
    assert.notEqual(shown.readUInt32LE(8), crc32(PAYLOAD));
    assert.equal(shown.readUInt32LE(12), crc32(shown.subarray(0, 12), HEADER_AT));
  });

  test("and_not_those_of_another_record_that_was_there_before", () => {
    const flash = new ReplayFlash([]);
    const other = header(HEADER_AT, Buffer.from("other"));
    flash.written(HEADER_AT, other, other);
    const answer = flash.answer(1, HEADER_AT, Buffer.concat([hidden, PAYLOAD]));
    assert.deepEqual(Buffer.from(answer).subarray(0, 16), good);
    flash.erased(2 * SECTOR);
    const shorter = header(HEADER_AT, PAYLOAD.subarray(0, 32), false);
    const again = flash.answer(2, HEADER_AT, Buffer.concat([shorter, PAYLOAD]));
    assert.deepEqual(
      Buffer.from(again).subarray(0, 16),
      header(HEADER_AT, PAYLOAD.subarray(0, 32)),
    );
  });
});

describe("bytes that only look like a hidden header stay as they are", () => {
  const unchanged = (flash: ReplayFlash, offset: number, bytes: Uint8Array): void => {
    assert.deepEqual(Buffer.from(flash.answer(1, offset, bytes)), Buffer.from(bytes));
  };

  test("inside_the_payload_of_another_record", () => {
    const inner = header(HEADER_AT + 32, Buffer.alloc(16), false);
    const payload = Buffer.concat([Buffer.alloc(16, 1), inner, Buffer.alloc(16, 1)]);
    const outer = header(HEADER_AT, payload, true, Dataset.APPLICATION);
    unchanged(new ReplayFlash([]), HEADER_AT, Buffer.concat([outer, payload]));
  });

  test("off_a_unit_or_at_the_place_of_a_sector_header", () => {
    const hidden = header(HEADER_AT, PAYLOAD.subarray(0, 16), false);
    const around = Buffer.concat([Buffer.alloc(8, 1), hidden, Buffer.alloc(24, 1)]);
    unchanged(new ReplayFlash([]), HEADER_AT, around);
    unchanged(new ReplayFlash([]), 2 * SECTOR, Buffer.concat([hidden, PAYLOAD]));
  });

  test("when_the_record_would_not_end_inside_its_sector_or_is_of_no_dataset", () => {
    const at = 3 * SECTOR - 32;
    unchanged(new ReplayFlash([]), at, header(at, Buffer.alloc(17), false));
    const some = Buffer.alloc(16);
    unchanged(new ReplayFlash([]), HEADER_AT, header(HEADER_AT, some, false, 14));
  });
});

describe("a write is compared", () => {
  const hidden = header(HEADER_AT, PAYLOAD, false);
  const good = header(HEADER_AT, PAYLOAD);

  test("without_checksums_that_are_hidden", () => {
    assert.ok(isSameWrite(hidden, good, HEADER_AT));
    assert.ok(!isSameWrite(hidden, header(HEADER_AT, PAYLOAD.subarray(1)), HEADER_AT));
  });

  test("with_checksums_that_are_shown", () => {
    assert.ok(isSameWrite(good, good, HEADER_AT));
    assert.ok(!isSameWrite(good, hidden, HEADER_AT));
    assert.ok(!isSameWrite(good.with(9, good[9]! ^ 1), good, HEADER_AT));
  });

  test("in_all_of_its_size", () => {
    assert.ok(!isSameWrite(hidden, Buffer.concat([good, PAYLOAD]), HEADER_AT));
    assert.ok(!isSameWrite(Buffer.alloc(16), Buffer.alloc(32), 0));
  });
});
