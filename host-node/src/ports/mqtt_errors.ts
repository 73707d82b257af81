// Why an MQTT connection ended, in the words of the ABI. Node reports it by error codes, messages
// and the phase in which it happened; the core gets one Status and, for the log, one number.

import { Status } from "../abi.js";

/** How far a connection came. */
export type Phase = "resolving" | "tls" | "connect" | "up";

export interface Ending {
  readonly status: Status;
  /** CONNACK return code, TLS alert or error number of the operating system. */
  readonly detail: number;
}

interface ErrorFacts {
  readonly code?: string | number;
  readonly errno?: number;
  readonly message: string;
}

/** Codes of getaddrinfo(3) as Node names them: the name, or the way to its servers, is missing. */
const NAME_CODES = ["ENOTFOUND", "EAI_AGAIN", "EAI_NODATA", "EAI_NONAME", "EAI_FAIL"];
const TIMEOUT_MESSAGE = "connack timeout";
const KEEP_ALIVE_MESSAGE = "Keepalive timeout";

/** Number of the alert that the other side sent (RFC 8446, section 6), or null. */
function alertOf({ message }: ErrorFacts): number | null {
  const match = /SSL alert number (\d+)/.exec(message);
  return match === null ? null : Number(match[1]);
}

function inTls(error: ErrorFacts, isVerificationError: boolean): Ending {
  const detail = error.errno ?? 0;
  if (isVerificationError) return { status: Status.TLS_SERVER_REFUSED, detail };
  // What OpenSSL itself objects to: no TLS at all, a version or cipher that we do not accept.
  const code = String(error.code);
  const isOurs = code === "EPROTO" || code.startsWith("ERR_SSL_");
  return { status: isOurs ? Status.TLS_SERVER_REFUSED : Status.TLS_CLIENT_REFUSED, detail };
}

/** The ending that an error means in this phase. */
export function endingOf(error: Error, phase: Phase, isVerificationError: boolean): Ending {
  const facts: ErrorFacts = error;
  const detail = facts.errno ?? 0;
  const alert = alertOf(facts);
  if (facts.message === TIMEOUT_MESSAGE) return { status: Status.TIMEOUT, detail: 0 };
  if (facts.message === KEEP_ALIVE_MESSAGE) return { status: Status.KEEP_ALIVE_TIMEOUT, detail: 0 };
  if (phase === "up") return { status: Status.CONNECTION_LOST, detail: alert ?? detail };
  // With TLS 1.3 the server judges our certificate after our handshake is over.
  if (alert !== null) return { status: Status.TLS_CLIENT_REFUSED, detail: alert };
  if (phase === "resolving") {
    const isName = NAME_CODES.includes(String(facts.code));
    return { status: isName ? Status.NAME_NOT_RESOLVED : Status.UNREACHABLE, detail };
  }
  if (phase === "tls") return inTls(facts, isVerificationError);
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
