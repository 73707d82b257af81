// The central against a device that does what the test says, over a radio in memory: at each MTU,
// out of step, and gone.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, type TestContext, test } from "node:test";
import { BleCode, SetupStep, Status } from "../../host-node/src/abi.js";
import { Central, CentralError, type CentralReason } from "../../host-node/src/ble/central.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { turns } from "./ports_support.js";
import { MemoryRadio } from "./support/memory_radio.js";
import { Command, PROOF, SetupPeer } from "./support/setup_peer.js";

let radio: MemoryRadio;
let peer: SetupPeer;

beforeEach(() => {
  radio = new MemoryRadio();
  peer = new SetupPeer(radio).start();
});

async function open(mtu = 247, proof = PROOF): Promise<Central> {
  return Central.open(await radio.connect(mtu), { proof });
}

const because =
  (reason: CentralReason, code: BleCode | null = null) =>
  (error: unknown) => {
    assert.ok(error instanceof CentralError, String(error));
    assert.deepEqual([error.reason, error.code], [reason, code], error.message);
    return true;
  };

/** Time that passes when the test says so. */
function stopClock(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  return async (ms: number) => {
    await turns(20);
    t.mock.timers.tick(ms);
    await turns(20);
  };
}

// ---- requests ----------------------------------------------------------------------------------

for (const mtu of [23, 100, 247, 517]) {
  test(`document_and_answer_of_8000_bytes_pass_at_an_mtu_of_${mtu}`, async () => {
    const central = await open(mtu);
    const document = `{"wifi":{"ssid":"${"x".repeat(8000)}"}}`;
    await central.apply(document);
    assert.equal(peer.requests[0]!.body.toString(), document);
    peer.answer = () => ({ code: BleCode.SUCCESS, body: document });
    assert.deepEqual(await central.read(), JSON.parse(document));
    await central.close();
    assert.equal(radio.connection, null);
  });
}

test("commands_have_the_numbers_of_the_document_and_their_answers_are_read", async () => {
  const central = await open();
  peer.answer = ({ command }) => {
    if (command !== Command.SCAN) return undefined;
    const networks = [
      Buffer.of(0xd8, 0, 4),
      "home",
      Buffer.of(0xb0, 1, 0),
      Buffer.of(0x80, 0, 2),
      "ü",
    ];
    return {
      code: BleCode.SUCCESS,
      body: Buffer.concat(networks.map((part) => Buffer.from(part))),
    };
  };
  assert.deepEqual(await central.scan(), [
    { ssid: "home", rssi_dbm: -40, isOpen: false },
    { ssid: "", rssi_dbm: -80, isOpen: true },
    { ssid: "ü", rssi_dbm: -128, isOpen: false },
  ]);
  await central.reset();
  await central.leave();
  const text = "10.0.0.7";
  peer.become({ code: BleCode.FAILED, step: SetupStep.JOINED, status: Status.UNREACHABLE, text });
  const { code, step, status } = await central.status();
  assert.deepEqual([code, step, status], [BleCode.FAILED, SetupStep.JOINED, Status.UNREACHABLE]);
  assert.deepEqual(
    peer.requests.map(({ characteristic, command }) => [characteristic, command]),
    [3, 4, 6, 5].map((command) => [2, command]),
  );
});

test("packets_of_the_application_go_both_ways", async () => {
  const central = await open();
  peer.answer = ({ command, body }) => {
    const size = body[0] ?? 0;
    if (command === 1) return { code: BleCode.FAILED, body: body.subarray(1 + size) };
    return { code: BleCode.SUCCESS, body: Buffer.from("\x05levelhigh") };
  };
  const sent = await central.send("valve", "open");
  assert.deepEqual([sent.code, Buffer.from(sent.reply).toString()], [BleCode.FAILED, "open"]);
  const fetched = await central.fetch();
  assert.deepEqual([fetched?.name, Buffer.from(fetched!.data).toString()], ["level", "high"]);
  peer.answer = () => ({ code: BleCode.SUCCESS, body: Buffer.of(0) });
  assert.equal(await central.fetch(), null);
  assert.deepEqual([...new Set(peer.requests.map(({ characteristic }) => characteristic))], [4]);
});

