// Secrets in the records partition: what becomes of each unit, whatever window it is seen through,
// and that no damage brings a secret to light.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, test } from "node:test";
import { Dataset } from "../../host-node/src/abi.js";
import { FlashMask } from "../../host-node/src/trace/redact_flash.js";
import { seededRandom } from "./support/seeded_random.js";
import { assertHidden, piecesOf, TraceRecords } from "./support/trace_records.js";

const pem = (kind: "pkcs1" | "pkcs8"): string =>
  generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
    type: kind,
    format: "pem",
  }) as string;
const KEYS = [pem("pkcs1"), pem("pkcs8")] as const;
const PASSWORD = "correct horse battery staple";
const TOKEN = "eyJ2ZXJzaW9uIjoiMjAxOTEwMjMiLCJjaXBoZXIi".repeat(4);
const DOCUMENT = { own: 0x12345678, shown: 0x9abcdef0 };
const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

function configuration(password: string, left = ""): Buffer {
  const bytes = Buffer.alloc(736);
  bytes[0] = 1;
  bytes.writeUInt32LE(DOCUMENT.own, 4);
  bytes.writeUInt16LE(password.length, 46);
  bytes.write(left, 48);
  bytes.write(password, 48);
  bytes.write("broker.example", 114);
  return bytes;
}

function systemStatus(units: number, mirror: number, token: string): Buffer {
  const head = Buffer.alloc(mirror, 1);
  head[3] = units;
  return Buffer.concat([head, Buffer.from(token)]);
}

const hiddenKey = (key: string): string =>
  key.replace(/(?<=KEY-----\n)[^-]+/, (body) => body.replace(/[^\n]/g, "k"));

interface Window {
  readonly from?: number;
  readonly to?: number;
  readonly isRead?: boolean;
}

function mask(records: TraceRecords, { from = 0, to, isRead = true }: Window = {}): Buffer {
  const bytes = records.bytes.subarray(from, to);
  return Buffer.from(new FlashMask(records.reader, () => DOCUMENT).mask(from, bytes, isRead));
}

/** One record of this dataset, redacted: header and payload. */
function seen(tag: number, payload: Uint8Array | string, isRead = true) {
  const records = new TraceRecords(1).sector();
  const at = records.record(tag, Buffer.from(payload));
  const whole = mask(records, { isRead });
  assert.deepEqual(whole.subarray(0, 16), records.bytes.subarray(0, 16), "sector header");
  return {
    header: whole.subarray(16, 32),
    original: records.bytes.subarray(16, 32),
    payload: whole.subarray(at, at + payload.length),
    rest: whole.subarray(at + payload.length),
  };
}

/** Every kind of thing that may be in a sector. */
function everything(): TraceRecords {
  const records = new TraceRecords(4).sector();
  records.record(Dataset.CONFIGURATION, configuration(PASSWORD));
  records.record(Dataset.CLAIM_KEY, Buffer.from(KEYS[0]));
  records.record(0x80 | Dataset.THING_KEY, Buffer.alloc(0));
  records.record(Dataset.APPLICATION, Buffer.from(`{"password":"${PASSWORD}"}`));
  records.sector();
  records.record(Dataset.THING_KEY, Buffer.from(KEYS[1]));
  records.foreign(Buffer.from(`a torn place ${KEYS[0].slice(100, 180)}`));
  records.record(Dataset.SYSTEM_STATUS, systemStatus(16, 256, TOKEN));
  records.record(Dataset.ROOT_CA, Buffer.from(CERTIFICATE));
  records.foreign(Buffer.alloc(32, 0xff));
  // A sector without its header, with a record that is torn.
  records.sector();
  records.record(9, Buffer.from(KEYS[1]));
  const at = records.record(Dataset.CLAIM_KEY, Buffer.from(KEYS[0]));
  records.bytes.fill(0xff, at + 64, at + 160);
  records.bytes.fill(0, 2 * 4096, 2 * 4096 + 4);
  return records;
}

const SECRETS = piecesOf(
  ...KEYS.map((key) => key.replace(/-----.*-----/g, "").replaceAll("\n", "")),
  ...KEYS.flatMap((key) => key.split("\n").filter((line) => !line.startsWith("-"))),
  PASSWORD,
  TOKEN,
);

