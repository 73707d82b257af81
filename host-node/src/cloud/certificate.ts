// What every authority of the cloud gives, and the name of a certificate. Knows no X.509: the
// authority of the desk is ca.ts, that of a simulation ../sim/cloud/memory_authority.ts.

import { createHash } from "node:crypto";

/** A signing request that the authority does not sign; the message is fit for the device. */
export class SigningRequestError extends Error {}

export interface IssuedCertificate {
  readonly certificateId: string;
  readonly certificatePem: string;
}

export interface IssuedWithKeys extends IssuedCertificate {
  readonly privateKeyPem: string;
}

/** AWS's certificate id: SHA-256 of the certificate's DER, in hexadecimal. */
export function certificateIdOf(der: Uint8Array): string {
  return createHash("sha256").update(der).digest("hex");
}
