// `npm run firmware` with an idf.py that only notes how it is called: which options of the command
// line come to ESP-IDF, and how.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { packageRoot } from "../../host-node/src/package_root.js";

const TASK = join(packageRoot, "dist", "scripts", "tasks", "firmware.js");
const NOTING = `#!${process.execPath}
const { writeFileSync } = require("node:fs");
const [args, { IDF_TARGET, IOT32_NETWORK, IOT32_BLE }] = [process.argv.slice(2), process.env];
writeFileSync(__dirname + "/call.json", JSON.stringify({ args, IDF_TARGET, IOT32_NETWORK, IOT32_BLE }));
`;

interface Call {
  readonly args: readonly string[];
  readonly IDF_TARGET: string;
  readonly IOT32_NETWORK: string;
  readonly IOT32_BLE: string;
}

const isWindows = process.platform === "win32";

describe("firmware", { skip: isWindows && "idf.py is a script with a shebang" }, () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "iot32-idf-"));
    writeFileSync(join(folder, "package.json"), '{"type":"commonjs"}');
    writeFileSync(join(folder, "idf.py"), NOTING);
    chmodSync(join(folder, "idf.py"), 0o755);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function callFor(...args: string[]): Call & { readonly defaults: readonly string[] } {
    const env = { ...process.env, PATH: `${folder}${delimiter}${process.env["PATH"]}` };
    const run = spawnSync(process.execPath, [TASK, ...args], {
      cwd: packageRoot,
      env,
      encoding: "utf8",
    });
    assert.equal(run.status, 0, run.stdout + run.stderr);
    const call = JSON.parse(readFileSync(join(folder, "call.json"), "utf8")) as Call;
    const prefix = "SDKCONFIG_DEFAULTS=";
    const lists = call.args.find((arg) => arg.startsWith(prefix))!.slice(prefix.length);
    return { ...call, defaults: lists.split(";") };
  }

  const namesOf = (files: readonly string[]): string[] => files.map((file) => basename(file));

  test("options_of_the_command_line_come_to_esp_idf", () => {
    const call = callFor("--target", "esp32c6", "--network", "openeth", "--release", "1.2.3");
    assert.equal(call.IDF_TARGET, "esp32c6");
    assert.equal(call.IOT32_NETWORK, "openeth");
    assert.equal(call.IOT32_BLE, "n");
    assert.ok(call.args.includes("PROJECT_VER=1.2.3"));
    assert.deepEqual(namesOf(call.defaults), ["sdkconfig.defaults", "sdkconfig.iot32"]);
    const given = readFileSync(call.defaults.at(-1)!, "utf8");
    assert.match(given, /^CONFIG_IOT32_NETWORK_OPENETH=y$/m);
    assert.doesNotMatch(given, /BLE/);
  });

  test("ble_adds_its_defaults_its_components_and_a_new_configuration", () => {
    const call = callFor("--target", "esp32c6", "--ble");
    assert.equal(call.IOT32_BLE, "y");
    const files = ["sdkconfig.defaults", "sdkconfig.ble", "sdkconfig.iot32"];
    assert.deepEqual(namesOf(call.defaults), files);
    assert.match(readFileSync(call.defaults[1]!, "utf8"), /^CONFIG_IOT32_BLE=y$/m);
    assert.match(readFileSync(call.defaults[2]!, "utf8"), /^CONFIG_IOT32_BLE=y$/m);
  });
});