describe("records in a trace", () => {
  test("a_key_keeps_its_frame_and_its_line_ends", () => {
    for (const dataset of [Dataset.THING_KEY, Dataset.CLAIM_KEY]) {
      for (const key of KEYS) assert.equal(String(seen(dataset, key).payload), hiddenKey(key));
    }
  });

  test("a_key_without_its_frame_is_hidden_all_the_same", () => {
    const bare = seen(Dataset.THING_KEY, "MIGH AgEA\n+/=9\r\nABC").payload;
    assert.equal(String(bare), "kkkkkkkkk\nkkkk\r\nkkk");
    const broken = seen(Dataset.THING_KEY, "-----BEGIN PRIVATE KEY\nMIG--ABC-----BEGINX").payload;
    assert.equal(String(broken), "-----BEGIN PRIVATE KEY\nkkk--kkk-----BEGINk");
  });

  test("a_password_is_hidden_and_what_a_longer_one_has_left_behind_it", () => {
    const { payload } = seen(Dataset.CONFIGURATION, configuration("abc", "correct horse"));
    const expected = configuration("ppp", "p".repeat(13));
    expected.writeUInt32LE(DOCUMENT.shown, 4);
    assert.deepEqual(payload, expected);
  });

  test("the_checksum_of_the_document_becomes_that_of_what_is_shown_of_it", () => {
    const bytes = configuration(PASSWORD);
    assert.equal(seen(Dataset.CONFIGURATION, bytes).payload.toString("hex", 4, 8), "f0debc9a");
    bytes[5]! ^= 1;
    assert.equal(seen(Dataset.CONFIGURATION, bytes).payload.toString("hex", 4, 8), "ffffffff");
    const short = seen(Dataset.CONFIGURATION, bytes.subarray(0, 7)).payload;
    assert.equal(short.toString("hex"), "01000000ffffff");
  });

  test("a_token_is_hidden_behind_the_mirror_that_the_record_says", () => {
    for (const [units, mirror] of [
      [0, 208],
      [13, 208],
      [16, 256],
      [20, 320],
    ] as const) {
      const { payload } = seen(Dataset.SYSTEM_STATUS, systemStatus(units, mirror, TOKEN));
      assert.deepEqual(payload, systemStatus(units, mirror, "t".repeat(TOKEN.length)));
    }
    const short = Buffer.from("ab");
    assert.deepEqual(seen(Dataset.SYSTEM_STATUS, short).payload, short);
  });

  test("other_records_are_text", () => {
    const text = `{"password":"${PASSWORD}"}`;
    const hidden = `{"password":"${"p".repeat(PASSWORD.length)}"}`;
    for (const dataset of [2, 3, 5, 7, 9])
      assert.equal(String(seen(dataset, text).payload), hidden);
    assert.equal(String(seen(Dataset.ROOT_CA, CERTIFICATE).payload), CERTIFICATE);
  });

  test("checksums_of_secrets_are_zero_whether_or_not_there_is_one", () => {
    for (let dataset = 0; dataset < 16; dataset++) {
      for (const isRead of [true, false]) {
        for (const payload of ["", "x", PASSWORD]) {
          const { header, original } = seen(dataset, payload, isRead);
          const isHidden = [0, 1, 4, 6, 7, 8, 11, 13].includes(dataset);
          assert.deepEqual(header.subarray(0, 8), original.subarray(0, 8));
          const checksums = isHidden ? Buffer.alloc(8) : original.subarray(8);
          assert.deepEqual(header.subarray(8), checksums);
        }
      }
    }
    assert.deepEqual(seen(0x80 | Dataset.THING_KEY, "").header.subarray(8), Buffer.alloc(8));
  });

  test("a_payload_that_is_damaged_is_unknown_and_its_header_says_so", () => {
    const records = new TraceRecords(1).sector();
    const at = records.record(Dataset.CLAIM_KEY, Buffer.from(KEYS[0]));
    records.bytes[at + 100]! ^= 1;
    records.bytes.fill(0xff, at + 160, at + 176);
    const read = mask(records);
    assert.equal(read.toString("hex", 24, 32), "ffffffff00000000");
    assert.equal(String(read.subarray(at, at + 160)), "u".repeat(160));
    assert.deepEqual(read.subarray(at + 160, at + 176), Buffer.alloc(16, 0xff));
    assert.equal(String(read.subarray(at + 176, at + 192)), "u".repeat(16));
    const other = new TraceRecords(1).sector();
    other.bytes[other.record(Dataset.ROOT_CA, Buffer.from(CERTIFICATE)) + 1]! ^= 1;
    assert.deepEqual(mask(other).subarray(16, 32), other.bytes.subarray(16, 32));
  });

  test("padding_and_erased_units_stay_and_everything_else_is_unknown", () => {
    const { rest } = seen(Dataset.ROOT_CA, CERTIFICATE);
    assert.ok(rest.every((byte) => byte === 0xff));
    const records = new TraceRecords(1).sector();
    const at = records.record(Dataset.ROOT_CA, Buffer.from("x"));
    records.bytes.write("y", at + 1);
    records.foreign(Buffer.from("z"));
    const whole = mask(records);
    assert.equal(String(whole.subarray(at, at + 2)), "xu");
    assert.equal(String(whole.subarray(at + 16, at + 32)), "u".repeat(16));
    records.bytes[0] = 0;
    assert.equal(String(mask(records).subarray(0, 16)), "u".repeat(16));
  });

  test("a_header_is_one_only_at_its_own_place_and_with_room_for_its_payload", () => {
    const records = new TraceRecords(1).sector();
    const at = records.record(Dataset.CLAIM_KEY, Buffer.from(KEYS[0]));
    records.foreign(records.bytes.subarray(at - 16, at + 16));
    const end = at + Math.ceil(KEYS[0].length / 16) * 16;
    assert.equal(String(mask(records).subarray(end, end + 32)), "u".repeat(32));
  });
});

