// What a device keeps instead of its proof of possession: a salt and a verifier (RFC 5054, 2.5.3).
// Whoever reads them can try proofs at leisure, but cannot open a session with them. The user name
// is not kept: each client says its own, and with another than the verifier's it proves nothing.
// Espressif's Python client drops leading zeros of the salt and of H(name:proof), no other client
// does; a salt is made without them, and `isReadAlike` tells of the other.

import { sha512 } from "@noble/hashes/sha2.js";
import { randomBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { refuse } from "./errors.js";
import { N, type RandomBytes, toNumber, verifierOf } from "./srp.js";

export const SALT_BYTES = 16;

export interface SaltAndVerifier {
  readonly salt: Uint8Array;
  /** Up to 384 bytes, big-endian, without leading zeros. */
  readonly verifier: Uint8Array;
}

export interface VerifierOptions {
  readonly saltBytes?: number;
  readonly random?: RandomBytes;
}

/** A random salt that begins with no zero. */
function makeSalt(saltBytes: number, random: RandomBytes): Uint8Array {
  for (;;) {
    const salt = random(saltBytes);
    if (salt[0] !== 0) return salt;
  }
}

/** Salt and verifier of a proof of possession, both in UTF-8. The user name must not be empty. */
export function makeVerifier(
  username: string,
  proof: string,
  { saltBytes = SALT_BYTES, random = randomBytes }: VerifierOptions = {},
): SaltAndVerifier {
  if (username === "") refuse("parameters", "a device refuses a user name without a letter");
  if (!(saltBytes > 0)) refuse("parameters", `a salt of ${saltBytes} bytes`);
  const salt = makeSalt(saltBytes, random);
  return { salt, verifier: verifierOf(username, proof, salt) };
}

/**
 * Whether Espressif's Python client, too, makes of them what the device has: one pair in 256 is
 * read otherwise there. Who makes up a proof of possession makes up another then.
 */
export function isReadAlike(username: string, proof: string): boolean {
  return sha512(utf8ToBytes(`${username}:${proof}`))[0] !== 0;
}

/**
 * Refuses what would let anybody in: with 0, 1 or N - 1 as verifier the key does not depend on the
 * proof of possession. Throws Security2Error: "parameters".
 */
export function checkSaltAndVerifier({ salt, verifier }: SaltAndVerifier): void {
  if (salt.length === 0) refuse("parameters", "the salt is empty");
  const number = toNumber(verifier);
  if (number <= 1n || number >= N - 1n) refuse("parameters", "this is no verifier");
}
