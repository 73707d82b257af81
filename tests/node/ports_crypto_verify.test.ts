// crypto_verify: signatures over digests, judged against Node's own signer, and the edges that
// verifiers are known to get wrong (after the ECDSA vectors of Wycheproof).

import assert from "node:assert/strict";
import { createECDH, createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { test } from "node:test";
import { EventKind, nameOf, Status } from "../../host-node/src/abi.js";
import { CryptoPort } from "../../host-node/src/ports/crypto.js";
import { noRecords, RecordingHost, turns, VirtualClock } from "./ports_support.js";

/** Order of the base point of P-256, and the prime of its field (FIPS 186-5, SP 800-186). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const PRIME = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const PAIRS = 200;

interface Case {
  readonly key: Buffer;
  readonly digest: Buffer;
  readonly signature: Buffer;
}

const number = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString("hex")}`);
const bytes32 = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, "0"), "hex");
const rOf = (signature: Buffer): Buffer => signature.subarray(0, 32);
const sOf = (signature: Buffer): Buffer => signature.subarray(32);

/** A new key, and a message signed by Node. */
function signedCase(message = randomBytes(100)): Case {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const { x, y } = publicKey.export({ format: "jwk" });
  const point = [Buffer.from(x!, "base64url"), Buffer.from(y!, "base64url")];
  return {
    key: Buffer.concat([Buffer.of(4), ...point]),
    digest: createHash("sha256").update(message).digest(),
    signature: sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" }),
  };
}

const one = signedCase();

/** Outcome of a verification that the port accepts. */
async function outcome(changed: Partial<Case> = {}): Promise<string> {
  const host = new RecordingHost();
  const { key, digest, signature } = { ...one, ...changed };
  assert.equal(new CryptoPort(host, noRecords).verify(key, digest, signature), Status.OK);
  assert.deepEqual(host.events, [], "answered inside the call");
  const [status] = await host.expect(EventKind.CRYPTO_VERIFIED);
  return nameOf(Status, status);
}

function flipped(bytes: Buffer, index: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[index]! ^= 1 << (index % 8);
  return copy;
}

test("signatures_of_node_are_accepted_and_those_of_another_key_refused", async () => {
  let other = one;
  for (let i = 0; i < PAIRS; i++) {
    const pair = signedCase();
    assert.equal(await outcome(pair), "OK", `pair ${i}: ${pair.signature.toString("hex")}`);
    assert.equal(await outcome({ ...pair, key: other.key }), "REFUSED", `pair ${i}`);
    assert.equal(await outcome({ ...pair, signature: other.signature }), "REFUSED", `pair ${i}`);
    other = pair;
  }
});

test("digest_is_not_hashed_again", async () => {
  const twice = createHash("sha256").update(one.digest).digest();
  assert.equal(await outcome(), "OK");
  assert.equal(await outcome({ digest: twice }), "REFUSED");
});

test("flipped_bit_in_any_byte_of_signature_or_digest_is_refused", async () => {
  for (let i = 0; i < one.signature.length; i++) {
    const signature = flipped(one.signature, i);
    assert.equal(await outcome({ signature }), "REFUSED", `byte ${i} of the signature`);
  }
  for (let i = 0; i < one.digest.length; i++) {
    const digest = flipped(one.digest, i);
    assert.equal(await outcome({ digest }), "REFUSED", `byte ${i} of the digest`);
  }
});

test("flipped_bit_in_any_byte_of_the_key_is_no_point_on_the_curve", async () => {
  for (let i = 0; i < one.key.length; i++) {
    assert.equal(await outcome({ key: flipped(one.key, i) }), "CREDENTIALS_INVALID", `byte ${i}`);
  }
});

test("s_is_accepted_in_both_halves_of_its_range", async () => {
  const mirrored = bytes32(ORDER - number(sOf(one.signature)));
  assert.equal(await outcome({ signature: Buffer.concat([rOf(one.signature), mirrored]) }), "OK");
});

/** A key and a signature of `digest` with this s: (s k - z) / r is the private key that makes it. */
function caseWithS(s: bigint, digest: Buffer): Case {
  const ecdh = createECDH("prime256v1");
  ecdh.generateKeys();
  const k = number(ecdh.getPrivateKey());
  const r = number(ecdh.getPublicKey().subarray(1, 33)) % ORDER;
  const product = (s * k - number(digest)) * inverse(r);
  ecdh.setPrivateKey(bytes32(((product % ORDER) + ORDER) % ORDER));
  const signature = Buffer.concat([bytes32(r), bytes32(s)]);
  return { key: ecdh.getPublicKey(), digest, signature };
}

/** By Fermat: the order is a prime. */
function inverse(value: bigint): bigint {
  let [result, base] = [1n, value % ORDER];
  for (let rest = ORDER - 2n; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * base) % ORDER;
    base = (base * base) % ORDER;
  }
  return result;
}

test("smallest_s_is_accepted_and_the_same_plus_the_order_is_refused", async () => {
  for (const s of [1n, 2n, 3n, 0xffffffffn]) {
    const small = caseWithS(s, one.digest);
    assert.equal(await outcome(small), "OK", `s ${s}`);
    const signature = Buffer.concat([rOf(small.signature), bytes32(s + ORDER)]);
    assert.equal(await outcome({ ...small, signature }), "REFUSED", `s ${s} + n`);
  }
});

