// An application with a fault: it calls the host from top-level code, before the device has booted.

import { say } from "../library/index";

say(utf8("too early"), 9);

export function setup(): void {}
