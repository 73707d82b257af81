// Sample: a LED and its colour as a named shadow. The cloud desires, the device applies and
// reports.

import { gpio, log, shadow, system } from "../index";

const LED_PIN: u32 = 2;

const lamp = new shadow.Shadow("lamp");
const on = lamp.boolean("on", false, shadow.REPORTED | shadow.AT_START);
const colour = lamp.string("colour", "white", 16, shadow.REPORTED | shadow.AT_START);

export function setup(): void {
  system.init("1.0.0");
  gpio.output(LED_PIN);
  lamp.onChange(apply);
}

function apply(_element: shadow.Element): void {
  gpio.write(LED_PIN, on.value);
  log.info("LED " + (on.value ? "on, " : "off, ") + colour.value);
}
