// Fleet provisioning beyond what the official SDK's client exercises: every refusal with its payload,
// token expiry by the injected clock, templates with functions and override settings, the hook, and
// who may hear the answers.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { IPublishPacket } from "mqtt-packet";
import { DEFAULT_TEMPLATE } from "../../host-node/src/cloud/defaults.js";
import { LIMITS, type LocalCloud, type ProvisioningHook } from "../../host-node/src/cloud/index.js";
import { cleanUp, RawClient, startCloud, type TestCloud } from "./cloud_support.js";

let running: TestCloud;
let claim: RawClient;

const CREATE = "$aws/certificates/create/json";
const CSR = "$aws/certificates/create-from-csr/json";

before(async () => {
  running = await startCloud();
  claim = await claimClient(running.cloud, "claim");
});
after(cleanUp);

async function claimClient(cloud: LocalCloud, clientId: string): Promise<RawClient> {
  const client = await RawClient.open(cloud, claimKeys(cloud), clientId);
  client.subscribe(["$aws/certificates/create/+/+", "$aws/certificates/create-from-csr/+/+"]);
  client.subscribe(["$aws/provisioning-templates/+/provision/+/+"], 1, 2);
  await client.next("suback");
  await client.next("suback");
  return client;
}

function claimKeys(cloud: LocalCloud) {
  return {
    certificatePem: readFileSync(cloud.paths.claimCertificate, "utf8"),
    privateKeyPem: readFileSync(cloud.paths.claimKey, "utf8"),
  };
}

type Answer = Record<string, string> & { statusCode?: number };

/** Publishes a request and reads its answer, which must come on the expected topic. */
async function ask(
  client: RawClient,
  topic: string,
  body: object | string,
  outcome: "accepted" | "rejected",
): Promise<Answer> {
  client.publish(topic, typeof body === "string" ? body : JSON.stringify(body));
  const packet = (await client.next("publish")) as IPublishPacket;
  if (packet.qos === 1) client.send({ cmd: "puback", messageId: packet.messageId! });
  assert.equal(packet.topic, `${topic}/${outcome}`, String(packet.payload));
  return JSON.parse(String(packet.payload)) as Answer;
}

const provision = (template = "iot32") => `$aws/provisioning-templates/${template}/provision/json`;

async function refusedToken(token: string | undefined, message: RegExp): Promise<void> {
  const body = { certificateOwnershipToken: token, parameters: { SerialNumber: "x" } };
  const refusal = await ask(claim, provision(), body, "rejected");
  assert.equal(refusal.statusCode, 400);
  assert.equal(refusal.errorCode, "InvalidCertificateOwnershipToken");
  assert.match(refusal.errorMessage!, message);
}

test("created keys and certificate fit together and are of AWS's kind and size", async () => {
  const answer = await ask(claim, CREATE, "", "accepted");
  const certificate = new X509Certificate(answer.certificatePem!);
  assert.ok(
    certificate.verify(new X509Certificate(readFileSync(running.cloud.paths.ca)).publicKey),
  );
  assert.equal(certificate.fingerprint256.replaceAll(":", "").toLowerCase(), answer.certificateId);
  assert.equal(certificate.subject, "CN=AWS IoT Certificate");
  const bytes = JSON.stringify(answer).length;
  assert.ok(bytes > 3200 && bytes < 4500, `${bytes} bytes`);
  const record = running.cloud.certificates().find(({ id }) => id === answer.certificateId);
  assert.equal(record?.status, "PENDING_ACTIVATION");
});

