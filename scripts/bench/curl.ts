// The reference of benches that download: curl, and sha256sum behind a pipe, as a person would do it
// in a shell.

import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

export const CURL = "curl | sha256sum";

const isThere = (program: string): boolean => spawnSync(program, ["--version"]).status === 0;

export const hasCurlAndSha256sum = (): boolean => isThere("curl") && isThere("sha256sum");

/** SHA-256 of what the URL gives, in hexadecimal. */
export async function downloadByCurl(url: string, caFile: string): Promise<string> {
  const script = 'curl -s --cacert "$1" "$2" | sha256sum';
  const { stdout } = await promisify(execFile)("sh", ["-c", script, "sh", caFile, url]);
  return stdout.slice(0, stdout.indexOf(" "));
}
