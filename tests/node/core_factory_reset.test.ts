// Factory reset: everything is forgotten, nothing of a secret is left in flash, and a power cut at
// any operation of the flash leads to the same end, or to a device that was never asked.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Event, Mode } from "../../host-node/src/abi.js";
import { CUT_MODES, NorFlash } from "../../host-node/src/ports/nor.js";
import { thingDocument } from "./support/identities.js";
import { orders } from "./support/orders.js";
import { expectProvisioned, scene } from "./support/provisioning_scene.js";
import { readRecords } from "./support/record_image.js";
import { ScriptedDevice } from "./support/scripted_host.js";
import { seededRandom } from "./support/seeded_random.js";

const SECTORS = 16;
const PIECE_BYTES = 8;
const PASSWORD = thingDocument().wifi["password"] as string;
const KEY = thingDocument().thing["privateKey"] as string;

/** A configured device that has been at work: its records have moved, and left copies behind. */
function worn(writes: number, sectors = SECTORS): NorFlash {
  const device = new ScriptedDevice({ flash: NorFlash.blank(sectors) }).online();
  for (let write = 0; write < writes; write++) {
    device.order(orders.flashWrite(write % 200, `number ${write}`));
    device.settle();
  }
  device.powerOff();
  return device.flash.nor;
}

/** Lives through restarts until the device waits without a configuration. */
function untilBlank(device: ScriptedDevice): ScriptedDevice {
  for (let lives = 0; lives < 5; lives++) {
    live(device);
    if (!device.isRestarting) return device;
  }
  throw new Error(`it restarts again and again:\n${device.story()}`);
}

/** One life, to its restart or to the mode that it comes to. */
function live(device: ScriptedDevice): void {
  const modes = device.valuesOf(Event.MODE_CHANGED).length;
  device.boot();
  device.until(() => device.isRestarting || device.valuesOf(Event.MODE_CHANGED).length > modes + 1);
}

const lastMode = (device: ScriptedDevice) => device.valuesOf(Event.MODE_CHANGED).at(-1);

/** Pieces of these secrets that stand anywhere in the flash. */
function remains(flash: NorFlash, ...secrets: string[]): string[] {
  const bytes = Buffer.from(flash.bytes).toString("latin1");
  const pieces = secrets.flatMap((secret) =>
    Array.from({ length: secret.length - PIECE_BYTES }, (_, at) =>
      secret.slice(at, at + PIECE_BYTES),
    ),
  );
  return pieces.filter((piece) => !piece.includes("-----") && bytes.includes(piece));
}

const bodyOf = (pem: string): string => pem.split("\n").slice(1, -2).join("\n");

/** Asks for the reset, and takes the document away that would configure the device again. */
function reset(device: ScriptedDevice): ScriptedDevice {
  device.online();
  device.order(orders.factoryReset());
  device.document = Buffer.alloc(0);
  device.until(() => device.isRestarting);
  return device;
}

describe("a factory reset", () => {
  for (const writes of [0, 30, 150]) {
    it(`leaves a device that knows nothing, after ${writes} writes of the application`, () => {
      const device = reset(new ScriptedDevice({ flash: worn(writes) }));
      untilBlank(device).settle();
      assert.equal(lastMode(device), Mode.CONFIGURATION);
      assert.deepEqual([...readRecords(device.flash.nor).keys()], []);
      assert.deepEqual(remains(device.flash.nor, PASSWORD, bodyOf(KEY)), []);
    });
  }

  it("shows in its test what it is there for: before it, the secrets are in flash", () => {
    assert.ok(remains(worn(3), PASSWORD, bodyOf(KEY)).length > 100);
  });

  it("is told as a restart, and says when it is done", () => {
    const device = reset(new ScriptedDevice({ flash: worn(3) }));
    untilBlank(device);
    const reasons = device.textsOf(Event.RESTART_PENDING);
    assert.deepEqual(reasons, ["factory reset", "factory reset done"]);
  });

  it("applies the host's own document anew, and provisions again", () => {
    const { device, aws } = scene();
    device.boot();
    expectProvisioned(device);
    device.order(orders.factoryReset());
    for (let lives = 0; lives < 2; lives++) {
      device.until(() => device.isRestarting);
      device.events = [];
      device.boot();
    }
    expectProvisioned(device);
    assert.equal(aws.creates.length, 2);
  });

  it("ends in Idle mode, and says so, when the flash cannot be erased", () => {
    const device = reset(new ScriptedDevice({ flash: worn(3) }));
    device.flash.works = () => false;
    untilBlank(device);
    assert.equal(lastMode(device), Mode.IDLE);
    assert.match(device.textsOf(Event.MODE_CHANGED).at(-1)!, /flash cannot be erased/);
  });

  it("goes on after a power cut at any operation of the flash, however it is torn", () => {
    let finished = 0;
    for (const mode of CUT_MODES) {
      for (let operation = 0; ; operation += 3) {
        const random = seededRandom(operation + 1);
        const device = new ScriptedDevice({ flash: worn(3) }).online();
        const { nor } = device.flash;
        nor.armPowerCut(operation, mode, random);
        device.order(orders.factoryReset());
        const isWhole = device.survives(() => {
          device.until(() => device.isRestarting);
          device.document = Buffer.alloc(0);
          untilBlank(device);
        });
        if (isWhole) break;
        nor.disarmPowerCut();
        // The cut may have come before the wish was in flash; then it is told again.
        device.document = Buffer.alloc(0);
        live(device);
        if (lastMode(device) === Mode.NORMAL) {
          device.settle();
          device.order(orders.factoryReset());
          device.until(() => device.isRestarting);
        }
        if (device.isRestarting) untilBlank(device);
        device.settle();
        assert.equal(lastMode(device), Mode.CONFIGURATION, `${mode} at ${operation}`);
        assert.deepEqual(remains(nor, PASSWORD, bodyOf(KEY)), [], `${mode} at ${operation}`);
        finished++;
      }
    }
    assert.ok(finished > 60, `${finished} cuts`);
  });
});
