// Bytes in traces: one text for the same bytes, whatever they are; readers that take any division;
// and texts that stand for nothing refused with their place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BytesError, decodeBytes, encodeBytes } from "../../host-node/src/trace/bytes.js";
import { seededRandom } from "./support/seeded_random.js";

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

const VECTORS: readonly [what: string, bytes: Uint8Array, text: string][] = [
  ["nothing", hex(""), "-"],
  ["one byte", hex("00"), "00"],
  ["a row of seven", hex("ff".repeat(7)), "ffffffffffffff"],
  ["a row of eight", hex("ff".repeat(8)), "ff*8"],
  ["a row of letters", bytes("aaaaaaaa"), "61*8"],
  ["a long row", new Uint8Array(4096), "00*4096"],
  ["three letters", bytes("abc"), "616263"],
  ["four letters", bytes("abcd"), "'abcd'"],
  ["seven equal letters", bytes("aaaaaaa"), "'aaaaaaa'"],
  ["what must be escaped", bytes("it's \\ \n"), "'it\\'s \\\\ \\n'"],
  ["CR and TAB", bytes("abcd\r\tabcd"), "'abcd'+0d09+'abcd'"],
  ["both ends of what is printable", bytes("\x1f ~~~\x7f"), "1f+' ~~~'+7f"],
  ["text up to a row", bytes(`name${"x".repeat(9)}`), "'name'+78*9"],
  ["too little text before a row", bytes(`abc${"x".repeat(8)}`), "616263+78*8"],
  ["too little text behind a row", bytes(`${" ".repeat(8)}abc`), "20*8+616263"],
  ["two rows", hex("00".repeat(8) + "01".repeat(8)), "00*8+01*8"],
  ["text behind bytes", bytes("\x00\x01abcd"), "0001+'abcd'"],
  ["little text between bytes", bytes("\x00abc\x00"), "0061626300"],
  ["a MAC and slots", hex("0200000000010000ff00"), "0200000000010000ff00"],
  ["signs of the format", bytes("a+b = [1]"), "'a+b = [1]'"],
];

for (const [what, value, text] of VECTORS) {
  test(`bytes_that_are_${what.replaceAll(" ", "_")}_have_their_one_text`, () => {
    assert.equal(encodeBytes(value), text);
    assert.deepEqual(decodeBytes(text), value);
  });
}

const DIVISIONS: readonly [text: string, bytes: Uint8Array][] = [
  ["020000000001+00*2+ff00", hex("0200000000010000ff00")],
  ["00+00+00", hex("000000")],
  ["'a'+'b'+63", bytes("abc")],
  ["ff*1+ff*1", hex("ffff")],
  ["'\\''", bytes("'")],
  ["41*3+'A'", bytes("AAAA")],
];

test("bytes_in_any_division_are_read", () => {
  for (const [text, value] of DIVISIONS) assert.deepEqual(decodeBytes(text), value, text);
});

const FAULTS: readonly [text: string, character: number, problem: RegExp][] = [
  ["", 1, /neither hexadecimal/],
  ["f", 2, /half a byte/],
  ["FF", 1, /lower case/],
  ["0g", 2, /half a byte/],
  ["00g", 3, /no \+ follows/],
  ["00+", 4, /neither hexadecimal/],
  ["+00", 1, /neither hexadecimal/],
  ["00 00", 3, /no \+ follows/],
  ["-00", 1, /neither hexadecimal/],
  ["ff*", 4, /how many/],
  ["ff*0", 4, /how many/],
  ["ff*99999999999", 4, /more than/],
  ["ff*16777216+00", 15, /more than/],
  ["0001*8", 1, /one byte/],
  ["''", 1, /empty/],
  ["'abc", 1, /no end/],
  ["00+'abc\\'", 4, /no end/],
  ["'\\t'", 3, /after a \\/],
  ["'ä'", 2, /printable/],
  ["'a\n'", 3, /printable/],
  ["'a'00", 4, /no \+ follows/],
];

for (const [text, character, problem] of FAULTS) {
  test(`text_${JSON.stringify(text)}_is_refused_with_its_place`, () => {
    assert.throws(
      () => decodeBytes(text),
      (error) => {
        assert.ok(error instanceof BytesError);
        assert.equal(error.position + 1, character);
        assert.match(error.problem, problem);
        return true;
      },
    );
  });
}

/** Rows, text and anything, in turn. */
function randomBytes(random: () => number): Uint8Array {
  const below = (limit: number): number => Math.floor(random() * limit);
  const parts = Array.from({ length: below(6) }, () => {
    const size = below(14);
    const some = below(256);
    const choices = [
      () => some,
      () => 0x20 + below(0x5f),
      () => below(256),
      () => "'\\\n a"[below(5)]!.charCodeAt(0),
    ];
    return Array.from({ length: size }, choices[below(choices.length)]!);
  });
  return Uint8Array.from(parts.flat());
}

/** The rule of docs/TRACES.md, clause by clause: slow, and hard to get wrong. */
function encodedByRule(value: Uint8Array): string {
  const latin1 = Buffer.from(value).toString("latin1");
  const row = /^(.)\1{7,}/s;
  const textBeforeRow = /^(?:(?!(.)\1{7,})[\x20-\x7e\n]){4,}/s;
  const parts: string[] = [];
  let rest = latin1;
  let pending = "";
  const flush = () => {
    if (pending !== "") parts.push(Buffer.from(pending, "latin1").toString("hex"));
    pending = "";
  };
  while (rest !== "") {
    const [part] = row.exec(rest) ?? textBeforeRow.exec(rest) ?? [null];
    if (part === null) {
      pending += rest[0];
      rest = rest.slice(1);
      continue;
    }
    flush();
    const isRow = row.test(rest);
    const byte = Buffer.from(part[0]!, "latin1").toString("hex");
    const escaped = part.replace(/['\\]/g, "\\$&").replaceAll("\n", "\\n");
    parts.push(isRow ? `${byte}*${part.length}` : `'${escaped}'`);
    rest = rest.slice(part.length);
  }
  flush();
  return parts.join("+") || "-";
}

test("bytes_of_any_kind_come_back_and_are_written_by_the_rule", () => {
  const random = seededRandom(1);
  for (let round = 0; round < 20_000; round++) {
    const value = randomBytes(random);
    const text = encodeBytes(value);
    assert.equal(text, encodedByRule(value));
    assert.deepEqual(decodeBytes(text), value);
  }
});

/** Texts made of the pieces that the format is made of. */
test("text_of_any_kind_is_read_or_refused_and_never_crashes_a_reader", () => {
  const random = seededRandom(2);
  const pieces = ["0", "ff", "*", "8", "+", "'", "\\", "n", "-", "a b", "ä", "\n", "12"];
  let read = 0;
  for (let round = 0; round < 20_000; round++) {
    const size = Math.floor(random() * 8);
    const text = Array.from(
      { length: size },
      () => pieces[Math.floor(random() * pieces.length)],
    ).join("");
    try {
      const value = decodeBytes(text);
      assert.deepEqual(decodeBytes(encodeBytes(value)), value);
      read++;
    } catch (error) {
      assert.ok(error instanceof BytesError, `${text}: ${error}`);
    }
  }
  assert.ok(read > 500, `${read} were read`);
});
