// The redactor of traces as a whole: which bytes are one text, and that nothing of a device's
// secrets is in what it gives, from the first boot to an update.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Dataset, Event, EventKind, Status } from "../../host-node/src/abi.js";
import type { CoreEvent, CoreHooks } from "../../host-node/src/core.js";
import { crc32 } from "../../host-node/src/crc32.js";
import { TraceRedactor } from "../../host-node/src/trace/redact.js";
import { TextMask } from "../../host-node/src/trace/redact_text.js";
import { claimDocument, identities } from "./support/identities.js";
import { LONG_MS } from "./support/provisioning_scene.js";
import { readRecords } from "./support/record_image.js";
import { csrAnswer, keysAnswer, OWNERSHIP_TOKEN, ScriptedAws } from "./support/scripted_aws.js";
import { ScriptedDevice } from "./support/scripted_host.js";
import { assertHidden, piecesOf, piecesOfKeys } from "./support/trace_records.js";
import { EVERYTHING } from "./support/trace_texts.js";
import { imageOf, UpdateDevice } from "./support/update_device.js";

const none = new Uint8Array();
const event = (kind: EventKind, payload: Uint8Array, a = 0, b = 0): CoreEvent => ({
  kind,
  a,
  b,
  payload,
});

function redactor(document: Uint8Array = none): TraceRedactor {
  const config = (offset: number, bytes: Uint8Array): number => {
    const part = document.subarray(offset, offset + bytes.length);
    bytes.set(part);
    return part.length;
  };
  return new TraceRedactor({ flash: () => Status.IO_ERROR, config, packet: config });
}

const text = (bytes: number | Uint8Array | undefined): string =>
  Buffer.from(bytes as Uint8Array).toString("latin1");

const WHOLE = text(redactor().event(event(EventKind.TICK, EVERYTHING)));

/** EVERYTHING in parts of this size, masked one by one, in one text again. */
function inParts(size: number, mask: (part: Uint8Array, at: number) => Uint8Array): string {
  let masked = "";
  for (let at = 0; at < EVERYTHING.length; at += size)
    masked += text(mask(EVERYTHING.subarray(at, at + size), at));
  return masked;
}

