// What a world looks like to the explorer: the states of machines and ports, what lies in flash,
// and what the cloud believes, in one text. Two worlds with one look are taken for one state.
//
// Left out, because they have no end: times, random numbers, ids, counters, the contents of buffers
// and records. So a look tells whether there is a job and how it stands, not which one it is.

import { isTerminal } from "../cloud/jobs_model.js";
import { mutableGlobals } from "../core_snapshot.js";
import { allMachines, stateVariable } from "../trace/states.js";
import { globalNames } from "../wasm_link.js";
import type { SimDevice } from "./device.js";
import { recordsOf } from "./records.js";
import type { World } from "./world.js";

/** Where the states of machines are in CoreSnapshot.globals. */
export interface MachineLayout {
  readonly name: string;
  readonly place: number;
  readonly states: ReadonlyMap<number, string>;
}

/** Of a module that was built with names; holds for the same module without them. */
export function machineLayout(named: Uint8Array): MachineLayout[] {
  const names = globalNames(named);
  const globals = mutableGlobals(named);
  return allMachines().flatMap((machine) => {
    const place = globals.indexOf(names.get(stateVariable(machine)) ?? -1);
    return place < 0 ? [] : [{ name: machine.name, place, states: machine.states }];
  });
}

/** "wifi UP, session UP, ...": of a device that is on. */
export function machinesOf(device: SimDevice, layout: readonly MachineLayout[]): string[] {
  return layout.map(({ name, place, states }) => {
    const state = Number(device.globalAt(place));
    return `${name} ${states.get(state) ?? state}`;
  });
}

/** The last answer for each flash, with the version of what it was read from. */
const known = new WeakMap<object, { readonly version: number; readonly text: string }>();

function datasetsOf(device: SimDevice): string {
  const { version } = device.records;
  const last = known.get(device.flash);
  if (last?.version === version) return last.text;
  const text = readDatasets(device);
  known.set(device.flash, { version, text });
  return text;
}

function readDatasets(device: SimDevice): string {
  const records = recordsOf(device.flash);
  return [...records.values()]
    .sort((a, b) => a.dataset - b.dataset)
    .map(({ dataset, isTombstone }) => `${dataset}${isTombstone ? "-" : ""}`)
    .join();
}

function portsOf({ wifi, mqtt, http, records, ota, ble, software }: SimDevice): string {
  const ble_ = ble.isConnected ? "central" : ble.isAdvertising ? "advertises" : "off";
  const slots = `${software?.firmware.slot.number}${software?.isOnTrial === true ? "?" : ""}`;
  const writing = `${records.pending.length > 0}/${ota.pending.length > 0}`;
  return `${wifi.state} ${mqtt.state} ${http.state} ${ble_} ${slots} ${writing}`;
}

function cloudOf({ cloud, isBrokerDown }: World): string {
  const statuses = [...cloud.registry.certificates.values()].map(({ status }) => status);
  const active = statuses.filter((status) => status === "ACTIVE").length;
  const isPending = statuses.includes("PENDING_ACTIVATION");
  const jobs = cloud.jobs.list().flatMap(({ jobId }) => {
    return cloud.jobs.executions(jobId).map(({ status }) => {
      return `${jobId.replace(/\d+$/, "")}${isTerminal(status) ? "ended" : status}`;
    });
  });
  return `${isBrokerDown} ${active} ${isPending} ${[...new Set(jobs)].sort().join()}`;
}

/** The look of a world with one device, between two things that happen. */
export function lookOf(world: World, layout: readonly MachineLayout[]): string {
  const device = world.devices[0]!;
  const { isOn, mode } = device;
  const machines = isOn ? machinesOf(device, layout).join() : "";
  const parts = [isOn, mode, machines, portsOf(device), datasetsOf(device), cloudOf(world)];
  return parts.join(" | ");
}
