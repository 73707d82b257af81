// The language between a test and tests/wasm/apps/puppet.ts: orders that the application carries
// out through the library, and its reports of what came of them. Numbers are little-endian, texts
// and bytes have a u16 size in front.

/** Added to the offset of sys_config_read by whoever wants orders and not the document. */
export const ORDERS_AT = 0x40000000;

/** When orders are asked for: in setup(), after an event (its number), when a timer fires. */
export const Moment = {
  SETUP: 0,
  timer: (number: number): number => 0x100 + number,
} as const;

const Code = {
  PUBLISH: 1,
  SUBSCRIBE: 2,
  UNSUBSCRIBE: 3,
  READ: 4,
  OVERFLOW: 5,
  CLEAR_QUEUE: 6,
  RESTART: 7,
  EVERY: 8,
  AFTER: 9,
  CANCEL: 10,
  FLASH_WRITE: 11,
  FLASH_READ: 12,
  FLASH_ERASE: 13,
  STATE: 14,
  FACTORY_RESET: 15,
  BLE_CONFIGURE: 16,
  BLE_SEND: 17,
  EVENT: 20,
  TIMER: 21,
} as const;

export const Overflow = { REFUSE_NEWEST: 0, DROP_OLDEST: 1, REPLACE_BY_TOPIC: 2 } as const;

export interface PublishOptions {
  readonly qos?: number;
  readonly retain?: boolean;
}

export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
}

export interface ApplicationState {
  readonly mode: number;
  readonly isConnected: boolean;
  readonly isFlashBusy: boolean;
  readonly isWaitingForRestart: boolean;
  readonly queueLength: number;
  readonly available: number;
  readonly uptimeMs: number;
  readonly thingName: string;
}

export type Report =
  | { readonly kind: "publish"; readonly result: number }
  | { readonly kind: "status"; readonly result: number }
  | { readonly kind: "done" }
  | { readonly kind: "message"; readonly message: Message | null }
  | { readonly kind: "bytes"; readonly bytes: Buffer | null }
  | { readonly kind: "state"; readonly state: ApplicationState }
  | {
      readonly kind: "event";
      readonly event: number;
      readonly value: number;
      readonly text: string;
    }
  | { readonly kind: "timer"; readonly number: number };

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value | 0);
  return bytes;
}

function sized(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content as string);
  const size = Buffer.alloc(2);
  size.writeUInt16LE(bytes.length);
  return Buffer.concat([size, bytes]);
}

function order(code: number, ...parts: (number | Buffer)[]): Buffer {
  const bytes = parts.map((part) => (typeof part === "number" ? Buffer.of(part) : part));
  return Buffer.concat([Buffer.of(code), ...bytes]);
}

/** One order each. */
export const orders = {
  publish: (topic: string, payload: string | Uint8Array, options: PublishOptions = {}): Buffer =>
    order(Code.PUBLISH, options.qos ?? 0, options.retain ? 1 : 0, sized(topic), sized(payload)),
  subscribe: (filter: string, qos = 0): Buffer => order(Code.SUBSCRIBE, qos, sized(filter)),
  unsubscribe: (filter: string): Buffer => order(Code.UNSUBSCRIBE, sized(filter)),
  read: (): Buffer => order(Code.READ),
  overflow: (policy: number): Buffer => order(Code.OVERFLOW, policy),
  clearQueue: (): Buffer => order(Code.CLEAR_QUEUE),
  restart: (delayMs = 0): Buffer => order(Code.RESTART, int(delayMs)),
  every: (callback: number, ms: number): Buffer => order(Code.EVERY, callback, int(ms)),
  after: (callback: number, ms: number): Buffer => order(Code.AFTER, callback, int(ms)),
  cancel: (timer: number): Buffer => order(Code.CANCEL, int(timer)),
  flashWrite: (at: number, bytes: string | Uint8Array): Buffer =>
    order(Code.FLASH_WRITE, int(at), sized(bytes)),
  flashRead: (at: number, size: number): Buffer => order(Code.FLASH_READ, int(at), int(size)),
  flashErase: (): Buffer => order(Code.FLASH_ERASE),
  state: (): Buffer => order(Code.STATE),
  factoryReset: (): Buffer => order(Code.FACTORY_RESET),
  bleConfigure: (): Buffer => order(Code.BLE_CONFIGURE),
  bleSend: (name: string, data: string | Uint8Array): Buffer =>
    order(Code.BLE_SEND, sized(name), sized(data)),
};

function slice(bytes: Buffer, at: number): Buffer {
  const size = bytes.readUInt16LE(at);
  return bytes.subarray(at + 2, at + 2 + size);
}

function message(bytes: Buffer): Message | null {
  if (bytes[1] === 0) return null;
  const topic = slice(bytes, 2);
  return { topic: topic.toString(), payload: slice(bytes, 4 + topic.length) };
}

function state(bytes: Buffer): ApplicationState {
  return {
    mode: bytes[1]!,
    isConnected: bytes[2] === 1,
    isFlashBusy: bytes[3] === 1,
    isWaitingForRestart: bytes[4] === 1,
    queueLength: bytes.readInt32LE(5),
    available: bytes.readInt32LE(9),
    uptimeMs: bytes.readUInt32LE(13) + bytes.readUInt32LE(17) * 2 ** 32,
    thingName: slice(bytes, 21).toString(),
  };
}

/** What the application says about an order, an event or a timer. */
export function parseReport(line: Uint8Array): Report {
  const bytes = Buffer.from(line);
  switch (bytes[0]) {
    case Code.PUBLISH:
      return { kind: "publish", result: bytes.readInt32LE(1) };
    case Code.READ:
      return { kind: "message", message: message(bytes) };
    case Code.FLASH_READ:
      return { kind: "bytes", bytes: bytes[1] === 0 ? null : slice(bytes, 2) };
    case Code.STATE:
      return { kind: "state", state: state(bytes) };
    case Code.EVENT:
      return {
        kind: "event",
        event: bytes[1]!,
        value: bytes.readInt32LE(2),
        text: slice(bytes, 6).toString(),
      };
    case Code.TIMER:
      return { kind: "timer", number: bytes[1]! };
    default:
      return bytes.length === 5
        ? { kind: "status", result: bytes.readInt32LE(1) }
        : { kind: "done" };
  }
}
