// GATT over a local socket: what a radio would carry, a whole setting up through it, and input that
// no central sends.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { BleCode, SetupStep } from "../../host-node/src/abi.js";
import { encodePdu, Opcode, u16 } from "../../host-node/src/ble/att.js";
import { Central } from "../../host-node/src/ble/central.js";
import { SocketPeripheral, socketAddress } from "../../host-node/src/ble/gatt_socket.js";
import { SocketGatt } from "../../host-node/src/ble/gatt_socket_client.js";
import { configure } from "../../host-node/src/ble/setup.js";
import { seededRandom } from "./support/seeded_random.js";
import { Command, NAME, PROOF, SetupPeer } from "./support/setup_peer.js";

const isWindows = process.platform === "win32";
let folder: string;
let path: string;
let radio: SocketPeripheral;
let heard: string[];
/** Whether a write is taken. */
let isTaken: boolean;
let wake: (() => void) | null;

const hear = (what: string): void => {
  heard.push(what);
  wake?.();
};

const listener = {
  onConnect: (mtu: number) => hear(`connect ${mtu}`),
  onMtu: (mtu: number) => hear(`mtu ${mtu}`),
  onDisconnect: () => hear("disconnect"),
  onWrite: (characteristic: number, value: Uint8Array) => {
    hear(`write ${characteristic} ${Buffer.from(value)}`);
    return isTaken;
  },
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "iot32-ble-"));
  path = join(folder, "ble.sock");
  radio = await SocketPeripheral.listen(path);
  heard = [];
  isTaken = true;
  wake = null;
});

afterEach(async () => {
  await radio.close();
  assert.equal(existsSync(path), false, "the socket file is left");
  rmSync(folder, { recursive: true });
});

