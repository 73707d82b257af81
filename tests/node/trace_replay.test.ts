// What is written of a scripted device is replayed without a difference, at whichever line it ends;
// and whatever is changed in it is found, at the line where it was changed.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { Event, ResetReason, RestartScope } from "../../host-node/src/abi.js";
import { parseTrace } from "../../host-node/src/trace/parser.js";
import { type ReplayDifference, replayTrace } from "../../host-node/src/trace/replay.js";
import { buildFixture, newBench, Scenario } from "./device_support.js";
import { moduleBytesOf } from "./support/module_cache.js";
import { Moment, orders } from "./support/orders.js";
import { ScriptedDevice } from "./support/scripted_host.js";
import { ScriptedShadows } from "./support/shadow_jobs_cloud.js";
import { commands, ShadowJobsDevice, Type } from "./support/shadow_jobs_device.js";
import { replay, Trace } from "./support/traced_device.js";

let puppet: Uint8Array;
/** A device's life with a document, publishes, messages, a lost network, and a second life. */
let lines: string[];

before(async () => {
  puppet = await moduleBytesOf("debug", "puppet");
  lines = lifeOfPuppet();
});

function lifeOfPuppet(): string[] {
  const { lines, writer } = new Trace();
  const device = new ScriptedDevice({ hooks: writer.hooks });
  device.at(Moment.SETUP, () => orders.subscribe("in/#", 1));
  device.online();
  device.publish("out/1", "hello", { qos: 1 });
  device.publish("out/2", new Uint8Array(300).fill(7));
  device.runFor(500);
  device.broker.message("in/x", Buffer.from("it's 1"));
  device.runFor(500);
  device.read();
  device.order(orders.flashWrite(0, "kept"));
  device.settle().loseWifi();
  device.untilEvent(Event.MQTT_CONNECTED);
  device.powerOff();
  writer.off();
  device.online().runFor(70_000);
  return lines;
}

const indexOf = (pattern: RegExp, from = 0): number => {
  const index = lines.findIndex((line, at) => at >= from && pattern.test(line));
  assert.ok(index >= 0, `${pattern} is not in the trace`);
  return index;
};

describe("a trace of two lives", () => {
  test("is_replayed_without_a_difference", () => {
    const result = replay(lines, puppet);
    assert.equal(result.difference, null);
    assert.equal(result.lives, 2);
    assert.equal(result.steps, lines.filter((line) => line.startsWith("> ")).length);
    assert.equal(result.calls, lines.filter((line) => line.startsWith("< ")).length);
    assert.equal(result.line, lines.length);
    assert.ok(result.calls > 300, `${result.calls} calls`);
  });

  test("tells_the_same_states_on_both_sides", () => {
    const { states } = replay(lines, puppet);
    assert.deepEqual(states.trace, states.module);
    assert.deepEqual(
      states.trace.map(({ machine, state }) => [machine, state]),
      [
        ["modes", "NORMAL"],
        ["wifi", "CONNECTED (10.0.0.7)"],
        ["session", "CONNECTED"],
      ],
    );
  });

  test("is_replayed_as_far_as_it_goes_when_the_process_was_killed", () => {
    const first = indexOf(/^> /) + 1;
    for (let count = first; count < lines.length; count += 7) {
      const result = replay(lines.slice(0, count), puppet);
      assert.equal(result.difference, null, `cut behind line ${count}`);
      assert.equal(result.line, lastLineOfStep(count), `cut behind line ${count}`);
    }
  });

  test("is_replayed_up_to_a_line_and_no_further", () => {
    const spoiled = lines.toSpliced(indexOf(/^< mqtt_publish/), 1, "< wifi_leave = 0");
    const at = indexOf(/^< mqtt_publish/) + 1;
    const { difference, line, states } = replay(spoiled, puppet, { until: at - 1 });
    assert.equal(difference, null);
    assert.equal(line, at - 1);
    assert.deepEqual(states.trace[0], { machine: "modes", state: "NORMAL" });
    assert.equal(replay(spoiled, puppet, { until: at }).difference?.line, at);
  });

  test("is_replayed_when_a_BOOT_comes_in_the_middle_of_a_step", () => {
    const cut = indexOf(/^< mqtt_publish/) + 1;
    const second = indexOf(/^> \d+ BOOT/, cut);
    const result = replay([...lines.slice(0, cut), ...lines.slice(second)], puppet);
    assert.deepEqual([result.difference, result.lives], [null, 2]);
  });

  test("is_replayed_when_the_power_went_in_the_middle_of_a_step", () => {
    const cut = indexOf(/^< mqtt_publish/) + 1;
    assert.equal(replay([...lines.slice(0, cut), "~ off"], puppet).difference, null);
  });
});

