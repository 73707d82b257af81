// A device is set up by the flow that phone and terminal share: how it goes, each way to fail, and
// a device that leaves in every phase. Time passes only where the flow waits.

import assert from "node:assert/strict";
import { afterEach, beforeEach, type TestContext, test } from "node:test";
import { BleCode, nameOf, SetupStep, Status } from "../../host-node/src/abi.js";
import { CentralError } from "../../host-node/src/ble/central.js";
import type { Gatt } from "../../host-node/src/ble/gatt.js";
import {
  ATTEMPT_MS,
  configure,
  PATIENCE_MS,
  type Progress,
  type SetupError,
  type SetupOptions,
  type SetupOutcome,
} from "../../host-node/src/ble/setup.js";
import { wordsOfFailure } from "../../host-node/src/ble/words.js";
import { turns } from "./ports_support.js";
import { MemoryRadio } from "./support/memory_radio.js";
import { Command, type PeerStatus, PROOF, SetupPeer } from "./support/setup_peer.js";

const DOCUMENT = '{"wifi":{"ssid":"home"}}';
const CHECKING = { code: BleCode.IN_PROGRESS, step: SetupStep.CHECKING };
const JOINING = { code: BleCode.IN_PROGRESS, step: SetupStep.JOINING, text: "home" };
const JOINED = { code: BleCode.IN_PROGRESS, step: SetupStep.JOINED, text: "10.0.0.7" };
const ONLINE = { code: BleCode.CONFIGURED, step: SetupStep.CONNECTED, text: "pump-7" };
const { JOINING: JOIN, ENDPOINT } = SetupStep;
const TURN_MS = 500;

const failed = (step: SetupStep, status: Status): PeerStatus => ({
  code: BleCode.FAILED,
  step,
  status,
});

let radio: MemoryRadio;
let peer: SetupPeer;
let said: string[];
/** How long the flow has waited. */
let waited_ms: number;
let tasks: { readonly at: number; readonly act: () => void }[];

beforeEach(() => {
  radio = new MemoryRadio();
  peer = new SetupPeer(radio).start();
  said = [];
  waited_ms = 0;
  tasks = [];
});

afterEach(() => assert.equal(radio.connection, null, "the connection was left open"));

const after = (ms: number, act: () => void): void => {
  tasks.push({ at: waited_ms + ms, act });
};

/** The flow until its end, in virtual time. */
async function run(t: TestContext, options: Partial<SetupOptions> = {}): Promise<SetupOutcome> {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let isOver = false;
  const outcome = configure({
    connect: () => radio.connect(100),
    proof: PROOF,
    document: DOCUMENT,
    onProgress: ({ text }) => said.push(text),
    ...options,
  }).finally(() => {
    isOver = true;
  });
  outcome.catch(() => {});
  for (let count = 0; !isOver; count++) {
    assert.ok(count < 10_000, `without end: ${said.join("; ")}`);
    await turns(30);
    if (isOver) break;
    waited_ms += TURN_MS;
    t.mock.timers.tick(TURN_MS);
    const due = tasks.filter(({ at }) => at <= waited_ms);
    tasks = tasks.filter(({ at }) => at > waited_ms);
    for (const { act } of due) act();
  }
  return outcome;
}

/** The device restarts; it is away for so long, and comes back with this to tell. */
function restart(ms: number, status: PeerStatus): void {
  peer.stop();
  after(ms, () => {
    peer.becomeSilently(status);
    peer.start();
  });
}

/** A document is tried as it should be, and the device comes back with this outcome. */
function tryDocument(outcome: PeerStatus, away_ms = 20_000): void {
  peer.afterwards = ({ command }) => {
    if (command !== Command.APPLY) return;
    peer.becomeSilently(CHECKING);
    after(1000, () => peer.become(JOINING));
    after(3000, () => peer.become(JOINED));
    after(4000, () => restart(away_ms, outcome));
  };
}

// ---- how it goes -------------------------------------------------------------------------------

