// RFC 4648's own vectors, every way of cutting a text, decoding in place, and what is refused.

import { Base64Decoder } from "../../../assembly/codec/base64";
import { equal, textSize } from "../../../assembly/util/bytes";

const BUFFER: usize = memory.data(512);
const TEXT: usize = memory.data(512);
const decoder = new Base64Decoder();

function decoded(text: usize): i32 {
  decoder.reset();
  return decoder.decode(BUFFER, text, textSize(text));
}

function gives(text: usize, bytes: usize): bool {
  const size = decoded(text);
  return decoder.complete && size == textSize(bytes) && equal(BUFFER, bytes, size);
}

function refuses(text: usize): bool {
  decoded(text);
  return !decoder.complete;
}

describe("base64", () => {
  it("decodes the vectors of RFC 4648", () => {
    expect(gives(utf8(""), utf8(""))).toBe(true);
    expect(gives(utf8("Zg=="), utf8("f"))).toBe(true);
    expect(gives(utf8("Zm8="), utf8("fo"))).toBe(true);
    expect(gives(utf8("Zm9v"), utf8("foo"))).toBe(true);
    expect(gives(utf8("Zm9vYg=="), utf8("foob"))).toBe(true);
    expect(gives(utf8("Zm9vYmE="), utf8("fooba"))).toBe(true);
    expect(gives(utf8("Zm9vYmFy"), utf8("foobar"))).toBe(true);
  });

  it("knows all 64 characters", () => {
    const all = utf8("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    expect<i32>(decoded(all)).toBe(48);
    expect(decoder.complete).toBe(true);
    expect<u8>(load<u8>(BUFFER)).toBe(0x00);
    expect<u8>(load<u8>(BUFFER, 1)).toBe(0x10);
    expect<u8>(load<u8>(BUFFER, 46)).toBe(0xdf);
    expect<u8>(load<u8>(BUFFER, 47)).toBe(0xbf);
  });

  it("cut at any two places, and decoded in place, gives the same", () => {
    const text = utf8("VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZw==");
    const plain = utf8("The quick brown fox jumps over the lazy dog");
    const size = textSize(text);
    for (let first = 0; first <= size; first++) {
      for (let second = first; second <= size; second++) {
        memory.copy(TEXT, text, size);
        decoder.reset();
        let bytes = decoder.decode(TEXT, TEXT, first);
        memory.copy(BUFFER, TEXT, bytes);
        let part = decoder.decode(TEXT + first, TEXT + first, second - first);
        memory.copy(BUFFER + bytes, TEXT + first, part);
        bytes += part;
        part = decoder.decode(TEXT + second, TEXT + second, size - second);
        memory.copy(BUFFER + bytes, TEXT + second, part);
        bytes += part;
        assert(bytes == textSize(plain) && equal(BUFFER, plain, bytes) && decoder.complete);
      }
    }
  });

  it("refuses what is not base64", () => {
    expect(refuses(utf8("Zm9vYg="))).toBe(true);
    expect(refuses(utf8("Zm9vYg"))).toBe(true);
    expect(refuses(utf8("Z==="))).toBe(true);
    expect(refuses(utf8("===="))).toBe(true);
    expect(refuses(utf8("Zg==Zg=="))).toBe(true);
    expect(refuses(utf8("Zm9v\n"))).toBe(true);
    expect(refuses(utf8("Zm 9"))).toBe(true);
    expect(refuses(utf8("Zm-_"))).toBe(true);
  });

  it("refuses bits behind the last byte", () => {
    expect(refuses(utf8("Zh=="))).toBe(true);
    expect(refuses(utf8("Zm9="))).toBe(true);
  });
});
