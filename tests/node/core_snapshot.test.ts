// Snapshots of a core: a device that was stepped on and put back does the same again, call by call.
// The steps are those of a recorded life, and the ports answer as they did in it, so that a core
// which is not what it was makes another call.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import {
  ABI_VERSION,
  EventKind,
  IMPORTS,
  type ImportEntry,
  type Ports,
  Status,
} from "../../host-node/src/abi.js";
import {
  Core,
  CoreError,
  type CoreEvent,
  CoreTrap,
  compileCore,
} from "../../host-node/src/core.js";
import { type CoreSnapshot, snapshotable } from "../../host-node/src/core_snapshot.js";
import { portsOf } from "../../host-node/src/trace/replay.js";
import { buildFixture } from "./device_support.js";
import { sampleBytesOf } from "./support/module_cache.js";
import { ScriptedDevice } from "./support/scripted_host.js";

interface Call {
  readonly name: string;
  /** Slices as they were after the answer. */
  readonly args: readonly (number | Uint8Array)[];
  readonly result: number;
}

interface Step {
  readonly event: CoreEvent;
  readonly nowMs: number;
  readonly calls: Call[];
  waitMs: number;
}

const isFilled = ({ name }: Call, index: number): boolean =>
  Object.values(IMPORTS.find((entry) => entry.name === name)!.params)[index] === "out";

/** What a device did: from boot to its session and through some telemetry. */
function recordLife(module: WebAssembly.Module): Step[] {
  const steps: Step[] = [];
  const device = new ScriptedDevice({
    module,
    obeys: false,
    hooks: {
      onStep: (event, nowMs) => {
        const payload = event.payload.slice();
        steps.push({ event: { ...event, payload }, nowMs, calls: [], waitMs: 0 });
      },
      onCall: (name, args, result) => {
        const copies = args.map((arg) => (arg instanceof Uint8Array ? arg.slice() : arg));
        steps.at(-1)!.calls.push({ name, args: copies as (number | Uint8Array)[], result });
      },
      onReturn: (waitMs) => {
        steps.at(-1)!.waitMs = waitMs;
      },
    },
  });
  device.online().runFor(60_000);
  return steps;
}

/** A core that is led through a recorded life. */
class Led {
  readonly core: Core;
  private calls: Iterator<Call> = [].values();
  /** Made in this step: what the core said. */
  private said: unknown[] = [];

  constructor(module: WebAssembly.Module) {
    this.core = new Core(
      module,
      portsOf((entry, args) => this.answer(entry, args)),
    );
  }

  private answer({ name }: ImportEntry, args: readonly (number | Uint8Array)[]): number {
    const { value: call } = this.calls.next() as IteratorResult<Call, undefined>;
    assert.ok(call !== undefined, `${name} was not called at this place`);
    const said = args.map((arg, index) => {
      if (isFilled(call, index)) (arg as Uint8Array).set(call.args[index] as Uint8Array);
      return arg instanceof Uint8Array ? arg.slice() : arg;
    });
    this.said.push([name, said]);
    assert.deepEqual([name, ...said.map(plain)], [call.name, ...call.args.map(plain)]);
    return call.result;
  }

  /** Leads through these steps; all that the core said. */
  follow(steps: readonly Step[]): unknown[] {
    this.said = [];
    for (const { event, nowMs, calls, waitMs } of steps) {
      const left = [...calls];
      this.calls = left.values();
      assert.equal(this.core.dispatch(event, nowMs), waitMs);
      assert.equal(this.calls.next().done, true, "a call is missing");
    }
    return this.said;
  }
}

const plain = (arg: unknown): unknown => (arg instanceof Uint8Array ? Buffer.from(arg) : arg);

let bytes: Uint8Array;
let module: WebAssembly.Module;
let life: readonly Step[];

before(async () => {
  bytes = await sampleBytesOf("esp32", "all");
  module = compileCore(snapshotable(bytes));
  life = recordLife(module);
  assert.ok(life.length > 20);
});

test("core_that_is_put_back_makes_the_same_calls_again_from_any_step", () => {
  const led = new Led(module);
  for (let at = 0; at < life.length; at++) {
    const snapshot = led.core.snapshot();
    const rest = life.slice(at);
    const first = led.follow(rest);
    led.core.restore(snapshot);
    assert.deepEqual(led.follow(rest), first);
    led.core.restore(snapshot);
    led.follow(life.slice(at, at + 1));
  }
});

