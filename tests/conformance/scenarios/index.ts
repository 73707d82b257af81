// All scenarios, in the order in which they are played.

import type { Scenario } from "../scenario.js";
import { bleScenarios } from "./ble.js";
import { bootScenarios } from "./boot.js";
import { jobScenarios } from "./jobs.js";
import { messageScenarios } from "./messages.js";
import { otaScenarios } from "./ota.js";
import { provisioningScenarios } from "./provisioning.js";
import { sessionScenarios } from "./session.js";
import { shadowScenarios } from "./shadow.js";

export const scenarios: readonly Scenario[] = [
  ...bootScenarios,
  ...provisioningScenarios,
  ...sessionScenarios,
  ...messageScenarios,
  ...shadowScenarios,
  ...jobScenarios,
  ...otaScenarios,
  ...bleScenarios,
];