test("requests_that_are_made_at_once_are_sent_one_after_the_other", async () => {
  const central = await open(23);
  peer.answer = ({ characteristic }) => {
    return characteristic === 4 ? { code: BleCode.SUCCESS, body: Buffer.alloc(900) } : undefined;
  };
  await Promise.all([
    central.apply("{}".padEnd(3000)),
    central.send("name", new Uint8Array(1000)),
    central.status(),
    central.send("name"),
  ]);
  assert.deepEqual(
    peer.requests.map(({ characteristic, body }) => [characteristic, body.length]),
    [
      [2, 3000],
      [4, 1005],
      [2, 0],
      [4, 5],
    ],
  );
});

test("answer_that_says_no_is_an_error_and_the_session_goes_on", async () => {
  const central = await open();
  peer.answer = () => ({ code: BleCode.INVALID_JSON, body: "wifi.pasword: unknown field" });
  await assert.rejects(central.apply("{}"), (error: CentralError) => {
    assert.match(error.message, /^The configuration is not valid: wifi\.pasword: unknown field\./);
    return because("device", BleCode.INVALID_JSON)(error);
  });
  peer.answer = () => ({ code: BleCode.BUSY });
  await assert.rejects(central.status(), because("device", BleCode.BUSY));
  peer.answer = () => undefined;
  assert.equal((await central.status()).step, SetupStep.IDLE);
});

test("request_that_is_too_large_is_not_sent_and_the_session_goes_on", async () => {
  const central = await open(517);
  await assert.rejects(central.apply("x".repeat(8176)), because("size"));
  await assert.rejects(central.send("x".repeat(256)), because("size"));
  await assert.rejects(central.send("x", new Uint8Array(1022)), because("size"));
  await central.apply("x".repeat(8175));
  await central.send("x", new Uint8Array(1021));
  assert.equal(peer.requests.length, 2);
});

test("changes_are_heard_until_nobody_wants_to_hear_them", async () => {
  const central = await open();
  const changes: unknown[] = [];
  const forget = central.onChange((change) => changes.push(change));
  peer.tellChange();
  peer.notify(3, Uint8Array.of(1, 2));
  await turns();
  forget();
  peer.tellChange();
  await turns();
  assert.deepEqual(changes, [{ changes: 1, code: BleCode.SUCCESS, seconds: 0 }]);
});

// ---- no session --------------------------------------------------------------------------------

test("wrong_proof_is_named_and_ends_the_connection", async () => {
  await assert.rejects(open(247, "other"), because("proof"));
  assert.deepEqual([peer.failures, radio.connection], [1, null]);
  await assert.rejects(open(247, ""), because("proof"));
  await open();
});

test("device_that_disconnects_at_a_wrong_proof_has_still_refused_it", async () => {
  const hear = peer.onWrite.bind(peer);
  peer.onWrite = (characteristic, value) => {
    const isTaken = hear(characteristic, value);
    if (peer.failures > 0) peer.disconnect();
    return isTaken;
  };
  await assert.rejects(open(247, "other"), because("proof"));
});

test("wrong_proof_that_locks_the_device_says_for_how_long", async () => {
  const hear = peer.onWrite.bind(peer);
  peer.onWrite = (characteristic, value) => {
    const isTaken = hear(characteristic, value);
    if (peer.failures > 0) peer.lock(30).tellChange();
    return isTaken;
  };
  await assert.rejects(open(247, "other"), (error: CentralError) => {
    assert.deepEqual([error.reason, error.seconds], ["proof", 30]);
    return true;
  });
});

