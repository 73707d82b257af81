// Certificates, keys and signing requests of a simulation: PEM in the sizes of AWS's, their bytes
// from the simulation's randomness instead of mathematics. What belongs together is told by a
// digest: a certificate, and a signing request, carry the SHA-256 of their key. No cryptography
// protects anything here. Called by the cloud in memory, and by devices that make their own key.
//
//   certificate, request   30 82 hh ll | SHA-256 of the key's bytes (32) | name or nothing | random
//   key                    30 82 hh ll | random

import { createHash } from "node:crypto";
import {
  certificateIdOf,
  type IssuedCertificate,
  type IssuedWithKeys,
  SigningRequestError,
} from "../../cloud/certificate.js";
import type { Random } from "../../cloud/random.js";
import type { Identity } from "../../cloud/store.js";
import { type PemBlock, pemOf, readPem } from "./pem.js";

const CERTIFICATE = "CERTIFICATE";
const REQUEST = "CERTIFICATE REQUEST";
const RSA_KEY = "RSA PRIVATE KEY";
const EC_KEY = "PRIVATE KEY";

/** Bytes of AWS's certificates, which are 1,220 characters of PEM. */
const CERTIFICATE_BYTES = 860;
/** Of an RSA key of 2,048 bits: 1,675 characters of PEM. */
const RSA_KEY_BYTES = 1191;
/** Of a P-256 key in PKCS#8: 241 characters of PEM. */
const EC_KEY_BYTES = 138;
/** Of a signing request with a P-256 key, without its name. */
const REQUEST_BYTES = 240;
const SEQUENCE = [0x30, 0x82];
const HEADER_BYTES = 4;
const DIGEST_BYTES = 32;

/** An ASN.1 sequence of `size` bytes in all: `start`, and then random ones. */
function sequence(random: Random, size: number, start: Uint8Array = new Uint8Array()): Uint8Array {
  const bytes = new Uint8Array(size);
  random(bytes);
  const inside = size - HEADER_BYTES;
  bytes.set([...SEQUENCE, inside >> 8, inside & 0xff]);
  bytes.set(start, HEADER_BYTES);
  return bytes;
}

const digestOf = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** The digest of the key that a certificate or a request carries; null when it is none of ours. */
function keyDigestIn(block: PemBlock | null, label: string): Buffer | null {
  if (block === null || block.label !== label) return null;
  const { bytes } = block;
  if (bytes.length < HEADER_BYTES + DIGEST_BYTES) return null;
  if (SEQUENCE.some((byte, i) => bytes[i] !== byte)) return null;
  if (bytes.readUInt16BE(SEQUENCE.length) !== bytes.length - HEADER_BYTES) return null;
  return bytes.subarray(HEADER_BYTES, HEADER_BYTES + DIGEST_BYTES);
}

/** True when both are PEM of this authority and the key is the certificate's. */
export function isPair(certificatePem: string, keyPem: string): boolean {
  const wanted = keyDigestIn(readPem(certificatePem), CERTIFICATE);
  const key = readPem(keyPem);
  if (wanted === null || key === null || !key.label.endsWith(EC_KEY)) return false;
  return digestOf(key.bytes).equals(wanted);
}

/** The id under which a certificate is registered; null for what is not a certificate at all. */
export function certificateIdIn(certificatePem: string): string | null {
  const block = readPem(certificatePem);
  return block === null || block.label !== CERTIFICATE ? null : certificateIdOf(block.bytes);
}

/** A new key, and a request that MemoryAuthority signs. */
export function makeCsr(
  random: Random,
  commonName: string,
): { readonly keyPem: string; readonly requestPem: string } {
  const key = sequence(random, EC_KEY_BYTES);
  const start = Buffer.concat([digestOf(key), Buffer.from(commonName)]);
  const request = sequence(random, REQUEST_BYTES + start.length - DIGEST_BYTES, start);
  return { keyPem: pemOf(EC_KEY, key), requestPem: pemOf(REQUEST, request) };
}

export class MemoryAuthority {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A root, which signs nothing: it is only there. */
  issueRoot(): Identity {
    const { certificatePem, privateKeyPem } = this.issueWithKeys();
    return { certificatePem, privateKeyPem };
  }

  issueWithKeys(): IssuedWithKeys {
    const key = sequence(this.#random, RSA_KEY_BYTES);
    return { ...this.#issue(digestOf(key)), privateKeyPem: pemOf(RSA_KEY, key) };
  }

  /** Throws SigningRequestError for what `makeCsr` did not make. */
  issueFromRequest(requestPem: string): IssuedCertificate {
    const digest = keyDigestIn(readPem(requestPem), REQUEST);
    if (digest === null) {
      throw new SigningRequestError("The CSR cannot be read: it is none of this simulation's.");
    }
    return this.#issue(digest);
  }

  #issue(keyDigest: Uint8Array): IssuedCertificate {
    const bytes = sequence(this.#random, CERTIFICATE_BYTES, keyDigest);
    const certificatePem = pemOf(CERTIFICATE, bytes);
    return { certificateId: certificateIdOf(bytes), certificatePem };
  }
}
