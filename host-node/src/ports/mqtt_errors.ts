// Why an MQTT connection ended, in the words of the ABI: what MQTT adds to tls_errors.ts. The
// connection (mqtt_connection.ts) knows the phase; the mqtt package tells some causes by message.

import { Status } from "../abi.js";
import { alertOf, type Ending, type ErrorFacts, openingEnding, type Phase } from "./tls_errors.js";

const TIMEOUT_MESSAGE = "connack timeout";
const KEEP_ALIVE_MESSAGE = "Keepalive timeout";

/** The ending that an error means in this phase. */
export function endingOf(error: Error, phase: Phase, isVerificationError: boolean): Ending {
  const facts: ErrorFacts = error;
  const detail = facts.errno ?? 0;
  if (facts.message === TIMEOUT_MESSAGE) return { status: Status.TIMEOUT, detail: 0 };
  if (facts.message === KEEP_ALIVE_MESSAGE) return { status: Status.KEEP_ALIVE_TIMEOUT, detail: 0 };
  if (phase === "up") return { status: Status.CONNECTION_LOST, detail: alertOf(facts) ?? detail };
  const opening = openingEnding(facts, phase, isVerificationError);
  if (opening !== null) return opening;
  const returnCode = typeof facts.code === "number" ? facts.code : detail;
  return { status: Status.MQTT_REFUSED, detail: returnCode };
}

/** The ending when the transport closed without an error. */
export function endingOfClose(phase: Phase): Ending {
  const statuses: Record<Phase, Status> = {
    resolving: Status.UNREACHABLE,
    tls: Status.TLS_CLIENT_REFUSED,
    connect: Status.MQTT_REFUSED,
    up: Status.CONNECTION_LOST,
  };
  return { status: statuses[phase], detail: 0 };
}
