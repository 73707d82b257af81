// The trace of the chip's host without secrets, as a chip writes it: none is in it, the desk's
// redactor makes the same of what happened, and V8 and wasm3 replay it.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type CallArgument, EventKind, nameOf, Status } from "../../host-node/src/abi.js";
import { encodeBytes } from "../../host-node/src/trace/bytes.js";
import { isFilled, type TraceArgument } from "../../host-node/src/trace/lines.js";
import { parseTrace } from "../../host-node/src/trace/parser.js";
import { TraceRedactor } from "../../host-node/src/trace/redact.js";
import { claimDocument, identities, THING, thingDocument } from "./support/identities.js";
import { moduleBytesOf } from "./support/module_cache.js";
import { skipWithoutNative, temporaryFolder } from "./support/native.js";
import { NativeDevice, replayInV8 } from "./support/native_device.js";
import { NativeReplay } from "./support/native_replay.js";
import { CREATED_THING, keysAnswer, OWNERSHIP_TOKEN, Topic } from "./support/scripted_aws.js";
import { seededRandom } from "./support/seeded_random.js";
import { assertHidden, bytesIn, piecesOf, piecesOfKeys } from "./support/trace_records.js";
import { redacted, Trace } from "./support/traced_device.js";

const DEBUG_MEMORY = ["--memory", "65536"];
const FLASH_BYTES = 65_536;
const SECTOR_BYTES = 4096;
const PASSWORD = "correct horse battery";
const owners = [identities.claim, identities.issued, identities.thing];
const PIECES = new Set([
  ...piecesOf(PASSWORD, OWNERSHIP_TOKEN.slice(6, 60)),
  ...piecesOfKeys(
    owners.map(({ privateKey }) => privateKey),
    [identities.rootCa, ...owners.map(({ certificate }) => certificate)],
  ),
]);

const event = (kind: EventKind, a = 0, b = 0, payload?: Uint8Array): string =>
  [
    ...["event", nameOf(EventKind, kind), a, b],
    ...(payload === undefined ? [] : [encodeBytes(payload)]),
  ].join(" ");
const subscribed = (...ids: readonly number[]): string[] =>
  ids.map((id) => event(EventKind.MQTT_SUBSCRIBED, id, 1));

function message(topic: string, content: unknown): string {
  const payload = Buffer.from(JSON.stringify(content));
  const head = Buffer.from([topic.length, 0]);
  const bytes = Buffer.concat([head, Buffer.from(topic), payload]);
  return event(EventKind.MQTT_MESSAGE, payload.length, 0, bytes);
}

/** A session, the loss of it, and another life. */
const WITH_THING = [
  ...["boot", "time 500", event(EventKind.MQTT_UP), "time 2000", ...subscribed(1, 2)],
  ...["time 60000", event(EventKind.MQTT_DOWN, Status.CONNECTION_LOST), "time 60000"],
  ...["off", "boot", "time 1000"],
];
/** From the claim to the session of the thing, and another life. */
const WITH_CLAIM = [
  ...["boot", "time 500", event(EventKind.MQTT_UP), "time 100", ...subscribed(1, 2, 3, 4)],
  ...["time 100", message(`${Topic.CREATE_KEYS}/accepted`, keysAnswer()), "time 100"],
  message(`${Topic.PROVISION}/accepted`, { deviceConfiguration: {}, thingName: CREATED_THING }),
  ...["time 2000", event(EventKind.MQTT_UP), "time 2000", "off", "boot", "time 1000"],
];

/** What a trace shows of the partition, as the happenings of a raw one change it. */
class Partition {
  private readonly bytes = Buffer.alloc(FLASH_BYTES, 0xff);

  readonly read = (offset: number, bytes: Uint8Array): number => {
    if (offset + bytes.length > FLASH_BYTES) return Status.INVALID_ARGUMENT;
    bytes.set(this.bytes.subarray(offset, offset + bytes.length));
    return Status.OK;
  };

  follow(name: string, [offset, bytes]: readonly CallArgument[]): void {
    const at = offset as number;
    if (name === "flash_write") this.bytes.set(bytes as Uint8Array, at);
    if (name === "flash_erase") this.bytes.fill(0xff, at, at + SECTOR_BYTES);
  }
}

/** The argument as the host had it. */
function original(arg: TraceArgument): CallArgument {
  if (!isFilled(arg)) return arg;
  const place = new Uint8Array(arg.capacity);
  place.set(arg.bytes);
  return place;
}

