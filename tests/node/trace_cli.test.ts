// Traces on the command line: what iot32 run has written, whichever way it ended, iot32 replay runs
// again; and what cannot be replayed is told in one sentence.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, mock, test } from "node:test";
import { fileURLToPath } from "node:url";
import { replayCommand } from "../../host-node/src/cli/replay.js";
import type { ReplayResult } from "../../host-node/src/trace/replay.js";
import { moduleDigest } from "../../host-node/src/trace/writer.js";
import { buildFixture, Scenario } from "./device_support.js";

const CLI = fileURLToPath(new URL("../../host-node/src/cli/main.js", import.meta.url));
/** No run here takes as long; one that hangs is ended and fails. */
const TIMEOUT_MS = 20_000;
/** Events of the small core: 100 and the kind of the event that it saw. */
const SAW_TICK = "100";
const SAW_WIFI_UP = "103";
let directory: string;
let wasm: string;
let module: Uint8Array;
/** A trace with its module beside it: a device that ticks. */
let trace: string;
let lines: string[];

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "iot32-trace-"));
  module = await buildFixture("quiet.ts");
  wasm = write("quiet.wasm", module);
  trace = await traceOf("ticks", Scenario.TICK, SAW_TICK, "SIGTERM");
  lines = readFileSync(trace, "utf8").split("\n").slice(0, -1);
});
after(() => rmSync(directory, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function iot32(...args: string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
  });
  return { status, stdout, stderr };
}

/** iot32 replay in this process: a process for each question would take most of the time. */
async function replay(...args: string[]): Promise<Outcome> {
  const said: string[] = [];
  const log = mock.method(console, "log", (line: string) => said.push(`${stripped(line)}\n`));
  const earlier = process.exitCode;
  process.exitCode = 0;
  let stderr = "";
  try {
    const command = replayCommand()
      .exitOverride()
      .configureOutput({ writeErr: (text) => void said.push(text) });
    await command.parseAsync(args, { from: "user" });
  } catch (error) {
    stderr = `iot32: ${(error as Error).message}\n`;
    process.exitCode = 1;
  } finally {
    log.mock.restore();
  }
  const status = Number(process.exitCode ?? 0);
  process.exitCode = earlier;
  return { status, stdout: stderr === "" ? said.join("") : "", stderr };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
const stripped = (line: string): string => line.replace(/\u001b\[[0-9;]*m/g, "");

/** Runs a device until it has told an event of this name, then ends the process by the signal. */
async function traceOf(
  name: string,
  scenario: Scenario,
  lastEvent: string,
  signal: NodeJS.Signals,
): Promise<string> {
  const path = join(directory, name, "life.trace");
  mkdirSync(join(directory, name));
  const config = write(`${name}.json`, scenario);
  const child = spawn(
    process.execPath,
    [CLI, "run", wasm, "--json", "--config", config, "--trace", path],
    { stdio: ["ignore", "pipe", "inherit"], timeout: TIMEOUT_MS },
  );
  const exited = new Promise((resolve) => child.once("exit", resolve));
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as { type: string; name?: string };
    if (line.type === "event" && line.name === lastEvent) child.kill(signal);
  }
  await exited;
  return path;
}

const besideOf = (path: string): string => `${path}.${moduleDigest(module).slice(0, 8)}.wasm`;

/** A trace of its own, with these lines, and the module beside it. */
function spoiled(name: string, content: readonly string[]): string {
  const path = write(name, `${content.join("\n")}\n`);
  copyFileSync(besideOf(trace), besideOf(path));
  return path;
}

/** The same module with a custom section behind it: other bytes that do the same. */
function otherModule(): string {
  const section = Uint8Array.of(0, 3, 1, 0x78, 0x79);
  return write("other.wasm", Buffer.concat([module, section]));
}

describe("a run with --trace", () => {
  test("leaves_the_trace_and_the_module_beside_it", () => {
    assert.deepEqual(readdirSync(join(directory, "ticks")).toSorted(), [
      "life.trace",
      `life.trace.${moduleDigest(module).slice(0, 8)}.wasm`,
    ]);
    assert.deepEqual(readFileSync(besideOf(trace)), Buffer.from(module));
    assert.equal(lines[1], `~ module ${moduleDigest(module)}`);
    assert.equal(lines.at(-1), "~ off");
  });

  test("that_was_killed_leaves_all_lines_up_to_then", async () => {
    const killed = await traceOf("killed", Scenario.TICK, SAW_TICK, "SIGKILL");
    const text = readFileSync(killed, "utf8");
    assert.match(text, /^> \d+ TICK 0 0 -$/m);
    assert.ok(!text.includes("~ off"));
    const { status, stdout, stderr } = iot32("replay", killed);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /^replayed \d+ steps, \d+ calls: no difference\n$/);
  });

  test("that_gives_up_after_three_traps_is_replayed_with_them", async () => {
    const traps = await traceOf("traps", Scenario.PANIC, "none", "SIGTERM");
    const { status, stdout } = await replay(traps, "--json");
    const { lives, difference } = JSON.parse(stdout) as ReplayResult;
    assert.deepEqual([status, lives, difference], [0, 3, null]);
  });

  test("holds_no_password_and_is_replayed_without_it", async () => {
    const joined = await traceOf("wifi", Scenario.WIFI, SAW_WIFI_UP, "SIGTERM");
    const text = readFileSync(joined, "utf8");
    assert.match(text, /^< wifi_join 'iot32' 70\*11 = 0$/m);
    assert.ok(!text.includes("iot32-local"));
    assert.equal((await replay(joined)).status, 0);
  });

  test("to_a_file_that_cannot_be_written_says_so", () => {
    const { status, stderr } = iot32("run", wasm, "--trace", join(directory, "none", "x.trace"));
    assert.equal(status, 1);
    assert.match(stderr, /^iot32: cannot write .*x\.trace: ENOENT\n$/);
  });
});

