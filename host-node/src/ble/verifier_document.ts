// The part of a configuration document that makes a device take sessions: salt and verifier of its
// proof of possession, as `ble.verifier` has them. Runs in browsers.

import { NUMBER_BYTES } from "./security2/srp.js";
import { makeVerifier, SALT_BYTES, type VerifierOptions } from "./security2/verifier.js";

export interface VerifierDocument {
  readonly ble: {
    /** Base64 of 16 bytes of salt and 384 of verifier. */
    readonly verifier: string;
  };
}

export function verifierDocument(
  username: string,
  proof: string,
  options: Pick<VerifierOptions, "random"> = {},
): VerifierDocument {
  const { salt, verifier } = makeVerifier(username, proof, options);
  const bytes = new Uint8Array(SALT_BYTES + NUMBER_BYTES);
  bytes.set(salt);
  // One in 256 is shorter than the field.
  bytes.set(verifier, bytes.length - verifier.length);
  return { ble: { verifier: btoa(String.fromCharCode(...bytes)) } };
}
