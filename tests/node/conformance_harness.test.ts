// The conformance harness finds what it is there for: a core that waits another time, or calls its
// host in another order, is not what the expected traces say; a module that answers otherwise in
// wasm3, and a thunk that hands over something else, are told with the line.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildModule } from "../../host-node/src/build.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { bytesOf, record } from "../conformance/adapters.js";
import { condense, expected, firstDifference } from "../conformance/golden.js";
import type { Scenario } from "../conformance/scenario.js";
import { scenarios } from "../conformance/scenarios/index.js";
import { skipWithoutNative } from "./support/native.js";
import { NativeReplay } from "./support/native_replay.js";

const folder = mkdtempSync(join(tmpdir(), "iot32-harness-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const named = (name: string): Scenario => scenarios.find((entry) => entry.name === name)!;

/** The sample on a core in one source of which this text is another. */
async function altered(file: string, from: string, to: string): Promise<Uint8Array> {
  const source = readFileSync(join(packageRoot, file), "utf8");
  assert.equal(source.split(from).length, 2, `${file} has not once: ${from}`);
  const copy = join(folder, "altered.ts");
  writeFileSync(copy, source.replace(from, to));
  const entry = join(packageRoot, "assembly", "apps", "all.ts");
  return (await buildModule({ entry, target: "esp32", replace: { [file]: copy } })).wasm;
}

/** What the comparison with the expected trace says about a module; empty when it is content. */
function judge(scenario: Scenario, bytes: Uint8Array): string {
  const [wanted, found] = [
    expected(scenario.name)!,
    condense(scenario, record(bytes, scenario.play)),
  ];
  return wanted === found ? "" : firstDifference(wanted, found);
}

test("unaltered_core_is_what_the_expected_trace_says", async () => {
  assert.equal(judge(named("wifi_every_failure"), await bytesOf("all")), "");
});

test("changed_timer_is_found_at_the_step_that_sets_it", async () => {
  const from = "const RETRY_MS_MIN: u32 = 1000;";
  const bytes = await altered("assembly/wifi/wifi.ts", from, from.replace("1000", "1001"));
  const [wanted, found] = judge(named("wifi_every_failure"), bytes).split("\n").slice(-2);
  assert.match(wanted ?? "", /^ {2}- = \d+$/);
  assert.match(found ?? "", /^ {2}\+ = \d+$/);
});

test("reordered_host_calls_are_found", async () => {
  const from = [
    "      emit(Event.PROVISIONING, ProvisioningStep.CERTIFICATE_REQUESTED);",
    "      sent(request.create());",
  ];
  const file = "assembly/aws/provisioning.ts";
  const bytes = await altered(file, from.join("\n"), from.toReversed().join("\n"));
  const [wanted, found] = judge(named("claim_keys"), bytes).split("\n").slice(-2);
  assert.match(wanted ?? "", /log_event 23 3/);
  assert.match(found ?? "", /mqtt_publish/);
});

test("call_that_only_reads_is_vouched_for_by_the_digest", async () => {
  const from = "const WINDOW_BYTES: u32 = 256;";
  const bytes = await altered("assembly/flash/record.ts", from, from.replace("256", "128"));
  assert.match(judge(named("boot_blank"), bytes), /lines that read/);
});

test("broken_thunk_is_found", { skip: skipWithoutNative }, async () => {
  const native = new NativeReplay(folder);
  const bytes = await bytesOf("all");
  const trace = record(bytes, named("boot_configured").play);
  assert.equal(native.run(trace, [bytes]).status, 0);
  const swap = [
    "host_log_event(event, value, (uint8_t *)_mem + text, text_size)",
    "host_log_event((uint32_t)value, (int32_t)event, (uint8_t *)_mem + text, text_size)",
  ] as const;
  const { status, report } = native.runBroken(swap, trace, [bytes]);
  assert.equal(status, 1);
  assert.match(report, /difference at line \d+: expected < log_event/);
});
