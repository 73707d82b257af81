// What a run comes to in 64 bits: everything that passed between cores and their hosts, mixed in as
// it happens. Two runs with one digest did the same. Not a cryptographic digest: nobody forges a
// run against himself.

const PRIME_A = 0x9e3779b1;
const PRIME_B = 0x85ebca77;

export class Digest {
  private a = 0x243f6a88;
  private b = 0x13198a2e;

  number(value: number): void {
    this.a = Math.imul((this.a ^ value) + 0x7f4a7c15, PRIME_A);
    this.a ^= this.a >>> 15;
    this.b = Math.imul(((this.b << 13) | (this.b >>> 19)) ^ value ^ this.a, PRIME_B);
  }

  bytes(bytes: Uint8Array): void {
    let { a, b } = this;
    for (let at = 0; at < bytes.length; at++) {
      a = Math.imul(a ^ bytes[at]!, PRIME_A);
      b = Math.imul(((b << 5) | (b >>> 27)) ^ a, PRIME_B);
    }
    this.a = a;
    this.b = b;
    this.number(~bytes.length);
  }

  /** 16 hexadecimal digits. */
  get text(): string {
    const digits = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
    return digits(this.a) + digits(this.b);
  }

  copy(): Digest {
    const copy = new Digest();
    copy.a = this.a;
    copy.b = this.b;
    return copy;
  }
}
