// The cloud in memory, packet by packet: provisioning, shadows, jobs, files and the rules as the
// local cloud has them, in virtual time; the same seed gives the same bytes, and a copy goes on as
// its original would have, without touching it.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Packet } from "mqtt-packet";
import { ABI_VERSION } from "../../host-node/src/abi.js";
import { DEVICE_POLICY_NAME } from "../../host-node/src/cloud/defaults.js";
import { LIMITS } from "../../host-node/src/cloud/limits.js";
import type { PolicyDocument, PolicyStatement } from "../../host-node/src/cloud/policy.js";
import { parseSignature, verifyImage } from "../../host-node/src/image/index.js";
import { isPair, makeCsr } from "../../host-node/src/sim/cloud/memory_authority.js";
import { sampleModule } from "./image_support.js";
import { type Body, CloudDesk } from "./support/cloud_desk.js";
import { identities } from "./support/identities.js";
import { seededRandom } from "./support/seeded_random.js";

const CREATE = "$aws/certificates/create/json";
const CREATE_FROM_CSR = "$aws/certificates/create-from-csr/json";
const REGISTER = "$aws/provisioning-templates/iot32/provision/json";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const FORCED = { force: true };

const ALLOW_ALL: PolicyDocument = {
  Version: "2012-10-17",
  Statement: { Effect: "Allow", Action: "iot:*", Resource: "*" },
};

const randomOf = (seed: number) => {
  const next = seededRandom(seed);
  return (bytes: Uint8Array): void => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = next() * 256;
  };
};

/** Opens a connection with the claim, and subscribes to all answers of provisioning. */
function claimed(desk: CloudDesk, connection = 1): void {
  const { certificatePem, privateKeyPem } = desk.cloud.claim;
  assert.ok(desk.cloud.open(connection, certificatePem, privateKeyPem));
  desk.connect(connection, "claim");
  const requests = [CREATE, CREATE_FROM_CSR, REGISTER];
  desk.subscribe(
    connection,
    requests.flatMap((topic) => [`${topic}/accepted`, `${topic}/rejected`]),
  );
  desk.take(connection);
}

/** Sends a request; the one message that comes back must be its answer. */
function ask(
  desk: CloudDesk,
  connection: number,
  topic: string,
  body: object | string,
  outcome: "accepted" | "rejected" = "accepted",
): Body {
  desk.publish(connection, topic, body);
  const [message, ...others] = desk.takeMessages(connection);
  assert.equal(message?.topic, `${topic}/${outcome}`, JSON.stringify(message?.body));
  assert.deepEqual(others, []);
  return message.body;
}

const registration = (token: string, name: string) => ({
  certificateOwnershipToken: token,
  parameters: { SerialNumber: name },
});

/** Provisions a device over the claim's connection, with keys of the cloud's. */
function provisioned(desk: CloudDesk, name: string): Body {
  const created = ask(desk, 1, CREATE, "");
  const answer = ask(desk, 1, REGISTER, registration(created.certificateOwnershipToken, name));
  assert.equal(answer.thingName, name);
  return created;
}

const kinds = (packets: readonly Packet[]) => packets.map(({ cmd }) => cmd);
const topics = (messages: readonly { readonly topic: string }[]) => messages.map((m) => m.topic);

// --- Provisioning ---

test("device provisioned by claim with keys of the cloud connects as its thing", () => {
  const desk = new CloudDesk();
  claimed(desk);
  const { certificatePem, privateKey } = provisioned(desk, "one");
  assert.equal(certificatePem.length, 1220);
  assert.equal(privateKey.length, 1675);
  assert.ok(isPair(certificatePem, privateKey));
  assert.ok(desk.log.some((line) => line.startsWith('provisioned {"thingName":"one"')));
  assert.ok(desk.cloud.open(2, certificatePem, privateKey));
  desk.connect(2, "one");
  assert.deepEqual(desk.take(2), [{ cmd: "connack", returnCode: 0, sessionPresent: false }]);
});

