// The scripted device with tests/wasm/apps/shadow_jobs.ts on it: orders for that application, the
// lines that it says, and a power switch that strikes at any call of the core to its host.

import type { Ports } from "../../../host-node/src/abi.js";
import { type NorFlash, PowerCut } from "../../../host-node/src/ports/nor.js";
import { moduleOf } from "./module_cache.js";
import { Moment } from "./orders.js";
import { type DeviceOptions, ScriptedDevice } from "./scripted_host.js";

const Order = { SHADOW: 1, ELEMENT: 2, SET: 3, HANDLERS: 4, FINISH: 5, PROGRESS: 6 } as const;
export const Type = { INTEGER: 0, BOOLEAN: 1, STRING: 2, FLOAT: 3 } as const;
export const Option = { REPORTED: 1, DESIRED: 2, BOTH: 3, AT_START: 4 } as const;

const module = await moduleOf("debug", "shadow_jobs");

function sized(text: string): Buffer {
  const bytes = Buffer.from(text);
  const size = Buffer.alloc(2);
  size.writeUInt16LE(bytes.length);
  return Buffer.concat([size, bytes]);
}

function order(code: number, a = 0, b = 0, number = 0, text = "", value = ""): Buffer {
  const int = Buffer.alloc(4);
  int.writeInt32LE(number);
  return Buffer.concat([Buffer.of(code, a, b), int, sized(text), sized(value)]);
}

export const commands = {
  shadow: (name: string): Buffer => order(Order.SHADOW, 0, 0, 0, name),
  /** An element of the shadow with this number, in the order of definition. */
  element: (shadow: number, type: number, key: string, initial: string, more: More = {}): Buffer =>
    order(
      Order.ELEMENT,
      type,
      more.options ?? Option.REPORTED,
      (shadow << 16) | (more.limit ?? 64),
      key,
      initial,
    ),
  set: (element: number, value: unknown): Buffer =>
    order(Order.SET, element, 0, 0, "", String(value)),
  handlers: (): Buffer => order(Order.HANDLERS),
  /** Ends the job begun last, or `back` jobs before it. */
  finish: (status: number, reason = "", back = 0): Buffer =>
    order(Order.FINISH, status, back, 0, reason),
  progress: (text: string, minutes = 0): Buffer => order(Order.PROGRESS, 0, 0, minutes, text),
};

interface More {
  readonly options?: number;
  readonly limit?: number;
}

export class ShadowJobsDevice extends ScriptedDevice {
  /** What the application said, over all lives of this object. */
  readonly said: string[] = [];
  /** Calls of the core to its host since the last boot. */
  calls = 0;
  /** The power fails at this call: before the host performs it, or behind that. */
  cutAt: { call: number; isPerformed: boolean } | null = null;

  constructor(setup: readonly Buffer[], options: DeviceOptions & { flash?: NorFlash } = {}) {
    super({ module, ...options });
    this.at(Moment.SETUP, () => Buffer.concat(setup));
    const made = Reflect.get(this, "ports").call(this) as Ports;
    Reflect.set(this, "onReport", (line: Uint8Array) => this.said.push(`${Buffer.from(line)}`));
    Reflect.set(this, "ports", () => this.watched(made));
  }

  override boot(reason?: number): this {
    this.calls = 0;
    return super.boot(reason);
  }

  /** What the application said that begins with this word, without it. */
  saidOf(word: string): string[] {
    return this.said.flatMap((line) =>
      line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : [],
    );
  }

  private watched(ports: Ports): Ports {
    const wrapped = Object.entries(ports).map(([name, port]) => [name, this.counting(port)]);
    return Object.fromEntries(wrapped) as unknown as Ports;
  }

  private counting<Port extends object>(port: Port): Port {
    return new Proxy(port, {
      get: (target, property) => {
        const value = Reflect.get(target, property) as unknown;
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          this.calls++;
          const isNow = this.cutAt?.call === this.calls;
          if (isNow && !this.cutAt!.isPerformed) throw new PowerCut("the power fails");
          const result = value.apply(target, args) as unknown;
          if (isNow) throw new PowerCut("the power fails");
          return result;
        };
      },
    });
  }
}
