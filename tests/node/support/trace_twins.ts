// The redactors of traces of desk and chip side by side: what the one is asked as events and calls,
// the other (tests/node/trace_redact_native.c) is asked slice by slice, as a writer of traces on a
// chip does it.

import { EventKind, IMPORTS } from "../../../host-node/src/abi.js";
import type { CoreEvent } from "../../../host-node/src/core.js";
import { TraceRedactor } from "../../../host-node/src/trace/redact.js";

type Argument = number | Uint8Array;

const hex = (bytes: Uint8Array): string =>
  bytes.length === 0 ? "-" : Buffer.from(bytes).toString("hex");

function readFrom(from: Uint8Array, offset: number, bytes: Uint8Array): number {
  const part = from.subarray(offset, offset + bytes.length);
  bytes.set(part);
  return part.length;
}

/** A dialogue with both: lines for the chip's, and the answers that the desk's gives. */
export class TwinDialogue {
  readonly lines: string[] = [];
  readonly expected: string[] = [];
  private partition: Uint8Array = new Uint8Array();
  private document: Uint8Array = new Uint8Array();
  private packet: Uint8Array = new Uint8Array();
  private readonly redactor = new TraceRedactor({
    flash: (offset, bytes) => {
      if (offset + bytes.length > this.partition.length) return -1;
      bytes.set(this.partition.subarray(offset, offset + bytes.length));
      return 0;
    },
    config: (offset, bytes) => readFrom(this.document, offset, bytes),
    packet: (offset, bytes) => readFrom(this.packet, offset, bytes),
  });

  setPartition(bytes: Uint8Array): void {
    this.partition = Uint8Array.from(bytes);
    this.lines.push(`partition ${hex(bytes)}`);
  }

  setDocument(bytes: Uint8Array): void {
    this.document = Uint8Array.from(bytes);
    this.lines.push(`document ${hex(bytes)}`);
  }

  setPacket(bytes: Uint8Array): void {
    this.packet = Uint8Array.from(bytes);
    this.lines.push(`packet ${hex(bytes)}`);
  }

  setPieces(bytes: number): void {
    this.lines.push(`pieces ${bytes}`);
  }

  begin(): void {
    this.redactor.begin();
    this.lines.push("begin");
  }

  event(event: CoreEvent): void {
    const { kind, a, b, payload } = event;
    if (kind === EventKind.BOOT) this.begin();
    const shown = this.redactor.event(event);
    if (payload.length === 0) return;
    this.lines.push(`slice - ${kind} 0 0 0 ${a},${b} ${hex(payload)}`);
    this.expected.push(hex(shown));
  }

  call(name: string, args: readonly Argument[], result: number): void {
    const entry = IMPORTS.find((known) => known.name === name)!;
    const types = Object.values(entry.params);
    const shown = this.redactor.call(name, args, result);
    const isRefused = args.length !== types.length;
    const numbers = args.filter((argument) => typeof argument === "number");
    for (const [index, argument] of args.entries()) {
      if (isRefused || typeof argument === "number") continue;
      const isOut = types[index] === "out";
      const filled = result < 0 ? 0 : entry.result === "count" ? result : argument.length;
      const bytes = argument.subarray(0, isOut ? filled : argument.length);
      if (bytes.length === 0) continue;
      const where = `${name} 0 ${index} ${isOut ? 1 : 0} ${result} ${numbers.join(",")}`;
      this.lines.push(`slice ${where} ${hex(bytes)}`);
      this.expected.push(hex((shown[index] as Uint8Array).subarray(0, bytes.length)));
    }
  }
}
