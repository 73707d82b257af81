// The port ble on a radio in memory: what each import promises in abi.json, and what docs/BLE.md
// wants of a host. The central is the client of security 2 alone: frames are the core's.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { BLE_SEAL_BYTES, EventKind, nameOf, Status } from "../../host-node/src/abi.js";
import { Security2Client } from "../../host-node/src/ble/security2/client.js";
import { makeVerifier } from "../../host-node/src/ble/security2/verifier.js";
import { BlePort, NO_BLE } from "../../host-node/src/ports/ble.js";
import { type Posted, RecordingHost, turns, VirtualClock } from "./ports_support.js";
import { type MemoryGatt, MemoryRadio } from "./support/memory_radio.js";

const NAME = Buffer.from("iot32-a1b2c3d4e5f6");
const PROOF = "abcd1234";
const VERIFIER_AT = 4096;
const VERIFIER_BYTES = 400;
const { salt, verifier } = makeVerifier("iot32", PROOF);

let clock: VirtualClock;
let host: RecordingHost;
let radio: MemoryRadio;
let records: Buffer;
let port: BlePort;

beforeEach(() => {
  clock = new VirtualClock();
  host = new RecordingHost(clock);
  radio = new MemoryRadio();
  records = Buffer.alloc(8192, 0xff);
  records.set(salt, VERIFIER_AT);
  records.set(verifier, VERIFIER_AT + salt.length + 384 - verifier.length);
  const readFlash = (offset: number, bytes: Uint8Array): number => {
    if (offset + bytes.length > records.length) return Status.INVALID_ARGUMENT;
    bytes.set(records.subarray(offset, offset + bytes.length));
    return Status.OK;
  };
  port = new BlePort(host, { peripheral: radio, readFlash });
});

const start = (name: Uint8Array = NAME, offset = VERIFIER_AT, size = VERIFIER_BYTES) =>
  port.start(name, offset, size);

/** What was posted since the last call, seen by the core: name and a. */
function events(): [name: string, a: number][] {
  clock.advance(0);
  return host.events.splice(0).map((event) => {
    event.dispatched();
    return [event.name, event.a];
  });
}

/** The only event there is, not yet seen by the core. */
function unseen(kind: EventKind): Posted {
  clock.advance(0);
  assert.deepEqual(
    host.events.map(({ name }) => name),
    [nameOf(EventKind, kind)],
  );
  return host.events.shift()!;
}

async function connected(mtu = 247): Promise<MemoryGatt> {
  if (radio.advertised === null) assert.equal(start(), Status.OK);
  const gatt = await radio.connect(mtu);
  assert.deepEqual(events(), [["BLE_CONNECTED", mtu]]);
  return gatt;
}

/** A handshake up to the answer to the proof; rejects where the device refuses. */
async function shake(gatt: MemoryGatt, proof = PROOF): Promise<Security2Client> {
  const client = new Security2Client("iot32", proof);
  await gatt.write(1, client.start());
  await gatt.write(1, client.prove(await gatt.read(1)));
  client.finish(await gatt.read(1));
  return client;
}

async function inSession(mtu = 247): Promise<{ gatt: MemoryGatt; client: Security2Client }> {
  const gatt = await connected(mtu);
  const client = await shake(gatt);
  assert.deepEqual(events(), [["BLE_SESSION", Status.OK]]);
  return { gatt, client };
}

function read(offset: number, size: number): string {
  const bytes = new Uint8Array(size);
  const count = port.read(offset, bytes);
  return Buffer.from(bytes.subarray(0, count)).toString();
}

// ---- radio -------------------------------------------------------------------------------------

test("start_advertises_by_the_name_until_stop", () => {
  assert.equal(port.stop(), Status.NOT_READY);
  assert.equal(start(), Status.OK);
  assert.equal(radio.advertised, NAME.toString());
  assert.equal(start(), Status.BUSY);
  assert.equal(port.stop(), Status.OK);
  assert.equal(start(), Status.BUSY);
  assert.deepEqual(events(), [["BLE_STOPPED", Status.OK]]);
  assert.equal(radio.advertised, null);
  assert.equal(start(), Status.OK);
});

test("verifier_of_any_other_size_outside_the_records_or_that_is_none_is_invalid", () => {
  assert.equal(start(NAME, VERIFIER_AT, 399), Status.INVALID_ARGUMENT);
  assert.equal(start(NAME, VERIFIER_AT, 401), Status.INVALID_ARGUMENT);
  assert.equal(start(NAME, VERIFIER_AT, 0), Status.INVALID_ARGUMENT);
  assert.equal(start(NAME, 8192 - 399), Status.INVALID_ARGUMENT);
  assert.equal(start(new Uint8Array()), Status.INVALID_ARGUMENT);
  assert.equal(start(Buffer.from("a\0b")), Status.INVALID_ARGUMENT);
  records.fill(0, VERIFIER_AT + 16, VERIFIER_AT + 400);
  assert.equal(start(), Status.INVALID_ARGUMENT);
  assert.equal(radio.advertised, null);
});

