// An application that takes updates and does nothing else. Its pins say what it thinks of itself:
// 1 passes its self-test, 0 fails it; 2 high leaves it undecided, 3 high holds the restart, and 4
// high makes it trap as soon as it is connected.

import { gpioRead } from "../../../assembly/abi/host";
import { Event, ota, system } from "../../../assembly/index";

const PASSES: u32 = 1;
const UNDECIDED: u32 = 2;
const HOLDS: u32 = 3;
const TRAPS: u32 = 4;
const POLL_MS: u32 = 1000;

const isHigh = (pin: u32): bool => gpioRead(pin) == 1;

export function setup(): void {
  system.init("1.0.0");
  system.onEvent((event: u8, _value: i32): void => {
    if (event == Event.MQTT_CONNECTED && isHigh(TRAPS)) unreachable();
  });
  ota.enable();
  ota.onSelfTest((): u8 => {
    if (isHigh(UNDECIDED)) return ota.UNDECIDED;
    return isHigh(PASSES) ? ota.PASSED : ota.FAILED;
  });
  if (isHigh(HOLDS)) {
    ota.holdRestart();
    system.every(POLL_MS, (): void => {
      if (!isHigh(HOLDS)) ota.allowRestart();
    });
  }
}
