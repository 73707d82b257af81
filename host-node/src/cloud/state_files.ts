// Where the cloud keeps its state: a table of named values, each wholly old or wholly new. On disk
// a value is a file of JSON that survives any crash; in memory it is the value itself, and the
// table is copied in a moment. Values are never changed in place, only replaced. Used by the stores
// of the registry, the shadows and the jobs, and by the file server.

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { readJsonFile, replaceFile } from "./atomic_file.js";

/** Names are relative paths with `/`, and end with `.json`. */
export interface StateFiles {
  /** Undefined when there is none. What was not written here is to be checked by the caller. */
  read(name: string): unknown;
  /** After a return the new value is the one that `read` gives, whatever happens. */
  replace(name: string, value: object): void;
  /** Names of the values directly in a directory, in no order. */
  list(directory: string): string[];
  /** A name that is not there is no error. */
  remove(name: string): void;
  /** The name as a person finds it, for messages. */
  pathOf(name: string): string;
}

const ENDING = ".json";
const PRIVATE_DIRECTORY_MODE = 0o700;

export class DiskFiles implements StateFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    makeDirectory(directory);
  }

  read(name: string): unknown {
    return readJsonFile(this.pathOf(name));
  }

  replace(name: string, value: object): void {
    const path = this.pathOf(name);
    makeDirectory(dirname(path));
    replaceFile(path, `${JSON.stringify(value)}\n`);
  }

  list(directory: string): string[] {
    const path = this.pathOf(directory);
    makeDirectory(path);
    const files = readdirSync(path).filter((file) => file.endsWith(ENDING));
    return files.map((file) => `${directory}/${file}`);
  }

  remove(name: string): void {
    rmSync(this.pathOf(name), { force: true });
  }

  pathOf(name: string): string {
    return join(this.#directory, name);
  }
}

function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
}

export class MemoryFiles implements StateFiles {
  readonly #values: Map<string, object>;

  constructor(values: ReadonlyMap<string, object> = new Map()) {
    this.#values = new Map(values);
  }

  read(name: string): unknown {
    return this.#values.get(name);
  }

  replace(name: string, value: object): void {
    this.#values.set(name, value);
  }

  list(directory: string): string[] {
    const start = `${directory}/`;
    return [...this.#values.keys()].filter(
      (name) => name.startsWith(start) && !name.includes("/", start.length),
    );
  }

  remove(name: string): void {
    this.#values.delete(name);
  }

  pathOf(name: string): string {
    return name;
  }

  /** Shares the values; what is replaced in one is not replaced in the other. */
  copy(): MemoryFiles {
    return new MemoryFiles(this.#values);
  }
}
