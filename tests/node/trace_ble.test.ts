// Configuration over BLE in traces: documents, keys, passwords and verifiers come over the radio,
// are tried and stored, and nothing of them is in the trace, which V8 and wasm3 replay all the
// same.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Event } from "../../host-node/src/abi.js";
import { applyAndReturn, openSession } from "./support/ble_setup.js";
import {
  claimDocument,
  type DocumentContent,
  identities,
  thingDocument,
} from "./support/identities.js";
import { moduleBytesOf } from "./support/module_cache.js";
import { skipWithoutNative, temporaryFolder } from "./support/native.js";
import { NativeReplay } from "./support/native_replay.js";
import { orders } from "./support/orders.js";
import { OWNERSHIP_TOKEN, ScriptedAws } from "./support/scripted_aws.js";
import type { ScriptedDevice } from "./support/scripted_host.js";
import { seededRandom } from "./support/seeded_random.js";
import { assertHidden, bytesIn, piecesOf, piecesOfKeys } from "./support/trace_records.js";
import { redacted, replay, type Trace } from "./support/traced_device.js";

/** A debug build needs more than a chip has. */
const DEBUG_MEMORY = ["--memory", "65536"];
const PASSWORDS = ["correct horse battery", "staple, and a longer one"] as const;
const random = seededRandom(77);
const newVerifier = (): Buffer =>
  Buffer.from(Array.from({ length: 400 }, () => Math.floor(random() * 256)));
const VERIFIERS = [newVerifier(), newVerifier()] as const;

const owners = [identities.claim, identities.issued, identities.thing];
const SECRETS: readonly (string | Uint8Array)[] = [
  ...PASSWORDS,
  ...VERIFIERS,
  OWNERSHIP_TOKEN,
  ...owners.map(({ privateKey }) => privateKey.split("\n").slice(2, -2).join("")),
];
const PIECES = new Set([
  ...piecesOf(...PASSWORDS, OWNERSHIP_TOKEN, ...VERIFIERS.map((bytes) => bytes.toString("latin1"))),
  ...VERIFIERS.flatMap((bytes) => [...piecesOf(bytes.toString("base64"))]),
  ...piecesOfKeys(
    owners.map(({ privateKey }) => privateKey),
    [identities.rootCa, ...owners.map(({ certificate }) => certificate)],
  ),
]);

/** As text, in hexadecimal and in base64: the first 24 characters of each. */
function formsOf(secret: string | Uint8Array): string[] {
  const bytes = Buffer.from(secret);
  const text = typeof secret === "string" ? [secret] : [];
  return [...text, bytes.toString("hex"), bytes.toString("base64")].map((form) =>
    form.slice(0, 24),
  );
}

function expectNoSecret({ lines }: Trace): void {
  for (const secret of SECRETS) {
    for (const form of formsOf(secret))
      assert.ok(!lines.some((line) => line.includes(form)), `${form} is in the trace`);
  }
  for (const [index, line] of lines.entries()) {
    for (const bytes of bytesIn(line)) assertHidden(bytes, PIECES, `line ${index + 1}`);
  }
  const names = ["ble_read", "ble_append", "ble_seal", "flash_read", "flash_write", "wifi_join"];
  for (const name of names)
    assert.ok(
      lines.some((line) => line.startsWith(`< ${name} `)),
      name,
    );
  assert.ok(lines.some((line) => /^< ble_read .*"password":"'\+70\*21/.test(line)));
  assert.ok(lines.some((line) => /^< ble_read .*41\*/.test(line)));
}

const withSecrets = (document: DocumentContent, index: 0 | 1): DocumentContent => ({
  ...document,
  wifi: { ...(document.wifi as object), password: PASSWORDS[index] },
  ble: { verifier: VERIFIERS[index].toString("base64") },
});

/** A device in its box, with nothing but a verifier, which a central gets ready. */
function configured(module: Uint8Array, document: DocumentContent) {
  const content = { ble: { verifier: VERIFIERS[0].toString("base64") } } as DocumentContent;
  const { device, trace } = redacted({ document: content });
  trace.writer.hooks.onModule(module);
  new ScriptedAws(device);
  device.boot().runFor(1000);
  openSession(device);
  const { code, step } = applyAndReturn(device, document);
  assert.deepEqual([code, step], ["CONFIGURED", "CONNECTED"]);
  return { device, trace };
}

/** Leaves configuration, and works. */
function work(device: ScriptedDevice): void {
  device.ble.leave();
  device.until(() => device.isRestarting, 900_000);
  device.online();
}

function setUpAgain(device: ScriptedDevice, document: DocumentContent): void {
  device.order(orders.bleConfigure());
  device.until(() => device.isRestarting);
  device.boot().runFor(100);
  openSession(device);
  applyAndReturn(device, document);
}

describe("configuration over BLE in a trace", () => {
  let module!: Uint8Array;
  let folder = "";
  before(async () => {
    module = await moduleBytesOf("debug", "puppet");
    folder = temporaryFolder();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function expectReplay({ lines }: Trace): void {
    const { difference } = replay(lines, module);
    assert.equal(difference, null, JSON.stringify(difference, null, 2));
  }

  const lives: readonly (readonly [string, () => Trace])[] = [
    [
      "document_of_a_thing_that_goes_into_force",
      () => {
        const { device, trace } = configured(module, withSecrets(thingDocument(), 0));
        work(device);
        return trace;
      },
    ],
    [
      "claim_that_is_accepted",
      () => {
        const { device, trace } = configured(module, withSecrets(claimDocument(), 0));
        work(device);
        return trace;
      },
    ],
    [
      "new_identity_password_and_verifier_for_a_device_that_works",
      () => {
        const { device, trace } = configured(module, withSecrets(thingDocument(), 0));
        work(device);
        const document = withSecrets(thingDocument(), 1);
        document.thing = { name: "another", ...identities.issued };
        setUpAgain(device, document);
        work(device);
        assert.equal(device.joins.at(-1)!.password, PASSWORDS[1]);
        return trace;
      },
    ],
    [
      "document_that_is_refused",
      () => {
        const { device, trace } = configured(module, withSecrets(thingDocument(), 0));
        work(device);
        const document = withSecrets(thingDocument(), 1);
        document.thing = { name: "another", certificate: identities.issued.certificate };
        device.order(orders.bleConfigure());
        device.until(() => device.isRestarting);
        device.boot().runFor(100);
        openSession(device);
        device.ble.send(2, Buffer.from(`\x01${JSON.stringify(document)}`));
        device.runFor(5000);
        assert.ok(device.eventsOf(Event.CONFIGURATION_INVALID).length > 0);
        return trace;
      },
    ],
  ];

  for (const [what, live] of lives) {
    test(`${what}_leaves_no_secret_and_is_replayed`, () => {
      const trace = live();
      expectNoSecret(trace);
      expectReplay(trace);
    });
  }

  test("wasm3_replays_it_too", { skip: skipWithoutNative }, () => {
    const wasm3 = new NativeReplay(folder);
    for (const [what, live] of lives) {
      const text = `${live().lines.join("\n")}\n`;
      const { report } = wasm3.run(text, [module], [...DEBUG_MEMORY, "--early-ticks"]);
      assert.equal(report, "", what);
    }
  });
});
