// Real PEM for configuration documents and provisioning answers, made once in a process, and the
// documents themselves. The scripted broker does not verify certificates: it tells identities apart
// by their text.

import "reflect-metadata";
import { createPrivateKey, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(webcrypto as Crypto);
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export interface Identity {
  readonly certificate: string;
  readonly privateKey: string;
}

async function make(name: string): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    signingAlgorithm: ALGORITHM,
    keys: keys as unknown as NonNullable<
      Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[0]["keys"]
    >,
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  return {
    certificate: `${certificate.toString("pem").trim()}\n`,
    privateKey: key.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

const [authority, thing, claim, issued] = await Promise.all(
  ["root", "thing", "claim", "issued"].map(make),
);

export const identities = {
  rootCa: authority!.certificate,
  thing: thing!,
  claim: claim!,
  /** What AWS makes when it is asked for a certificate. */
  issued: issued!,
} as const;

export const SSID = "iot32";
export const ENDPOINT = "broker.test";
export const THING = "thing-1";
export const TEMPLATE = "template-1";

/** A configuration document as an object, so that a test can spoil one place of it. */
export interface DocumentContent {
  wifi?: Record<string, unknown>;
  aws?: Record<string, unknown>;
  thing?: Record<string, unknown>;
  claim?: Record<string, unknown>;
  ota?: Record<string, unknown>;
}

function common(): DocumentContent {
  return {
    wifi: { ssid: SSID, password: "secret-password" },
    aws: { endpoint: ENDPOINT, port: 8883, rootCa: identities.rootCa },
  };
}

/** A device that has its thing certificate. */
export function thingDocument(): Required<Omit<DocumentContent, "claim" | "ota">> {
  return { ...common(), thing: { name: THING, ...identities.thing } } as never;
}

/** A device that must provision itself. */
export function claimDocument(
  more: Record<string, unknown> = {},
): Required<Omit<DocumentContent, "thing" | "ota">> {
  return { ...common(), claim: { template: TEMPLATE, ...identities.claim, ...more } } as never;
}
