// What a service of the cloud is: one file that names the reserved topics it answers. A request
// goes to its service alone and to no other client; the service answers the connection that asked,
// or publishes to everybody. The broker has checked sizes, rates and policy before a service is
// called.

import type { CertificateAuthority } from "./ca.js";
import type { Clock } from "./clock.js";
import type { Limits } from "./limits.js";
import type { Random } from "./random.js";
import type { RuleEvent } from "./rules.js";
import type { StateFiles } from "./state_files.js";
import type { Store } from "./store.js";

/** The connection that a request came on. */
export interface ServiceConnection {
  readonly clientId: string;
  readonly certificateId: string;
  /** The client id, when it names a thing attached to the certificate. */
  readonly thingName: string | null;
  /**
   * Sends a message on this connection alone. With "only-if-subscribed" it is withheld, and the
   * rule named, when the client did not subscribe to the topic first.
   */
  respond(topic: string, payload: string | Buffer, when: "always" | "only-if-subscribed"): void;
}

export interface ServiceRequest {
  readonly connection: ServiceConnection;
  readonly topic: string;
  readonly payload: Buffer;
}

/** A request that a service answered on a `/rejected` topic. */
export interface RefusedEvent {
  readonly service: string;
  readonly clientId: string;
  readonly topic: string;
  readonly code: string;
  readonly message: string;
}

export interface Service {
  readonly name: string;
  /** Topic filters (with `+`) of the requests it answers; they do not overlap other services'. */
  readonly topics: readonly string[];
  /** Called in order of arrival for each connection; a thrown error ends the connection. */
  handle(request: ServiceRequest): void | Promise<void>;
}

/**
 * What the cloud lends to the part of a service that waits for nothing: the same at the desk and in
 * a simulation.
 */
export interface EngineContext {
  /** Where a service keeps values of its own. */
  readonly files: StateFiles;
  readonly store: Store;
  readonly limits: Limits;
  readonly clock: Pick<Clock, "now">;
  readonly random: Random;
  /** Publishes to every subscriber whose policy lets it receive. */
  publish(topic: string, payload: string | Buffer, qos?: 0 | 1): void;
  /** Reports a broken rule. */
  rule(event: RuleEvent): void;
}

/** What the cloud lends to its services. */
export interface ServiceContext extends EngineContext {
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
}

export type ServiceFactory = (context: ServiceContext) => Service;
