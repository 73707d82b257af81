// The names of the rules that the cloud enforces, and the event it emits when one is broken. A
// device author reads these instead of guessing why a connection ended: AWS itself closes without a
// word. Emitted by the broker and the services, shown by the CLI, asserted by the tests.

/** What was done about the breach. */
export type RuleAction = "closed" | "refused" | "discarded" | "delayed" | "adjusted" | "withheld";

export type RuleName =
  // Connecting
  | "tls-handshake"
  | "certificate-unknown"
  | "certificate-not-active"
  | "certificate-deactivated"
  | "protocol-version"
  | "client-id-size"
  | "client-id-empty"
  | "connect-forbidden"
  | "connect-rate"
  | "connect-twice"
  | "duplicate-client-id"
  | "keep-alive-range"
  | "keep-alive-timeout"
  | "protocol-error"
  // Publishing
  | "payload-size"
  | "topic-size"
  | "topic-slashes"
  | "topic-wildcard"
  | "reserved-topic"
  | "publish-forbidden"
  | "publish-rate"
  | "publish-qos2"
  | "retain-reserved-topic"
  | "retain-forbidden"
  | "throughput"
  | "inbound-unacknowledged"
  // Subscribing and receiving
  | "filters-per-subscribe"
  | "subscriptions-per-connection"
  | "subscribe-forbidden"
  | "subscribe-qos2"
  | "receive-forbidden"
  | "outbound-unacknowledged"
  | "response-not-subscribed"
  // Provisioning
  | "provisioning-refused"
  | "certificate-expired-unused";

export interface RuleEvent {
  readonly rule: RuleName;
  readonly action: RuleAction;
  /** Null when the peer never said who it is. */
  readonly clientId: string | null;
  /** A sentence for a person, with the numbers. */
  readonly detail: string;
}

/** The values of `disconnectReason` in a presence event that this cloud can produce. */
export type DisconnectReason =
  | "AUTH_ERROR"
  | "CLIENT_INITIATED_DISCONNECT"
  | "CLIENT_ERROR"
  | "CONNECTION_LOST"
  | "DUPLICATE_CLIENTID"
  | "FORBIDDEN_ACCESS"
  | "MQTT_KEEP_ALIVE_TIMEOUT"
  | "SERVER_ERROR"
  | "SERVER_INITIATED_DISCONNECT"
  | "THROTTLED";
