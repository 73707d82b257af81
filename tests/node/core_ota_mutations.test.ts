// 1,000 damaged images offered to a device that takes unsigned updates without a digest: only the
// format stands between them and the boot. None boots, none traps, and each job ends refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Event } from "../../host-node/src/abi.js";
import { mutations } from "./image_mutations.js";
import { FIRST_VERSION, imageOf, NEXT_VERSION, UpdateDevice } from "./support/update_device.js";

const MUTATIONS = 1000;
const SEED = 4;
const SHORT_FORM = { size: undefined, sha256: undefined, signature: undefined };

test("of 1,000 damaged images none boots, and none traps the core", () => {
  const device = new UpdateDevice({ ota: { allowUnsigned: true } });
  device.boot().untilEvent(Event.MQTT_CONNECTED);
  const reasons = new Set<string>();
  let count = 0;
  for (const { name, image } of mutations(imageOf(NEXT_VERSION), MUTATIONS, SEED)) {
    count++;
    device.events = [];
    const execution = device.offer(image, SHORT_FORM, `job-${count}`);
    device.untilEnded(execution);
    assert.ok(["FAILED", "REJECTED"].includes(execution.status), `${name}: ${execution.status}`);
    assert.equal(device.version, FIRST_VERSION, name);
    reasons.add(String(execution.details["reason"]).split(" ")[0]!);
  }
  assert.equal(count, MUTATIONS);
  assert.deepEqual(device.traps, []);
  for (const reason of ["NotBootable", "NotAnImage", "WrongChip", "WrongProject"]) {
    assert.ok(reasons.has(reason), `${reason} is among ${[...reasons]}`);
  }
});
