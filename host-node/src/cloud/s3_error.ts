// Refusals of the file server in S3's words: a status, a code that clients may compare, and the XML
// body that S3 sends ("Error responses" in the Amazon S3 API reference). Thrown by presign.ts and
// objects.ts, answered by files.ts.

export type S3ErrorCode =
  | "AccessDenied"
  | "AuthorizationQueryParametersError"
  | "InternalError"
  | "InvalidBucketName"
  | "InvalidRange"
  | "InvalidRequest"
  | "InvalidURI"
  | "KeyTooLongError"
  | "MethodNotAllowed"
  | "NoSuchBucket"
  | "NoSuchKey"
  | "PreconditionFailed"
  | "SignatureDoesNotMatch";

export class S3Error extends Error {
  readonly code: S3ErrorCode;
  readonly status: number;
  /** Further elements of the body. */
  readonly facts: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: S3ErrorCode,
    message: string,
    facts: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.facts = facts;
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

const element = (name: string, text: string): string =>
  `<${name}>${text.replace(/[&<>"]/g, (character) => ENTITIES[character]!)}</${name}>`;

export function errorBody({ code, message, facts }: S3Error, requestId: string): string {
  const elements = Object.entries({ Code: code, Message: message, ...facts, RequestId: requestId });
  const inside = elements.map(([name, text]) => element(name, text)).join("");
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${inside}</Error>`;
}
