// The crypto port: what it makes is a key and a request that others can read and verify.

import "reflect-metadata";
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { test } from "node:test";
import * as x509 from "@peculiar/x509";
import { EventKind, INBOX_BYTES, nameOf, Status } from "../../host-node/src/abi.js";
import { CryptoPort } from "../../host-node/src/ports/crypto.js";
import { noRecords, RecordingHost, TestCa, turns } from "./ports_support.js";

async function makeCsr(commonName: string): Promise<{ key: string; request: string }> {
  const host = new RecordingHost();
  assert.equal(new CryptoPort(host, noRecords).csr(Buffer.from(commonName)), Status.OK);
  const { kind, a, b, payload } = await host.next();
  assert.deepEqual([kind, a], [EventKind.CRYPTO_CSR, Status.OK]);
  assert.ok(payload.length <= INBOX_BYTES);
  return { key: payload.toString("utf8", 0, b), request: payload.toString("utf8", b) };
}

test("csr_is_signed_by_the_key_that_comes_with_it", async () => {
  const { key, request } = await makeCsr("thing-1");
  const privateKey = createPrivateKey(key);
  assert.equal(privateKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
  const csr = new x509.Pkcs10CertificateRequest(request);
  assert.equal(await csr.verify(), true);
  assert.equal(csr.subject, "CN=thing-1");
  const ours = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  assert.deepEqual(Buffer.from(csr.publicKey.rawData), ours);
  assert.match(
    request,
    /^-----BEGIN CERTIFICATE REQUEST-----\n[\s\S]*-----END CERTIFICATE REQUEST-----\n$/,
  );
});

test("common_name_with_marks_of_the_name_syntax_stays_one_name", async () => {
  const { request } = await makeCsr('a,O=evil+"x"');
  const csr = new x509.Pkcs10CertificateRequest(request);
  assert.deepEqual(csr.subjectName.toJSON(), [{ CN: ['a,O=evil+"x"'] }]);
});

test("two_requests_have_two_keys", async () => {
  const [first, second] = await Promise.all([makeCsr("a"), makeCsr("a")]);
  assert.notEqual(first.key, second.key);
});

test("request_while_another_is_under_way_is_busy_and_names_out_of_range_are_invalid", async () => {
  const host = new RecordingHost();
  const port = new CryptoPort(host, noRecords);
  assert.equal(port.csr(new Uint8Array()), Status.INVALID_ARGUMENT);
  assert.equal(port.csr(Buffer.alloc(65, 97)), Status.INVALID_ARGUMENT);
  assert.equal(port.csr(Buffer.from("a")), Status.OK);
  assert.equal(port.csr(Buffer.from("a")), Status.BUSY);
  await host.next();
  assert.equal(port.csr(Buffer.from("a")), Status.OK);
  await host.next();
});

test("answer_that_comes_after_power_off_is_dropped", async () => {
  const host = new RecordingHost();
  const port = new CryptoPort(host, noRecords);
  port.csr(Buffer.from("a"));
  port.close();
  const other = new CryptoPort(host, noRecords);
  other.csr(Buffer.from("b"));
  await host.next();
  await turns();
  assert.deepEqual(host.events, []);
});

// ---- pairs -------------------------------------------------------------------------------------

/** Texts one behind the other in the records, and a port that reads them. */
function withRecords(...texts: readonly string[]) {
  const records = Buffer.from(texts.join(""));
  const host = new RecordingHost();
  const port = new CryptoPort(host, (offset, bytes) => {
    if (offset + bytes.length > records.length) return Status.INVALID_ARGUMENT;
    bytes.set(records.subarray(offset, offset + bytes.length));
    return Status.OK;
  });
  return { host, port };
}

async function comparePair(certificate: string, key: string): Promise<string> {
  const { host, port } = withRecords(certificate, key);
  assert.equal(port.pair(0, certificate.length, certificate.length, key.length), Status.OK);
  return nameOf(Status, (await host.expect(EventKind.CRYPTO_PAIRED))[0]);
}

test("certificate_and_its_key_are_a_pair_and_those_of_two_things_are_none", async () => {
  const ca = await TestCa.create("pairs");
  const [one, other] = [await ca.issue("one"), await ca.issue("other")];
  assert.equal(await comparePair(one.certificate, one.key), "OK");
  assert.equal(await comparePair(one.certificate, other.key), "REFUSED");
  const sec1 = createPrivateKey(one.key).export({ type: "sec1", format: "pem" }).toString();
  assert.equal(await comparePair(one.certificate, sec1), "OK");
  const chain = `${one.certificate}\n${other.certificate}`;
  assert.equal(await comparePair(chain, one.key), "OK");
  assert.equal(await comparePair(chain, other.key), "REFUSED");
});

test("what_cannot_be_read_is_credentials_invalid", async () => {
  const { certificate, key } = await (await TestCa.create("pairs")).issue("one");
  const passphrase = { cipher: "aes-256-cbc", passphrase: "secret" };
  const encrypted = createPrivateKey(key).export({ type: "pkcs8", format: "pem", ...passphrase });
  const pairs: [string, string][] = [
    ["", key],
    [certificate, ""],
    [key, certificate],
    [certificate.slice(0, -200), key],
    [certificate, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
    [certificate, encrypted.toString()],
  ];
  for (const pair of pairs) assert.equal(await comparePair(...pair), "CREDENTIALS_INVALID");
});

test("pair_outside_the_records_is_invalid_and_a_second_one_is_busy", async () => {
  const { host, port } = withRecords("certificate", "key");
  assert.equal(port.pair(0, 11, 11, 4), Status.INVALID_ARGUMENT);
  assert.equal(port.pair(0, 15, 11, 3), Status.INVALID_ARGUMENT);
  assert.equal(port.pair(0, 11, 11, 3), Status.OK);
  assert.equal(port.pair(0, 11, 11, 3), Status.BUSY);
  await host.expect(EventKind.CRYPTO_PAIRED);
  assert.equal(port.pair(0, 11, 11, 3), Status.OK);
  port.close();
  await turns();
  assert.deepEqual(host.events, []);
});
