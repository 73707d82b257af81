// Firmware for simulated devices: one module under many versions, and the key that signs updates,
// which is the same in each run.

import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { ABI_VERSION } from "../abi.js";
import { packImage } from "../image/index.js";

const BUILT_AT = new Date("2026-01-01T00:00:00Z");

function updateKey() {
  const secret = createHash("sha256").update("iot32 simulated updates").digest();
  const point = p256.getPublicKey(new Uint8Array(secret), false);
  const [x, y] = [point.subarray(1, 33), point.subarray(33)];
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
  const jwk = { kty: "EC", crv: "P-256", d: text(secret), x: text(x), y: text(y) };
  return createPrivateKey({ key: jwk, format: "jwk" });
}

const key = updateKey();

/** What signs simulated updates, and what devices verify them with: PEM. */
export const UPDATE_PRIVATE_KEY = key.export({ type: "pkcs8", format: "pem" }).toString();
export const UPDATE_PUBLIC_KEY = createPublicKey(key)
  .export({ type: "spki", format: "pem" })
  .toString();

/** As large as images with a module often are, and larger than what a download notes at a time. */
const MODULE_BYTES_MIN = 80 * 1024;
const CUSTOM_SECTION = 0;
const SECTION_NAME = "padding";
/** Unsigned LEB128 in five bytes, whatever the number. */
const leb = (value: number): number[] =>
  [0, 7, 14, 21, 28].map((shift) => ((value >>> shift) & 0x7f) | (shift < 28 ? 0x80 : 0));

/** The same module with a custom section behind it, so that it has the size. */
function padded(module: Uint8Array): Uint8Array {
  const missing = MODULE_BYTES_MIN - module.length;
  if (missing <= 0) return module;
  const name = Buffer.from(SECTION_NAME);
  const body = Buffer.alloc(1 + name.length + missing, 0x2e);
  body[0] = name.length;
  name.copy(body, 1);
  return Buffer.concat([module, Uint8Array.of(CUSTOM_SECTION, ...leb(body.length)), body]);
}

/** An application image of this version around a module. */
export function firmwareImage(module: Uint8Array, version: string): Uint8Array {
  return packImage({ module: padded(module), abiVersion: ABI_VERSION, version, builtAt: BUILT_AT });
}
