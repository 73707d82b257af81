// An application that takes no updates.

import { system } from "../../../assembly/index";

export function setup(): void {
  system.init("1.0.0");
}
