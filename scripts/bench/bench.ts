// What a bench is: contestants that do the same work, one of them the reference. The frame runs
// them in turns, so that a machine that grows slow grows slow for all of them alike. Registered in
// registry.ts, run by scripts/tasks/bench.ts.

export interface Contestant {
  readonly name: string;
  /** The work, once; throws when its outcome is wrong. */
  run(): Promise<void>;
}

/** A bench that is set up. */
export interface Bout {
  readonly contestants: readonly Contestant[];
  /** Name of the contestant whose median is 1 in the column of ratios. */
  readonly reference: string;
  /** What a reader of the numbers must know. */
  readonly notes: readonly string[];
  close(): Promise<void>;
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
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
}

/** Not counted: compilers and caches warm up. */
const WARM_UP_RUNS = 3;

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error("no values have no median");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

async function timeOf(contestant: Contestant): Promise<number> {
  const start = performance.now();
  await contestant.run();
  return performance.now() - start;
}

/** Runs all contestants in turns, `runs` times each. */
export async function measure(bout: Bout, runs: number): Promise<Result[]> {
  const { contestants } = bout;
  const samples = new Map<Contestant, number[]>(contestants.map((one) => [one, []]));
  for (let run = -WARM_UP_RUNS; run < runs; run++) {
    for (const [contestant, times] of samples) {
      const ms = await timeOf(contestant);
      if (run >= 0) times.push(ms);
    }
  }
  const reference = contestants.find(({ name }) => name === bout.reference);
  if (reference === undefined) throw new Error(`no contestant is called ${bout.reference}`);
  const unit = median(samples.get(reference)!);
  return contestants.map((contestant) => {
    const samplesMs = samples.get(contestant)!;
    const medianMs = median(samplesMs);
    return {
      name: contestant.name,
      medianMs,
      minMs: Math.min(...samplesMs),
      maxMs: Math.max(...samplesMs),
      ratio: medianMs / unit,
      samplesMs,
    };
  });
}

/** The results as lines of text. */
export function tableOf(results: readonly Result[]): string[] {
  const widest = Math.max(...results.map(({ name }) => name.length));
  const cell = (text: string) => text.padStart(10);
  const heads = ["median", "min", "max", "ratio"].map(cell).join("");
  const rows = results.map(({ name, medianMs, minMs, maxMs, ratio }) => {
    const times = [medianMs, minMs, maxMs].map((ms) => cell(`${ms.toFixed(1)} ms`));
    return `${name.padEnd(widest)}${times.join("")}${cell(ratio.toFixed(2))}`;
  });
  return [`${"".padEnd(widest)}${heads}`, ...rows];
}
