// `iot32 shadow`: reads and changes shadows in a running cloud. The cloud's own rules apply: a
// change reaches the device as a delta, and a refusal is said with AWS's code.

import { Command, InvalidArgumentError } from "commander";
import pc from "picocolors";
import type { Json, JsonObject, ShadowDocument } from "../cloud/shadow_document.js";
import {
  ask,
  CLIENT_NOTES,
  type ClientOptions,
  clientOptions,
  jsonOrFile,
  parsedJson,
  printable,
  table,
  timeText,
} from "./cloud_client.js";

interface ShadowOptions extends ClientOptions {
  readonly thing: string;
  readonly name?: string;
}

interface UpdateOptions extends ShadowOptions {
  readonly desired?: string;
  readonly reported?: string;
  readonly document?: string;
  readonly ifVersion?: number;
}

const GET_HELP = `
Without --json: a line for each value with what is desired and what is reported; those that differ,
and so are in the delta, are marked. With --json: the document as AWS's get/accepted has it.

Example:
  iot32 shadow get --thing lamp --name settings
${CLIENT_NOTES}`;

const UPDATE_HELP = `
Only the values named are changed; null removes one. JSON may be given itself or as the name of
a file.

Examples:
  iot32 shadow update --thing lamp --desired '{"led":{"on":true}}'
  iot32 shadow update --thing lamp --desired '{"led":null}' --if-version 7
  iot32 shadow update --thing lamp --document update.json       {"state":{"desired":{...}}}
${CLIENT_NOTES}`;

const DELETE_HELP = `
The version of a deleted shadow is remembered: a new one goes on counting.

Example:
  iot32 shadow delete --thing lamp
${CLIENT_NOTES}`;

/** The command, ready to be added to the program. */
export function shadowCommand(): Command {
  return new Command("shadow")
    .description("read and change device shadows in a running cloud")
    .addCommand(
      shadowOptions(new Command("get").description("show a shadow"))
        .addHelpText("after", GET_HELP)
        .action(get),
    )
    .addCommand(
      shadowOptions(new Command("update").description("change a shadow, or make it"))
        .option("--desired <json|file>", "values that the device shall take on")
        .option("--reported <json|file>", "values as if the device had reported them")
        .option("--document <json|file>", "the whole update instead, as AWS takes it")
        .option("--if-version <number>", "refuse (409) unless this is the version", parseVersion)
        .addHelpText("after", UPDATE_HELP)
        .action(update),
    )
    .addCommand(
      shadowOptions(new Command("delete").description("delete a shadow"))
        .addHelpText("after", DELETE_HELP)
        .action(remove),
    );
}

function shadowOptions(command: Command): Command {
  return clientOptions(
    command
      .requiredOption("-t, --thing <name>", "name of the thing")
      .option("-n, --name <name>", "name of the shadow (default: the classic shadow)"),
  );
}

function target({ thing, name }: ShadowOptions): object {
  return { thing, ...(name === undefined ? {} : { name }) };
}

function titleOf({ thing, name }: ShadowOptions): string {
  return pc.bold(name === undefined ? thing : `${thing}, shadow ${name}`);
}

async function get(options: ShadowOptions): Promise<void> {
  await ask(options, "shadow.get", { ...target(options) }, (shadow: ShadowDocument) => {
    const title = `${titleOf(options)}  version ${shadow.version}`;
    const rows = rowsOf(shadow);
    if (rows.length === 0) return `${title}\nThe shadow is empty.`;
    return `${title}\n${table(["KEY", "DESIRED", "REPORTED", "DELTA", "CHANGED"], rows)}`;
  });
}

async function update(options: UpdateOptions): Promise<void> {
  const document = documentOf(options);
  await ask(
    options,
    "shadow.update",
    { ...target(options), document },
    ({ version }: { version: number }) => `${titleOf(options)}  is now version ${version}`,
  );
}

async function remove(options: ShadowOptions): Promise<void> {
  await ask(
    options,
    "shadow.delete",
    { ...target(options) },
    ({ version }: { version: number }) => `${titleOf(options)}  deleted; it had version ${version}`,
  );
}

function documentOf(options: UpdateOptions): object {
  const { desired, reported, document, ifVersion } = options;
  const version = ifVersion === undefined ? {} : { version: ifVersion };
  const value = (source: string, what: string) => parsedJson(jsonOrFile(source, what), what);
  if (document !== undefined) {
    if (desired !== undefined || reported !== undefined) {
      throw new Error("--document already holds what --desired and --reported would say");
    }
    return { ...(value(document, "--document") as object), ...version };
  }
  if (desired === undefined && reported === undefined) {
    throw new Error("nothing to change: give --desired, --reported or --document");
  }
  const state = {
    ...(desired === undefined ? {} : { desired: value(desired, "--desired") }),
    ...(reported === undefined ? {} : { reported: value(reported, "--reported") }),
  };
  return { state, ...version };
}

/** A row for each leaf in either section. */
function rowsOf({ state, metadata }: ShadowDocument): string[][] {
  const desired = leavesOf(state.desired ?? {});
  const reported = leavesOf(state.reported ?? {});
  const delta = leavesOf(state.delta ?? {});
  const times = (section: JsonObject | undefined) => stampsOf(section ?? {});
  const [wanted, told] = [times(metadata.desired), times(metadata.reported)];
  return [...new Set([...desired.keys(), ...reported.keys()])]
    .sort()
    .map((key) => [
      key,
      desired.get(key) ?? "-",
      reported.get(key) ?? "-",
      delta.has(key) ? "differs" : "",
      timeText(Math.max(wanted.get(key) ?? 0, told.get(key) ?? 0)),
    ]);
}

/** Values that are no objects, as JSON, by their path. */
function leavesOf(object: JsonObject, prefix = ""): Map<string, string> {
  const leaves = new Map<string, string>();
  for (const [key, value] of Object.entries(object)) {
    const path = printable(`${prefix}${key}`);
    if (isPlain(value)) for (const leaf of leavesOf(value, `${path}.`)) leaves.set(...leaf);
    else leaves.set(path, JSON.stringify(value));
  }
  return leaves;
}

/** The newest time stamp below each path. */
function stampsOf(object: JsonObject): Map<string, number> {
  const stamps = new Map<string, number>();
  const visit = (value: Json, paths: readonly string[]) => {
    if (Array.isArray(value)) for (const item of value as readonly Json[]) visit(item, paths);
    if (!isPlain(value)) return;
    for (const [key, child] of Object.entries(value)) {
      if (key === "timestamp" && typeof child === "number") {
        for (const path of paths) stamps.set(path, Math.max(stamps.get(path) ?? 0, child));
      } else {
        const last = paths.at(-1);
        visit(child, [...paths, printable(last === undefined ? key : `${last}.${key}`)]);
      }
    }
  };
  visit(object, []);
  return stamps;
}

function isPlain(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseVersion(text: string): number {
  const version = Number(text);
  if (Number.isInteger(version) && version >= 0) return version;
  throw new InvalidArgumentError("it must be a whole number");
}
