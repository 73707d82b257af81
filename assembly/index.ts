// What an application imports:
//
//   import { system, mqtt, flash, log, json, Event, Mode } from "iot32";
//   export function setup(): void { ... }
//
// setup() runs once in each life, before anything else: it registers callbacks and returns.
// Every call of the library returns at once; what takes time ends in an Event.

import * as flash from "./library/flash";
import * as json from "./library/json";
import * as log from "./library/log";
import * as mqtt from "./library/mqtt";
import * as system from "./library/system";

export { flash, json, log, mqtt, system };
export {
  Dataset,
  Event,
  LogLevel,
  LogModule,
  Mode,
  ProvisioningStep,
  ResetReason,
  Status,
} from "./abi/host";