test("locked_device_is_not_asked_and_the_error_says_for_how_long", async () => {
  peer.lock(900);
  await assert.rejects(open(), (error: CentralError) => {
    assert.match(error.message, /locked for 900 seconds/);
    assert.deepEqual([error.reason, error.seconds], ["locked", 900]);
    return true;
  });
  assert.deepEqual([peer.failures, radio.connection], [0, null]);
});

test("device_that_says_only_after_a_refusal_that_it_is_locked_is_understood", async () => {
  const gatt = await radio.connect();
  peer.lock(7);
  const write = gatt.write.bind(gatt);
  gatt.write = (characteristic, value) => {
    peer.tellChange();
    return write(characteristic, value);
  };
  await assert.rejects(Central.open(gatt, { proof: PROOF }), because("locked"));
});

test("device_that_refuses_the_handshake_without_a_reason_breaks_the_protocol", async () => {
  peer.onWrite = () => false;
  await assert.rejects(open(), because("protocol"));
});

test("device_that_cannot_prove_itself_is_an_impostor", async () => {
  const set = radio.setValue.bind(radio);
  let answers = 0;
  radio.setValue = (characteristic, value) => {
    const isProof = characteristic === 1 && ++answers === 2;
    set(characteristic, isProof ? value.map((byte, at) => (at === 20 ? byte ^ 1 : byte)) : value);
  };
  await assert.rejects(open(), because("impostor"));
});

test("stranger_that_speaks_something_else_breaks_the_protocol", async () => {
  peer.onWrite = (characteristic) => {
    radio.setValue(characteristic, Buffer.from("hello"));
    return true;
  };
  await assert.rejects(open(), because("protocol"));
  assert.equal(radio.connection, null);
});

// ---- ends --------------------------------------------------------------------------------------

test("device_that_is_gone_fails_what_is_asked_and_what_waits", async () => {
  const central = await open(23);
  peer.answer = () => null;
  peer.afterwards = () => peer.disconnect();
  const asked = [central.status(), central.read(), central.send("x")];
  for (const request of asked) await assert.rejects(request, because("disconnected"));
  assert.equal(peer.requests.length, 1);
  assert.equal(central.ended?.reason, "disconnected");
  await assert.rejects(central.status(), because("disconnected"));
});

test("device_that_is_gone_in_the_middle_of_a_request_or_of_an_answer_is_noticed", async () => {
  const central = await open(23);
  const asking = central.apply("{}".padEnd(1000));
  await turns(10);
  peer.stop();
  await assert.rejects(asking, because("disconnected"));

  peer.start();
  const again = await open(23);
  peer.answer = () => ({ code: BleCode.SUCCESS, body: Buffer.alloc(100) });
  peer.spoil = (frames) => {
    peer.disconnect();
    return frames.slice(0, 2);
  };
  await assert.rejects(again.read(), because("disconnected"));
});

test("answer_that_does_not_come_ends_the_connection_after_ten_or_thirty_seconds", async (t) => {
  const pass = stopClock(t);
  peer.answer = () => null;
  const times: [(central: Central) => Promise<unknown>, number][] = [
    [(central) => central.status(), 10_000],
    [(central) => central.send("x"), 10_000],
    [(central) => central.scan(), 30_000],
    [(central) => central.apply("{}"), 30_000],
  ];
  for (const [ask, ms] of times) {
    let failure: CentralError | undefined;
    const central = await open();
    ask(central).catch((error) => {
      failure = error;
    });
    await pass(ms - 1);
    assert.equal(failure, undefined);
    await pass(1);
    assert.ok(because("timeout")(failure));
    assert.equal(radio.connection, null);
  }
});