test("device_goes_online_and_each_step_is_said_once", async (t) => {
  tryDocument(ONLINE);
  assert.deepEqual(await run(t), { step: SetupStep.CONNECTED, thingName: "pump-7" });
  assert.deepEqual(said, [
    "connecting to the device",
    "proving that the device is yours",
    "sending the configuration",
    "the device checks the configuration",
    'the device joins "home"',
    "the device is in the network, its address is 10.0.0.7",
    "the device has left, and tries the endpoint; this may take five minutes",
    "proving that the device is yours",
    "the device is back; asking how it went",
  ]);
  assert.equal(peer.requests[0]?.body.toString(), DOCUMENT);
  assert.equal(peer.connections, 2);
});

test("change_that_is_notified_is_asked_for_at_once_and_a_lost_one_after_two_seconds", async (t) => {
  const FAILED = { code: BleCode.WRONG_PASSWORD, step: SetupStep.JOINING };
  for (const [isLost, expected_ms] of [
    [false, 1000],
    [true, 2000],
  ] as const) {
    peer.afterwards = ({ command }) => {
      if (command === Command.APPLY) after(1000, () => peer.become(FAILED));
    };
    peer.becomeSilently(JOINING);
    radio.onNotify = (characteristic, value) => (isLost && characteristic === 3 ? null : value);
    waited_ms = 0;
    await assert.rejects(run(t), /refuses the password/);
    assert.equal(waited_ms, expected_ms);
    t.mock.timers.reset();
  }
});

test("change_between_two_questions_is_not_missed", async (t) => {
  peer.becomeSilently(JOINING);
  peer.afterwards = ({ command }) => {
    // Behind the answer to STATUS, before the flow waits.
    if (command === Command.STATUS) peer.become(ONLINE);
  };
  await run(t);
  assert.equal(waited_ms, 0);
});

test("device_that_leaves_is_missed_at_once", async (t) => {
  tryDocument(ONLINE);
  let left_ms = 0;
  const onProgress = ({ phase }: Progress) => {
    if (phase === "restart") left_ms = waited_ms;
  };
  await run(t, { onProgress });
  assert.equal(left_ms, 4000);
});

test("device_that_is_away_for_five_minutes_is_waited_for", async (t) => {
  tryDocument(ONLINE, 330_000);
  assert.equal((await run(t)).thingName, "pump-7");
});

test("device_that_is_provisioned_and_not_yet_connected_is_told_as_such", async (t) => {
  const text = "pump-8";
  tryDocument({ code: BleCode.CONFIGURED, step: SetupStep.PROVISIONED, text });
  assert.deepEqual(await run(t), { step: SetupStep.PROVISIONED, thingName: text });
});

test("device_that_is_provisioned_and_cannot_connect_is_no_success", async (t) => {
  const status = Status.MQTT_REFUSED;
  tryDocument({ code: BleCode.CONFIGURED, step: SetupStep.PROVISIONED, status });
  await assert.rejects(run(t), {
    name: "SetupError",
    reason: "offline",
    message: /^The claim was accepted, .* it must allow iot:Connect/,
  });
});

test("connection_that_breaks_while_the_device_joins_is_made_again", async (t) => {
  peer.afterwards = ({ command }) => {
    if (command !== Command.APPLY) return;
    peer.becomeSilently(JOINING);
    after(1000, () => peer.disconnect());
    after(8000, () => peer.become(JOINED));
    after(9000, () => restart(1000, ONLINE));
  };
  assert.equal((await run(t)).thingName, "pump-7");
  assert.equal(peer.connections, 3);
});

test("device_that_leaves_without_a_word_is_noticed_when_it_does_not_answer", async (t) => {
  peer.becomeSilently(JOINED);
  peer.answer = ({ command }) => {
    if (command !== Command.STATUS || peer.connections > 1) return undefined;
    peer.becomeSilently(ONLINE);
    return null;
  };
  assert.equal((await run(t)).thingName, "pump-7");
});

// ---- a device that is hard to find -------------------------------------------------------------

test("device_that_never_comes_back_is_given_up_after_seven_minutes", async (t) => {
  tryDocument(ONLINE, 10 * PATIENCE_MS);
  await assert.rejects(run(t), (error: SetupError) => {
    assert.match(error.message, /has not come back/);
    assert.equal(error.reason, "gone");
    return true;
  });
  assert.ok(waited_ms > PATIENCE_MS && waited_ms < PATIENCE_MS + 10_000, String(waited_ms));
});