test("register thing makes thing, active certificate and policy in one step", async () => {
  running.clock.advance(1000);
  const created = await ask(claim, CREATE, {}, "accepted");
  const provisioned = new Promise((resolve) => running.cloud.once("provisioned", resolve));
  const body = {
    certificateOwnershipToken: created.certificateOwnershipToken,
    parameters: { SerialNumber: "one" },
  };
  const answer = await ask(claim, provision(), body, "accepted");
  assert.deepEqual(answer, { deviceConfiguration: {}, thingName: "one" });
  assert.deepEqual(await provisioned, {
    thingName: "one",
    certificateId: created.certificateId,
    templateName: "iot32",
    clientId: "claim",
  });
  const certificate = running.cloud.certificates().find(({ id }) => id === created.certificateId);
  assert.equal(certificate?.status, "ACTIVE");
  assert.deepEqual(certificate?.policies, ["iot32-device"]);
  const thing = running.cloud.things().find(({ name }) => name === "one");
  assert.deepEqual(thing?.principals, [created.certificateId]);
  assert.deepEqual(thing?.attributes, { serialNumber: "one" });
  await refusedToken(created.certificateOwnershipToken, /already been used/);
});

test("same serial number again attaches the second certificate to the same thing", async () => {
  running.clock.advance(1000);
  const ids: string[] = [];
  for (let i = 0; i < 2; i++) {
    const created = await ask(claim, CREATE, {}, "accepted");
    ids.push(created.certificateId!);
    const { certificateOwnershipToken } = created;
    const body = { certificateOwnershipToken, parameters: { SerialNumber: "twice" } };
    await ask(claim, provision(), body, "accepted");
  }
  const thing = running.cloud.things().find(({ name }) => name === "twice");
  assert.deepEqual(thing?.principals, ids);
});

test("token that is empty, unknown or expired is refused, and its certificate is deleted", async () => {
  running.clock.advance(1000);
  await refusedToken(undefined, /cannot be empty/);
  await refusedToken("no such token", /not valid/);
  const created = await ask(claim, CREATE, {}, "accepted");
  const known = () => running.cloud.certificates().some(({ id }) => id === created.certificateId);
  running.clock.advance(LIMITS.ownershipTokenLifeMs - 1);
  assert.equal(known(), true);
  claim = await claimClient(running.cloud, "claim-late");
  running.clock.advance(1);
  await refusedToken(created.certificateOwnershipToken, /expired/);
  assert.equal(known(), false);
  await running.broken("certificate-expired-unused");
});

