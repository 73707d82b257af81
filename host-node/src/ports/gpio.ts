// Port gpio: the pins of an imaginary chip, to be looked at and pulled from outside. An output
// shows what the core wrote; an input what the outside set, else what its pull resistor says.

import { type GpioPort as Contract, PinMode, Status } from "../abi.js";

/** As many as an ESP32-S3 has. */
const PINS = 49;

export interface PinChange {
  readonly at: number;
  readonly pin: number;
  readonly level: 0 | 1;
}

export class GpioPort implements Contract {
  private readonly modes = new Map<number, PinMode>();
  private readonly outputs = new Map<number, 0 | 1>();

  /** `outside` are levels set from outside, by pin; they outlive a life of the device. */
  constructor(
    private readonly now: () => number,
    private readonly outside: ReadonlyMap<number, 0 | 1>,
    private readonly onChange: (change: PinChange) => void,
  ) {}

  mode(pin: number, mode: number): number {
    if (pin >= PINS || mode > PinMode.OUTPUT) return Status.INVALID_ARGUMENT;
    this.modes.set(pin, mode as PinMode);
    return Status.OK;
  }

  write(pin: number, level: number): number {
    if (pin >= PINS || level > 1) return Status.INVALID_ARGUMENT;
    if (this.modes.get(pin) !== PinMode.OUTPUT) return Status.NOT_READY;
    const changed = this.outputs.get(pin) !== level;
    this.outputs.set(pin, level as 0 | 1);
    if (changed) this.onChange({ at: this.now(), pin, level: level as 0 | 1 });
    return Status.OK;
  }

  read(pin: number): number {
    if (pin >= PINS) return Status.INVALID_ARGUMENT;
    const mode = this.modes.get(pin);
    if (mode === PinMode.OUTPUT) return this.outputs.get(pin) ?? 0;
    return this.outside.get(pin) ?? (mode === PinMode.INPUT_PULL_UP ? 1 : 0);
  }
}
