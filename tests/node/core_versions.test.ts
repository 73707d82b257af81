// What an older or a newer firmware has left in flash: an update, and its rollback, must find the
// device's configuration, its certificate and its name. Records only grow at their end.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Dataset, Event, Mode } from "../../host-node/src/abi.js";
import { NorFlash } from "../../host-node/src/ports/nor.js";
import { claimDocument, identities, thingDocument } from "./support/identities.js";
import { readRecords, writeRecords } from "./support/record_image.js";
import { ScriptedAws } from "./support/scripted_aws.js";
import { ScriptedDevice } from "./support/scripted_host.js";

const SECTORS = 16;
/** Bytes of the first versions of the two records. */
const FIRST_CONFIGURATION = 668;
const FIRST_STATUS = 208;

/** Records of a device that is provisioned and has connected. */
function lived(document: object): Map<number, Buffer> {
  const flash = NorFlash.blank(SECTORS);
  const device = new ScriptedDevice({ document: document as never, flash });
  if ("claim" in document) new ScriptedAws(device);
  device.boot().untilEvent(Event.MQTT_CONNECTED, 600_000);
  device.settle().powerOff();
  return readRecords(flash);
}

/** Boots on these records; the firmware brings the same document, or none. */
function booted(records: ReadonlyMap<number, Uint8Array>): ScriptedDevice {
  const flash = writeRecords(records, SECTORS);
  const device = new ScriptedDevice({ document: null, flash });
  device.boot().untilEvent(Event.MQTT_CONNECTED);
  assert.equal(device.valuesOf(Event.MODE_CHANGED).at(-1), Mode.NORMAL);
  return device;
}

describe("a configuration", () => {
  const records = lived(thingDocument());
  const mirror = records.get(Dataset.CONFIGURATION)!;

  it("of the first version is read, with nothing where it was shorter", () => {
    const older = mirror.subarray(0, FIRST_CONFIGURATION);
    booted(new Map([...records, [Dataset.CONFIGURATION, older]]));
  });

  it("of a later version, which is longer, is read as far as it is known", () => {
    const newer = Buffer.concat([mirror, Buffer.alloc(64, 0xaa)]);
    booted(new Map([...records, [Dataset.CONFIGURATION, newer]]));
  });

  it("that is shorter than the first version is broken", () => {
    const cut = mirror.subarray(0, FIRST_CONFIGURATION - 1);
    const flash = writeRecords(new Map([...records, [Dataset.CONFIGURATION, cut]]), SECTORS);
    const device = new ScriptedDevice({ document: null, flash }).boot().runFor(1000);
    assert.equal(device.valuesOf(Event.MODE_CHANGED).at(-1), Mode.IDLE);
  });
});

describe("the status of a provisioned device", () => {
  const records = lived(claimDocument());
  const status = records.get(Dataset.SYSTEM_STATUS)!;

  for (const [name, bytes] of [
    ["as it is", status],
    ["of the first version", asFirst(status)],
    ["of a later version", asLater(status)],
  ] as const) {
    it(`${name} is read: nothing is provisioned again`, () => {
      const device = booted(new Map([...records, [Dataset.SYSTEM_STATUS, bytes]]));
      assert.deepEqual(device.valuesOf(Event.PROVISIONING), []);
      assert.equal(device.broker.connects.at(-1)?.certificate, identities.issued.certificate);
    });
  }
});

/** Without what came later; the length of the mirror was not noted then. */
function asFirst(status: Buffer): Buffer {
  const first = Buffer.from(status.subarray(0, FIRST_STATUS));
  first[3] = 0;
  return first;
}

/** Two units more. */
function asLater(status: Buffer): Buffer {
  const later = Buffer.concat([status, Buffer.alloc(32, 0xaa)]);
  later[3]! += 2;
  return later;
}