test("device provisioned by claim with its own key connects with that key alone", () => {
  const desk = new CloudDesk();
  claimed(desk);
  const { keyPem, requestPem } = makeCsr(randomOf(7), "two");
  const created = ask(desk, 1, CREATE_FROM_CSR, { certificateSigningRequest: requestPem });
  assert.equal(created.privateKey, undefined);
  ask(desk, 1, REGISTER, registration(created.certificateOwnershipToken, "two"));
  const other = makeCsr(randomOf(8), "two");
  assert.ok(isPair(created.certificatePem, keyPem));
  assert.ok(!isPair(created.certificatePem, other.keyPem));
  assert.ok(!desk.cloud.open(2, created.certificatePem, other.keyPem));
  assert.equal(desk.rules.at(-1)?.rule, "tls-handshake");
  assert.ok(desk.cloud.open(2, created.certificatePem, keyPem));
});

test("signing request that is none is refused", () => {
  const desk = new CloudDesk();
  claimed(desk);
  const { certificatePem } = desk.cloud.claim;
  for (const csr of ["nonsense", certificatePem]) {
    const body = { certificateSigningRequest: csr };
    const refusal = ask(desk, 1, CREATE_FROM_CSR, body, "rejected");
    assert.equal(refusal.errorCode, "InvalidCertificateSigningRequest");
  }
});

test("ownership token serves once", () => {
  const desk = new CloudDesk();
  claimed(desk);
  const { certificateOwnershipToken: token } = provisioned(desk, "one");
  const refusal = ask(desk, 1, REGISTER, registration(token, "one"), "rejected");
  assert.equal(refusal.errorCode, "InvalidCertificateOwnershipToken");
  assert.match(refusal.errorMessage, /already been used/);
});

test("ownership token expires after an hour, and its certificate with it", () => {
  const desk = new CloudDesk();
  claimed(desk);
  const created = ask(desk, 1, CREATE, "");
  desk.cloud.packet(1, { cmd: "disconnect" });
  assert.equal(desk.cloud.nextMs, desk.now + LIMITS.ownershipTokenLifeMs);
  desk.advance(LIMITS.ownershipTokenLifeMs - 1);
  assert.ok(desk.cloud.registry.certificates.has(created.certificateId));
  desk.advance(1);
  assert.ok(!desk.cloud.registry.certificates.has(created.certificateId));
  assert.equal(desk.cloud.nextMs, Number.POSITIVE_INFINITY);
  assert.equal(desk.rules.at(-1)?.rule, "certificate-expired-unused");
  claimed(desk, 1);
  const request = registration(created.certificateOwnershipToken, "late");
  const refusal = ask(desk, 1, REGISTER, request, "rejected");
  assert.match(refusal.errorMessage, /not valid or has expired/);
});

test("hook may refuse a device and change its parameters", () => {
  const desk = new CloudDesk({
    hook: ({ parameters }) => ({
      allowProvisioning: parameters["SerialNumber"] !== "bad",
      parameterOverrides: { SerialNumber: `fine-${parameters["SerialNumber"]}` },
    }),
  });
  claimed(desk);
  const { certificateOwnershipToken: token } = ask(desk, 1, CREATE, "");
  const refusal = ask(desk, 1, REGISTER, registration(token, "bad"), "rejected");
  assert.equal(refusal.statusCode, 403);
  assert.equal(ask(desk, 1, REGISTER, registration(token, "one")).thingName, "fine-one");
});

// --- Shadows ---

