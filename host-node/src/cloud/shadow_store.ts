// Shadows on disk: one file for each shadow, replaced atomically, so that an update costs the size
// of its own shadow and a crash leaves either the old or the new one. All are read at start. Used
// by shadow.ts alone.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readJsonFile, replaceFile } from "./atomic_file.js";
import type { ShadowRecord } from "./shadow_document.js";

const DIRECTORY = "shadows";
const PRIVATE_DIRECTORY_MODE = 0o700;
const DIGEST_DIGITS = 16;

export class ShadowStore {
  readonly #directory: string;
  readonly #records = new Map<string, ShadowRecord>();

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, DIRECTORY);
    mkdirSync(this.#directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
    for (const file of readdirSync(this.#directory)) {
      if (!file.endsWith(".json")) continue;
      const record = readJsonFile(join(this.#directory, file)) as ShadowRecord;
      this.#records.set(keyOf(record.thing, record.name), record);
    }
  }

  /** The shadow, a deleted one included, or a blank one with version 0. */
  get(thing: string, name: string | null): ShadowRecord {
    const found = this.#records.get(keyOf(thing, name));
    return found ?? { thing, name, version: 0, state: null, metadata: {}, changed: 0 };
  }

  /** After a return the record survives any crash. */
  put(record: ShadowRecord): void {
    replaceFile(this.#pathOf(record), `${JSON.stringify(record)}\n`);
    this.#records.set(keyOf(record.thing, record.name), record);
  }

  /** Readable as far as the file system allows, and distinct where it does not tell cases apart. */
  #pathOf({ thing, name }: ShadowRecord): string {
    const readable = `${thing}${name === null ? "" : `~${name}`}`.replace(/[^\w~-]/g, "_");
    const digest = createHash("sha256").update(keyOf(thing, name)).digest("hex");
    const short = readable.slice(0, 200);
    return join(this.#directory, `${short}.${digest.slice(0, DIGEST_DIGITS)}.json`);
  }
}

function keyOf(thing: string, name: string | null): string {
  return JSON.stringify([thing, name]);
}
