// Sessions over BLE on the chip, without a chip: ble_session.c between a protocomm, a NimBLE and a
// core that a test plays (ble_session_native.c), under the sanitizers.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { packageRoot } from "../../host-node/src/package_root.js";
import { compileStrict, skipWithoutNative, temporaryFolder, wasm3 } from "./support/native.js";

const HOST_PORT = join(packageRoot, "host-esp32", "components", "host_port");
const FAKE = resolve("tests/node/ble_session_native.h");
/** Of ESP-IDF, included by ble_session.c and by what it includes. */
const HEADERS = [
  "esp_err.h",
  "esp_heap_caps.h",
  "esp_idf_version.h",
  "esp_partition.h",
  "mbedtls/platform_util.h",
  "protocomm_security2.h",
  "psa/crypto.h",
  "sdkconfig.h",
  "sec2.pb-c.h",
  "session.pb-c.h",
];

describe("sessions over BLE on the chip", { skip: skipWithoutNative }, () => {
  let folder = "";
  before(() => {
    folder = temporaryFolder();
    for (const header of HEADERS) {
      mkdirSync(join(folder, dirname(header)), { recursive: true });
      writeFileSync(join(folder, header), `#include "${FAKE}"\n`);
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("handshakes_and_packets_of_friends_and_strangers_end_as_they_should", () => {
    const program = join(folder, "session");
    const sources = [resolve("tests/node/ble_session_native.c"), join(HOST_PORT, "ble_session.c")];
    const includes = [folder, HOST_PORT, resolve("tests/node"), wasm3().source];
    compileStrict(program, sources, [
      "-fsanitize=address,undefined",
      "-fno-sanitize-recover=all",
      ...includes.flatMap((include) => ["-isystem", include]),
    ]);
    const run = spawnSync(program, { encoding: "utf8" });
    assert.equal(run.stderr, "");
    assert.equal(run.stdout, "ok\n");
    assert.equal(run.status, 0);
  });
});
