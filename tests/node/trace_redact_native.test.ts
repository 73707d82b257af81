// The redactor of the chip gives byte for byte what the desk's gives: on random texts in random
// pieces, on flash that is damaged, and on the life of a device.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { EventKind } from "../../host-node/src/abi.js";
import { crc32 } from "../../host-node/src/crc32.js";
import { claimDocument, identities } from "./support/identities.js";
import { buildNative, HOST_ABI, skipWithoutNative, temporaryFolder } from "./support/native.js";
import { expectProvisioned } from "./support/provisioning_scene.js";
import { ScriptedAws } from "./support/scripted_aws.js";
import { ScriptedDevice } from "./support/scripted_host.js";
import { seededRandom } from "./support/seeded_random.js";
import { TraceRecords } from "./support/trace_records.js";
import { EVERYTHING, randomText } from "./support/trace_texts.js";
import { TwinDialogue } from "./support/trace_twins.js";

const ANSWER_BYTES_MAX = 1 << 28;

class Chance {
  constructor(readonly random: () => number) {}

  below(end: number): number {
    return Math.floor(this.random() * end);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  bytes(size: number): Buffer {
    return Buffer.from(Array.from({ length: size }, () => this.below(256)));
  }

  /** Something to redact: a text of rules, a part of one with all of them, or anything. */
  text(): Buffer {
    const start = this.below(EVERYTHING.length);
    const part = EVERYTHING.subarray(start, start + this.below(200));
    return this.of([() => randomText(this.random), () => part, () => this.bytes(this.below(40))])();
  }
}

/** One thing that a device may do. */
function happen(twins: TwinDialogue, chance: Chance): void {
  const text = chance.text();
  const kinds = [EventKind.CRYPTO_CSR, EventKind.HTTP_BODY, EventKind.BOOT, EventKind.TICK];
  const at = chance.of([0, 5, 100]);
  chance.of([
    () => twins.event({ kind: chance.of(kinds), a: at, b: 0, payload: text }),
    () => {
      const topic = chance.text();
      const size = chance.of([topic.length, topic.length, chance.below(65536)]);
      const head = Buffer.from([size & 0xff, size >> 8]);
      const payload = chance.of([Buffer.concat([head, topic, text]), text]);
      twins.event({ kind: EventKind.MQTT_MESSAGE, a: 999, b: at, payload });
    },
    () => {
      const payload = chance.of([Buffer.alloc(8), chance.bytes(8), chance.bytes(2)]);
      twins.event({ kind: EventKind.HTTP_RESPONSE, a: 200, b: -1, payload });
    },
    () => twins.setDocument(Buffer.concat([text, chance.text()])),
    () => twins.setPacket(Buffer.concat([text, chance.text()])),
    () => twins.call("ble_read", [chance.below(300), text], chance.below(text.length + 1)),
    () => twins.call("ble_append", [chance.of([text, Buffer.alloc(0)]), 1], 0),
    () => twins.call("ble_seal", [text, chance.text()], 0),
    () => twins.call("sys_config_read", [chance.below(300), text], chance.below(text.length + 1)),
    () => twins.call("http_url", [text, chance.below(3)], 0),
    () => twins.call("ota_write", [text], chance.of([0, -5])),
    () => twins.call("wifi_join", [text, chance.text()], 0),
    () => twins.call("mqtt_publish", [text, chance.text(), 1], 3),
    () => twins.call("log_event", [1, -7, text], 0),
    () => twins.call("sys_random", [text], 0),
    () => twins.call("ota_read", [0, at, text], chance.of([0, -4])),
    () => twins.call("sys_panic", [text, chance.text(), 1, 2], 0),
    () => twins.setPieces(1 + chance.below(128)),
  ])();
}

/** Sectors of records, some of them damaged. */
function flash(chance: Chance, documentCrc: number): TraceRecords {
  const records = new TraceRecords(3);
  for (let sector = 0; sector < 2; sector++) {
    records.sector();
    for (let left = chance.below(8); left > 0 && records.room > 1300; left--) {
      const keys = [identities.claim.privateKey, identities.rootCa];
      const configuration = chance.bytes(chance.of([736, 1140]));
      configuration.writeUInt32LE(documentCrc, 4);
      const candidate = Buffer.concat([chance.bytes(16), configuration]);
      candidate[1] = chance.of([0, 1, 2]);
      const status = Buffer.concat([chance.bytes(208), chance.text(), chance.text()]);
      status[3] = chance.of([0, 13, 14, 255]);
      const text = chance.of([
        Buffer.from(chance.of(keys)),
        chance.text(),
        configuration,
        candidate,
        status,
      ]);
      if (chance.below(6) === 0) records.foreign(text);
      else records.record(chance.below(15) | chance.of([0, 0, 0, 0x80]), text);
    }
  }
  const { bytes } = records;
  for (let flips = chance.of([0, 0, 3, 10]); flips > 0; flips--)
    bytes[chance.below(bytes.length)]! ^= 1 << chance.below(8);
  if (chance.below(4) === 0) bytes.fill(0xff, chance.below(8192), chance.below(8192));
  return records;
}

function lookAtFlash(twins: TwinDialogue, chance: Chance): void {
  const document = chance.text();
  twins.setDocument(document);
  const { bytes } = flash(chance, crc32(document));
  twins.setPartition(bytes);
  for (let looks = 0; looks < 12; looks++) {
    const from = chance.of([chance.below(bytes.length), chance.below(48) * 256]);
    const slice = bytes.subarray(from, from + chance.of([256, 16, chance.below(5000)]));
    twins.call("flash_read", [from, slice], 0);
    const units = chance.below(768) * 16;
    const other = chance.of([chance.text(), bytes.subarray(units, units + 16 * chance.below(80))]);
    twins.call("flash_write", [units, other], chance.of([0, -2]));
  }
  const beyond = chance.of([bytes.length, 0x7ffffff0, 0xfffffff0]);
  twins.call("flash_write", [beyond + chance.below(32) - 16, chance.text()], -1);
  twins.setPieces(1 + chance.below(128));
}

describe("redactor of the chip", { skip: skipWithoutNative }, () => {
  let folder = "";
  let program = "";

  before(() => {
    folder = temporaryFolder();
    program = join(folder, "redact");
    const ours = ["redact", "text", "flash"].map((name) => join(HOST_ABI, `trace_${name}.c`));
    buildNative(program, [resolve("tests/node/trace_redact_native.c"), ...ours]);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const expectTwins = ({ lines, expected }: TwinDialogue): void => {
    assert.ok(expected.length > 0);
    const answers = execFileSync(program, {
      input: `${lines.join("\n")}\n`,
      encoding: "utf8",
      maxBuffer: ANSWER_BYTES_MAX,
    });
    const given = answers.trimEnd().split("\n");
    const questions = lines.filter((line) => line.startsWith("slice"));
    for (const [index, answer] of expected.entries())
      assert.equal(given[index], answer, `${index}: ${questions[index]?.slice(0, 400)}`);
    assert.equal(given.length, expected.length);
  };

  test("whatever_a_device_does_both_hide_the_same", () => {
    const twins = new TwinDialogue();
    const chance = new Chance(seededRandom(31));
    twins.begin();
    for (let round = 0; round < 20_000; round++) happen(twins, chance);
    expectTwins(twins);
  });

  test("every_cut_of_a_text_of_all_rules_gives_the_same", () => {
    const twins = new TwinDialogue();
    twins.begin();
    for (let size = 1; size <= EVERYTHING.length; size++) {
      twins.setPieces(size);
      twins.call("log_write", [3, 5, EVERYTHING], 0);
    }
    assert.equal(new Set(twins.expected).size, 1);
    expectTwins(twins);
  });

  test("flash_in_any_state_is_hidden_alike", () => {
    const twins = new TwinDialogue();
    const chance = new Chance(seededRandom(32));
    twins.begin();
    for (let round = 0; round < 300; round++) lookAtFlash(twins, chance);
    expectTwins(twins);
  });

  test("the_life_of_a_device_is_hidden_alike", () => {
    const twins = new TwinDialogue();
    const device: ScriptedDevice = new ScriptedDevice({
      document: claimDocument(),
      hooks: {
        onStep: (event) => twins.event(event),
        onCall: (name, called, result) => {
          // No call of this life has a slice outside memory.
          const args = called as readonly (number | Uint8Array)[];
          // Flash as it is at this moment, which a read beyond the slice may see.
          if (name === "flash_write" || name === "flash_read") {
            const partition = new Uint8Array(device.flash.size());
            device.flash.read(0, partition);
            twins.setPartition(partition.subarray(0, 5 * 4096));
          }
          twins.call(name, args, result);
        },
      },
    });
    twins.setDocument(device.document);
    new ScriptedAws(device);
    device.boot();
    expectProvisioned(device);
    expectTwins(twins);
  });
});