test("request that is not JSON, misses a parameter or names no thing is refused and keeps its token", async () => {
  running.clock.advance(1000);
  const { certificateOwnershipToken } = await ask(claim, CREATE, {}, "accepted");
  const refuse = async (topic: string, body: object | string, code: string, message: RegExp) => {
    const refusal = await ask(claim, topic, body, "rejected");
    assert.equal(refusal.errorCode, code);
    assert.match(refusal.errorMessage!, message);
    assert.deepEqual(Object.keys(refusal), ["statusCode", "errorCode", "errorMessage"]);
  };
  const own = { certificateOwnershipToken };
  const named = (SerialNumber: unknown) => ({ ...own, parameters: { SerialNumber } });
  await refuse(provision(), "{not json", "InvalidJson", /JSON/);
  await refuse(provision(), own, "InvalidParameter", /SerialNumber is missing/);
  await refuse(provision(), named("a b"), "InvalidParameter", /not a thing's name/);
  await refuse(provision(), named(7), "InvalidParameter", /text to text/);
  await refuse(provision("none"), named("x"), "ResourceNotFoundException", /none does not exist/);
  await refuse(CSR, {}, "InvalidCertificateSigningRequest", /empty/);
  const csr = { certificateSigningRequest: "rubbish" };
  await refuse(CSR, csr, "InvalidCertificateSigningRequest", /cannot be read/);
  await ask(claim, provision(), named("kept-its-token"), "accepted");
});

test("cbor request is refused in CBOR that says what to use instead", async () => {
  running.clock.advance(1000);
  const topic = "$aws/certificates/create/cbor";
  claim.publish(topic, Buffer.from([0xa0]));
  const packet = (await claim.next("publish")) as IPublishPacket;
  assert.equal(packet.topic, `${topic}/rejected`);
  const bytes = packet.payload as Buffer;
  assert.equal(bytes[0], 0xa3);
  assert.ok(bytes.includes(Buffer.concat([Buffer.from([0x6a]), Buffer.from("statusCode")])));
  assert.ok(bytes.includes(Buffer.from([0x19, 415 >> 8, 415 & 0xff])));
  assert.ok(bytes.includes(Buffer.from("use the /json topics")));
});

test("answer reaches the asking connection alone, and only when it subscribed first", async () => {
  const { cloud, broken } = await startCloud();
  const listener = await claimClient(cloud, "listener");
  const deaf = await RawClient.open(cloud, claimKeys(cloud), "deaf");
  deaf.publish(CREATE, "{}", { qos: 1, messageId: 1 });
  await deaf.next("puback");
  assert.equal((await broken("response-not-subscribed", "deaf")).action, "withheld");
  const asker = await claimClient(cloud, "asker");
  await ask(asker, CREATE, {}, "accepted");
  await listener.settled();
  assert.deepEqual(listener.received, []);
  await deaf.settled();
  assert.deepEqual(deaf.received, []);
});

test("claim certificate may provision and nothing else", async () => {
  const { cloud, broken } = await startCloud();
  const client = await RawClient.open(cloud, claimKeys(cloud), "greedy");
  client.publish("dt/anything", "x");
  await client.closed;
  await broken("publish-forbidden", "greedy");
});

test("rate of requests above the account's limit is refused as throttling", async () => {
  const { cloud } = await startCloud({ limits: { createKeysPerSecondMax: 1 } });
  const client = await claimClient(cloud, "fast");
  await ask(client, CREATE, {}, "accepted");
  const refusal = await ask(client, CREATE, {}, "rejected");
  assert.equal(refusal.statusCode, 429);
});

test("hook refuses with 403 ACCESS_DENIED and changes nothing, or overrides parameters", async () => {
  const asked: string[] = [];
  const hook: ProvisioningHook = ({ parameters }) => {
    asked.push(parameters.SerialNumber!);
    return parameters.SerialNumber === "thief"
      ? { allowProvisioning: false }
      : { allowProvisioning: true, parameterOverrides: { SerialNumber: "renamed" } };
  };
  const { cloud } = await startCloud({ hook });
  const client = await claimClient(cloud, "hooked");
  const { certificateOwnershipToken } = await ask(client, CREATE, {}, "accepted");
  const named = (SerialNumber: string) => ({
    certificateOwnershipToken,
    parameters: { SerialNumber },
  });
  const refusal = await ask(client, provision(), named("thief"), "rejected");
  assert.deepEqual([refusal.statusCode, refusal.errorCode], [403, "ACCESS_DENIED"]);
  assert.deepEqual(cloud.things(), []);
  const answer = await ask(client, provision(), named("honest"), "accepted");
  assert.equal(answer.thingName, "renamed");
  assert.deepEqual(asked, ["thief", "honest"]);
});

test("template with functions, defaults, own policy and override settings is followed", async () => {
  const { cloud } = await startCloud();
  const client = await claimClient(cloud, "templated");
  const template = (override: string, where: string) => ({
    Parameters: {
      SerialNumber: { Type: "String" },
      Where: { Type: "String", Default: where },
      "AWS::IoT::Certificate::Id": { Type: "String" },
    },
    Resources: {
      thing: {
        Type: "AWS::IoT::Thing",
        Properties: {
          ThingName: { "Fn::Join": ["-", ["lamp", { Ref: "SerialNumber" }]] },
          AttributePayload: { where: { Ref: "Where" } },
          ThingGroups: ["lamps"],
        },
        OverrideSettings: { AttributePayload: override },
      },
      certificate: {
        Type: "AWS::IoT::Certificate",
        Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "Inactive" },
      },
      policy: {
        Type: "AWS::IoT::Policy",
        Properties: {
          PolicyDocument: {
            Version: "2012-10-17",
            Statement: [{ Effect: "Allow", Action: "iot:Connect", Resource: "*" }],
          },
        },
      },
    },
    DeviceConfiguration: { url: { "Fn::Sub": ["https://$", "{Where}.example"].join("") } },
  });
  const register = async (outcome: "accepted" | "rejected") => {
    const { certificateOwnershipToken } = await ask(client, CREATE, {}, "accepted");
    const body = { certificateOwnershipToken, parameters: { SerialNumber: "7" } };
    return ask(client, provision("lamps"), body, outcome);
  };
  const where = () => cloud.things()[0]!.attributes.where;
  cloud.putTemplate("lamps", template("DO_NOTHING", "hall"));
  assert.deepEqual(await register("accepted"), {
    deviceConfiguration: { url: "https://hall.example" },
    thingName: "lamp-7",
  });
  assert.deepEqual(cloud.things()[0]!.groups, ["lamps"]);
  assert.equal(where(), "hall");
  assert.equal(cloud.certificates().filter(({ status }) => status === "INACTIVE").length, 1);
  cloud.putTemplate("lamps", template("DO_NOTHING", "attic"));
  await register("accepted");
  assert.equal(where(), "hall");
  cloud.putTemplate("lamps", template("MERGE", "attic"));
  await register("accepted");
  assert.equal(where(), "attic");
  cloud.putTemplate("lamps", template("FAIL", "cellar"));
  assert.equal((await register("rejected")).statusCode, 409);
  assert.equal(where(), "attic");
  assert.equal(cloud.things()[0]!.principals.length, 3);
});

