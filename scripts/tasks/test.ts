// `npm test`: formatter and linter, generated files, layering, the as-pect suites of the pure
// rooms, then everything else under Node's test runner. Stops at the first part that fails.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

function part(title: string, command: string, args: readonly string[], env = {}): void {
  process.stderr.write(`\n== ${title}\n`);
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...env },
  });
  if (result.status !== 0) {
    process.stderr.write(`\n${title}: failed\n`);
    process.exit(1);
  }
}

function bin(name: string): string {
  return join(root, "node_modules", ".bin", name);
}

const nodeTests = join(root, "dist", "tests", "node");
if (!existsSync(nodeTests)) throw new Error(`${nodeTests} is missing: nothing was compiled`);
const wanted = process.argv.slice(2);
const suites = readdirSync(nodeTests)
  .filter((name) => name.endsWith(".test.js"))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .map((name) => join("dist", "tests", "node", name));
if (suites.length === 0) throw new Error(`no test matches ${wanted.join(" ")}`);

if (wanted.length === 0) {
  part("format and lint", bin("biome"), ["ci", "--error-on-warnings", "."]);
  part("generated files", process.execPath, ["dist/scripts/abi/main.js", "--check"]);
  part("diagrams", process.execPath, ["dist/scripts/machines/main.js", "--check"]);
  part("layers and lengths", process.execPath, ["dist/scripts/tasks/tidy.js"]);
  // NODE_PATH: asc looks for the transform of as-pect.asconfig.json as if it were a package.
  part("unit tests of the core", bin("asp"), ["--no-logo", "--summary"], { NODE_PATH: root });
}
part("tests", process.execPath, ["--test", "--test-concurrency=2", ...suites]);
