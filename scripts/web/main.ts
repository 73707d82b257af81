// Bundles the web page of `iot32 web` into dist/: HTML and style sheet as they are, the TypeScript
// as one script for browsers. What comes out is static, so that any web server will do, and
// complete once it is loaded, so that the network may be gone while a device is set up. Types are
// checked before, by host-node/web/tsconfig.json, which knows browsers and no Node; here they are
// only removed. Run by scripts/run.mjs whenever a source is newer than the output.

import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { packageRoot } from "../../host-node/src/package_root.js";

const PAGE = join(packageRoot, "host-node", "web", "configure");
const OUTPUT = join(packageRoot, "dist", "host-node", "web", "configure");
const STATIC = ["index.html", "style.css", "parts.css", "icon.svg"];

// What an earlier build has left must not be served.
rmSync(OUTPUT, { recursive: true, force: true });
mkdirSync(OUTPUT, { recursive: true });
for (const name of STATIC) cpSync(join(PAGE, name), join(OUTPUT, name));
await build({
  entryPoints: [join(PAGE, "main.ts")],
  outdir: OUTPUT,
  bundle: true,
  // Not a module: those cannot be loaded from a file, by a page that was opened with a double
  // click.
  format: "iife",
  platform: "browser",
  // Web Bluetooth is nowhere older than this.
  target: "chrome100",
  minify: true,
  legalComments: "linked",
  logLevel: "warning",
});
