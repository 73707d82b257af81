// Runs scenarios on all adapters and compares: V8 with the trace under version control, wasm3 with
// V8, line by line. Used by `npm run conformance` and by the tests.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../host-node/src/package_root.js";
import { type Adapter, bytesOf, record } from "./adapters.js";
import { condense, expected, firstDifference, rewrite } from "./golden.js";
import type { Scenario } from "./scenario.js";

/** A difference that is known, and why it may stay. */
export interface Expectation {
  readonly scenario: string;
  readonly adapter: string;
  readonly reason: string;
}

const FILE = join(packageRoot, "tests", "conformance", "expectations.json");
export const expectations = JSON.parse(readFileSync(FILE, "utf8")) as readonly Expectation[];

export interface Finding {
  readonly scenario: string;
  readonly adapter: string;
  /** What differs, in lines. */
  readonly text: string;
}

const isExpected = (scenario: string, adapter: string): boolean =>
  expectations.some((entry) => entry.scenario === scenario && entry.adapter === adapter);

/** What differs, of which nothing is expected; an expectation that no longer holds is one, too. */
export async function runScenario(
  scenario: Scenario,
  adapters: readonly Adapter[],
  { create = false } = {},
): Promise<Finding[]> {
  const { name, application, play } = scenario;
  const bytes = await bytesOf(application);
  const trace = record(bytes, play);
  const findings: Finding[] = [];
  const found = condense(scenario, trace);
  if (create) rewrite(name, found);
  const wanted = expected(name);
  if (wanted !== found) {
    const text = wanted === null ? "there is no trace yet" : firstDifference(wanted, found);
    findings.push({ scenario: name, adapter: "v8", text });
  }
  for (const adapter of adapters) {
    const outcome = adapter.replay(trace, bytes);
    const isSame = outcome.report === "" && outcome.trace === trace;
    const text = outcome.report || firstDifference(trace, outcome.trace);
    if (isExpected(name, adapter.name)) {
      if (isSame) findings.push({ scenario: name, adapter: adapter.name, text: "no difference" });
    } else if (!isSame) {
      findings.push({ scenario: name, adapter: adapter.name, text });
    }
  }
  return findings;
}
