// What a device tells the Jobs service about one of its jobs, as invariants read it.

const TOPIC = /^\$aws\/things\/[^/]+\/jobs\/([^/]+)\/update$/;

export interface JobUpdate {
  readonly jobId: string;
  /** Null: the request has none that is a text. */
  readonly status: string | null;
  /** Of its statusDetails; empty: none. */
  readonly reason: string;
}

interface Body {
  readonly status?: unknown;
  readonly statusDetails?: { readonly reason?: unknown };
}

/** Null for what is no update of a job. */
export function jobUpdateOf(topic: string, payload: Uint8Array): JobUpdate | null {
  const jobId = TOPIC.exec(topic)?.[1];
  if (jobId === undefined) return null;
  const { status, statusDetails } = bodyOf(payload);
  const reason = statusDetails?.reason;
  return {
    jobId,
    status: typeof status === "string" ? status : null,
    reason: typeof reason === "string" ? reason : "",
  };
}

function bodyOf(payload: Uint8Array): Body {
  try {
    return (JSON.parse(Buffer.from(payload).toString()) as Body | null) ?? {};
  } catch {
    return {};
  }
}
