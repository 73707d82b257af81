// The core as the host sees it: one instance of the module for one life of a device. Checks before
// the first call that module and host fit together, copies payloads into the inbox, refuses to be
// re-entered, and turns a trap into an error that says which event caused it. Called by life.ts
// only.

import { createHash } from "node:crypto";
import { instantiateSync } from "@assemblyscript/loader";
import {
  ABI_VERSION,
  bindImports,
  type CallHook,
  type CoreExports,
  EventKind,
  EXPORTS,
  type HostImports,
  IMPORT_MODULE,
  IMPORTS,
  INBOX_BYTES,
  nameOf,
  type Ports,
} from "./abi.js";
import { type CoreSnapshot, exportedGlobals } from "./core_snapshot.js";

/** One event as it is dispatched. */
export interface CoreEvent {
  readonly kind: EventKind;
  readonly a: number;
  readonly b: number;
  readonly payload: Uint8Array;
}

export interface CoreHooks {
  /** Sees each event just before it is dispatched. */
  readonly onStep?: (event: CoreEvent, nowMs: number) => void;
  /** Sees each call of the core to its host after it was answered; slices die with the call. */
  readonly onCall?: CallHook;
  /** Sees what dispatch returned; a step that trapped or was cut off by power has no such call. */
  readonly onReturn?: (waitMs: number) => void;
  /** Sees that a step trapped. */
  readonly onTrap?: (trap: CoreTrap) => void;
}

/** The module and this host do not fit together, or the module was used wrongly. */
export class CoreError extends Error {
  override readonly name = "CoreError";
}

/**
 * The core trapped: an assertion, unreachable code, a stack overflow. Its instance is dead until a
 * snapshot is restored.
 */
export class CoreTrap extends Error {
  override readonly name = "CoreTrap";
  /** As the next life hears it: kind of the event, and what was wrong. */
  readonly text: string;
  constructor(
    readonly event: CoreEvent,
    /** What sys_panic said just before, or null when the trap came without. */
    readonly panic: string | null,
    cause: unknown,
  ) {
    const what = panic ?? (cause instanceof Error ? cause.message : String(cause));
    const text = `${nameOf(EventKind, event.kind)}: ${what}`;
    super(`the core trapped on ${text}`, { cause });
    this.text = text;
  }
}

/** Thrown through the module to end a step at once: the power is off. */
export class PowerOff extends Error {
  override readonly name = "PowerOff";
}

/** Compiled modules by SHA-256 of their bytes, oldest first: devices and their lives share them. */
const compiled = new Map<string, WebAssembly.Module>();
const COMPILED_MAX = 16;

/** Bytes of a module, compiled; throws CoreError when they are no module. */
export function compileCore(bytes: Uint8Array): WebAssembly.Module {
  const key = createHash("sha256").update(bytes).digest("hex");
  const module = compiled.get(key) ?? compile(bytes);
  compiled.delete(key);
  compiled.set(key, module);
  const [oldest] = compiled.keys();
  if (compiled.size > COMPILED_MAX && oldest !== undefined) compiled.delete(oldest);
  return module;
}

function compile(bytes: Uint8Array): WebAssembly.Module {
  try {
    return new WebAssembly.Module(new Uint8Array(bytes));
  } catch (error) {
    throw new CoreError(`not a WebAssembly module: ${(error as Error).message}`);
  }
}

/** Throws CoreError when the module wants or offers something else than the ABI's table. */
function checkTable(module: WebAssembly.Module): void {
  const known = new Set(IMPORTS.map((entry) => `${IMPORT_MODULE}.${entry.name}`));
  const wanted = WebAssembly.Module.imports(module).map((entry) => `${entry.module}.${entry.name}`);
  const unknown = wanted.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new CoreError(`the module imports ${unknown.join(", ")}, which this host does not have`);
  }
  const offered = new Set(WebAssembly.Module.exports(module).map((entry) => entry.name));
  const missing = [...EXPORTS.map((entry) => entry.name), "memory"].filter(
    (name) => !offered.has(name),
  );
  if (missing.length > 0) {
    throw new CoreError(`the module does not export ${missing.join(", ")}: is it an iot32 module?`);
  }
}

/** Message and file are UTF-16LE; without a file, line is a number of assembly/util/assert.ts. */
function panicText(message: Uint8Array, file: Uint8Array, line: number, column: number): string {
  const decoder = new TextDecoder("utf-16le");
  const where =
    file.length === 0 ? `assertion ${line}` : `${decoder.decode(file)}:${line}:${column}`;
  return message.length === 0 ? where : `${decoder.decode(message)} (${where})`;
}

export class Core {
  private readonly exports: CoreExports;
  private readonly memory: WebAssembly.Memory;
  /** The whole state of the module beside its memory; empty when it was not made snapshotable. */
  private readonly globals: readonly WebAssembly.Global[];
  /** Where payloads go: where the module said after loading. */
  private readonly inbox: number;
  /** All of memory; it has no length any more when memory has grown. */
  private view: Uint8Array;
  private panic: string | null = null;
  private state: "loading" | "ready" | "stepping" | "dead" = "loading";
  /** Code of the module is on the stack, also when the core was killed meanwhile. */
  private isInside = false;