test("shadow update is accepted, and its delta and documents are told", () => {
  const desk = new CloudDesk();
  desk.thing(1, "lamp");
  const shadow = "$aws/things/lamp/shadow";
  desk.publish(1, `${shadow}/update`, { state: { reported: { on: false } } });
  const told = ["accepted", "documents"].map((end) => `${shadow}/update/${end}`);
  assert.deepEqual(topics(desk.takeMessages(1)), told);
  const accepted = desk.cloud.shadowUpdate("lamp", null, { state: { desired: { on: true } } });
  assert.equal(accepted.version, 2);
  const delta = desk.takeMessages(1).find(({ topic }) => topic === `${shadow}/update/delta`);
  assert.deepEqual(delta?.body.state, { on: true });
  assert.deepEqual(ask(desk, 1, `${shadow}/get`, "").state.desired, { on: true });
  assert.deepEqual(desk.cloud.shadowGet("lamp", null).state.reported, { on: false });
  const refusal = ask(desk, 1, `${shadow}/name/none/get`, "", "rejected");
  assert.equal(refusal.code, 404);
  assert.ok(desk.log.some((line) => line.startsWith('refused {"service":"shadow"')));
});

// --- Jobs and files ---

const OBJECT = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
const PLACEHOLDER =
  "$" + "{aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/files/image}";

test("job is notified, started and ended, and its time-out comes in time", () => {
  const desk = new CloudDesk();
  desk.thing(1, "lamp");
  const jobs = "$aws/things/lamp/jobs";
  const document = { action: "blink" };
  desk.cloud.jobs.create({ jobId: "first", document, things: ["lamp"] });
  assert.deepEqual(topics(desk.takeMessages(1)), [`${jobs}/notify`, `${jobs}/notify-next`]);
  desk.publish(1, `${jobs}/start-next`, { clientToken: "a" });
  const [answer, notified, ...others] = desk.takeMessages(1);
  assert.equal(answer?.topic, `${jobs}/start-next/accepted`);
  assert.equal(answer.body.execution.status, "IN_PROGRESS");
  assert.deepEqual(answer.body.execution.jobDocument, document);
  assert.equal(notified?.topic, `${jobs}/notify`);
  assert.deepEqual(others, []);
  desk.publish(1, `${jobs}/first/update`, { status: "SUCCEEDED" });
  assert.deepEqual(topics(desk.takeMessages(1)), [
    `${jobs}/first/update/accepted`,
    `${jobs}/notify`,
    `${jobs}/notify-next`,
  ]);
  assert.equal(desk.cloud.jobs.describe("first").status, "COMPLETED");

  const timeoutConfig = { inProgressTimeoutInMinutes: 5 };
  desk.cloud.jobs.create({ jobId: "second", document, things: ["lamp"], timeoutConfig });
  desk.publish(1, `${jobs}/start-next`, {});
  desk.cloud.lost(1);
  desk.advance(5 * MINUTE_MS - 1);
  assert.equal(desk.cloud.jobs.executions("second")[0]?.status, "IN_PROGRESS");
  desk.advance(MINUTE_MS);
  assert.equal(desk.cloud.jobs.executions("second")[0]?.status, "TIMED_OUT");
});

test("presigned URL gives the object, a part of it, and nothing when it has expired", () => {
  const desk = new CloudDesk();
  desk.thing(1, "lamp");
  desk.cloud.files.put("files", "image", OBJECT);
  const document = `{"url":"${PLACEHOLDER}"}`;
  const presignedUrlConfig = { expiresInSec: 60 };
  desk.cloud.jobs.create({ jobId: "first", document, things: ["lamp"], presignedUrlConfig });
  desk.take(1);
  desk.publish(1, "$aws/things/lamp/jobs/start-next", {});
  const { url } = desk.takeMessages(1)[0]!.body.execution.jobDocument;
  const { files } = desk.cloud;
  assert.deepEqual(files.get(url, 0), {
    ...{ status: 200, code: null, body: OBJECT, at: 0, size: 1000 },
  });
  const part = files.get(url, 990);
  assert.deepEqual([part.status, part.at, part.size], [206, 990, 1000]);
  assert.deepEqual(part.body, OBJECT.subarray(990));
  assert.deepEqual(files.get(url, 1000), { status: 416, code: "InvalidRange", at: 0, size: 1000 });
  assert.equal(
    files.get(url.replace("files/image", "files/other"), 0).code,
    "SignatureDoesNotMatch",
  );
  const missing = files.presign({ bucket: "files", key: "other" }, 60);
  assert.equal(files.get(missing, 0).code, "NoSuchKey");
  assert.equal(files.get(files.presign({ bucket: "empty", key: "a" }, 60), 0).code, "NoSuchBucket");
  assert.equal(files.get("https://elsewhere.test", 0).status, 400);
  desk.advance(59_999);
  assert.equal(files.get(url, 0).status, 200);
  desk.advance(1);
  const expired = files.get(url, 0);
  assert.deepEqual([expired.status, expired.code], [403, "AccessDenied"]);
});

