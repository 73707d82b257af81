// Bundles the web page of `iot32 configure --web` into dist/: HTML and style sheet as they are, the
// TypeScript as modules for browsers. What comes out is static, so that any web server will do.
// Types are checked before, by host-node/web/tsconfig.json, which knows browsers and no Node; here
// they are only removed. Run by scripts/run.mjs whenever a source is newer than the output.

import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { packageRoot } from "../../host-node/src/package_root.js";

const PAGE = join(packageRoot, "host-node", "web", "configure");
const OUTPUT = join(packageRoot, "dist", "host-node", "web", "configure");
const STATIC = ["index.html", "style.css", "icon.svg"];

// Names of chunks have a hash: those of an earlier build must not stay.
rmSync(OUTPUT, { recursive: true, force: true });
mkdirSync(OUTPUT, { recursive: true });
for (const name of STATIC) cpSync(join(PAGE, name), join(OUTPUT, name));
await build({
  entryPoints: [join(PAGE, "main.ts")],
  outdir: OUTPUT,
  bundle: true,
  // Reading certificates takes a library that is larger than all the rest; it comes when it is needed.
  splitting: true,
  format: "esm",
  platform: "browser",
  // Web Bluetooth is nowhere older than this.
  target: "chrome100",
  minify: true,
  sourcemap: true,
  legalComments: "linked",
  logLevel: "warning",
});
