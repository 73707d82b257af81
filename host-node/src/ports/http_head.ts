// The head of an HTTP response as HTTP_RESPONSE reports it: how long the body is, and which part
// of the resource it is (RFC 9110, sections 8.6 and 14.4). Pure; http_request.ts calls it.

import { Status } from "../abi.js";

export interface Head {
  /** Bytes of the body, or -1 when the server does not say. */
  readonly bodyBytes: number;
  /** Position of the first byte of the body in the resource. */
  readonly position: number;
  /** Bytes of the whole resource, or SIZE_UNKNOWN. */
  readonly resourceBytes: number;
}

export interface HeadFields {
  readonly "content-length"?: string | undefined;
  readonly "content-range"?: string | undefined;
}

export const SIZE_UNKNOWN = 0xffffffff;
const LENGTH_UNKNOWN = -1;
/** The length travels as an i32. */
const LENGTH_MAX = 0x7fffffff;

const Code = {
  OK: 200,
  NO_CONTENT: 204,
  PARTIAL_CONTENT: 206,
  NOT_MODIFIED: 304,
  RANGE_NOT_SATISFIABLE: 416,
} as const;

interface Range {
  readonly position: number;
  readonly resourceBytes: number;
}

/** Content-Range: `bytes 0-99/200`, `bytes 0-99/*`, and of a refusal `bytes * /200` (no space). */
const RANGE = /^bytes +(?:(\d+)-(\d+)|\*)\/(\d+|\*)$/i;

/** The range, or null when the field is malformed or contradicts itself. */
function rangeOf(field: string): Range | null {
  const match = RANGE.exec(field.trim());
  if (match === null) return null;
  const [, first, last, size] = match;
  const isSizeKnown = size !== "*";
  const resourceBytes = isSizeKnown ? Number(size) : SIZE_UNKNOWN;
  if (first === undefined) return isSizeKnown ? { position: 0, resourceBytes } : null;
  const isOrdered = Number(first) <= Number(last);
  if (!isOrdered || (isSizeKnown && Number(last) >= resourceBytes)) return null;
  return { position: Number(first), resourceBytes };
}

function bodyBytesOf(code: number, fields: HeadFields): number {
  // They have no body, whatever length they announce (RFC 9110, section 8.6).
  if (code === Code.NO_CONTENT || code === Code.NOT_MODIFIED) return 0;
  // Node's parser has checked that it is a number, and the only one.
  const length = fields["content-length"];
  return length === undefined ? LENGTH_UNKNOWN : Number(length);
}

/** The head, or the Status that ends the request. */
export function headOf(code: number, fields: HeadFields): Head | Status {
  const bodyBytes = bodyBytesOf(code, fields);
  const head: Head = { bodyBytes, ...partOf(code, fields, bodyBytes) };
  const { position, resourceBytes } = head;
  if (position < 0) return Status.MALFORMED;
  const isTooLarge =
    bodyBytes > LENGTH_MAX || position >= SIZE_UNKNOWN || resourceBytes > SIZE_UNKNOWN;
  return isTooLarge ? Status.TOO_LARGE : head;
}

const MALFORMED_PART: Range = { position: -1, resourceBytes: SIZE_UNKNOWN };

function partOf(code: number, fields: HeadFields, bodyBytes: number): Range {
  const field = fields["content-range"];
  // With any other code the field has no meaning (RFC 9110, section 14.4).
  const isPart = code === Code.PARTIAL_CONTENT || code === Code.RANGE_NOT_SATISFIABLE;
  if (isPart && field !== undefined) return rangeOf(field) ?? MALFORMED_PART;
  const isWhole = code === Code.OK && bodyBytes !== LENGTH_UNKNOWN;
  return { position: 0, resourceBytes: isWhole ? bodyBytes : SIZE_UNKNOWN };
}
