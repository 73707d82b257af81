// One file that is either wholly old or wholly new, whatever moment the power goes: the new
// contents are written beside it, synced, and renamed over it; then the directory is synced. A torn
// temporary file is left over by a crash and ignored. Each service keeps its state in a file of its
// own.

import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

const PRIVATE_MODE = 0o600;

export interface ReplaceOptions {
  /** Default: only the owner may read it. */
  readonly mode?: number | undefined;
  /** Where the new contents are written first, on the same file system. Default: `<path>.tmp`. */
  readonly temporary?: string;
}

/** Replaces the file at `path` atomically. */
export function replaceFile(
  path: string,
  contents: string | Uint8Array,
  options: ReplaceOptions = {},
): void {
  const { mode = PRIVATE_MODE, temporary = `${path}.tmp` } = options;
  const file = openSync(temporary, "w", mode);
  try {
    writeFileSync(file, contents);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

/**
 * Without this the rename itself may be lost with the power. Windows cannot, and need not, do it.
 */
function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** The parsed file, or undefined when there is none. A file that is not JSON is an error. */
export function readJsonFile(path: string): unknown {
  rmSync(`${path}.tmp`, { force: true });
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Error(`${path} is not JSON (${(error as Error).message}); was it edited by hand?`);
  }
}
