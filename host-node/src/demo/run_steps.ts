// Runs steps one after the other, each within its deadline, and stops at the first that fails.
// Called by `npm start -- --once`.

import type { Stage } from "./stage.js";
import type { Step, StepContext } from "./step.js";

export interface StepResult {
  readonly name: string;
  readonly ok: boolean;
  /** What was observed, or what was expected and what had happened instead. */
  readonly detail: string;
}

export interface RunOptions {
  /** Deadline of each step, milliseconds. */
  readonly stepMs: number;
  readonly onStart?: (step: Step) => void;
  readonly onResult?: (result: StepResult) => void;
}

/** The net under a step that waits for something else than the journal. */
function withDeadline(run: Promise<string>, ms: number): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = () => reject(new Error(`not finished after ${ms / 1000} s`));
    timer = setTimeout(fail, ms);
  });
  return Promise.race([run, late]).finally(() => clearTimeout(timer));
}

async function runStep(step: Step, context: StepContext, ms: number): Promise<StepResult> {
  try {
    return { name: step.name, ok: true, detail: await withDeadline(step.run(context), ms) };
  } catch (error) {
    return { name: step.name, ok: false, detail: (error as Error).message };
  }
}

/** Results in order; the last one is the one that failed, if one did. */
export async function runSteps(
  steps: readonly Step[],
  stage: Stage,
  { stepMs, onStart, onResult }: RunOptions,
): Promise<StepResult[]> {
  const results: StepResult[] = [];
  let thing = "";
  for (const step of steps) {
    onStart?.(step);
    const { mark } = stage.journal;
    const endsAt = performance.now() + stepMs;
    const context: StepContext = {
      stage,
      mark,
      thing,
      until: (expected, find, from = mark) => {
        // A little before the net, so that the sentence about what was expected is heard.
        const withinMs = Math.max(0, Math.round(endsAt - performance.now() - stepMs / 100));
        return stage.journal.until(expected, find, { mark: from, withinMs });
      },
    };
    const result = await runStep(step, context, stepMs);
    ({ thing } = context);
    results.push(result);
    onResult?.(result);
    if (!result.ok) break;
  }
  return results;
}
