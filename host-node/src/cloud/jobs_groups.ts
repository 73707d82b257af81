// Thing groups in the registry: made, joined and left. The jobs follow; see followGroups in
// jobs_engine.ts. Called by LocalCloud.

import { JobError } from "./jobs_rules.js";
import type { ServiceContext } from "./service.js";
import type { GroupRecord, ThingRecord } from "./store.js";

type Registry = Pick<ServiceContext, "store" | "limits" | "clock">;

const GROUP_NAME = /^[a-zA-Z0-9:_-]+$/;

export interface GroupDescription extends GroupRecord {
  /** Names of the things in it. */
  readonly things: readonly string[];
}

export function createGroup({ store, limits, clock }: Registry, name: string): void {
  const charactersMax = limits.thingNameCharactersMax;
  if (!GROUP_NAME.test(name) || name.length > charactersMax) {
    const rule = `1 to ${charactersMax} of [a-zA-Z0-9:_-]`;
    throw new JobError("InvalidRequest", `A group's name is ${rule}: "${name}"`);
  }
  if (store.registry.groups.has(name)) {
    throw new JobError("ResourceAlreadyExists", `Group ${name} exists already`);
  }
  store.transaction((draft) => draft.groups.set(name, { name, created: clock.now() }));
}

/** All groups, those included that only a provisioning template has named. */
export function groupsOf({ store }: Registry): GroupDescription[] {
  const things = [...store.registry.things.values()];
  const groups = new Map(store.registry.groups);
  for (const { groups: names, created } of things) {
    for (const name of names) if (!groups.has(name)) groups.set(name, { name, created });
  }
  return [...groups.values()].map((group) => ({
    ...group,
    things: things.filter((thing) => thing.groups.includes(group.name)).map(({ name }) => name),
  }));
}

export function addToGroup(registry: Registry, thingName: string, group: string): void {
  if (!groupsOf(registry).some(({ name }) => name === group)) {
    throw new JobError("ResourceNotFound", `Group ${group} does not exist`);
  }
  regroup(registry, thingName, (groups) => [...new Set([...groups, group])]);
}

export function removeFromGroup(registry: Registry, thingName: string, group: string): void {
  if (!groupsOf(registry).some(({ name }) => name === group)) {
    throw new JobError("ResourceNotFound", `Group ${group} does not exist`);
  }
  regroup(registry, thingName, (groups) => groups.filter((name) => name !== group));
}

function regroup(
  { store }: Registry,
  thingName: string,
  change: (groups: readonly string[]) => readonly string[],
): void {
  store.transaction((draft) => {
    const thing: ThingRecord | undefined = draft.things.get(thingName);
    if (thing === undefined) {
      throw new JobError("ResourceNotFound", `Thing ${thingName} does not exist`);
    }
    draft.things.set(thingName, { ...thing, groups: change(thing.groups) });
  });
}
