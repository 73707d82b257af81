// One device in a process of its own, to be killed: its flash file is all that stays. Arguments:
// the module, the flash file, the configuration document, the clock's factor, the version of the
// firmware. Prints the name and value of each system event on a line, and runs until it is killed.

import { readFileSync } from "node:fs";
import { Device } from "../../../host-node/src/device.js";
import { fastClock } from "./e2e_clock.js";

const [modulePath = "", flash = "", configurationPath = "", factor = "1", version = "0.0.0"] =
  process.argv.slice(2);

const device = new Device({
  module: readFileSync(modulePath),
  version,
  flash,
  configuration: readFileSync(configurationPath),
  clock: fastClock(Number(factor)),
});
device.on("event", ({ name, value }) => void process.stdout.write(`${name} ${value}\n`));
device.on("trap", ({ error }) => void process.stdout.write(`TRAP ${error.message}\n`));
device.powerOn();
