// The reader as a machine uses it: dispatch on keys, skip the rest, integers, windows. That it
// accepts and refuses what it should is the corpus' business (tests/node/json_corpus.test.ts).

import {
  JSON_DEPTH_MAX,
  JsonError,
  JsonReader,
  KEY_BYTES_MAX,
  SCRATCH_BYTES,
  Token,
} from "../../../assembly/codec/json_reader";

const SCRATCH: usize = memory.data(SCRATCH_BYTES);
const OTHER_SCRATCH: usize = memory.data(SCRATCH_BYTES);
const WINDOW: usize = memory.data(1024);
const reader = new JsonReader(SCRATCH);

function feed(text: string, last: bool = true): void {
  const size = String.UTF8.byteLength(text);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, WINDOW);
  reader.feed(WINDOW, size, last);
}

function read(text: string): void {
  reader.reset();
  feed(text);
}

function expectNext(token: u8): void {
  expect<u8>(reader.next()).toBe(token);
}

function text(): string {
  return String.UTF8.decodeUnsafe(reader.text, reader.size);
}

describe("json reader", () => {
  it("gives tokens in the order of the document and then END for good", () => {
    read('{"a":[1,"x"],"b":{"c":null}}');
    const tokens: u8[] = [
      Token.OBJECT,
      Token.KEY,
      Token.ARRAY,
      Token.NUMBER,
      Token.STRING,
      Token.ARRAY_END,
      Token.KEY,
      Token.OBJECT,
      Token.KEY,
      Token.NULL,
      Token.OBJECT_END,
      Token.OBJECT_END,
      Token.END,
      Token.END,
    ];
    for (let at = 0; at < tokens.length; at++) expectNext(tokens[at]);
    expect<u8>(reader.error).toBe(JsonError.NONE);
  });

  it("counts open containers", () => {
    read("[[]]");
    const depths: i32[] = [1, 2, 1, 0];
    for (let at = 0; at < 4; at++) {
      reader.next();
      expect<i32>(reader.depth).toBe(depths[at]);
    }
  });

  it("leaves a string inside the window and unescapes it in place", () => {
    read('["a\\u0042\\n"]');
    expectNext(Token.ARRAY);
    expectNext(Token.STRING);
    expect<usize>(reader.text).toBe(WINDOW + 2);
    expect<string>(text()).toBe("aB\n");
  });

  it("knows keys and strings by name", () => {
    read('{"state":"stat"}');
    reader.next();
    expectNext(Token.KEY);
    expect<bool>(reader.is(utf8("state"))).toBe(true);
    expect<bool>(reader.is(utf8("stat"))).toBe(false);
    expect<bool>(reader.is(utf8("states"))).toBe(false);
    expectNext(Token.STRING);
    expect<bool>(reader.is(utf8("stat"))).toBe(true);
  });

  it("key of the longest size is whole, a longer one is cut and has no name", () => {
    const longest = "k".repeat(KEY_BYTES_MAX);
    read('{"' + longest + '":1,"' + longest + 'x":2,"short":3}');
    reader.next();
    expectNext(Token.KEY);
    expect<bool>(reader.keyTruncated).toBe(false);
    expect<string>(text()).toBe(longest);
    reader.next();
    expectNext(Token.KEY);
    expect<bool>(reader.keyTruncated).toBe(true);
    expect<i32>(reader.size).toBe(KEY_BYTES_MAX);
    store<u8>(WINDOW + 512, 0);
    memory.copy(WINDOW + 512 - KEY_BYTES_MAX, reader.text, KEY_BYTES_MAX);
    expect<bool>(reader.is(WINDOW + 512 - KEY_BYTES_MAX)).toBe(false);
    reader.next();
    expectNext(Token.KEY);
    expect<bool>(reader.keyTruncated).toBe(false);
  });

  it("string in parts equals no name, not even by its last part", () => {
    reader.reset();
    feed('["ab', false);
    expectNext(Token.ARRAY);
    expectNext(Token.STRING_PART);
    expect<string>(text()).toBe("ab");
    expectNext(Token.MORE);
    feed('cd"]');
    expectNext(Token.STRING);
    expect<string>(text()).toBe("cd");
    expect<bool>(reader.is(utf8("cd"))).toBe(false);
    expectNext(Token.ARRAY_END);
  });

  it("escaped character that spans windows never reaches beyond its window", () => {
    reader.reset();
    feed('"\\ud83d\\ude0', false);
    expectNext(Token.MORE);
    store<u32>(WINDOW + 1, 0x5a5a5a5a);
    store<u8>(WINDOW, 0x30);
    reader.feed(WINDOW, 1, false);
    expectNext(Token.STRING_PART);
    expect<string>(text()).toBe("😀");
    expect<u32>(load<u32>(WINDOW + 1)).toBe(0x5a5a5a5a);
    expectNext(Token.MORE);
    feed('"');
    expectNext(Token.STRING);
    expect<i32>(reader.size).toBe(0);
    expectNext(Token.END);
  });

  it("error stands with its position until reset", () => {
    reader.reset();
    feed("[1,", false);
    while (reader.next() != Token.MORE) {}
    feed(" ?]");
    expectNext(Token.ERROR);
    expectNext(Token.ERROR);
    expect<u8>(reader.error).toBe(JsonError.UNEXPECTED_BYTE);
    expect<u32>(reader.position).toBe(4);
    read("1");
    expectNext(Token.NUMBER);
    expectNext(Token.END);
    expect<u32>(reader.position).toBe(1);
  });

  it("reset in the middle of a string forgets everything", () => {
    reader.reset();
    feed('{"a":["\\ud83d', false);
    while (reader.next() != Token.MORE) {}
    read("[true]");
    expectNext(Token.ARRAY);
    expect<i32>(reader.depth).toBe(1);
    expectNext(Token.TRUE);
    expectNext(Token.ARRAY_END);
    expectNext(Token.END);
  });

  it("document may end with an empty last window", () => {
    reader.reset();
    feed("12", false);
    expectNext(Token.MORE);
    reader.feed(WINDOW, 0, true);
    expectNext(Token.NUMBER);
    expect<i64>(reader.integer()).toBe(12);
    expectNext(Token.END);
  });

  it("nests to the limit and not beyond", () => {
    read("[".repeat(JSON_DEPTH_MAX + 1));
    for (let depth = 0; depth < JSON_DEPTH_MAX; depth++) expectNext(Token.ARRAY);
    expectNext(Token.ERROR);
    expect<u8>(reader.error).toBe(JsonError.DEPTH);
    expect<u32>(reader.position).toBe(JSON_DEPTH_MAX);
  });

  it("two readers do not know of each other", () => {
    const other = new JsonReader(OTHER_SCRATCH);
    read('{"first":1}');
    reader.next();
    expectNext(Token.KEY);
    const document = utf8('{"second":2}');
    other.feed(document, 12, true);
    other.next();
    expect<u8>(other.next()).toBe(Token.KEY);
    expect<bool>(reader.is(utf8("first"))).toBe(true);
    expect<bool>(other.is(utf8("second"))).toBe(true);
  });

  it("traps when it is fed before it asked for more", () => {
    expect(() => {
      read("[1]");
      reader.next();
      feed("[2]");
    }).toThrow();
  });
});

