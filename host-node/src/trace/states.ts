// In which states a device is. What it has told: the core reports what happens to it by log_event,
// and replay.ts hears two of them, the device of the trace and the module that it runs. And what
// its state machines say: a module that was built with names is made to export the variable of each
// (watchStates), and its code stays what it is.

import { Event, JobStatus, Mode, nameOf, OtaState, ProvisioningStep, statusText } from "../abi.js";
import type { Core } from "../core.js";
import { type Machine, readMachines } from "../machines.js";
import { packageRoot } from "../package_root.js";
import { exportGlobals, globalNames } from "../wasm_link.js";

export interface MachineState {
  readonly machine: string;
  readonly state: string;
}

type Say = (value: number, text: string) => string;

const withText = (state: string, text: string): string => {
  return text === "" ? state : `${state} (${text})`;
};

const named =
  (values: Readonly<Record<string, number>>): Say =>
  (value, text) =>
    withText(nameOf(values, value), text);

const fixed =
  (state: string): Say =>
  (_value, text) =>
    withText(state, text);

const failed =
  (state: string): Say =>
  (value, text) =>
    withText(state, text === "" && value < 0 ? statusText(value) : text);

/** Which machine an event is of, and the state it tells. */
const TOLD: Readonly<Record<number, readonly [machine: string, say: Say]>> = {
  [Event.MODE_CHANGED]: ["modes", named(Mode)],
  [Event.WIFI_JOINING]: ["wifi", fixed("JOINING")],
  [Event.WIFI_CONNECTED]: ["wifi", fixed("CONNECTED")],
  [Event.WIFI_DISCONNECTED]: ["wifi", failed("DISCONNECTED")],
  [Event.MQTT_CONNECTING]: ["session", fixed("CONNECTING")],
  [Event.MQTT_CONNECTED]: ["session", fixed("CONNECTED")],
  [Event.MQTT_DISCONNECTED]: ["session", failed("DISCONNECTED")],
  [Event.PROVISIONING]: ["provisioning", named(ProvisioningStep)],
  [Event.PROVISIONED]: ["provisioning", fixed("PROVISIONED")],
  [Event.PROVISIONING_FAILED]: ["provisioning", failed("FAILED")],
  [Event.JOB_STARTED]: ["jobs", fixed("STARTED")],
  [Event.JOB_FINISHED]: ["jobs", named(JobStatus)],
  [Event.JOB_CANCELED]: ["jobs", fixed("CANCELED")],
  [Event.JOB_REJECTED]: ["jobs", failed("REJECTED")],
  [Event.OTA_STATE]: ["ota", named(OtaState)],
};

/** What a device has told since its life began. */
export class ToldStates {
  private readonly states = new Map<string, string>();

  /** A life begins: nothing has been told yet. */
  begin(): void {
    this.states.clear();
  }

  /** log_event with these arguments; text is UTF-8. */
  tell(event: number, value: number, text: Uint8Array): void {
    const told = TOLD[event];
    if (told === undefined) return;
    const [machine, say] = told;
    this.states.set(machine, say(value, Buffer.from(text).toString()));
  }

  list(): MachineState[] {
    return [...this.states].map(([machine, state]) => ({ machine, state }));
  }
}

const EXPORTED = "state of ";
/** Variables that are not called `state` in the source of the machine's table. */
const VARIABLES: Readonly<Record<string, string>> = {
  modes: "assembly/system/modes/mode",
  ota: "assembly/ota/trial/state",
};

let machines: readonly Machine[] | null = null;
/** Those of the core's sources. */
export const allMachines = (): readonly Machine[] => {
  machines ??= readMachines(packageRoot);
  return machines;
};

/** Name of the variable of a machine's state, as the build with names has it. */
export const stateVariable = ({ name, file }: Machine): string =>
  VARIABLES[name] ?? file.replace(/\.ts$/, "/state");

/** The same module, built with names, that can be asked for the states of its machines. */
export function watchStates(named: Uint8Array): Uint8Array {
  const names = globalNames(named);
  const globals = allMachines().flatMap((machine): [string, number][] => {
    const index = names.get(stateVariable(machine));
    return index === undefined ? [] : [[`${EXPORTED}${machine.name}`, index]];
  });
  return exportGlobals(named, new Map(globals));
}

/** States of the machines of a core between two steps; none without watchStates. */
export function machineStates(core: Core): MachineState[] {
  return allMachines().flatMap(({ name, states }) => {
    const value = core.peek(`${EXPORTED}${name}`);
    return value === null ? [] : [{ machine: name, state: states.get(value) ?? String(value) }];
  });
}
