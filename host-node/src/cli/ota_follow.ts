// Follows a rollout to its end: looks at the job several times a second and tells a view what has
// changed. Knows neither the cloud nor the terminal; called by ota.ts, with views of ota_view.ts.

import { setTimeout as sleep } from "node:timers/promises";
import type { ExecutionDescription, JobDescription, JobSummary } from "../cloud/index.js";

export interface Snapshot {
  readonly job: JobDescription;
  readonly executions: readonly ExecutionDescription[];
}

export interface View {
  /** An execution is new, or is not what it was. */
  changed(execution: ExecutionDescription): void;
  /** After each look. */
  shown(snapshot: Snapshot): void;
  ended(snapshot: Snapshot, succeeded: boolean): void;
  /** Following was given up; the job was not. */
  left(): void;
  /** Whatever happened; called once, before `ended` and `left`. */
  close(): void;
}

export type Outcome = "succeeded" | "failed" | "left";

const LOOK_INTERVAL_MS = 250;

/** Ends with the job, or when the signal says so. What `look` throws ends it too. */
export async function follow(
  look: () => Promise<Snapshot>,
  view: View,
  signal: AbortSignal,
): Promise<Outcome> {
  const known = new Map<string, string>();
  let last: Snapshot | null = null;
  try {
    while (!signal.aborted) {
      const snapshot = await look();
      for (const execution of snapshot.executions) {
        const { thingName, executionNumber, versionNumber, status } = execution;
        const identity = `${executionNumber}/${versionNumber}/${status}`;
        if (known.get(thingName) !== identity) view.changed(execution);
        known.set(thingName, identity);
      }
      view.shown(snapshot);
      if (snapshot.job.status !== "IN_PROGRESS") {
        last = snapshot;
        break;
      }
      await sleep(LOOK_INTERVAL_MS, undefined, { signal }).catch(() => {});
    }
  } finally {
    view.close();
  }
  if (last === null) {
    view.left();
    return "left";
  }
  const succeeded = hasSucceeded(last);
  view.ended(last, succeeded);
  return succeeded ? "succeeded" : "failed";
}

/** A job that reached nobody brought nothing. */
function hasSucceeded({ job, executions }: Snapshot): boolean {
  const all = executions.every(({ status }) => status === "SUCCEEDED");
  return job.status === "COMPLETED" && executions.length > 0 && all;
}

/** "3 succeeded, 1 queued": the states that occur. */
export function countsText({ jobProcessDetails: counts }: JobSummary): string {
  const states: [number, string][] = [
    [counts.numberOfSucceededThings, "succeeded"],
    [counts.numberOfFailedThings, "failed"],
    [counts.numberOfRejectedThings, "rejected"],
    [counts.numberOfTimedOutThings, "timed out"],
    [counts.numberOfCanceledThings, "cancelled"],
    [counts.numberOfRemovedThings, "removed"],
    [counts.numberOfInProgressThings, "in progress"],
    [counts.numberOfQueuedThings, "queued"],
    [counts.numberOfWaitingThings, "waiting"],
  ];
  const present = states.filter(([count]) => count > 0);
  if (present.length === 0) return "no thing to reach";
  return present.map(([count, name]) => `${count} ${name}`).join(", ");
}
