// A run of a simulation that may fail, and what is made of a failure: the faults that it takes, all
// others left out, and a trace of the life in which it happened, which `iot32 replay` reproduces.
// `iot32 sim` runs trials; so do the tests.

import { writeFileSync } from "node:fs";
import { EnginePool } from "./engine.js";
import type { Violation } from "./monitor.js";
import {
  DAY_MS,
  describeViolation,
  Simulation,
  SimulationError,
  type SimulationOptions,
  type SimulationReport,
} from "./simulation.js";
import { TracedLife } from "./traced_life.js";

export interface TrialOptions extends SimulationOptions {
  /** Virtual days; default 1. */
  readonly days?: number;
  /** Whether the run ends in hours of calm, behind which all must have come to its end. Default. */
  readonly rests?: boolean;
}

export interface Trial {
  readonly options: TrialOptions;
  readonly report: SimulationReport;
  /** The first; null: everything held. */
  readonly violation: Violation | null;
}

/** Never throws for a violation; everything else that goes wrong is thrown. */
export function runTrial(options: TrialOptions): Trial {
  const simulation = new Simulation(options);
  const violation = violationOf(simulation, options);
  simulation.world.release();
  return { options, report: simulation.report, violation };
}

function violationOf(simulation: Simulation, { days = 1, rests = true }: TrialOptions) {
  try {
    simulation.run(days * DAY_MS);
    if (rests) simulation.rest();
    return null;
  } catch (error) {
    if (error instanceof SimulationError) return error.violation;
    throw error;
  }
}

export interface Shortened {
  readonly trial: Trial;
  /** The occurrences of faults that it takes, by their names. */
  readonly faults: readonly string[];
  /** Runs that were made to find them. */
  readonly runs: number;
}

const RUNS_MAX = 80;

/**
 * The same violation with as few faults as can be found in some dozen runs (delta debugging:
 * A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).
 */
export function shorten({ options, report, violation }: Trial, runsMax = RUNS_MAX): Shortened {
  if (violation === null) throw new Error("nothing is violated: there is nothing to shorten");
  const engines = options.engines ?? new EnginePool();
  let runs = 0;
  const tryOnly = (faults: readonly string[]): Trial | null => {
    if (runs === runsMax) return null;
    runs++;
    const trial = runTrial({ ...options, engines, only: new Set(faults) });
    return trial.violation?.invariant === violation.invariant ? trial : null;
  };
  const happened = report.faults.filter(({ atMs }) => atMs <= violation.atMs).map(({ id }) => id);
  let shortest = tryOnly(happened) ?? { options, report, violation };
  let faults = idsOf(shortest);
  for (let parts = 2; faults.length > 0 && runs < runsMax; ) {
    const found = firstWithout(faults, parts, tryOnly);
    if (found !== null) {
      shortest = found;
      faults = idsOf(found).filter((id) => faults.includes(id));
      parts = Math.max(2, Math.min(parts - 1, faults.length));
    } else if (parts >= faults.length) break;
    else parts = Math.min(2 * parts, faults.length);
  }
  return { trial: shortest, faults, runs };
}

const idsOf = ({ report, violation }: Trial): string[] =>
  report.faults.filter(({ atMs }) => atMs <= (violation?.atMs ?? 0)).map(({ id }) => id);

/** Leaves out one of so many parts after the other; the first run that still fails. */
function firstWithout(
  faults: readonly string[],
  parts: number,
  tryOnly: (faults: readonly string[]) => Trial | null,
): Trial | null {
  const size = Math.ceil(faults.length / parts);
  for (let from = 0; from < faults.length; from += size) {
    const rest = [...faults.slice(0, from), ...faults.slice(from + size)];
    const trial = tryOnly(rest);
    if (trial !== null) return trial;
  }
  return null;
}

/**
 * Runs a failed trial again and writes the life in which it failed as a trace, with its module
 * beside it; answers the lines. For a violation of no device the life of the first one is traced.
 */
export function writeTrace(path: string, { options, violation }: Trial): number {
  if (violation === null) throw new Error("nothing is violated: there is nothing to trace");
  const life = new TracedLife(violation);
  const simulation = new Simulation({ ...options, listener: life.listener });
  const again = violationOf(simulation, options);
  if (again === null || again.step !== violation.step) {
    throw new Error("the run was not the same again: is there anything that no seed decides?");
  }
  life.finish(`${describeViolation(violation, simulation.seed)}`);
  writeFileSync(path, `${life.lines.join("\n")}\n`);
  life.writeModule(path);
  return life.lines.length;
}
