// A power switch that strikes at any call of the core to its host: before the host performs it, or
// right behind that. PowerCut is thrown out of the call, and so out of the step.

import type { Ports } from "../../../host-node/src/abi.js";
import { PowerCut } from "../../../host-node/src/ports/nor.js";

export class PowerSwitch {
  /** Calls of the core to its host; whoever boots sets it to 0. */
  calls = 0;
  cutAt: { call: number; isPerformed: boolean } | null = null;

  /** One call; throws when it is the last one. */
  call<Result>(perform: () => Result): Result {
    this.calls++;
    const isNow = this.cutAt?.call === this.calls;
    if (isNow && !this.cutAt!.isPerformed) throw new PowerCut("the power fails");
    const result = perform();
    if (isNow) throw new PowerCut("the power fails");
    return result;
  }
}

function countingPort<Port extends object>(port: Port, power: PowerSwitch): Port {
  return new Proxy(port, {
    get: (target, property) => {
      const value = Reflect.get(target, property) as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => power.call(() => value.apply(target, args) as unknown);
    },
  });
}

/** The same ports, each call of which may be the last one. */
export function counting(ports: Ports, power: PowerSwitch): Ports {
  const wrapped = Object.entries(ports).map(([name, port]) => [name, countingPort(port, power)]);
  return Object.fromEntries(wrapped) as unknown as Ports;
}
