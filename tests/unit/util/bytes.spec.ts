// Slices and texts at their edges: empty, exact, one short, one long, extreme numbers.

import {
  endsWithText,
  equal,
  equalsText,
  putDecimal,
  putHex,
  putSigned,
  putText,
  startsWithText,
  textSize,
} from "../../../assembly/util/bytes";

const BUFFER: usize = memory.data(64);

/** What a put wrote, as a String; the byte behind it must be untouched. */
function written(end: usize): string {
  expect<u8>(load<u8>(end)).toBe(0xee, "nothing behind the end is touched");
  return String.UTF8.decodeUnsafe(BUFFER, end - BUFFER);
}

beforeEach(() => {
  memory.fill(BUFFER, 0xee, 64);
});

describe("textSize", () => {
  it("of the empty text is 0", () => {
    expect<i32>(textSize(utf8(""))).toBe(0);
  });

  it("counts bytes, not characters", () => {
    expect<i32>(textSize(utf8("aé€😀"))).toBe(10);
  });
});

describe("equal", () => {
  it("of no bytes is true", () => {
    expect<bool>(equal(utf8("a"), utf8("b"), 0)).toBe(true);
  });

  it("sees a difference in the first and in the last byte", () => {
    expect<bool>(equal(utf8("abcdefghij"), utf8("abcdefghij"), 10)).toBe(true);
    expect<bool>(equal(utf8("xbcdefghij"), utf8("abcdefghij"), 10)).toBe(false);
    expect<bool>(equal(utf8("abcdefghix"), utf8("abcdefghij"), 10)).toBe(false);
    expect<bool>(equal(utf8("abcdefghix"), utf8("abcdefghij"), 9)).toBe(true);
  });
});

describe("equalsText", () => {
  it("wants the same size and the same bytes", () => {
    expect<bool>(equalsText(utf8("state"), 5, utf8("state"))).toBe(true);
    expect<bool>(equalsText(utf8("state"), 4, utf8("state"))).toBe(false);
    expect<bool>(equalsText(utf8("states"), 6, utf8("state"))).toBe(false);
    expect<bool>(equalsText(utf8("stat_"), 5, utf8("state"))).toBe(false);
  });

  it("of the empty slice holds for the empty text only", () => {
    expect<bool>(equalsText(utf8("x"), 0, utf8(""))).toBe(true);
    expect<bool>(equalsText(utf8("x"), 0, utf8("x"))).toBe(false);
  });

  it("does not take a NUL in the slice for its end", () => {
    store<u16>(BUFFER, 0x0061);
    expect<bool>(equalsText(BUFFER, 2, utf8("a"))).toBe(false);
  });
});

describe("startsWithText and endsWithText", () => {
  it("hold for the empty text, for a part and for the whole", () => {
    expect<bool>(startsWithText(utf8("$aws/things"), 11, utf8(""))).toBe(true);
    expect<bool>(startsWithText(utf8("$aws/things"), 11, utf8("$aws/"))).toBe(true);
    expect<bool>(startsWithText(utf8("$aws/things"), 11, utf8("$aws/things"))).toBe(true);
    expect<bool>(endsWithText(utf8("$aws/things"), 11, utf8(""))).toBe(true);
    expect<bool>(endsWithText(utf8("$aws/things"), 11, utf8("/things"))).toBe(true);
    expect<bool>(endsWithText(utf8("$aws/things"), 11, utf8("$aws/things"))).toBe(true);
  });

  it("do not hold for a longer text, whatever lies behind the slice", () => {
    expect<bool>(startsWithText(utf8("$aws/things"), 4, utf8("$aws/"))).toBe(false);
    expect<bool>(endsWithText(utf8("things") + 1, 5, utf8("things"))).toBe(false);
  });

  it("do not hold for other bytes", () => {
    expect<bool>(startsWithText(utf8("$aws/things"), 11, utf8("$avs"))).toBe(false);
    expect<bool>(endsWithText(utf8("$aws/things"), 11, utf8("thing"))).toBe(false);
  });
});

describe("putText", () => {
  it("copies without the NUL and returns the end", () => {
    expect<string>(written(putText(BUFFER, utf8("grün")))).toBe("grün");
    expect<usize>(putText(BUFFER, utf8(""))).toBe(BUFFER);
  });
});

describe("putDecimal and putSigned", () => {
  it("write every count of digits without leading zeros", () => {
    expect<string>(written(putDecimal(BUFFER, 0))).toBe("0");
    let value: u64 = 1;
    let text = "1";
    for (let digits = 1; digits < 20; digits++) {
      memory.fill(BUFFER, 0xee, 64);
      expect<string>(written(putDecimal(BUFFER, value))).toBe(text);
      memory.fill(BUFFER, 0xee, 64);
      expect<string>(written(putDecimal(BUFFER, value - 1))).toBe((value - 1).toString());
      value *= 10;
      text += "0";
    }
  });

  it("write the largest and the least values", () => {
    expect<string>(written(putDecimal(BUFFER, u32.MAX_VALUE))).toBe("4294967295");
    expect<string>(written(putDecimal(BUFFER, u64.MAX_VALUE))).toBe("18446744073709551615");
    expect<string>(written(putSigned(BUFFER, i64.MIN_VALUE))).toBe("-9223372036854775808");
    memory.fill(BUFFER, 0xee, 64);
    expect<string>(written(putSigned(BUFFER, i64.MAX_VALUE))).toBe("9223372036854775807");
  });

  it("write a minus below zero only", () => {
    expect<string>(written(putSigned(BUFFER, -10))).toBe("-10");
    memory.fill(BUFFER, 0xee, 64);
    expect<string>(written(putSigned(BUFFER, 0))).toBe("0");
  });
});

describe("putHex", () => {
  it("writes the lowest digits in lower case with leading zeros", () => {
    expect<string>(written(putHex(BUFFER, 0xdeadbeef, 8))).toBe("deadbeef");
    memory.fill(BUFFER, 0xee, 64);
    expect<string>(written(putHex(BUFFER, 0xdeadbeef, 3))).toBe("eef");
    memory.fill(BUFFER, 0xee, 64);
    expect<string>(written(putHex(BUFFER, 0x9a, 4))).toBe("009a");
    expect<usize>(putHex(BUFFER, 0x9a, 0)).toBe(BUFFER);
  });
});