// --- Rules ---

test("second connection with a client id ends the first", () => {
  const desk = new CloudDesk();
  desk.thing(1, "lamp");
  desk.advance(1000);
  desk.thing(2, "lamp");
  assert.deepEqual(desk.closings, [{ connection: 1, reason: "DUPLICATE_CLIENTID" }]);
  desk.cloud.packet(1, { cmd: "pingreq" });
  assert.deepEqual(desk.take(1), []);
  desk.cloud.packet(2, { cmd: "pingreq" });
  assert.deepEqual(desk.take(2), [{ cmd: "pingresp" }]);
});

test("forbidden publish ends the connection", () => {
  const desk = new CloudDesk();
  desk.thing(1, "lamp");
  desk.publish(1, "dt/fine", "x");
  assert.deepEqual(kinds(desk.take(1)), ["puback"]);
  desk.publish(1, "secret", "x");
  assert.deepEqual(desk.closings, [{ connection: 1, reason: "AUTH_ERROR" }]);
  assert.equal(desk.rules.at(-1)?.rule, "publish-forbidden");
  assert.deepEqual(desk.take(1), []);
});

test("decision that a policy has made is made again when the registry changes", () => {
  const desk = new CloudDesk();
  desk.thing(1, "lamp");
  desk.publish(1, "dt/fine", "x");
  desk.publish(1, "dt/fine", "x");
  const { document } = desk.cloud.registry.policies.get(DEVICE_POLICY_NAME)!;
  const denial = { Effect: "Deny", Action: "iot:Publish", Resource: "*/dt/fine" } as const;
  const statements = document.Statement as readonly PolicyStatement[];
  const narrowed = { ...document, Statement: [...statements, denial] };
  const copy = desk.copy();
  desk.cloud.putPolicy(DEVICE_POLICY_NAME, narrowed);
  desk.publish(1, "dt/fine", "x");
  assert.deepEqual(desk.closings, [{ connection: 1, reason: "AUTH_ERROR" }]);
  // The copy has the policy of before, and shares no decision that came later.
  copy.publish(1, "dt/fine", "x");
  assert.deepEqual(copy.closings, []);
});

test("silence of one and a half keep-alives ends the connection", () => {
  const desk = new CloudDesk();
  desk.thing(1, "lamp");
  assert.equal(desk.cloud.nextMs, desk.now + 90_000);
  desk.advance(89_999);
  desk.cloud.packet(1, { cmd: "pingreq" });
  desk.advance(89_999);
  assert.deepEqual(desk.closings, []);
  desk.advance(1);
  assert.deepEqual(desk.closings, [{ connection: 1, reason: "MQTT_KEEP_ALIVE_TIMEOUT" }]);
  // It is forgotten, so that nobody takes over from it.
  desk.thing(2, "lamp");
  assert.equal(desk.rules.at(-1)?.rule, "keep-alive-timeout");
});

