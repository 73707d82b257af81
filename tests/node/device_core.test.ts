// What a host checks before it runs a module: modules made by hand that lack something, have too
// much, or speak another version; and the rules of dispatch.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import {
  ABI_VERSION,
  EventKind,
  INBOX_BYTES,
  type Ports,
  Status,
} from "../../host-node/src/abi.js";
import { Core, CoreError, compileCore } from "../../host-node/src/core.js";
import { buildFixture } from "./device_support.js";

const ok = () => Status.OK;
const ports: Ports = {
  sys: { restart: ok, random: ok, panic: ok, configRead: () => 0 },
  log: { write: ok, event: ok },
  flash: { size: () => 65_536, read: ok, write: ok, erase: ok },
  wifi: { join: ok, leave: ok, scan: ok },
  mqtt: { connect: ok, disconnect: ok, subscribe: ok, unsubscribe: ok, publish: ok },
  http: { url: ok, get: ok, redirect: ok, read: ok, abort: ok },
  ota: { read: ok, begin: ok, write: ok, digest: ok, activate: ok, confirm: ok },
  gpio: { mode: ok, write: ok, read: ok },
  crypto: { csr: ok, verify: ok, pair: ok },
  ble: {
    start: ok,
    lock: ok,
    stop: ok,
    disconnect: ok,
    append: ok,
    open: ok,
    read: ok,
    seal: ok,
    notify: ok,
  },
};
const TICK = { kind: EventKind.TICK, a: 0, b: 0, payload: new Uint8Array() };
let quiet: WebAssembly.Module;

before(async () => {
  quiet = compileCore(await buildFixture("quiet.ts"));
});

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const section = (id: number, body: readonly number[]): number[] => [id, body.length, ...body];

/**
 * A module whose functions return one constant each: i32 for abi_version and inbox, the same for
 * dispatch with its five arguments.
 */
function makeModule(version: number, exported: readonly string[], imports: readonly string[] = []) {
  const types = section(1, [2, 0x60, 0, 1, 0x7f, 0x60, 5, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 1, 0x7f]);
  const entries = imports.flatMap((name) => [...text("host"), ...text(name), 0, 0]);
  const indices: Record<string, [kind: number, index: number]> = {
    abi_version: [0, imports.length],
    inbox: [0, imports.length + 1],
    dispatch: [0, imports.length + 2],
    memory: [2, 0],
  };
  const exports = exported.flatMap((name) => [...text(name), ...indices[name]!]);
  const constant = (value: number): number[] => [4, 0, 0x41, value, 0x0b];
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...types,
    ...section(2, [imports.length, ...entries]),
    ...section(3, [3, 0, 0, 1]),
    ...section(5, [1, 0, 1]),
    ...section(7, [exported.length, ...exports]),
    ...section(10, [3, ...constant(version), ...constant(16), ...constant(0)]),
  ];
  return compileCore(Uint8Array.from(bytes));
}

const ALL = ["abi_version", "inbox", "dispatch", "memory"];

test("module_of_this_version_is_taken", () => {
  const core = new Core(makeModule(ABI_VERSION, ALL), ports);
  assert.equal(core.dispatch(TICK, 0), 0);
  assert.equal(core.memoryBytes, 65_536);
});

test("module_of_another_version_is_refused", () => {
  assert.throws(
    () => new Core(makeModule(ABI_VERSION + 1, ALL), ports),
    (error: unknown) =>
      error instanceof CoreError &&
      error.message.includes(`version ${ABI_VERSION + 1} of the ABI`) &&
      error.message.endsWith(`version ${ABI_VERSION}: build it again`),
  );
});

for (const missing of ALL) {
  test(`module_without_an_export_is_refused: ${missing}`, () => {
    const module = makeModule(
      ABI_VERSION,
      ALL.filter((name) => name !== missing),
    );
    const expected = new RegExp(`does not export ${missing}: is it an iot32 module`);
    assert.throws(() => new Core(module, ports), expected);
  });
}

test("module_that_imports_what_no_host_has_is_refused_before_any_call", () => {
  const module = makeModule(ABI_VERSION, ALL, ["sys_restart", "gpio_fly"]);
  assert.throws(
    () => new Core(module, ports),
    /imports host\.gpio_fly, which this host does not have/,
  );
});

test("payload_larger_than_the_inbox_is_refused", () => {
  const core = new Core(quiet, ports);
  const payload = new Uint8Array(INBOX_BYTES + 1);
  assert.throws(
    () => core.dispatch({ ...TICK, payload }, 0),
    new RegExp(`${INBOX_BYTES + 1} bytes; the inbox has ${INBOX_BYTES}`),
  );
});

test("dispatch_from_inside_an_import_is_refused", () => {
  let refused: unknown = null;
  const core: Core = new Core(quiet, {
    ...ports,
    log: {
      write: ok,
      event: () => {
        try {
          core.dispatch(TICK, 0);
        } catch (error) {
          refused = error;
        }
        return Status.OK;
      },
    },
  });
  core.dispatch(TICK, 0);
  assert.ok(refused instanceof CoreError);
  assert.match(refused.message, /dispatch while the core is stepping/);
});

test("instance_that_was_killed_takes_no_more_events", () => {
  const core = new Core(quiet, ports);
  core.kill();
  assert.throws(() => core.dispatch(TICK, 0), /dispatch while the core is dead/);
});

test("time_beyond_31_bits_reaches_the_core_unsigned", () => {
  const seen: number[] = [];
  const core = new Core(quiet, ports, { onStep: (_event, nowMs) => seen.push(nowMs) });
  core.dispatch(TICK, 0xffffffff);
  assert.deepEqual(seen, [0xffffffff]);
});
