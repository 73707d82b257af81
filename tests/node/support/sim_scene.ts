// The sample meter for tests of the simulator, built once, and instances of it that simulations of
// a test file share.

import { heapLayout } from "../../../host-node/src/heap_in_use.js";
import { EnginePool } from "../../../host-node/src/sim/engine.js";
import { Simulation, type SimulationOptions } from "../../../host-node/src/sim/simulation.js";
import { stripNames } from "../../../host-node/src/wasm_link.js";
import { namedSampleOf } from "./module_cache.js";

/** The meter with names, and as it ships. */
export const named: Uint8Array = await namedSampleOf("release", "meter");
export const meter: Uint8Array = stripNames(named);
export const heap = heapLayout(named);
export const engines = new EnginePool();

export const HOUR_MS = 3600_000;

/** A simulated meter; without faults unless it says so. */
export function simulated(options: Partial<SimulationOptions> = {}): Simulation {
  return new Simulation({ module: meter, heap, engines, faults: "none", ...options });
}