test("life_begins_anew_from_the_snapshot_of_a_core_that_has_not_booted", () => {
  const led = new Led(module);
  const blank = led.core.snapshot();
  for (let lives = 0; lives < 3; lives++) {
    led.follow(life);
    led.core.restore(blank);
  }
});

test("snapshot_is_a_copy_that_later_steps_and_restores_leave_alone", () => {
  const led = new Led(module);
  led.follow(life.slice(0, 10));
  const snapshot = led.core.snapshot();
  const copy: CoreSnapshot = { memory: snapshot.memory.slice(), globals: [...snapshot.globals] };
  led.follow(life.slice(10));
  led.core.restore(snapshot);
  led.follow(life.slice(10, 12));
  assert.deepEqual(snapshot, copy);
});

test("snapshot_of_one_core_is_continued_by_another_one_of_the_module", () => {
  const one = new Led(module);
  const other = new Led(module);
  one.follow(life.slice(0, 10));
  other.core.restore(one.core.snapshot());
  assert.deepEqual(other.follow(life.slice(10)), one.follow(life.slice(10)));
});

test("core_that_was_killed_between_steps_or_within_one_lives_again", () => {
  const led = new Led(module);
  led.follow(life.slice(0, 10));
  const snapshot = led.core.snapshot();
  led.core.kill();
  assert.throws(() => led.core.snapshot(), /a snapshot while the core is dead/);
  led.core.restore(snapshot);
  led.follow(life.slice(10, 12));
  const cut = life.slice(12).map((step) => ({ ...step, calls: step.calls.slice(0, -1) }));
  assert.throws(() => led.follow(cut), /was not called at this place/);
  led.core.restore(snapshot);
  led.follow(life.slice(10));
});

test("core_that_trapped_lives_again", () => {
  const calls: string[] = [];
  const ports = portsOf(({ name }) => {
    calls.push(name);
    return Status.OK;
  });
  const core = new Core(module, ports);
  const snapshot = core.snapshot();
  const boot = (): string[] => {
    calls.length = 0;
    core.dispatch(life[0]!.event, 0);
    return [...calls];
  };
  const first = boot();
  // Whatever a core without its memory follows leads outside of it.
  const memory = new Uint8Array(snapshot.memory.length).fill(0xff);
  core.restore({ ...core.snapshot(), memory });
  assert.throws(boot, CoreTrap);
  assert.throws(boot, /dispatch while the core is dead/);
  core.restore(snapshot);
  assert.deepEqual(boot(), first);
});

test("panic_of_a_life_that_was_put_back_does_not_explain_the_next_trap", async () => {
  let scenario = "p";
  const ports = portsOf(({ name }, [, bytes]) => {
    if (name !== "sys_config_read") return Status.OK;
    return (bytes as Uint8Array).set(Buffer.from(scenario)) ?? 1;
  });
  const core = new Core(compileCore(snapshotable(await buildFixture("quiet.ts"))), ports);
  const blank = core.snapshot();
  const trapOf = (): string => {
    core.dispatch(life[0]!.event, 0);
    const tick = { ...life[0]!.event, kind: EventKind.TICK };
    try {
      return String(core.dispatch(tick, 0));
    } catch (error) {
      return (error as CoreTrap).text;
    }
  };
  assert.match(trapOf(), /^TICK: boom/);
  core.restore(blank);
  scenario = "u";
  assert.equal(trapOf(), "TICK: unreachable");
});

test("restore_within_a_step_is_refused_also_when_the_core_was_killed_in_it", () => {
  const refusals: unknown[] = [];
  const note = (what: () => void): void => {
    try {
      what();
    } catch (error) {
      refusals.push((error as Error).message);
    }
  };
  const restoring = (): number => {
    note(() => core.snapshot());
    note(() => core.restore(snapshot));
    core.kill();
    note(() => core.restore(snapshot));
    return Status.OK;
  };
  const core: Core = new Core(module, portsOf(restoring));
  const snapshot = core.snapshot();
  assert.throws(() => core.dispatch(life[0]!.event, 0), /the power is off/);
  assert.deepEqual(refusals, [
    "a snapshot while the core is stepping",
    "restore while a step runs",
    "restore while a step runs",
  ]);
  core.restore(snapshot);
});

