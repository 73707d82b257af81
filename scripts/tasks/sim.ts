// `npm run sim`: the simulator on embedded defaults, one thing after the other: seeds with each way
// in which devices begin, a fleet, a sweep of a whole life, and the explorer. `npm run iot32 --
// sim`, `sweep` and `explore` are the same by hand.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { packageRoot } from "../../host-node/src/package_root.js";
import { BIRTHS } from "../../host-node/src/sim/simulation.js";

const CLI = join(packageRoot, "dist", "host-node", "src", "cli", "main.js");

const RUNS: readonly string[] = [
  ...BIRTHS.map((born) => `sim --seeds 3 --days 10 --born ${born}`),
  "sim --days 3 --faults rough",
  "sim --days 2 --devices 20",
  "sweep life",
  "explore --faults 0",
];

let failed = 0;
for (const run of RUNS) {
  console.log(`\niot32 ${run}`);
  const { status } = spawnSync(process.execPath, [CLI, ...run.split(" ")], {
    stdio: "inherit",
    cwd: packageRoot,
  });
  if (status !== 0) failed++;
}
console.log(failed === 0 ? "\neverything held" : `\n${failed} of ${RUNS.length} runs failed`);
process.exitCode = failed === 0 ? 0 : 1;
