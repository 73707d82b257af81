// A user's own test of an application, in Node's test runner: twenty seeds of the sample meter, with
// everything that goes wrong in the field, and what must hold for it (readings.ts).

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildModule, runTrial, Simulation } from "iot32";
import { meterInvariants } from "./readings.js";

const { wasm: module } = await buildModule({
  entry: process.env["APPLICATION"] ?? "assembly/apps/meter.ts",
});

test("meter loses no reading in twenty seeds of two days", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { violation } = runTrial({ module, seed, days: 2, invariants: meterInvariants });
    assert.equal(violation, null, `seed ${seed}: ${violation?.what}`);
  }
});

test("meter offline for a day counts only what it could queue", () => {
  const simulation = new Simulation({
    ...{ module, born: "thing", faults: "none", invariants: meterInvariants },
  });
  const device = simulation.device(0);
  simulation.runUntil(() => device.isConnected, 60_000);
  simulation.world.faultRunner.wifiOutage(device, 24 * 3600 * 1000);
  simulation.run(24 * 3600 * 1000).rest();
});