test("template with unknown resource, long name or great size is not taken", () => {
  const { cloud } = running;
  const unknown = { Resources: { x: { Type: "AWS::S3::Bucket" } } };
  assert.throws(() => cloud.putTemplate("t", unknown), /AWS::S3::Bucket is unknown/);
  assert.throws(() => cloud.putTemplate("t".repeat(37), DEFAULT_TEMPLATE), /not a template's name/);
  const padded = JSON.stringify(DEFAULT_TEMPLATE) + " ".repeat(LIMITS.templateBodyBytesMax);
  assert.throws(() => cloud.putTemplate("t", padded), /bytes of template/);
});

test("signing request with a weak key or a changed signature is refused, EC keys are taken", async () => {
  const { cloud } = running;
  await import("reflect-metadata");
  const { Pkcs10CertificateRequestGenerator } = await import("@peculiar/x509");
  const { webcrypto } = await import("node:crypto");
  const request = async (algorithm: object, signingAlgorithm: object) => {
    const keys = (await webcrypto.subtle.generateKey(algorithm as never, true, [
      "sign",
      "verify",
    ])) as never;
    const name = "CN=csr";
    return Pkcs10CertificateRequestGenerator.create({
      name,
      keys,
      signingAlgorithm: signingAlgorithm as never,
    });
  };
  const publicExponent = new Uint8Array([1, 0, 1]);
  const hash = "SHA-256";
  const rsa = { name: "RSASSA-PKCS1-v1_5", publicExponent, hash };
  const weak = await request({ ...rsa, modulusLength: 1024 }, rsa);
  await assert.rejects(cloud.issueCertificate({ csr: weak.toString("pem") }), /2048 bits or more/);
  for (const namedCurve of ["P-256", "P-384", "P-521"]) {
    const csr = await request({ name: "ECDSA", namedCurve }, { name: "ECDSA", hash });
    const issued = cloud.issueCertificate({ csr: csr.toString("pem") });
    if (namedCurve === "P-521") await assert.rejects(issued, /P-256 or P-384/);
    else assert.equal(new X509Certificate((await issued).certificatePem).subject, "CN=csr");
    const der = Buffer.from(csr.rawData);
    // Inside the subject's text: still a request, but not the one that was signed.
    der.write("cSr", der.indexOf("csr"));
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
    await assert.rejects(cloud.issueCertificate({ csr: forged }), /signature does not match/);
  }
});
