// The scripted device with tests/wasm/apps/shadow_jobs.ts on it: orders for that application, the
// lines that it says, and a power switch that strikes at any call of the core to its host.

import type { Ports } from "../../../host-node/src/abi.js";
import type { NorFlash } from "../../../host-node/src/ports/nor.js";
import { moduleOf } from "./module_cache.js";
import { Moment } from "./orders.js";
import { counting, PowerSwitch } from "./power_switch.js";
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
  readonly switch: PowerSwitch = new PowerSwitch();

  constructor(setup: readonly Buffer[], options: DeviceOptions & { flash?: NorFlash } = {}) {
    super({ module, ...options });
    this.at(Moment.SETUP, () => Buffer.concat(setup));
    Reflect.set(this, "onReport", (line: Uint8Array) => this.said.push(`${Buffer.from(line)}`));
  }

  protected override ports(): Ports {
    return counting(super.ports(), this.switch);
  }

  override boot(reason?: number): this {
    this.switch.calls = 0;
    return super.boot(reason);
  }

  /** What the application said that begins with this word, without it. */
  saidOf(word: string): string[] {
    return this.said.flatMap((line) =>
      line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : [],
    );
  }
}
