// The queue of the chip's host with real threads, once under the sanitizers of memory and once
// under that of threads (host_queue_native.c).

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  compileStrict,
  HOST_ABI,
  HOST_LINUX,
  skipWithoutNative,
  temporaryFolder,
} from "./support/native.js";

describe("queue between ports and core", { skip: skipWithoutNative }, () => {
  let folder = "";
  before(() => {
    folder = temporaryFolder();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const sanitizer of ["address,undefined", "thread"]) {
    test(`posts_of_many_threads_keep_their_order_under_sanitizer_${sanitizer}`, () => {
      const program = join(folder, sanitizer);
      const sources = [
        resolve("tests/node/host_queue_native.c"),
        join(HOST_ABI, "host_queue.c"),
        join(HOST_LINUX, "os.c"),
      ];
      compileStrict(program, sources, [`-fsanitize=${sanitizer}`]);
      // Without a fixed place in memory the sanitizer of threads does not start on some kernels.
      const run = spawnSync("setarch", ["-R", program], { encoding: "utf8" });
      assert.equal(run.stderr, "");
      assert.equal(run.stdout, "ok\n");
      assert.equal(run.status, 0);
    });
  }
});
