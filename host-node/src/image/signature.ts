// Signatures of images and modules: ECDSA on P-256 over SHA-256 of the whole file (FIPS 186-5). A
// signature is r and s, 32 bytes each, big-endian (IEEE P1363), and travels as base64: in a .sig
// file, and in the job document. Keys are PEM: PKCS#8 or SEC1, or the public key alone (SPKI).

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { ImageError } from "./image_error.js";

export const SIGNATURE_BYTES = 64;
const HASH = "sha256";
const CURVE = "prime256v1";
const ENCODING = "ieee-p1363";

export interface KeyPairPem {
  /** PKCS#8. */
  readonly privateKey: string;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: string;
}

export function makeKeyPair(): KeyPairPem {
  return generateKeyPairSync("ec", {
    namedCurve: CURVE,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
}

/** OpenSSL's message stays away: it names numbers of its own sources. */
function readKey(pem: string, kind: "private" | "public"): KeyObject {
  let key: KeyObject;
  try {
    key = kind === "private" ? createPrivateKey(pem) : createPublicKey(pem);
  } catch {
    const isEncrypted = /ENCRYPTED/.test(pem);
    const why = isEncrypted ? "it is encrypted; decrypt it first" : "expected PEM";
    throw new ImageError("bad-key", 0, `the ${kind} key cannot be read: ${why}`);
  }
  if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== CURVE) {
    const what = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? "another kind";
    throw new ImageError("bad-key", 0, `the key is of ${what}; it must be EC on P-256`);
  }
  return key;
}

/** Signs a file; throws ImageError when the key is not a private one on P-256. */
export function signImage(file: Uint8Array, privateKeyPem: string): Uint8Array {
  return sign(HASH, file, { key: readKey(privateKeyPem, "private"), dsaEncoding: ENCODING });
}

/** Throws ImageError unless the signature was made for exactly this file by this key's owner. */
export function verifyImage(file: Uint8Array, signature: Uint8Array, keyPem: string): void {
  const key = readKey(keyPem, "public");
  if (signature.length !== SIGNATURE_BYTES) {
    const message = `a signature has ${SIGNATURE_BYTES} bytes; this has ${signature.length}`;
    throw new ImageError("wrong-signature", signature.length, message);
  }
  if (!verify(HASH, file, { key, dsaEncoding: ENCODING }, signature)) {
    const message = "the signature was not made for these bytes with this key";
    throw new ImageError("wrong-signature", 0, message);
  }
}

export const signatureText = (signature: Uint8Array): string =>
  Buffer.from(signature).toString("base64");

/** Base64 as in a .sig file or a job document: exactly 64 bytes, nothing that Node would skip. */
export function parseSignature(text: string): Uint8Array {
  const clean = text.trim();
  const bytes = Buffer.from(clean, "base64");
  if (bytes.toString("base64") !== clean) {
    throw new ImageError("bad-signature-text", 0, "the signature is not base64");
  }
  if (bytes.length !== SIGNATURE_BYTES) {
    const message = `a signature has ${SIGNATURE_BYTES} bytes; this text has ${bytes.length}`;
    throw new ImageError("bad-signature-text", bytes.length, message);
  }
  return Uint8Array.from(bytes);
}