describe("slices that are one text", () => {
  test("fragments_of_a_message_are_one_text_behind_their_heads", () => {
    const redact = redactor();
    const topic = Buffer.from("a/topic");
    for (const size of [7, 100, 1000]) {
      const masked = inParts(size, (part, at) => {
        const head = at === 0 ? Buffer.from([topic.length, 0, ...topic]) : Buffer.alloc(2);
        const payload = Buffer.concat([head, part]);
        const shown = redact.event(event(EventKind.MQTT_MESSAGE, payload, EVERYTHING.length, at));
        assert.deepEqual(Buffer.from(shown.subarray(0, head.length)), head);
        return shown.subarray(head.length);
      });
      assert.equal(masked, WHOLE);
      redact.event(event(EventKind.MQTT_MESSAGE, Buffer.from('\0\0"password":"a'), 99, 0));
    }
  });

  test("a_message_that_is_shorter_than_its_head_is_a_text", () => {
    for (const payload of ["", "a", "ab", "\x10\0abc"]) {
      const shown = redactor().event(event(EventKind.MQTT_MESSAGE, Buffer.from(payload)));
      assert.equal(text(shown), payload);
    }
  });

  test("a_document_is_one_text_in_whatever_order_it_is_read", () => {
    const redact = redactor(EVERYTHING);
    const read = (at: number, size: number): string => {
      const [offset, bytes] = redact.call(
        "sys_config_read",
        [at, EVERYTHING.subarray(at, at + size)],
        Math.min(size, EVERYTHING.length - at),
      );
      assert.equal(offset, at);
      return text(bytes);
    };
    for (let pass = 0; pass < 2; pass++) {
      for (let at = 0; at < EVERYTHING.length; at += 100)
        assert.equal(read(at, 100), WHOLE.slice(at, at + 100));
    }
    for (const at of [300, 10, 11, 500, 44, 300])
      assert.equal(read(at, 50), WHOLE.slice(at, at + 50));
    const beyond = Buffer.from('x"password":"a"');
    const args = redact.call("sys_config_read", [1 << 20, beyond], beyond.length);
    assert.equal(text(args[1]), 'x"password":"p"');
  });

  test("parts_of_an_url_are_one_that_needs_no_prefix", () => {
    const redact = redactor();
    const part = (bytes: string, isFirst: number): string =>
      text(redact.call("http_url", [Buffer.from(bytes), isFirst], 0)[0]);
    assert.equal(part("host/a?b=", 1) + part("cd&e", 0) + part("f", 0), "host/a?s=ss&ss");
    assert.equal(part("https://h", 1) + part("/a?b", 0), "https://h/a?s");
  });

  test("bodies_and_updates_are_one_text_each_from_the_head_of_the_answer", () => {
    const redact = redactor();
    const head = Buffer.alloc(8);
    for (let round = 0; round < 2; round++) {
      redact.event(event(EventKind.HTTP_RESPONSE, head, 200));
      const body = inParts(64, (part, at) => redact.event(event(EventKind.HTTP_BODY, part, at)));
      assert.equal(body, WHOLE);
      const update = inParts(50, (part) => redact.call("ota_write", [part], 0)[0] as Uint8Array);
      assert.equal(update, WHOLE);
      redact.event(event(EventKind.HTTP_BODY, Buffer.from('"password":"a')));
    }
    head.writeUInt32LE(4096);
    redact.event(event(EventKind.HTTP_RESPONSE, head, 206));
    const middle = Buffer.from("AbC\n");
    assert.equal(text(redact.event(event(EventKind.HTTP_BODY, middle))), "kkk\n");
    assert.equal(text(redact.call("ota_write", [middle], 0)[0]), "kkk\n");
  });

  test("a_life_goes_on_with_no_text_of_the_life_before", () => {
    const redact = redactor();
    const open = Buffer.from('"password":"a');
    redact.event(event(EventKind.HTTP_BODY, open));
    redact.call("ota_write", [open], 0);
    redact.call("http_url", [Buffer.from("https://h?a"), 1], 0);
    redact.begin();
    assert.equal(text(redact.event(event(EventKind.HTTP_BODY, Buffer.from("abc")))), "abc");
    assert.equal(text(redact.call("ota_write", [Buffer.from("abc")], 0)[0]), "abc");
    assert.equal(text(redact.call("http_url", [Buffer.from("abc"), 0], 0)[0]), "abc");
  });
});

describe("slices by themselves", () => {
  test("each_is_a_text_of_its_own", () => {
    const redact = redactor();
    for (let round = 0; round < 2; round++) {
      const [topic, payload, flags] = redact.call(
        "mqtt_publish",
        [Buffer.from('"password":"a'), Buffer.from('b"password":"c'), 1],
        0,
      );
      assert.equal(text(topic) + text(payload), '"password":"pb"password":"p');
      assert.equal(flags, 1);
    }
    const key = `${identities.issued.privateKey}-----BEGIN CERTIFICATE REQUEST-----\nMI\n`;
    assertHidden(
      redact.event(event(EventKind.CRYPTO_CSR, Buffer.from(key))),
      piecesOf(key.split("\n")[1]!),
    );
  });

  test("a_password_is_hidden_whole_and_a_network_is_not", () => {
    const [ssid, password] = redactor().call(
      "wifi_join",
      [Buffer.from("net"), Buffer.from('a"\\ä')],
      0,
    );
    assert.equal(text(ssid), "net");
    assert.equal(text(password), "ppppp");
  });

  test("random_bytes_stay", () => {
    const bytes = Buffer.from('"password":"a"');
    assert.equal(text(redactor().call("sys_random", [bytes], 0)[0]), text(bytes));
  });

  test("what_the_host_did_not_fill_is_not_shown", () => {
    const redact = redactor(Buffer.from("ab"));
    const room = Buffer.from("left from before");
    const shown = (...call: Parameters<TraceRedactor["call"]>) => text(redact.call(...call)[1]);
    assert.equal(shown("sys_config_read", [0, room], 2), `le${"\0".repeat(14)}`);
    assert.equal(shown("sys_config_read", [0, room], 0), "\0".repeat(16));
    assert.equal(shown("flash_read", [0, room], -8), "\0".repeat(16));
  });

  test("a_slice_outside_memory_stays_two_numbers", () => {
    assert.deepEqual(redactor().call("flash_write", [0, 70000, 16], -1), [0, 70000, 16]);
  });

  test("what_it_is_given_is_not_changed", () => {
    const redact = redactor();
    const bytes = Buffer.from(EVERYTHING);
    redact.event(event(EventKind.MQTT_MESSAGE, bytes));
    redact.call("flash_write", [0, bytes], 0);
    redact.call("mqtt_publish", [bytes, bytes, 0], 0);
    redact.call("wifi_join", [bytes, bytes], 0);
    redact.call("sys_config_read", [0, bytes], bytes.length);
    assert.deepEqual(bytes, EVERYTHING);
  });
});

