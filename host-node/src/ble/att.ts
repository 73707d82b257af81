// What passes over the socket of a device on a desk in place of the radio: requests and answers of
// the Attribute Protocol (Core Specification, Vol 3, Part F), each behind its length,
// little-endian.
//
//     | u16 bytes that follow | u8 opcode | ...
//
//     0xF0 connect        u16 MTU               central: wants to be the one central
//     0xF1 connected      u16 MTU | name        device: is it now, with this MTU at most
//     0xF2 refused        u8 Refusal            device: is not; the socket ends
//     0x02 MTU request    u16 MTU               central: another one
//     0x03 MTU response   u16 MTU
//     0x0A read request   u8 handle             0x0B read response   value
//     0x12 write request  u8 handle | value     0x13 write response
//     0x1B notification   u8 handle | value     device: unasked, MTU - 3 bytes at most
//     0x01 error          u8 opcode | u8 handle | u8 error    device: that request is refused
//
// Handles are the numbers of characteristics; with 0x80 more that of its descriptor, where | 1 | 0
// | is written to subscribe and | 0 | 0 | to end it. One request is under way at a time. A value
// longer than the MTU is one request here; on a radio both stacks cut it, and nobody above them
// sees it. Disconnecting is the end of the socket. Whatever else comes ends it, too.

export const Opcode = {
  ERROR: 0x01,
  MTU_REQUEST: 0x02,
  MTU_RESPONSE: 0x03,
  READ_REQUEST: 0x0a,
  READ_RESPONSE: 0x0b,
  WRITE_REQUEST: 0x12,
  WRITE_RESPONSE: 0x13,
  NOTIFICATION: 0x1b,
  CONNECT: 0xf0,
  CONNECTED: 0xf1,
  REFUSED: 0xf2,
} as const;

/** Why a device does not take a central. */
export const Refusal = { SILENT: 1, TAKEN: 2 } as const;

export const DESCRIPTOR = 0x80;
/** "Unlikely error": what a device answers that does not want a value. */
export const ERROR_UNLIKELY = 0x0e;
export const ATT_HEAD_BYTES = 3;
export const MTU_MIN = 23;
export const MTU_MAX = 517;

const LENGTH_BYTES = 2;
/** Opcode, handle, and a value of 512 bytes. */
const PDU_BYTES_MAX = 514;

export class AttError extends Error {}

export interface Pdu {
  readonly opcode: number;
  readonly body: Buffer;
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >> 8);
}

/** Parts are bytes, or one byte. */
export function encodePdu(opcode: number, ...parts: readonly (number | Uint8Array)[]): Buffer {
  const body = parts.map((part) => (typeof part === "number" ? Uint8Array.of(part) : part));
  const bytes = body.reduce((sum, part) => sum + part.length, 1);
  return Buffer.concat([u16(bytes), Uint8Array.of(opcode), ...body]);
}

/** Throws AttError for an MTU that cannot be. */
export function decodeMtu(body: Buffer): number {
  const mtu = body.length === 2 ? body.readUInt16LE() : 0;
  if (mtu < MTU_MIN) throw new AttError("no MTU");
  return Math.min(mtu, MTU_MAX);
}

/** Takes a stream apart. */
export class PduReader {
  private bytes = Buffer.alloc(0);

  add(chunk: Uint8Array): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
  }

  /** The next one, when it is there whole. Throws AttError for a length that cannot be. */
  next(): Pdu | null {
    if (this.bytes.length < LENGTH_BYTES) return null;
    const end = LENGTH_BYTES + this.bytes.readUInt16LE();
    if (end === LENGTH_BYTES || end > LENGTH_BYTES + PDU_BYTES_MAX) throw new AttError("no length");
    if (this.bytes.length < end) return null;
    const [opcode, body] = [this.bytes[LENGTH_BYTES]!, this.bytes.subarray(LENGTH_BYTES + 1, end)];
    this.bytes = this.bytes.subarray(end);
    return { opcode, body };
  }
}
