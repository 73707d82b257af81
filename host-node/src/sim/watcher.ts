// Who watches a world: hears everything that an invariant could be about, and is called when a
// workload's time has come.

import type { PublishEvent } from "../cloud/broker.js";
import type { ProvisionedEvent } from "../cloud/provisioning_rules.js";
import type { DisconnectReason, RuleEvent } from "../cloud/rules.js";
import type { RefusedEvent } from "../cloud/service.js";
import type { DeviceWatcher } from "./device.js";
import type { World } from "./world.js";

export interface WorldWatcher extends DeviceWatcher {
  /** Behind each happening. */
  worldStepped(world: World): void;
  workloadDue(world: World, name: string): void;
  rule(world: World, event: RuleEvent): void;
  published(world: World, event: PublishEvent): void;
  provisioned(world: World, event: ProvisionedEvent): void;
  refused(world: World, event: RefusedEvent): void;
  cloudClosed(world: World, connection: number, reason: DisconnectReason): void;
}
