// Packets of a session that is set up: AES-256-GCM, the tag behind the text, nothing else
// authenticated. The nonce is that of Response1 and is the same for both directions:
//
//     | 8 random bytes of the device | u32 counter, big-endian, 1 at first |
//
// Each packet that was sealed or opened counts it up, so both sides must take turns: two packets
// under way at once have the same nonce, which GCM does not survive. ESP-IDF calls this patch
// version 1 (since 5.5). Before it one nonce of 16 bytes was for all packets; it is refused here.

import { gcm } from "@noble/ciphers/aes.js";
import { refuse } from "./errors.js";

export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;
export const SESSION_ID_BYTES = 8;
const COUNTER_AT = SESSION_ID_BYTES;
/** The key is the first half of SRP's. */
const KEY_BYTES = 32;

export function firstNonce(sessionId: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  nonce.set(sessionId);
  nonce[NONCE_BYTES - 1] = 1;
  return nonce;
}

/** Whether it is one that a session begins with. */
export function isFirstNonce(nonce: Uint8Array): boolean {
  if (nonce.length !== NONCE_BYTES) return false;
  return firstNonce(nonce.subarray(0, SESSION_ID_BYTES)).every((byte, at) => byte === nonce[at]);
}

export class PacketCipher {
  private readonly key: Uint8Array;
  private readonly nonce: Uint8Array;

  /** `sessionKey`: K of SRP, 64 bytes. Both are copied. */
  constructor(sessionKey: Uint8Array, nonce: Uint8Array) {
    this.key = Uint8Array.from(sessionKey.subarray(0, KEY_BYTES));
    this.nonce = Uint8Array.from(nonce);
  }

  /** Gives as many bytes as the text has, and the tag. Throws Security2Error: "counter". */
  seal(plain: Uint8Array): Uint8Array {
    this.expectCounter();
    const sealed = gcm(this.key, this.nonce).encrypt(plain);
    this.count();
    return sealed;
  }

  /** Throws Security2Error: "sealed", after which the same packet is still awaited, "counter". */
  open(sealed: Uint8Array): Uint8Array {
    this.expectCounter();
    const plain = this.decrypt(sealed);
    this.count();
    return plain;
  }

  /** Overwrites the key. Nothing may be sealed or opened afterwards. */
  forget(): void {
    this.key.fill(0);
    this.counter = 0;
  }

  private decrypt(sealed: Uint8Array): Uint8Array {
    if (sealed.length < TAG_BYTES) refuse("sealed", `${sealed.length} bytes hold no tag`);
    try {
      return gcm(this.key, this.nonce).decrypt(sealed);
    } catch {
      return refuse("sealed", "not the next packet of this session");
    }
  }

  private get counter(): number {
    return this.view.getUint32(COUNTER_AT);
  }

  private set counter(value: number) {
    this.view.setUint32(COUNTER_AT, value);
  }

  private get view(): DataView {
    return new DataView(this.nonce.buffer, this.nonce.byteOffset, NONCE_BYTES);
  }

  /** Behind the last number comes zero, and stays. */
  private count(): void {
    this.counter = (this.counter + 1) >>> 0;
  }

  private expectCounter(): void {
    if (this.counter === 0) refuse("counter", "the counter of the nonce is used up");
  }
}
