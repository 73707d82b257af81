// The contract of state files, of both kinds: what was written is read, each value by itself; and
// a service opened anew on either kind finds what it left there.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { ShadowStore } from "../../host-node/src/cloud/shadow_store.js";
import { DiskFiles, MemoryFiles, type StateFiles } from "../../host-node/src/cloud/state_files.js";
import { cleanUp, temporaryDirectory } from "./cloud_support.js";

after(cleanUp);

const KINDS: Record<string, () => StateFiles> = {
  disk: () => new DiskFiles(temporaryDirectory()),
  memory: () => new MemoryFiles(),
};

for (const [kind, create] of Object.entries(KINDS)) {
  test(`${kind}: value is read as it was written last, and only its directory lists it`, () => {
    const files = create();
    assert.equal(files.read("a.json"), undefined);
    assert.deepEqual(files.list("sub"), []);
    files.replace("a.json", { a: 1 });
    files.replace("sub/b.json", { b: 1 });
    files.replace("sub/b.json", { b: 2 });
    files.replace("sub/c.json", [3]);
    files.replace("sub/deep/d.json", {});
    assert.deepEqual(files.read("sub/b.json"), { b: 2 });
    assert.deepEqual(files.list("sub").sort(), ["sub/b.json", "sub/c.json"]);
    files.remove("sub/b.json");
    files.remove("sub/b.json");
    assert.equal(files.read("sub/b.json"), undefined);
    assert.deepEqual(files.list("sub"), ["sub/c.json"]);
  });

  test(`${kind}: shadow is there when its store is opened again`, () => {
    const files = create();
    const blank = new ShadowStore(files).get("lamp", "night");
    new ShadowStore(files).put({ ...blank, version: 3 });
    assert.equal(new ShadowStore(files).get("lamp", "night").version, 3);
    assert.equal(new ShadowStore(files).get("lamp", null).version, 0);
  });
}

test("disk: value is one line of JSON", () => {
  const directory = temporaryDirectory();
  new DiskFiles(directory).replace("a.json", { a: [1, "x"] });
  assert.equal(readFileSync(join(directory, "a.json"), "utf8"), '{"a":[1,"x"]}\n');
});

test("memory: what is replaced in a copy is not replaced in its original", () => {
  const original = new MemoryFiles();
  original.replace("a.json", { a: 1 });
  const copy = original.copy();
  copy.replace("a.json", { a: 2 });
  original.replace("b.json", {});
  assert.deepEqual(original.read("a.json"), { a: 1 });
  assert.equal(copy.read("b.json"), undefined);
});