test("restart ends every connection and keeps the state", () => {
  const desk = new CloudDesk();
  desk.cloud.putPolicy(DEVICE_POLICY_NAME, ALLOW_ALL);
  desk.thing(1, "lamp");
  desk.thing(2, "fan");
  for (const connection of [1, 2]) desk.subscribe(connection, ["$aws/events/presence/#"]);
  desk.cloud.shadowUpdate("lamp", null, { state: { desired: { on: true } } });
  for (const connection of [1, 2]) desk.take(connection);
  desk.cloud.restart();
  // None is there any more to hear of the others.
  for (const connection of [1, 2]) assert.deepEqual(desk.take(connection), []);
  const reason = "SERVER_INITIATED_DISCONNECT";
  assert.deepEqual(desk.closings, [
    { connection: 1, reason },
    { connection: 2, reason },
  ]);
  assert.equal(desk.cloud.shadowGet("lamp", null).version, 1);
  desk.advance(1000);
  desk.thing(3, "lamp");
  desk.cloud.packet(3, { cmd: "pingreq" });
  assert.deepEqual(kinds(desk.take(3)), ["pingresp"]);
});

test("certificate that is no longer active loses its connections, and theirs alone", () => {
  const desk = new CloudDesk();
  desk.thing(1, "lamp");
  desk.thing(2, "fan");
  const [certificateId] = desk.cloud.registry.things.get("lamp")!.principals;
  desk.cloud.setCertificateStatus(certificateId!, "INACTIVE");
  assert.deepEqual(desk.closings, [{ connection: 1, reason: "AUTH_ERROR" }]);
  assert.equal(desk.rules.at(-1)?.rule, "certificate-deactivated");
});

test("certificate that is unknown, of another cloud or not active opens nothing", () => {
  const desk = new CloudDesk();
  const stranger = new CloudDesk({ seed: 2 }).cloud.claim;
  assert.ok(!desk.cloud.open(1, stranger.certificatePem, stranger.privateKeyPem));
  assert.ok(!desk.cloud.open(1, "nonsense", stranger.privateKeyPem));
  assert.ok(desk.rules.every(({ rule }) => rule === "certificate-unknown"));
  claimed(desk);
  const created = ask(desk, 1, CREATE, "");
  assert.ok(!desk.cloud.open(2, created.certificatePem, created.privateKey));
  assert.equal(desk.rules.at(-1)?.rule, "certificate-not-active");
});

test("answer without a subscription is withheld", () => {
  const desk = new CloudDesk();
  const { certificatePem, privateKeyPem } = desk.cloud.claim;
  desk.cloud.open(1, certificatePem, privateKeyPem);
  desk.connect(1, "claim");
  desk.take(1);
  desk.publish(1, CREATE, "");
  assert.deepEqual(kinds(desk.take(1)), ["puback"]);
  assert.equal(desk.rules.at(-1)?.rule, "response-not-subscribed");
});

// --- Routing ---

test("message reaches each subscriber once, with the better QoS of its filters", () => {
  const desk = new CloudDesk();
  desk.thing(1, "lamp");
  desk.thing(2, "fan");
  desk.subscribe(2, ["dt/+"], 0);
  desk.subscribe(2, ["dt/#"], 1);
  desk.take(2);
  desk.publish(1, "dt/a", "hello");
  const [message, ...others] = desk.take(2);
  assert.ok(message?.cmd === "publish" && message.qos === 1);
  assert.equal(message.payload.toString(), "hello");
  assert.deepEqual(others, []);
  desk.cloud.packet(2, { cmd: "unsubscribe", messageId: 9, unsubscriptions: ["dt/+", "dt/#"] });
  desk.publish(1, "dt/a", "again");
  assert.deepEqual(kinds(desk.take(2)), ["unsuback"]);
});

test("window of unacknowledged messages delays the rest and keeps their order", () => {
  const desk = new CloudDesk({ limits: { outboundUnacknowledgedMax: 2 } });
  desk.thing(1, "lamp");
  desk.subscribe(1, ["cmd/#"]);
  desk.take(1);
  for (const text of ["a", "b", "c", "d"]) desk.cloud.publish("cmd/x", text, 1);
  assert.equal(desk.rules.filter(({ rule }) => rule === "outbound-unacknowledged").length, 1);
  const texts: string[] = [];
  for (;;) {
    const packets = desk.take(1);
    if (packets.length === 0) break;
    assert.ok(packets.length <= 2);
    for (const packet of packets) {
      if (packet.cmd !== "publish") continue;
      texts.push(packet.payload.toString());
      desk.cloud.packet(1, { cmd: "puback", messageId: 4000 });
      desk.cloud.packet(1, { cmd: "puback", messageId: packet.messageId! });
    }
  }
  assert.deepEqual(texts, ["a", "b", "c", "d"]);
});

