// Entry of every npm script. Plain JavaScript without dependencies, because it has to run on a
// machine that has only Node and npm: installs packages when package-lock.json is newer than what
// is installed, compiles the TypeScript when a source is newer than the output, then hands over to
// dist/scripts/<task>.js. Everything it says itself goes to standard error.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const ELSEWHERE = {
  iot32: "dist/host-node/src/cli/main.js",
  conformance: "dist/tests/conformance/main.js",
};
const TASKS = ["start", "test", "size", "sim", "bench", "build", "firmware", "tidy"];
const NAMES = [...TASKS, ...Object.keys(ELSEWHERE)];
const SOURCES = [
  "host-node/src",
  "host-node/web",
  "scripts",
  "tests/node",
  "tests/conformance",
  "tsconfig.json",
];
const NODE_MAJOR_MIN = 20;

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function run(command, args) {
  const result = spawnSync(command, args, {
    cwd: root,
    // Standard output belongs to the task.
    stdio: ["ignore", 2, 2],
    // There npx is no program but a script; a path with spaces is for no shell.
    shell: process.platform === "win32" && command !== process.execPath,
  });
  if (result.status !== 0) fail(`${command} ${args.join(" ")} failed (see above)`);
}

/**
 * The npm that runs this script. By its name alone `npm run` would find node_modules/.bin/npm, an
 * old one that a package brings along: it removes node_modules, and cannot read the lock file.
 */
function npm(args) {
  const cli = process.env.npm_execpath ?? "";
  if (basename(cli) === "npm-cli.js") run(process.execPath, [cli, ...args]);
  else run("npm", args);
}

/** Installs exactly what package-lock.json says, once for each version of it. */
function install() {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  const stamp = join(root, "node_modules", ".iot32-installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  process.stderr.write("Installing packages ...\n");
  npm(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(stamp, lock);
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const inside = readdirSync(path).map((name) => newest(join(path, name)));
  return Math.max(stat.mtimeMs, ...inside);
}

/** Compiles host-node, scripts and tests into dist/, and bundles the web page. */
function compile() {
  const stamp = join(root, "dist", ".compiled");
  const sourcesMs = Math.max(...SOURCES.map((path) => newest(join(root, path))));
  if (existsSync(stamp) && statSync(stamp).mtimeMs > sourcesMs) return;
  process.stderr.write("Compiling ...\n");
  run("npx", ["tsc", "-p", "tsconfig.json"]);
  run("npx", ["tsc", "-p", "host-node/web/tsconfig.json"]);
  run(process.execPath, ["dist/scripts/web/main.js"]);
  mkdirSync(join(root, "dist"), { recursive: true });
  writeFileSync(stamp, "");
}

const [task, ...args] = process.argv.slice(2);
if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN) {
  fail(`iot32 needs Node ${NODE_MAJOR_MIN} or newer; this is ${process.version}`);
}
if (!NAMES.includes(task)) fail(`usage: node scripts/run.mjs ${NAMES.join("|")}`);
install();
compile();
const module = ELSEWHERE[task] ?? `dist/scripts/tasks/${task}.js`;
process.argv = [process.argv[0], join(root, module), ...args];
await import(pathToFileURL(join(root, module)).href);
