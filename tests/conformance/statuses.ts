// Every status of every import, once: a device provisions itself, works, does a job and updates
// itself, or is configured by a phone, and the first call of one import is answered by one status.
// What must hold, whichever it was: no trap, and after a power cycle the device is in Normal mode,
// connected, and its jobs have ended one way or the other. What came of each is in
// traces/statuses.txt.

import { Event, IMPORTS, Mode, nameOf, Status } from "../../host-node/src/abi.js";
import {
  CONFIGURATION,
  Command,
  command,
  openSession,
  verifier,
} from "../node/support/ble_setup.js";
import { claimDocument, thingDocument } from "../node/support/identities.js";
import { keys } from "../node/support/update_device.js";
import type { Stage } from "./scenario.js";
import { firmware, type World } from "./world.js";

const REFUSALS = Object.values(Status).filter((status) => status < 0);
const MINUTE_MS = 60_000;
const next = firmware("2.0.0");

/** Imports that the course does not call, and who calls them. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  sys_panic: "only on the way into a trap, whatever it answers",
  mqtt_unsubscribe: "scenario messages_unsubscribe_refused",
};

/** Imports of a life with BLE: a phone calls for them. */
const OF_A_PHONE = /^ble_|^wifi_scan$|^wifi_leave$|^crypto_pair$/;

/** Imports whose statuses are tried, in the order of the table. */
export const statusImports: readonly string[] = IMPORTS.map(({ name }) => name).filter(
  (name) => !(name in ELSEWHERE),
);

/** The courses of one import: what came of each status. */
export function playStatuses(stage: Stage, importName: string): Map<string, string> {
  return new Map(
    REFUSALS.map((status) => [nameOf(Status, status), playStatus(stage, importName, status)]),
  );
}

/** Whether it is how a course may end. */
export function isGood(outcome: string): boolean {
  const [, after = ""] = outcome.split("; after a power cycle ");
  return /^NORMAL connected \S+( SUCCEEDED| FAILED| REJECTED)*$/.test(after);
}

export function describeOutcomes(outcomes: ReadonlyMap<string, ReadonlyMap<string, string>>) {
  const lines = [...outcomes].flatMap(([importName, byStatus]) => [
    importName,
    ...grouped(byStatus).map(([outcome, statuses]) => `    ${statuses}: ${outcome}`),
  ]);
  const elsewhere = Object.entries(ELSEWHERE).map(([name, who]) => `${name}\n    ${who}`);
  return `${[...lines, ...elsewhere].join("\n")}\n`;
}

/** Outcomes with the statuses that lead to them; what most of them lead to is "every other". */
function grouped(byStatus: ReadonlyMap<string, string>): [string, string][] {
  const groups = new Map<string, string[]>();
  for (const [status, outcome] of byStatus) {
    groups.set(outcome, [...(groups.get(outcome) ?? []), status]);
  }
  const sorted = [...groups].sort(([, a], [, b]) => a.length - b.length);
  return sorted.map(([outcome, statuses], index) => {
    const isRest = index === sorted.length - 1;
    const words = index === 0 ? "every status" : "every other status";
    return [outcome, isRest ? words : statuses.join(", ")];
  });
}

function unprovisioned(stage: Stage): World {
  const ota = { publicKey: keys.publicKey };
  return stage.device({ document: { ...claimDocument({ method: "csr" }), ota } });
}

/** The course without a refusal: nearly every kind of event, and every machine. */
export function meetEverything(stage: Stage): void {
  meet(unprovisioned(stage));
}

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

/**
 * A stranger guesses until it is locked out; then a phone has it scan, try a network that does not
 * answer, and take a document. It does not give up: what is refused or lost is tried again.
 */
function meetPhone(world: World): void {
  world.liveFor(MINUTE_MS / 2);
  for (let guess = 0; guess < 3 && world.ble.advertised !== null; guess++) {
    world.ble.connect();
    world.ble.session(Status.REFUSED);
    world.liveFor(10_000);
  }
  world.liveFor(2 * MINUTE_MS);
  visit(world, command(Command.SCAN));
  const { wifiMs } = world;
  world.wifiMs = 10 * MINUTE_MS;
  visit(world, command(Command.APPLY, { ...thingDocument(), wifi: { ssid: "silent" } }));
  world.liveFor(2 * MINUTE_MS);
  world.wifiMs = wifiMs;
  const isDone = () => world.valuesOf(Event.MODE_CHANGED).at(-1) === Mode.NORMAL;
  for (let attempt = 0; attempt < 10 && !isDone(); attempt++) {
    visit(world, command(Command.APPLY, thingDocument()));
    visit(world, command(Command.STATUS));
  }
  world.liveFor(2 * MINUTE_MS);
}

/** A phone comes, says this, and goes. */
function visit(world: World, packet: Uint8Array): void {
  if (world.ble.advertised !== null) {
    openSession(world);
    world.ble.send(CONFIGURATION, packet);
    world.liveFor(10_000);
    if (world.ble.isConnected) world.ble.leave();
  }
  world.liveFor(MINUTE_MS / 2);
}

/** What came of it, in words. Throws when the course never calls this import. */
function playStatus(stage: Stage, importName: string, status: number): string {
  let isDue = true;
  const isPhone = OF_A_PHONE.test(importName);
  const world = isPhone ? stage.device({ document: { ...verifier } }) : unprovisioned(stage);
  world.answers.set(importName, () => {
    const isFirst = isDue;
    isDue = false;
    return isFirst ? status : null;
  });
  if (isPhone) meetPhone(world);
  else meet(world);
  if (isDue) throw new Error(`no step of the course calls ${importName}`);
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