/** Until the device has heard so many things. */
async function until(count: number): Promise<void> {
  while (heard.length < count) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

async function connected(mtu = 247): Promise<SocketGatt> {
  radio.advertise(NAME, listener);
  return SocketGatt.connect(path, { mtu });
}

const ended = (gatt: SocketGatt) => new Promise<void>((resolve) => gatt.onDisconnect(resolve));

// ---- what a radio carries ----------------------------------------------------------------------

test("central_finds_the_device_by_its_name_and_agrees_on_an_mtu", async () => {
  const gatt = await connected(100);
  assert.deepEqual([gatt.name, gatt.mtu], [NAME, 100]);
  await gatt.exchangeMtu(517);
  assert.equal(gatt.mtu, 517);
  await gatt.disconnect();
  await until(3);
  assert.deepEqual(heard, ["connect 100", "mtu 517", "disconnect"]);
});

test("values_are_written_and_read_and_a_refused_one_is_an_error_that_ends_nothing", async () => {
  const gatt = await connected();
  assert.equal((await gatt.read(1)).length, 0);
  await gatt.write(1, Buffer.from("x".repeat(512)));
  await gatt.write(2, new Uint8Array());
  isTaken = false;
  await assert.rejects(gatt.write(4, Buffer.from("no")), /refuses the value/);
  radio.setValue(1, Buffer.alloc(512, "y"));
  assert.equal(Buffer.from(await gatt.read(1)).toString(), "y".repeat(512));
  assert.deepEqual(heard.slice(1), [`write 1 ${"x".repeat(512)}`, "write 2 ", "write 4 no"]);
  await gatt.disconnect();
});

test("notifications_come_in_order_to_who_has_subscribed_and_are_cut_as_a_radio_does", async () => {
  const gatt = await connected(23);
  const got: string[] = [];
  radio.notify(3, Buffer.from("early"));
  await gatt.subscribe(3, (value) => got.push(Buffer.from(value).toString()));
  for (const text of ["one", "two", "x".repeat(30)]) radio.notify(3, Buffer.from(text));
  radio.notify(2, Buffer.from("not subscribed"));
  assert.equal(Buffer.from(await gatt.read(2)).toString(), "not subscribed");
  assert.deepEqual(got, ["one", "two", "x".repeat(20)]);
  await gatt.disconnect();
});

test("requests_that_are_made_at_once_are_answered_in_their_order", async () => {
  const gatt = await connected();
  const writes = ["a", "b", "c"].map((text) => gatt.write(2, Buffer.from(text)));
  await Promise.all([...writes, gatt.read(2)]);
  assert.deepEqual(heard.slice(1), ["write 2 a", "write 2 b", "write 2 c"]);
  await gatt.disconnect();
});

test("device_that_sends_a_central_away_is_heard_to_the_end", async () => {
  const gatt = await connected();
  const got: number[] = [];
  await gatt.subscribe(3, ([byte]) => got.push(byte!));
  const end = ended(gatt);
  for (const byte of [1, 2, 3]) radio.notify(3, Buffer.of(byte));
  radio.disconnect();
  await end;
  assert.deepEqual(got, [1, 2, 3]);
  assert.deepEqual(heard, ["connect 247", "disconnect"]);
  await assert.rejects(gatt.read(1), /is gone/);
  radio.disconnect();
  const next = await SocketGatt.connect(path);
  await next.disconnect();
});

test("end_is_heard_before_what_was_asked_fails", async () => {
  const gatt = await connected();
  const order: string[] = [];
  gatt.onDisconnect(() => order.push("end"));
  const asking = gatt.read(1).catch(() => order.push("failed"));
  radio.stop();
  await asking;
  assert.deepEqual(order, ["end", "failed"]);
  assert.deepEqual(heard, ["connect 247"]);
});

// ---- who is let in -----------------------------------------------------------------------------

test("central_is_told_when_nobody_advertises_and_when_another_one_is_there", async () => {
  await assert.rejects(SocketGatt.connect(path), /does not advertise/);
  const gatt = await connected();
  await assert.rejects(SocketGatt.connect(path), /another central/);
  await gatt.disconnect();
  await until(2);
  const next = await SocketGatt.connect(path, { mtu: 23 });
  radio.stop();
  await ended(next);
  await assert.rejects(SocketGatt.connect(path), /does not advertise/);
  assert.deepEqual(heard, ["connect 247", "disconnect", "connect 23"]);
});

test("central_is_told_when_there_is_no_device", async () => {
  const nowhere = join(folder, "nowhere.sock");
  await assert.rejects(SocketGatt.connect(nowhere), /no device has the socket .*iot32 run --ble/);
});

test("values_of_an_earlier_central_are_not_read_by_the_next", async () => {
  const gatt = await connected();
  radio.setValue(1, Buffer.from("secret"));
  await gatt.disconnect();
  await until(2);
  const next = await SocketGatt.connect(path);
  assert.equal((await next.read(1)).length, 0);
  await next.disconnect();
});

// ---- the file ----------------------------------------------------------------------------------

test("socket_in_use_is_refused_and_the_device_that_has_it_goes_on", async () => {
  await assert.rejects(SocketPeripheral.listen(path), /another device has the socket/);
  await (await connected()).disconnect();
});

test("socket_of_a_process_that_was_killed_is_replaced", { skip: isWindows }, async () => {
  const stale = join(folder, "stale.sock");
  const code = `require("net").createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", code]);
  assert.ok(existsSync(stale));
  const other = await SocketPeripheral.listen(stale);
  await other.close();
  assert.equal(existsSync(stale), false);
});

test("file_that_is_no_socket_is_left_alone", { skip: isWindows }, async () => {
  const file = join(folder, "device.bin");
  writeFileSync(file, "flash");
  await assert.rejects(SocketPeripheral.listen(file), /is there, and is no socket/);
  assert.ok(existsSync(file));
  rmSync(file);
});

test("path_that_cannot_be_is_named", { skip: isWindows }, async () => {
  const missing = join(folder, "missing", "ble.sock");
  await assert.rejects(SocketPeripheral.listen(missing), /cannot open the socket .*missing/);
  assert.throws(() => socketAddress(join(folder, "x".repeat(100))), /103 bytes at most/);
});

// ---- what no central sends ---------------------------------------------------------------------

async function raw(): Promise<Socket> {
  const socket = connect(socketAddress(path));
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket.on("error", () => {});
}

/** Sends it, and waits until the device has ended the socket. */
async function sendAndEnd(...parts: readonly Uint8Array[]): Promise<void> {
  const socket = await raw();
  const end = new Promise((resolve) => socket.once("close", resolve));
  socket.resume().write(Buffer.concat(parts));
  await end;
}

const CONNECT = encodePdu(Opcode.CONNECT, u16(100));
const MALFORMED: Readonly<Record<string, readonly Uint8Array[]>> = {
  a_length_of_zero: [CONNECT, u16(0)],
  a_length_above_the_limit: [CONNECT, u16(515)],
  an_unknown_opcode: [CONNECT, encodePdu(0x52, 2)],
  an_answer: [CONNECT, encodePdu(Opcode.WRITE_RESPONSE)],
  a_handle_that_is_none: [CONNECT, encodePdu(Opcode.READ_REQUEST, 5)],
  a_read_without_handle: [CONNECT, encodePdu(Opcode.READ_REQUEST)],
  a_write_without_handle: [CONNECT, encodePdu(Opcode.WRITE_REQUEST)],
  a_descriptor_that_is_none: [CONNECT, encodePdu(Opcode.WRITE_REQUEST, 0x82, u16(2))],
  an_mtu_below_the_least: [CONNECT, encodePdu(Opcode.MTU_REQUEST, u16(22))],
  a_second_connect: [CONNECT, CONNECT],
};

for (const [title, parts] of Object.entries(MALFORMED)) {
  test(`${title}_ends_that_connection_and_nothing_else`, async () => {
    radio.advertise(NAME, listener);
    await sendAndEnd(...parts);
    await until(2);
    assert.deepEqual(heard, ["connect 100", "disconnect"]);
    await (await SocketGatt.connect(path)).disconnect();
  });
}

test("request_before_connect_ends_the_socket_unheard", async () => {
  const gatt = await connected();
  await sendAndEnd(encodePdu(Opcode.WRITE_REQUEST, 2, 1));
  await sendAndEnd(encodePdu(Opcode.CONNECT, u16(22)));
  await sendAndEnd(CONNECT);
  assert.deepEqual(heard, ["connect 247"]);
  assert.equal((await gatt.read(2)).length, 0);
  await gatt.disconnect();
});

test("random_bytes_do_no_harm", async () => {
  const random = seededRandom(11);
  radio.advertise(NAME, listener);
  for (let round = 0; round < 50; round++) {
    const noise = Uint8Array.from({ length: 200 }, () => random() * 256);
    const socket = await raw();
    const end = new Promise((resolve) => socket.once("close", resolve));
    socket.resume().end(Buffer.concat([CONNECT, noise]));
    await end;
  }
  await until(100);
  const gatt = await SocketGatt.connect(path);
  await gatt.write(2, Buffer.from("still here"));
  assert.equal(heard.at(-1), "write 2 still here");
  await gatt.disconnect();
});

test("central_that_does_not_wait_for_answers_is_heard_in_order_and_held_up", async () => {
  radio.advertise(NAME, listener);
  const count = 500;
  const writes = Array.from({ length: count }, (_, at) => {
    return encodePdu(Opcode.WRITE_REQUEST, 2, Buffer.from(`${at}`));
  });
  const socket = await raw();
  socket.resume().write(Buffer.concat([CONNECT, ...writes]));
  await until(2);
  assert.ok(heard.length < 20, "all at once");
  await until(count + 1);
  assert.deepEqual(
    heard.slice(1),
    Array.from({ length: count }, (_, at) => `write 2 ${at}`),
  );
  socket.destroy();
});

test("central_that_reads_nothing_is_given_up", async () => {
  const gatt = await connected(517);
  await gatt.subscribe(2, () => {});
  (gatt as unknown as { socket: Socket }).socket.pause();
  const frame = Buffer.alloc(512);
  for (let count = 0; count < 10_000 && heard.length === 1; count++) {
    radio.notify(2, frame);
    if (count % 100 === 0) await new Promise(setImmediate);
  }
  await until(2);
  assert.equal(heard[1], "disconnect");
  await gatt.disconnect();
});

// ---- all of it ---------------------------------------------------------------------------------

for (const mtu of [23, 517]) {
  test(`session_and_large_packets_pass_at_an_mtu_of_${mtu}`, async () => {
    const peer = new SetupPeer(radio).start();
    const central = await Central.open(await SocketGatt.connect(path, { mtu }), { proof: PROOF });
    const document = JSON.stringify({ text: "x".repeat(8000) });
    await central.apply(document);
    assert.equal(peer.requests[0]?.body.toString(), document);
    peer.answer = () => ({ code: BleCode.SUCCESS, body: document });
    assert.deepEqual(await central.read(), JSON.parse(document));
    await central.close();
  });
}

test("device_is_set_up_over_the_socket", async () => {
  const peer = new SetupPeer(radio).start();
  peer.afterwards = ({ command }) => {
    if (command === Command.APPLY) {
      peer.become({ code: BleCode.CONFIGURED, step: SetupStep.CONNECTED, text: "pump-7" });
    }
  };
  const connect_ = () => SocketGatt.connect(path);
  const outcome = await configure({ connect: connect_, proof: PROOF, document: "{}" });
  assert.equal(outcome.thingName, "pump-7");
});

test("wrong_proof_over_the_socket_is_told_from_a_lost_connection", async () => {
  new SetupPeer(radio).start();
  const options = { connect: () => SocketGatt.connect(path), document: "{}" };
  await assert.rejects(configure({ ...options, proof: "other" }), { reason: "proof" });
});
