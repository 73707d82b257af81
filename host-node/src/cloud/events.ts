// What the cloud tells whoever watches it, and the relay that carries it there: the parts are made
// before the cloud is, and speak to the relay.

import type { EventEmitter } from "node:events";
import type { PublishEvent } from "./broker.js";
import type { FileEvent } from "./files.js";
import type { PresenceConnected, PresenceDisconnected } from "./presence.js";
import type { ProvisionedEvent } from "./provisioning_rules.js";
import type { RuleEvent } from "./rules.js";
import type { RefusedEvent } from "./service.js";

export interface LocalCloudEvents {
  /** A rule was broken: which, by whom, and what was done. */
  rule: [RuleEvent];
  connected: [PresenceConnected];
  disconnected: [PresenceDisconnected];
  /** A client's PUBLISH that broke no rule. */
  publish: [PublishEvent];
  /** A client's SUBSCRIBE that broke no rule. */
  subscribe: [{ readonly clientId: string; readonly filters: readonly string[] }];
  /** RegisterThing succeeded. */
  provisioned: [ProvisionedEvent];
  /** The shadow or the jobs service answered a client's request with a refusal. */
  refused: [RefusedEvent];
  /** A request to the file server has come to its end, with or without the file. */
  file: [FileEvent];
}

/** Carries events from the parts to the cloud, which exists only after they do. */
export class Relay {
  target: EventEmitter<LocalCloudEvents> | null = null;

  rule(event: RuleEvent): void {
    this.target?.emit("rule", event);
  }
  connected(event: PresenceConnected): void {
    this.target?.emit("connected", event);
  }
  disconnected(event: PresenceDisconnected): void {
    this.target?.emit("disconnected", event);
  }
  published(event: PublishEvent): void {
    this.target?.emit("publish", event);
  }
  subscribed(event: { readonly clientId: string; readonly filters: readonly string[] }): void {
    this.target?.emit("subscribe", event);
  }
  provisioned(event: ProvisionedEvent): void {
    this.target?.emit("provisioned", event);
  }
  refused(event: RefusedEvent): void {
    this.target?.emit("refused", event);
  }
  served(event: FileEvent): void {
    this.target?.emit("file", event);
  }
}
