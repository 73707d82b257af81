// Pins. At once, without events; levels are booleans.

import { gpioMode, gpioRead, gpioWrite, PinMode } from "../abi/host";

/** Makes a pin an output; OK, or INVALID_ARGUMENT for a pin that cannot be one. */
export function output(pin: u32): i32 {
  return gpioMode(pin, PinMode.OUTPUT);
}

/** Makes a pin an input, with a PinMode that says how. */
export function input(pin: u32, mode: u8 = PinMode.INPUT): i32 {
  return gpioMode(pin, mode);
}

/** Sets an output; OK or NOT_READY. */
export function write(pin: u32, level: bool): i32 {
  return gpioWrite(pin, <u32>level);
}

/** Level of a pin; false, too, for one that cannot be read. */
export function read(pin: u32): bool {
  return gpioRead(pin) == 1;
}
