// The device's side of a session, message for message and state for state as ESP-IDF's security2.c
// (5.5): Command0 begins a session anew wherever it comes; a Command1 that is out of place or whose
// proof is wrong changes nothing. As there, nothing is answered to what is refused. Counting
// failures, lock-outs and deadlines are the caller's. Called by the host's BLE port.

import { equalBytes } from "@noble/ciphers/utils.js";
import { randomBytes } from "@noble/hashes/utils.js";
import { refuse, Security2Error } from "./errors.js";
import { decodeMessage, encodeMessage, type Message } from "./messages.js";
import { firstNonce, PacketCipher, SESSION_ID_BYTES, TAG_BYTES } from "./packet_cipher.js";
import {
  clientProofOf,
  deviceProofOf,
  isMultipleOfN,
  keyOfDevice,
  NUMBER_BYTES,
  PRIVATE_BYTES,
  PROOF_BYTES,
  publicOfDevice,
  type RandomBytes,
  scramblerOf,
  type Transcript,
  toNumber,
} from "./srp.js";
import { checkSaltAndVerifier } from "./verifier.js";

const USERNAME_BYTES_MAX = 0xffff;

/** Not slice(): of a Buffer it is no copy. */
function copy(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}

export type Outcome = "pending" | "authenticated" | "refused";

export interface Handled {
  /** Empty when the request was refused. */
  readonly answer: Uint8Array;
  readonly outcome: Outcome;
  /** Why it was refused. */
  readonly refusal?: Security2Error;
}

export class Security2Server {
  private readonly salt: Uint8Array;
  private readonly verifier: bigint;
  /** There between Command0 and Command1. */
  private transcript: Transcript | undefined;
  private cipher: PacketCipher | undefined;

  /** Throws Security2Error, "parameters", for a salt or a verifier that cannot be one. */
  constructor(
    salt: Uint8Array,
    verifier: Uint8Array,
    private readonly random: RandomBytes = randomBytes,
  ) {
    checkSaltAndVerifier({ salt, verifier });
    this.salt = copy(salt);
    this.verifier = toNumber(verifier);
  }

  get isAuthenticated(): boolean {
    return this.cipher !== undefined;
  }

  /** Takes what was written to the session's characteristic; never throws for what stands in it. */
  handle(request: Uint8Array): Handled {
    try {
      const answer = this.answer(decodeMessage(request));
      return { answer, outcome: this.isAuthenticated ? "authenticated" : "pending" };
    } catch (error) {
      if (!(error instanceof Security2Error)) throw error;
      return { answer: new Uint8Array(), outcome: "refused", refusal: error };
    }
  }

  /** Throws Security2Error: "order" without a session, "counter". */
  seal(plain: Uint8Array): Uint8Array {
    return this.session().seal(plain);
  }

  /** Throws Security2Error: "order" without a session, "sealed", "counter". */
  open(sealed: Uint8Array): Uint8Array {
    // A chip has no memory of zero bytes to give, and so refuses it.
    if (sealed.length === TAG_BYTES) refuse("sealed", "a packet without a byte");
    return this.session().open(sealed);
  }

  /** The connection is gone: the keys are overwritten. */
  close(): void {
    this.transcript?.key.fill(0);
    this.cipher?.forget();
    this.transcript = undefined;
    this.cipher = undefined;
  }

  private session(): PacketCipher {
    return this.cipher ?? refuse("order", "there is no session");
  }

  private answer({ kind, fields }: Message): Uint8Array {
    if (kind === "command0") return this.challenge(fields[0]!, fields[1]!);
    if (kind === "command1") return this.prove(fields[0]!);
    return refuse("message", `${kind} is for the client`);
  }

  private challenge(username: Uint8Array, A: Uint8Array): Uint8Array {
    this.close();
    if (A.length !== NUMBER_BYTES) refuse("parameters", `a public number of ${A.length} bytes`);
    if (username.length === 0 || username.length > USERNAME_BYTES_MAX) {
      refuse("parameters", `a user name of ${username.length} bytes`);
    }
    if (isMultipleOfN(A)) refuse("parameters", "the public number is a multiple of N");
    const b = toNumber(this.random(PRIVATE_BYTES));
    const B = publicOfDevice(b, this.verifier);
    const u = scramblerOf(A, B);
    if (u === 0n) refuse("parameters", "u is zero");
    const key = keyOfDevice(A, this.verifier, u, b);
    this.transcript = { username: copy(username), salt: this.salt, A: copy(A), B, key };
    return encodeMessage("response0", B, this.salt);
  }

  private prove(proof: Uint8Array): Uint8Array {
    const transcript = this.transcript ?? refuse("order", "Command1 without Command0");
    if (proof.length !== PROOF_BYTES) refuse("parameters", `a proof of ${proof.length} bytes`);
    const expected = clientProofOf(transcript);
    if (!equalBytes(proof, expected)) refuse("proof", "the proof of possession is another one");
    const nonce = firstNonce(this.random(SESSION_ID_BYTES));
    const answer = encodeMessage("response1", deviceProofOf(transcript, expected), nonce);
    const cipher = new PacketCipher(transcript.key, nonce);
    this.close();
    this.cipher = cipher;
    return answer;
  }
}
