// Real PEM for configuration documents and provisioning answers, from tests/fixtures, so that a
// trace is the same in each run; and the documents themselves. The scripted broker does not verify
// certificates: it tells identities apart by their text.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../../host-node/src/package_root.js";

export interface Identity {
  readonly certificate: string;
  readonly privateKey: string;
}

interface Identities {
  readonly rootCa: string;
  readonly thing: Identity;
  readonly claim: Identity;
  /** What AWS makes when it is asked for a certificate. */
  readonly issued: Identity;
  /** What updates are signed with, and checked against. */
  readonly update: { readonly privateKey: string; readonly publicKey: string };
}

const FILE = join(packageRoot, "tests", "fixtures", "identities.json");

export const identities = JSON.parse(readFileSync(FILE, "utf8")) as Identities;

export const SSID = "iot32";
export const ENDPOINT = "broker.test";
export const THING = "thing-1";
export const TEMPLATE = "template-1";

/** A configuration document as an object, so that a test can spoil one place of it. */
export interface DocumentContent {
  wifi?: Record<string, unknown>;
  aws?: Record<string, unknown>;
  thing?: Record<string, unknown>;
  claim?: Record<string, unknown>;
  ota?: Record<string, unknown>;
  ble?: Record<string, unknown>;
}

function common(): DocumentContent {
  return {
    wifi: { ssid: SSID, password: "secret-password" },
    aws: { endpoint: ENDPOINT, port: 8883, rootCa: identities.rootCa },
  };
}

/** A device that has its thing certificate. */
export function thingDocument(): Required<Omit<DocumentContent, "claim" | "ota" | "ble">> {
  return { ...common(), thing: { name: THING, ...identities.thing } } as never;
}

/** A device that must provision itself. */
export function claimDocument(
  more: Record<string, unknown> = {},
): Required<Omit<DocumentContent, "thing" | "ota" | "ble">> {
  return { ...common(), claim: { template: TEMPLATE, ...identities.claim, ...more } } as never;
}