  /** Instantiates the module; throws CoreError when it does not fit this host. */
  constructor(
    module: WebAssembly.Module,
    ports: Ports,
    private readonly hooks: CoreHooks = {},
  ) {
    checkTable(module);
    const imports = bindImports(this.recordingPanics(ports), () => this.memory, hooks.onCall);
    const guarded = this.guard(imports.host);
    const instance = instantiateSync(module, { [IMPORT_MODULE]: guarded }).instance;
    this.exports = instance.exports as unknown as CoreExports;
    this.memory = instance.exports.memory as WebAssembly.Memory;
    this.globals = exportedGlobals(instance.exports);
    const version = this.exports.abi_version();
    if (version !== ABI_VERSION) {
      throw new CoreError(
        `the module speaks version ${version} of the ABI, this host version ${ABI_VERSION}: ` +
          "build it again",
      );
    }
    this.inbox = this.exports.inbox();
    this.view = new Uint8Array(this.memory.buffer);
    this.state = "ready";
  }

  /** Bytes of linear memory. */
  get memoryBytes(): number {
    return this.bytes.length;
  }

  /** A global of the module that was exported for this (trace/states.ts), or null. */
  peek(name: string): number | null {
    const value = (this.exports as unknown as Record<string, unknown>)[name];
    return value instanceof WebAssembly.Global ? Number(value.value) : null;
  }

  /** All of linear memory as it is now. */
  private get bytes(): Uint8Array {
    if (this.view.length === 0) this.view = new Uint8Array(this.memory.buffer);
    return this.view;
  }

  private recordingPanics(ports: Ports): Ports {
    const { sys } = ports;
    return {
      ...ports,
      sys: {
        restart: (scope) => sys.restart(scope),
        random: (bytes) => sys.random(bytes),
        configRead: (offset, bytes) => sys.configRead(offset, bytes),
        panic: (...args) => {
          this.panic = panicText(...args);
          return sys.panic(...args);
        },
      },
    };
  }

  /** Imports that answer only while a step runs. */
  private guard(host: HostImports): HostImports {
    const entries = Object.entries(host).map(([name, call]) => {
      const guarded = (...args: number[]): number => {
        if (this.state === "loading") {
          throw new CoreError(
            `the application calls ${name} before the device has booted: move this into setup()`,
          );
        }
        const result = this.state === "dead" ? 0 : call(...args);
        if (this.isDead) throw new PowerOff("the power is off");
        return result;
      };
      return [name, guarded] as const;
    });
    return Object.fromEntries(entries);
  }

  private get isDead(): boolean {
    return this.state === "dead";
  }

  /**
   * One step. Returns the milliseconds until the core wants a TICK, or -1. Throws CoreTrap, after
   * which only restore() may be called, and PowerOff when kill() was called meanwhile.
   */
  dispatch(event: CoreEvent, nowMs: number): number {
    if (this.state !== "ready") throw new CoreError(`dispatch while the core is ${this.state}`);
    const { kind, a, b, payload } = event;
    if (payload.length > INBOX_BYTES) {
      throw new CoreError(`a payload of ${payload.length} bytes; the inbox has ${INBOX_BYTES}`);
    }
    this.state = "stepping";
    this.hooks.onStep?.(event, nowMs);
    this.isInside = true;
    try {
      if (payload.length > 0) this.bytes.set(payload, this.inbox);
      const wait = this.exports.dispatch(kind, nowMs | 0, a, b, payload.length);
      this.isInside = false;
      if (this.isDead) throw new PowerOff("the power is off");
      this.state = "ready";
      this.hooks.onReturn?.(wait);
      return wait;
    } catch (error) {
      this.isInside = false;
      this.state = "dead";
      throw this.trapOf(event, error);
    }
  }

  /** What ended a step, with a trap of the module told to the hook. */
  private trapOf(event: CoreEvent, error: unknown): unknown {
    if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) return error;
    const trap = new CoreTrap(event, this.panic, error);
    this.hooks.onTrap?.(trap);
    return trap;
  }

  /** Ends the instance: a step under way stops at its next call to the host. */
  kill(): void {
    this.state = "dead";
  }

  /**
   * The module as it is between two steps; before the first one, a life that can be begun any
   * number of times. The ports' state is not in it, nor that of the host. Throws CoreError while a
   * step runs, when the core is dead, and for a module that was not made snapshotable.
   */
  snapshot(): CoreSnapshot {
    this.checkSnapshotable();
    if (this.state !== "ready") throw new CoreError(`a snapshot while the core is ${this.state}`);
    return {
      memory: this.bytes.slice(),
      globals: this.globals.map((global) => global.value as number | bigint),
    };
  }

  /** One of CoreSnapshot.globals, as it is now. */
  globalAt(place: number): number | bigint {
    return this.globals[place]?.value as number | bigint;
  }

  /**
   * Puts the module back to a snapshot of this core, or of another one of the same module; a core
   * that trapped or was killed lives again. Throws CoreError while a step runs, when memory has not
   * the size it had, and for a module that was not made snapshotable; nothing has changed then.
   */
  restore({ memory, globals }: CoreSnapshot): void {
    this.checkSnapshotable();
    if (this.isInside) throw new CoreError("restore while a step runs");
    if (memory.length !== this.memoryBytes) {
      const sizes = `${memory.length} bytes of memory, the core has ${this.memoryBytes}`;
      throw new CoreError(`the snapshot has ${sizes}: memory never shrinks`);
    }
    if (globals.length !== this.globals.length) {
      throw new CoreError("the snapshot is of another module: it has other globals");
    }
    this.bytes.set(memory);
    this.globals.forEach((global, index) => {
      global.value = globals[index];
    });
    this.panic = null;
    this.state = "ready";
  }

  private checkSnapshotable(): void {
    if (this.globals.length > 0) return;
    throw new CoreError("the module was not made for snapshots: see snapshotable()");
  }
}
