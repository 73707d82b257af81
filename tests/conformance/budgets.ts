// What a module may cost (budgets.json), and what it does cost. The limits stand a little above
// what was measured when they were set: they are there to be noticed, and raised by a decision.
// What a chip has is another question, which docs/ESP32.md answers.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../host-node/src/package_root.js";
import type { Cost } from "./cost.js";

export interface Budgets {
  /** Size of each sample, built for a chip. */
  readonly moduleBytes: Readonly<Record<string, number>>;
  readonly functionsCompiled: number;
  readonly codeBytes: number;
  readonly codeBytesWhole: number;
  readonly heapBytes: number;
  /** Most operations of one step, by kind of its event. */
  readonly operations: Readonly<Record<string, number>>;
}

const FILE = join(packageRoot, "tests", "conformance", "budgets.json");
export const budgets = JSON.parse(readFileSync(FILE, "utf8")) as Budgets;

export interface Item {
  readonly name: string;
  readonly found: number;
  readonly limit: number;
}

/** Every figure beside its limit; a kind of event without a limit has the limit 0. */
export function compareWithBudgets(cost: Cost): Item[] {
  const { functionsCompiled, codeBytes, codeBytesWhole, heapBytes, operations } = cost;
  const steps = [...operations].map(([kind, { most }]) => ({
    name: `operations of ${kind}`,
    found: most,
    limit: budgets.operations[kind] ?? 0,
  }));
  return [
    {
      name: "functions compiled at rest",
      found: functionsCompiled,
      limit: budgets.functionsCompiled,
    },
    { name: "bytes of compiled code at rest", found: codeBytes, limit: budgets.codeBytes },
    {
      name: "bytes of compiled code, all of it",
      found: codeBytesWhole,
      limit: budgets.codeBytesWhole,
    },
    { name: "bytes of heap at rest", found: heapBytes, limit: budgets.heapBytes },
    ...steps,
  ];
}

export const isOver = ({ found, limit }: Item): boolean => found > limit;
