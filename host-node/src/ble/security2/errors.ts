// What can go wrong in a session of security 2. Everything that comes from the other side ends in
// one of these, never in an exception of a library; a reason says whose turn it is: a wrong proof
// counts towards a lock-out, a message that cannot be read does not have to.

export type Security2Reason =
  /** Bytes that are no message of security 2. */
  | "message"
  /** A message that has no place here: out of order, again, or before there is a session. */
  | "order"
  /** Numbers that SRP forbids, or of a length that nobody sends. */
  | "parameters"
  /** The other side does not know the proof of possession. */
  | "proof"
  /** A packet that was not sealed as the next one of this session. */
  | "sealed"
  /** 2^32 - 1 packets have used the counter up; a new session begins again at one. */
  | "counter";

export class Security2Error extends Error {
  constructor(
    readonly reason: Security2Reason,
    problem: string,
  ) {
    super(problem);
    this.name = "Security2Error";
  }
}

export function refuse(reason: Security2Reason, problem: string): never {
  throw new Security2Error(reason, problem);
}
