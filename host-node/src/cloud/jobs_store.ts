// The jobs as state: one value for each job with all its executions, replaced as one, so that
// whatever happens to a job happens wholly or not at all. All are read at start. Used by
// jobs_engine.ts alone.

import { createHash } from "node:crypto";
import type { ExecutionRecord, JobRecord } from "./jobs_model.js";
import type { StateFiles } from "./state_files.js";

type JobFile = Omit<JobRecord, "executions"> & { readonly executions: readonly ExecutionRecord[] };

const DIRECTORY = "jobs";
const DIGEST_DIGITS = 8;

export class JobStore {
  readonly #files: StateFiles;
  readonly #jobs: Map<string, JobRecord>;

  /** Reads the jobs in `files`; or has those of `original`, on a copy of its files. */
  constructor(files: StateFiles, original?: JobStore) {
    this.#files = files;
    this.#jobs = original === undefined ? jobsIn(files) : new Map(original.#jobs);
  }

  get(jobId: string): JobRecord | undefined {
    return this.#jobs.get(jobId);
  }

  /** In the order of creation. */
  all(): JobRecord[] {
    return [...this.#jobs.values()];
  }

  nextSequence(): number {
    return Math.max(0, ...this.all().map(({ sequence }) => sequence)) + 1;
  }

  /** After a return the job survives any crash. */
  put(job: JobRecord): void {
    const file: JobFile = { ...job, executions: [...job.executions.values()] };
    this.#files.replace(nameOf(job.jobId), file);
    this.#jobs.set(job.jobId, job);
  }

  delete(jobId: string): void {
    this.#files.remove(nameOf(jobId));
    this.#jobs.delete(jobId);
  }
}

function jobsIn(files: StateFiles): Map<string, JobRecord> {
  const found = files.list(DIRECTORY).map((name) => files.read(name) as JobFile);
  const jobs = found
    .sort((a, b) => a.sequence - b.sequence)
    .map((file): JobRecord => {
      const executions = new Map(file.executions.map((record) => [record.thing, record]));
      return { ...file, executions };
    });
  return new Map(jobs.map((job) => [job.jobId, job]));
}

/** The digest keeps apart what a file system that ignores case would not. */
function nameOf(jobId: string): string {
  const digest = createHash("sha256").update(jobId).digest("hex").slice(0, DIGEST_DIGITS);
  return `${DIRECTORY}/${jobId}.${digest}.json`;
}
