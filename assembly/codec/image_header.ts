// What the first bytes of an update say: ESP-IDF's application image with the module inside
// (docs/IMAGE.md), and a module alone, which carries its ABI version in its first custom section.
// Only fields; whether they suit this device is for ota/check.ts to say. The bootloader checks the
// rest of an image, and its SHA-256.
//
//   image    0    12        24       32        36               48        80         288
//            | E9 | chip id | segment| magic   | secure version | version | project  | "i32m" ...
//   module   0                 8    9    10     11       16                18
//            | "\0asm" 1 0 0 0 | 00 | 08 | 05   | "iot32"| ABI version u16 |

import { equal, startsWithText } from "../util/bytes";

/** An image is judged by so many bytes, a module by MODULE_HEAD_BYTES. */
export const IMAGE_HEAD_BYTES: i32 = 352;
export const MODULE_HEAD_BYTES: i32 = 18;

export namespace At {
  export const CHIP: u32 = 12;
  export const SECURE_VERSION: u32 = 36;
  export const VERSION: u32 = 48;
  export const PROJECT: u32 = 80;
}

/** Bytes of a text of the application description. */
export const TEXT_BYTES: i32 = 32;

const IMAGE_MAGIC: u8 = 0xe9;
const DESCRIPTION_AT: u32 = 32;
const DESCRIPTION_MAGIC: u32 = 0xabcd5432;
const DESCRIPTOR_AT: u32 = 288;

/** Whether these are the first bytes of an application image with a module in it. */
export function isImage(head: usize, size: i32): bool {
  return (
    size >= IMAGE_HEAD_BYTES &&
    load<u8>(head) == IMAGE_MAGIC &&
    load<u32>(head, DESCRIPTION_AT) == DESCRIPTION_MAGIC &&
    startsWithText(head + DESCRIPTOR_AT, 4, utf8("i32m"))
  );
}

const MODULE_HEAD: usize = memory.data<u8>([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 8, 5, 0x69, 0x6f, 0x74, 0x33, 0x32,
]);

/** ABI version of the module that begins with these bytes, or -1 when it is none of ours. */
export function moduleAbiVersion(head: usize, size: i32): i32 {
  if (size < MODULE_HEAD_BYTES || !equal(head, MODULE_HEAD, 16)) return -1;
  return load<u16>(head, 16);
}
