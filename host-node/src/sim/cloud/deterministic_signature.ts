// Signatures of updates that are the same in each run (RFC 6979): OpenSSL's have a random part, and
// a simulation must give the same bytes again. Devices verify both kinds alike. Called by
// memory_cloud.ts for each update that is signed with a key.

import { createHash, createPrivateKey } from "node:crypto";
import { p256 } from "@noble/curves/p256";
import { signatureText } from "../../image/index.js";

/** Base64 of r and s, as in a .sig file. The key is PEM, EC on P-256. */
export function signDeterministically(file: Uint8Array, privateKeyPem: string): string {
  const { crv, d } = createPrivateKey(privateKeyPem).export({ format: "jwk" });
  if (crv !== "P-256" || d === undefined) throw new Error("the key must be EC on P-256");
  const digest = createHash("sha256").update(file).digest();
  const signature = p256.sign(digest, Buffer.from(d, "base64url"));
  return signatureText(signature.toCompactRawBytes());
}