test("attempt_to_connect_that_never_ends_is_given_up_and_closed_when_it_ends_late", async (t) => {
  tryDocument(ONLINE);
  const late: ((gatt: Gatt) => void)[] = [];
  let attempts = 0;
  let isClosed = false;
  const connect = (): Promise<Gatt> => {
    if (++attempts !== 2) return radio.connect(100);
    return new Promise<Gatt>((resolve) => late.push(resolve));
  };
  assert.equal((await run(t, { connect })).thingName, "pump-7");
  assert.ok(waited_ms >= ATTEMPT_MS);
  const disconnect = async () => {
    isClosed = true;
  };
  late[0]!({ disconnect } as Gatt);
  await turns();
  assert.ok(isClosed);
});

test("device_that_is_locked_by_somebody_else_meanwhile_is_waited_for", async (t) => {
  tryDocument(ONLINE);
  peer.afterwards = ((before) => (request) => {
    before(request);
    if (request.command === Command.APPLY) {
      after(4000, () => peer.lock(60));
      after(60_000, () => peer.lock(0));
    }
  })(peer.afterwards);
  assert.equal((await run(t)).thingName, "pump-7");
  assert.equal(peer.connections, 3);
});

test("device_that_is_back_and_knows_nothing_is_said_to", async (t) => {
  tryDocument({ code: BleCode.SUCCESS, step: SetupStep.IDLE });
  await assert.rejects(run(t), { name: "SetupError", reason: "forgotten" });
});

test("other_device_that_answers_in_place_of_ours_is_not_asked_twice", async (t) => {
  tryDocument(ONLINE);
  let attempts = 0;
  const hear = peer.onWrite.bind(peer);
  peer.onWrite = (characteristic, value) => {
    if (peer.connections === 1 || characteristic !== 1 || ++attempts === 1) {
      return hear(characteristic, value);
    }
    return false;
  };
  await assert.rejects(run(t), { name: "CentralError", reason: "proof" });
  assert.equal(peer.connections, 2);
});

// ---- refused at once ---------------------------------------------------------------------------

test("device_that_is_not_there_is_said_in_the_words_of_the_stack", async (t) => {
  peer.stop();
  await assert.rejects(run(t), /no such device/);
});

test("wrong_proof_and_lock_end_it_before_the_document_is_sent", async (t) => {
  await assert.rejects(run(t, { proof: "other" }), { reason: "proof" });
  peer.lock(45);
  t.mock.timers.reset();
  await assert.rejects(run(t), { reason: "locked", seconds: 45 });
  assert.deepEqual(peer.requests, []);
});

const REFUSALS: readonly (readonly [BleCode, string, RegExp])[] = [
  [BleCode.INVALID_JSON, "aws.port: not a number", /not valid: aws\.port: not a number\./],
  [BleCode.MISSING_ELEMENTS, "aws.rootCa", /not complete: aws\.rootCa is missing/],
  [BleCode.BUSY, "", /busy/],
  [BleCode.FAILED, "claim.privateKey", /do not belong together, .* \(claim\.privateKey\)/],
  [BleCode.FAILED, "it is provisioned", /could not do it: it is provisioned\./],
  [BleCode.INVALID_REQUEST, "", /does not know this request/],
];

for (const [code, text, words] of REFUSALS) {
  test(`document_that_is_refused_with_${nameOf(BleCode, code)}_is_explained`, () => {
    assert.match(new CentralError("device", { code, text }).message, words);
  });
}

test("document_that_is_refused_ends_it_and_the_error_has_the_answer_of_the_device", async (t) => {
  const [code, text] = [BleCode.INVALID_JSON, "aws.port: not a number"];
  peer.answer = () => ({ code, body: text });
  await assert.rejects(run(t), { name: "CentralError", reason: "device", code, text });
  assert.equal(peer.requests.length, 1);
});

test("device_that_leaves_before_it_has_taken_the_document_is_an_error", async (t) => {
  peer.answer = () => null;
  peer.afterwards = () => peer.disconnect();
  await assert.rejects(run(t), { name: "CentralError", reason: "disconnected" });
});

// ---- tried, and failed -------------------------------------------------------------------------

