// Devices out of their box in the end-to-end tests: with the compiled core, blank flash, and what
// the factory has built in, to be configured over BLE.

import assert from "node:assert/strict";
import { BleState, Event } from "../../../host-node/src/abi.js";
import { USERNAME } from "../../../host-node/src/ble/central.js";
import { verifierDocument } from "../../../host-node/src/ble/verifier_document.js";
import type { DeviceOptions } from "../../../host-node/src/device.js";
import { eventsOf, fastClock, newSpecimen, type Specimen } from "./e2e_world.js";

export const PROOF = "abcd1234";
/** What the device has from the factory: the verifier of its proof of possession. */
const FACTORY = JSON.stringify(verifierDocument(USERNAME, PROOF));
const CLOCK_FACTOR = 4;

/** Switched on, and waiting for a phone. */
export async function unboxedSpecimen(
  options: Required<Pick<DeviceOptions, "module" | "ble">> & Pick<DeviceOptions, "air">,
): Promise<Specimen> {
  const clock = fastClock(CLOCK_FACTOR);
  const specimen = newSpecimen({ ...options, configuration: FACTORY, clock });
  specimen.device.powerOn();
  await untilItAdvertises(specimen);
  return specimen;
}

export async function untilItAdvertises(specimen: Specimen, mark = 0): Promise<void> {
  await specimen.until(
    "to advertise",
    (seen) => eventsOf(seen, Event.BLE_STATE).some(({ value }) => value === BleState.ADVERTISING),
    mark,
  );
}

/** Normal and connected, in this life and after the power was off; BLE is silent then. */
export async function expectToStayOnline(specimen: Specimen): Promise<void> {
  await specimen.untilAtWork();
  specimen.device.powerOff();
  const { mark } = specimen;
  specimen.device.powerOn();
  await specimen.untilAtWork(mark);
  assert.equal(specimen.count(Event.PROVISIONING, mark), 0);
  assert.equal(specimen.count(Event.BLE_STATE, mark), 0);
}
