// Plays every status of every import in V8, repeats the courses of each import in wasm3, and
// compares what came of them with traces/statuses.txt.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../host-node/src/package_root.js";
import { type Adapter, bytesOf, record } from "./adapters.js";
import { firstDifference } from "./golden.js";
import type { Finding } from "./run.js";
import { describeOutcomes, isGood, playStatuses, statusImports } from "./statuses.js";

const FILE = join(packageRoot, "tests", "conformance", "traces", "statuses.txt");

export interface StatusReport {
  readonly played: number;
  readonly findings: readonly Finding[];
}

export async function runStatuses(
  adapters: readonly Adapter[],
  { create = false } = {},
): Promise<StatusReport> {
  const bytes = await bytesOf("all");
  const outcomes = new Map<string, ReadonlyMap<string, string>>();
  const findings: Finding[] = [];
  for (const name of statusImports) {
    let outcome: ReadonlyMap<string, string> = new Map();
    const trace = record(bytes, (stage) => {
      outcome = playStatuses(stage, name);
    });
    outcomes.set(name, outcome);
    const bad = [...outcome].filter(([, text]) => !isGood(text));
    findings.push(
      ...bad.map(([status, text]) => ({ scenario: `${name} ${status}`, adapter: "v8", text })),
    );
    for (const adapter of adapters) {
      const { report, trace: found } = adapter.replay(trace, bytes);
      if (report === "" && found === trace) continue;
      const text = report || firstDifference(trace, found);
      findings.push({ scenario: `statuses of ${name}`, adapter: adapter.name, text });
    }
  }
  findings.push(...compare(describeOutcomes(outcomes), create));
  const played = [...outcomes.values()].reduce((sum, { size }) => sum + size, 0);
  return { played, findings };
}

function compare(found: string, create: boolean): Finding[] {
  if (create) writeFileSync(FILE, found);
  const wanted = readFileSync(FILE, "utf8");
  if (wanted === found) return [];
  return [{ scenario: "statuses", adapter: "v8", text: firstDifference(wanted, found) }];
}