describe("json reader's integers", () => {
  it("are exact to the edges of i64", () => {
    read("[0,-0,9223372036854775807,-9223372036854775808,1700000000123]");
    const values: i64[] = [0, 0, i64.MAX_VALUE, i64.MIN_VALUE, 1700000000123];
    reader.next();
    for (let at = 0; at < values.length; at++) {
      expectNext(Token.NUMBER);
      expect<bool>(reader.integerOk).toBe(true);
      expect<i64>(reader.integer()).toBe(values[at]);
    }
  });

  it("are refused beyond i64 and with fraction or exponent", () => {
    read("[9223372036854775808,-9223372036854775809,18446744073709551617,1.0,1e0,-2.5]");
    reader.next();
    for (let count = 0; count < 6; count++) {
      expectNext(Token.NUMBER);
      expect<bool>(reader.integerOk).toBe(false);
    }
    expect<string>(text()).toBe("-2.5");
  });
});

describe("json reader's skip", () => {
  it("behind a key passes over a value of any kind", () => {
    read('{"a":{"x":[{}]},"b":[[1],"s"],"c":"s","d":1,"e":true,"f":0}');
    reader.next();
    const ends: u8[] = [
      Token.OBJECT_END,
      Token.ARRAY_END,
      Token.STRING,
      Token.NUMBER,
      Token.TRUE,
      Token.NUMBER,
    ];
    for (let at = 0; at < ends.length; at++) {
      expectNext(Token.KEY);
      expect<u8>(reader.skip()).toBe(ends[at]);
      expect<i32>(reader.depth).toBe(1);
    }
    expectNext(Token.OBJECT_END);
  });

  it("behind an opening bracket passes over the rest of the container", () => {
    read('[{"a":{}},[]]');
    reader.next();
    expectNext(Token.OBJECT);
    expect<u8>(reader.skip()).toBe(Token.OBJECT_END);
    expectNext(Token.ARRAY);
    expect<u8>(reader.skip()).toBe(Token.ARRAY_END);
    expectNext(Token.ARRAY_END);
  });

  it("behind a part of a string passes over its rest", () => {
    reader.reset();
    feed('["abc', false);
    reader.next();
    expectNext(Token.STRING_PART);
    expect<u8>(reader.skip()).toBe(Token.MORE);
    feed('def",1]');
    expect<u8>(reader.skip()).toBe(Token.STRING);
    expectNext(Token.NUMBER);
  });

  it("goes on over windows", () => {
    reader.reset();
    feed('{"a":[1,', false);
    reader.next();
    expectNext(Token.KEY);
    expect<u8>(reader.skip()).toBe(Token.MORE);
    feed('{"x":"y', false);
    expect<u8>(reader.skip()).toBe(Token.MORE);
    feed('z"}],"b":2}');
    expect<u8>(reader.skip()).toBe(Token.ARRAY_END);
    expectNext(Token.KEY);
    expect<bool>(reader.is(utf8("b"))).toBe(true);
  });

  it("answers an error inside what it skips", () => {
    read('{"a":[1,}');
    reader.next();
    expectNext(Token.KEY);
    expect<u8>(reader.skip()).toBe(Token.ERROR);
    expect<u32>(reader.position).toBe(8);
  });
});