test("digest_above_the_order_and_digest_of_zeros_can_be_signed", async () => {
  for (const fill of [0, 0xff]) {
    assert.equal(await outcome(caseWithS(12345n, Buffer.alloc(32, fill))), "OK", `fill ${fill}`);
    assert.equal(await outcome({ digest: Buffer.alloc(32, fill) }), "REFUSED");
  }
});

const OUT_OF_RANGE: readonly [name: string, value: bigint][] = [
  ["0", 0n],
  ["n", ORDER],
  ["n + 1", ORDER + 1n],
  ["p", PRIME],
  ["2^256 - 1", (1n << 256n) - 1n],
];
for (const [name, value] of OUT_OF_RANGE) {
  test(`r_or_s_outside_its_range_is_refused: ${name}`, async () => {
    const edge = bytes32(value);
    const { signature } = one;
    for (const parts of [
      [edge, sOf(signature)],
      [rOf(signature), edge],
      [edge, edge],
    ]) {
      assert.equal(await outcome({ signature: Buffer.concat(parts) }), "REFUSED");
    }
  });
}

test("r_and_s_in_range_that_were_never_signed_are_refused", async () => {
  for (const r of [1n, 2n, ORDER - 1n]) {
    for (const s of [1n, 2n, ORDER - 1n]) {
      const signature = Buffer.concat([bytes32(r), bytes32(s)]);
      assert.equal(await outcome({ signature }), "REFUSED", `r ${r}, s ${s}`);
      assert.equal(await outcome({ signature, digest: Buffer.alloc(32) }), "REFUSED");
    }
  }
});

test("signature_with_s_before_r_is_refused", async () => {
  const swapped = Buffer.concat([sOf(one.signature), rOf(one.signature)]);
  assert.equal(await outcome({ signature: swapped }), "REFUSED");
});

const NO_POINTS: readonly [what: string, key: () => Buffer][] = [
  ["the origin", () => Buffer.concat([Buffer.of(4), Buffer.alloc(64)])],
  ["x is the prime", () => Buffer.concat([Buffer.of(4), bytes32(PRIME), one.key.subarray(33)])],
  ["y is the prime", () => Buffer.concat([one.key.subarray(0, 33), bytes32(PRIME)])],
  [
    "x and y swapped",
    () => Buffer.concat([Buffer.of(4), one.key.subarray(33), one.key.subarray(1, 33)]),
  ],
  ["hybrid form", () => Buffer.concat([Buffer.of(6 + (one.key[64]! & 1)), one.key.subarray(1)])],
  ["compressed form, padded", () => Buffer.concat([Buffer.of(2), one.key.subarray(1)])],
  ["only zeros", () => Buffer.alloc(65)],
];
for (const [what, key] of NO_POINTS) {
  test(`key_that_is_no_point_on_the_curve_is_credentials_invalid: ${what}`, async () => {
    assert.equal(await outcome({ key: key() }), "CREDENTIALS_INVALID");
  });
}

test("negated_point_is_a_key_but_not_the_one_that_signed", async () => {
  const y = bytes32(PRIME - number(one.key.subarray(33)));
  const key = Buffer.concat([one.key.subarray(0, 33), y]);
  assert.equal(await outcome({ key }), "REFUSED");
});

test("wrong_lengths_are_invalid_at_once", async () => {
  const host = new RecordingHost();
  const port = new CryptoPort(host, noRecords);
  const { key, digest, signature } = one;
  const longer = (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(0)]);
  const wrong = [
    port.verify(key.subarray(1), digest, signature),
    port.verify(longer(key), digest, signature),
    port.verify(key.subarray(0, 33), digest, signature),
    port.verify(key, digest.subarray(1), signature),
    port.verify(key, longer(digest), signature),
    port.verify(key, digest, signature.subarray(1)),
    port.verify(key, digest, longer(signature)),
    port.verify(Buffer.alloc(0), digest, signature),
  ];
  assert.deepEqual(wrong, Array(wrong.length).fill(Status.INVALID_ARGUMENT));
  await turns();
  assert.deepEqual(host.events, []);
});

test("second_verification_is_busy_and_a_signing_request_is_not", async () => {
  const host = new RecordingHost();
  const port = new CryptoPort(host, noRecords);
  const verify = () => port.verify(one.key, one.digest, one.signature);
  assert.equal(verify(), Status.OK);
  assert.equal(verify(), Status.BUSY);
  assert.equal(port.csr(Buffer.from("a")), Status.OK);
  await host.expect(EventKind.CRYPTO_VERIFIED);
  await host.expect(EventKind.CRYPTO_CSR);
  assert.equal(verify(), Status.OK);
  await host.expect(EventKind.CRYPTO_VERIFIED);
});

test("arguments_may_be_overwritten_after_the_call", async () => {
  const host = new RecordingHost();
  const { key, digest, signature } = {
    key: Buffer.from(one.key),
    digest: Buffer.from(one.digest),
    signature: Buffer.from(one.signature),
  };
  new CryptoPort(host, noRecords).verify(key, digest, signature);
  for (const bytes of [key, digest, signature]) bytes.fill(0);
  assert.equal((await host.expect(EventKind.CRYPTO_VERIFIED))[0], Status.OK);
});

test("verification_under_way_at_power_off_is_not_answered", () => {
  const clock = new VirtualClock();
  const host = new RecordingHost(clock);
  const port = new CryptoPort(host, noRecords);
  port.verify(one.key, one.digest, one.signature);
  port.close();
  clock.advance(1000);
  assert.deepEqual(host.events, []);
});
