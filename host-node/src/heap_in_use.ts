// How many bytes of its heap a module uses, read from a snapshot: the blocks of the memory manager
// (assembly/runtime/index.ts) lie one behind the other from `bottom` to `top`, each with its size
// in its first word. These two are globals, found by name in the build with names. The shipped
// module is that build without its names, so that they have the same numbers in it
// (trace_states.test.ts).

import { type CoreSnapshot, mutableGlobals } from "./core_snapshot.js";
import { globalNames } from "./wasm_link.js";

/** Where two variables of the memory manager are in CoreSnapshot.globals. */
export interface HeapLayout {
  readonly bottom: number;
  readonly top: number;
}

const RUNTIME = "~lib/rt/iot32/";
const WORD_BYTES = 4;
const USED = 1;
const FLAGS = 15;

/** Of a module that was built with names; holds for the same module without them. */
export function heapLayout(named: Uint8Array): HeapLayout {
  const names = globalNames(named);
  const globals = mutableGlobals(named);
  const place = (name: string): number => {
    const index = globals.indexOf(names.get(RUNTIME + name) ?? -1);
    if (index < 0) throw new Error(`no global is called ${RUNTIME}${name}: build with names`);
    return index;
  };
  return { bottom: place("bottom"), top: place("top") };
}

/**
 * Bytes of used blocks, their headers included. An object that nobody reaches any more counts until
 * it is collected, which may be in the next step (__collectNew). 0 before the first allocation,
 * which may be made when the module is instantiated. Throws an Error when the heap is broken, or the layout is another module's.
 */
export function heapInUse({ memory, globals }: CoreSnapshot, layout: HeapLayout): number {
  const bottom = Number(globals[layout.bottom]) >>> 0;
  const top = Number(globals[layout.top]) >>> 0;
  if (bottom === 0) return 0;
  if (top > memory.length) throw new Error(`a heap up to ${top} in ${memory.length} bytes`);
  const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  let used = 0;
  let block = bottom;
  while (block + WORD_BYTES <= top) {
    const word = view.getUint32(block, true);
    const size = word & ~FLAGS;
    if (size <= 0) break;
    if ((word & USED) !== 0) used += size;
    block += size;
  }
  if (block !== top) throw new Error(`the blocks of the heap end at ${block} instead of ${top}`);
  return used;
}
