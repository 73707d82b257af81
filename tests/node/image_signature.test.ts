// Signatures of images: what is accepted, what is not, and that the format is the one promised (r
// and s, 64 bytes, over SHA-256 of the file), judged by the DER encoding that other programs use.

import assert from "node:assert/strict";
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { describe, test } from "node:test";
import {
  makeKeyPair,
  parseSignature,
  SIGNATURE_BYTES,
  signatureText,
  signImage,
  verifyImage,
} from "../../host-node/src/image/index.js";
import { patched, sampleImage } from "./image_support.js";

const image = sampleImage();
const keys = makeKeyPair();
const signature = signImage(image, keys.privateKey);
const wrong = { name: "ImageError", code: "wrong-signature" };

/** RFC 3279: the SEQUENCE of two INTEGERs that other programs use. */
function asDer(raw: Uint8Array): Buffer {
  const integer = (bytes: Uint8Array): number[] => {
    const start = bytes.findIndex((byte) => byte !== 0);
    const digits = [...bytes.subarray(start)];
    if (digits[0]! >= 0x80) digits.unshift(0);
    return [0x02, digits.length, ...digits];
  };
  const body = [...integer(raw.subarray(0, 32)), ...integer(raw.subarray(32))];
  return Buffer.from([0x30, body.length, ...body]);
}

function otherKeys(): { privateKey: KeyObject; publicKey: KeyObject }[] {
  return [
    generateKeyPairSync("rsa", { modulusLength: 1024 }),
    generateKeyPairSync("ed25519"),
    generateKeyPairSync("ec", { namedCurve: "P-384" }),
  ];
}

const pem = (key: KeyObject): string =>
  String(key.export({ type: key.type === "public" ? "spki" : "pkcs8", format: "pem" }));

describe("signature of an image", () => {
  test("is 64 bytes, verifies with either half of the key, and in the other encoding too", () => {
    assert.equal(signature.length, SIGNATURE_BYTES);
    verifyImage(image, signature, keys.publicKey);
    verifyImage(image, signature, keys.privateKey);
    assert.ok(verify("sha256", image, createPublicKey(keys.publicKey), asDer(signature)));
  });

  test("made elsewhere over SHA-256 of the file is accepted", () => {
    const key = { key: createPrivateKey(keys.privateKey), dsaEncoding: "ieee-p1363" } as const;
    verifyImage(image, sign("sha256", image, key), keys.publicKey);
    assert.throws(() => verifyImage(image, sign("sha384", image, key), keys.publicKey), wrong);
  });

  test("is made with a SEC1 key as with a PKCS#8 one", () => {
    const sec1 = createPrivateKey(keys.privateKey).export({ type: "sec1", format: "pem" });
    assert.match(String(sec1), /BEGIN EC PRIVATE KEY/);
    verifyImage(image, signImage(image, String(sec1)), keys.publicKey);
  });

  test("is wrong for another key", () => {
    assert.throws(() => verifyImage(image, signature, makeKeyPair().publicKey), wrong);
  });

  test("is wrong when any sampled byte of the image, or its length, is another", () => {
    for (let at = 0; at < image.length; at += 17) {
      const changed = patched(image, at, image[at]! ^ 1);
      assert.throws(() => verifyImage(changed, signature, keys.publicKey), wrong, `byte ${at}`);
    }
    for (const other of [image.subarray(0, -1), Buffer.concat([image, Buffer.alloc(1)])]) {
      assert.throws(() => verifyImage(other, signature, keys.publicKey), wrong);
    }
  });

  test("is wrong when any byte of the signature is another, and when it is degenerate", () => {
    for (let at = 0; at < SIGNATURE_BYTES; at++) {
      const changed = Uint8Array.from(signature);
      changed[at]! ^= 0x10;
      assert.throws(() => verifyImage(image, changed, keys.publicKey), wrong, `byte ${at}`);
    }
    for (const fill of [0x00, 0xff]) {
      const degenerate = new Uint8Array(SIGNATURE_BYTES).fill(fill);
      assert.throws(() => verifyImage(image, degenerate, keys.publicKey), wrong);
    }
  });

  test("is wrong with any other length, and in DER", () => {
    for (const length of [0, 1, 63, 65, 128]) {
      assert.throws(() => verifyImage(image, new Uint8Array(length), keys.publicKey), wrong);
    }
    assert.throws(() => verifyImage(image, asDer(signature), keys.publicKey), wrong);
  });
});

describe("key", () => {
  test("of another kind, or no key at all, is refused in words", () => {
    for (const other of otherKeys()) {
      const refusal = { name: "ImageError", code: "bad-key", message: /P-256/ };
      assert.throws(() => signImage(image, pem(other.privateKey)), refusal);
      assert.throws(() => verifyImage(image, signature, pem(other.publicKey)), refusal);
    }
    const refusal = { name: "ImageError", code: "bad-key" };
    for (const text of [
      "",
      "key",
      "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    ]) {
      assert.throws(() => signImage(image, text), refusal);
      assert.throws(() => verifyImage(image, signature, text), refusal);
    }
    assert.throws(() => signImage(image, keys.publicKey), refusal, "a public key does not sign");
    const encrypted = createPrivateKey(keys.privateKey).export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "secret",
    });
    assert.throws(() => signImage(image, String(encrypted)), { message: /encrypted/ });
  });
});

describe("text of a signature", () => {
  test("is base64 and is read back, with space around it or not", () => {
    const text = signatureText(signature);
    assert.equal(text.length, 88);
    assert.deepEqual(parseSignature(`  ${text}\n`), Uint8Array.from(signature));
  });

  test("that is no base64, or of another length, is refused", () => {
    const text = signatureText(signature);
    const bad = [
      "",
      "AAAA",
      text.slice(1),
      `${text}AAAA`,
      text.replace(/.$/, ""),
      `${text.slice(0, 40)}\n${text.slice(40)}`,
      text.replace(/^./, "!"),
      signatureText(new Uint8Array(64).fill(0xff)).replaceAll("/", "_"),
    ];
    for (const attempt of bad) {
      const refusal = { name: "ImageError", code: "bad-signature-text" };
      assert.throws(() => parseSignature(attempt), refusal, JSON.stringify(attempt));
    }
  });
});
