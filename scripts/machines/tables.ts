// Reads the state machines of the core out of their sources: every array between "// machine: NAME"
// and its END, a row a line {state, input, action, next}. The tables are the machines, so what is
// read here is what runs. Used for the diagrams (main.ts) and for coverage of transitions.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Row {
  readonly state: string;
  readonly input: string;
  /** "NONE" or "0" when the transition does nothing else. */
  readonly action: string;
  readonly next: string;
}

export interface Machine {
  readonly name: string;
  /** Source, from the root of the package. */
  readonly file: string;
  readonly rows: readonly Row[];
}

const MARK = /^\/\/ machine: (\w+)$/;
const ROW = /^\s*(?:\w+\.)?(\w+),\s*(?:\w+\.)?(\w+),\s*(?:\w+\.)?(\w+),\s*(?:\w+\.)?(\w+),$/;

function readTable(file: string, name: string, lines: readonly string[]): Machine {
  const rows: Row[] = [];
  for (const line of lines) {
    if (line.trim() === "END,") break;
    const [, state, input, action, next] = ROW.exec(line) ?? [];
    if (state === undefined || input === undefined) continue;
    rows.push({ state, input, action: action ?? "", next: next ?? "" });
  }
  if (rows.length === 0) throw new Error(`${file}: machine ${name} has no rows`);
  return { name, file, rows };
}

/** All machines of assembly/, by name. */
export function readMachines(root: string): Machine[] {
  const machines: Machine[] = [];
  for (const entry of readdirSync(join(root, "assembly"), { recursive: true })) {
    const file = join("assembly", String(entry));
    if (!file.endsWith(".ts")) continue;
    const lines = readFileSync(join(root, file), "utf8").split("\n");
    lines.forEach((line, index) => {
      const name = MARK.exec(line)?.[1];
      if (name !== undefined) machines.push(readTable(file, name, lines.slice(index + 1)));
    });
  }
  return machines.sort((a, b) => a.name.localeCompare(b.name));
}
