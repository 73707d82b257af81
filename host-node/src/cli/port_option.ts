// The argument of an option that takes a TCP port.

import { InvalidArgumentError } from "commander";

const PORT_MAX = 65_535;

/** A whole number from 0 to 65,535; throws InvalidArgumentError for anything else. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= PORT_MAX) return port;
  throw new InvalidArgumentError(`it must be a number from 0 to ${PORT_MAX}`);
}
