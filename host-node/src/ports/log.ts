// Port log: log lines and system events leave the core here, as text and numbers with names.

import { type LogPort as Contract, Event, LogLevel, LogModule, nameOf, Status } from "../abi.js";
import type { Clock } from "../clock.js";

export interface LogLine {
  readonly at: number;
  readonly level: LogLevel;
  readonly levelName: string;
  readonly module: LogModule;
  readonly moduleName: string;
  readonly text: string;
}

export interface SystemEvent {
  readonly at: number;
  readonly event: Event;
  readonly name: string;
  readonly value: number;
  readonly text: string;
}

export class LogPort implements Contract {
  private readonly decoder = new TextDecoder();

  constructor(
    private readonly clock: Clock,
    private readonly onLine: (line: LogLine) => void,
    private readonly onEvent: (event: SystemEvent) => void,
  ) {}

  write(level: number, module: number, text: Uint8Array): number {
    this.onLine({
      at: this.clock.now(),
      level: level as LogLevel,
      levelName: nameOf(LogLevel, level),
      module: module as LogModule,
      moduleName: nameOf(LogModule, module),
      text: this.decoder.decode(text),
    });
    return Status.OK;
  }

  event(event: number, value: number, text: Uint8Array): number {
    this.onEvent({
      at: this.clock.now(),
      event: event as Event,
      name: nameOf(Event, event),
      value,
      text: this.decoder.decode(text),
    });
    return Status.OK;
  }
}
