// What the first bytes of an image and of a module say, and when they say nothing.

import {
  IMAGE_HEAD_BYTES,
  MODULE_HEAD_BYTES,
  isImage,
  moduleAbiVersion,
} from "../../../assembly/codec/image_header";

const HEAD: usize = memory.data(512);
const MODULE: usize = memory.data<u8>([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 8, 5, 0x69, 0x6f, 0x74, 0x33, 0x32, 0x34, 0x12,
]);

function image(): void {
  memory.fill(HEAD, 0, 512);
  store<u8>(HEAD, 0xe9);
  store<u32>(HEAD, 0xabcd5432, 32);
  store<u32>(HEAD, 0x6d323369, 288);
}

describe("the head of an image", () => {
  it("has three magics", () => {
    image();
    expect(isImage(HEAD, IMAGE_HEAD_BYTES)).toBe(true);
    for (let at = 0; at < IMAGE_HEAD_BYTES; at++) {
      image();
      store<u8>(HEAD + at, load<u8>(HEAD + at) ^ 1);
      const isMagic = at == 0 || (at >= 32 && at < 36) || (at >= 288 && at < 292);
      assert(isImage(HEAD, IMAGE_HEAD_BYTES) == !isMagic);
    }
  });

  it("that is cut short is none", () => {
    image();
    expect(isImage(HEAD, IMAGE_HEAD_BYTES - 1)).toBe(false);
    expect(isImage(HEAD, 0)).toBe(false);
  });
});

describe("the head of a module", () => {
  it("tells the version of its ABI", () => {
    expect<i32>(moduleAbiVersion(MODULE, MODULE_HEAD_BYTES)).toBe(0x1234);
  });

  it("with any other byte before the version, or cut short, tells none", () => {
    for (let at = 0; at < 16; at++) {
      memory.copy(HEAD, MODULE, MODULE_HEAD_BYTES);
      store<u8>(HEAD + at, load<u8>(HEAD + at) ^ 0x80);
      assert(moduleAbiVersion(HEAD, MODULE_HEAD_BYTES) == -1);
    }
    expect<i32>(moduleAbiVersion(MODULE, MODULE_HEAD_BYTES - 1)).toBe(-1);
  });
});
