// esp_app_desc_t: what an application says about itself, at the start of its first segment
// (ESP-IDF, components/esp_app_format/include/esp_app_desc.h). All numbers are little-endian.
//
//     0         4                8          16           48                80        96        112
//     | ABCD5432 | secure version | reserved | version[32] | project name[32] | time[16] | date[16] |
//     112               144               176              178              180         181
//     | IDF version[32] | SHA-256 of ELF  | min eFuse rev. | max eFuse rev. | page log2 | reserved |
//
// Texts end at the first NUL, or with the field. It has 256 bytes.

import { ImageError } from "./image_error.js";

export const APP_DESCRIPTION_BYTES = 256;
export const APP_DESCRIPTION_MAGIC = 0xabcd5432;

export interface AppDescription {
  /** Of anti-rollback: a device whose eFuses say more refuses the image. */
  readonly secureVersion: number;
  readonly version: string;
  readonly projectName: string;
  /** As the C compiler writes __TIME__ and __DATE__. */
  readonly time: string;
  readonly date: string;
  readonly idfVersion: string;
  readonly elfSha256: Uint8Array;
  /** major * 100 + minor; a maximum of 0 or 65535 sets no limit. */
  readonly minEfuseBlockRevision: number;
  readonly maxEfuseBlockRevision: number;
  /** Logarithm of the MMU's page size to base 2; 0 before ESP-IDF 5.4. */
  readonly pageLog2: number;
}

const TEXTS = {
  version: { at: 16, bytes: 32 },
  projectName: { at: 48, bytes: 32 },
  time: { at: 80, bytes: 16 },
  date: { at: 96, bytes: 16 },
  idfVersion: { at: 112, bytes: 32 },
} as const;
const ELF_SHA256_AT = 144;
const SHA256_BYTES = 32;

/** Bytes at the start of the first segment; undefined when there is no description. */
export function decodeAppDescription(bytes: Uint8Array): AppDescription | undefined {
  if (bytes.length < APP_DESCRIPTION_BYTES) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, APP_DESCRIPTION_BYTES);
  if (view.readUInt32LE(0) !== APP_DESCRIPTION_MAGIC) return undefined;
  const text = (name: keyof typeof TEXTS): string => {
    const field = view.subarray(TEXTS[name].at, TEXTS[name].at + TEXTS[name].bytes);
    const nul = field.indexOf(0);
    return field.toString("utf8", 0, nul < 0 ? field.length : nul);
  };
  return {
    secureVersion: view.readUInt32LE(4),
    version: text("version"),
    projectName: text("projectName"),
    time: text("time"),
    date: text("date"),
    idfVersion: text("idfVersion"),
    elfSha256: Uint8Array.from(view.subarray(ELF_SHA256_AT, ELF_SHA256_AT + SHA256_BYTES)),
    minEfuseBlockRevision: view.readUInt16LE(176),
    maxEfuseBlockRevision: view.readUInt16LE(178),
    pageLog2: view.readUInt8(180),
  };
}

/** A text needs room for its NUL, because C code reads it as a string. */
function writeText(target: Buffer, name: keyof typeof TEXTS, text: string): void {
  const { at, bytes } = TEXTS[name];
  if (Buffer.byteLength(text) >= bytes) {
    throw new ImageError(
      "bad-text",
      at,
      `${name} "${text}" has more than ${bytes - 1} bytes, which is what the format has room for`,
    );
  }
  if (/\p{Cc}/u.test(text)) {
    throw new ImageError("bad-text", at, `${name} contains a control character`);
  }
  target.write(text, at, bytes, "utf8");
}

/** Throws ImageError when a text is too long or a number does not fit its field. */
export function encodeAppDescription(description: AppDescription): Uint8Array {
  const { secureVersion } = description;
  if (!Number.isInteger(secureVersion) || secureVersion < 0 || secureVersion > 0xffffffff) {
    throw new ImageError("bad-number", 4, `${secureVersion} is not a secure version: 0 to 2^32-1`);
  }
  const target = Buffer.alloc(APP_DESCRIPTION_BYTES);
  target.writeUInt32LE(APP_DESCRIPTION_MAGIC, 0);
  target.writeUInt32LE(secureVersion, 4);
  for (const name of Object.keys(TEXTS) as (keyof typeof TEXTS)[]) {
    writeText(target, name, description[name]);
  }
  target.set(description.elfSha256.subarray(0, SHA256_BYTES), ELF_SHA256_AT);
  target.writeUInt16LE(description.minEfuseBlockRevision, 176);
  target.writeUInt16LE(description.maxEfuseBlockRevision, 178);
  target.writeUInt8(description.pageLog2, 180);
  return target;
}
