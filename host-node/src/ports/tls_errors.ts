// Why a TLS connection could not be opened, in the words of the ABI: the part that is the same for
// every protocol above it. Node reports it by error codes, messages and the phase in which it
// happened; the core gets one Status and, for the log, one number.

import { Status } from "../abi.js";

/**
 * How far a connection came. "connect": TLS stands on our side, and the protocol above it has not
 * been answered yet; "up": it has.
 */
export type Phase = "resolving" | "tls" | "connect" | "up";

export interface Ending {
  readonly status: Status;
  /** TLS alert, error number of the operating system, or a code of the protocol above TLS. */
  readonly detail: number;
}

/** What this host reads of an error of Node. */
export interface ErrorFacts {
  readonly code?: string | number;
  readonly errno?: number;
  readonly message: string;
}

/** Codes of getaddrinfo(3) as Node names them: the name, or the way to its servers, is missing. */
const NAME_CODES = ["ENOTFOUND", "EAI_AGAIN", "EAI_NODATA", "EAI_NONAME", "EAI_FAIL"];

/** Number of the alert that the other side sent (RFC 8446, section 6), or null. */
export function alertOf({ message }: ErrorFacts): number | null {
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

/** The ending of a connection that name, TCP or TLS kept from opening; null when they did not. */
export function openingEnding(
  error: ErrorFacts,
  phase: Phase,
  isVerificationError: boolean,
): Ending | null {
  if (phase === "up") return null;
  // With TLS 1.3 the server judges our certificate after our handshake is over.
  const alert = alertOf(error);
  if (alert !== null) return { status: Status.TLS_CLIENT_REFUSED, detail: alert };
  if (phase === "tls") return inTls(error, isVerificationError);
  if (phase === "connect") return null;
  const isName = NAME_CODES.includes(String(error.code));
  const status = isName ? Status.NAME_NOT_RESOLVED : Status.UNREACHABLE;
  return { status, detail: error.errno ?? 0 };
}
