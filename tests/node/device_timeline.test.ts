// The timeline: every system event has words of its own, values have names, and text from outside
// cannot speak to the terminal.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Event, LogLevel, LogModule, Mode, Status } from "../../host-node/src/abi.js";
import { describeEvent, Timeline, type TimelineOptions } from "../../host-node/src/cli/timeline.js";
import type { SystemEvent } from "../../host-node/src/ports/log.js";

function event(name: keyof typeof Event, value = 0, text = "", at = 0): SystemEvent {
  return { at, event: Event[name], name, value, text };
}

function linesOf(options: TimelineOptions, show: (timeline: Timeline) => void): string[] {
  const lines: string[] = [];
  show(new Timeline({ colour: false, write: (line) => lines.push(line), ...options }));
  return lines;
}

test("every_event_of_the_table_has_words", () => {
  const names = Object.keys(Event) as (keyof typeof Event)[];
  assert.ok(names.length >= 25);
  const wordless = names.filter((name) => describeEvent(event(name, 1, "text")).kind === "event");
  assert.deepEqual(wordless, []);
});

test("event_that_is_not_known_is_shown_by_its_name", () => {
  const unknown = { at: 0, event: 99 as Event, name: "NEW_THING", value: 7, text: "x" };
  assert.deepEqual(describeEvent(unknown), {
    kind: "event",
    tone: "plain",
    text: "new thing 7: x",
  });
});

test("lines_for_people_count_time_from_the_first_one", () => {
  const lines = linesOf({}, (timeline) => {
    timeline.event(event("MODE_CHANGED", Mode.NORMAL, "", 5000));
    timeline.event(event("WIFI_DISCONNECTED", Status.WRONG_PASSWORD, "", 6250.4));
  });
  assert.deepEqual(lines, [
    "    0.000s  mode     normal",
    "    1.250s  wifi     disconnected: the access point refuses the password",
  ]);
});

test("lines_for_scripts_carry_names_of_values", () => {
  const lines = linesOf({ json: true }, (timeline) => {
    timeline.event(event("MODE_CHANGED", Mode.CONFIGURATION, "wifi.ssid", 10));
    timeline.event(event("PUBLISH_SUCCEEDED", 4, "", 11));
  });
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    [
      {
        at: 0,
        type: "event",
        name: "MODE_CHANGED",
        value: 2,
        valueName: "CONFIGURATION",
        text: "wifi.ssid",
      },
      { at: 1, type: "event", name: "PUBLISH_SUCCEEDED", value: 4, text: "" },
    ],
  );
});

test("log_lines_above_the_level_are_left_out", () => {
  const line = (level: LogLevel, text: string) => ({
    at: 0,
    level,
    levelName: "",
    module: LogModule.WIFI,
    moduleName: "WIFI",
    text,
  });
  const lines = linesOf({ logLevel: LogLevel.WARNING }, (timeline) => {
    timeline.log(line(LogLevel.INFO, "left out"));
    timeline.log(line(LogLevel.WARNING, "shown"));
  });
  assert.deepEqual(lines, ["    0.000s  log      wifi: shown"]);
});

test("control_characters_of_a_topic_do_not_reach_the_terminal", () => {
  const lines = linesOf({}, (timeline) =>
    timeline.event(event("MESSAGE_ARRIVED", 1, "a\x1b[31m\nb")),
  );
  assert.deepEqual(lines, ["    0.000s  message  1 bytes arrived on a·[31m·b"]);
});

test("colours_tell_good_from_bad", () => {
  const lines = linesOf({ colour: true }, (timeline) => {
    timeline.event(event("PROVISIONED", 0, "thing"));
    timeline.event(event("STORE_FAILED", Status.IO_ERROR));
  });
  assert.ok(lines[0]!.includes("\x1b[32mthis device is the thing thing"));
  assert.ok(lines[1]!.includes("\x1b[31mrecords cannot be used"));
});
