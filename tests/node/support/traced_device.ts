// Scripted devices that are traced, and their traces: as text, with lines that a test can spoil.

import { parseTrace } from "../../../host-node/src/trace/parser.js";
import { NO_REDACTION, type Redactor } from "../../../host-node/src/trace/redactor.js";
import {
  type ReplayOptions,
  type ReplayResult,
  replayTrace,
} from "../../../host-node/src/trace/replay.js";
import { TraceWriter } from "../../../host-node/src/trace/writer.js";

/** Lines of a trace as they are written; line n of the trace is lines[n - 1]. */
export class Trace {
  readonly lines: string[] = [];
  readonly writer: TraceWriter;

  constructor(redactor: Redactor = NO_REDACTION) {
    this.writer = new TraceWriter((line) => this.lines.push(line), redactor);
  }
}

export function replay(
  lines: readonly string[],
  module: Uint8Array,
  options?: ReplayOptions,
): ReplayResult {
  return replayTrace(parseTrace(`${lines.join("\n")}\n`), () => module, options);
}
