// What the commands that speak to a running cloud share: the options --dir and --json, the call,
// and tables for people. Used by shadow.ts, job.ts and ota.ts. A refusal is thrown and said by
// main.ts.

import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import pc from "picocolors";
import { type ControlParameters, callCloud } from "../cloud/control.js";
import type { ExecutionDescription } from "../cloud/index.js";

export interface ClientOptions {
  readonly dir: string;
  readonly json: boolean;
}

const DEFAULT_DIRECTORY = "./cloud";
const DIRECTORY_VARIABLE = "IOT32_CLOUD_DIR";
const COLUMN_GAP = "  ";

/** Adds --dir and --json. */
export function clientOptions(command: Command): Command {
  const directory = process.env[DIRECTORY_VARIABLE] ?? DEFAULT_DIRECTORY;
  return command
    .option("-d, --dir <directory>", "state directory of the running cloud", directory)
    .option("--json", "print the cloud's answer as one line of JSON", false);
}

/** The end of each command's help. */
export const CLIENT_NOTES = `
The cloud must be running on the directory (iot32 cloud --dir <directory>).
${DIRECTORY_VARIABLE} replaces the default of --dir. Exit code 0: done. 1: refused, or no cloud;
the reason is on standard error.
`;

/** Asks the cloud, and prints the answer as JSON or in the words of `say`. */
export async function ask<Result>(
  options: ClientOptions,
  method: string,
  parameters: ControlParameters,
  say: (result: Result) => string,
): Promise<void> {
  const result = (await callCloud(options.dir, method, parameters)) as Result;
  process.stdout.write(`${options.json ? JSON.stringify(result) : say(result)}\n`);
}

/** JSON given on the command line, or the text of the file of that name. */
export function jsonOrFile(source: string, what: string): string {
  if (/^\s*[{[]/.test(source)) return source;
  try {
    return readFileSync(source, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`${what} is neither JSON nor a file that can be read (${code}): ${source}`);
  }
}

export function parsedJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${what} is not JSON: ${(error as Error).message}`);
  }
}

/** Columns as wide as they need; the first row is the head. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(printable));
  const widths = head.map((title, i) =>
    Math.max(title.length, ...clean.map((row) => (row[i] ?? "").length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join(COLUMN_GAP)
      .trimEnd();
  return [pc.bold(line(head)), ...clean.map(line)].join("\n");
}

/** What devices and job documents say must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "\u00b7");
}

/** A time of AWS, in seconds since 1970, to the second. */
export function timeText(seconds: number | undefined): string {
  if (seconds === undefined) return "-";
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
}

/** What a device says about an execution, in one line. */
export function detailsText({ statusDetails = {} }: ExecutionDescription): string {
  return Object.entries(statusDetails)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
}

// --- Arguments ---

/** For an option that may be given more than once. */
export const collect = (value: string, values: readonly string[] = []): readonly string[] => [
  ...values,
  value,
];

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError("it must be a whole number from 1");
}

export function percentage(text: string): number {
  const value = Number(text.replace(/%$/, ""));
  if (value > 0 && value <= 100) return value;
  throw new InvalidArgumentError("it must be above 0 and at most 100, as in 10%");
}
