// SRP-6a over the group of 3072 bits (RFC 5054, appendix A) with SHA-512, bit for bit as ESP-IDF's
// protocomm computes it (why no library: docs/decisions/0009). Numbers are big-endian. Where one is
// hashed it has no leading zeros, except in k, u and H(g), where it has the length of N; salt and
// A are hashed as they came. BigInt takes a time that depends on its numbers: on a shared machine
// that tells something about a private number, which is new for each session.

import { pow } from "@noble/curves/abstract/modular.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

/** Gives as many random bytes as it is asked for. */
export type RandomBytes = (bytes: number) => Uint8Array;

/** Bytes of a number of the group: of N, and of A. */
export const NUMBER_BYTES = 384;
export const PROOF_BYTES = 64;
/** Bytes of the private numbers a and b. */
export const PRIVATE_BYTES = 32;

/** N: a safe prime. */
const N_BYTES = hexToBytes(
  [
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd",
    "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed",
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f",
    "83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b",
    "e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510",
    "15728e5a8aaac42dad33170d04507a33a85521abdf1cba64ecfb850458dbef0a8aea71575d060c7db3970f85a6e1e4c7",
    "abf5ae8cdb0933d71e8c94e04a25619dcee3d2261ad2ee6bf12ffa06d98a0864d87602733ec86a64521f2b18177b200c",
    "bbe117577a615d6c770988c0bad946e208e24fa074e5ab3143db5bfce0fd108e4b82d120a93ad2caffffffffffffffff",
  ].join(""),
);
const G_BYTES = Uint8Array.of(5);

export function toNumber(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytesToHex(bytes)}`);
}

/** Without leading zeros; zero has no bytes at all. */
export function toBytes(number: bigint): Uint8Array {
  if (number === 0n) return new Uint8Array();
  const digits = number.toString(16);
  return hexToBytes(digits.padStart(digits.length + (digits.length % 2), "0"));
}

/** In front of it as many zeros as make it as long as N. */
function padded(bytes: Uint8Array): Uint8Array {
  return concatBytes(new Uint8Array(Math.max(0, NUMBER_BYTES - bytes.length)), bytes);
}

function hash(...parts: readonly Uint8Array[]): Uint8Array {
  return sha512(concatBytes(...parts));
}

export const N = toNumber(N_BYTES);
const G = toNumber(G_BYTES);
/** k */
const MULTIPLIER = toNumber(hash(N_BYTES, padded(G_BYTES)));
const HASHES_OF_GROUP = hash(N_BYTES).map((byte, at) => byte ^ hash(padded(G_BYTES))[at]!);

function modulo(number: bigint): bigint {
  const rest = number % N;
  return rest < 0n ? rest + N : rest;
}

export function isMultipleOfN(publicNumber: Uint8Array): boolean {
  return toNumber(publicNumber) % N === 0n;
}

/** x: what the client knows, from the proof of possession and a salt that the device gives. */
function secretOf(username: string, proof: string, salt: Uint8Array): bigint {
  return toNumber(hash(salt, hash(utf8ToBytes(`${username}:${proof}`))));
}

/** v, without leading zeros. */
export function verifierOf(username: string, proof: string, salt: Uint8Array): Uint8Array {
  return toBytes(pow(G, secretOf(username, proof, salt), N));
}

/** A = g^a, without leading zeros. */
export function publicOfClient(a: bigint): Uint8Array {
  return toBytes(pow(G, a, N));
}

/** B = kv + g^b, without leading zeros. */
export function publicOfDevice(b: bigint, verifier: bigint): Uint8Array {
  return toBytes(modulo(MULTIPLIER * verifier + pow(G, b, N)));
}

/** u; zero is forbidden. */
export function scramblerOf(A: Uint8Array, B: Uint8Array): bigint {
  return toNumber(hash(padded(A), padded(B)));
}

/** K of the device: H((A v^u)^b). */
export function keyOfDevice(A: Uint8Array, verifier: bigint, u: bigint, b: bigint): Uint8Array {
  const base = modulo(toNumber(A) * pow(verifier, u, N));
  return hash(toBytes(pow(base, b, N)));
}

export interface ClientSecrets {
  readonly username: string;
  readonly proof: string;
  readonly salt: Uint8Array;
  /** a */
  readonly privateNumber: bigint;
}

/** K of the client: H((B - k g^x)^(a + ux)). */
export function keyOfClient(secrets: ClientSecrets, B: Uint8Array, u: bigint): Uint8Array {
  const x = secretOf(secrets.username, secrets.proof, secrets.salt);
  const base = modulo(toNumber(B) - MULTIPLIER * pow(G, x, N));
  return hash(toBytes(pow(base, secrets.privateNumber + u * x, N)));
}

/** What both sides have seen and made. */
export interface Transcript {
  readonly username: Uint8Array;
  readonly salt: Uint8Array;
  readonly A: Uint8Array;
  readonly B: Uint8Array;
  readonly key: Uint8Array;
}

/** M1 = H(H(N) xor H(g) | H(I) | s | A | B | K). */
export function clientProofOf({ username, salt, A, B, key }: Transcript): Uint8Array {
  return hash(HASHES_OF_GROUP, hash(username), salt, A, B, key);
}

/** M2 = H(A | M1 | K). */
export function deviceProofOf({ A, key }: Transcript, clientProof: Uint8Array): Uint8Array {
  return hash(A, clientProof, key);
}
