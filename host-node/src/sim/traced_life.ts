// The trace (docs/TRACES.md) of one life of a simulated device, from its BOOT on.

import { writeFileSync } from "node:fs";
import { TraceRedactor } from "../trace/redact.js";
import { modulePath } from "../trace/trace_file.js";
import { moduleDigest, TraceWriter } from "../trace/writer.js";
import type { SimDevice } from "./device.js";
import type { Listener, Violation } from "./monitor.js";

export class TracedLife {
  readonly lines: string[] = [];
  /** For the simulation in which the life is lived. */
  readonly listener: Listener = {
    booted: (device) => this.booted(device),
    ended: (device) => {
      if (device === this.device) this.writer?.off();
    },
  };
  private readonly index: number;
  private device: SimDevice | null = null;
  private writer: TraceWriter | null = null;
  private module: Uint8Array = new Uint8Array();

  /** The life of the violation; where that is of no device, the last one of the first device. */
  constructor(private readonly violation: Violation) {
    this.index = violation.device ?? 0;
  }

  private booted(device: SimDevice): void {
    const { device: ofDevice, life } = this.violation;
    if (device.index !== this.index || (ofDevice !== null && device.life !== life)) return;
    this.lines.length = 0;
    this.device = device;
    this.module = device.software!.module.bytes;
    const { sys } = device.ports;
    const redactor = new TraceRedactor({
      flash: (offset, bytes) => device.readFlash(offset, bytes),
      config: (offset, bytes) => sys.configRead(offset, bytes),
      packet: (offset, bytes) => device.ble.read(offset, bytes),
    });
    this.writer = new TraceWriter((line) => void this.lines.push(line), redactor);
    this.writer.hooks.onModule(this.module);
    device.hooks = this.writer.hooks;
  }

  /** Nothing more happens; the last line is a comment. */
  finish(comment: string): void {
    if (this.device !== null) this.device.hooks = {};
    this.lines.push(`# ${comment.replaceAll("\n", " ")}`);
  }

  /** Beside the trace, where `iot32 replay` looks for it. */
  writeModule(path: string): void {
    writeFileSync(modulePath(path, moduleDigest(this.module)), this.module);
  }
}
