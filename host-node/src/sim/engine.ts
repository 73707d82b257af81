// Instances of modules, to be lent to simulated devices. A life takes one that is as it was before
// its first step; a device that is copied, or whose turn is over, gives it back and keeps a
// snapshot. So no life waits for an instantiation, and thousands of worlds share a few instances.

import { type CallArgument, IMPORTS, type Ports } from "../abi.js";
import type { ChosenModule } from "../boot/module_slots.js";
import { Core, type CoreEvent, type CoreHooks, compileCore } from "../core.js";
import { type CoreSnapshot, snapshotable } from "../core_snapshot.js";

/** Who has an engine: the device whose core it is. */
export interface EngineHost {
  readonly ports: Ports;
  /** Before each call of the core to its host; may throw PowerOff. */
  beforeCall(): void;
  afterCall(name: string, args: readonly CallArgument[], result: number): void;
  readonly hooks: CoreHooks;
}

type Method = (...args: unknown[]) => number;

const camel = (name: string): string => name.replace(/_./g, (pair) => pair[1]!.toUpperCase());

export class Engine {
  readonly core: Core;
  host: EngineHost | null = null;
  /** As the module is before its first step. */
  readonly pristine: CoreSnapshot;

  constructor(
    module: Uint8Array,
    /** What the pool knows the module by. */
    readonly key: string,
  ) {
    this.core = new Core(compileCore(snapshotable(module)), this.portsOfHost(), {
      onStep: (event: CoreEvent, nowMs) => this.host!.hooks.onStep?.(event, nowMs),
      onCall: (name, args, result) => this.host!.afterCall(name, args, result),
      onReturn: (waitMs) => this.host!.hooks.onReturn?.(waitMs),
      onTrap: (trap) => this.host!.hooks.onTrap?.(trap),
    });
    this.pristine = this.core.snapshot();
  }

  /** Every method of every port, as that of whoever has the engine now. */
  private portsOfHost(): Ports {
    const ports: Record<string, Record<string, Method>> = {};
    for (const { name } of IMPORTS) {
      const [capability = "", ...words] = name.split("_");
      const method = camel(words.join("_"));
      ports[capability] ??= {};
      ports[capability][method] = (...args) => {
        const host = this.host!;
        host.beforeCall();
        const port = host.ports[capability as keyof Ports];
        return (port as unknown as Record<string, Method>)[method]!(...args);
      };
    }
    return ports as unknown as Ports;
  }
}

/** Engines that nobody has. */
export class EnginePool {
  private readonly free = new Map<string, Engine[]>();

  /** One of this module, as it was left by whoever had it before. */
  take({ bytes, sha256 }: Pick<ChosenModule, "bytes" | "sha256">, host: EngineHost): Engine {
    const key = Buffer.from(sha256).toString("latin1");
    const engine = this.free.get(key)?.pop() ?? new Engine(bytes, key);
    engine.host = host;
    return engine;
  }

  give(engine: Engine): void {
    engine.host = null;
    const list = this.free.get(engine.key) ?? [];
    this.free.set(engine.key, list);
    list.push(engine);
  }
}
