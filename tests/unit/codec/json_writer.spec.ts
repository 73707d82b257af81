// Commas, escapes, numbers and the edge of the buffer.

import { JsonWriter } from "../../../assembly/codec/json_writer";

const CAPACITY: i32 = 256;
const BUFFER: usize = memory.data(CAPACITY + 8);
const BYTES: usize = memory.data(32);
const writer = new JsonWriter();

/** The document; the writer must not have overflowed. */
function written(): string {
  expect<bool>(writer.overflow).toBe(false, "the document fits");
  return String.UTF8.decodeUnsafe(BUFFER, writer.size);
}

/** A document that uses every kind of call. */
function writeEverything(): void {
  writer.object();
  writer.key(utf8("o"));
  writer.object();
  writer.end();
  writer.key(utf8("a"));
  writer.array();
  writer.integer(-1);
  writer.text(utf8("t\n"));
  writer.array();
  writer.endArray();
  writer.boolean(true);
  writer.boolean(false);
  writer.nil();
  writer.raw(utf8('{"r":1}'), 7);
  writer.object();
  writer.key(utf8("k"));
  writer.integer(2);
  writer.end();
  writer.endArray();
  writer.key(utf8("s"));
  writer.string(utf8("slice"), 3);
  writer.end();
}

const EVERYTHING = '{"o":{},"a":[-1,"t\\n",[],true,false,null,{"r":1},{"k":2}],"s":"sli"}';

beforeEach(() => {
  memory.fill(BUFFER, 0xa5, CAPACITY + 8);
  writer.begin(BUFFER, CAPACITY);
});

describe("json writer", () => {
  it("puts commas between members and elements only", () => {
    writeEverything();
    expect<string>(written()).toBe(EVERYTHING);
  });

  it("writes a scalar as a whole document", () => {
    writer.nil();
    expect<string>(written()).toBe("null");
    writer.begin(BUFFER, CAPACITY);
    writer.text(utf8(""));
    expect<string>(written()).toBe('""');
  });

  it("begin forgets the document before it", () => {
    writer.array();
    writer.integer(1);
    writer.begin(BUFFER, CAPACITY);
    writer.integer(2);
    expect<string>(written()).toBe("2");
  });

  it("writes integers at the edges of i64", () => {
    writer.array();
    writer.integer(0);
    writer.integer(i64.MAX_VALUE);
    writer.integer(i64.MIN_VALUE);
    writer.endArray();
    expect<string>(written()).toBe("[0,9223372036854775807,-9223372036854775808]");
  });
});

describe("json writer's strings", () => {
  it("escape quote and backslash, and leave the solidus", () => {
    writer.text(utf8('a"b\\c/d'));
    expect<string>(written()).toBe('"a\\"b\\\\c/d"');
  });

  it("use the short escapes where there are any", () => {
    writer.text(utf8("\b\f\n\r\t"));
    expect<string>(written()).toBe('"\\b\\f\\n\\r\\t"');
  });

  it("escape every other control character by its number", () => {
    for (let byte = 0; byte < 32; byte++) {
      writer.begin(BUFFER, CAPACITY);
      store<u8>(BYTES, <u8>byte);
      writer.string(BYTES, 1);
      const text = written();
      if (byte >= 8 && byte <= 13 && byte != 11) expect<i32>(text.length).toBe(4);
      else expect<string>(text).toBe('"\\u00' + (byte < 16 ? "0" : "1") + hex(byte & 15) + '"');
    }
  });

  it("pass UTF-8 and DEL through", () => {
    writer.text(utf8("é€😀\x7f"));
    expect<string>(written()).toBe('"é€😀\x7f"');
  });

  it("escape keys too", () => {
    writer.object();
    writer.key(utf8('"'));
    writer.nil();
    writer.end();
    expect<string>(written()).toBe('{"\\"":null}');
  });
});

function hex(digit: i32): string {
  return "0123456789abcdef".charAt(digit);
}

describe("json writer at the end of its buffer", () => {
  it("fits a document of exactly the capacity", () => {
    writer.begin(BUFFER, EVERYTHING.length);
    writeEverything();
    expect<string>(written()).toBe(EVERYTHING);
  });

  it("overflows at every smaller capacity and writes nothing behind it", () => {
    for (let capacity = 0; capacity < EVERYTHING.length; capacity++) {
      memory.fill(BUFFER, 0xa5, CAPACITY);
      writer.begin(BUFFER, capacity);
      writeEverything();
      expect<bool>(writer.overflow).toBe(true);
      expect<i32>(writer.size).toBe(capacity);
      const head = String.UTF8.decodeUnsafe(BUFFER, capacity);
      expect<string>(head).toBe(EVERYTHING.substr(0, capacity));
      for (let at = capacity; at < CAPACITY + 8; at++) {
        assert(load<u8>(BUFFER + at) == 0xa5, "a byte behind the buffer changed");
      }
    }
  });

  it("overflow stays set until begin", () => {
    writer.begin(BUFFER, 3);
    writer.text(utf8("long"));
    writer.nil();
    expect<bool>(writer.overflow).toBe(true);
    writer.begin(BUFFER, CAPACITY);
    expect<bool>(writer.overflow).toBe(false);
  });
});

describe("json writer used against its contract", () => {
  it("traps on an end without a beginning", () => {
    expect(() => writer.end()).toThrow();
  });

  it("traps on one end too many", () => {
    expect(() => {
      writer.array();
      writer.endArray();
      writer.endArray();
    }).toThrow();
  });
});
