// iot32 sim, sweep and explore as programs: what they print, how they end, and that the command
// they name repeats a failure.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../host-node/src/package_root.js";
import { meter } from "./support/sim_scene.js";

const CLI = join(packageRoot, "dist", "host-node", "src", "cli", "main.js");
const folder = mkdtempSync(join(tmpdir(), "iot32-sim-cli-"));
const module = join(folder, "meter.wasm");
writeFileSync(module, meter);

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function iot32(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd: folder, env: { ...process.env, NO_COLOR: "1" } };
    execFile(process.execPath, [CLI, ...args], options, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

test("sim_tells_a_line_for_each_seed_and_the_same_one_each_time", async () => {
  const args = ["sim", module, "--seeds", "2", "--days", "0.5"];
  const first = await iot32(...args);
  assert.equal(first.code, 0, first.err);
  assert.match(
    first.out,
    /^seed 1: .* device-days, .* steps, .* faults; digest [0-9a-f]{16}\nseed 2/,
  );
  assert.equal((await iot32(...args)).out, first.out);
  const json = await iot32(...args, "--json");
  const reports = json.out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  assert.deepEqual(Object.keys(reports[0]!), [
    ...["seed", "deviceDays", "steps", "calls", "digest", "faults", "violations"],
  ]);
});

test("failure_is_told_with_its_faults_a_command_and_a_trace_that_repeat_it", async () => {
  const fragile = join(packageRoot, "tests", "wasm", "apps", "fragile.ts");
  const outcome = await iot32("sim", fragile, "--seed", "7", "--days", "1");
  assert.equal(outcome.code, 1, outcome.out + outcome.err);
  const [, what, faultsLine, again, trace] = outcome.out.trimEnd().split("\n");
  assert.match(what!, /^no trap: device 0 .* \(seed 7, step \d+, 0 d [\d:.]+\)$/);
  assert.match(faultsLine!, /^faults {3}none \(of \d+, found in \d+ runs\)$/);
  const command = again!.replace(/^again +iot32 /, "").split(" ");
  const repeated = await iot32(...command);
  assert.equal(repeated.code, 1);
  assert.match(repeated.out, /no trap: device 0 /);
  const replayed = await iot32(...trace!.replace(/^trace +iot32 /, "").split(" "));
  assert.equal(replayed.code, 0, replayed.out + replayed.err);
  assert.match(replayed.out, /no difference/);
});

test("options_that_make_no_sense_are_refused_in_a_sentence", async () => {
  const refusals: [string[], RegExp][] = [
    [["sim", module, "--faults", "nune"], /no fault profile "nune"; there is none, default, rough/],
    [["sim", module, "--faults", "missing.json"], /cannot read the faults of missing\.json/],
    [["sim", module, "--seeds", "0"], /must be a whole number from 1/],
    [["sim", module, "--days", "x"], /must be a number from 0/],
    [["sim", "missing.wasm"], /cannot read missing\.wasm: ENOENT/],
    [
      ["sweep", "nothing", "--app", module],
      /no scenario is called "nothing"; there is life, claim/,
    ],
    [["explore", module], /give the application as \.ts/],
  ];
  for (const [args, wanted] of refusals) {
    const { code, err } = await iot32(...args);
    assert.equal(code, 1, args.join(" "));
    assert.match(err, wanted);
    assert.doesNotMatch(err, /\n\s+at /);
  }
});

test("sweep_tells_places_cuts_and_their_outcome", async () => {
  const { code, out } = await iot32("sweep", "claim", "--app", module, "--pairs", "10");
  assert.equal(code, 0, out);
  assert.match(out, /^claim: \d+ calls, \d+ places; \d+ cuts, \d+ pairs; \d+ ways of going on$/m);
  assert.match(out, /^every copy came to its end; digest [0-9a-f]{16}$/m);
});
