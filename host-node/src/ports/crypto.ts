// Port crypto: a new EC P-256 key and its PKCS#10 signing request (RFC 2986), signatures over
// digests, and whether a certificate and a key belong together. The new key leaves this port once,
// in the event, and is kept nowhere. Verifying needs a library of its own: Node hashes what it is
// given by itself, and the core has only the digest.

import "reflect-metadata";
import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import * as x509 from "@peculiar/x509";
import {
  type CryptoPort as Contract,
  DIGEST_BYTES,
  EventKind,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
  Status,
} from "../abi.js";
import type { TimerHandle } from "../clock.js";
import type { PortHost } from "./port_host.js";
import { type ReadFlash, readPem } from "./records_pem.js";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** Upper bound of a common name (RFC 5280, ub-common-name). */
const COMMON_NAME_BYTES_MAX = 64;

interface SigningRequest {
  /** PKCS#8, PEM. */
  readonly key: Buffer;
  readonly request: Buffer;
}

/** DER of a UTF8String, as the library wants it: text it would search for quotes and escapes. */
function derText(text: Uint8Array): string {
  const TAG_UTF8_STRING = 0x0c;
  return `#${Buffer.from([TAG_UTF8_STRING, text.length, ...text]).toString("hex")}`;
}

async function makeSigningRequest(commonName: Uint8Array): Promise<SigningRequest> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name: [{ CN: [derText(commonName)] }],
      keys: keys as CryptoKeyPair,
      signingAlgorithm: ALGORITHM,
    },
    webcrypto as Crypto,
  );
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    key: Buffer.from(`${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`),
    request: Buffer.from(`${request.toString("pem")}\n`),
  };
}

/** First byte of an uncompressed point (SEC 1, 2.3.3); what follows is too long for any other. */
const POINT_UNCOMPRESSED = 4;
/** Signatures of AWS and OpenSSL come with s in either half of its range (FIPS 186-5, 6.4). */
const EITHER_S = { prehash: false, lowS: false, format: "compact" } as const;

/** Bits of the library's window over the base point. Its table for 8 takes longer to make than all
 * the rest of an update, and pays only for who verifies many signatures. */
const BASE_WINDOW_BITS = 2;
p256.Point.BASE.precompute(BASE_WINDOW_BITS, true);

/** Whether the bytes are a point on P-256; the library throws where they are not. */
function isPublicKey(key: Uint8Array): boolean {
  if (key[0] !== POINT_UNCOMPRESSED) return false;
  try {
    p256.Point.fromBytes(key).assertValidity();
    return true;
  } catch {
    return false;
  }
}

/** FIPS 186-5, 6.4.2: r or s outside 1 to n-1 is no signature. */
function isSigned(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    return p256.verify(signature, digest, key, EITHER_S);
  } catch {
    return false;
  }
}

/** OK; REFUSED; or CREDENTIALS_INVALID for a key that is no point on the curve. */
export function verifySignature(
  key: Uint8Array,
  digest: Uint8Array,
  signature: Uint8Array,
): Status {
  if (!isPublicKey(key)) return Status.CREDENTIALS_INVALID;
  return isSigned(key, digest, signature) ? Status.OK : Status.REFUSED;
}

/** OK, REFUSED or CREDENTIALS_INVALID: of one certificate or more, the first counts. */
function comparePair(certificate: string, key: string): Status {
  try {
    const isPair = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
    return isPair ? Status.OK : Status.REFUSED;
  } catch {
    return Status.CREDENTIALS_INVALID;
  }
}

export class CryptoPort implements Contract {
  private isBusy = false;
  private verification: TimerHandle = null;
  private comparison: TimerHandle = null;
  private isClosed = false;

  constructor(
    private readonly host: PortHost,
    private readonly readFlash: ReadFlash,
  ) {}

  csr(commonName: Uint8Array): number {
    if (this.isBusy) return Status.BUSY;
    if (commonName.length === 0 || commonName.length > COMMON_NAME_BYTES_MAX) {
      return Status.INVALID_ARGUMENT;
    }
    this.isBusy = true;
    makeSigningRequest(commonName.slice()).then(
      ({ key, request }) => this.answer(Status.OK, key.length, Buffer.concat([key, request])),
      () => this.answer(Status.IO_ERROR, 0, new Uint8Array()),
    );
    return Status.OK;
  }

  verify(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): number {
    if (key.length !== PUBLIC_KEY_BYTES || digest.length !== DIGEST_BYTES) {
      return Status.INVALID_ARGUMENT;
    }
    if (signature.length !== SIGNATURE_BYTES) return Status.INVALID_ARGUMENT;
    if (this.verification !== null) return Status.BUSY;
    // Not slice(): of a Buffer it is no copy.
    const [point, hash, rs] = [key, digest, signature].map((bytes) => new Uint8Array(bytes));
    this.verification = this.host.clock.setTimer(0, () => this.answerVerify(point!, hash!, rs!));
    return Status.OK;
  }

  private answerVerify(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): void {
    this.verification = null;
    this.host.post(EventKind.CRYPTO_VERIFIED, verifySignature(key, digest, signature));
  }

  pair(
    certificateOffset: number,
    certificateSize: number,
    keyOffset: number,
    keySize: number,
  ): number {
    if (this.comparison !== null) return Status.BUSY;
    const certificate = readPem(this.readFlash, certificateOffset, certificateSize);
    const key = readPem(this.readFlash, keyOffset, keySize);
    if (certificate === null || key === null) return Status.INVALID_ARGUMENT;
    this.comparison = this.host.clock.setTimer(0, () => {
      this.comparison = null;
      this.host.post(EventKind.CRYPTO_PAIRED, comparePair(certificate, key));
    });
    return Status.OK;
  }

  private answer(status: Status, keyBytes: number, payload: Uint8Array): void {
    this.isBusy = false;
    if (!this.isClosed) this.host.post(EventKind.CRYPTO_CSR, status, keyBytes, payload);
  }

  /** Power off: an answer that comes later is dropped. */
  close(): void {
    this.isClosed = true;
    this.host.clock.clearTimer(this.verification);
    this.host.clock.clearTimer(this.comparison);
  }
}
