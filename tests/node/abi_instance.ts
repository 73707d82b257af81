// Runs the exerciser module in V8 through the generated binder. The type library of this project
// has no WebAssembly, because Node's own types have none: the few members used are declared here.

import {
  bindImports,
  type CallHook,
  type CoreExports,
  type Ports,
} from "../../host-node/src/abi.js";

interface WasmEngine {
  readonly Module: {
    new (bytes: Uint8Array): object;
    imports(module: object): { module: string; name: string; kind: string }[];
    exports(module: object): { name: string; kind: string }[];
  };
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}

export const engine = (globalThis as unknown as { WebAssembly: WasmEngine }).WebAssembly;

export interface Exerciser {
  readonly core: CoreExports;
  /** Makes import number `call` with these wire values; its result. */
  dispatch(call: number, wire: readonly number[]): number;
}

export function instantiate(wasm: Uint8Array, ports: Ports, onCall?: CallHook): Exerciser {
  const imports = bindImports(ports, () => core.memory, onCall);
  const instance = new engine.Instance(new engine.Module(wasm), imports);
  const core = instance.exports as CoreExports;
  const inbox = core.inbox();
  return {
    core,
    dispatch(call, wire) {
      const view = new DataView(core.memory.buffer);
      for (const [index, value] of wire.entries()) view.setUint32(inbox + 4 * index, value, true);
      return core.dispatch(call, 0, 0, 0, 4 * wire.length);
    },
  };
}
