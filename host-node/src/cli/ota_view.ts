// How a rollout is shown: as lines of JSON for scripts, as a progress bar on a terminal, and as
// plain lines where there is none. What devices say is made harmless before it is printed. Driven
// by ota_follow.ts.

import { Presets, SingleBar } from "cli-progress";
import pc from "picocolors";
import type { ExecutionDescription, ExecutionStatus } from "../cloud/index.js";
import { detailsText, printable } from "./cloud_client.js";
import { countsText, type Snapshot, type View } from "./ota_follow.js";

/** Where a view writes; standard output but in tests. */
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean };

const BAR_COLUMNS = 24;
const WHOLE = 100;
const UNDER_WAY: readonly ExecutionStatus[] = ["QUEUED", "IN_PROGRESS"];

export function viewOf(output: Output, json: boolean, jobId: string): View {
  if (json) return new JsonView(output, jobId);
  return output.isTTY === true ? new BarView(output, jobId) : new LineView(output, jobId);
}

class JsonView implements View {
  readonly #output: Output;
  readonly #jobId: string;

  constructor(output: Output, jobId: string) {
    this.#output = output;
    this.#jobId = jobId;
  }

  changed(execution: ExecutionDescription): void {
    this.#print("execution", execution);
  }

  shown(): void {}

  ended({ job }: Snapshot, succeeded: boolean): void {
    const { status, reasonCode, comment, jobProcessDetails } = job;
    this.#print("ended", { status, reasonCode, comment, succeeded, jobProcessDetails });
  }

  left(): void {
    this.#print("left", {});
  }

  close(): void {}

  #print(event: string, facts: object): void {
    this.#output.write(`${JSON.stringify({ event, jobId: this.#jobId, ...facts })}\n`);
  }
}

class LineView implements View {
  readonly #output: Output;
  readonly #jobId: string;

  constructor(output: Output, jobId: string) {
    this.#output = output;
    this.#jobId = jobId;
  }

  changed(execution: ExecutionDescription): void {
    this.print(executionText(execution));
  }

  shown(_snapshot: Snapshot): void {}

  ended({ job }: Snapshot, succeeded: boolean): void {
    const { status, reasonCode } = job;
    const reason = reasonCode === undefined ? "" : ` (${reasonCode})`;
    const colour = succeeded ? pc.green : pc.red;
    this.print(`${pc.bold(this.#jobId)}  ${colour(status)}${reason}: ${countsText(job)}`);
  }

  left(): void {
    const id = this.#jobId;
    this.print(
      `${pc.bold(id)}  goes on; see: iot32 job describe ${id}, or end it: iot32 job cancel ${id}`,
    );
  }

  close(): void {}

  protected print(text: string): void {
    this.#output.write(`${text}\n`);
  }
}

/** One bar for the whole rollout; at the end a line for each thing that did not succeed. */
class BarView extends LineView {
  readonly #bar: SingleBar;

  constructor(output: Output, jobId: string) {
    super(output, jobId);
    const format = "{bar} {percentage}%  {text}";
    // An interrupt is for ota.ts to hear.
    const options = { format, stream: output, barsize: BAR_COLUMNS, gracefulExit: false };
    this.#bar = new SingleBar({ ...options, hideCursor: true }, Presets.shades_classic);
    this.#bar.start(WHOLE, 0, { text: "" });
  }

  override changed(_execution: ExecutionDescription): void {}

  override shown(snapshot: Snapshot): void {
    const { job, executions } = snapshot;
    const [only] = executions;
    const isAlone = executions.length === 1 && job.jobProcessDetails.numberOfWaitingThings === 0;
    const text = isAlone ? executionText(only!) : countsText(job);
    this.#bar.update(Math.floor(percentOf(snapshot)), { text });
  }

  override ended(snapshot: Snapshot, succeeded: boolean): void {
    for (const execution of snapshot.executions) {
      if (execution.status !== "SUCCEEDED") this.print(executionText(execution));
    }
    super.ended(snapshot, succeeded);
  }

  override close(): void {
    this.#bar.stop();
  }
}

function executionText(execution: ExecutionDescription): string {
  const { thingName, status } = execution;
  return `${thingName}  ${status}  ${printable(detailsText(execution))}`.trimEnd();
}

/** How far a rollout is: each thing counts the same, and one under way as far as it says. */
export function percentOf({ job, executions }: Snapshot): number {
  const things = executions.length + job.jobProcessDetails.numberOfWaitingThings;
  if (things === 0) return WHOLE;
  return executions.reduce((sum, execution) => sum + percentOfOne(execution), 0) / things;
}

/** Devices report `progress` as "40", "40%" or in words of their own. */
function percentOfOne({ status, statusDetails }: ExecutionDescription): number {
  if (!UNDER_WAY.includes(status)) return WHOLE;
  const percent = Number.parseFloat(statusDetails?.progress ?? "");
  return percent > 0 ? Math.min(percent, WHOLE) : 0;
}
