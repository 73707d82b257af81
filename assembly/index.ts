// What an application imports:
//
//   import { system, mqtt, shadow, jobs, ota, ble, flash, gpio, log, json, Event, Mode } from "iot32";
//   export function setup(): void { ... }
//
// setup() runs once in each life, before anything else: it registers callbacks and returns. Every
// call of the library returns at once; what takes time ends in an Event.

import * as gpio from "./library/gpio";
import * as ble from "./library/ble";
import * as flash from "./library/flash";
import * as jobs from "./library/jobs";
import * as json from "./library/json";
import * as log from "./library/log";
import * as ota from "./library/ota";
import * as mqtt from "./library/mqtt";
import * as shadow from "./library/shadow";
import * as system from "./library/system";

export { ble, flash, gpio, jobs, json, log, mqtt, ota, shadow, system };
export {
  BleCode,
  BleState,
  Dataset,
  Event,
  JobStatus,
  LogLevel,
  LogModule,
  Mode,
  OtaState,
  PinMode,
  ProvisioningStep,
  ResetReason,
  Status,
} from "./abi/host";