test("device_without_a_radio_supports_nothing", () => {
  assert.equal(NO_BLE.start(NAME, VERIFIER_AT, VERIFIER_BYTES), Status.UNSUPPORTED);
  assert.equal(NO_BLE.lock(1), Status.UNSUPPORTED);
  assert.equal(NO_BLE.notify(2, Buffer.of(1)), Status.UNSUPPORTED);
  assert.equal(NO_BLE.read(0, new Uint8Array(1)), 0);
});

test("central_that_leaves_is_told_and_the_next_one_is_heard", async () => {
  const gatt = await connected(23);
  await gatt.disconnect();
  assert.deepEqual(events(), [["BLE_DISCONNECTED", Status.CONNECTION_LOST]]);
  assert.equal(radio.advertised, NAME.toString());
  await connected(517);
});

test("disconnect_is_answered_once_with_closed", async () => {
  start();
  assert.equal(port.disconnect(), Status.NOT_READY);
  await connected();
  assert.equal(port.disconnect(), Status.OK);
  assert.equal(port.disconnect(), Status.OK);
  clock.advance(0);
  await turns();
  assert.deepEqual(events(), [["BLE_DISCONNECTED", Status.CLOSED]]);
  assert.equal(port.disconnect(), Status.NOT_READY);
});

test("disconnect_lets_through_what_was_notified_before", async () => {
  const gatt = await connected();
  const heard: number[] = [];
  await gatt.subscribe(3, ([first]) => heard.push(first!));
  for (const byte of [1, 2, 3]) assert.equal(port.notify(3, Buffer.of(byte)), Status.OK);
  port.disconnect();
  const sent = ["BLE_SENT", Status.OK];
  assert.deepEqual(events(), [sent, sent, sent]);
  await turns();
  assert.deepEqual(events(), [["BLE_DISCONNECTED", Status.CLOSED]]);
  assert.deepEqual(heard, [1, 2, 3]);
});

test("stop_tells_of_the_central_first", async () => {
  await connected();
  port.stop();
  assert.equal(port.disconnect(), Status.NOT_READY);
  assert.equal(port.notify(3, Buffer.of(1)), Status.NOT_READY);
  assert.deepEqual(events(), [
    ["BLE_DISCONNECTED", Status.CLOSED],
    ["BLE_STOPPED", Status.OK],
  ]);
  assert.equal(radio.connection, null);
});

test("another_mtu_is_told_when_it_is_another_one", async () => {
  await connected(23);
  radio.listener!.onMtu(23);
  radio.listener!.onMtu(185);
  assert.deepEqual(events(), [["BLE_MTU", 185]]);
  assert.equal(port.notify(2, Buffer.alloc(182)), Status.OK);
  assert.equal(port.notify(2, Buffer.alloc(183)), Status.INVALID_ARGUMENT);
});

test("power_off_reports_nothing_more_and_ends_the_connection", async () => {
  await connected();
  port.notify(3, Buffer.of(1));
  port.disconnect();
  port.close();
  await turns();
  assert.deepEqual(events(), []);
  assert.deepEqual([radio.advertised, radio.connection, clock.pending], [null, null, 0]);
});

// ---- session -----------------------------------------------------------------------------------

test("handshake_is_the_hosts_own_and_its_end_is_told", async () => {
  const gatt = await connected(23);
  const client = await shake(gatt);
  assert.equal(client.isAuthenticated, true);
  assert.deepEqual(events(), [["BLE_SESSION", Status.OK]]);
});

test("verifier_is_read_before_start_returns", async () => {
  start();
  records.fill(0);
  await shake(await connected());
});

test("wrong_proof_is_refused_and_told_and_a_broken_message_is_malformed", async () => {
  const gatt = await connected();
  await assert.rejects(shake(gatt, "other"), /GATT/);
  assert.deepEqual(events(), [["BLE_SESSION", Status.REFUSED]]);
  await assert.rejects(gatt.write(1, Buffer.from("hello")), /GATT/);
  assert.deepEqual(events(), [["BLE_SESSION", Status.MALFORMED]]);
  assert.equal((await gatt.read(1)).length, 0);
  await shake(gatt);
});

