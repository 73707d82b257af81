// The configuration document of a device as a file on a desk. Certificates and keys come as files
// of their own, so a field may name one: "@claim.pem.crt", relative to the document. Everything
// else is the core's to judge: a document that is not JSON reaches it as it is.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Fields that hold PEM; only these may name a file. */
const PEM_FIELDS: Readonly<Record<string, readonly string[]>> = {
  aws: ["rootCa"],
  thing: ["certificate", "privateKey"],
  claim: ["certificate", "privateKey"],
};
const FILE_MARK = "@";

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new Error(`cannot read ${what} ${path}: ${code === "ENOENT" ? "no such file" : code}`);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Replaces "@file" in PEM fields by the file's text; returns whether there was one. */
function includeFiles(document: Record<string, unknown>, directory: string): boolean {
  let isChanged = false;
  for (const [section, fields] of Object.entries(PEM_FIELDS)) {
    const values = document[section];
    if (!isObject(values)) continue;
    for (const field of fields) {
      const value = values[field];
      if (typeof value !== "string" || !value.startsWith(FILE_MARK)) continue;
      const path = resolve(directory, value.slice(FILE_MARK.length));
      values[field] = readText(path, `the file of ${section}.${field}`);
      isChanged = true;
    }
  }
  return isChanged;
}

/** Reads a configuration document; throws with the path when a file is missing. */
export function readConfiguration(path: string): string {
  const text = readText(path, "the configuration");
  const document = parse(text);
  if (!isObject(document) || !includeFiles(document, dirname(path))) return text;
  return JSON.stringify(document);
}
