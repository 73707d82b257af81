// The registry on disk: whole transactions or none, a torn temporary file, a file edited by hand,
// and a process that is killed in the middle of writing, again and again.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import fs, { readFileSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, mock, test } from "node:test";
import { TokenBucket } from "../../host-node/src/cloud/clock.js";
import { DiskFiles } from "../../host-node/src/cloud/state_files.js";
import { type RegistryDraft, Store } from "../../host-node/src/cloud/store.js";
import { cleanUp, temporaryDirectory } from "./cloud_support.js";

const MODULES = ["store", "state_files"].map(
  (name) => new URL(`../../host-node/src/cloud/${name}.js`, import.meta.url).href,
);

after(cleanUp);

const openStore = (directory: string): Store => new Store(new DiskFiles(directory));
const pathIn = (directory: string): string => join(directory, "registry.json");

function addThing(draft: RegistryDraft, name: string): void {
  const thing = { name, typeName: null, attributes: {}, groups: [], principals: [], created: 0 };
  draft.things.set(name, thing);
}

test("transaction that throws changes neither memory nor file", () => {
  const directory = temporaryDirectory();
  const store = openStore(directory);
  store.transaction((draft) => addThing(draft, "first"));
  const before = readFileSync(pathIn(directory), "utf8");
  assert.throws(
    () =>
      store.transaction((draft) => {
        addThing(draft, "second");
        throw new Error("refused");
      }),
    /refused/,
  );
  assert.deepEqual([...store.registry.things.keys()], ["first"]);
  assert.equal(readFileSync(pathIn(directory), "utf8"), before);
  assert.deepEqual([...openStore(directory).registry.things.keys()], ["first"]);
});

test("name that is a property of every object is a thing like any other", () => {
  const directory = temporaryDirectory();
  const names = ["__proto__", "constructor", "toString"];
  openStore(directory).transaction((draft) => {
    for (const name of names) addThing(draft, name);
  });
  assert.deepEqual([...openStore(directory).registry.things.keys()], names);
});

test("torn temporary file is ignored, a broken registry is reported and not overwritten", () => {
  const directory = temporaryDirectory();
  const store = openStore(directory);
  store.transaction((draft) => addThing(draft, "kept"));
  const whole = readFileSync(pathIn(directory), "utf8");
  writeFileSync(`${pathIn(directory)}.tmp`, whole.slice(0, whole.length / 2));
  assert.ok(openStore(directory).registry.things.has("kept"));
  writeFileSync(pathIn(directory), "{ half");
  assert.throws(() => openStore(directory), /is not JSON/);
  assert.equal(readFileSync(join(directory, "registry.json"), "utf8"), "{ half");
  writeFileSync(pathIn(directory), '{"version":99}');
  assert.throws(() => openStore(directory), /version 99/);
});

/** Cuts the power at one file operation: it does half of its work, and nothing follows. */
const POWER_CUTS = {
  openSync: () => {},
  writeFileSync: (file: number | string, text: string) =>
    write(file as number, text.slice(0, text.length / 2)),
  fsyncSync: () => {},
  renameSync: () => {},
};
const write = fs.writeFileSync;

test("power cut at any file operation of a transaction leaves the old state whole", () => {
  const directory = temporaryDirectory();
  for (const [operation, half] of Object.entries(POWER_CUTS)) {
    const store = openStore(directory);
    const before = [...store.registry.things.keys()];
    let cuts = 0;
    const cut = mock.method(fs, operation as "writeFileSync", (file: number, text: string) => {
      cuts++;
      half(file, text);
      throw new Error("power cut");
    });
    syncBuiltinESMExports();
    try {
      assert.throws(() => store.transaction((draft) => addThing(draft, "lost")), /power cut/);
    } finally {
      cut.mock.restore();
      syncBuiltinESMExports();
    }
    assert.equal(cuts, 1, operation);
    assert.deepEqual([...openStore(directory).registry.things.keys()], before);
    store.transaction((draft) => addThing(draft, operation));
    assert.ok(openStore(directory).registry.things.has(operation));
  }
});

test("transaction syncs the new text before it replaces the old, and the directory after", () => {
  const store = openStore(temporaryDirectory());
  const order: string[] = [];
  const watch = (operation: "fsyncSync" | "renameSync") => {
    const real = fs[operation] as (...parameters: unknown[]) => void;
    return mock.method(fs, operation, (...parameters: unknown[]) => {
      order.push(operation);
      real(...parameters);
    });
  };
  const watched = [watch("fsyncSync"), watch("renameSync")];
  syncBuiltinESMExports();
  try {
    store.transaction((draft) => addThing(draft, "x"));
  } finally {
    for (const each of watched) each.mock.restore();
    syncBuiltinESMExports();
  }
  assert.deepEqual(order, ["fsyncSync", "renameSync", "fsyncSync"]);
});

/** Adds things without end, and says each number when its transaction has returned. */
const WRITER = `
  const { Store } = await import(process.argv[1]);
  const { DiskFiles } = await import(process.argv[2]);
  const store = new Store(new DiskFiles(process.argv[3]));
  for (let i = store.registry.things.size; ; i++) {
    const name = "thing-" + i;
    store.transaction((draft) => draft.things.set(name, { name, typeName: null, attributes: { pad: "x".repeat(2000) }, groups: [], principals: [], created: i }));
    process.stdout.write(i + "\\n");
  }`;

/**
 * Lets the writer report \`count\` transactions, then kills it; answers the last one it reported.
 */
async function killAfter(directory: string, count: number): Promise<number> {
  const argv = ["--input-type=module", "-e", WRITER, ...MODULES, directory];
  const writer: ChildProcess = spawn(process.execPath, argv, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => writer.once("exit", resolve));
  let last = -1;
  let seen = 0;
  for await (const line of createInterface({ input: writer.stdout! })) {
    last = Number(line);
    if (++seen === count) writer.kill("SIGKILL");
  }
  await exited;
  return last;
}

test("process killed while it writes leaves every reported transaction, whole, and at most one more", async () => {
  const directory = temporaryDirectory();
  for (let round = 1; round <= 6; round++) {
    const last = await killAfter(directory, 1 + round * 7);
    const things = [...openStore(directory).registry.things.keys()];
    assert.ok(last >= 0, "the writer reported nothing");
    assert.ok(
      things.length === last + 1 || things.length === last + 2,
      `${things.length}, ${last}`,
    );
    assert.deepEqual(
      things,
      things.map((_, i) => `thing-${i}`),
    );
  }
});

test("token bucket permits its rate, waits out an overdraft, and survives a clock set back", () => {
  const bucket = new TokenBucket(10, 1000);
  for (let i = 0; i < 10; i++) assert.ok(bucket.take(1000));
  assert.equal(bucket.take(1000), false);
  assert.equal(bucket.take(1099), false);
  assert.equal(bucket.take(1100), true);
  assert.equal(bucket.overdraw(5, 1100), 500);
  assert.equal(bucket.take(0), false);
  assert.equal(bucket.take(600), true);
});
