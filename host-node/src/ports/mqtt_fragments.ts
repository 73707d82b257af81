// Payloads of MQTT_MESSAGE (docs/ABI.md): a message cut into fragments, each as large as the inbox
// at most. Used by the port mqtt of a device on a desk and of a simulated one.

import { INBOX_BYTES } from "../abi.js";

const TOPIC_SIZE_BYTES = 2;

export interface Fragment {
  /** Of its first byte in the message. */
  readonly offset: number;
  /** The payload of the event: topic, in the first one only, and bytes. */
  readonly bytes: Buffer;
}

/** An empty message has one. */
export function fragmentsOf(topic: Buffer, payload: Buffer): Fragment[] {
  const fragments: Fragment[] = [];
  let offset = 0;
  do {
    const name = offset === 0 ? topic : Buffer.alloc(0);
    const room = INBOX_BYTES - TOPIC_SIZE_BYTES - name.length;
    const head = Buffer.alloc(TOPIC_SIZE_BYTES);
    head.writeUInt16LE(name.length);
    const part = payload.subarray(offset, offset + room);
    fragments.push({ offset, bytes: Buffer.concat([head, name, part]) });
    offset += part.length;
  } while (offset < payload.length);
  return fragments;
}