test("module_that_was_not_made_for_it_has_no_snapshots", () => {
  const { core } = new Led(compileCore(bytes));
  const refusal = { name: CoreError.name, message: /was not made for snapshots/ };
  assert.throws(() => core.snapshot(), refusal);
  assert.throws(() => core.restore({ memory: new Uint8Array(), globals: [] }), refusal);
});

test("snapshot_of_another_size_or_another_module_is_refused_and_changes_nothing", () => {
  const led = new Led(module);
  led.follow(life.slice(0, 10));
  const { memory, globals } = led.core.snapshot();
  const grown = new Uint8Array(memory.length + 65_536);
  assert.throws(
    () => led.core.restore({ memory: grown, globals }),
    /131072 bytes of memory, .* 65536/,
  );
  const fewer = globals.slice(1);
  assert.throws(
    () => led.core.restore({ memory: grown.subarray(65_536), globals: fewer }),
    /another/,
  );
  led.follow(life.slice(10));
});

test("instrumented_module_has_the_same_code_and_only_more_exports", () => {
  const exported = WebAssembly.Module.exports(module).filter(({ kind }) => kind !== "global");
  assert.deepEqual(exported, WebAssembly.Module.exports(compileCore(bytes)));
  assert.deepEqual(
    WebAssembly.Module.imports(module),
    WebAssembly.Module.imports(compileCore(bytes)),
  );
  assert.throws(() => compileCore(snapshotable(snapshotable(bytes))), CoreError);
});

test("globals_of_every_number_type_are_exact_and_constants_are_left_out", () => {
  const core = new Core(compileCore(snapshotable(moduleWithGlobals())), {} as Ports);
  const { memory, globals } = core.snapshot();
  assert.deepEqual(globals, [-1, -2n, 1.5, 0.1]);
  const others = [-0x8000_0000, 2n ** 62n + 1n, Math.fround(0.1), Number.MIN_VALUE];
  core.restore({ memory, globals: others });
  assert.deepEqual(core.snapshot().globals, others);
});

test("module_without_a_mutable_global_or_with_a_reference_in_one_is_refused", () => {
  assert.throws(() => snapshotable(moduleWithGlobals([0, []])), /has no mutable global/);
  const reference = [1, [0x70, 1, 0xd0, 0x70, 0x0b]] as const;
  assert.throws(() => snapshotable(moduleWithGlobals(reference)), /type 112 cannot be copied|208/);
});

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const section = (id: number, body: readonly number[]): number[] => [id, body.length, ...body];
const doubleBytes = (value: number): number[] => [...Buffer.from(Float64Array.of(value).buffer)];
const floatBytes = (value: number): number[] => [...Buffer.from(Float32Array.of(value).buffer)];

/** One of each type, with constants between them: -1, -2, 1.5 and 0.1 can be changed. */
const GLOBALS = [
  6,
  [
    ...[0x7f, 1, 0x41, 0x7f, 0x0b],
    ...[0x7f, 0, 0x41, 0x80, 0x01, 0x0b],
    ...[0x7e, 1, 0x42, 0x7e, 0x0b],
    ...[0x7d, 1, 0x43, ...floatBytes(1.5), 0x0b],
    ...[0x7c, 0, 0x44, ...doubleBytes(11), 0x0b],
    ...[0x7c, 1, 0x44, ...doubleBytes(0.1), 0x0b],
  ],
] as const;

/** A module of this ABI that does nothing. */
function moduleWithGlobals([count, entries]: readonly [number, readonly number[]] = GLOBALS) {
  const constant = (value: number): number[] => [4, 0, 0x41, value, 0x0b];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [2, 0x60, 0, 1, 0x7f, 0x60, 5, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 1, 0x7f]),
    ...section(3, [3, 0, 0, 1]),
    ...section(5, [1, 0, 1]),
    ...section(6, [count, ...entries]),
    ...section(7, [
      ...[4, ...text("abi_version"), 0, 0, ...text("inbox"), 0, 1],
      ...[...text("dispatch"), 0, 2, ...text("memory"), 2, 0],
    ]),
    ...section(10, [3, ...constant(ABI_VERSION), ...constant(16), ...constant(0)]),
  ]);
}
