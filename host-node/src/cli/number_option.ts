// Arguments of options that take a number: parsers for commander, which say what they want.

import { InvalidArgumentError } from "commander";

/** A whole number in a range, both ends included. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (text.trim() !== "" && Number.isInteger(number) && number >= min && number <= max) {
      return number;
    }
    throw new InvalidArgumentError(`it must be a whole number from ${min} to ${max}`);
  };
}

/** Any number in a range, both ends included. */
export function anyNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (text.trim() !== "" && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`it must be a number from ${min} to ${max}`);
  };
}
