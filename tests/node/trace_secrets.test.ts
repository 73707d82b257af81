// Lives whose secrets the redactor has replaced, as it does for every device, are replayed without
// them: documents, provisioning by claim, restarts, and passwords that JSON has to escape.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Event } from "../../host-node/src/abi.js";
import { claimDocument, identities, thingDocument } from "./support/identities.js";
import { moduleBytesOf } from "./support/module_cache.js";
import { orders } from "./support/orders.js";
import { OWNERSHIP_TOKEN, ScriptedAws } from "./support/scripted_aws.js";
import { seededRandom } from "./support/seeded_random.js";
import { redacted, replay, type Trace } from "./support/traced_device.js";

const PASSWORD = 'sec"ret\\ä';
/** Pieces of the keys, which stand in documents, messages and flash in whatever division. */
const SECRETS = [
  PASSWORD,
  JSON.stringify(PASSWORD).slice(1, -1),
  OWNERSHIP_TOKEN.slice(6, 60),
  ...[identities.thing, identities.claim, identities.issued].flatMap(({ privateKey }) =>
    privateKey
      .split("\n")
      .slice(1, 3)
      .map((line) => line.slice(20, 40)),
  ),
];
let module: Uint8Array;

before(async () => {
  module = await moduleBytesOf("debug", "puppet");
});

function expectReplay({ lines }: Trace): void {
  for (const line of lines) {
    for (const secret of SECRETS) assert.ok(!line.includes(secret), `${secret} in ${line}`);
  }
  const { difference } = replay(lines, module);
  assert.equal(difference, null, JSON.stringify(difference, null, 2));
}

function thing(): ReturnType<typeof thingDocument> {
  const document = thingDocument();
  document.wifi["password"] = PASSWORD;
  return document;
}

function claim(method: string): ReturnType<typeof claimDocument> {
  const document = claimDocument({ method });
  document.wifi["password"] = PASSWORD;
  return document;
}

test("life_with_a_document_and_the_next_one_are_replayed", () => {
  const { device, trace } = redacted({ document: thing() });
  device.online().powerOff().online();
  assert.equal(device.joins[0]!.password, PASSWORD);
  expectReplay(trace);
});

test("life_that_finds_its_records_in_flash_is_replayed", () => {
  const { device } = redacted({ document: thing() });
  device.online();
  const later = redacted({ document: thing(), flash: device.flash.nor });
  later.device.online();
  assert.equal(later.device.eventsOf(Event.CONFIGURATION_APPLIED).length, 0);
  expectReplay(later.trace);
});

test("document_that_escapes_each_slash_of_its_key_is_replayed", () => {
  const document = JSON.stringify(thing()).replaceAll("/", "\\/");
  const { device, trace } = redacted({ document });
  device.online().powerOff().online();
  assert.equal(device.broker.connects.at(-1)!.privateKey, identities.thing.privateKey);
  assert.ok(/^[^-].*\//m.test(identities.thing.privateKey), "a key without a slash");
  expectReplay(trace);
});

for (const method of ["keys", "csr"]) {
  test(`provisioning_by_${method}_and_the_life_after_it_are_replayed`, () => {
    const { device, trace } = redacted({ document: claim(method) });
    new ScriptedAws(device);
    device.boot().untilEvent(Event.PROVISIONED);
    device.untilEvent(Event.MQTT_CONNECTED);
    device.settle().powerOff().online();
    expectReplay(trace);
  });
}

test("record_of_an_application_in_which_a_member_is_replaced_is_replayed", () => {
  const { device, trace } = redacted({});
  device.online();
  device.order(orders.flashWrite(0, '{"password":"of the application"}'));
  device.settle().powerOff().online();
  device.order(orders.flashRead(0, 32));
  const writes = trace.lines.filter((line) => line.startsWith("< flash_write "));
  assert.ok(writes.some((line) => /'\{"password":"'\+70\*18\+/.test(line)));
  expectReplay(trace);
});

test("provisioning_that_power_cuts_interrupt_is_replayed", () => {
  let damages = 0;
  for (let operation = 0; ; operation++) {
    const { device, trace } = redacted({ document: claim("keys") });
    new ScriptedAws(device);
    device.flash.nor.armPowerCut(operation, "half", seededRandom(operation));
    const isWhole = device.survives(() => {
      device.boot().untilEvent(Event.MQTT_CONNECTED);
      device.settle();
    });
    if (isWhole) break;
    trace.writer.off();
    device.boot().untilEvent(Event.MQTT_CONNECTED);
    device.settle();
    damages += device.eventsOf(Event.RECORD_CORRUPT).length;
    expectReplay(trace);
  }
  assert.ok(damages > 5, `${damages} records were damaged`);
});
