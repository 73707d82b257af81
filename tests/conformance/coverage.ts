// Which transitions of the state tables the scenarios take. A build of the same sources with
// another util/machine.ts tells each row that is taken; a table is known by its bytes in memory.

import { type Machine, readMachines } from "../../host-node/src/machines.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { coverageBytesOf } from "../node/support/module_cache.js";
import { type Application, type Scenario, Stage } from "./scenario.js";

const END = 0xff;

export interface Coverage {
  readonly taken: number;
  readonly all: number;
  /** "machine: STATE + INPUT -> NEXT" of each row that no scenario takes. */
  readonly missing: readonly string[];
}

function machineAt(machines: readonly Machine[], table: Uint8Array): Machine {
  const found = machines.find(({ rows }) => {
    const bytes = [...rows.flatMap((row) => row.bytes), END];
    return bytes.every((byte, at) => table[at] === byte);
  });
  if (found === undefined) throw new Error("a table that is no machine of the sources");
  return found;
}

export async function measureCoverage(scenarios: readonly Scenario[]): Promise<Coverage> {
  const machines = readMachines(packageRoot);
  const taken = new Map(machines.map((machine) => [machine, new Set<number>()]));
  const onRow = (table: Uint8Array, row: number) =>
    void taken.get(machineAt(machines, table))?.add(row);
  const modules = new Map<Application, Uint8Array>();
  for (const { application, play } of scenarios) {
    const target = application === "puppet" ? "debug" : "release";
    const bytes = modules.get(application) ?? (await coverageBytesOf(target, application));
    modules.set(application, bytes);
    play(new Stage(bytes, {}, onRow));
  }
  const all = machines.flatMap((machine) =>
    machine.rows.map((row, index) => ({ machine, row, isTaken: taken.get(machine)!.has(index) })),
  );
  const missing = all.filter(({ isTaken }) => !isTaken);
  return {
    taken: all.length - missing.length,
    all: all.length,
    missing: missing.map(
      ({ machine, row }) => `${machine.name}: ${row.state} + ${row.input} -> ${row.next}`,
    ),
  };
}