const PASSWORD = 'correct "horse" bättery';

const owners = [identities.claim, identities.issued, identities.thing];
const KEYS = piecesOfKeys(
  owners.map(({ privateKey }) => privateKey),
  [identities.rootCa, ...owners.map(({ certificate }) => certificate)],
);

/** Hooks that redact all that a device does, and all the slices that come of it. */
class Witness {
  readonly slices: { readonly what: string; readonly bytes: Uint8Array }[] = [];
  device: ScriptedDevice | null = null;
  private readonly redactor = new TraceRedactor({
    flash: (offset, bytes) => this.device!.flash.read(offset, bytes),
    config: (offset, bytes) => {
      const part = this.device!.document.subarray(offset, offset + bytes.length);
      bytes.set(part);
      return part.length;
    },
    packet: (offset, bytes) => this.device!.ble.read(offset, bytes),
  });
  readonly hooks: CoreHooks = {
    onStep: (happened) => {
      if (happened.kind === EventKind.BOOT) this.redactor.begin();
      this.keep(`${happened.kind}`, this.redactor.event(happened), happened.payload);
    },
    onCall: (name, called, result) => {
      // No call of these lives has a slice outside memory.
      const args = called as readonly (number | Uint8Array)[];
      const shown = this.redactor.call(name, args, result);
      assert.equal(shown.length, args.length);
      for (const [index, bytes] of shown.entries()) this.keep(name, bytes, args[index]!);
    },
  };

  private keep(what: string, shown: number | Uint8Array, was: number | Uint8Array): void {
    if (typeof shown === "number" || typeof was === "number") {
      assert.equal(shown, was);
    } else {
      assert.equal(shown.length, was.length);
      this.slices.push({ what, bytes: Uint8Array.from(shown) });
    }
  }

  expectHidden(...secrets: readonly string[]): void {
    const pieces = new Set([...KEYS, ...piecesOf(...secrets)]);
    const kinds = new Set(this.slices.map(({ what }) => what));
    for (const kind of ["flash_read", "flash_write", "sys_config_read", "wifi_join"])
      assert.ok(kinds.has(kind), kind);
    for (const [index, { what, bytes }] of this.slices.entries())
      assertHidden(bytes, pieces, `${what}, slice ${index}`);
  }
}

/** What a trace shows of a text. */
const shown = (original: string): string => {
  const bytes = Buffer.from(original);
  new TextMask().begin().mask(bytes);
  return String(bytes);
};

