// Jobs on disk: one file for each job with all its executions, replaced atomically, so that
// whatever happens to a job happens wholly or not at all. All are read at start. Used by
// jobs_engine.ts alone.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readJsonFile, replaceFile } from "./atomic_file.js";
import type { ExecutionRecord, JobRecord } from "./jobs_model.js";

type JobFile = Omit<JobRecord, "executions"> & { readonly executions: readonly ExecutionRecord[] };

const DIRECTORY = "jobs";
const PRIVATE_DIRECTORY_MODE = 0o700;
const DIGEST_DIGITS = 8;

export class JobStore {
  readonly #directory: string;
  readonly #jobs = new Map<string, JobRecord>();

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, DIRECTORY);
    mkdirSync(this.#directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
    const files = readdirSync(this.#directory).filter((file) => file.endsWith(".json"));
    const jobs = files.map((file) => readJsonFile(join(this.#directory, file)) as JobFile);
    for (const file of jobs.sort((a, b) => a.sequence - b.sequence)) {
      const executions = new Map(file.executions.map((record) => [record.thing, record]));
      this.#jobs.set(file.jobId, { ...file, executions });
    }
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
    replaceFile(this.#pathOf(job.jobId), `${JSON.stringify(file)}\n`);
    this.#jobs.set(job.jobId, job);
  }

  delete(jobId: string): void {
    rmSync(this.#pathOf(jobId), { force: true });
    this.#jobs.delete(jobId);
  }

  /** The digest keeps apart what a file system that ignores case would not. */
  #pathOf(jobId: string): string {
    const digest = createHash("sha256").update(jobId).digest("hex").slice(0, DIGEST_DIGITS);
    return join(this.#directory, `${jobId}.${digest}.json`);
  }
}
