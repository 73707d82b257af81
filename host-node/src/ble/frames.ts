// A packet cut into frames for one characteristic, and put together again: docs/BLE.md, "Frames".
//
//     first frame   | 0x80 | u16 bytes of the packet | u32 CRC-32 of the packet | its first bytes ... |
//     other frames  | sequence 1, 2 .. 127, 0, 1 ..  | the next bytes ...                              |
//
// Little-endian. The CRC tells a frame that was lost from a packet that was forged. Runs in
// browsers.

import { BLE_FRAME_BYTES_MAX, BLE_PACKET_BYTES_MAX } from "../abi.js";
import { crc32 } from "../crc32.js";

const FIRST = 0x80;
const FIRST_HEAD_BYTES = 7;
const SEQUENCE_MASK = 0x7f;
/** Operation and handle in front of a value (Core Specification, Vol 3, Part F, 3.4.5). */
const ATT_HEAD_BYTES = 3;

export type FrameProblem = "sequence" | "size" | "crc";

export class FrameError extends Error {
  constructor(
    readonly problem: FrameProblem,
    message: string,
  ) {
    super(message);
    this.name = "FrameError";
  }
}

/** Bytes of a frame at most. */
export function frameBytes(mtu: number): number {
  return Math.min(mtu - ATT_HEAD_BYTES, BLE_FRAME_BYTES_MAX);
}

function firstFrame(packet: Uint8Array, bytesMax: number): Uint8Array {
  const part = packet.subarray(0, bytesMax - FIRST_HEAD_BYTES);
  const frame = new Uint8Array(FIRST_HEAD_BYTES + part.length);
  const view = new DataView(frame.buffer);
  frame[0] = FIRST;
  view.setUint16(1, packet.length, true);
  view.setUint32(3, crc32(packet), true);
  frame.set(part, FIRST_HEAD_BYTES);
  return frame;
}

/** Frames of a packet, in order. Throws FrameError for one that is empty or too large. */
export function framesOf(packet: Uint8Array, mtu: number): Uint8Array[] {
  if (packet.length === 0 || packet.length > BLE_PACKET_BYTES_MAX) {
    throw new FrameError("size", `a packet of ${packet.length} bytes`);
  }
  const bytesMax = frameBytes(mtu);
  const frames = [firstFrame(packet, bytesMax)];
  let at = bytesMax - FIRST_HEAD_BYTES;
  for (let sequence = 1; at < packet.length; sequence = (sequence + 1) & SEQUENCE_MASK) {
    frames.push(Uint8Array.of(sequence, ...packet.subarray(at, at + bytesMax - 1)));
    at += bytesMax - 1;
  }
  return frames;
}

/** One packet as it comes in. After an error, and after the packet, it takes no more frames. */
export class FrameReader {
  private packet: Uint8Array | null = null;
  private crc = 0;
  private received = 0;
  private sequence = 1;

  /** The packet when this was its last frame, else null. Throws FrameError. */
  take(frame: Uint8Array): Uint8Array | null {
    if (this.packet === null) this.begin(frame);
    else this.goOn(this.packet, frame);
    return this.finished();
  }

  private begin(frame: Uint8Array): void {
    if (frame[0] !== FIRST) throw new FrameError("sequence", "the first frame is missing");
    if (frame.length < FIRST_HEAD_BYTES) throw new FrameError("size", "a first frame without head");
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const bytes = view.getUint16(1, true);
    if (bytes === 0 || bytes > BLE_PACKET_BYTES_MAX) {
      throw new FrameError("size", `a packet of ${bytes} bytes`);
    }
    this.crc = view.getUint32(3, true);
    this.packet = new Uint8Array(bytes);
    this.add(this.packet, frame.subarray(FIRST_HEAD_BYTES));
  }

  private goOn(packet: Uint8Array, frame: Uint8Array): void {
    if (frame[0] !== this.sequence) {
      throw new FrameError("sequence", `frame ${frame[0]} where ${this.sequence} is awaited`);
    }
    if (frame.length === 1) throw new FrameError("size", "a frame without a byte");
    this.sequence = (this.sequence + 1) & SEQUENCE_MASK;
    this.add(packet, frame.subarray(1));
  }

  private add(packet: Uint8Array, part: Uint8Array): void {
    if (part.length > packet.length - this.received) {
      throw new FrameError("size", "more bytes than the packet has");
    }
    packet.set(part, this.received);
    this.received += part.length;
  }

  private finished(): Uint8Array | null {
    if (this.packet === null || this.received < this.packet.length) return null;
    if (crc32(this.packet) !== this.crc) throw new FrameError("crc", "not what was sent");
    return this.packet;
  }
}
