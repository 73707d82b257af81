// What simulated worlds have in common: when they begin, whom devices trust, and the documents that
// devices are built with.

import type { Identity } from "../cloud/store.js";
import { pemOf } from "./cloud/pem.js";
import type { AccessPoint } from "./ports/wifi.js";

/** The cloud's time at the beginning of a world: 2026-01-01T00:00:00Z. */
export const CLOUD_EPOCH_MS = 1_767_225_600_000;
const CA_BYTES = 800;
/** Shaped like a root CA certificate; nothing is signed with it. */
export const SIM_CA = pemOf(
  "CERTIFICATE",
  Uint8Array.from({ length: CA_BYTES }, (_, at) => (at * 167 + 13) & 0xff),
);

/** A verifier that no handshake is made with. */
export const SIM_VERIFIER = Buffer.alloc(400, 7).toString("base64");

/** The part of a configuration document that is the same for each device. */
export function networkPart({ ssid, password }: AccessPoint): object {
  return {
    wifi: { ssid, password },
    aws: { endpoint: "simulated-ats.iot.eu-central-1.amazonaws.com", rootCa: SIM_CA },
  };
}

export function claimPart(claim: Identity, template: string, method: "keys" | "csr"): object {
  const { certificatePem: certificate, privateKeyPem: privateKey } = claim;
  return { claim: { template, certificate, privateKey, method } };
}

export function thingPart(name: string, thing: Identity): object {
  const { certificatePem: certificate, privateKeyPem: privateKey } = thing;
  return { thing: { name, certificate, privateKey } };
}
