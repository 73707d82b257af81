// A run that fails: it is told with seed and step, made short, traced, and the trace is replayed
// without a difference. The failures are those of invariants that no core can keep.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Event, Status } from "../../host-node/src/abi.js";
import type { SimDevice } from "../../host-node/src/sim/device.js";
import type { Invariant, Report } from "../../host-node/src/sim/invariants/invariant.js";
import { SimulationError } from "../../host-node/src/sim/simulation.js";
import { runTrial, shorten, type TrialOptions, writeTrace } from "../../host-node/src/sim/trial.js";
import { parseTrace } from "../../host-node/src/trace/parser.js";
import { replayTrace } from "../../host-node/src/trace/replay.js";
import { modulesFor } from "../../host-node/src/trace/trace_file.js";
import { engines, HOUR_MS, meter, simulated } from "./support/sim_scene.js";

/** Breaks when a device that has lost its power twice loses Wi-Fi: it takes three faults. */
class Fragile implements Invariant {
  readonly name = "fragile";
  private cuts = 0;

  ended(_device: SimDevice, why: string): void {
    if (why === "power") this.cuts++;
  }

  event(device: SimDevice, event: number, value: number, _text: string, report: Report): void {
    const isLost = event === Event.WIFI_DISCONNECTED && value === Status.CONNECTION_LOST;
    if (isLost && this.cuts >= 2) report(device, "has lost all");
  }

  copy(): Fragile {
    const copy = new Fragile();
    copy.cuts = this.cuts;
    return copy;
  }
}

const fragile = (seed: number): TrialOptions => ({
  module: meter,
  engines,
  seed,
  days: 4,
  faults: "default",
  invariants: () => [new Fragile()],
});

test("violation_stops_a_run_and_is_told_with_seed_step_and_time", () => {
  const simulation = simulated({ seed: 3, faults: "default", invariants: () => [new Fragile()] });
  assert.throws(
    () => simulation.run(240 * HOUR_MS),
    (error) => {
      assert.ok(error instanceof SimulationError);
      const { violation } = error;
      assert.equal(violation.invariant, "fragile");
      assert.equal(violation.step, simulation.report.steps);
      const wanted =
        /^fragile: device 0 has lost all \(seed 3, step \d+, \d d \d\d:\d\d:\d\d\.\d+\)$/;
      assert.match(error.message, wanted);
      return true;
    },
  );
});

test("good_run_has_no_violation_and_says_how_far_it_came", () => {
  const { report, violation } = runTrial({ module: meter, engines, seed: 2, days: 1 });
  assert.equal(violation, null);
  assert.ok(report.deviceDays > 1 && report.steps > 500 && report.faults.length > 5);
});

test("failure_is_shortened_to_the_faults_that_it_takes_and_its_trace_replays", () => {
  const trial = runTrial(fragile(3));
  assert.equal(trial.violation?.invariant, "fragile");
  const { trial: short, faults, runs } = shorten(trial);
  assert.ok(trial.report.faults.length > 20, `${trial.report.faults.length}`);
  assert.equal(faults.length, 3, faults.join());
  assert.equal(faults.filter((id) => id.startsWith("powerCuts/")).length, 2, faults.join());
  assert.ok(runs <= 80);

  const path = join(mkdtempSync(join(tmpdir(), "iot32-sim-")), "short.trace");
  const lines = writeTrace(path, short);
  const text = readFileSync(path, "utf8");
  assert.equal(text.trimEnd().split("\n").length, lines);
  assert.match(text, /\n# fragile: device 0 has lost all \(seed 3, step \d+/);
  const choice = { modules: [], anyModule: false };
  const { difference, steps } = replayTrace(parseTrace(text), modulesFor(path, choice));
  assert.equal(difference, null);
  assert.ok(steps > 5, `${steps}`);
});

test("what_holds_is_not_shortened_or_traced", () => {
  const trial = runTrial({ module: meter, engines, seed: 2, days: 0.1, rests: false });
  assert.throws(() => shorten(trial), /nothing is violated/);
  assert.throws(() => writeTrace("/dev/null", trial), /nothing is violated/);
});
