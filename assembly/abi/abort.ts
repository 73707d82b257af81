// What the compiler calls when an assertion of the standard library fails (asc --use abort=...).
// Says where through the ABI, then traps: the host records it and restarts the core.

import { sysPanic } from "./host";

/** Replacement of env.abort; strings are UTF-16 as AssemblyScript stores them. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  sysPanic(
    changetype<usize>(message),
    bytesOf(message),
    changetype<usize>(file),
    bytesOf(file),
    line,
    column,
  );
  unreachable();
}

function bytesOf(text: string | null): u32 {
  return text === null ? 0 : (<u32>text.length) << 1;
}
