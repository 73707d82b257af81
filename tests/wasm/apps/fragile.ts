// Application for tests of `iot32 sim`: traps ten minutes after it has come to work.

import { Event, Mode, system } from "../../../assembly/index";

const WORKS_MS: u32 = 600000;

export function setup(): void {
  system.init("1.0.0");
  system.onEvent(onEvent);
}

function onEvent(event: u8, value: i32): void {
  if (event == Event.MODE_CHANGED && value == Mode.NORMAL) system.after(WORKS_MS, fall);
}

function fall(): void {
  unreachable();
}