test("after_a_failure_nothing_is_heard_until_the_core_has_seen_it", async () => {
  const gatt = await connected();
  await assert.rejects(shake(gatt, "other"), /GATT/);
  const failure = unseen(EventKind.BLE_SESSION);
  await assert.rejects(shake(gatt), /GATT/);
  assert.deepEqual(events(), []);
  failure.dispatched();
  await shake(gatt);
  assert.deepEqual(events(), [["BLE_SESSION", Status.OK]]);
});

test("one_key_of_a_central_is_good_for_one_proof", async () => {
  const gatt = await connected();
  const client = new Security2Client("iot32", "other");
  await gatt.write(1, client.start());
  const proof = client.prove(await gatt.read(1));
  await assert.rejects(gatt.write(1, proof), /GATT/);
  assert.deepEqual(events(), [["BLE_SESSION", Status.REFUSED]]);
  await assert.rejects(gatt.write(1, proof), /GATT/);
  assert.deepEqual(events(), [["BLE_SESSION", Status.MALFORMED]]);
});

test("locked_device_refuses_even_the_right_proof_unseen_until_it_is_unlocked", async () => {
  assert.equal(port.lock(1), Status.NOT_READY);
  const gatt = await connected();
  assert.equal(port.lock(2), Status.INVALID_ARGUMENT);
  assert.equal(port.lock(1), Status.OK);
  await assert.rejects(shake(gatt), /GATT/);
  assert.deepEqual(events(), []);
  assert.equal(radio.advertised, NAME.toString());
  assert.equal(port.lock(0), Status.OK);
  await shake(gatt);
});

test("start_begins_unlocked", async () => {
  start();
  port.lock(1);
  port.stop();
  events();
  start();
  await shake(await connected());
});

test("session_ends_with_its_central", async () => {
  const { gatt } = await inSession();
  await gatt.disconnect();
  assert.equal(port.seal(Buffer.of(1), new Uint8Array(17)), Status.NOT_READY);
  events();
  await connected();
  assert.equal(port.seal(Buffer.of(1), new Uint8Array(17)), Status.NOT_READY);
});

test("new_handshake_ends_the_session_before", async () => {
  const { gatt } = await inSession();
  await gatt.write(1, new Security2Client("iot32", PROOF).start());
  assert.equal(port.append(Buffer.of(1), 1), Status.NOT_READY);
});

// ---- packets -----------------------------------------------------------------------------------

test("writes_reach_the_core_as_they_are", async () => {
  const gatt = await connected();
  await gatt.write(2, Buffer.from("frame"));
  await gatt.write(4, new Uint8Array());
  const [first, second] = host.events;
  assert.deepEqual([first?.name, first?.a, String(first?.payload)], ["BLE_WRITE", 2, "frame"]);
  assert.deepEqual([second?.name, second?.a, second?.payload.length], ["BLE_WRITE", 4, 0]);
});

test("value_longer_than_512_bytes_is_refused", async () => {
  await connected(517);
  assert.equal(radio.listener!.onWrite(2, new Uint8Array(513)), false);
  assert.equal(radio.listener!.onWrite(2, new Uint8Array(512)), true);
});

test("packet_is_put_together_opened_and_read_in_parts", async () => {
  const { client } = await inSession();
  const sealed = client.seal(Buffer.from("a configuration document"));
  assert.equal(port.append(sealed.subarray(0, 10), 1), Status.OK);
  assert.equal(port.append(sealed.subarray(10), 0), Status.OK);
  assert.equal(port.open(), 24);
  assert.deepEqual(
    [read(0, 5), read(16, 100), read(24, 1), read(1e9, 1)],
    ["a con", "document", "", ""],
  );
  assert.equal(port.open(), Status.NOT_READY);
  assert.equal(read(0, 1), "a");
  port.append(Buffer.of(1), 1);
  assert.equal(read(0, 1), "");
});

test("packet_that_is_not_of_this_session_or_holds_nothing_is_refused", async () => {
  const { client } = await inSession();
  const sealed = client.seal(Buffer.from("x"));
  for (const packet of [sealed.map((byte) => byte ^ 1), sealed.subarray(1), new Uint8Array()]) {
    assert.equal(port.append(packet, 1), Status.OK);
    assert.equal(port.open(), Status.REFUSED);
  }
  port.append(sealed, 1);
  assert.equal(port.open(), 1);
});

test("append_without_session_or_without_a_beginning_is_not_ready", async () => {
  assert.equal(port.append(Buffer.of(1), 1), Status.NOT_READY);
  await connected();
  assert.equal(port.append(Buffer.of(1), 1), Status.NOT_READY);
  assert.equal(port.open(), Status.NOT_READY);
  const { client } = { client: await shake(radio.connection!) };
  assert.equal(port.append(Buffer.of(1), 0), Status.NOT_READY);
  assert.equal(port.append(Buffer.of(1), 2), Status.INVALID_ARGUMENT);
  port.append(client.seal(Buffer.of(1)), 1);
  assert.equal(port.open(), 1);
});