/** The happenings of a raw trace as the desk writes them. */
function writtenByDesk(raw: readonly string[], module: Uint8Array, document: Buffer): string[] {
  const partition = new Partition();
  const config = (offset: number, bytes: Uint8Array): number => {
    const part = document.subarray(offset, offset + bytes.length);
    bytes.set(part);
    return part.length;
  };
  const trace = new Trace(new TraceRedactor({ flash: partition.read, config, packet: () => 0 }));
  const { writer, lines } = trace;
  writer.hooks.onModule(module);
  for (const line of parseTrace(`${raw.join("\n")}\n`)) {
    if (line.what === "event") writer.hooks.onStep(line.event, line.nowMs);
    if (line.what === "wait") writer.hooks.onReturn(line.waitMs);
    if (line.what === "off") writer.off();
    if (line.what !== "call") continue;
    const { entry, result } = line;
    const args = line.args.map(original);
    if (result >= 0) partition.follow(entry.name, args);
    writer.hooks.onCall(entry.name, args, result);
  }
  return lines;
}

function assertNoSecret(lines: readonly string[]): void {
  for (const [index, line] of lines.entries()) {
    for (const bytes of bytesIn(line)) assertHidden(bytes, PIECES, `line ${index + 1}`);
  }
}

const textOf = (lines: readonly string[]): string => `${lines.join("\n")}\n`;

describe("trace of the chip's host without secrets", { skip: skipWithoutNative }, () => {
  let folder = "";
  let device!: NativeDevice;
  let wasm3!: NativeReplay;
  let module!: Uint8Array;

  before(async () => {
    folder = temporaryFolder();
    device = new NativeDevice(folder);
    wasm3 = new NativeReplay(folder);
    module = await moduleBytesOf("debug", "puppet");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [what, content, script, thing] of [
    ["a_thing", thingDocument(), WITH_THING, THING],
    ["a_claim", claimDocument(), WITH_CLAIM, CREATED_THING],
  ] as const) {
    content.wifi["password"] = PASSWORD;
    const configuration = JSON.stringify(content);
    const run = (...options: string[]): string[] =>
      device.run(module, script, { configuration, options: [...DEBUG_MEMORY, ...options] });

    test(`life_with_the_document_of_${what}_holds_none_and_is_replayed_without_them`, () => {
      const raw = run();
      const lines = run("--redact");
      assert.throws(() => assertNoSecret(raw));
      assertNoSecret(lines);
      assert.ok(lines.some((line) => line.startsWith("< wifi_join 'iot32' 70*21 = ")));
      const connects = lines.filter((line) => line.startsWith("< mqtt_connect "));
      assert.ok(connects.length > 2 && connects.at(-1)!.includes(` 8883 '${thing}' `));
      assert.equal(lines.length, raw.length);
      assert.ok(replayInV8(module, lines) > 10);
      const { status, trace, report } = wasm3.run(textOf(lines), [module], DEBUG_MEMORY);
      assert.deepEqual([status, report], [0, ""]);
      assert.equal(trace, textOf(lines));
    });

    test(`life_with_the_document_of_${what}_is_redacted_as_the_desk_redacts_it`, () => {
      const lines = run("--redact").filter((line) => !/^#(?! iot32)/.test(line));
      const desk = writtenByDesk(run(), module, Buffer.from(configuration));
      for (const [index, line] of lines.entries()) assert.equal(desk[index], line);
      assert.equal(desk.length, lines.length);
    });
  }

  test("records_that_a_power_cut_has_torn_are_found_torn_by_wasm3", () => {
    let torn = 0;
    for (let operation = 0; ; operation++) {
      const { device: desk, trace } = redacted({});
      trace.writer.hooks.onModule(module);
      desk.flash.nor.armPowerCut(operation, "half", seededRandom(operation));
      if (desk.survives(() => desk.online())) break;
      trace.writer.off();
      desk.boot().settle();
      const { lines } = trace;
      torn += lines.some((line) => /^< flash_read .*75\*/.test(line)) ? 1 : 0;
      const { report } = wasm3.run(textOf(lines), [module], [...DEBUG_MEMORY, "--early-ticks"]);
      assert.equal(report, "");
    }
    assert.ok(torn > 3, `${torn} records were torn`);
  });
});
