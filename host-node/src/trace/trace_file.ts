// A trace in a file, and beside it each module that ran, so that the two can be replayed on another
// machine without a question. `iot32 run --trace` writes them, `iot32 replay` reads them.

import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { Status } from "../abi.js";
import type { LifeHooks, LifeReaders } from "../life.js";
import { TraceError } from "./lines.js";
import { TraceRedactor } from "./redact.js";
import type { ModuleSource } from "./replay.js";
import { moduleDigest, TraceWriter } from "./writer.js";

/** Where the module with this digest is kept: FILE.<first 8 digits>.wasm. */
export function modulePath(trace: string, digest: string): string {
  return `${trace}.${digest.slice(0, 8)}.wasm`;
}

function openForWriting(path: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    throw new Error(`cannot write ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

export class TraceFile {
  /** For the device that is traced. */
  readonly hooks: LifeHooks;
  private readonly file: number;
  private readonly writer: TraceWriter;
  private readonly kept = new Set<string>();
  /** Those of the life that runs. */
  private readers: LifeReaders = {
    flash: () => Status.NOT_READY,
    config: () => 0,
    packet: () => 0,
  };

  /** Begins the file anew; throws when it cannot be written. */
  constructor(private readonly path: string) {
    const redactor = new TraceRedactor({
      flash: (offset, bytes) => this.readers.flash(offset, bytes),
      config: (offset, bytes) => this.readers.config(offset, bytes),
      packet: (offset, bytes) => this.readers.packet(offset, bytes),
    });
    this.file = openForWriting(path);
    // Each line is with the operating system before the core goes on: a process that is killed has
    // no time to write, and how it came to that is what its trace is wanted for.
    this.writer = new TraceWriter((line) => writeFileSync(this.file, `${line}\n`), redactor);
    const { onModule } = this.writer.hooks;
    this.hooks = {
      ...this.writer.hooks,
      onModule: (bytes, readers) => {
        this.readers = readers;
        this.keep(bytes);
        onModule(bytes);
      },
    };
  }

  private keep(module: Uint8Array): void {
    const digest = moduleDigest(module);
    if (this.kept.has(digest)) return;
    this.kept.add(digest);
    writeFileSync(modulePath(this.path, digest), module);
  }

  /** The power of the device went. */
  off(): void {
    this.writer.off();
  }

  close(): void {
    closeSync(this.file);
  }
}

export interface GivenModule {
  /** SHA-256 of the module as it is shipped. */
  readonly digest: string;
  /** What is run: the same code, perhaps with names. */
  readonly bytes: Uint8Array;
}

export interface ModuleChoice {
  /** Modules to choose from; none: those beside the trace. */
  readonly modules: readonly GivenModule[];
  /** A module may have another digest than the trace names. */
  readonly anyModule: boolean;
}

/**
 * Where a replay of this trace gets its modules: by digest. Where any will do, the first that was
 * given runs the lives of the module that the trace names first, and so on, the last all others.
 * A digest that no module has is a TraceError.
 */
export function modulesFor(trace: string, { modules, anyModule }: ModuleChoice): ModuleSource {
  const byDigest = new Map(modules.map(({ digest, bytes }) => [digest, bytes]));
  const asked: (string | null)[] = [];
  return (digest) => {
    if (!asked.includes(digest)) asked.push(digest);
    const found = digest === null ? undefined : byDigest.get(digest);
    if (found !== undefined) return found;
    if (modules.length === 0) return moduleBeside(trace, digest);
    const isFree = anyModule || (digest === null && modules.length === 1);
    if (isFree) return modules[Math.min(asked.indexOf(digest), modules.length - 1)]!.bytes;
    throw new TraceError(0, refusal(digest));
  };
}

function refusal(digest: string | null): string {
  return digest === null
    ? "the trace does not say which of these modules ran: give one"
    : `the trace is of module ${digest}, and none that was given is it; --any-module takes another`;
}

function moduleBeside(trace: string, digest: string | null): Uint8Array {
  if (digest === null) {
    throw new TraceError(0, "the trace does not say which module ran: give it with --module");
  }
  const path = modulePath(trace, digest);
  if (!existsSync(path)) {
    throw new TraceError(0, `${path}, which the trace is of, is missing: give it with --module`);
  }
  const bytes = readFileSync(path);
  if (moduleDigest(bytes) === digest) return bytes;
  throw new TraceError(0, `${path} is not the module of the trace, which has digest ${digest}`);
}
