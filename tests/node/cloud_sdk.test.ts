// The judge of fleet provisioning: the official AWS IoT Device SDK's identity client against the local
// cloud, over mutual TLS. Both claim variants, the reconnect with the new certificate, and AWS's error
// shape for each refusal.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { io, iot, iotidentity, mqtt } from "aws-iot-device-sdk-v2";
import {
  cleanUp,
  onCleanUp,
  startCloud,
  type TestCloud,
  temporaryDirectory,
} from "./cloud_support.js";
import { skipWithout } from "./support/system_tool.js";

let running: TestCloud;

before(async () => {
  running = await startCloud();
});
after(cleanUp);

async function connectSdk(
  certificate: string,
  privateKey: string,
  clientId: string,
): Promise<mqtt.MqttClientConnection> {
  const { cloud } = running;
  const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(certificate, privateKey)
    .with_certificate_authority(readFileSync(cloud.paths.ca, "utf8"))
    .with_endpoint(cloud.endpoint)
    .with_port(cloud.port)
    .with_client_id(clientId)
    .with_clean_session(true)
    .build();
  const connection = new mqtt.MqttClient(new io.ClientBootstrap()).new_connection(config);
  onCleanUp(() => connection.disconnect().catch(() => {}));
  await connection.connect();
  return connection;
}

/** A connection with the claim certificate, and the SDK's identity client on it. */
async function identityClient() {
  const { cloud } = running;
  const connection = await connectSdk(
    readFileSync(cloud.paths.claimCertificate, "utf8"),
    readFileSync(cloud.paths.claimKey, "utf8"),
    `claim-${randomUUID()}`,
  );
  const client = iotidentity.IotIdentityClientv2.newFromMqtt311(connection, {
    maxRequestResponseSubscriptions: 4,
    maxStreamingSubscriptions: 2,
    operationTimeoutInSeconds: 20,
  });
  onCleanUp(() => client.close());
  return { client, connection };
}

/** What the SDK makes of a `/rejected` answer. */
async function refusalOf(request: Promise<unknown>): Promise<iotidentity.model.V2ErrorResponse> {
  const error = await request.then(
    () => assert.fail("the request was accepted"),
    (reason: unknown) => reason,
  );
  const modeled = (error as { modeledError?: iotidentity.model.V2ErrorResponse }).modeledError;
  assert.ok(modeled !== undefined, `no modeled error in: ${String(error)}`);
  return modeled;
}

async function talkAs(certificate: string, key: string, thingName: string): Promise<void> {
  const connection = await connectSdk(certificate, key, thingName);
  const heard = new Promise<string>((resolve) => {
    running.cloud.subscribe(`dt/${thingName}`, (_topic, payload) => resolve(payload.toString()));
  });
  await connection.publish(`dt/${thingName}`, "hello", mqtt.QoS.AtLeastOnce);
  assert.equal(await heard, "hello");
  await connection.disconnect();
}

test("sdk identity client provisions with keys made by the cloud and reconnects as the thing", async () => {
  const { client, connection } = await identityClient();
  const created = await client.createKeysAndCertificate({});
  assert.match(created.certificateId!, /^[0-9a-f]{64}$/);
  assert.match(created.privateKey!, /^-----BEGIN RSA PRIVATE KEY-----\n/);
  const thingName = "sdk-keys";
  const registered = await client.registerThing({
    templateName: running.cloud.templateName,
    certificateOwnershipToken: created.certificateOwnershipToken!,
    parameters: { SerialNumber: thingName },
  });
  assert.equal(registered.thingName, thingName);
  assert.deepEqual(registered.deviceConfiguration, {});
  await connection.disconnect();
  await talkAs(created.certificatePem!, created.privateKey!, thingName);
});

const skip = skipWithout("openssl");

test("sdk identity client provisions with a signing request and reconnects as the thing", {
  skip,
}, async () => {
  const directory = temporaryDirectory();
  const keyFile = join(directory, "device.key");
  const csrFile = join(directory, "device.csr");
  // OpenSSL, not our own library, makes the request: the cloud must read what others write.
  const subject = ["-nodes", "-subj", "/CN=sdk-csr", "-keyout", keyFile, "-out", csrFile];
  execFileSync("openssl", ["req", "-new", "-newkey", "rsa:2048", ...subject], { stdio: "pipe" });
  const { client, connection } = await identityClient();
  const created = await client.createCertificateFromCsr({
    certificateSigningRequest: readFileSync(csrFile, "utf8"),
  });
  const thingName = "sdk-csr";
  const registered = await client.registerThing({
    templateName: running.cloud.templateName,
    certificateOwnershipToken: created.certificateOwnershipToken!,
    parameters: { SerialNumber: thingName },
  });
  assert.equal(registered.thingName, thingName);
  await connection.disconnect();
  await talkAs(created.certificatePem!, readFileSync(keyFile, "utf8"), thingName);
});

test("sdk identity client is refused in AWS's shape for wrong template, used and unknown token", async () => {
  const { client } = await identityClient();
  const created = await client.createKeysAndCertificate({});
  const request = {
    templateName: running.cloud.templateName,
    certificateOwnershipToken: created.certificateOwnershipToken!,
    parameters: { SerialNumber: "sdk-refused" },
  };
  const wrongTemplate = await refusalOf(
    client.registerThing({ ...request, templateName: "no-such-template" }),
  );
  assert.equal(wrongTemplate.statusCode, 404);
  assert.equal(wrongTemplate.errorCode, "ResourceNotFoundException");
  assert.match(wrongTemplate.errorMessage!, /no-such-template/);
  // The refusal cost nothing: the same token still serves.
  assert.equal((await client.registerThing(request)).thingName, "sdk-refused");
  const used = await refusalOf(client.registerThing(request));
  assert.equal(used.statusCode, 400);
  assert.equal(used.errorCode, "InvalidCertificateOwnershipToken");
  const unknown = await refusalOf(
    client.registerThing({ ...request, certificateOwnershipToken: "unknown" }),
  );
  assert.equal(unknown.statusCode, 400);
  assert.equal(unknown.errorCode, "InvalidCertificateOwnershipToken");
  assert.equal(typeof unknown.errorMessage, "string");
});
