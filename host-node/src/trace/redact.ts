// The redactor of traces: which bytes are one text, which are flash, which are a secret as a whole
// (docs/TRACES.md). Its C twin, with the same rules and names, is
// host-esp32/components/host_abi/trace_redact.c. What goes on over several slices is told by their
// places; everything else is a text by itself.
//
//     MQTT_MESSAGE      one message is one text, from the fragment at 0
//     sys_config_read   the document is one text; a read elsewhere than where the last one ended is
//                       masked as its place in the document asks for, which is read up to there
//     ble_read          the same for a packet of a central, from the ble_append before it on
//     http_url          the parts of one URL
//     HTTP_BODY,        one text from HTTP_RESPONSE on; one that begins in the middle of a resource
//     ota_write         may begin in the middle of a key, and counts as if it did

import { EventKind, IMPORTS } from "../abi.js";
import type { CoreEvent } from "../core.js";
import { crc32 } from "../crc32.js";
import { type DocumentChecksums, FlashMask, type FlashReader } from "./redact_flash.js";
import { Mask, TextMask } from "./redact_text.js";
import type { Redactor } from "./redactor.js";

/** How the host looks things up again; a call must have no effect that the core could notice. */
export interface TraceReaders {
  /** As FlashPort.read: sees all writes accepted so far. */
  readonly flash: FlashReader;
  /** As SysPort.configRead. */
  readonly config: (offset: number, bytes: Uint8Array) => number;
  /** As BlePort.read. */
  readonly packet: (offset: number, bytes: Uint8Array) => number;
}

const PIECE_BYTES = 64;

type Argument = number | Uint8Array;

/** For each import: which of its parameters are filled by the host, and whether with a count. */
const OUTS = new Map(
  IMPORTS.map(({ name, params, result }) => {
    const outs = Object.values(params).map((type) => type === "out");
    return [name, { outs, isCount: result === "count" }] as const;
  }),
);

/** A text that the core reads through windows, wherever they are. */
class ReadText {
  private readonly text = new TextMask();
  /** Where the next read goes on with it. */
  private at = 0;

  constructor(private readonly read: (offset: number, bytes: Uint8Array) => number) {}

  begin(): void {
    this.text.begin();
    this.at = 0;
  }

  masked(offset: number, bytes: Uint8Array): Uint8Array {
    this.goTo(offset);
    this.at = (offset + bytes.length) >>> 0;
    return masked(this.text, bytes);
  }

  /** The text stands at `offset` afterwards; behind its end a text of its own begins. */
  private goTo(offset: number): void {
    if (offset === this.at && offset !== 0) return;
    this.text.begin();
    for (let at = 0; at < offset; ) {
      const piece = new Uint8Array(Math.min(PIECE_BYTES, offset - at));
      const count = this.read(at, piece);
      if (count <= 0) {
        this.text.begin();
        return;
      }
      this.text.mask(piece.subarray(0, count));
      at += count;
    }
  }
}

export class TraceRedactor implements Redactor {
  private readonly flash: FlashMask;
  /** Of a slice that is a text by itself. */
  private readonly single = new TextMask();
  private readonly message = new TextMask();
  private readonly document: ReadText;
  private readonly packet: ReadText;
  private readonly url = new TextMask();
  private readonly body = new TextMask();
  private readonly update = new TextMask();

  constructor(private readonly readers: TraceReaders) {
    this.flash = new FlashMask(readers.flash, () => this.documentChecksums());
    this.document = new ReadText(readers.config);
    this.packet = new ReadText(readers.packet);
    this.begin();
  }

  begin(): void {
    const texts = [this.message, this.document, this.packet, this.body, this.update];
    for (const text of texts) text.begin();
    this.url.beginUrl();
  }

  event({ kind, b, payload }: CoreEvent): Uint8Array {
    if (kind === EventKind.MQTT_MESSAGE) return this.ofMessage(b, payload);
    if (kind === EventKind.HTTP_BODY) return masked(this.body, payload);
    if (kind === EventKind.HTTP_RESPONSE) this.beginBody(payload);
    return masked(this.single.begin(), payload);
  }

  call(name: string, args: readonly Argument[], result: number): readonly Argument[] {
    const entry = OUTS.get(name);
    return args.map((argument, index) => {
      if (typeof argument === "number" || argument.length === 0) return argument;
      if (entry?.outs[index] !== true) return this.ofSlice(name, args, index, argument);
      // What the host did not fill is whatever was there before.
      const filled = result < 0 ? 0 : entry.isCount ? result : argument.length;
      const whole = new Uint8Array(argument.length);
      const bytes = argument.subarray(0, filled);
      if (bytes.length > 0) whole.set(this.ofSlice(name, args, index, bytes));
      return whole;
    });
  }

  private ofSlice(
    name: string,
    args: readonly Argument[],
    index: number,
    bytes: Uint8Array,
  ): Uint8Array {
    switch (name) {
      case "flash_read":
      case "flash_write":
        return this.flash.mask(Number(args[0]), bytes, name === "flash_read");
      case "wifi_join":
        return index === 1
          ? new Uint8Array(bytes.length).fill(Mask.PASSWORD)
          : masked(this.single.begin(), bytes);
      case "sys_random":
        return new Uint8Array(bytes);
      case "sys_config_read":
        return this.document.masked(Number(args[0]), bytes);
      case "ble_append":
        // Whatever was there to be read is not any more.
        this.packet.begin();
        return masked(this.single.begin(), bytes);
      case "ble_read":
        return this.packet.masked(Number(args[0]), bytes);
      case "http_url":
        if (args[1] !== 0) this.url.beginUrl();
        return masked(this.url, bytes);
      case "ota_write":
        return masked(this.update, bytes);
      default:
        return masked(this.single.begin(), bytes);
    }
  }

  private ofMessage(offset: number, payload: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(payload);
    const head = payload.length < 2 ? payload.length : 2 + (payload[0]! | (payload[1]! << 8));
    this.single.begin().mask(bytes.subarray(0, head));
    if (offset === 0) this.message.begin();
    this.message.mask(bytes.subarray(head));
    return bytes;
  }

  private documentChecksums(): DocumentChecksums {
    const piece = new Uint8Array(PIECE_BYTES);
    const text = new TextMask().begin();
    let [own, shown] = [0, 0];
    for (let at = 0; ; ) {
      const count = this.readers.config(at, piece);
      if (count <= 0) return { own, shown };
      const part = piece.subarray(0, count);
      own = crc32(part, own);
      text.mask(part);
      shown = crc32(part, shown);
      at += count;
    }
  }

  private beginBody(payload: Uint8Array): void {
    const isWhole = payload.length >= 4 && payload.subarray(0, 4).every((byte) => byte === 0);
    for (const text of [this.body, this.update]) {
      if (isWhole) text.begin();
      else text.beginInside();
    }
  }
}

function masked(text: TextMask, bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes);
  text.mask(copy);
  return copy;
}