describe("flash seen through windows", () => {
  test("any_window_shows_what_the_whole_shows", () => {
    const records = everything();
    const whole = mask(records);
    assertHidden(whole, SECRETS);
    const random = seededRandom(11);
    for (let round = 0; round < 3000; round++) {
      const from = Math.floor(random() * records.bytes.length);
      const size = Math.floor(random() ** 3 * 5000);
      const to = Math.min(from + size, records.bytes.length);
      assert.deepEqual(mask(records, { from, to }), whole.subarray(from, to), `${from} to ${to}`);
    }
  });

  test("a_write_is_the_same_whether_it_was_accepted_or_not", () => {
    const records = everything();
    const whole = mask(records, { isRead: false });
    const random = seededRandom(12);
    for (let round = 0; round < 1000; round++) {
      const from = Math.floor((random() * records.bytes.length) / 16) * 16;
      const to = Math.min(from + 16 * Math.ceil(random() * 20), records.bytes.length);
      const bytes = Buffer.from(records.bytes.subarray(from, to));
      const refused = Buffer.from(records.bytes);
      records.bytes.fill(0xff, from, to);
      const written = new FlashMask(records.reader, () => DOCUMENT).mask(from, bytes, false);
      records.bytes.set(refused);
      assert.deepEqual(Buffer.from(written), whole.subarray(from, to), `${from} to ${to}`);
    }
  });

  test("what_cannot_be_looked_up_is_unknown_altogether", () => {
    const blind = new FlashMask(
      () => -8,
      () => DOCUMENT,
    );
    const bytes = Buffer.concat([Buffer.from(PASSWORD), Buffer.alloc(20, 0xff)]);
    const expected = Buffer.concat([Buffer.alloc(PASSWORD.length, "u"), Buffer.alloc(20, 0xff)]);
    for (const offset of [24, 5000, 0x7ffffff0, 0xfffffff0]) {
      assert.deepEqual(Buffer.from(blind.mask(offset, bytes, true)), expected, `${offset}`);
    }
  });

  test("a_sector_is_read_once_at_most_in_pieces_of_64_bytes", () => {
    const records = everything();
    const counted = new FlashMask(
      (offset, to) => {
        assert.ok(to.length <= 64);
        read += to.length;
        return records.reader(offset, to);
      },
      () => DOCUMENT,
    );
    let read = 0;
    for (let from = 0; from < records.bytes.length; from += 256) {
      read = 0;
      counted.mask(from, records.bytes.subarray(from, from + 256), true);
      assert.ok(read <= 4096 + 16, `${read} bytes at ${from}`);
    }
  });
});

describe("damaged flash in a trace", () => {
  test("no_flipped_bits_bring_a_secret_to_light", () => {
    const random = seededRandom(21);
    const pick = (below: number): number => Math.floor(random() * below);
    for (let round = 0; round < 500; round++) {
      const records = everything();
      for (let flips = 1 + pick(6); flips > 0; flips--)
        records.bytes[pick(3 * 4096)]! ^= 1 << pick(8);
      if (round % 3 === 0) records.bytes.fill(0xff, pick(12288), pick(12288));
      if (round % 5 === 0)
        for (let at = pick(12288), n = 40; n > 0; n--) records.bytes[at++] = pick(256);
      assertHidden(mask(records), SECRETS, `round ${round}`);
      const from = pick(12288);
      assertHidden(mask(records, { from, to: from + 256 }), SECRETS, `round ${round}, ${from}`);
    }
  });

  test("a_secret_in_any_dataset_that_may_hold_it_is_hidden", () => {
    for (const dataset of [2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 100]) {
      for (const key of KEYS) assertHidden(seen(dataset, key).payload, SECRETS, `${dataset}`);
    }
  });
});
