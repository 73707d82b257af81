// The heap of a module as its host sees it: blocks that are laid by hand, and those of the sample.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { MEMORY_BYTES_MAX } from "../../host-node/src/abi.js";
import { buildModule } from "../../host-node/src/build.js";
import { type Core, compileCore } from "../../host-node/src/core.js";
import { type CoreSnapshot, snapshotable } from "../../host-node/src/core_snapshot.js";
import { type HeapLayout, heapInUse, heapLayout } from "../../host-node/src/heap_in_use.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { sampleBytesOf } from "./support/module_cache.js";
import { ScriptedDevice } from "./support/scripted_host.js";

const USED = 1;
const OBJECT = 2;
const BOTTOM = 108;

/** Blocks of these sizes and flags from BOTTOM on. */
function heapOf(...words: readonly number[]): CoreSnapshot {
  const memory = new Uint8Array(1024);
  const view = new DataView(memory.buffer);
  let block = BOTTOM;
  for (const word of words) {
    view.setUint32(block, word, true);
    block += word & ~15;
  }
  return { memory, globals: [7, BOTTOM, 0n, block] };
}

const layout: HeapLayout = { bottom: 1, top: 3 };

test("used_blocks_are_counted_whole_and_free_ones_are_not", () => {
  const { memory, globals } = heapOf(32 | USED, 64, 48 | USED | OBJECT, 128);
  assert.equal(heapInUse({ memory, globals }, layout), 80);
  assert.equal(heapInUse(heapOf(256), layout), 0);
  assert.equal(heapInUse(heapOf(256 | USED), layout), 256);
});

test("heap_that_was_never_used_is_empty", () => {
  const { memory } = heapOf();
  assert.equal(heapInUse({ memory, globals: [0, 0, 0n, 0] }, layout), 0);
});

test("heap_whose_blocks_do_not_end_at_its_top_is_broken", () => {
  const { memory, globals } = heapOf(32 | USED, 64);
  const top = BOTTOM + 96;
  for (const other of [top - 16, top + 16, top + 32]) {
    assert.throws(
      () => heapInUse({ memory, globals: [...globals.slice(0, 3), other] }, layout),
      /the blocks of the heap end at/,
    );
  }
  assert.throws(
    () => heapInUse({ memory, globals: [...globals.slice(0, 3), 4096] }, layout),
    /a heap up to 4096 in 1024 bytes/,
  );
});

const entry = join(packageRoot, "assembly", "apps", "all.ts");
let shipped: Uint8Array;
let ofAll: HeapLayout;

before(async () => {
  shipped = await sampleBytesOf("esp32", "all");
  ofAll = heapLayout((await buildModule({ entry, target: "esp32", names: true })).wasm);
});

test("layout_of_the_build_with_names_holds_for_the_shipped_module_after_each_step", () => {
  const module = compileCore(snapshotable(shipped));
  const device = new ScriptedDevice({
    module,
    obeys: false,
    hooks: { onReturn: () => sizes.push(heapInUse(core().snapshot(), ofAll)) },
  });
  const sizes: number[] = [];
  const core = (): Core => (device as unknown as { core: Core }).core;
  device.boot();
  const loaded = heapInUse(core().snapshot(), ofAll);
  device.runFor(60_000);
  assert.ok(sizes.length > 20);
  assert.ok(loaded > 0 && sizes[0]! > loaded, "setup() makes objects that stay");
  assert.ok(sizes.every((size) => size > 0 && size % 16 === 0 && size < MEMORY_BYTES_MAX / 2));
  // Sixty seconds of telemetry leave nothing behind.
  assert.equal(sizes.at(-1), sizes[Math.floor(sizes.length / 2)]);
});

test("module_without_names_has_no_layout", () => {
  assert.throws(() => heapLayout(shipped), /no global is called .*bottom: build with names/);
});
