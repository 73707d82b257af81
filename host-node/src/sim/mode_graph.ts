// Which modes of the system a device was seen to go through, to be drawn and compared with the
// table of the machine (docs/MACHINES.md). A life begins in Init; where it ends is an edge, too.

import { Event, Mode, nameOf } from "../abi.js";
import { allMachines } from "../trace/states.js";
import type { SimDevice } from "./device.js";
import type { Listener } from "./monitor.js";

export interface ModeEdge {
  readonly from: string;
  readonly to: string;
  /** Within a life; else the edge is a restart, a trap or a loss of power. */
  readonly isInLife: boolean;
}

const OFF = "OFF";

const keyOf = ({ from, to, isInLife }: ModeEdge): string => `${from} ${to} ${isInLife}`;

export class ModeGraph {
  private readonly edges = new Map<string, ModeEdge>();
  /** Mode of each device that is on, by its object: copies have their own. */
  private readonly modes = new WeakMap<SimDevice, string>();

  readonly listener: Listener = {
    booted: (device) => void this.modes.set(device, nameOf(Mode, Mode.INIT)),
    event: (device, event, value) => {
      if (event === Event.MODE_CHANGED) this.go(device, nameOf(Mode, value), true);
    },
    ended: (device, why) => this.go(device, why === "power" ? OFF : nameOf(Mode, Mode.INIT), false),
  };

  private go(device: SimDevice, to: string, isInLife: boolean): void {
    const known = this.modes.get(device);
    const from = known ?? (device.mode === null ? null : nameOf(Mode, device.mode));
    this.modes.set(device, to);
    if (from === null || (from === to && isInLife)) return;
    const edge = { from, to, isInLife };
    this.edges.set(keyOf(edge), edge);
  }

  /** A copy of a device goes on in the mode that its original is in. */
  follow(copy: SimDevice, original: SimDevice): void {
    const mode = this.modes.get(original);
    if (mode !== undefined) this.modes.set(copy, mode);
  }

  list(): ModeEdge[] {
    return [...this.edges.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }
}

export interface ModeComparison {
  /** Edges within lives that the table has not: a fault of the core, or of the table. */
  readonly beyond: readonly string[];
  /** Rows of the table that were not seen. */
  readonly unseen: readonly string[];
}

/** Compares edges within lives with the table of the machine. */
export function compareModes(edges: readonly ModeEdge[]): ModeComparison {
  const table = allMachines().find(({ name }) => name === "modes")!;
  const rows = new Set(table.rows.map(({ state, next }) => `${state} -> ${next}`));
  const seen = edges.filter(({ isInLife }) => isInLife).map(({ from, to }) => `${from} -> ${to}`);
  return {
    beyond: [...new Set(seen)].filter((edge) => !rows.has(edge)),
    unseen: [...rows].filter((row) => !seen.includes(row)),
  };
}

/** As text that Mermaid draws: within lives as arrows, their ends in words. */
export function drawModes(edges: readonly ModeEdge[]): string {
  const lines = edges.map(({ from, to, isInLife }) => {
    const end = to === OFF ? "power off" : "restart";
    return `    ${from} --> ${to}${isInLife ? "" : `: ${end}`}`;
  });
  return ["stateDiagram-v2", "    [*] --> INIT", ...lines].join("\n");
}
