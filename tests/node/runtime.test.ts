// The memory manager of assembly/runtime under a seeded load, in the 32 KB of a chip: nothing that
// is reachable is touched, what is not comes back, and what does not fit traps instead of growing.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { before, describe, it } from "node:test";
import { loadCompiler } from "../../host-node/src/compiler.js";
import { packageRoot } from "../../host-node/src/package_root.js";

interface Heap {
  readonly memory: { readonly buffer: ArrayBuffer };
  make(slot: number, id: number, size: number): void;
  drop(slot: number): void;
  cut(slot: number): void;
  say(text: number): number;
  isWhole(slot: number): number;
  wordIs(index: number, text: number): number;
  wordCount(): number;
  collect(): void;
  rawAlloc(size: number): number;
  rawFree(pointer: number): void;
}

const MEMORY_LIMIT = 32_768;
const SLOTS = 32;
let module: WebAssembly.Module;

/** A small generator with a seed, so that a failure can be run again. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function start(): Heap {
  const abort = () => {
    throw new Error("out of memory");
  };
  const instance = new WebAssembly.Instance(module, { env: { abort } });
  return instance.exports as unknown as Heap;
}

before(async () => {
  const asc = await loadCompiler();
  let wasm: Uint8Array | null = null;
  const { error } = await asc.main(
    [
      "tests/wasm/runtime_harness.ts",
      ...["--config", "none", "--baseDir", packageRoot, "--runtime", "minimal", "-O2"],
      ...["--transform", `${packageRoot}/scripts/transform.mjs`],
      ...["--lowMemoryLimit", String(MEMORY_LIMIT), "--outFile", "runtime.wasm"],
    ],
    {
      stdout: asc.createMemoryStream(),
      stderr: asc.createMemoryStream(),
      readFile: (name, base) => readFile(resolve(base, name), "utf8").catch(() => null),
      writeFile: (_name, contents) => {
        wasm = contents as Uint8Array;
      },
      listFiles: () => null,
      reportDiagnostic: () => {},
    },
  );
  assert.equal(error, null);
  module = new WebAssembly.Module(new Uint8Array(wasm!));
});

describe("the memory manager", () => {
  it("keeps what is reachable and takes back the rest, over 200,000 steps of four seeds", () => {
    for (const seed of [1, 2, 3, 4]) {
      const heap = start();
      const random = generator(seed);
      for (let step = 0; step < 50_000; step++) {
        const slot = random(SLOTS);
        const what = random(8);
        if (what < 3) heap.make(slot, random(256), random(120));
        else if (what < 5) heap.drop(slot);
        else if (what < 7) heap.cut(slot);
        else assert.ok(heap.say(step) > 0);
        assert.equal(heap.isWhole(slot), 1, `seed ${seed}, step ${step}`);
        heap.collect();
        assert.equal(heap.isWhole(slot), 1, `seed ${seed}, step ${step}, after collecting`);
      }
      for (let slot = 0; slot < SLOTS; slot++) assert.equal(heap.isWhole(slot), 1);
      assert.equal(heap.memory.buffer.byteLength, 65_536);
    }
  });

  it("keeps the strings of an array that is renewed again and again", () => {
    const heap = start();
    for (let text = 0; text < 5000; text++) {
      heap.say(text);
      heap.collect();
      assert.equal(heap.wordIs(heap.wordCount() - 1, text), 1);
    }
  });

  it("merges neighbours that are free, so that one large block is to be had again", () => {
    const heap = start();
    const pointers = Array.from({ length: 40 }, () => heap.rawAlloc(200));
    for (const pointer of pointers.filter((_, index) => index % 2 === 0)) heap.rawFree(pointer);
    assert.throws(() => heap.rawAlloc(24_000), /out of memory/);
    for (const pointer of pointers.filter((_, index) => index % 2 === 1)) heap.rawFree(pointer);
    assert.ok(heap.rawAlloc(24_000) > 0);
  });

  it("gives blocks that do not overlap and lie below the limit", () => {
    const heap = start();
    const blocks: { at: number; size: number }[] = [];
    for (let size = 1; ; size += 7) {
      let at: number;
      try {
        at = heap.rawAlloc(size);
      } catch {
        break;
      }
      assert.equal(at % 16, 0);
      assert.ok(at + size <= MEMORY_LIMIT);
      for (const block of blocks) {
        assert.ok(at + size <= block.at || at >= block.at + block.size);
      }
      blocks.push({ at, size });
    }
    assert.ok(blocks.length > 50, `only ${blocks.length} blocks fitted`);
  });

  it("traps when something does not fit, also when it is absurdly large", () => {
    assert.throws(() => start().rawAlloc(MEMORY_LIMIT), /out of memory/);
    assert.throws(() => start().rawAlloc(0x7fff_ffff), /out of memory/);
    assert.throws(() => start().make(0, 1, 60_000), /out of memory|trap|unreachable/);
  });
});
