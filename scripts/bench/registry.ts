// The benches by name. A new one is a file of its own next to this one, and a line here.

import type { Bench } from "./bench.js";
import { httpBench } from "./http.js";
import { otaBench } from "./ota.js";
import { simBench } from "./sim.js";
import { wasm3Bench } from "./wasm3.js";

export const BENCHES: readonly Bench[] = [httpBench, otaBench, simBench, wasm3Bench];
