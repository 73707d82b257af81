// Reads the state machines of the core out of their sources: every array between "// machine: NAME"
// and its END, a row a line {state, input, action, next}. The tables are the machines, so what is
// read here is what runs. Used for the diagrams (scripts/machines), for the coverage of
// transitions, which finds a table in memory by its bytes, and for the states of a module that is
// replayed.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as abi from "./abi.js";

export interface Row {
  readonly state: string;
  readonly input: string;
  /** "NONE" or "0" when the transition does nothing else. */
  readonly action: string;
  readonly next: string;
  /** The four bytes in memory. */
  readonly bytes: readonly number[];
}

const CORE = "assembly";

export interface Machine {
  readonly name: string;
  /** Source, from the root of the package. */
  readonly file: string;
  readonly rows: readonly Row[];
  /** Names of its states, by number. */
  readonly states: ReadonlyMap<number, string>;
}

const MARK = /^\/\/ machine: (\w+)$/;
const ROW = /^\s*([\w.]+),\s*([\w.]+),\s*([\w.]+),\s*([\w.]+),$/;
const NAMESPACE = /^(?:export )?namespace (\w+) \{$/;
const CONSTANT = /^ {2}export const (\w+): u8 = (\d+);$/;

/** "Mode.INIT" and its number, for the enums of the ABI that have states. */
function abiConstants(): [string, number][] {
  return Object.entries({ Mode: abi.Mode, OtaState: abi.OtaState, BleState: abi.BleState }).flatMap(
    ([name, values]) =>
      Object.entries(values).map(([key, value]): [string, number] => [`${name}.${key}`, value]),
  );
}

/** "State.OFF" and its number, for all namespaces of a source. */
function constantsOf(lines: readonly string[]): [string, number][] {
  const constants: [string, number][] = [];
  let namespace = "";
  for (const line of lines) {
    namespace = NAMESPACE.exec(line)?.[1] ?? (line === "}" ? "" : namespace);
    const [, name, value] = CONSTANT.exec(line) ?? [];
    if (namespace !== "" && name !== undefined) constants.push([`${namespace}.${name}`, +value!]);
  }
  return constants;
}

const leaf = (name: string): string => name.slice(name.indexOf(".") + 1);

function readRow(words: readonly string[], constants: ReadonlyMap<string, number>): Row {
  const bytes = words.map((word) => constants.get(word) ?? Number(word));
  const unknown = words.find((_word, at) => Number.isNaN(bytes[at]));
  if (unknown !== undefined) throw new Error(`${unknown} is no constant that a table may use`);
  const [state, input, action, next] = words.map(leaf) as [string, string, string, string];
  return { state, input, action, next, bytes };
}

function readTable(
  file: string,
  name: string,
  lines: readonly string[],
  constants: ReadonlyMap<string, number>,
): Machine {
  const rows: Row[] = [];
  for (const line of lines) {
    if (line.trim() === "END,") break;
    const words = ROW.exec(line)?.slice(1);
    if (words !== undefined) rows.push(readRow(words, constants));
  }
  if (rows.length === 0) throw new Error(`${file}: machine ${name} has no rows`);
  const states = rows.flatMap(({ state, next, bytes }): [number, string][] => [
    [bytes[0]!, state],
    [bytes[3]!, next],
  ]);
  return { name, file, rows, states: new Map(states) };
}

/** All machines of assembly/, by name. */
export function readMachines(root: string): Machine[] {
  const machines: Machine[] = [];
  const enums = abiConstants();
  for (const entry of readdirSync(join(root, CORE), { recursive: true })) {
    const file = join(CORE, String(entry));
    if (!file.endsWith(".ts")) continue;
    const lines = readFileSync(join(root, file), "utf8").split("\n");
    const constants = new Map([...enums, ...constantsOf(lines)]);
    lines.forEach((line, index) => {
      const name = MARK.exec(line)?.[1];
      if (name === undefined) return;
      machines.push(readTable(file, name, lines.slice(index + 1), constants));
    });
  }
  return machines.sort((a, b) => a.name.localeCompare(b.name));
}
