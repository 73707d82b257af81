// Bench of the simulator, on one core: how many days of a device pass in a minute, without faults
// and with the default ones, and how long a sweep of a whole life takes. Seeds follow one another,
// so that no run repeats the one before.

import { join } from "node:path";
import { buildModule } from "../../host-node/src/build.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { EnginePool } from "../../host-node/src/sim/engine.js";
import type { FaultProfileName } from "../../host-node/src/sim/faults.js";
import { wholeLife } from "../../host-node/src/sim/scenarios.js";
import { DAY_MS, Simulation } from "../../host-node/src/sim/simulation.js";
import { type SweepReport, sweep } from "../../host-node/src/sim/sweep.js";
import type { Bench, Contestant, Result } from "./bench.js";

const DAYS = 20;
const APPLICATION = join("assembly", "apps", "meter.ts");
const MINUTE_MS = 60_000;
const LIFE = "sweep of claim, shadow, job, update";

function days(module: Uint8Array, faults: FaultProfileName): Contestant {
  const engines = new EnginePool();
  let seed = 1;
  return {
    name: `${DAYS} days, faults: ${faults}`,
    run: async () => {
      const simulation = new Simulation({ module, faults, engines, seed: seed++ });
      simulation.run(DAYS * DAY_MS).world.release();
    },
  };
}

/** `heard` gets the report of each run. */
function wholeSweep(module: Uint8Array, heard: (report: SweepReport) => void): Contestant {
  return {
    name: LIFE,
    run: async () => {
      const report = sweep({ module, scenario: wholeLife(module), pairsMax: 0 });
      heard(report);
      const { failures } = report;
      if (failures.length > 0)
        throw new Error(`${failures.length} copies did not come to their end`);
    },
  };
}

/** Device-days in a minute, and what the sweep tried. */
function conclude(results: readonly Result[], swept: SweepReport | null): string[] {
  const rates = results
    .filter(({ name }) => name !== LIFE)
    .map(({ name, medianMs }) => {
      const perMinute = Math.round((DAYS * MINUTE_MS) / medianMs);
      return `${name}: ${perMinute.toLocaleString("en")} device-days a minute`;
    });
  if (swept === null) return rates;
  const { calls, places, cuts } = swept;
  return [...rates, `${LIFE}: ${calls} calls, ${places} places, ${cuts} worlds run to their end`];
}

export const simBench: Bench = {
  name: "sim",
  summary: "days of a simulated device, and a sweep, on one core",
  warmUpRuns: 1,
  runs: 5,
  open: async () => {
    const { wasm: module } = await buildModule({ entry: join(packageRoot, APPLICATION) });
    let swept: SweepReport | null = null;
    const sweeper = wholeSweep(module, (report) => {
      swept = report;
    });
    return {
      contestants: [days(module, "none"), days(module, "default"), sweeper],
      reference: `${DAYS} days, faults: default`,
      notes: ["one device, one process, one thread; invariants watched at every step"],
      conclude: (results) => conclude(results, swept),
      close: async () => {},
    };
  },
};