test("retained message and will are given to those who subscribe, until they are deleted", () => {
  const desk = new CloudDesk();
  const { certificatePem, privateKeyPem } = desk.cloud.issueThing("lamp");
  desk.cloud.open(1, certificatePem, privateKeyPem);
  const will = { topic: "dt/lamp", payload: Buffer.from("gone"), qos: 1, retain: true };
  desk.connect(1, "lamp", { will });
  desk.cloud.lost(1);
  assert.deepEqual(desk.closings, []);
  desk.thing(2, "fan");
  desk.subscribe(2, ["dt/#"]);
  const message = desk.take(2).find((packet) => packet.cmd === "publish");
  assert.ok(message?.retain);
  assert.equal(message.payload.toString(), "gone");
  desk.publish(2, "dt/lamp", "", { retain: true });
  desk.take(2);
  desk.subscribe(2, ["dt/#"]);
  assert.deepEqual(kinds(desk.take(2)), ["suback"]);
});

test("will of a client that says goodbye is not sent", () => {
  const desk = new CloudDesk();
  desk.thing(2, "fan");
  desk.subscribe(2, ["dt/#"]);
  desk.take(2);
  const { certificatePem, privateKeyPem } = desk.cloud.issueThing("lamp");
  desk.cloud.open(1, certificatePem, privateKeyPem);
  const will = { topic: "dt/lamp", payload: Buffer.from("gone"), qos: 1, retain: false };
  desk.connect(1, "lamp", { will });
  desk.cloud.packet(1, { cmd: "disconnect" });
  assert.deepEqual(desk.take(2), []);
  assert.deepEqual(desk.closings, []);
});

test("session that is not clean is an error", () => {
  const desk = new CloudDesk();
  const { certificatePem, privateKeyPem } = desk.cloud.issueThing("lamp");
  desk.cloud.open(1, certificatePem, privateKeyPem);
  assert.throws(() => desk.connect(1, "lamp", { clean: false }), /clean sessions only/);
});

// --- Repetition ---

/** So few CONNECT a second that one cloud's would be missed by another. */
const limits = { connectsPerSecondMax: 2, createKeysPerSecondMax: 2 };

/** A bit of everything that changes state or uses randomness, at connections of its own. */
function work(desk: CloudDesk, round: number): void {
  const [lamp, claim] = [100 + round, 200 + round];
  desk.thing(lamp, `lamp-${round}`);
  desk.subscribe(lamp, ["cmd/#", "$aws/events/presence/#"]);
  const { certificatePem, privateKeyPem } = desk.cloud.claim;
  desk.cloud.open(claim, certificatePem, privateKeyPem);
  desk.connect(claim, `claim-${round}`);
  desk.subscribe(claim, [`${CREATE}/accepted`]);
  desk.publish(claim, CREATE, "");
  const timeoutConfig = { inProgressTimeoutInMinutes: 60 };
  const document = `{"url":"${PLACEHOLDER}"}`;
  desk.cloud.jobs.create({ document, things: [`lamp-${round}`], timeoutConfig });
  desk.publish(lamp, `$aws/things/lamp-${round}/jobs/start-next`, {});
  desk.publish(lamp, `$aws/things/lamp-${round}/shadow/update`, { state: { reported: { round } } });
  desk.cloud.publish("cmd/all", `round ${round}`, 1);
  desk.publish(lamp, `dt/${round}`, "kept", { retain: true });
  desk.advance(20_000);
}

function busyDesk(seed = 1): CloudDesk {
  const desk = new CloudDesk({ seed, limits });
  desk.cloud.putPolicy(DEVICE_POLICY_NAME, ALLOW_ALL);
  for (const round of [1, 2]) work(desk, round);
  desk.cloud.lost(102);
  desk.thing(102, "lamp-2");
  return desk;
}

