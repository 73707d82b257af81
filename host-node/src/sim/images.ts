// Firmware and modules for simulated updates: one module under many versions, signed with a key that
// is the same in each run, by signatures that are the same, too (RFC 6979).

import { createHash } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { ABI_VERSION } from "../abi.js";
import { packImage, signatureText } from "../image/index.js";

const BUILT_AT = new Date("2026-01-01T00:00:00Z");
const SECRET = createHash("sha256").update("iot32 simulated updates").digest();
/** SubjectPublicKeyInfo of a point on P-256 (RFC 5480), up to the point. */
const SPKI_HEAD = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

const base64Lines = (der: Uint8Array): string =>
  Buffer.from(der)
    .toString("base64")
    .replace(/.{64}/g, (line) => `${line}\n`);

/** What devices verify updates with: PEM. */
export const UPDATE_PUBLIC_KEY = [
  "-----BEGIN PUBLIC KEY-----",
  base64Lines(
    Buffer.concat([Buffer.from(SPKI_HEAD, "hex"), p256.getPublicKey(new Uint8Array(SECRET), false)]),
  ),
  "-----END PUBLIC KEY-----",
  "",
].join("\n");

/** Signature of a file, as job documents carry it. */
export function updateSignature(file: Uint8Array): string {
  const digest = createHash("sha256").update(file).digest();
  const signature = p256.sign(new Uint8Array(digest), new Uint8Array(SECRET), {
    ...{ prehash: false, lowS: false, format: "compact" },
  });
  return signatureText(signature);
}

/** An application image of this version around a module. */
export function firmwareImage(module: Uint8Array, version: string): Uint8Array {
  return packImage({ module, abiVersion: ABI_VERSION, version, builtAt: BUILT_AT });
}
