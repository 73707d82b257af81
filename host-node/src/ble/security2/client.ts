// The phone's side of a session: of `iot32 configure` and of a web page. Three calls, in this
// order: start() makes Command0, prove() reads its answer and makes Command1, finish() reads the
// answer to that and checks that the device, too, knows the proof of possession. A client is for
// one session; after an error a new one begins again.

import { equalBytes } from "@noble/ciphers/utils.js";
import { randomBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { refuse } from "./errors.js";
import { decodeMessage, encodeMessage, type MessageKind } from "./messages.js";
import { isFirstNonce, PacketCipher } from "./packet_cipher.js";
import {
  clientProofOf,
  deviceProofOf,
  isMultipleOfN,
  keyOfClient,
  NUMBER_BYTES,
  PRIVATE_BYTES,
  publicOfClient,
  type RandomBytes,
  scramblerOf,
  type Transcript,
  toNumber,
} from "./srp.js";

/** Always set in a: so it is never small. */
const TOP_BIT = 1n << BigInt(PRIVATE_BYTES * 8 - 1);

interface KeyPair {
  readonly privateNumber: bigint;
  readonly A: Uint8Array;
}

/** Again until A is as long as N: a device refuses any other, which one in 256 would be. */
function makeKeyPair(random: RandomBytes): KeyPair {
  for (;;) {
    const privateNumber = toNumber(random(PRIVATE_BYTES)) | TOP_BIT;
    const A = publicOfClient(privateNumber);
    if (A.length === NUMBER_BYTES) return { privateNumber, A };
  }
}

interface Proven {
  readonly transcript: Transcript;
  readonly clientProof: Uint8Array;
}

function readAnswer(answer: Uint8Array, expected: MessageKind): readonly Uint8Array[] {
  const { kind, status, fields } = decodeMessage(answer);
  if (kind !== expected) refuse("order", `${kind} where ${expected} is awaited`);
  if (status !== 0) refuse("message", `the device answers with status ${status}`);
  return fields;
}

export class Security2Client {
  private started: KeyPair | undefined;
  private proven: Proven | undefined;
  private cipher: PacketCipher | undefined;

  /** User name and proof of possession, in UTF-8. */
  constructor(
    private readonly username: string,
    private readonly proof: string,
    private readonly random: RandomBytes = randomBytes,
  ) {
    if (username === "") refuse("parameters", "a device refuses a user name without a letter");
  }

  get isAuthenticated(): boolean {
    return this.cipher !== undefined;
  }

  /** Command0. Throws Security2Error: "order" when it was called before. */
  start(): Uint8Array {
    if (this.started !== undefined) refuse("order", "this session has been started");
    this.started = makeKeyPair(this.random);
    return encodeMessage("command0", utf8ToBytes(this.username), this.started.A);
  }

  /** Command1, from Response0. Throws Security2Error: "message", "order", "parameters". */
  prove(response0: Uint8Array): Uint8Array {
    if (this.started === undefined || this.proven !== undefined) {
      refuse("order", "Response0 is not awaited");
    }
    const { privateNumber, A } = this.started;
    const [B, salt] = readAnswer(response0, "response0") as [Uint8Array, Uint8Array];
    if (B.length > NUMBER_BYTES || isMultipleOfN(B) || salt.length === 0) {
      refuse("parameters", "a public number or a salt that no device has");
    }
    const u = scramblerOf(A, B);
    if (u === 0n) refuse("parameters", "u is zero");
    const key = keyOfClient(
      { username: this.username, proof: this.proof, salt, privateNumber },
      B,
      u,
    );
    const username = utf8ToBytes(this.username);
    // Copies of what the answer holds; not slice(), which of a Buffer is none.
    const [saltCopy, bCopy] = [Uint8Array.from(salt), Uint8Array.from(B)];
    const transcript = { username, salt: saltCopy, A, B: bCopy, key };
    this.proven = { transcript, clientProof: clientProofOf(transcript) };
    return encodeMessage("command1", this.proven.clientProof);
  }

  /**
   * Reads Response1; afterwards packets can be sealed and opened. That an answer's nonce is the
   * device's only the first packet shows: no proof covers it. Throws Security2Error: "message",
   * "order", "proof" when the device does not know the verifier, "parameters" for a nonce that is not
   * of patch version 1.
   */
  finish(response1: Uint8Array): void {
    if (this.proven === undefined || this.cipher !== undefined) {
      refuse("order", "Response1 is not awaited");
    }
    const { transcript, clientProof } = this.proven;
    const [proof, nonce] = readAnswer(response1, "response1") as [Uint8Array, Uint8Array];
    if (!equalBytes(proof, deviceProofOf(transcript, clientProof))) {
      refuse("proof", "the device does not know the proof of possession");
    }
    if (!isFirstNonce(nonce)) refuse("parameters", `no nonce of patch version 1`);
    this.cipher = new PacketCipher(transcript.key, nonce);
    transcript.key.fill(0);
  }

  /** Throws Security2Error: "order" without a session, "parameters" for no bytes, "counter". */
  seal(plain: Uint8Array): Uint8Array {
    if (plain.length === 0) refuse("parameters", "a device cannot open a packet without a byte");
    return this.session().seal(plain);
  }

  /** Throws Security2Error: "order" without a session, "sealed", "counter". */
  open(sealed: Uint8Array): Uint8Array {
    return this.session().open(sealed);
  }

  private session(): PacketCipher {
    return this.cipher ?? refuse("order", "there is no session");
  }
}