/** Goes on after `busyDesk`, in need of all that a copy must have; answers what came out. */
function continued(desk: CloudDesk): readonly string[] {
  const from = desk.log.length;
  desk.takeMessages(101);
  desk.publish(101, "dt/old", "at once");
  work(desk, 3);
  desk.publish(101, "dt/new", "heard by nobody");
  desk.publish(102, "$aws/things/lamp-2/jobs/$next/get", {});
  desk.publish(101, "$aws/things/lamp-1/shadow/get", "");
  desk.subscribe(101, ["dt/#"]);
  const url = desk.cloud.files.presign({ bucket: "files", key: "image" }, 60);
  desk.log.push(JSON.stringify(desk.cloud.files.get(url, 0)));
  desk.cloud.lost(102);
  desk.thing(303, "lamp-2");
  desk.cloud.publish("cmd/all", "to all", 1);
  desk.advance(2 * HOUR_MS);
  return desk.log.slice(from);
}

/** Changes everything that can be changed. */
function spoil(desk: CloudDesk): void {
  const { cloud } = desk;
  cloud.shadowUpdate("lamp-1", null, { state: { desired: { spoiled: true } } });
  for (const { jobId } of cloud.jobs.list()) cloud.jobs.delete(jobId, FORCED);
  cloud.files.put("files", "image", OBJECT);
  desk.subscribe(101, ["dt/#"]);
  for (let i = 0; i < 2; i++) desk.publish(202, CREATE, "");
  for (let i = 0; i < 120; i++) desk.publish(101, "dt/1", "spoiled", { retain: true });
  desk.takeMessages(101);
  for (const connection of [301, 302]) desk.thing(connection, `spoiled-${connection}`);
  cloud.restart();
  desk.advance(3 * HOUR_MS);
}

test("same seed gives the same outputs, another seed others", () => {
  const [first, second, other] = [1, 1, 2].map((seed) => busyDesk(seed).log);
  assert.ok(first!.length > 40, `${first!.length} lines`);
  assert.deepEqual(first, second);
  assert.notDeepEqual(first, other);
});

test("copy goes on as its original would have, whatever another copy does", () => {
  const reference = busyDesk();
  const expected = continued(reference);
  assert.ok(expected.length > 40, `${expected.length} lines`);
  const original = busyDesk();
  const copies = [original.copy(), original.copy()];
  spoil(original.copy());
  for (const desk of [copies[0]!, original]) {
    assert.equal(desk.cloud.nextMs, copies[1]!.cloud.nextMs);
    const { nextMs } = desk.cloud.jobs;
    assert.ok(nextMs > desk.now && nextMs < desk.now + 2 * HOUR_MS);
    assert.deepEqual(continued(desk), expected);
    assert.deepEqual(desk.cloud.registry, reference.cloud.registry);
  }
  // A copy of a copy, made before the others went on.
  assert.deepEqual(continued(copies[1]!.copy()), expected);
});

test("update comes with the same good signature each time", () => {
  const module = sampleModule(ABI_VERSION);
  const [first, second] = [1, 2].map(() => {
    const desk = new CloudDesk();
    desk.thing(1, "lamp");
    const { privateKey: privateKeyPem } = identities.update;
    const update = desk.cloud.createUpdate({ module, privateKeyPem, things: ["lamp"] });
    assert.ok(update.isSigned);
    desk.publish(1, "$aws/things/lamp/jobs/start-next", {});
    const answer = desk.takeMessages(1).find(({ topic }) => topic.endsWith("next/accepted"));
    return { desk, document: answer?.body.execution.jobDocument };
  });
  assert.deepEqual(first!.desk.log, second!.desk.log);
  const { url, signature } = first!.document;
  assert.deepEqual(first!.desk.cloud.files.get(url, 0).body, module);
  verifyImage(module, parseSignature(signature), identities.update.publicKey);
});
