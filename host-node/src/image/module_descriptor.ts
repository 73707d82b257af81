// Where the module lies in an application image: 64 bytes directly behind esp_app_desc_t, which is
// where ESP-IDF puts the section .rodata_custom_desc. The core reads it from the first bytes of a
// download, the C host from mapped flash, the Node host from a file. All numbers are little-endian.
//
//     0        4         6             8        12     16               48             64
//     | "i32m" | version | ABI version | offset | size | SHA-256        | reserved (0) |
//       4        2         2             4        4      32               16
//
// `offset` counts from the start of the segment, which is the start of esp_app_desc_t; it is a
// multiple of 4 and at least 320. `size` and SHA-256 are those of the module.

import { createHash } from "node:crypto";
import { APP_DESCRIPTION_BYTES } from "./app_description.js";
import { ImageError, type ImageProblem } from "./image_error.js";

export const MODULE_DESCRIPTOR_BYTES = 64;
export const MODULE_DESCRIPTOR_VERSION = 1;
/** "i32m". */
export const MODULE_DESCRIPTOR_MAGIC = 0x6d323369;
/** Offset of a module that follows its descriptor without a gap. */
export const MODULE_OFFSET_MIN = APP_DESCRIPTION_BYTES + MODULE_DESCRIPTOR_BYTES;

const MODULE_ALIGNMENT = 4;
const SHA256_AT = 16;
const SHA256_BYTES = 32;
const RESERVED_AT = 48;
const WASM_MAGIC = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

export interface EmbeddedModule {
  readonly descriptorVersion: number;
  readonly abiVersion: number;
  /** From the start of the segment. */
  readonly offset: number;
  readonly sha256: Uint8Array;
  readonly bytes: Uint8Array;
}

export interface ModuleReading {
  /** Undefined when there is none, or when it cannot be read. */
  readonly module?: EmbeddedModule;
  readonly problem?: ImageProblem;
}

/** The descriptor of a module that is placed directly behind it. */
export function encodeModuleDescriptor(module: Uint8Array, abiVersion: number): Uint8Array {
  if (!Number.isInteger(abiVersion) || abiVersion < 0 || abiVersion > 0xffff) {
    throw new ImageError("bad-number", 6, `${abiVersion} is not an ABI version: 0 to 65535`);
  }
  const target = Buffer.alloc(MODULE_DESCRIPTOR_BYTES);
  target.writeUInt32LE(MODULE_DESCRIPTOR_MAGIC, 0);
  target.writeUInt16LE(MODULE_DESCRIPTOR_VERSION, 4);
  target.writeUInt16LE(abiVersion, 6);
  target.writeUInt32LE(MODULE_OFFSET_MIN, 8);
  target.writeUInt32LE(module.length, 12);
  target.set(createHash("sha256").update(module).digest(), SHA256_AT);
  return target;
}

function checkPlace(descriptor: Buffer, segmentBytes: number): string | undefined {
  const [offset, size] = [descriptor.readUInt32LE(8), descriptor.readUInt32LE(12)];
  if (offset < MODULE_OFFSET_MIN) return `starts at ${offset}, inside its own descriptor`;
  if (offset % MODULE_ALIGNMENT !== 0) return `starts at ${offset}, not a multiple of 4`;
  if (offset + size > segmentBytes) {
    return `ends at ${offset + size}, behind the end of its segment of ${segmentBytes} bytes`;
  }
  return undefined;
}

/**
 * Looks for a module in the first segment, which starts at `position` of the file. An image without
 * a descriptor is a plain ESP-IDF application: neither a module nor a problem.
 */
export function readModule(segment: Uint8Array, position: number): ModuleReading {
  const at = position + APP_DESCRIPTION_BYTES;
  if (segment.length < MODULE_OFFSET_MIN) return {};
  const bytes = Buffer.from(segment.buffer, segment.byteOffset, segment.length);
  const descriptor = bytes.subarray(APP_DESCRIPTION_BYTES, MODULE_OFFSET_MIN);
  if (descriptor.readUInt32LE(0) !== MODULE_DESCRIPTOR_MAGIC) return {};
  const problem = (code: ImageProblem["code"], where: number, message: string): ModuleReading => ({
    problem: { code, position: where, message },
  });
  const version = descriptor.readUInt16LE(4);
  if (version !== MODULE_DESCRIPTOR_VERSION) {
    const message = `the module descriptor has version ${version}; only ${MODULE_DESCRIPTOR_VERSION} is known`;
    return problem("bad-module-descriptor", at + 4, message);
  }
  const odd = descriptor.subarray(RESERVED_AT).findIndex((byte) => byte !== 0);
  if (odd >= 0) {
    const message = `a reserved byte of the module descriptor is not 0, at byte ${at + RESERVED_AT + odd}`;
    return problem("bad-module-descriptor", at + RESERVED_AT + odd, message);
  }
  const misplaced = checkPlace(descriptor, segment.length);
  if (misplaced !== undefined) return problem("module-outside", at + 8, `the module ${misplaced}`);
  return readBytes(bytes, descriptor, position);
}

function readBytes(segment: Buffer, descriptor: Buffer, position: number): ModuleReading {
  const offset = descriptor.readUInt32LE(8);
  const bytes = segment.subarray(offset, offset + descriptor.readUInt32LE(12));
  const stored = descriptor.subarray(SHA256_AT, SHA256_AT + SHA256_BYTES);
  const at = position + APP_DESCRIPTION_BYTES + SHA256_AT;
  if (!createHash("sha256").update(bytes).digest().equals(stored)) {
    const message = `the module does not match the SHA-256 in its descriptor, at byte ${at}`;
    return { problem: { code: "bad-module-hash", position: at, message } };
  }
  if (!bytes.subarray(0, WASM_MAGIC.length).equals(WASM_MAGIC)) {
    const message = `at byte ${position + offset} there is no WebAssembly module`;
    return { problem: { code: "not-a-module", position: position + offset, message } };
  }
  return {
    module: {
      descriptorVersion: descriptor.readUInt16LE(4),
      abiVersion: descriptor.readUInt16LE(6),
      offset,
      sha256: Uint8Array.from(stored),
      bytes,
    },
  };
}
