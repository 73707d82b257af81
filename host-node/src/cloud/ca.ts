// The certificate authority of the local cloud: root, server certificates, and device certificates
// with keys of its own making or for a signing request. X.509 is @peculiar/x509's business, keys are
// Node's. Validity follows the real clock, not the injected one: the peers' TLS stacks do too.

import "reflect-metadata";
import { generateKeyPair, webcrypto, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { promisify } from "node:util";
import * as x509 from "@peculiar/x509";
import {
  certificateIdOf,
  type IssuedCertificate,
  type IssuedWithKeys,
  SigningRequestError,
} from "./certificate.js";
import type { Limits } from "./limits.js";
import type { Identity } from "./store.js";

const { subtle } = webcrypto;
x509.cryptoProvider.set(webcrypto as never);

type CryptoKey = webcrypto.CryptoKey;

const EC_P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const CURVES = ["P-256", "P-384"];
const SERVER_NAMES = ["localhost", "127.0.0.1", "::1"];
const CA_NAME = "CN=iot32 local cloud CA, O=iot32";
const DEVICE_NAME = "CN=AWS IoT Certificate";
/** RSA 2048 as AWS makes it: the answer that carries it is as long as AWS's. */
const DEVICE_RSA_BITS = 2048;
/** Clocks of devices are rarely exact. */
const BACKDATED_MS = 24 * 3600 * 1000;
const SERVER_LIFE_MS = 365 * 24 * 3600 * 1000;
/** The end that AWS gives its device certificates. */
const DEVICE_NOT_AFTER = new Date("2049-12-31T23:59:59Z");
const SERIAL_BYTES = 16;

export class CertificateAuthority {
  readonly certificatePem: string;
  readonly #certificate: x509.X509Certificate;
  readonly #key: CryptoKey;

  private constructor(identity: Identity, key: CryptoKey) {
    this.certificatePem = identity.certificatePem;
    this.#certificate = new x509.X509Certificate(identity.certificatePem);
    this.#key = key;
  }

  /** Makes a new root; its identity is to be stored and opened again at each start. */
  static async create(): Promise<Identity> {
    const keys = await subtle.generateKey(EC_P256, true, ["sign", "verify"]);
    const usages = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: newSerial(),
      name: CA_NAME,
      notBefore: new Date(Date.now() - BACKDATED_MS),
      notAfter: DEVICE_NOT_AFTER,
      signingAlgorithm: EC_P256,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(usages, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return {
      certificatePem: pemOf(certificate),
      privateKeyPem: await exportedKey(keys.privateKey),
    };
  }

  static async open(identity: Identity): Promise<CertificateAuthority> {
    const der = x509.PemConverter.decodeFirst(identity.privateKeyPem);
    const key = await subtle.importKey("pkcs8", der, EC_P256, false, ["sign"]);
    return new CertificateAuthority(identity, key);
  }

  /** A server certificate for this machine's local names and `extraNames` (host names, addresses). */
  async issueServer(extraNames: readonly string[] = []): Promise<Identity> {
    const keys = await subtle.generateKey(EC_P256, true, ["sign", "verify"]);
    const names = [...new Set([...SERVER_NAMES, ...extraNames])];
    const certificate = await this.#issue(
      "CN=localhost, O=iot32",
      keys.publicKey,
      new Date(Date.now() + SERVER_LIFE_MS),
      [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({
            type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const),
            value,
          })),
        ),
      ],
    );
    return {
      certificatePem: pemOf(certificate),
      privateKeyPem: await exportedKey(keys.privateKey),
    };
  }

  /** A device certificate with a new RSA key; the key comes as PKCS#1, as AWS sends it. */
  async issueWithKeys(): Promise<IssuedWithKeys> {
    const pair = await promisify(generateKeyPair)("rsa", { modulusLength: DEVICE_RSA_BITS });
    const publicKey = pair.publicKey.export({ type: "spki", format: "der" });
    const certificate = await this.#issueDevice(
      DEVICE_NAME,
      new x509.PublicKey(new Uint8Array(publicKey)),
    );
    const privateKeyPem = pair.privateKey.export({ type: "pkcs1", format: "pem" }).toString();
    return { ...issued(certificate), privateKeyPem };
  }

  /** A device certificate for the key of a PEM signing request; throws SigningRequestError. */
  async issueFromRequest(requestPem: string, limits: Limits): Promise<IssuedCertificate> {
    const request = await checkedRequest(requestPem, limits);
    const subject = request.subject === "" ? DEVICE_NAME : request.subject;
    return issued(await this.#issueDevice(subject, request.publicKey));
  }

  #issueDevice(subject: string, publicKey: x509.PublicKey): Promise<x509.X509Certificate> {
    return this.#issue(subject, publicKey, DEVICE_NOT_AFTER, [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ]);
  }

  async #issue(
    subject: string,
    publicKey: x509.PublicKeyType,
    notAfter: Date,
    extensions: x509.Extension[],
  ): Promise<x509.X509Certificate> {
    return x509.X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject,
      issuer: this.#certificate.subject,
      notBefore: new Date(Date.now() - BACKDATED_MS),
      notAfter,
      signingAlgorithm: EC_P256,
      publicKey,
      signingKey: this.#key,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
        ...extensions,
      ],
    });
  }
}

async function checkedRequest(pem: string, limits: Limits): Promise<x509.Pkcs10CertificateRequest> {
  let request: x509.Pkcs10CertificateRequest;
  let signed: boolean;
  try {
    if (!pem.includes("CERTIFICATE REQUEST")) throw new Error("no PEM header");
    request = new x509.Pkcs10CertificateRequest(pem);
    signed = await request.verify();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SigningRequestError(`The CSR cannot be read: ${why}.`);
  }
  if (!signed) throw new SigningRequestError("The CSR's signature does not match its key.");
  const key = request.publicKey.algorithm as {
    readonly modulusLength?: number;
    readonly namedCurve?: string;
  };
  const strong =
    key.modulusLength === undefined
      ? CURVES.includes(key.namedCurve ?? "")
      : key.modulusLength >= limits.rsaBitsMin;
  if (!strong) {
    throw new SigningRequestError(
      `The CSR's key must be RSA of ${limits.rsaBitsMin} bits or more, or ECC P-256 or P-384.`,
    );
  }
  return request;
}

function issued(certificate: x509.X509Certificate): IssuedCertificate {
  const certificatePem = pemOf(certificate);
  return {
    certificateId: certificateIdOf(new X509Certificate(certificatePem).raw),
    certificatePem,
  };
}

/** PEM text ends with a line feed, as files and AWS's answers do. */
function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}

async function exportedKey(key: CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}

/** Positive and without a leading zero byte, so that it is encoded in its own length. */
function newSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}
