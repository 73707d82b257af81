// The shadows as state: one value for each shadow, replaced as one, so that an update costs the
// size of its own shadow and a crash leaves either the old or the new one. All are read at start.
// Used by shadow_engine.ts alone.

import { createHash } from "node:crypto";
import type { ShadowRecord } from "./shadow_document.js";
import type { StateFiles } from "./state_files.js";

const DIRECTORY = "shadows";
const DIGEST_DIGITS = 16;

export class ShadowStore {
  readonly #files: StateFiles;
  readonly #records: Map<string, ShadowRecord>;

  /** Reads the shadows in `files`; or has those of `original`, on a copy of its files. */
  constructor(files: StateFiles, original?: ShadowStore) {
    this.#files = files;
    this.#records = original === undefined ? shadowsIn(files) : new Map(original.#records);
  }

  /** The shadow, a deleted one included, or a blank one with version 0. */
  get(thing: string, name: string | null): ShadowRecord {
    const found = this.#records.get(keyOf(thing, name));
    return found ?? { thing, name, version: 0, state: null, metadata: {}, changed: 0 };
  }

  /** After a return the record survives any crash. */
  put(record: ShadowRecord): void {
    this.#files.replace(nameOf(record), record);
    this.#records.set(keyOf(record.thing, record.name), record);
  }
}

function shadowsIn(files: StateFiles): Map<string, ShadowRecord> {
  const records = files.list(DIRECTORY).map((name) => files.read(name) as ShadowRecord);
  return new Map(records.map((record) => [keyOf(record.thing, record.name), record]));
}

/** Readable as far as the file system allows, and distinct where it does not tell cases apart. */
function nameOf({ thing, name }: ShadowRecord): string {
  const readable = `${thing}${name === null ? "" : `~${name}`}`.replace(/[^\w~-]/g, "_");
  const digest = createHash("sha256").update(keyOf(thing, name)).digest("hex");
  return `${DIRECTORY}/${readable.slice(0, 200)}.${digest.slice(0, DIGEST_DIGITS)}.json`;
}

function keyOf(thing: string, name: string | null): string {
  return JSON.stringify([thing, name]);
}
