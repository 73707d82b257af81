// `npm run conformance [-- part of a name ...] [--create]`: plays the scenarios in V8, repeats each
// in wasm3, says what differs, and which transitions of the state tables no scenario takes.
// --create rewrites the expected traces: review decides whether they are right.

import { skipWithoutNative } from "../node/support/native.js";
import { Wasm3Adapters } from "./adapters.js";
import { measureCoverage } from "./coverage.js";
import { removeStrays } from "./golden.js";
import { type Finding, runScenario } from "./run.js";
import { scenarios } from "./scenarios/index.js";
import { runStatuses } from "./statuses_run.js";

const COVERAGE_MIN = 0.95;
const [, , ...words] = process.argv;
const create = words.includes("--create");
const wanted = words.filter((word) => !word.startsWith("--"));
const unknown = words.filter((word) => word.startsWith("--") && word !== "--create");
if (unknown.length > 0) throw new Error(`unknown option ${unknown.join(" ")}`);
const chosen = scenarios.filter(
  ({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)),
);

function report(finding: Finding): void {
  console.log(`DIFFERENT  ${finding.scenario} on ${finding.adapter}\n${finding.text}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const native = skipWithoutNative === false ? new Wasm3Adapters() : null;
  if (native === null) console.log(`wasm3 is left out: ${skipWithoutNative}`);
  const adapters = native?.all ?? [];
  let differences = 0;
  for (const scenario of chosen) {
    const findings = await runScenario(scenario, adapters, { create });
    findings.forEach(report);
    differences += findings.length;
  }
  const names = ["V8", ...adapters.map(({ name }) => name)];
  console.log(`${chosen.length} scenarios on ${names.join("; ")}: ${differences} differences`);
  if (wanted.length === 0) await reportWhole(native);
  native?.close();
}

async function reportWhole(native: Wasm3Adapters | null): Promise<void> {
  if (create) removeStrays(scenarios);
  const statuses = await runStatuses(native?.all ?? [], { create });
  statuses.findings.forEach(report);
  console.log(`${statuses.played} statuses of imports: ${statuses.findings.length} differences`);
  const { taken, all, missing } = await measureCoverage(scenarios);
  const percent = ((100 * taken) / all).toFixed(1);
  console.log(`transitions taken: ${taken} of ${all}, ${percent} %`);
  for (const line of missing) console.log(`  not taken: ${line}`);
  if (taken / all < COVERAGE_MIN) process.exitCode = 1;
}

if (chosen.length === 0) throw new Error(`no scenario matches ${wanted.join(" ")}`);
await main();
