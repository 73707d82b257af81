// What the host sees: the three exports of abi.json, and start() for the wrapper that the build
// puts around an application (host-node/src/build.ts). Decodes, steps the core, nothing else.

import { ABI_VERSION } from "./abi/host";
import { INBOX } from "./kernel/inbox";
import * as loop from "./system/dispatch";

/** Keeps the application's setup() for the BOOT event; called when the module is instantiated. */
export function start(setup: () => void): void {
  loop.setSetup(setup);
}

export function abi_version(): i32 {
  return ABI_VERSION;
}

export function inbox(): usize {
  return INBOX;
}

export function dispatch(kind: i32, now_ms: u32, a: i32, b: i32, size: u32): i32 {
  return loop.dispatch(kind, now_ms, a, b, INBOX, <i32>size);
}