const FAILURES: readonly (readonly [string, PeerStatus, RegExp])[] = [
  ["a_wrong_password", { code: BleCode.WRONG_PASSWORD, step: JOIN }, /refuses the password/],
  ["no_network", { code: BleCode.WRONG_SSID, step: JOIN }, /no network of that name/],
  ["a_slow_network", { code: BleCode.TIMEOUT, step: JOIN }, /does not let the device in/],
  ["no_pair", failed(SetupStep.CHECKING, Status.REFUSED), /do not belong together/],
  ["another_root", failed(ENDPOINT, Status.TLS_SERVER_REFUSED), /the root CA/],
  ["an_inactive_certificate", failed(ENDPOINT, Status.TLS_CLIENT_REFUSED), /refuses the certif/],
  ["a_strict_policy", failed(ENDPOINT, Status.MQTT_REFUSED), /policy/],
  ["a_wrong_endpoint", failed(ENDPOINT, Status.NAME_NOT_RESOLVED), /has no address/],
  ["a_firewall", failed(ENDPOINT, Status.UNREACHABLE), /cannot be reached/],
  ["a_strict_template", failed(ENDPOINT, Status.REFUSED), /template/],
  ["a_slow_endpoint", { code: BleCode.TIMEOUT, step: ENDPOINT }, /does not answer in time/],
];

for (const [title, { code, step, status = Status.OK }, words] of FAILURES) {
  test(`document_with_${title}_is_explained`, () => {
    assert.match(wordsOfFailure({ code: code as BleCode, step, status, text: "" }), words);
    const said = wordsOfFailure({ code: code as BleCode, step, status, text: "not authorized" });
    assert.match(said, / The device says: not authorized\.$/);
  });
}

test("document_that_fails_before_the_device_leaves_is_an_error_with_all_that_it_said", async (t) => {
  peer.becomeSilently({ code: BleCode.WRONG_PASSWORD, step: JOIN, status: Status.WRONG_PASSWORD });
  const failure = { code: 6, step: JOIN, status: Status.WRONG_PASSWORD, text: "" };
  await assert.rejects(run(t), { name: "SetupError", reason: "failed", failure });
  assert.equal(peer.connections, 1);
});

test("document_that_fails_while_the_device_is_away_is_an_error_too", async (t) => {
  tryDocument(failed(ENDPOINT, Status.TLS_CLIENT_REFUSED));
  await assert.rejects(run(t), { reason: "failed", message: /refuses the certificate/ });
});

test("every_way_to_fail_has_a_sentence", () => {
  for (const step of Object.values(SetupStep)) {
    for (const code of [BleCode.FAILED, BleCode.TIMEOUT]) {
      for (const status of Object.values(Status)) {
        for (const text of ["", "the reason"]) {
          const words = wordsOfFailure({ code, step, status, text });
          assert.match(words, /^[A-Z].*[.)]$/);
          assert.equal(words.includes("the reason"), text !== "");
        }
      }
    }
  }
});

// ---- given up ----------------------------------------------------------------------------------

test("flow_that_is_aborted_ends_at_once_in_every_phase", async (t) => {
  const phases: Readonly<Record<string, (abort: () => void) => void>> = {
    connect: (abort) => abort(),
    send: (abort) => {
      peer.answer = () => null;
      peer.afterwards = abort;
    },
    ask: (abort) => {
      peer.becomeSilently(JOINING);
      after(1500, abort);
    },
    look: (abort) => {
      tryDocument(ONLINE);
      after(20_000, abort);
    },
  };
  for (const [phase, prepare] of Object.entries(phases)) {
    peer.stop();
    peer = new SetupPeer(radio).start();
    tasks = [];
    const controller = new AbortController();
    let isAborted = false;
    const ending = run(t, { signal: controller.signal });
    prepare(() => {
      isAborted = true;
      controller.abort(new Error(`stop: ${phase}`));
    });
    await assert.rejects(ending, { message: `stop: ${phase}` });
    assert.ok(isAborted);
    await turns(30);
    assert.equal(radio.connection, null, phase);
    t.mock.timers.reset();
  }
});

test("connection_that_is_made_after_the_flow_was_aborted_is_closed", async (t) => {
  const controller = new AbortController();
  const connect = async () => {
    const gatt = await radio.connect();
    controller.abort();
    await turns(1);
    return gatt;
  };
  await assert.rejects(run(t, { connect, signal: controller.signal }), { name: "AbortError" });
  await turns();
});
