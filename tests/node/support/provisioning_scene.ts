// The stage of the provisioning tests: a device with a claim certificate and nothing else, the
// service that answers it, and what can be said about how it went.

import assert from "node:assert/strict";
import { Event, Mode, nameOf, ProvisioningStep } from "../../../host-node/src/abi.js";
import { NorFlash } from "../../../host-node/src/ports/nor.js";
import { claimDocument, identities } from "./identities.js";
import { CREATED_THING, rejection, ScriptedAws } from "./scripted_aws.js";
import { identityOf } from "./scripted_broker.js";
import { ScriptedDevice } from "./scripted_host.js";

export const SECTORS = 16;
const RETRY_MS_MIN = 5000;
/** Longer than all retries of a test together. */
export const LONG_MS = 7_200_000;
export const USED_TOKEN = rejection(400, "InvalidCertificateOwnershipToken", "used");

export interface Scene {
  readonly device: ScriptedDevice;
  readonly aws: ScriptedAws;
}

export function scene(claim: Record<string, unknown> = {}, flash = NorFlash.blank(SECTORS)): Scene {
  const device = new ScriptedDevice({ document: claimDocument(claim), flash });
  return { device, aws: new ScriptedAws(device) };
}

export function steps(device: ScriptedDevice): string[] {
  return device.valuesOf(Event.PROVISIONING).map((value) => nameOf(ProvisioningStep, value));
}

/** Runs until the thing's session is up, with the certificate that AWS issued. */
export function expectProvisioned(device: ScriptedDevice, name = CREATED_THING): void {
  device.until(() => device.eventsOf(Event.MQTT_CONNECTED).length > 0, LONG_MS);
  device.settle();
  const connect = device.broker.connects.at(-1)!;
  assert.equal(identityOf(connect), "issued");
  assert.equal(connect.privateKey, identities.issued.privateKey);
  assert.equal(connect.clientId, name);
  assert.equal(device.state().thingName, name);
  assert.equal(device.state().mode, Mode.NORMAL);
}

export function failures(device: ScriptedDevice): [number, string][] {
  return device.eventsOf(Event.PROVISIONING_FAILED).map(({ value, text }) => [value, text]);
}

/** Times from each failure to the request that follows. */
export function expectBackoff(device: ScriptedDevice, requestsAtMs: number[]): void {
  const failed = device.eventsOf(Event.PROVISIONING_FAILED);
  assert.ok(failed.length > 0);
  for (const [index, { atMs }] of failed.entries()) {
    const next = requestsAtMs.find((requestMs) => requestMs > atMs);
    if (next === undefined) continue;
    const delayMs = next - atMs;
    const ceilingMs = RETRY_MS_MIN + Math.min(900_000, 10_000 * 2 ** index);
    assert.ok(delayMs >= RETRY_MS_MIN && delayMs <= ceilingMs + 2000, `${index}: ${delayMs}`);
  }
}