/** The last of the first `count` lines that a replay looks at. */
function lastLineOfStep(count: number): number {
  let line = count;
  while (/^[#~]/.test(lines[line - 1]!)) line--;
  return line;
}

/** What is found when `count` lines from `index` on are replaced. */
function differenceOf(index: number, count: number, ...others: string[]): ReplayDifference {
  const { difference } = replay(lines.toSpliced(index, count, ...others), puppet);
  assert.ok(difference !== null, "no difference was found");
  return difference;
}

describe("a replay finds", () => {
  test("an_argument_that_was_changed", () => {
    const index = indexOf(/^< mqtt_publish 'out\/1'/);
    const changed = lines[index]!.replace("hello", "hullo");
    const difference = differenceOf(index, 1, changed);
    assert.equal(difference.line, index + 1);
    assert.equal(difference.trace, changed);
    assert.equal(`${difference.module} = 1`, lines[index]!.replace(/= \d+$/, "= 1"));
    assert.deepEqual(
      difference.before,
      lines.slice(index - 8, index).map((text, at) => ({ line: index - 7 + at, text })),
    );
  });

  test("each_number_and_size_that_was_changed", () => {
    const changes: readonly [RegExp, RegExp, string][] = [
      [/^< log_event 1 3/, /event 1 3/, "event 1 2"],
      [/^< flash_read 256 /, /read 256/, "read 512"],
      [/^< flash_read \d+ \[256\]ff\*256/, /\[256\]ff\*256/, "[255]ff*255"],
      [/^< mqtt_connect /, / 8883 /, " 443 "],
      [/^< log_write \d 5 /, / 5 /, " 6 "],
    ];
    for (const [pattern, from, to] of changes) {
      const index = indexOf(pattern);
      const difference = differenceOf(index, 1, lines[index]!.replace(from, to));
      assert.equal(difference.line, index + 1, `${pattern}`);
    }
  });

  test("a_call_that_is_missing", () => {
    const index = indexOf(/^< log_event 15 /);
    const difference = differenceOf(index, 1);
    assert.equal(difference.line, index + 1);
    assert.equal(difference.trace, lines[index + 1]);
    assert.match(difference.module, /^< log_event 15 /);
  });

  test("a_call_that_is_too_many", () => {
    const index = indexOf(/^< log_event 15 /);
    const difference = differenceOf(index, 0, "< wifi_leave = 0");
    assert.deepEqual([difference.line, difference.trace], [index + 1, "< wifi_leave = 0"]);
    assert.equal(`${difference.module} = 0`, lines[index]);
  });

  test("a_call_that_is_missing_at_the_end_of_a_step", () => {
    const index = indexOf(/^= /, indexOf(/^< mqtt_subscribe/)) - 1;
    const difference = differenceOf(index, 1);
    assert.deepEqual([difference.line, difference.trace], [index + 1, lines[index + 1]]);
    assert.match(difference.module, /^< /);
  });

  test("a_call_that_is_too_many_at_the_end_of_a_step", () => {
    const index = indexOf(/^= /, indexOf(/^< mqtt_subscribe/));
    const difference = differenceOf(index, 0, "< flash_size = 65536");
    assert.deepEqual([difference.line, difference.trace], [index + 1, "< flash_size = 65536"]);
    assert.equal(difference.module, lines[index]);
  });

  test("two_calls_in_the_other_order", () => {
    const index = lines.findIndex(
      (line, at) => line.startsWith("< log_") && /^< (?!log_)/.test(lines[at + 1]!),
    );
    const difference = differenceOf(index, 2, lines[index + 1]!, lines[index]!);
    assert.equal(difference.line, index + 1);
    assert.equal(difference.trace, lines[index + 1]);
  });

  test("a_wait_that_was_changed", () => {
    const index = indexOf(/^= \d+$/, 100);
    const difference = differenceOf(index, 1, "= 7");
    assert.deepEqual([difference.line, difference.trace], [index + 1, "= 7"]);
    assert.equal(difference.module, lines[index]);
  });

  test("a_trap_where_none_was", () => {
    const index = indexOf(/^= /, 200);
    const difference = differenceOf(index, lines.length, "!");
    assert.deepEqual([difference.line, difference.trace], [index + 1, "!"]);
    assert.equal(difference.module, lines[index]);
  });

  test("a_call_where_the_trace_has_a_trap", () => {
    const index = indexOf(/^< log_event 15 /);
    const difference = differenceOf(index, lines.length, "!");
    assert.deepEqual([difference.line, difference.trace], [index + 1, "!"]);
    assert.match(difference.module, /^< log_event 15 /);
  });

  test("an_answer_that_was_changed_by_what_comes_of_it", () => {
    const index = indexOf(/^< mqtt_subscribe .* = \d+$/);
    const changed = lines[index]!.replace(/= \d+$/, "= -3");
    assert.ok(differenceOf(index, 1, changed).line > index + 1);
  });

  test("an_event_that_was_changed_by_what_comes_of_it", () => {
    const index = indexOf(/^> \d+ MQTT_MESSAGE/);
    const changed = lines[index]!.replace("it\\'s 1", "it\\'s more");
    assert.notEqual(changed, lines[index]);
    assert.ok(differenceOf(index, 1, changed).line > index + 1);
  });

  test("what_the_device_and_the_module_told_when_they_part", () => {
    const index = indexOf(/^< log_event 12 /);
    const changed = lines[index]!.replace("10.0.0.7", "10.0.0.8");
    const { states } = replay(lines.with(index, changed), puppet);
    const wifi = (states: readonly { machine: string; state: string }[]) =>
      states.find(({ machine }) => machine === "wifi")?.state;
    assert.equal(wifi(states.trace), "CONNECTED (10.0.0.8)");
    assert.equal(wifi(states.module), "CONNECTED (10.0.0.7)");
  });

  test("another_module", async () => {
    const other = await moduleBytesOf("debug", "shadow_jobs");
    assert.notEqual(replay(lines, other).difference, null);
  });
});

describe("a trace with nothing to replay is an error", () => {
  const none = /there is no step in this trace/;

  test("when_it_has_no_event", () => {
    assert.throws(() => replay(lines.slice(0, 1), puppet), none);
    assert.throws(() => replayTrace([], () => puppet), none);
  });

  test("when_it_is_to_end_before_its_first_event", () => {
    assert.throws(() => replay(lines, puppet, { until: 1 }), none);
  });
});

test("shadow_that_follows_the_cloud_is_replayed", async () => {
  const { lines, writer } = new Trace();
  const setup = [commands.shadow("lamp"), commands.element(0, Type.BOOLEAN, "on", "false")];
  const device = new ShadowJobsDevice(setup, { hooks: writer.hooks });
  const cloud = ScriptedShadows.on(device);
  device.online();
  device.untilEvent(Event.SHADOW_SYNCED);
  cloud.update("lamp", { desired: { on: true } });
  device.untilEvent(Event.SHADOW_CHANGED);
  device.runFor(5000);
  const { difference, calls } = replay(lines, await moduleBytesOf("debug", "shadow_jobs"));
  assert.equal(difference, null);
  assert.ok(calls > 100);
});

describe("a device with the small core", () => {
  let module: Uint8Array;
  before(async () => {
    module = await buildFixture("quiet.ts");
  });

  /** The trace of a scenario, after so many ms. */
  function traceOf(scenario: Scenario, ms: number): string[] {
    const { lines, writer } = new Trace();
    const { device, clock } = newBench(module, scenario, { hooks: writer.hooks });
    device.on("off", () => writer.off());
    device.powerOn();
    clock.advance(ms);
    device.close();
    return lines;
  }

  test("names_its_module_once_and_tells_when_the_power_goes", () => {
    const lines = traceOf(Scenario.RESTART, 100);
    assert.equal(lines.filter((line) => line.startsWith("~ module ")).length, 1);
    assert.match(lines[1]!, /^~ module [0-9a-f]{64}$/);
    assert.equal(lines.at(-1), "~ off");
    const boots = lines.filter((line) => / BOOT /.test(line)).map((line) => line.split(" ")[3]);
    assert.deepEqual(boots.map(Number), [ResetReason.POWER_ON, ResetReason.SOFTWARE]);
    assert.ok(lines.includes(`< sys_restart ${RestartScope.DEVICE} = 0`));
    assert.deepEqual(replay(lines, module).difference, null);
  });

  test("tells_traps_which_a_replay_finds_again", () => {
    for (const scenario of [Scenario.PANIC, Scenario.TRAP]) {
      const lines = traceOf(scenario, 5000);
      assert.equal(lines.filter((line) => line === "!").length, 3, scenario);
      assert.equal(lines.at(-1), "!", "no power goes that a trap has not ended");
      const { difference, lives } = replay(lines, module);
      assert.deepEqual([difference, lives], [null, 3]);
      const trap = lines.indexOf("!");
      const found = replay([...lines.slice(0, trap), "= -1"], module).difference;
      assert.deepEqual([found?.line, found?.trace], [trap + 1, "= -1"]);
      assert.match(found!.module, /^! the core trapped on TICK: /);
    }
  });

  test("tells_where_a_slice_was_that_the_host_refused", () => {
    const lines = traceOf(Scenario.CALLS, 100);
    const index = lines.indexOf("< log_write 3 5 @4294967280+32 = -1");
    assert.ok(index > 0, lines.join("\n"));
    assert.equal(replay(lines, module).difference, null);
    for (const [from, to] of [
      ["@4294967280", "@4294967281"],
      ["+32", "+33"],
      ["@4294967280+32", "-"],
      ["= -1", "= -2"],
    ] as const) {
      const spoiled = lines.with(index, lines[index]!.replace(from, to));
      const { difference } = replay(spoiled, module);
      assert.deepEqual([difference?.line, difference?.trace], [index + 1, spoiled[index]]);
      assert.match(difference!.module, /^< log_write 3 5 @4294967280\+32/);
    }
  });

  test("that_is_switched_off_in_a_call_leaves_a_trace_that_ends_there", () => {
    const { lines, writer } = new Trace();
    const { device, clock } = newBench(module, Scenario.TICK, { hooks: writer.hooks });
    device.on("off", () => writer.off());
    device.on("event", () => device.powerOff());
    device.powerOn();
    clock.advance(100);
    assert.deepEqual(
      lines.slice(2).map((line) => line.split(" ")[0]),
      [">", "~"],
      "the call in which the power went never returned",
    );
    assert.equal(replay(lines, module).difference, null);
  });

  test("without_a_line_that_names_its_module_is_replayed_with_the_one_that_is_given", () => {
    const lines = traceOf(Scenario.IDLE, 10).filter((line) => !line.startsWith("~ module"));
    const digests: (string | null)[] = [];
    const parsed = parseTrace(`${lines.join("\n")}\n`);
    const source = (digest: string | null): Uint8Array => {
      digests.push(digest);
      return module;
    };
    assert.equal(replayTrace(parsed, source).difference, null);
    assert.deepEqual(digests, [null]);
  });
});
