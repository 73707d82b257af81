// Boots a module on the smallest possible host (blank flash, no configuration) and looks at its
// memory: how far static data reaches, and how far the heap has grown behind it.

import {
  EventKind,
  FLASH_SECTOR_BYTES,
  MEMORY_BYTES_MAX,
  ResetReason,
} from "../../host-node/src/abi.js";

const RECORDS_BYTES = 16 * FLASH_SECTOR_BYTES;
/** The allocator keeps a block's size at its very end, also that of all free memory. */
const LIMIT_MARK_BYTES = 32;
const ERASED = 0xff;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  inbox(): number;
  dispatch(kind: number, nowMs: number, a: number, b: number, size: number): number;
}

export interface BootHeap {
  /** Static data and zeroed buffers. */
  readonly staticBytes: number;
  /** From there to the highest byte that the allocator or an object has touched. */
  readonly heapBytes: number;
}

/** `dataEnd` is where the module's data segments end; the allocator begins there. */
export function bootHeap(wasm: Uint8Array, dataEnd: number): BootHeap {
  let exports: Exports | null = null;
  const slice = (at: number, size: number) => new Uint8Array(exports!.memory.buffer, at, size);
  const answers: Record<string, (...args: number[]) => number> = {
    flash_size: () => RECORDS_BYTES,
    flash_read: (_offset, at, size) => {
      slice(at!, size!).fill(ERASED);
      return 0;
    },
  };
  const host = new Proxy({}, { get: (_, name: string) => answers[name] ?? (() => 0) });
  const module = new WebAssembly.Module(new Uint8Array(wasm));
  const instance = new WebAssembly.Instance(module, { host: host as WebAssembly.ModuleImports });
  exports = instance.exports as unknown as Exports;
  slice(exports.inbox(), 6).fill(1);
  exports.dispatch(EventKind.BOOT, 0, ResetReason.POWER_ON, 0, 6);
  const bytes = new Uint8Array(exports.memory.buffer, 0, MEMORY_BYTES_MAX - LIMIT_MARK_BYTES);
  const highest = bytes.findLastIndex((byte) => byte !== 0);
  return { staticBytes: dataEnd, heapBytes: Math.max(highest + 1 - dataEnd, 0) };
}