/** A device that provisions itself, twice boots, and hears what `told` makes of all it is told. */
function provision(method: string, told: (original: string) => string): Witness {
  const witness = new Witness();
  const document = claimDocument({ method });
  document.wifi["password"] = PASSWORD;
  const { hooks } = witness;
  const device = new ScriptedDevice({ document: told(JSON.stringify(document)), hooks });
  witness.device = device;
  const aws = new ScriptedAws(device);
  const answer = method === "csr" ? csrAnswer() : keysAnswer();
  aws.onCreate = () => ({ raw: told(JSON.stringify(answer)) });
  const request = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n";
  device.csrAnswer = () => ({ key: told(identities.issued.privateKey), request });
  device.boot().untilEvent(Event.MQTT_CONNECTED, LONG_MS);
  device.settle().powerOff().boot().untilEvent(Event.MQTT_CONNECTED, LONG_MS);
  return witness;
}

for (const method of ["keys", "csr"]) {
  test(`provisioning_by_claim_with_${method}_leaves_no_secret_in_a_trace`, () => {
    const witness = provision(method, (original) => original);
    witness.expectHidden(PASSWORD, OWNERSHIP_TOKEN);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(crc32(witness.device!.document));
    for (const { what, bytes } of witness.slices)
      assert.ok(!Buffer.from(bytes).includes(checksum), `${what}: checksum of the document`);
  });

  test(`a_device_that_is_told_what_a_trace_of_${method}_shows_leaves_the_same_trace`, () => {
    const { slices } = provision(method, (original) => original);
    const again = provision(method, shown).slices;
    for (const [index, { what, bytes }] of slices.entries()) {
      assert.equal(again[index]?.what, what);
      assert.deepEqual(again[index]?.bytes, bytes, `${what}, slice ${index}`);
    }
    assert.equal(again.length, slices.length);
  });
}

test("the_redactor_knows_where_the_core_keeps_password_and_token", () => {
  const witness = new Witness();
  const document = claimDocument();
  document.wifi["password"] = PASSWORD;
  const device = new ScriptedDevice({ document, hooks: witness.hooks });
  witness.device = device;
  const aws = new ScriptedAws(device);
  aws.onProvision = () => "silent";
  device.boot().until(() => aws.provisions.length > 0, LONG_MS);
  device.settle();
  // They are in flash, so that it means something that they are not in what is shown of it.
  const records = readRecords(device.flash.nor);
  assert.ok(records.get(Dataset.CONFIGURATION)?.includes(PASSWORD));
  assert.ok(records.get(Dataset.SYSTEM_STATUS)?.includes(OWNERSHIP_TOKEN));
  assert.equal(String(records.get(Dataset.CLAIM_KEY)), identities.claim.privateKey);
  const { nor } = device.flash;
  const redact = new TraceRedactor({
    flash: (offset, bytes) => device.flash.read(offset, bytes),
    config: () => 0,
    packet: () => 0,
  });
  const [, shown] = redact.call("flash_read", [0, nor.bytes], 0);
  assertHidden(shown as Uint8Array, KEYS);
  assertHidden(shown as Uint8Array, piecesOf(PASSWORD, OWNERSHIP_TOKEN));
  // And nothing else of these records is hidden: as many bytes as the secrets have.
  const hidden = Buffer.from(shown as Uint8Array);
  const count = (letter: string, size: number): void =>
    assert.ok(hidden.includes(letter.repeat(size)) && !hidden.includes(letter.repeat(size + 1)));
  count("p", Buffer.from(PASSWORD).length);
  count("t", OWNERSHIP_TOKEN.length);
});

test("an_update_leaves_no_signature_of_its_url_in_a_trace", () => {
  const witness = new Witness();
  const device = new UpdateDevice({ hooks: witness.hooks });
  witness.device = device;
  device.live(() => device.isConnected);
  const job = device.offer(imageOf("2.0.0"));
  device.untilEnded(job);
  assert.equal(job.status, "SUCCEEDED");
  const urls = witness.slices.filter(({ what }) => what === "http_url");
  assert.match(urls.map(({ bytes }) => text(bytes)).join(""), /https:\/\/[^?]+\?s+=s+/);
  witness.expectHidden("0123456789abcdef");
});
