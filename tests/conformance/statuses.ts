// Every status of every import, once: a device provisions itself, works, does a job and updates
// itself, and the first call of one import is answered by one status. What must hold, whichever it
// was: no trap, and after a power cycle the device is in Normal mode, connected, with a job that has
// ended one way or the other. What came of each is a line of traces/statuses.txt.

import { Event, IMPORTS, Mode, nameOf, Status } from "../../host-node/src/abi.js";
import { claimDocument } from "../node/support/identities.js";
import { keys } from "../node/support/update_device.js";
import type { Stage } from "./scenario.js";
import { firmware, type World } from "./world.js";

/** Answers that a core must live with; a host has no other way to refuse them. */
const IMPORT_NAMES = IMPORTS.map(({ name }) => name);
const REFUSALS = Object.values(Status).filter((status) => status < 0);
const MINUTE_MS = 60_000;
const next = firmware("2.0.0");

export interface StatusCase {
  readonly name: string;
  readonly importName: string;
  readonly status: number;
}

export const statusCases: readonly StatusCase[] = IMPORT_NAMES.flatMap((importName) =>
  REFUSALS.map((status) => ({
    name: `${importName} ${nameOf(Status, status)}`,
    importName,
    status,
  })),
);

function meet(world: World): void {
  world.liveFor(2 * MINUTE_MS);
  world.shadows.update("lamp", { desired: { on: true } });
  world.jobs.create("blink-1", { action: "blink", count: 1, onTime: 10, offTime: 10 });
  world.liveFor(MINUTE_MS);
  world.http.faults.push({ kind: "redirect" }, { kind: "stall", at: 1700 });
  world.offer(next);
  world.liveFor(5 * MINUTE_MS);
  world.broker.message("devices/thing-1/command", "hello");
  world.liveFor(MINUTE_MS);
}

/** What came of it, in words; null when the course never calls this import. */
export function playStatus(stage: Stage, { importName, status }: StatusCase): string | null {
  let isDue = true;
  const ota = { publicKey: keys.publicKey };
  const world = stage.device({ document: { ...claimDocument({ method: "csr" }), ota } });
  world.answers.set(importName, () => {
    const isFirst = isDue;
    isDue = false;
    return isFirst ? status : null;
  });
  meet(world);
  if (isDue) return null;
  const before = describe(world);
  if (world.isOn) world.powerOff();
  world.liveFor(5 * MINUTE_MS);
  return `${before}; after a power cycle ${describe(world)}`;
}

function describe(world: World): string {
  const mode = world.valuesOf(Event.MODE_CHANGED).at(-1);
  const jobs = world.jobs.executions.map(({ status }) => status);
  return [
    mode === undefined ? "dead" : nameOf(Mode, mode),
    world.isConnected ? "connected" : "offline",
    world.version,
    ...jobs,
    ...(world.traps.length > 0 ? [`${world.traps.length} traps`] : []),
  ].join(" ");
}