test("packet_above_its_limit_is_too_large_until_another_begins", async () => {
  const { client } = await inSession();
  assert.equal(port.append(new Uint8Array(8192), 1), Status.OK);
  assert.equal(port.append(new Uint8Array(1), 0), Status.TOO_LARGE);
  assert.equal(port.append(new Uint8Array(0), 0), Status.TOO_LARGE);
  assert.equal(port.open(), Status.NOT_READY);
  port.append(client.seal(new Uint8Array(8192 - BLE_SEAL_BYTES)), 1);
  assert.equal(port.open(), 8176);
});

test("plain_text_stays_until_the_core_has_seen_that_the_central_is_gone", async () => {
  const { gatt, client } = await inSession();
  port.append(client.seal(Buffer.from("document")), 1);
  port.open();
  await gatt.disconnect();
  const end = unseen(EventKind.BLE_DISCONNECTED);
  assert.equal(read(0, 8), "document");
  end.dispatched();
  assert.equal(read(0, 8), "");
});

test("sealed_packets_are_opened_by_the_central_in_their_order", async () => {
  const { client } = await inSession();
  assert.equal(port.seal(Buffer.from("one"), new Uint8Array(18)), Status.INVALID_ARGUMENT);
  assert.equal(port.seal(new Uint8Array(8177), new Uint8Array(9000)), Status.INVALID_ARGUMENT);
  const packets = ["one", "two"].map((text) => {
    const sealed = new Uint8Array(32);
    return sealed.subarray(0, port.seal(Buffer.from(text), sealed));
  });
  assert.deepEqual(
    packets.map((packet) => Buffer.from(client.open(packet)).toString()),
    ["one", "two"],
  );
});

// ---- notifications -----------------------------------------------------------------------------

test("notification_is_kept_as_the_value_and_told_to_who_has_subscribed", async () => {
  const gatt = await connected();
  const heard: string[] = [];
  await gatt.subscribe(4, (value) => heard.push(Buffer.from(value).toString()));
  const frame = Buffer.from("frame");
  assert.equal(port.notify(4, frame), Status.OK);
  frame.fill(0);
  assert.equal(port.notify(2, Buffer.from("nobody")), Status.OK);
  assert.deepEqual(events(), [
    ["BLE_SENT", Status.OK],
    ["BLE_SENT", Status.OK],
  ]);
  await turns();
  assert.deepEqual(heard, ["frame"]);
  assert.equal(Buffer.from(await gatt.read(4)).toString(), "frame");
  assert.equal(Buffer.from(await gatt.read(2)).toString(), "nobody");
});

test("values_begin_empty_with_each_connection", async () => {
  const gatt = await connected();
  port.notify(3, Buffer.of(1, 2, 3, 4));
  events();
  await gatt.disconnect();
  events();
  assert.equal((await (await connected()).read(3)).length, 0);
});

test("notification_without_a_central_of_another_characteristic_or_too_large_is_not_taken", async () => {
  assert.equal(port.notify(2, Buffer.of(1)), Status.NOT_READY);
  start();
  assert.equal(port.notify(2, Buffer.of(1)), Status.NOT_READY);
  await connected(517);
  for (const characteristic of [0, 1, 5]) {
    assert.equal(port.notify(characteristic, Buffer.of(1)), Status.INVALID_ARGUMENT);
  }
  assert.equal(port.notify(2, new Uint8Array(513)), Status.INVALID_ARGUMENT);
  assert.equal(port.notify(2, new Uint8Array(512)), Status.OK);
});

test("fifth_notification_is_busy_until_one_is_sent", async () => {
  await connected();
  for (let count = 0; count < 4; count++) assert.equal(port.notify(3, Buffer.of(1)), Status.OK);
  assert.equal(port.notify(3, Buffer.of(1)), Status.BUSY);
  assert.equal(events().length, 4);
  assert.equal(port.notify(3, Buffer.of(1)), Status.OK);
});

test("notification_to_a_central_that_is_gone_does_not_reach_the_next_one", async () => {
  const gatt = await connected();
  port.notify(3, Buffer.of(1));
  await gatt.disconnect();
  const next = await radio.connect();
  const connected_ = [["BLE_CONNECTED", 247]];
  const ends = [["BLE_DISCONNECTED", Status.CONNECTION_LOST]];
  assert.deepEqual(events(), [...ends, ...connected_, ["BLE_SENT", Status.CONNECTION_LOST]]);
  assert.equal((await next.read(3)).length, 0);
});
