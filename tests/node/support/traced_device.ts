// Scripted devices that are traced, and their traces: as text, with lines that a test can spoil.

import { parseTrace } from "../../../host-node/src/trace/parser.js";
import { TraceRedactor } from "../../../host-node/src/trace/redact.js";
import { NO_REDACTION, type Redactor } from "../../../host-node/src/trace/redactor.js";
import {
  type ReplayOptions,
  type ReplayResult,
  replayTrace,
} from "../../../host-node/src/trace/replay.js";
import { TraceWriter } from "../../../host-node/src/trace/writer.js";
import { type DeviceOptions, ScriptedDevice } from "./scripted_host.js";

/** Lines of a trace as they are written; line n of the trace is lines[n - 1]. */
export class Trace {
  readonly lines: string[] = [];
  readonly writer: TraceWriter;

  constructor(redactor: Redactor = NO_REDACTION) {
    this.writer = new TraceWriter((line) => this.lines.push(line), redactor);
  }
}

/** A device whose trace goes through the redactor. */
export function redacted(options: DeviceOptions): { device: ScriptedDevice; trace: Trace } {
  const trace = new Trace(
    new TraceRedactor({
      flash: (offset, bytes) => device.flash.read(offset, bytes),
      config: (offset, bytes) => {
        const part = device.document.subarray(offset, offset + bytes.length);
        bytes.set(part);
        return part.length;
      },
      packet: (offset, bytes) => device.ble.read(offset, bytes),
    }),
  );
  const device: ScriptedDevice = new ScriptedDevice({ ...options, hooks: trace.writer.hooks });
  return { device, trace };
}

export function replay(
  lines: readonly string[],
  module: Uint8Array,
  options?: ReplayOptions,
): ReplayResult {
  return replayTrace(parseTrace(`${lines.join("\n")}\n`), () => module, options);
}
