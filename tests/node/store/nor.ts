// The simulated NOR flash on which the record store is judged: it must be as unforgiving as it
// claims, or the other tests prove nothing.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  NorError,
  NorFlash,
  type NorOperation,
  PowerCut,
  SECTOR_BYTES,
  UNIT_BYTES,
} from "../../../host-node/src/ports/nor.js";
import { seededRandom } from "../support/store_workload.js";

const unit = (fill: number) => new Uint8Array(UNIT_BYTES).fill(fill);

describe("simulated NOR flash", () => {
  it("clears bits when programming and sets them by whole sectors when erasing", () => {
    const flash = new NorFlash(new Uint8Array(2 * SECTOR_BYTES).fill(0xff));
    flash.program(SECTOR_BYTES, unit(0x5a));
    assert.deepEqual(Uint8Array.from(flash.read(SECTOR_BYTES, UNIT_BYTES)), unit(0x5a));
    flash.erase(SECTOR_BYTES);
    assert.ok(flash.bytes.every((byte) => byte === 0xff));
    assert.deepEqual([...flash.erases], [0, 1]);
  });

  it("refuses what the chip or flash encryption cannot do", () => {
    const flash = NorFlash.blank(2);
    flash.program(32, unit(0xff));
    const wrong = [
      () => flash.program(32, unit(0)),
      () => flash.program(24, unit(0)),
      () => flash.program(48, new Uint8Array(8)),
      () => flash.program(48, new Uint8Array(0)),
      () => flash.program(2 * SECTOR_BYTES, unit(0)),
      () => flash.erase(100),
      () => flash.erase(2 * SECTOR_BYTES),
      () => flash.read(2 * SECTOR_BYTES - 1, 2),
      () => new NorFlash(new Uint8Array(5000)),
    ];
    for (const call of wrong) assert.throws(call, NorError, String(call));
    flash.erase(0);
    flash.program(32, unit(0));
  });

  it("cuts the power at the operation it was told, and works again afterwards", () => {
    const flash = NorFlash.blank(1);
    const seen: NorOperation["kind"][] = [];
    flash.onOperation = ({ kind }) => seen.push(kind);
    flash.armPowerCut(1, "half", seededRandom(1));
    flash.program(0, unit(0));
    assert.throws(() => flash.program(16, new Uint8Array(64)), PowerCut);
    assert.deepEqual(Uint8Array.from(flash.read(16, 32)), new Uint8Array(32), "half of it");
    assert.deepEqual(Uint8Array.from(flash.read(64, 16)), unit(0xff), "and not the rest");
    assert.throws(() => flash.program(48, unit(0)), NorError, "the torn unit is used up");
    flash.program(64, unit(0));
    assert.deepEqual(seen, ["program", "program", "program"]);
  });

  it("leaves a sector whose erase was cut unusable until a whole erase", () => {
    for (const mode of ["half", "garbage"] as const) {
      const flash = NorFlash.blank(1);
      flash.bytes.fill(0);
      flash.interrupt({ kind: "erase", offset: 0 }, mode, seededRandom(3));
      assert.ok(
        flash.bytes.some((byte) => byte !== 0) && flash.bytes.some((byte) => byte !== 0xff),
      );
      for (const at of [0, SECTOR_BYTES - UNIT_BYTES]) {
        assert.throws(() => flash.program(at, unit(0)), NorError);
      }
      assert.equal(flash.erases[0], 1);
      flash.erase(0);
      flash.program(0, unit(0));
    }
  });

  it("restores from a snapshot to what it was, down to what is programmed and how worn it is", () => {
    const flash = NorFlash.blank(2);
    flash.erase(0);
    flash.program(0, unit(0xff));
    const copy = NorFlash.restore(flash.snapshot());
    flash.program(16, unit(0));
    assert.deepEqual([...copy.erases], [1, 0]);
    assert.ok(copy.bytes.every((byte) => byte === 0xff));
    assert.throws(() => copy.program(0, unit(0)), NorError);
    copy.program(16, unit(0));
  });
});
