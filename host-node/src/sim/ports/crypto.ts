// Port crypto of a simulated device. Signatures over updates are real, and verified as on a desk;
// keys and certificates are those of the cloud in memory, made from the device's random numbers.

import {
  type CryptoPort,
  DIGEST_BYTES,
  EventKind,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
  Status,
} from "../../abi.js";
import { verifySignature } from "../../ports/crypto.js";
import { readPem } from "../../ports/records_pem.js";
import { isPair, makeCsr } from "../cloud/memory_authority.js";
import type { SimHost } from "./sim_host.js";

/** Verifying takes a millisecond, and worlds that are tried again and again ask the same again. */
const verified = new Map<string, Status>();
const VERIFIED_MAX = 1000;

function verifiedOnce(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): Status {
  const question = Buffer.concat([key, digest, signature]).toString("latin1");
  const known = verified.get(question);
  if (known !== undefined) return known;
  const status = verifySignature(key.slice(), digest.slice(), signature.slice());
  if (verified.size === VERIFIED_MAX) verified.clear();
  verified.set(question, status);
  return status;
}

/** Each question is answered by the next event, so that none is under way between two steps. */
export class SimCrypto implements CryptoPort {
  constructor(private readonly host: SimHost) {}

  csr(commonName: Uint8Array): number {
    const name = Buffer.from(commonName).toString();
    const { keyPem, requestPem } = makeCsr(this.host.random.fill, name);
    const payload = Buffer.from(keyPem + requestPem);
    this.host.post(EventKind.CRYPTO_CSR, Status.OK, Buffer.byteLength(keyPem), payload);
    return Status.OK;
  }

  verify(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): number {
    const isShaped = key.length === PUBLIC_KEY_BYTES && digest.length === DIGEST_BYTES;
    if (!isShaped || signature.length !== SIGNATURE_BYTES) return Status.INVALID_ARGUMENT;
    this.host.post(EventKind.CRYPTO_VERIFIED, verifiedOnce(key, digest, signature));
    return Status.OK;
  }

  pair(...places: readonly [number, number, number, number]): number {
    const [certificateAt, certificateSize, keyAt, keySize] = places;
    const read = (at: number, bytes: Uint8Array): number => this.host.readFlash(at, bytes);
    const certificate = readPem(read, certificateAt, certificateSize);
    const key = readPem(read, keyAt, keySize);
    if (certificate === null || key === null) return Status.INVALID_ARGUMENT;
    const status = isPair(certificate, key) ? Status.OK : Status.REFUSED;
    this.host.post(EventKind.CRYPTO_PAIRED, status);
    return Status.OK;
  }
}
