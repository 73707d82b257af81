// Lifecycle events: what AWS IoT publishes under $aws/events/presence when a client comes and goes.
// Connect and disconnect of one connection carry the same version number, which grows by one for
// each connection of a client id. Called by the broker once for each side of each connection.

import type { DisconnectReason } from "./rules.js";

export interface PresenceConnected {
  readonly clientId: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly eventType: "connected";
  readonly sessionIdentifier: string;
  /** The id of the certificate that the client connected with. */
  readonly principalIdentifier: string;
  readonly ipAddress: string;
  readonly versionNumber: number;
}

export interface PresenceDisconnected {
  readonly clientId: string;
  readonly timestamp: number;
  readonly eventType: "disconnected";
  readonly clientInitiatedDisconnect: boolean;
  readonly sessionIdentifier: string;
  readonly principalIdentifier: string;
  readonly disconnectReason: DisconnectReason;
  readonly versionNumber: number;
}

/** The facts of one connection that its events repeat. */
export interface PresenceSession {
  readonly clientId: string;
  readonly certificateId: string;
  readonly sessionIdentifier: string;
  readonly ipAddress: string;
}

type Publish = (topic: string, payload: string) => void;

export class Presence {
  readonly #publish: Publish;
  readonly #now: () => number;
  readonly #nextVersion: Map<string, number>;
  readonly #versions: Map<string, number>;

  /** With `original` the versions go on where its are. */
  constructor(publish: Publish, now: () => number, original?: Presence) {
    this.#publish = publish;
    this.#now = now;
    this.#nextVersion = new Map(original === undefined ? [] : original.#nextVersion);
    this.#versions = new Map(original === undefined ? [] : original.#versions);
  }

  connected(session: PresenceSession): PresenceConnected {
    const { clientId, certificateId, sessionIdentifier, ipAddress } = session;
    const versionNumber = this.#nextVersion.get(clientId) ?? 0;
    this.#nextVersion.set(clientId, versionNumber + 1);
    this.#versions.set(sessionIdentifier, versionNumber);
    return this.#send({
      clientId,
      timestamp: this.#now(),
      eventType: "connected",
      sessionIdentifier,
      principalIdentifier: certificateId,
      ipAddress,
      versionNumber,
    });
  }

  disconnected(session: PresenceSession, disconnectReason: DisconnectReason): PresenceDisconnected {
    const { clientId, certificateId, sessionIdentifier } = session;
    const versionNumber = this.#versions.get(sessionIdentifier) ?? 0;
    this.#versions.delete(sessionIdentifier);
    return this.#send({
      clientId,
      timestamp: this.#now(),
      eventType: "disconnected",
      clientInitiatedDisconnect: disconnectReason === "CLIENT_INITIATED_DISCONNECT",
      sessionIdentifier,
      principalIdentifier: certificateId,
      disconnectReason,
      versionNumber,
    });
  }

  #send<Event extends PresenceConnected | PresenceDisconnected>(event: Event): Event {
    // A client id with a wildcard would make a topic that nobody may publish to.
    if (!/[+#]/.test(event.clientId)) {
      this.#publish(
        `$aws/events/presence/${event.eventType}/${event.clientId}`,
        JSON.stringify(event),
      );
    }
    return event;
  }
}