test("answer_that_stops_in_the_middle_ends_the_connection_after_five_seconds", async (t) => {
  const pass = stopClock(t);
  const central = await open(23);
  peer.answer = () => ({ code: BleCode.SUCCESS, body: Buffer.alloc(100) });
  peer.spoil = (frames) => frames.slice(0, -1);
  const failed = assert.rejects(central.read(), because("timeout"));
  await pass(4999);
  assert.ok(radio.connection !== null);
  await pass(1);
  await failed;
});

test("stack_that_never_answers_ends_the_handshake_after_ten_seconds", async (t) => {
  const pass = stopClock(t);
  const gatt = await radio.connect();
  gatt.read = () => new Promise(() => {});
  const failed = assert.rejects(Central.open(gatt, { proof: PROOF }), because("timeout"));
  await pass(10_000);
  await failed;
  assert.equal(radio.connection, null);
});

test("close_ends_the_connection_and_what_is_under_way", async () => {
  const central = await open();
  peer.answer = () => null;
  const asking = assert.rejects(central.status(), because("disconnected"));
  await turns();
  await central.close();
  await asking;
  assert.equal(radio.connection, null);
  await central.close();
});

// ---- out of step -------------------------------------------------------------------------------

const SPOILED: Readonly<Record<string, (frames: Uint8Array[]) => Uint8Array[]>> = {
  a_lost_frame: (frames) => frames.toSpliced(1, 1),
  frames_out_of_turn: ([first, second, ...others]) => [second!, first!, ...others],
  another_byte: (frames) => frames.map((frame, at) => (at === 1 ? frame.with(3, 99) : frame)),
  a_frame_behind_the_end: (frames) => [...frames, frames.at(-1)!],
  an_answer_of_an_earlier_session: () => [
    Buffer.from(`801200${"00".repeat(4)}${"00".repeat(13)}`, "hex"),
    Buffer.from("010000000000", "hex"),
  ],
};

for (const [title, spoil] of Object.entries(SPOILED)) {
  test(`answer_with_${title}_ends_the_connection`, async () => {
    const central = await open(23);
    peer.answer = () => ({ code: BleCode.SUCCESS, body: JSON.stringify("x".repeat(80)) });
    peer.spoil = spoil;
    const asking = central.read().then(() => central.status());
    await assert.rejects(asking, because("protocol"));
    assert.equal(radio.connection, null);
  });
}

test("packet_that_nobody_has_asked_for_ends_the_connection", async () => {
  const central = await open();
  peer.notify(4, Buffer.from("8001000000000001", "hex"));
  await turns();
  assert.equal(central.ended?.reason, "protocol");
  assert.equal(radio.connection, null);
});

test("bodies_that_cannot_be_read_end_the_connection", async () => {
  const bodies: [(central: Central) => Promise<unknown>, Buffer][] = [
    [(central) => central.read(), Buffer.from("{")],
    [(central) => central.status(), Buffer.of(1)],
    [(central) => central.scan(), Buffer.of(0, 0, 4, 65)],
    [(central) => central.scan(), Buffer.of(0, 0)],
    [(central) => central.fetch(), Buffer.of(3, 65)],
  ];
  for (const [ask, body] of bodies) {
    peer.answer = () => ({ code: BleCode.SUCCESS, body });
    await assert.rejects(ask(await open()), because("protocol"));
    assert.equal(radio.connection, null);
  }
});

// ---- browsers ----------------------------------------------------------------------------------

/** This file of ours, and all of ours that it imports. */
function importsOf(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, path] of readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)"/g)) {
    importsOf(join(dirname(file), path!.replace(/js$/, "ts")), found);
  }
  return found;
}

test("what_a_browser_runs_needs_nothing_of_node", () => {
  const files = importsOf(join(packageRoot, "host-node", "src", "ble", "setup.ts"));
  assert.ok(files.size > 10, [...files].join(" "));
  for (const file of files) {
    const code = readFileSync(file, "utf8").replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, "");
    assert.doesNotMatch(code, /\bBuffer\b|\bprocess\b|setImmediate|NodeJS|"node:/, file);
  }
});
