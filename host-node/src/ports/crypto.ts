// Port crypto: a new EC P-256 key and its PKCS#10 signing request (RFC 2986), made by the
// operating system's library. The key leaves this port once, in the event, and is kept nowhere.

import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { type CryptoPort as Contract, EventKind, Status } from "../abi.js";
import type { PortHost } from "./port_host.js";

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

export class CryptoPort implements Contract {
  private isBusy = false;
  private isClosed = false;

  constructor(private readonly host: PortHost) {}

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

  verify(): number {
    return Status.UNSUPPORTED;
  }

  private answer(status: Status, keyBytes: number, payload: Uint8Array): void {
    this.isBusy = false;
    if (!this.isClosed) this.host.post(EventKind.CRYPTO_CSR, status, keyBytes, payload);
  }

  /** Power off: an answer that comes later is dropped. */
  close(): void {
    this.isClosed = true;
  }
}