describe("a replay", () => {
  test("that_finds_no_difference_says_how_much_it_ran", () => {
    const { status, stdout, stderr } = iot32("replay", trace);
    assert.deepEqual([status, stderr], [0, ""]);
    const steps = lines.filter((line) => line.startsWith("> ")).length;
    const calls = lines.filter((line) => line.startsWith("< ")).length;
    assert.equal(stdout, `replayed ${steps} steps, ${calls} calls: no difference\n`);
  });

  test("that_finds_one_shows_both_sides_and_the_lines_before", () => {
    const index = lines.findLastIndex((line) => line.startsWith("= "));
    const { status, stdout } = iot32("replay", spoiled("wait.trace", lines.with(index, "= 77")));
    const said = stdout.trimEnd().split("\n");
    const width = `${index + 1}`.length;
    assert.equal(status, 1);
    assert.equal(said.at(-3), `${index + 1}  trace:  = 77`);
    assert.equal(said.at(-2), `${" ".repeat(width)}  module: ${lines[index]}`);
    assert.match(said.at(-1)!, new RegExp(`^replayed .*: a difference at line ${index + 1}$`));
    const from = Math.max(0, index - 8);
    const before = lines.slice(from, index).map((line, at) => {
      return `${`${from + at + 1}`.padStart(width)}  ${line}`;
    });
    assert.deepEqual(said.slice(0, -3), before);
  });

  test("tells_a_difference_as_json", async () => {
    const index = lines.findIndex((line) => line.startsWith("< log_event"));
    const path = spoiled("json.trace", lines.toSpliced(index, 0, "< wifi_leave = 0"));
    const { status, stdout } = await replay(path, "--json");
    const { steps, difference } = JSON.parse(stdout) as ReplayResult;
    assert.deepEqual([status, steps, difference?.line], [1, 1, index + 1]);
    assert.equal(difference?.trace, "< wifi_leave = 0");
    assert.equal(`${difference?.module} = 0`, lines[index]);
  });

  test("stops_after_a_line_that_it_is_given", async () => {
    const { status, stdout } = await replay(trace, "--until", "4");
    assert.equal(status, 0);
    assert.equal(stdout, "replayed 1 step, 1 call up to line 4: no difference\n");
    const early = await replay(trace, "--until", "2");
    assert.deepEqual([early.status, early.stderr], [1, "iot32: there is no step in this trace\n"]);
    assert.match((await replay(trace, "--until", "x")).stderr, /a line number counts from 1/);
  });

  test("tells_the_states_that_the_device_told_on_both_sides", async () => {
    const index = lines.findIndex((line) => line.startsWith("< log_event"));
    const path = spoiled("state.trace", lines.with(index, "< log_event 1 3 'so' = 0"));
    const { status, stdout } = await replay(path, "--state");
    assert.equal(status, 1);
    assert.match(stdout, /^modes +NORMAL \(so\) in the trace, - in the module$/m);
  });

  test("reads_the_log_of_a_console", async () => {
    const log = lines.flatMap((line) => ["I (12) wifi: noise", `trace: ${line}`]);
    const path = write("console.log", `${log.join("\r\n")}\r\n`);
    const { status, stdout } = await replay(path, "--module", wasm);
    assert.equal(status, 0);
    assert.match(stdout, /no difference/);
  });

  test("takes_another_module_only_when_it_is_told_to", async () => {
    const other = otherModule();
    const refused = await replay(trace, "--module", other);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /none that was given is it; --any-module takes another/);
    const taken = await replay(trace, "--module", other, "--any-module");
    assert.deepEqual([taken.status, taken.stderr], [0, ""]);
    const both = await replay(trace, "--module", other, "--module", wasm);
    assert.equal(both.status, 0);
  });
});

