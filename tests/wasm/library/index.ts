// What an application of the tests imports: one call that reaches the host.

import { logWrite } from "../../../assembly/abi/host";

export function say(text: usize, size: u32): void {
  logWrite(3, 5, text, size);
}
