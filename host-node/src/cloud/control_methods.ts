// What the control channel offers: the library's methods by name, with parameters that came as
// JSON. The commands in cli/ are the callers; a wrong type is refused here, everything else by the
// services.

import type { ControlMethods, ControlParameters } from "./control.js";
import type { LocalCloud } from "./index.js";
import type { CreateJobOptions, JobStatus } from "./jobs_model.js";
import { JobError } from "./jobs_rules.js";
import type { ShadowUpdateDocument } from "./shadow.js";
import type { UpdateOptions } from "./updates.js";

/** A thing as `iot32 thing list` shows it. */
export interface ThingSummary {
  readonly name: string;
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
  readonly certificates: number;
  readonly connected: boolean;
  /** Milliseconds since 1970. */
  readonly created: number;
}

export function controlMethods(cloud: LocalCloud): ControlMethods {
  const connected = new Set<string>();
  cloud.on("connected", ({ clientId }) => connected.add(clientId));
  cloud.on("disconnected", ({ clientId }) => connected.delete(clientId));
  const shadowOf = (parameters: ControlParameters) => {
    const name = parameters.name === undefined ? undefined : text(parameters, "name");
    return cloud.shadow(text(parameters, "thing"), name);
  };
  const force = ({ force }: ControlParameters) => ({ force: force === true });
  return {
    "shadow.get": (parameters) => shadowOf(parameters).get(),
    "shadow.update": (parameters) =>
      shadowOf(parameters).update(parameters.document as ShadowUpdateDocument),
    "shadow.delete": (parameters) => shadowOf(parameters).delete(),
    "job.create": (parameters) => cloud.createJob(parameters.job as CreateJobOptions),
    "job.list": ({ status }) => cloud.listJobs(status as JobStatus | undefined),
    "job.describe": (parameters) => cloud.describeJob(text(parameters, "jobId")),
    "job.executions": (parameters) => cloud.listExecutions(text(parameters, "jobId")),
    "job.cancel": (parameters) => cloud.cancelJob(text(parameters, "jobId"), force(parameters)),
    "job.delete": (parameters) => cloud.deleteJob(text(parameters, "jobId"), force(parameters)),
    "update.create": (parameters) => cloud.createUpdate(parameters.update as UpdateOptions),
    "thing.list": () =>
      cloud.things().map(({ name, groups, attributes, principals, created }): ThingSummary => {
        const certificates = principals.length;
        return { name, groups, attributes, certificates, connected: connected.has(name), created };
      }),
    "group.list": () => cloud.groups(),
    "group.create": (parameters) => cloud.createGroup(text(parameters, "group")),
    "group.add": (parameters) =>
      cloud.addToGroup(text(parameters, "thing"), text(parameters, "group")),
    "group.remove": (parameters) =>
      cloud.removeFromGroup(text(parameters, "thing"), text(parameters, "group")),
  };
}

function text(parameters: ControlParameters, name: string): string {
  const value = parameters[name];
  if (typeof value === "string" && value !== "") return value;
  throw new JobError("InvalidRequest", `${name} is missing`);
}
