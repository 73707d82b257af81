// What a bench is: contestants that do the same work, one of them the reference. The frame runs
// them in turns, so that a machine that grows slow grows slow for all of them alike. Registered in
// registry.ts, run by scripts/tasks/bench.ts.

/** What a contestant measures itself, where its run has more to it than the work. */
export interface Measurement {
  readonly ms: number;
  /** Milliseconds of stretches of the run, by their names: of the work, or beside it. */
  readonly parts: Readonly<Record<string, number>>;
}

export interface Contestant {
  readonly name: string;
  /** The work, once; throws when its outcome is wrong. All of it counts, unless it measures. */
  // biome-ignore lint/suspicious/noConfusingVoidType: nothing is what most contestants answer.
  run(): Promise<Measurement | void>;
}

/** A bench that is set up. */
export interface Bout {
  readonly contestants: readonly Contestant[];
  /** Name of the contestant whose median is 1 in the column of ratios. */
  readonly reference: string;
  /** What a reader of the numbers must know. */
  readonly notes: readonly string[];
  /** What the numbers come to, in words. */
  conclude?(results: readonly Result[]): readonly string[];
  close(): Promise<void>;
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  /** Runs of each contestant that are not counted; default 3: compilers and caches warm up. */
  readonly warmUpRuns?: number;
  /** Runs of each when the caller does not say; default 15. */
  readonly runs?: number;
  open(): Promise<Bout>;
}

export interface Result {
  readonly name: string;
  readonly medianMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Median in medians of the reference. */
  readonly ratio: number;
  readonly samplesMs: readonly number[];
  /** Medians of the parts that it measured itself. */
  readonly partsMs: Readonly<Record<string, number>>;
}

const WARM_UP_RUNS = 3;

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error("no values have no median");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

async function timeOf(contestant: Contestant): Promise<Measurement> {
  const start = performance.now();
  const measured = await contestant.run();
  return measured ?? { ms: performance.now() - start, parts: {} };
}

function resultOf(name: string, samples: readonly Measurement[], unit: number): Result {
  const samplesMs = samples.map(({ ms }) => ms);
  const medianMs = median(samplesMs);
  const names = Object.keys(samples[0]?.parts ?? {});
  const partsMs = names.map((part) => [part, median(samples.map(({ parts }) => parts[part]!))]);
  return {
    name,
    medianMs,
    minMs: Math.min(...samplesMs),
    maxMs: Math.max(...samplesMs),
    ratio: medianMs / unit,
    samplesMs,
    partsMs: Object.fromEntries(partsMs),
  };
}

/** Runs all contestants in turns, `runs` times each. */
export async function measure(
  bout: Bout,
  runs: number,
  warmUpRuns = WARM_UP_RUNS,
): Promise<Result[]> {
  const { contestants } = bout;
  const samples = new Map<Contestant, Measurement[]>(contestants.map((one) => [one, []]));
  for (let run = -warmUpRuns; run < runs; run++) {
    for (const [contestant, taken] of samples) {
      const sample = await timeOf(contestant);
      if (run >= 0) taken.push(sample);
    }
  }
  const reference = contestants.find(({ name }) => name === bout.reference);
  if (reference === undefined) throw new Error(`no contestant is called ${bout.reference}`);
  const unit = median(samples.get(reference)!.map(({ ms }) => ms));
  return contestants.map((one) => resultOf(one.name, samples.get(one)!, unit));
}

/** The results as lines of text; parts stand below their contestant, indented. */
export function tableOf(results: readonly Result[]): string[] {
  const labels = results.flatMap(({ name, partsMs }) => [
    name,
    ...Object.keys(partsMs).map(partOf),
  ]);
  const widest = Math.max(...labels.map(({ length }) => length));
  const cell = (text: string) => text.padStart(10);
  const time = (ms: number) => cell(`${ms.toFixed(1)} ms`);
  const heads = ["median", "min", "max", "ratio"].map(cell).join("");
  const rows = results.flatMap(({ name, medianMs, minMs, maxMs, ratio, partsMs }) => [
    `${name.padEnd(widest)}${[medianMs, minMs, maxMs].map(time).join("")}${cell(ratio.toFixed(2))}`,
    ...Object.entries(partsMs).map(
      ([part, ms]) => `${partOf(part).padEnd(widest)}${time(ms)}${["", "", ""].map(cell).join("")}`,
    ),
  ]);
  return [`${"".padEnd(widest)}${heads}`, ...rows];
}

const partOf = (name: string): string => `  ${name}`;