const FAULTS: readonly [what: string, args: () => string[], message: RegExp][] = [
  ["no file", () => [join(directory, "no.trace")], /cannot read .*no\.trace: ENOENT/],
  ["no header", () => [write("a.trace", "hello\n")], /line 1: a trace begins with/],
  ["nothing in it", () => [write("b.trace", "")], /line 1: a trace begins with/],
  ["no step", () => [write("c.trace", `${lines[0]}\n`)], /there is no step in this trace/],
  [
    "a broken line",
    () => [spoiled("d.trace", lines.with(3, "< fly = 0"))],
    /line 4: fly is none of \d+ imports/,
  ],
  [
    "no module",
    () => [write("e.trace", `${lines.join("\n")}\n`)],
    /e\.trace\.[0-9a-f]{8}\.wasm, which the trace is of, is missing: give it with --module/,
  ],
  [
    "another module beside it",
    () => {
      const path = spoiled("f.trace", lines);
      writeFileSync(besideOf(path), "other");
      return [path];
    },
    /is not the module of the trace, which has digest/,
  ],
  [
    "no name of its module",
    () => [write("g.trace", `${lines.toSpliced(1, 1).join("\n")}\n`)],
    /does not say which module ran: give it with --module/,
  ],
  [
    "no name of its module and two to choose from",
    () => [write("h.trace", `${lines.toSpliced(1, 1).join("\n")}\n`), "-m", wasm, "-m", wasm],
    /does not say which of these modules ran: give one/,
  ],
];

for (const [what, args, message] of FAULTS) {
  test(`replay_of_a_trace_with_${what.replaceAll(" ", "_")}_is_told_in_one_sentence`, async () => {
    const { status, stdout, stderr } = await replay(...args());
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /, "no stack");
    assert.deepEqual([status, stdout], [1, ""]);
  });
}

test("help_of_replay_shows_examples", () => {
  assert.match(iot32("replay", "--help").stdout, /Examples:\n {2}iot32 /);
});
