// Known values of zlib's crc32, and continuation at every byte.

import { crc32 } from "../../../assembly/codec/crc32";

const CHECK: usize = utf8("123456789");
const FOX: usize = utf8("The quick brown fox jumps over the lazy dog");
const BYTES: usize = memory.data(256);

describe("crc32", () => {
  it("of no bytes is the seed", () => {
    expect<u32>(crc32(0, CHECK, 0)).toBe(0);
    expect<u32>(crc32(0x12345678, CHECK, 0)).toBe(0x12345678);
  });

  it("of the usual check text is the published check value", () => {
    expect<u32>(crc32(0, CHECK, 9)).toBe(0xcbf43926);
    expect<u32>(crc32(0, FOX, 43)).toBe(0x414fa339);
    expect<u32>(crc32(0, utf8("a"), 1)).toBe(0xe8b7be43);
  });

  it("of all byte values is zlib's", () => {
    for (let byte = 0; byte < 256; byte++) store<u8>(BYTES + byte, <u8>byte);
    expect<u32>(crc32(0, BYTES, 256)).toBe(0x29058c73);
  });

  it("of zeros and of ones is zlib's", () => {
    memory.fill(BYTES, 0, 32);
    expect<u32>(crc32(0, BYTES, 32)).toBe(0x190a55ad);
    memory.fill(BYTES, 0xff, 32);
    expect<u32>(crc32(0, BYTES, 32)).toBe(0xff6cab0b);
  });

  it("continued at any byte is that of the whole", () => {
    for (let cut = 0; cut <= 43; cut++) {
      const head = crc32(0, FOX, cut);
      expect<u32>(crc32(head, FOX + cut, 43 - cut)).toBe(0x414fa339);
    }
  });

  it("sees every single flipped bit", () => {
    memory.copy(BYTES, FOX, 43);
    for (let bit = 0; bit < 43 * 8; bit++) {
      const at = BYTES + (bit >> 3);
      store<u8>(at, load<u8>(at) ^ ((<u8>1) << (<u8>(bit & 7))));
      expect<u32>(crc32(0, BYTES, 43)).not.toBe(0x414fa339);
      store<u8>(at, load<u8>(at) ^ ((<u8>1) << (<u8>(bit & 7))));
    }
  });
});
